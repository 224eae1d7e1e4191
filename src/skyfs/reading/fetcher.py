"""Reading many datasets at once: one call for each store that is far away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ..abc.source import ByteSource
from ..abc.store import Expected, FetchesMany, Store
from ..model.dataset import Location, Resolved
from ..stores.arriving import arriving, write_all
from .opener import Opener
from .reader import Reader

_COPY_BYTES = 1 << 22
# Each has its HDU in memory while it is digested.
_PARTS_AT_ONCE = 16
_T = TypeVar("_T")

Done = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stored file of a dataset: in the format of an extension, all of it or a component."""

    resolved: Resolved
    extension: str
    component: str | None = None


class Fetcher:
    """Reads or copies many files: those far away together, the others one after the other.

    What a store does not deliver in bulk is read by itself, from the next store that has it.
    """

    def __init__(self, reader: Reader, opener: Opener, stores: Mapping[str, Store]) -> None:
        self._reader = reader
        self._opener = opener
        self._stores = stores

    def read(self, files: Sequence[Wanted], done: Done) -> list[bytes | Exception]:
        """Give the bytes of each file, or what went wrong with it; ``done`` is told of bytes that came."""
        found: list[bytes | Exception | None] = [None] * len(files)
        for store, indices, places in self._far(files):
            items = [(place.key, _expected(place)) for place in places]
            for index, data in zip(indices, store.read_many(items, done), strict=True):
                found[index] = data if isinstance(data, bytes) else None
        rest = [index for index, data in enumerate(found) if data is None]
        work = [partial(self._one, files[index], done) for index in rest]
        for index, one in zip(rest, self._all(work, [files[index] for index in rest]), strict=True):
            found[index] = one
        return [data for data in found if data is not None]

    def copy(self, files: Sequence[tuple[Wanted, str]], done: Done) -> list[Exception | None]:
        """Copy each file to a local one, whose folder exists; give what went wrong with it, or None.

        A local file that is there is replaced, when the new one is whole.
        """
        copied = [False] * len(files)
        for store, indices, places in self._far([file for file, _ in files]):
            items = [
                (place.key, _expected(place), files[index][1])
                for index, place in zip(indices, places, strict=True)
            ]
            for index, error in zip(indices, store.copy_many(items, done), strict=True):
                copied[index] = error is None
        rest = [index for index, there in enumerate(copied) if not there]
        work = [partial(self._copy_one, *files[index], done) for index in rest]
        failed = self._all(work, [files[index][0] for index in rest])
        errors = dict(zip(rest, failed, strict=True))
        return [errors.get(index) for index in range(len(files))]

    # -- inside ----------------------------------------------------------------------------------------

    def _far(self, files: Sequence[Wanted]) -> list[tuple[FetchesMany, list[int], list[Location]]]:
        """Sort files whose nearest place is a whole file of a store that fetches many."""
        found: dict[str, tuple[FetchesMany, list[int], list[Location]]] = {}
        for index, file in enumerate(files):
            place = self._reader.stored(file.resolved, file.extension, file.component)
            store = self._store_of(file)
            if place is not None and place.part is None and store is not None:
                _, indices, places = found.setdefault(place.store, (store, [], []))
                indices.append(index)
                places.append(place)
        return list(found.values())

    def _all(self, work: Sequence[Callable[[], _T]], files: Sequence[Wanted]) -> list[_T]:
        """Do what is left: parts of far files, which no store fetches in bulk, many at a time."""
        if len(work) < 2 or not any(self._store_of(file) for file in files):
            return [act() for act in work]
        with ThreadPoolExecutor(min(_PARTS_AT_ONCE, len(work))) as pool:
            return [future.result() for future in [pool.submit(act) for act in work]]

    def _store_of(self, file: Wanted) -> FetchesMany | None:
        """Give the store of the nearest place, when it is one that fetches many."""
        place = self._reader.stored(file.resolved, file.extension, file.component)
        store: object = self._stores.get(place.store) if place is not None else None
        return store if isinstance(store, FetchesMany) else None

    def _one(self, file: Wanted, done: Done) -> bytes | Exception:
        return try_read(lambda: self._open(file), done)

    def _copy_one(self, file: Wanted, path: str, done: Done) -> Exception | None:
        return try_save(lambda: self._open(file), path, done)

    def _open(self, file: Wanted) -> ByteSource:
        return self._opener.open(file.resolved, file.component, file.extension, whole=True)


def try_read(opening: Callable[[], ByteSource], done: Done) -> bytes | Exception:
    """Give the bytes of one file of many, or what went wrong with it."""
    try:
        with opening() as source:
            data = source.read_all()
    except Exception as error:  # noqa: BLE001 - it is given to who asked for this file
        return error
    done(len(data))
    return data


def try_save(opening: Callable[[], ByteSource], path: str, done: Done) -> Exception | None:
    """Copy one file of many to a local one; give what went wrong, or None."""
    try:
        with opening() as source:
            save(source, path, done)
    except Exception as error:  # noqa: BLE001 - it is given to who asked for this file
        return error
    return None


def save(source: ByteSource, path: str, done: Done) -> None:
    """Write a local file, which appears when it is whole."""
    position = 0
    with source.open() as file, arriving(path) as descriptor:
        while data := file.read(_COPY_BYTES):
            write_all(descriptor, data, position)
            position += len(data)
            done(len(data))


def _expected(place: Location) -> Expected:
    return Expected(place.size, place.sha256)
