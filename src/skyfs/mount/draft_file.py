"""A dataset that is being written through a mount."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..abc.source import ByteSource
from ..writing.writer import Draft
from .failures import Refusal
from .written import State, Written

_COPY_BYTES = 1 << 20


class DraftFile(Written):
    """A draft as a file: nobody else sees it before `commit`.

    Attributes
    ----------
    inodes
        Those that the kernel may know the open file by.
    leaders
        The processes that opened it; 0 among them: one is not known.
    changed
        Whether it holds another content than what was there: an empty file does.
    is_over
        Whether it was committed or discarded.
    """

    def __init__(self, draft: Draft, mode: int, uid: int, gid: int) -> None:
        super().__init__(mode, uid, gid)
        self.inodes = {self.inode}
        self.leaders: set[int] = set()
        self.changed = True
        self.is_over = False
        self._draft = draft
        self._old: Callable[[], ByteSource] | None = None
        self._size = 0
        self._mtime_ns = time.time_ns()
        self._explicit = False
        self._failed: Exception | None = None

    def show_as(self, inode: int) -> None:
        """Have the inode of the dataset that it is to replace: vim writes only to what it has read."""
        self.inode = inode
        self.inodes.add(inode)

    def begin_with(self, old: Callable[[], ByteSource], size: int, mtime_ns: int) -> None:
        """Begin with the bytes that are there; they are copied when something is changed."""
        self._old, self._size, self._mtime_ns = old, size, mtime_ns
        self.changed = False

    @property
    def explicit_ns(self) -> int | None:
        """The time that somebody has set after all that was written; None when nobody did."""
        return self._mtime_ns if self._explicit else None

    @property
    def is_gone(self) -> bool:
        return self.is_over and not self.opened

    def state(self) -> State:
        return State(self._size, -(-self._size // 512), self._mtime_ns)

    def read(self, size: int, offset: int) -> bytes:
        with self.lock:
            if self._old is not None:
                with self._old() as source:
                    return source.read(offset, max(min(offset + size, self._size), offset))
            if self.is_over:
                raise Refusal(errno.ESTALE)
            self._draft.file.seek(offset)
            return self._draft.file.read(size)

    def write(self, data: bytes | memoryview, offset: int | None) -> int:
        with self.lock:
            self._change()
            at = self._size if offset is None else offset
            with self._failing():
                self._draft.file.seek(at)
                self._draft.file.write(data)
                self._draft.file.flush()  # what cannot be written is refused here, not by a later request
            self._size = max(self._size, at + len(data))
        return len(data)

    def truncate(self, size: int) -> None:
        with self.lock:
            if size == 0 and not self.is_over:
                self._old = None
            self._change()
            with self._failing():
                self._draft.file.truncate(size)
            self._size = size

    def set_times(self, atime_ns: int | None, mtime_ns: int | None) -> None:  # noqa: ARG002 - kept by no dataset
        with self.lock:
            if mtime_ns is not None:
                self._mtime_ns, self._explicit = mtime_ns, True

    def commit(self, stored: Callable[[], ByteSource]) -> None:
        """Make it a dataset; when that fails it is discarded. It raises what `Draft.commit` raises.

        ``stored`` opens it from then on: private mappings, and readers that were not seen, read on.
        """
        with self.lock:
            self.is_over = True
            if self._failed is not None:
                self._draft.discard()
                raise self._failed
            self._draft.mtime_ns = self._mtime_ns
            self._draft.commit()
            self._old = stored

    def discard(self) -> None:
        """Forget it; nothing is left."""
        with self.lock:
            if not self.is_over:
                self.is_over = True
                self._draft.discard()

    def _change(self) -> None:
        """Get ready to be written to."""
        if self.is_over:
            raise Refusal(errno.ESTALE)
        old, self._old = self._old, None
        if old is not None:
            with self._failing(), old() as source:
                for start in range(0, self._size, _COPY_BYTES):
                    self._draft.file.write(source.read(start, start + _COPY_BYTES))
        self.changed, self._explicit, self._mtime_ns = True, False, time.time_ns()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Run the body; its error makes that the draft cannot be committed."""
        try:
            yield
        except Exception as error:
            self._failed = self._failed or error
            raise
