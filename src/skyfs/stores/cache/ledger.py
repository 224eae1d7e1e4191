"""How much the cache holds, and what goes when it is too much."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from .index import Index, IndexBusy, IndexDamaged, Record
from .layout import Layout
from .locks import Locks

LOW_WATER = 0.9  # evicting a tenth at a time spares doing it for every file
INDEX_TIMEOUT_S = 5.0
_REST_S = 60.0
_TRIES = 3
_POLL_S = 0.005
_LOG = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


class Ledger:
    """Keeps the sum of sizes within the quota.

    The index says what is there and in which order it was used. It is only ever an account of the files: when
    it is damaged or lost it is made anew from them, and while it is locked nothing new is kept.

    Parameters
    ----------
    layout, locks
        Of the cache.
    quota_bytes
        The high water: no more than this is held, files on their way included.
    timeout_s
        How long to wait for the index when another process writes it.
    """

    def __init__(
        self, layout: Layout, locks: Locks, quota_bytes: int, timeout_s: float = INDEX_TIMEOUT_S
    ) -> None:
        self.quota_bytes = quota_bytes
        self._layout, self._locks = layout, locks
        self._timeout_s = timeout_s
        self._index: Index | None = None
        self._rest_until_s = 0.0

    def reserve(self, sizes: Mapping[str, int]) -> bool:
        """Make room for entries and count them; False when there is no room, or no index to count in."""
        wanted = sum(sizes.values())
        if wanted > self.quota_bytes:
            return False
        return self._ask(lambda index: self._reserve(index, sizes, wanted), otherwise=False)

    def note(self, sizes: Mapping[str, int]) -> None:
        """Count entries that are there."""
        self._ask(lambda index: index.add(sizes), otherwise=False)

    def forget(self, names: Iterable[str]) -> None:
        """Count entries no more."""
        gone = list(names)
        self._ask(lambda index: index.remove(gone), otherwise=None)

    def touch(self, name: str) -> None:
        """Note that an entry is used."""
        self._ask(lambda index: index.touch(name), otherwise=None)

    def rebuild(self) -> None:
        """Make the index anew from the files, whatever it is now.

        Raises
        ------
        IndexBusy
            When it cannot be written.
        """
        self._make(anew=True)

    def close(self) -> None:
        """Let go of the index."""
        index, self._index = self._index, None
        if index is not None:
            index.close()

    def _ask(self, act: Callable[[Index], _Answer], otherwise: _Answer) -> _Answer:
        """Do something with the index; ``otherwise`` when it cannot be used."""
        if time.monotonic() < self._rest_until_s:
            return otherwise
        for _ in range(_TRIES):
            try:
                return act(self._open())
            except IndexDamaged as error:
                _LOG.warning("the index of the cache %s is made anew: %s", self._layout.root, error)
                if not self._try_rebuild():
                    break
            except (IndexBusy, OSError) as error:
                self._rest(error)
                break
        return otherwise

    def _try_rebuild(self) -> bool:
        try:
            self.rebuild()
        except (IndexBusy, IndexDamaged, OSError) as error:
            self._rest(error)
            return False
        return True

    def _rest(self, error: Exception) -> None:
        """Do without the index for a while: waiting for it again and again would slow every read."""
        self._rest_until_s = time.monotonic() + _REST_S
        _LOG.warning("the index of the cache %s cannot be used: %s", self._layout.root, error)
        self.close()

    def _open(self) -> Index:
        # Other threads may let go of the index at any time; what this one has stays usable.
        known = self._index
        if known is not None and known.is_current():
            return known
        self.close()
        if not os.path.isdir(self._layout.index):
            return self._make(anew=False)
        index = self._new_index(self._layout.index)
        if not index.is_built():
            index.close()
            return self._make(anew=False)
        self._index = index
        return index

    def _make(self, *, anew: bool) -> Index:
        """Build an index aside and put it in place; with ``anew`` also when there is a good one."""
        self._layout.make_folder(self._layout.root)
        descriptor = self._layout.open_shared(f"{self._layout.root}/index.lock")
        try:
            self._lock(descriptor)
            self.close()
            if not anew and (index := self._good()):
                self._index = index
                return index
            aside = f"{self._layout.index}.{secrets.token_hex(8)}"
            self._layout.make_folder(aside)
            index = self._new_index(aside)
            index.build(self._found())
            index.close()
            self._put_in_place(aside)
            self._index = index = self._new_index(self._layout.index)
            return index
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        """Wait while another process makes the index, but not for ever: it may be stopped."""
        until = time.monotonic() + self._timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise IndexBusy("another process is making it, and does not end") from None
                time.sleep(_POLL_S)
            else:
                return

    def _good(self) -> Index | None:
        """Give the index in place, if another process has made it while we waited."""
        with suppress(IndexDamaged):
            if os.path.isdir(self._layout.index):
                index = self._new_index(self._layout.index)
                if index.is_built():
                    return index
                index.close()
        return None

    def _put_in_place(self, aside: str) -> None:
        old = f"{self._layout.index}.{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            os.rename(self._layout.index, old)
        os.rename(aside, self._layout.index)
        for name in os.listdir(self._layout.root):
            if name.startswith("index.") and name != "index.lock":
                shutil.rmtree(f"{self._layout.root}/{name}", ignore_errors=True)

    def _new_index(self, folder: str) -> Index:
        return Index(folder, mode=self._layout.mode, timeout_s=self._timeout_s)

    def _found(self) -> list[tuple[str, Record]]:
        """Give a record of every file, the least recently used first: a file's time of change is its use."""
        found = []
        for folder in ("content", "parts"):
            for name, entry in self._layout.names(folder):
                with suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    found.append((name, Record(state.st_size, int(state.st_mtime))))
        return sorted(found, key=lambda one: one[1].used_s)

    def _reserve(self, index: Index, sizes: Mapping[str, int], wanted: int) -> bool:
        for _ in range(_TRIES):
            if index.add(sizes, limit=self.quota_bytes):
                return True
            self._evict(index, int(self.quota_bytes * LOW_WATER) - wanted, spared=sizes)
        return False

    def _evict(self, index: Index, keep_bytes: int, spared: Mapping[str, int]) -> None:
        """Remove what was not used for longest, until no more than ``keep_bytes`` remain."""
        excess = index.total() - max(0, keep_bytes)
        gone = []
        for name, record in index.oldest():
            if excess <= 0:
                break
            if name not in spared and self._remove(name):
                gone.append(name)
                excess -= record.size
        index.remove(gone)

    def _remove(self, name: str) -> bool:
        """Remove an entry unless it is pinned, being read, or on its way; True when it is gone."""
        if name[0] in "kd":
            # Only counted while its content is on its way.
            return self._locks.is_free(name) and self._sweep(name)
        if self._layout.is_pinned(name):
            return False
        path = self._layout.path(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return self._locks.is_free(name) and self._sweep(name)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _sweep(self, name: str) -> bool:
        """Remove what a killed download of a name has left, as it is counted no more; True."""
        for path in self._layout.incoming_of(name):
            with suppress(FileNotFoundError):
                os.unlink(path)
        return True
