"""Many keys at once: what is here is read, what is not comes with one call of the store below."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected, Store
from skyfs.errors import SkyfsError, StoreError

from .. import many
from ..arriving import arriving
from ..checking import require_bytes, require_whole
from ..failure import translate
from ..folders import sync_filesystem
from ..staged import digest_of
from .arrival import Arrival
from .disk_cache import DiskCache
from .layout import content_name
from .locks import Held
from .source import CachedSource

AT_ONCE = 256
"""How many keys are on their way together: each has a lock, which is an open file."""

Done = Callable[[int], None]
Item = tuple[str, Expected | None]
_PIECE_BYTES = 1 << 20
_BEAT_S = 1.0
_LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A key that this process brings: its place among the items, and its lock."""

    number: int
    key: str
    expected: Expected
    name: str
    held: Held


class Bulk:
    """Reads and copies many keys of a store through the cache.

    Keys without a digest pass the cache by: each would need a question of its own.
    """

    def __init__(self, store: Store, cache: DiskCache) -> None:
        self._store, self._cache = store, cache

    def read_many(
        self, items: Sequence[Item], done: Done, alone: Callable[[str, Expected | None], bytes]
    ) -> list[bytes | SkyfsError]:
        """Give the bytes of keys, in order; ``alone`` reads one that another process brings just now."""
        found: list[bytes | SkyfsError | None] = [None] * len(items)
        absent = []
        for number, (key, expected) in enumerate(items):
            local = self._local(key, expected)
            if local is None:
                absent.append(number)
                continue
            with local:
                found[number] = local.read_all()
            done(local.size)
        for first in range(0, len(absent), AT_ONCE):
            self._read_batch(items, absent[first : first + AT_ONCE], found, done)
        for number, (key, expected) in enumerate(items):
            if found[number] is None:
                found[number] = data = _tried(lambda: alone(key, expected))  # noqa: B023 - called at once
                done(len(data) if isinstance(data, bytes) else 0)
        return [one for one in found if one is not None]

    def copy_many(
        self,
        items: Sequence[tuple[str, Expected | None, str]],
        done: Done,
        alone: Callable[[str, Expected | None], ByteSource],
    ) -> list[SkyfsError | None]:
        """Copy keys to files, in order; ``alone`` opens one that another process brings just now."""
        failed: list[SkyfsError | None] = [None] * len(items)
        left = [number for number, item in enumerate(items) if not self._copied(item, done, failed, number)]
        waiting: list[int] = []
        for first in range(0, len(left), AT_ONCE):
            waiting += self._copy_batch(items, left[first : first + AT_ONCE], failed, done)
        refused: list[int] = []
        for number in waiting:
            key, expected, path = items[number]
            with alone(key, expected) as source:
                failed[number] = _failure(lambda: self._copy_whole(source, path, done), key)  # noqa: B023
                if failed[number] is None and not _is_here(source):
                    refused.append(number)
        self._copy_directly(items, refused, failed, done)
        return failed

    @staticmethod
    def _copy_whole(source: ByteSource, path: str, done: Done) -> None:
        """Copy what is here, verified, or comes here now; do nothing when it cannot be kept."""
        local = source.whole() if isinstance(source, CachedSource) else source
        if local is not None and local.local_path is not None:
            _copy_file(local.local_path, path)
            done(local.size)

    def _local(self, key: str, expected: Expected | None) -> ByteSource | None:
        if expected is None or expected.sha256 is None:
            return None
        return self._cache.find(content_name(expected.sha256), expected.size, key, self._store.name)

    # -- reading

    def _read_batch(
        self,
        items: Sequence[Item],
        numbers: Sequence[int],
        found: list[bytes | SkyfsError | None],
        done: Done,
    ) -> None:
        with ExitStack() as locks:
            wanted, direct, _ = self._take([(*items[number], number) for number in numbers], locks)
            asked: list[Item] = [(one.key, one.expected) for one in wanted]
            asked += [items[number] for number in direct]
            came = many.read_many(self._store, asked, _beating(done, wanted)) if asked else []
            checked = [
                (one, _verified(one, self._store.name, data))
                for one, data in zip(wanted, came[: len(wanted)], strict=True)
            ]
            self._keep_read(checked)
            for one, data in checked:
                found[one.number] = data
            for number, data in zip(direct, came[len(wanted) :], strict=True):
                found[number] = data

    def _keep_read(self, came: Sequence[tuple[_Wanted, bytes | SkyfsError]]) -> None:
        with ExitStack() as arrivals:
            written: list[tuple[_Wanted, Arrival]] = []
            try:
                for one, data in came:
                    if isinstance(data, bytes):
                        arrival = arrivals.enter_context(Arrival(self._cache.layout, one.name))
                        arrival.write_verified(data)
                        written.append((one, arrival))
            except OSError as error:
                self._cache.complain(error)
            self._settle(written, [one for one, _ in came])

    # -- copying

    def _copied(
        self,
        item: tuple[str, Expected | None, str],
        done: Done,
        failed: list[SkyfsError | None],
        number: int,
    ) -> bool:
        key, expected, path = item
        local = self._local(key, expected)
        if local is None:
            return False
        with local:
            failed[number] = _failure(lambda: self._copy_whole(local, path, done), key)
        return True

    def _copy_batch(
        self,
        items: Sequence[tuple[str, Expected | None, str]],
        numbers: Sequence[int],
        failed: list[SkyfsError | None],
        done: Done,
    ) -> list[int]:
        """Bring some keys and copy them; give the numbers of those that others bring, or that failed here."""
        again: list[int] = []
        with ExitStack() as locks:
            wanted, direct, waiting = self._take([(*items[n][:2], n) for n in numbers], locks)
            with ExitStack() as arrivals:
                try:
                    incoming = [
                        arrivals.enter_context(Arrival(self._cache.layout, one.name)) for one in wanted
                    ]
                    for new in incoming:
                        new.file.close()
                    asked: list[tuple[str, Expected | None, str]]
                    asked = [
                        (one.key, one.expected, new.path) for one, new in zip(wanted, incoming, strict=True)
                    ]
                    asked += [items[number] for number in direct]
                    came = many.copy_many(self._store, asked, _beating(done, wanted)) if asked else []
                except OSError as error:
                    if isinstance(error, SkyfsError):
                        raise
                    self._cache.complain(error)
                    self._cache.ledger.forget([one.name for one in wanted])
                    return [*waiting, *direct, *(one.number for one in wanted)]
                for number, failure in zip(direct, came[len(wanted) :], strict=True):
                    failed[number] = failure
                good = []
                for one, new, failure in zip(wanted, incoming, came, strict=False):
                    failed[one.number] = failure or _failure(lambda: self._check(one, new), one.key)  # noqa: B023
                    if failed[one.number] is None:
                        good.append((one, new))
                        path = items[one.number][2]
                        failed[one.number] = _failure(lambda: _copy_file(new.path, path), one.key)  # noqa: B023
                    elif _is_local(failed[one.number]):
                        self._cache.complain(failed[one.number] or OSError())
                        again.append(one.number)
                self._settle(good, wanted)
        self._copy_directly(items, again, failed, done)
        return waiting

    def _copy_directly(
        self,
        items: Sequence[tuple[str, Expected | None, str]],
        numbers: Sequence[int],
        failed: list[SkyfsError | None],
        done: Done,
    ) -> None:
        """Copy what found no room in the cache's folder to where it is wanted."""
        if numbers:
            came = many.copy_many(self._store, [items[number] for number in numbers], done)
            for number, error in zip(numbers, came, strict=True):
                failed[number] = error

    def _check(self, one: _Wanted, arrival: Arrival) -> None:
        with open(arrival.path, "rb") as file:
            digest = digest_of(file.fileno())
            size = os.fstat(file.fileno()).st_size
        self._cache.layout.give_mode(arrival.path)
        require_whole(size, digest, one.expected, f"read {one.key!r} in store {self._store.name!r}")

    # -- both

    def _take(
        self, items: Sequence[tuple[str, Expected | None, int]], locks: ExitStack
    ) -> tuple[list[_Wanted], list[int], list[int]]:
        """Tell what this process brings into the cache, what passes it by, and what others bring just now."""
        wanted, direct, waiting = [], [], []
        self._cache.sweep_once()
        for key, expected, number in items:
            if expected is None or expected.sha256 is None:
                direct.append(number)
                continue
            name = content_name(expected.sha256)
            try:
                held = self._cache.locks.take(name)
            except OSError as error:
                self._cache.complain(error)
                direct.append(number)
                continue
            if held is None or os.path.exists(self._cache.layout.path(name)):
                waiting.append(number)
                if held is not None:
                    held.release()
                continue
            locks.enter_context(held)
            wanted.append(_Wanted(number, key, expected, name, held))
        if wanted and not self._cache.ledger.reserve({one.name: one.expected.size for one in wanted}):
            direct += [one.number for one in wanted]
            wanted = []
        return wanted, direct, waiting

    def _settle(self, written: Sequence[tuple[_Wanted, Arrival]], wanted: Sequence[_Wanted]) -> None:
        """Take the files that came in; one sync for all of them."""
        try:
            if written and not sync_filesystem(self._cache.layout.root):
                for _, arrival in written:
                    arrival.sync()
            kept = {}
            for one, arrival in written:
                arrival.settle(one.expected.sha256 or b"")
                kept[one.name] = one.expected.size
            self._cache.ledger.note(kept)
        except OSError as error:
            self._cache.complain(error)
            kept = {}
        self._cache.ledger.forget([one.name for one in wanted if one.name not in kept])


