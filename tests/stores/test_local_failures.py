"""A local store on disks that are full, elsewhere or failing, and what it syncs."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from skyfs.abc.store import Adoption
from skyfs.errors import Exists, NotFound, ReadOnly, SkyfsError, StoreError
from skyfs.stores import folders, local_batch
from skyfs.stores.failure import KINDS, failing, translate
from skyfs.stores.local import LocalStore
from skyfs.testing.store_suite import fill, held, put

from .conftest import Mount, paths

# -- other filesystems, full disks


def test_across_filesystems(store: LocalStore, small_disk: Mount) -> None:
    place = small_disk("1m")
    (place / "source").write_bytes(b"far")
    batch = store.begin()
    with pytest.raises(StoreError, match="copy or symlink"):
        batch.adopt("link", str(place / "source"), Adoption.LINK)
    batch.adopt("symlink", str(place / "source"), Adoption.SYMLINK)
    batch.adopt("copy", str(place / "source"), Adoption.COPY)
    batch.adopt("move", str(place / "source"), Adoption.MOVE)
    contents = batch.publish()
    assert (place / "source").exists()
    batch.settle()
    assert not (place / "source").exists()
    assert contents["move"].sha256 == hashlib.sha256(b"far").digest()
    assert held(store) == {"copy": b"far", "move": b"far"}


def test_a_full_disk_while_writing(small_disk: Mount) -> None:
    place = small_disk("1m")
    store = LocalStore(place, name="tiny")
    batch = fill(store.begin(), {"a/small": b"x"})
    file = batch.create("a/big")
    with pytest.raises(StoreError, match=r"write 'a/big' in store 'tiny'.*disk is full"):
        file.write(b"x" * (2 << 20))
    file.close()
    with pytest.raises(StoreError, match="disk is full"):
        batch.publish()
    batch.undo()
    put(store, {"a/small": b"there is room again"})
    store.close()
    assert paths(place) == ["a", "a/small"]


def test_a_failed_write_cannot_be_published_even_when_there_is_room_again(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = store.begin()
    file = batch.create("k")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", partial(_raise, errno.ENOSPC))
        with pytest.raises(StoreError, match="disk is full"):
            file.write(b"x" * 1_000_000)
    file.close()
    with pytest.raises(StoreError, match="an earlier write 'k'"):
        batch.publish()
    batch.undo()
    assert held(store) == {}


def _raise(code: int, *_: object) -> int:
    raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("how", [Adoption.COPY, Adoption.MOVE])
def test_a_full_disk_while_adopting(small_disk: Mount, tmp_path: Path, how: Adoption) -> None:
    place = small_disk("1m")
    source = tmp_path / "source"
    source.write_bytes(b"x" * (2 << 20))
    store = LocalStore(place, name="tiny")
    batch = fill(store.begin(), {"a/small": b"x"})
    with pytest.raises(StoreError, match=r"'a/big' in store 'tiny'.*disk is full"):
        batch.adopt("a/big", str(source), how)
    batch.publish()  # what did not arrive is not part of the batch
    batch.settle()
    store.close()
    assert paths(place) == ["a", "a/small"]
    assert source.stat().st_size == 2 << 20


WRITING = ("fdatasync", "fsync", "ftruncate", "link", "mkdir", "open", "pwrite", "symlink", "write")


@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_failure_of_any_call_leaves_all_as_it_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Literal["power", "process"]
) -> None:
    (tmp_path / "source").write_bytes(b"x")
    (root / "old").mkdir()
    (root / "old/k").write_bytes(b"old")
    for step in range(1, 1000):
        store = LocalStore(root, name="disk", durability=durability)
        batch = store.begin()
        error: SkyfsError | None = None
        with monkeypatch.context() as patch:
            count = fail_at(step, patch)
            try:
                fill(batch, {"a/b/k": b"1", "old/new": b"2"})
                for how in Adoption:
                    batch.adopt(f"c/{how.value}", str(tmp_path / "source"), how)
                batch.delete("old/k")
                batch.publish()
            except SkyfsError as caught:
                error = caught
        assert error is None or "the disk is full" in str(error)
        batch.undo()
        store.close()
        assert paths(root) == ["old", "old/k"], f"call {step} failed"
        assert (tmp_path / "source").read_bytes() == b"x"
        if len(count) < step:
            assert step > 30
            return
    pytest.fail("there is always one more call")


def fail_at(step: int, patch: pytest.MonkeyPatch) -> list[str]:
    """Let the ``step``-th writing call find the disk full; give the calls that were made."""
    calls: list[str] = []

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            calls.append(name)
            if len(calls) == step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **options)

        patch.setattr(os, name, call)

    for name in WRITING:
        wrap(name)
    return calls


def test_settle_goes_on_after_a_failure_and_can_be_repeated(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, {"a/1": b"1", "b/2": b"2"})
    batch = store.begin()
    batch.delete("a/1")
    batch.delete("b/2")
    batch.publish()
    real = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if path == "1":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        real(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        with pytest.raises(StoreError, match="delete 'a/1' in store 'disk': Permission denied"):
            batch.settle()
    assert held(store) == {"a/1": b"1"}
    batch.settle()
    assert held(store) == {}


def test_a_torn_line_of_a_full_disk_does_not_spoil_the_next(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = fill(store.begin(), {"kept": b"x"})
    kept.publish()  # keeps the journal from being emptied
    real = os.pwrite

    def write(descriptor: int, data: bytes, start: int) -> int:
        if not os.readlink(f"/proc/self/fd/{descriptor}").endswith(".journal"):
            return real(descriptor, data, start)
        if len(data) < 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:-10], start)

    torn, later = fill(store.begin(), {"torn": b"x"}), fill(store.begin(), {"later": b"x"})
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        with pytest.raises(StoreError, match="disk is full"):
            torn.publish()
        torn.undo()
    later.publish()
    store.close()
    assert LocalStore(root, name="disk").recover(lambda key: key == "kept") == 1
    assert paths(root) == ["kept"]


def test_a_full_disk_does_not_stop_settle(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    other, batch = fill(store.begin(), {"other": b"x"}), fill(store.begin(), {"k": b"x"})
    other.publish()
    batch.publish()
    with monkeypatch.context() as patch:
        fail_at(1, patch)
        batch.settle()
    other.undo()
    assert held(store) == {"k": b"x"}


def test_recovery_that_takes_a_journal_before_it_is_locked(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    taken: list[str] = []

    def flock(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        taken.extend(path.name for path in (root / ".skyfs/journal").iterdir())
        LocalStore(root, name="other").recover(lambda _: False)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    batch = fill(store.begin(), {"k": b"x"})
    (journal,) = (root / ".skyfs/journal").iterdir()
    assert journal.name not in taken
    batch.publish()
    assert LocalStore(root, name="other").recover(lambda _: False) == 0
    assert held(store) == {"k": b"x"}
    batch.settle()


def test_the_end_of_the_process_removes_the_journal(root: Path) -> None:
    code = """if True:
        import sys
        from skyfs.stores.local import LocalStore
        store = LocalStore(sys.argv[1], name="disk", durability="process")
        batch = store.begin()
        with batch.create("k") as file:
            file.write(b"x")
        batch.publish()
        batch.settle()
    """
    path = str(Path(folders.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code, str(root)], env={"PYTHONPATH": path}, check=True)
    assert paths(root) == ["k"]


# -- syncing


def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the names of what is synced."""
    calls: list[str] = []

    def record(name: str) -> None:
        real = getattr(os, name)

        def call(descriptor: int) -> None:
            calls.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            real(descriptor)

        monkeypatch.setattr(os, name, call)

    record("fsync")
    record("fdatasync")
    return calls


