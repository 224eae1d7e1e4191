"""A reader of a SQLite registry leaves every byte as it is, and sees what is committed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from skyfs.errors import NotFound, ReadOnly
from skyfs.model.collection import Collection, CollectionKind
from skyfs.registry import connection
from skyfs.registry.registry import Registry
from skyfs.testing.registry_sky import RUNS, Sky

from .conftest import Reopen, create

# Commits something, keeps the log open, and tells when.
_WRITER = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from skyfs.model.collection import Collection, CollectionKind
    from skyfs.registry.registry import Registry
    registry = Registry.open(Path(sys.argv[1]), writable=True, durability="process")
    for line in sys.stdin:
        name = line.strip()
        if name == "begin":
            transaction = registry.transaction()
            transaction.__enter__()
        else:
            registry.collections.create(Collection(name, CollectionKind.RUN))
        print("done", flush=True)
""")

_SHOW = """
import pathlib, sys
for path in pathlib.Path(sys.argv[1]).iterdir():
    print(path.name, path.read_bytes().hex(), path.stat().st_mtime_ns)
"""


class Writer:
    """Another process that writes what it is told, until it is killed."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", _WRITER, str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def end(self, *, kill: bool) -> None:
        if kill:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def writer(sky: Sky, path: Path) -> Iterator[Writer]:
    sky.put("bias", detector=0)
    sky.registry.close()
    writer = Writer(path)
    yield writer
    writer.end(kill=True)


def _bytes_of(folder: Path) -> Mapping[str, tuple[bytes, int]]:
    """Give all files. In a process of its own: closing a file here would drop SQLite's locks on it."""
    command = [sys.executable, "-c", _SHOW, str(folder)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in out.splitlines())
    return {row[0]: (bytes.fromhex(row[1]) if len(row) > 2 else b"", int(row[-1])) for row in rows}


def _read_all(registry: Registry) -> list[str]:
    sky = Sky(registry)
    assert len(list(sky.everything())) == 1
    assert sky.found("bias", RUNS)
    return sorted(registry.current().collections)


def _names(*more: str) -> list[str]:
    return sorted(["c/a", "t/a", "t/b", *RUNS, *more])


def test_without_a_log(sky: Sky, path: Path) -> None:
    sky.put("bias", detector=0)
    sky.registry.close()
    before = _bytes_of(path.parent)
    assert list(before) == [path.name]
    reader = Registry.open(path, writable=False, durability="power")
    assert _read_all(reader) == _names()
    assert _bytes_of(path.parent) == before
    reader.close()
    assert _bytes_of(path.parent) == before


@pytest.mark.parametrize("kill", [False, True])
def test_while_a_writer_has_it_open_and_after_its_death(path: Path, writer: Writer, *, kill: bool) -> None:
    writer.do("u/one")
    before = _bytes_of(path.parent)
    assert sorted(before) == [path.name, f"{path.name}-shm", f"{path.name}-wal"]
    first = Registry.open(path, writable=False, durability="power")
    assert _read_all(first) == _names("u/one")
    assert _bytes_of(path.parent) == before
    writer.do("u/two")
    before = _bytes_of(path.parent)
    assert _read_all(first) == _names("u/one", "u/two")
    assert _bytes_of(path.parent) == before
    if kill:
        writer.do("begin")
        writer.do("u/never")
    writer.end(kill=kill)
    before = _bytes_of(path.parent)
    second = Registry.open(path, writable=False, durability="power")
    for reader in (first, second):
        assert _read_all(reader) == _names("u/one", "u/two")
    first.close()
    second.close()
    assert _bytes_of(path.parent) == before
    # What the dead writer has committed is there, and a new one goes on.
    again = Registry.open(path, writable=True, durability="process")
    again.collections.create(Collection("u/three", CollectionKind.RUN))
    assert _read_all(again) == _names("u/one", "u/two", "u/three")
    again.close()