def _copy_file(source: str, path: str) -> None:
    with open(source, "rb") as file, arriving(path) as target, open(target, "wb", closefd=False) as copy:
        shutil.copyfileobj(file, copy, _PIECE_BYTES)


def _beating(done: Done, wanted: Sequence[_Wanted]) -> Done:
    """Give a ``done`` that also shows others, who wait for any of these keys, that there is progress."""
    last_s = time.monotonic()

    def both(count: int) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _BEAT_S:
            last_s = time.monotonic()
            for one in wanted:
                one.held.beat()
        done(count)

    return both


def _verified(one: _Wanted, store: str, data: bytes | SkyfsError) -> bytes | SkyfsError:
    if isinstance(data, SkyfsError):
        return data
    try:
        require_bytes(data, one.expected, f"read {one.key!r} in store {store!r}")
    except StoreError as error:
        return error
    return data


def _is_here(source: ByteSource) -> bool:
    return source.local_path is not None


def _tried(act: Callable[[], bytes]) -> bytes | SkyfsError:
    try:
        return act()
    except SkyfsError as error:
        return error


def _failure(act: Callable[[], None], key: str) -> SkyfsError | None:
    try:
        act()
    except SkyfsError as error:
        return error
    except OSError as error:
        failed = translate(error, f"copy {key!r} to a local file")
        failed.__cause__ = error
        return failed
    return None


def _is_local(error: BaseException | None) -> bool:
    """Tell whether an error comes from the disk to which a file was copied."""
    while error is not None:
        if not isinstance(error, SkyfsError) and getattr(error, "errno", None) in _LOCAL:
            return True
        error = error.__cause__
    return False