def test_what_power_safety_syncs(store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, {"first": b"opens the journal"})
    calls = synced(monkeypatch)
    put(store, {"a/b/k": b"x"})
    staged, journal, *folders_synced = calls
    assert "/.skyfs/staging/" in staged
    assert journal.endswith(".journal")
    assert sorted(folders_synced) == [str(root), f"{root}/a", f"{root}/a/b"]


def test_what_process_safety_syncs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "sync_filesystem", lambda _: pytest.fail("synced"))
    calls = synced(monkeypatch)
    store = LocalStore(root, name="disk", durability="process")
    put(store, {f"{number}/k": b"x" for number in range(20)})
    store.close()
    assert calls == []


@pytest.mark.parametrize("available", [True, False])
def test_many_files_sync_at_once(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, *, available: bool
) -> None:
    put(store, {"first": b"opens the journal"})
    calls = synced(monkeypatch)

    def sync(_: str) -> bool:
        calls.append("all")
        return available

    for module in (folders, local_batch):
        monkeypatch.setattr(module, "sync_filesystem", sync)
    put(store, {f"{number}/k": b"x" for number in range(20)})
    if available:
        assert calls == ["all", "all"]
    else:
        # Alone: 20 files, the journal, 20 folders and the root that got them.
        assert [calls.index("all"), calls.count("all"), len(calls)] == [0, 2, 44]
        assert calls[21].endswith(".journal")


# -- errors


@pytest.mark.parametrize("code", sorted(errno.errorcode))
def test_every_error_of_the_system_becomes_ours(code: int) -> None:
    error = translate(OSError(code, os.strerror(code)), "write 'k' in store 'disk'")
    assert str(error).startswith("write 'k' in store 'disk': ")
    assert os.strerror(code) in str(error)
    assert type(error) in {StoreError, Exists, ReadOnly}
    assert (error.todo != "") == (code in KINDS and type(error) is not ReadOnly)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_only_a_look_up_finds_nothing() -> None:
    missing = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    assert type(translate(missing, "open 'k'", missing=NotFound)) is NotFound
    assert type(translate(missing, "write 'k'")) is StoreError


def test_our_own_errors_pass_unchanged() -> None:
    with pytest.raises(Exists, match=r"^as it is$"), failing("write", "k", "disk"):
        raise Exists("as it is")


def test_importing_the_store_is_light() -> None:
    heavy = "fsspec astropy numpy sqlalchemy ctypes asyncio subprocess socket"
    code = f"import sys, skyfs.stores.local; print(*(set(sys.modules) & set({heavy.split()!r})))"
    path = str(Path(folders.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("when", ["mkdir", "link"])
def test_a_folder_that_is_pruned_meanwhile_is_made_again(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    put(store, {"first": b"opens the journal"})
    batch = fill(store.begin(), {"a/b/1": b"1", "a/b/2": b"2"})
    real = getattr(os, when)
    (root / "a/b").mkdir(parents=True)
    if when == "mkdir":
        (root / "a/b").rmdir()

    def late(*args: object, **options: object) -> object:
        """Come just after a concurrent deletion removed the empty folders."""
        monkeypatch.setattr(os, when, real)
        for folder in ("a/b", "a"):
            if (root / folder).exists():
                (root / folder).rmdir()
        return real(*args, **options)

    monkeypatch.setattr(os, when, late)
    batch.publish()
    batch.settle()
    assert held(store) == {"first": b"opens the journal", "a/b/1": b"1", "a/b/2": b"2"}
