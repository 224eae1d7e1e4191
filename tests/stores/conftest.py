"""Folders and filesystems for the tests of stores."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from skyfs.stores.local import LocalStore

from .shop import Shop

Mount = Callable[[str], Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give an empty folder for a store."""
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def store(root: Path) -> Iterator[LocalStore]:
    """Give a store on disk, and see that it leaves nothing of its own."""
    store = LocalStore(root, name="disk")
    yield store
    store.close()
    assert not (root / ".skyfs").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mount]:
    """Give a function that mounts a tmpfs of a given size."""
    libc = ctypes.CDLL(None, use_errno=True)
    with ExitStack() as stack:

        def mount(size: str) -> Path:
            place = tmp_path / f"disk-{size}"
            place.mkdir()
            if libc.mount(b"none", bytes(place), b"tmpfs", 0, f"size={size}".encode()):
                pytest.skip(f"a tmpfs cannot be mounted: {os.strerror(ctypes.get_errno())}")
            stack.callback(libc.umount2, bytes(place), 2)  # MNT_DETACH
            return place

        yield mount


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a store of small files, and a folder for a cache of it."""
    return Shop(tmp_path / "cache")


def paths(folder: Path) -> list[str]:
    """Give every path below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