def test_a_log_without_its_index(path: Path, writer: Writer, tmp_path: Path) -> None:
    """Somebody has copied the files of a writer that died, but not all."""
    writer.do("u/one")
    writer.end(kill=True)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy2(path.with_name(name), copy / name)
    before = _bytes_of(copy)
    reader = Registry.open(copy / path.name, writable=False, durability="power")
    assert _read_all(reader) == _names("u/one")
    assert _bytes_of(copy) == before
    later = Registry.open(copy / path.name, writable=True, durability="process")
    later.collections.create(Collection("u/two", CollectionKind.RUN))
    assert _read_all(reader) == _names("u/one", "u/two")
    later.close()
    assert _read_all(reader) == _names("u/one", "u/two")
    reader.close()


def test_writers_come_and_go_while_a_reader_stays(sky: Sky, path: Path) -> None:
    sky.put("bias", detector=0)
    sky.registry.close()
    reader = Registry.open(path, writable=False, durability="process")
    for number in range(6):
        with_log = Registry.open(path, writable=True, durability="process")
        with_log.collections.create(Collection(f"u/{number}", CollectionKind.RUN))
        if number % 2:
            assert f"u/{number}" in _read_all(reader)
        with_log.close()
        assert f"u/{number}" in _read_all(reader)
    reader.close()


def test_a_file_that_has_just_changed_is_not_trusted(sky: Sky, path: Path) -> None:
    """Two changes within a tick of the clock look the same: the reader waits until it can tell."""
    sky.registry.close()
    os.utime(path)
    begin = time.time_ns()
    connection.open_reader(path).close()
    assert time.time_ns() - begin > connection._SETTLED_NS / 2  # noqa: SLF001
    os.utime(path, ns=(time.time_ns() + 10**12,) * 2)
    connection.open_reader(path).close()


@pytest.mark.parametrize("log", ["no log", "a log"])
def test_on_a_medium_that_cannot_be_written(path: Path, writer: Writer, log: str) -> None:
    if log == "a log":
        writer.do("u/one")
    writer.end(kill=True)
    folder = path.parent
    mounted = subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        before = _bytes_of(folder)
        reader = Registry.open(path, writable=False, durability="power")
        assert _read_all(reader) == _names(*(["u/one"] if log == "a log" else []))
        reader.close()
        with pytest.raises(ReadOnly, match=r"open it for reading|readonly"):
            _put_one(path)
        assert _bytes_of(folder) == before
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _put_one(path: Path) -> None:
    registry = Registry.open(path, writable=True, durability="power")
    try:
        registry.collections.create(Collection("u/two", CollectionKind.RUN))
    finally:
        registry.close()


def test_a_registry_that_goes_away(sky: Sky, path: Path) -> None:
    sky.registry.close()
    reader = Registry.open(path, writable=False, durability="power")
    path.unlink()
    with pytest.raises(NotFound, match="it is gone"):
        reader.current()
    with pytest.raises(NotFound, match="no registry"):
        Registry.open(path, writable=False, durability="power")
    with pytest.raises(NotFound, match="no registry"):
        Registry.open(path, writable=True, durability="power")
    assert not list(path.parent.glob("registry*"))


def test_a_name_that_a_url_would_read_otherwise(tmp_path: Path) -> None:
    for name in ("a b?mode=memory", "a%20b", "a#b", "é'\"", "a&b", ":memory:"):
        path = tmp_path / name
        create(path).close()
        assert path.is_file()
        reader = Registry.open(path, writable=False, durability="power")
        assert not reader.current().collections
        reader.close()


def test_readers_do_not_hold_up_the_log(sky: Sky, path: Path, reopen: Reopen) -> None:
    """An answer is read to its end at once: no idle cursor keeps the log from being taken into the file."""
    for number in (0, 1):
        sky.put("bias", detector=number)
    reader = Sky(reopen(writable=False))
    everything = reader.everything()
    next(everything)
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    raw.close()
    assert len(list(everything)) == 1
