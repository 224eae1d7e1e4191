"""Writing to S3: writers that die or lose their connection, huge files, forks; all or nothing."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skyfs.abc.store import Adoption, Batch, Expected
from skyfs.errors import Exists, StoreError, Transient
from skyfs.stores import remote_s3
from skyfs.stores.remote import RemoteStore
from skyfs.stores.remote_s3 import S3Requests
from skyfs.stores.retrying import Patience, RetryingStore
from skyfs.testing.servers import S3Server
from skyfs.testing.store_suite import fill, get, held, put

from .crash import killed, run_child
from .remote import s3_store, s3_store_at

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

CALLS = ("put_object", "head_object", "create_multipart_upload", "upload_part", "complete_multipart_upload")
HUGE = bytes(range(256)) * (17 << 12)  # 17 MiB: three parts


class Wire:
    """Counts the calls of S3 in this process, and lets chosen ones fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        real = S3Requests._call  # noqa: SLF001 - the wire itself

        async def call(requests: S3Requests, name: str, **parameters: object) -> dict[str, Any]:
            self.calls.append(name)
            self.before(name)
            answer = await real(requests, name, **parameters)
            self.after(name)
            return answer

        monkeypatch.setattr(S3Requests, "_call", call)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def uploads_at(store: RemoteStore) -> list[object]:
    """Give the unfinished multipart uploads of the bucket."""
    requests = store._connection.requests()  # noqa: SLF001 - the server's own account
    assert isinstance(requests, S3Requests)
    from skyfs.stores.remote_loop import run

    found = run(requests._call("list_multipart_uploads", Prefix=requests._root))  # noqa: SLF001
    return list(found.get("Uploads", []))


def private_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_huge_file_goes_in_parts(s3: S3Server, tmp_path: Path, wire: Wire) -> None:
    store = s3_store(s3, tmp_path / "w")
    (tmp_path / "huge").write_bytes(HUGE)
    batch = fill(store.begin(), {"made": HUGE})
    batch.adopt("adopted", str(tmp_path / "huge"), Adoption.MOVE)
    contents = batch.publish()
    batch.settle()
    assert wire.calls.count("upload_part") == 6
    assert {content.sha256 for content in contents.values()} == {hashlib.sha256(HUGE).digest()}
    assert not (tmp_path / "huge").exists()
    expected = Expected(len(HUGE), hashlib.sha256(HUGE).digest())
    for key in ("made", "adopted"):
        assert store.stat(key).mtime_ns == contents[key].mtime_ns
        assert store.open(key, expected).read_all() == HUGE
    with pytest.raises(Exists):
        fill(store.begin(), {"made": HUGE})
    assert uploads_at(store) == []
    store.close()


def test_two_huge_files_race_for_one_key(s3: S3Server, tmp_path: Path) -> None:
    store = s3_store(s3, tmp_path / "w")
    first, second = fill(store.begin(), {"k": HUGE}), fill(store.begin(), {"k": HUGE[::-1]})
    first.publish()
    with pytest.raises(Exists):
        second.publish()
    second.undo()
    first.settle()
    assert get(store, "k") == HUGE
    assert uploads_at(store) == []
    store.close()


def test_a_put_is_one_request(s3: S3Server, tmp_path: Path, wire: Wire) -> None:
    store = s3_store(s3, tmp_path / "w")
    put(store, {"k": b"x"})
    assert wire.calls == ["head_object", "put_object"]
    store.close()


@pytest.mark.parametrize("lost", ["question", "answer"])
@pytest.mark.parametrize("data", [b"small", HUGE], ids=["small", "huge"])
def test_an_upload_whose_connection_is_lost(
    s3: S3Server, tmp_path: Path, wire: Wire, lost: str, data: bytes
) -> None:
    store = RetryingStore(s3_store(s3, tmp_path / "w"), Patience(3, pause=lambda _: None))
    last = "put_object" if data == b"small" else "complete_multipart_upload"
    failures = iter([True])

    def fail(name: str) -> None:
        if name == last and next(failures, False):
            raise ConnectionResetError("lost")

    setattr(wire, "before" if lost == "question" else "after", fail)
    put(store, {"k": data, "l": b"other"})
    assert held(store) == {"k": data, "l": b"other"}
    assert wire.calls.count("put_object") <= 3
    store.close()


def test_an_upload_that_never_succeeds_leaves_nothing(s3: S3Server, tmp_path: Path, wire: Wire) -> None:
    store = s3_store(s3, tmp_path / "w")

    def fail(name: str) -> None:
        if name in ("upload_part", "complete_multipart_upload"):
            raise TimeoutError("slow")

    wire.before = fail
    batch = fill(store.begin(), {"k": HUGE, "small": b"x"})
    with pytest.raises(Transient):
        batch.publish()
    batch.undo()
    assert held(store) == {}
    assert uploads_at(store) == []
    store.close()
    assert private_files(tmp_path / "w") == []


def test_a_file_that_changes_is_not_stored(s3: S3Server, tmp_path: Path) -> None:
    store = s3_store(s3, tmp_path / "w")
    (tmp_path / "file").write_bytes(b"first")
    batch = store.begin()
    batch.adopt("k", str(tmp_path / "file"), Adoption.COPY)
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(StoreError, match="changed"):
        batch.publish()
    batch.undo()
    assert held(store) == {}
    store.close()


