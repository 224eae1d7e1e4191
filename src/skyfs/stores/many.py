"""Many keys of any store: at once where the store can, else one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from skyfs.abc.store import Expected, FetchesMany, Store
from skyfs.errors import SkyfsError

from .arriving import arriving, write_all
from .checking import require_bytes, require_whole
from .failure import translate

Done = Callable[[int], None]
_CHUNK_BYTES = 1 << 20


@runtime_checkable
class TriesRanges(Protocol):
    """A source of which some ranges may come although others fail."""

    def try_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes | SkyfsError]:
        """Give several ranges as `ByteSource.read_many` does; what fails, as an error in its place."""


def all_or_raise(results: Sequence[bytes | SkyfsError]) -> list[bytes]:
    """Give all results, or raise the first error among them."""
    fine = []
    for result in results:
        if isinstance(result, SkyfsError):
            raise result
        fine.append(result)
    return fine


def read_many(
    store: Store, items: Sequence[tuple[str, Expected | None]], done: Done
) -> list[bytes | SkyfsError]:
    """See `skyfs.abc.store.FetchesMany`."""
    if isinstance(store, FetchesMany):
        return store.read_many(items, done)
    results: list[bytes | SkyfsError] = []
    for key, expected in items:
        try:
            data = _read(store, key, expected)
        except SkyfsError as error:
            results.append(error)
        else:
            done(len(data))
            results.append(data)
    return results


def copy_many(
    store: Store, items: Sequence[tuple[str, Expected | None, str]], done: Done
) -> list[SkyfsError | None]:
    """See `skyfs.abc.store.FetchesMany`."""
    if isinstance(store, FetchesMany):
        return store.copy_many(items, done)
    results: list[SkyfsError | None] = []
    for key, expected, target in items:
        try:
            _copy(store, key, expected, target, done)
        except SkyfsError as error:
            results.append(error)
        except OSError as error:
            results.append(translate(error, f"copy {key!r} from store {store.name!r} to {target!r}"))
        else:
            results.append(None)
    return results


def _read(store: Store, key: str, expected: Expected | None) -> bytes:
    with store.open(key, expected) as source:
        data = source.read_all()
    require_bytes(data, expected, f"read {key!r} in store {store.name!r}")
    return data


def _copy(store: Store, key: str, expected: Expected | None, target: str, done: Done) -> None:
    come = 0
    try:
        with store.open(key, expected) as source, source.open() as file, arriving(target) as descriptor:
            digest = hashlib.sha256()
            while data := file.read(_CHUNK_BYTES):
                write_all(descriptor, data, come)
                digest.update(data)
                come += len(data)
                done(len(data))
            require_whole(come, digest.digest(), expected, f"read {key!r} in store {store.name!r}")
    except BaseException:
        done(-come)
        raise
