"""Random requests and sudden deaths, through the kernel and both engines."""

# ruff: noqa: S311 - the same choices every time

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.mount.session import MountOptions
from skyfs.mount.table import is_dead, unmount, wait_for
from skyfs.repository import Repository

from .conftest import Desk, Mounting
from .test_daemon import daemon_of

WRITERS = 8
# Each file begins with the digest of its rest.
WRITE = """
import hashlib, os, sys
folder, writer = sys.argv[1:]
print("ready", flush=True)
for number in range(10_000):
    body = os.urandom(1 + number * 977 % 100_000)
    os.makedirs(f"{folder}/w{writer}/n{number}")
    with open(f"{folder}/w{writer}/n{number}/notes", "wb") as file:
        file.write(hashlib.sha256(body).digest())
        file.write(body)
"""
READ = """
import sys
path, whole = sys.argv[1:]
expected = open(whole, "rb").read()
print("ready", flush=True)
while True:
    with open(path, "rb", buffering=0) as file:
        for start in range(0, len(expected), 70_001):
            file.seek(start)
            found = file.read(70_001)
            if found != expected[start : start + len(found)]:
                print("wrong bytes", flush=True)
                sys.exit(3)
"""


def begin(program: str, *arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


# -- deaths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [3, 40])
def test_a_daemon_that_is_killed_while_many_write(empty: Repository, mounting: Mounting, after: int) -> None:
    empty.close()
    folder = mounting.start(empty, MountOptions(writable=True))
    daemon = daemon_of(folder)
    writers = [begin(WRITE, folder, number) for number in range(WRITERS)]

    def stored() -> int:
        with skyfs.open(empty.root) as repo:
            return repo.query("notes", collections="*", find_first=False).count()

    try:
        assert wait_for(lambda: stored() >= after, 60)
        os.kill(daemon, signal.SIGKILL)
        for writer in writers:
            writer.communicate(timeout=60)
            assert writer.returncode == 1, "each learns that what it writes is not stored"
    finally:
        for writer in writers:
            writer.kill()
    assert wait_for(lambda: is_dead(str(folder)), 20)
    unmount(folder)
    with skyfs.open(empty.root, writable=True) as repo:  # it clears up
        refs = list(repo.query("notes", collections="*", find_first=False))
        found = {repo.path(ref): repo.get(ref) for ref in refs}
    assert len(found) >= after
    for path, data in found.items():
        assert isinstance(data, bytes)
        assert hashlib.sha256(data[32:]).digest() == data[:32], path
    files = {path.name for path in (empty.root / "data").rglob("*") if path.is_file()}
    assert len([one for one in (empty.root / "data").rglob("notes*") if one.is_file()]) == len(found), files
    assert not [one for one in (empty.root / "data/.skyfs/staging").rglob("*") if one.is_file()]


def test_a_daemon_that_is_killed_while_many_read(
    empty: Repository, mounting: Mounting, tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(3_000_000)
    empty.put(data, "notes", run="r")
    whole = tmp_path / "whole"
    whole.write_bytes(data)
    folder = mounting.start(empty)
    readers = [begin(READ, folder / "r/notes", whole) for _ in range(4)]
    os.kill(daemon_of(folder), signal.SIGKILL)
    for reader in readers:
        out, _ = reader.communicate(timeout=60)
        assert (out, reader.returncode) == ("", 1), "an error, never wrong bytes"


# -- random requests -------------------------------------------------------------------------------------


class Fsx:
    """Random changes of one open file, and of bytes in memory."""

    def __init__(self, path: Path, seed: int, most_bytes: int = 300_000) -> None:
        self._random = random.Random(seed)
        self._most = most_bytes
        self._path = path
        self.bytes = bytearray()
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT)

    def step(self) -> None:
        self._random.choice([self._write, self._write, self._read, self._read, self._truncate, self._look])()

    def _write(self) -> None:
        start, data = (
            self._random.randrange(self._most),
            self._random.randbytes(self._random.randrange(1, 60_000)),
        )
        assert os.pwrite(self.descriptor, data, start) == len(data)
        self.bytes.extend(bytes(max(0, start - len(self.bytes))))
        self.bytes[start : start + len(data)] = data

    def _read(self) -> None:
        start, size = self._random.randrange(self._most), self._random.randrange(1, 60_000)
        assert os.pread(self.descriptor, size, start) == self.bytes[start : start + size]

    def _truncate(self) -> None:
        size = self._random.randrange(self._most)
        os.ftruncate(self.descriptor, size)
        del self.bytes[size:]
        self.bytes.extend(bytes(size - len(self.bytes)))

    def _look(self) -> None:
        assert os.fstat(self.descriptor).st_size == len(self.bytes)

    def close(self) -> None:
        os.close(self.descriptor)


def play(path: Path, seed: int, steps: int) -> None:
    file = Fsx(path, seed)
    for _ in range(steps):
        file.step()
    file.close()
    assert path.read_bytes() == file.bytes


@pytest.mark.parametrize("name", ["notes", ".scratch"])
@pytest.mark.parametrize("seed", [1, 2])
def test_random_writes(desk: Desk, name: str, seed: int) -> None:
    desk.at("/r").mkdir()
    play(desk.at(f"/r/{name}"), seed, 150)


@pytest.mark.long
@pytest.mark.parametrize("name", ["notes", ".scratch"])
@pytest.mark.parametrize("seed", range(10))
def test_many_random_writes(desk: Desk, name: str, seed: int) -> None:
    desk.at("/r").mkdir()
    play(desk.at(f"/r/{name}"), seed, 20_000)


class Model:
    """A mount, and what should be in it: stored datasets and scratch files, by path."""

    datasets = ("/r/notes", "/s/notes", "/r/summary.json", "/s/summary.json")
    scratch = ("/r/.a", "/s/b~", "/s/.c")

    def __init__(self, desk: Desk, seed: int, *, replace: bool) -> None:
        self._desk, self._replace = desk, replace
        self._random = random.Random(seed)
        self.files: dict[str, bytes] = {}
        for name in ("/r", "/s"):
            desk.at(name).mkdir()

    def step(self) -> None:
        self._random.choice([self._write, self._write, self._rename, self._unlink, self._read, self._list])()

    def _path(self, names: tuple[str, ...] = ()) -> str:
        return self._random.choice(names or (*self.datasets, *self.scratch))

    def _write(self) -> None:
        path = self._path()
        data = b'{"n": %d}' % self._random.randrange(10**9)
        taken = path in self.datasets and path in self.files and not self._replace
        number = self._tried(lambda: self._desk.at(path).write_bytes(data))
        assert number == (errno.EEXIST if taken else 0)
        if not number:
            self.files[path] = data

    def _rename(self) -> None:
        old, new = self._path(self.scratch), self._path()
        number = self._tried(lambda: os.rename(self._desk.at(old), self._desk.at(new)))
        taken = new in self.datasets and new in self.files and not self._replace
        assert number == (errno.ENOENT if old not in self.files else errno.EEXIST if taken else 0)
        if not number:
            self.files[new] = self.files[old]
            if old != new:
                del self.files[old]

    def _unlink(self) -> None:
        path = self._path()
        assert self._tried(lambda: os.unlink(self._desk.at(path))) == (
            0 if path in self.files else errno.ENOENT
        )
        self.files.pop(path, None)

    def _read(self) -> None:
        path = self._path()
        if path in self.files:
            assert self._desk.at(path).read_bytes() == self.files[path]
            assert self._desk.at(path).stat().st_size == len(self.files[path])
        else:
            assert self._tried(lambda: self._desk.at(path).read_bytes()) == errno.ENOENT

    def _list(self) -> None:
        for folder in ("/r", "/s"):
            found = set(os.listdir(self._desk.at(folder)))
            assert found == {path[3:] for path in self.files if path.startswith(f"{folder}/")}

    def _tried(self, request: Callable[[], object]) -> int:
        try:
            request()
        except OSError as error:
            return error.errno or -1
        return 0


@pytest.mark.parametrize("replace", [False, True])
def test_random_operations(desks: Callable[..., Desk], *, replace: bool) -> None:
    desk = desks(replace=replace)
    model = Model(desk, 7, replace=replace)
    for _ in range(200):
        model.step()
    desk.repo.close()
    stored = {path: data for path, data in model.files.items() if path in model.datasets}
    with skyfs.open(desk.repo.root) as repo:
        fs = skyfs.filesystem(repo)
        assert {path: fs.cat(path) for path in stored} == stored
        held = {name for run in ("/r", "/s") for name in _listed(fs, run)}
        assert held == set(stored)


def _listed(fs: SkyFileSystem, run: str) -> list[str]:
    with suppress(FileNotFoundError):
        return list(fs.ls(run, detail=False))
    return []
