"""Files put into stores and read again: what the suites of stores share."""

from __future__ import annotations

from collections.abc import Mapping

from skyfs.abc.store import Batch, Content, Store

BAD_KEYS = [
    *("", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "a//b", "a/", "a/./b", ".skyfs", ".skyfs/x"),
    *("a\0b", "x" * 256, "é" * 128, f"{'x' * 256}/a", "lone surrogate \ud800"),
]
"""Keys that every store refuses with StoreError."""

ODD_KEYS = [
    *("a\\b", "..\\x", "...", ".hidden/x", "a/.skyfs/b", ".skyfsx", "x" * 255, "é" * 127, "\udcff"),
    *("with space/and\nnewline", "detector=20.fits[1]", "*?[x]", "-rf", "~"),
]
"""Keys that look strange, and are ordinary."""


def put(store: Store, files: Mapping[str, bytes]) -> Mapping[str, Content]:
    """Store some files in one batch."""
    batch = store.begin()
    contents = fill(batch, files).publish()
    batch.settle()
    return contents


def fill(batch: Batch, files: Mapping[str, bytes]) -> Batch:
    """Create some files in a batch."""
    for key, data in files.items():
        with batch.create(key) as file:
            file.write(data)
    return batch


def get(store: Store, key: str) -> bytes:
    """Read a key."""
    with store.open(key) as source:
        return source.read_all()


def held(store: Store) -> dict[str, bytes]:
    """Give all that a store holds."""
    return {key: get(store, key) for key, _ in store.scan()}


def delete(store: Store, *keys: str) -> None:
    """Delete some keys in one batch."""
    batch = store.begin()
    for key in keys:
        batch.delete(key)
    batch.publish()
    batch.settle()
