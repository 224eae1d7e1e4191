"""Full disks, damaged files, busy and foreign databases: a clear error, and the state as it was."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from skyfs.errors import BadDefinition, Exists, ReadOnly, SkyfsError, StoreError, VersionError
from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataid import DataId
from skyfs.model.dataset import DatasetRef, DatasetType
from skyfs.model.ids import new_ids
from skyfs.registry import connection
from skyfs.registry.registry import Registry
from skyfs.testing.registry_rows import violations
from skyfs.testing.registry_sky import CAMERA, RUNS, Sky, default_universe, stored, visit_record

from .conftest import Reopen, create, read_table, universe


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path, *, leave_bytes: int) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            file.truncate(max(0, file.tell() - leave_bytes))
    return ballast


@pytest.mark.parametrize("leave_bytes", [0, 8_192, 65_536, 262_144])
def test_a_full_disk(small_disk: Path, leave_bytes: int) -> None:
    path = small_disk / "registry.sqlite3"
    sky = Sky.fill(create(path))
    ref = sky.put("bias", detector=0)
    before = list(sky.everything())
    ballast = _fill(small_disk, leave_bytes=leave_bytes)
    numbers = range(100, 20_000)
    with pytest.raises(StoreError, match="free the disk"):
        sky.registry.records.insert(
            "visit", [visit_record(number, name=f"{number}" * 9) for number in numbers]
        )
    assert list(sky.everything()) == before
    assert not sky.registry.records.exists(sky.registry.universe.element("visit"), (CAMERA, 100))
    ballast.unlink()
    sky.registry.datasets.remove([ref])
    sky.put("bias", detector=0)
    assert not violations(lambda table: read_table(path, table), sky.registry.universe)
    sky.registry.close()


@pytest.mark.parametrize("nested", [False, True])
def test_nothing_is_written_after_an_error_that_was_passed_by(sky: Sky, *, nested: bool) -> None:
    """Some errors end the whole transaction; what comes after must not be committed by itself."""
    registry = sky.registry

    def act() -> None:
        with registry.transaction():
            registry.collections.create(Collection("u/before", CollectionKind.RUN))
            with registry.transaction() if nested else nullcontext():
                registry._database._local.session.raw.rollback()  # noqa: SLF001 - as a full disk does
                with suppress(StoreError):
                    registry.collections.create(Collection("u/after", CollectionKind.RUN))

    with pytest.raises(StoreError, match="the transaction is over"):
        act()
    assert not {"u/before", "u/after"} & set(registry.current().collections)
    registry.collections.create(Collection("u/after", CollectionKind.RUN))


def test_a_registry_that_cannot_be_created_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    ballast = _fill(small_disk, leave_bytes=16_384)
    with pytest.raises(StoreError):
        create(small_disk / "registry.sqlite3")
    assert list(small_disk.iterdir()) == [ballast]
    with pytest.raises(StoreError, match="No such file or directory"):
        create(tmp_path / "nowhere" / "registry.sqlite3")


def test_a_registry_is_created_once(path: Path) -> None:
    create(path).close()
    before = path.read_bytes()
    with pytest.raises(Exists, match="it is there already"):
        create(path)
    assert path.read_bytes() == before
    link = path.with_name("link")
    link.symlink_to("nowhere")
    with pytest.raises(Exists):
        create(link)


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize(
    "content", ["empty", "text", "foreign", "cut", "garbled", "newer", "older", "universe", "no universe"]
)
def test_a_file_that_is_no_registry(path: Path, content: str, *, writable: bool) -> None:
    _make(path, content)
    before = path.read_bytes()
    with pytest.raises(VersionError) as caught:
        Registry.open(path, writable=writable, durability="power")
    assert str(path) in str(caught.value)
    assert caught.value.todo
    assert path.read_bytes() == before
    assert [other.name for other in path.parent.iterdir() if other.stat().st_size] == (
        [path.name] if before else []
    )


def _make(path: Path, content: str) -> None:
    if content in ("empty", "text", "foreign"):
        path.write_bytes(b"hello, world\n" * 1_000 if content == "text" else b"")
    if content == "foreign":
        _change(path, "CREATE TABLE t (a)")
        return
    if content in ("empty", "text"):
        return
    create(path).close()
    if content == "cut":
        path.write_bytes(path.read_bytes()[:5_000])
    elif content == "garbled":
        path.write_bytes(path.read_bytes()[:100] + b"\xff" * 400_000)
    elif content in ("newer", "older"):
        _change(path, f"UPDATE meta SET value = '{99 if content == 'newer' else 0}' WHERE key = 'schema'")  # noqa: S608
    elif content == "universe":
        _change(path, "UPDATE meta SET value = '{\"elements\": 5}' WHERE key = 'universe'")
    else:
        _change(path, "DELETE FROM meta WHERE key = 'universe'")


def _change(path: Path, statement: str) -> None:
    raw = sqlite3.connect(path)
    raw.execute(statement)
    raw.commit()
    raw.close()


def test_a_newer_schema_says_what_to_do(path: Path) -> None:
    _make(path, "newer")
    with pytest.raises(VersionError, match=r"schema '99', this skyfs knows 3 .use a newer version of skyfs."):
        Registry.open(path, writable=False, durability="power")


def test_a_writer_that_does_not_end(sky: Sky, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 50)
    ref = sky.put("bias", detector=0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = Registry.open(path, writable=True, durability="process")
    with pytest.raises(StoreError, match=r"database is locked .another process is writing; try again."):
        waiting.collections.create(Collection("x", CollectionKind.RUN))
    assert [one.resolved.ref for one in Sky(waiting).found("bias", RUNS)] == [ref]
    other.execute("ROLLBACK")
    other.close()
    waiting.collections.create(Collection("x", CollectionKind.RUN))
    waiting.close()


def test_a_writer_asks_again_until_the_other_ends(
    sky: Sky, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def pause(waited_s: float) -> float:
        waits.append(waited_s)
        if len(waits) == 3:
            other.execute("COMMIT")
        return 0.0

    monkeypatch.setattr(connection, "_pause_s", pause)
    ref = sky.put("bias", detector=0)
    assert len(waits) == 3
    assert waits == sorted(waits)
    assert [one.resolved.ref for one in sky.found("bias", RUNS)] == [ref]
    with sky.registry.transaction():
        # Else another wait, that for a reader's lock say, would be none.
        rows = sky.registry._database.read(sa.text("PRAGMA busy_timeout"))  # noqa: SLF001
    assert rows[0][0] == connection.BUSY_TIMEOUT_MS
    other.close()


def test_a_file_that_cannot_be_written(sky: Sky, path: Path) -> None:
    sky.registry.close()
    made = subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("files cannot be made immutable here")
    try:
        with pytest.raises(ReadOnly, match="permissions"):
            Registry.open(path, writable=True, durability="process").collections.create(
                Collection("x", CollectionKind.RUN)
            )
        assert Registry.open(path, writable=False, durability="process").current().collections
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.parametrize(
    ("element", "name"),
    [("stored", "id"), ("type_id", "id"), ("timespan_begin", "id"), ("visit", "visit")],
)
def test_dimensions_with_names_of_our_own(path: Path, element: str, name: str) -> None:
    keys = [{"name": "id", "type": "int"}]
    metadata = [{"name": name, "type": "int"}] if name != "id" else []
    given = {
        "name": "x",
        "version": 1,
        "path_order": [],
        "elements": {element: {"keys": keys, "metadata": metadata}},
    }
    with pytest.raises(BadDefinition):
        Registry.create(path, given, durability="process")
    assert not path.exists()


def test_dimensions_named_as_words_of_sql(path: Path) -> None:
    words = [
        "select",
        "order",
        "where",
        "value",
        "values",
        "limit",
        "uuid",
        "id",
        "name",
        "folder",
        "size",
        "held",
        "rowid",
    ]
    elements = {word: {"keys": [{"name": "key", "type": "string"}]} for word in words}
    given = {
        "name": "x",
        "namespace": "x",
        "version": 1,
        "path_order": words,
        "grouping": {},
        "elements": elements,
    }
    registry = Registry.create(path, given, durability="process")
    sky = Sky(registry)
    for word in words:
        registry.records.insert(word, [{"key": "it's"}])
    for name in RUNS:
        registry.collections.create(Collection(name, CollectionKind.RUN))
    for number, word in enumerate(words):
        group = registry.universe.group([word, "size"])
        dataset_type = registry.collections.register(DatasetType(f"of_{word}", group, "Table")).type
        row = registry.data_ids.complete(group, dict.fromkeys([word, "size"], "it's"))
        ref = DatasetRef(UUID(int=number), dataset_type, DataId(group, row), RUNS[0])
        registry.datasets.insert([stored(ref)])
        assert [one.resolved.ref for one in sky.found(f"of_{word}", RUNS, like={word: "i*"})] == [ref]
        assert sky.by_id(ref) is not None
    registry.close()


def test_a_universe_that_cannot_be_kept(path: Path) -> None:
    given = {**default_universe(), "name": {1, 2}}
    with pytest.raises(SkyfsError):
        Registry.create(path, given, durability="process")
    assert not path.exists()


def test_ids_are_given_in_constant_time(sky: Sky, path: Path) -> None:
    """The plan of each statement of a declaration seeks; none of them scans."""
    entry, run = sky.entry("bias"), sky.collection(RUNS[0])
    raw = sqlite3.connect(path)
    seen: list[str] = []
    session = sky.registry._database._take()  # noqa: SLF001 - the connection's own trace
    session.raw.set_trace_callback(seen.append)
    sky.registry._database._idle.append(session)  # noqa: SLF001
    sky.registry.datasets.declare(entry, run, [(CAMERA, 0)], new_ids(1))
    plans = [
        row[3]
        for statement in seen
        if statement.split()[0] in ("SELECT", "INSERT", "DELETE")
        for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert plans
    scans = [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT ROW" not in plan]
    assert scans == []
    raw.close()


def test_the_same_database_from_two_objects(sky: Sky, reopen: Reopen) -> None:
    assert universe() == default_universe()
    other = reopen(writable=True)
    with sky.registry.transaction():
        sky.put("bias", detector=0)
        assert not Sky(other).found("bias", RUNS)
    assert Sky(other).found("bias", RUNS)
