"""The core of a mount, for tests without a kernel: processes that are only told of, and what they do."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from skyfs.mount.caller import Caller
from skyfs.mount.failures import Refusal
from skyfs.mount.handles import Handle
from skyfs.mount.operations import Operations, Writing
from skyfs.mount.processes import Processes
from skyfs.repository import Repository
from skyfs.tree import Tree

FOLDER = "/r/metrics/instrument=HSC/day_obs=20131102"
DATASET = f"{FOLDER}/exposure=903334.json"
OTHER = f"{FOLDER}/exposure=903336.json"
NOTES = "/r/notes"
WRITER, STRANGER = Caller(100, 1, 1), Caller(200, 2, 2)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Openers(Processes):
    """Processes of a test: those that have the file open, and which descend from which."""

    def __init__(self) -> None:
        super().__init__()
        self.holding = False
        self.anybody = False
        self.parents: dict[int, int] = {}

    def leader(self, pid: int) -> int:
        return pid

    def descends(self, pid: int, leaders: Collection[int]) -> bool:
        return pid in leaders or self.parents.get(pid) in leaders

    def hold(self, leaders: Collection[int], inodes: Collection[int]) -> bool:
        assert inodes
        return self.holding or 0 in leaders

    def any_hold(self, inodes: Collection[int]) -> bool:
        assert inodes
        return self.holding or self.anybody


def refused(request: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        request()
    assert caught.value.errno is not None
    return caught.value.errno


def create(operations: Operations, path: str, caller: Caller = WRITER) -> tuple[int, Handle]:
    return operations.create(path, CREATE, 0o644, caller)


def close(operations: Operations, number: int, caller: Caller = WRITER) -> None:
    """Do what the kernel does when the only descriptor is closed."""
    try:
        operations.flush(number, caller)
    finally:
        operations.release(number)


def write(operations: Operations, path: str, data: bytes) -> None:
    number, _ = create(operations, path)
    assert operations.write(number, data, 0) == len(data)
    close(operations, number)


def read(operations: Operations, path: str) -> bytes:
    size = operations.getattr(path)["st_size"]
    number, _ = operations.open(path, os.O_RDONLY, STRANGER)
    try:
        return operations.read(number, size + 1, 0)
    finally:
        operations.release(number)


def names(operations: Operations, path: str) -> set[str]:
    return {name for name, _ in operations.readdir(path)}


@contextmanager
def core(repository: Repository, openers: Openers, *, replace: bool = False) -> Iterator[Operations]:
    """Give the core of a writable mount, in which a folder was made."""
    operations = Operations(Tree(repository), writing=Writing(replace=replace), processes=openers)
    operations.mkdir("/r", 0o755)
    yield operations
    operations.close()
