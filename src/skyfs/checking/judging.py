"""Files held against what the registry knows of them, several at once."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from ..abc.source import ByteSource
from ..abc.store import Expected, FetchesMany, Store
from ..errors import NotFound, SkyfsError, StoreError, WrongBytes
from ..stores.many import read_many
from ..stores.staged import digest_of
from .places import Places
from .walking import StoredFile

_SMALL_BYTES = 4 << 20
_AT_ONCE_BYTES, _PIECE_BYTES = 1 << 20, 8 << 20
_SMALL_AT_ONCE, _TOGETHER_BYTES = 64, 16 << 20
_CHUNK_BYTES, _CHUNK_FILES = 8 << 20, 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a file.

    Attributes
    ----------
    code, found
        What is wrong with it, and how; empty: nothing.
    size, sha256
        What it holds; the digest is None when it was not read.
    """

    file: StoredFile
    code: str = ""
    found: str = ""
    size: int = 0
    sha256: bytes | None = None


class Judge:
    """Looks at files, or reads them, with some workers; a context manager.

    Parameters
    ----------
    digests
        Whether files are read.
    workers
        How many processors are to be busy: three times as many local files are read at once, and four times
        as many far ones.
    """

    def __init__(self, places: Places, *, digests: bool, workers: int) -> None:
        self._places, self.digests = places, digests
        self._stack = ExitStack()
        # Who digests is not reading: others wait for the disk meanwhile.
        self._near = self._stack.enter_context(ThreadPoolExecutor(3 * workers, "skyfs-check"))
        self._far = self._stack.enter_context(ThreadPoolExecutor(4 * workers, "skyfs-check-far"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._near, self._far):
            pool.shutdown(cancel_futures=True)
        self._stack.close()

    def begin(self, files: Iterable[StoredFile], sized: Container[str]) -> list[Future[list[Verdict]]]:
        """Begin to look at files; every future is of some of them.

        In the stores of ``sized`` they are known to have the right size: that is not asked again.
        """
        begun: list[Future[list[Verdict]]] = []
        for store, some in by_store(files).items():
            own = self._places.own(store)
            pool = self._far if isinstance(own, FetchesMany) else self._near
            chunks = _chunks(some, far=isinstance(own, FetchesMany), read=self.digests)
            begun += [pool.submit(self._look, own, chunk, sized=store in sized) for chunk in chunks]
        return begun

    def judge(self, file: StoredFile) -> Verdict:
        """Look at one file, now."""
        return self._look(self._places.own(file.store), [file], sized=False)[0]

    def _look(self, store: Store, files: Sequence[StoredFile], *, sized: bool) -> list[Verdict]:
        if not self.digests:
            return [_measured(store, file) for file in files]
        if len(files) > 1 and isinstance(store, FetchesMany):
            return _fetched(store, files)
        return [_read(store, file, sized=sized) for file in files]


def compared(file: StoredFile, size: int, sha256: bytes | None) -> Verdict:
    """Hold what a file holds against what the registry knows."""
    if size != file.size:
        return Verdict(file, "wrong-size", f"it has {size} bytes, not {file.size}", size, sha256)
    if sha256 is not None and file.sha256 is not None and sha256 != file.sha256:
        found = f"its sha256 is {sha256.hex()[:16]}..., not {file.sha256.hex()[:16]}..."
        return Verdict(file, "wrong-digest", found, size, sha256)
    return Verdict(file, "", "", size, sha256)


def missing(file: StoredFile) -> Verdict:
    """Say that there is none."""
    return Verdict(file, "missing-file", "nothing lies there")


def _failed(file: StoredFile, error: SkyfsError) -> Verdict:
    if isinstance(error, NotFound):
        return missing(file)
    if isinstance(error, WrongBytes):
        return Verdict(file, "wrong-size", error.found)
    return Verdict(file, "unreadable-file", error.found)


def _measured(store: Store, file: StoredFile) -> Verdict:
    try:
        return compared(file, store.stat(file.key).size, None)
    except (StoreError, NotFound) as error:
        return _failed(file, error)


def _read(store: Store, file: StoredFile, *, sized: bool) -> Verdict:
    try:
        # A far store that is told the size asks for nothing else.
        with store.open(file.key, Expected(file.size) if sized else None) as source:
            if source.size != file.size:
                return compared(file, source.size, None)
            return compared(file, source.size, _digest(source))
    except (StoreError, NotFound) as error:
        return _failed(file, error)
    except OSError as error:
        return Verdict(file, "unreadable-file", error.strerror or str(error))


def _digest(source: ByteSource) -> bytes:
    if source.size <= _AT_ONCE_BYTES:
        return hashlib.sha256(source.read(0, source.size)).digest()
    if source.local_path is not None:
        with source.open() as content:
            return digest_of(content.fileno())
    digest = hashlib.sha256()
    for start in range(0, source.size, _PIECE_BYTES):
        digest.update(source.read(start, min(start + _PIECE_BYTES, source.size)))
    return digest.digest()


def _fetched(store: Store, files: Sequence[StoredFile]) -> list[Verdict]:
    came = read_many(store, [(file.key, Expected(file.size)) for file in files], lambda _: None)
    verdicts = []
    for file, data in zip(files, came, strict=True):
        if isinstance(data, SkyfsError):
            verdicts.append(_failed(file, data))
        else:
            verdicts.append(compared(file, len(data), hashlib.sha256(data).digest()))
    return verdicts


def by_store(files: Iterable[StoredFile]) -> dict[str, list[StoredFile]]:
    """Sort files by their store."""
    found: dict[str, list[StoredFile]] = {}
    for file in files:
        found.setdefault(file.store, []).append(file)
    return found


def _chunks(files: Sequence[StoredFile], *, far: bool, read: bool) -> Iterator[list[StoredFile]]:
    """Give what one worker does at a time: so much that handing it over costs little."""
    if not far or not read:
        yield from _heaps(files, _CHUNK_FILES, _CHUNK_BYTES if read else 0)
        return
    yield from _heaps([file for file in files if file.size <= _SMALL_BYTES], _SMALL_AT_ONCE, _TOGETHER_BYTES)
    yield from ([file] for file in files if file.size > _SMALL_BYTES)


def _heaps(files: Iterable[StoredFile], most: int, most_bytes: int) -> Iterator[list[StoredFile]]:
    heap: list[StoredFile] = []
    size = 0
    for file in files:
        heap.append(file)
        size += file.size
        if len(heap) == most or (most_bytes and size >= most_bytes):
            yield heap
            heap, size = [], 0
    if heap:
        yield heap