def test_what_another_repository_wrote_is_not_undone(s3: S3Server, tmp_path: Path) -> None:
    one = s3_store(s3, tmp_path / "one")
    url = f"s3://{one._connection._url.partition('://')[2]}"  # noqa: SLF001 - the same place
    two = s3_store_at(url, s3, tmp_path / "two")
    first, second = fill(one.begin(), {"k": b"one", "own": b"1"}), fill(two.begin(), {"k": b"two"})
    second.publish()
    with pytest.raises(Exists):
        first.publish()
    first.undo()
    assert held(two) == {"k": b"two"}
    second.settle()
    one.close()
    two.close()


# -- writers that die


def put_and_die(store: RemoteStore, at: int, scenario: Callable[[Batch], None], committed: Path) -> None:
    """Put something, and die before the given call or step."""
    count = 0
    real = S3Requests._call  # noqa: SLF001 - the wire itself

    def step() -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    async def call(requests: S3Requests, name: str, **parameters: object) -> dict[str, Any]:
        step()
        answer = await real(requests, name, **parameters)
        step()
        return answer

    S3Requests._call = call  # type: ignore[method-assign,assignment]  # noqa: SLF001 - in a child that dies
    batch = store.begin()
    scenario(batch)
    step()
    batch.publish()
    step()
    committed.touch()
    step()
    batch.settle()
    store.close()


def creating(batch: Batch) -> None:
    fill(batch, {"new/a": b"a", "new/b": b"b"})


def huge(batch: Batch) -> None:
    fill(batch, {"new/huge": HUGE})


def replacing(batch: Batch) -> None:
    fill(batch, {"new/a": b"a"})
    batch.delete("old")


@pytest.mark.parametrize(
    ("scenario", "after", "stride"),
    [
        pytest.param(scenario, after, stride, marks=marks)
        for scenario, after, some in (
            (creating, {"old": b"old", "new/a": b"a", "new/b": b"b"}, 3),
            (huge, {"old": b"old", "new/huge": HUGE}, 6),
            (replacing, {"new/a": b"a"}, 2),
        )
        for stride, marks in ((some, ()), (1, pytest.mark.long))
    ],
)
def test_death_at_every_request(
    s3: S3Server, tmp_path: Path, scenario: Callable[[Batch], None], after: dict[str, bytes], stride: int
) -> None:
    deaths = 0
    for at in range(1, 60, stride):
        folder = tmp_path / str(at)
        folder.mkdir()
        store = s3_store(s3, folder / "w")
        put(store, {"old": b"old"})
        store.close()
        committed = folder / "committed"
        status = run_child(lambda: put_and_die(store, at, scenario, committed))  # noqa: B023 - run at once
        named = after if committed.exists() else {"old": b"old"}
        store.recover(named.__contains__)
        assert held(store) == named, f"death at step {at}"
        assert uploads_at(store) == []
        assert private_files(folder / "w") == []
        put(store, {"again": b"it can be written"})
        store.close()
        if not killed(status):
            break
        deaths += 1
    assert deaths * stride >= 8
    assert not killed(status)


def test_a_file_that_was_to_be_moved_stays_when_another_wrote_its_key(s3: S3Server, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    store = s3_store(s3, tmp_path / "w")

    def move(batch: Batch) -> None:
        batch.adopt("k", str(mine), Adoption.MOVE)

    assert killed(run_child(lambda: put_and_die(store, 3, move, tmp_path / "committed")))
    put(store, {"k": b"another's"})
    assert store.recover(lambda key: key == "k") == 0
    assert mine.read_bytes() == b"mine"
    assert held(store) == {"k": b"another's"}
    store.close()


def test_recovery_asks_nothing_when_nobody_died(s3: S3Server, tmp_path: Path, wire: Wire) -> None:
    store = s3_store(s3, tmp_path / "w")
    assert store.recover(lambda _: True) == 0
    assert wire.calls == []
    assert not (tmp_path / "w").exists()
    store.close()


# -- forks and threads


def test_a_forked_child_reads_and_writes(s3: S3Server, tmp_path: Path) -> None:
    store = s3_store(s3, tmp_path / "w")
    put(store, {"k": b"parent"})
    source = store.open("k", Expected(6))
    in_flight = fill(store.begin(), {"of-parent": b"x"})

    def child() -> None:
        assert source.read(0, 3) == b"par"
        assert get(store, "k") == b"parent"
        put(store, {"l": b"child"})
        with pytest.raises(StoreError, match="fork"):
            in_flight.publish()
        store.close()

    assert run_child(child) == 0
    assert source.read_all() == b"parent"
    assert get(store, "l") == b"child"
    in_flight.publish()
    in_flight.settle()
    assert set(held(store)) == {"k", "l", "of-parent"}
    store.close()


def test_a_child_forked_while_threads_read(s3: S3Server, tmp_path: Path) -> None:
    store = s3_store(s3, tmp_path / "w")
    put(store, {"k": b"bytes"})
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert get(store, "k") == b"bytes"

    def check() -> None:
        assert get(store, "k") == b"bytes"

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(5):
            assert run_child(check) == 0
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    store.close()


def test_part_sizes_fit_what_s3_takes() -> None:
    for size in (20 << 20, 5 << 40):
        part = remote_s3.part_size(size)
        assert part >= 5 << 20
        assert -(-size // part) <= 10_000
