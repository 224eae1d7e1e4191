"""The shared disk cache: content files in a folder that processes, users and repositories share."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected
from skyfs.config.stores import DEFAULT_QUOTA_BYTES
from skyfs.errors import SkyfsError

from ..checking import require_whole
from ..failure import failing
from ..memory import MemorySource
from ..staged import buffered
from .arrival import Arrival, link
from .kept import KeptFile, UnkeptFile
from .layout import Layout, derived_name, is_name, keyed_prefix
from .ledger import Ledger
from .locks import STALL_S, Held, Locks
from .sweeping import sweep

Fetch = Callable[[Callable[[bytes], None]], None]
"""What brings content: it calls what it is given with one piece after another."""

_LOG = logging.getLogger(__name__)


class DiskCache:
    """Keeps files that come from far away, or were dear to make, in one folder.

    Reading never fails because of the cache: when its folder cannot be written, its disk is full, or its
    index is locked, nothing is kept, a warning is logged once, and the bytes come from where they are.

    Parameters
    ----------
    folder
        Where; made when something is first kept. Everybody who names it shares it.
    quota_bytes
        The most that it holds, files on their way included.
    group
        Whether others of the folder's group may use it: files are 0660 and folders 2770, else 0600 and 0700.
    stall_s
        After how many seconds without progress another's download is not waited for any longer.

    Notes
    -----
    Safe from several threads and processes, and after fork.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        quota_bytes: int = DEFAULT_QUOTA_BYTES,
        group: bool = False,
        stall_s: float = STALL_S,
    ) -> None:
        self.layout = Layout(os.path.abspath(folder), group=group)
        self.locks = Locks(self.layout, stall_s)
        self.ledger = Ledger(self.layout, self.locks, quota_bytes)
        self._warned = False
        self._swept = False

    def find(self, name: str, size: int | None, key: str, store: str) -> KeptFile | None:
        """Give what is kept under a name; None when nothing is. The caller closes it.

        The file's existence is the look-up: no index is asked. ``key`` and ``store`` are for messages.
        """
        try:
            found = KeptFile(self.layout.path(name), key, store)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.complain(error)
            return None
        if size is not None and found.size != size:
            self._drop(found, name)
            return None
        if found.is_stale():
            found.touch()
            self.ledger.touch(os.path.basename(os.path.realpath(self.layout.path(name))))
        return found

    def fill(self, name: str, expected: Expected, fetch: Fetch, key: str, store: str) -> KeptFile | None:
        """Give what is kept under a name, fetching it when nobody else does; None: it cannot be kept.

        Raises
        ------
        WrongBytes
            When what came is not what was expected; nothing is kept then.
        Exception
            What ``fetch`` raises.
        """
        with self.bringing(name) as held:
            if held is None:
                return None
            found = self.find(name, expected.size, key, store)
            if found is not None:
                return found
            if not self.ledger.reserve({name: expected.size}):
                return None
            try:
                return self._bring(name, expected, fetch, held, (key, store))
            except BaseException:
                self.ledger.forget([name])
                raise

    def derived(self, name: str, make: Callable[[BinaryIO], None]) -> ByteSource:
        """Give bytes that are made of others, making them once over all processes.

        Parameters
        ----------
        name
            Digest of all that the bytes follow from: dataset, conversion, options.
        make
            Writes them to a seekable file; what it raises goes through, and nothing is kept.
        """
        entry = derived_name(name)
        found = self.find(entry, None, name, "derived")
        if found is not None:
            return found
        with self.bringing(entry) as held:
            if held is not None:
                found = self.find(entry, None, name, "derived")
                made = found or self._make(entry, make, name)
                if made is not None:
                    return made
        file = io.BytesIO()
        make(file)
        return MemorySource(file.getvalue(), name, "derived")

    def keep(self, arrival: Arrival, name: str, size: int, digest: bytes) -> None:
        """Take a verified file in, under its digest, and under another name that it has."""
        content = arrival.settle(digest)
        self.ledger.note({content: size})
        if name != content:
            link(self.layout, name, content)
            self.ledger.forget([name])

    @contextmanager
    def bringing(self, name: str) -> Iterator[Held | None]:
        """Hold the lock of a name; None when its owner stands still, or the folder cannot be written."""
        self.sweep_once()
        try:
            held = self.locks.wait(name)
        except OSError as error:
            self.complain(error)
            held = None
        if held is None:
            yield None
            return
        with held:
            yield held

    def forget_key(self, identity: str, key: str) -> None:
        """Forget what was kept of a key without a digest; its content goes by and by."""
        for name in self.layout.links_of(keyed_prefix(identity, key)):
            with suppress(OSError):
                os.unlink(self.layout.path(name))

    def pin(self, path: str) -> str | None:
        """Keep the content at a path of the cache until it is unpinned; give its name, None when it is gone.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        name = os.path.basename(os.path.realpath(path))
        if not is_name(name) or not os.path.exists(self.layout.path(name)):
            return None
        with failing("pin", name, f"cache {self.layout.root}"):
            os.close(self.layout.open_shared(self.layout.pin_path(name)))
        return name

    def unpin(self, name: str) -> bool:
        """Let content be evicted again; False when it was not pinned.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        content = os.path.basename(os.path.realpath(self.layout.path(name)))
        with failing("unpin", name, f"cache {self.layout.root}"):
            try:
                os.unlink(self.layout.pin_path(content))
            except FileNotFoundError:
                return False
        return True

    def complain(self, error: BaseException) -> None:
        """Log that the cache cannot be used, once."""
        if not self._warned:
            self._warned = True
            _LOG.warning("the cache %s is done without: %s", self.layout.root, error)

    def sweep_once(self) -> None:
        """Remove what killed processes have left, once in the life of this object."""
        if not self._swept:
            self._swept = True
            sweep(self.layout, self.locks)

    def close(self) -> None:
        """Let go of the index; a later call opens it again."""
        self.ledger.close()

    def _bring(
        self, name: str, expected: Expected, fetch: Fetch, held: Held, named: tuple[str, str]
    ) -> KeptFile | None:
        arrival: Arrival | None = None
        try:
            with Arrival(self.layout, name) as arrival:

                def write(data: bytes) -> None:
                    arrival.write(data)
                    held.beat()

                fetch(write)
                size, digest = arrival.seal()
                require_whole(size, digest, expected, f"read {named[0]!r} in store {named[1]!r}")
                arrival.sync()
                self.keep(arrival, name, size, digest)
            return self.find(name, size, *named)
        except OSError as error:
            if isinstance(error, SkyfsError) and not (arrival is not None and arrival.failed):
                raise
            self.complain(error)
            self.ledger.forget([name])
            return None

    def _make(self, entry: str, make: Callable[[BinaryIO], None], name: str) -> ByteSource | None:
        """Make derived bytes in the cache's folder; None when that cannot be written."""
        arrival: Arrival | None = None
        try:
            with Arrival(self.layout, entry) as arrival:
                file = buffered(arrival.file)
                make(file)
                if not file.closed:
                    file.flush()
                size, digest = arrival.seal()
                if not self.ledger.reserve({entry: size}):
                    return UnkeptFile(arrival.path, name, "derived")
                arrival.sync()
                self.keep(arrival, entry, size, digest)
            return self.find(entry, size, name, "derived")
        except OSError as error:
            if isinstance(error, SkyfsError) and not (arrival is not None and arrival.failed):
                raise
            self.complain(error)
            self.ledger.forget([entry])
            return None

    def _drop(self, found: KeptFile, name: str) -> None:
        """Remove content that has not the size it should have."""
        found.close()
        path = os.path.realpath(self.layout.path(name))
        with suppress(OSError):
            os.unlink(path)
        self.ledger.forget([os.path.basename(path)])
