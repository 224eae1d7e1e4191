"""File objects of the filesystem: open for reading, or writing a dataset that appears when it is closed."""

from __future__ import annotations

import io
import logging
import sys
from types import TracebackType
from typing import Any

from ..abc.source import ByteSource
from ..writing.writer import Draft

_log = logging.getLogger("skyfs")
_REMOTE_BUFFER_BYTES = 1 << 17


class ReadFile(io.BufferedReader):
    """A file of the tree, open for reading.

    A local one is a real file, with a descriptor. It can be pickled, and is opened again where it was.

    Attributes
    ----------
    fs, path
        The filesystem, and the name in it.
    details
        What ``fs.info(path)`` gives, without record columns.
    size
        In bytes.
    """

    mode = "rb"

    def __init__(self, fs: Any, path: str, details: dict[str, object], source: ByteSource) -> None:  # noqa: ANN401
        opened = source.open()
        local = source.local_path is not None
        raw = opened.detach() if isinstance(opened, io.BufferedReader) else opened
        super().__init__(raw, io.DEFAULT_BUFFER_SIZE if local else _REMOTE_BUFFER_BYTES)  # type: ignore[arg-type]
        self.fs, self.path, self.details, self.size = fs, path, details, source.size
        self._source = source

    @property
    def name(self) -> str:
        """The name in the filesystem; where the bytes lie is nobody's business."""
        return self.path

    @property
    def full_name(self) -> str:
        """The URL."""
        return str(self.fs.unstrip_protocol(self.path))

    def close(self) -> None:
        """Let go of the descriptors."""
        try:
            super().close()
        finally:
            self._source.close()

    def __del__(self) -> None:
        # pyarrow and others leave files that they have read to the collector; that is no fault of the user.
        if not self.closed:
            self.close()

    # Not `__reduce__`: from Python 3.13 on the base class refuses in this one, which goes before.
    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return _reopen, (self.fs, self.path, self.tell())


def _reopen(fs: Any, path: str, position: int) -> object:  # noqa: ANN401 - skyfs.fs imports this module
    file = fs.open(path, "rb")
    file.seek(position)
    return file


class WriteFile(io.BufferedIOBase):
    """A dataset that is being written; it exists when `close` returns, whole, or not at all.

    It is discarded when its ``with`` block ends by an exception, when it is closed while an exception that
    came up after its opening is being handled (``finally: file.close()``), and when it is never closed.
    """

    def __init__(self, fs: Any, path: str, mode: str, draft: Draft, *, autocommit: bool) -> None:  # noqa: ANN401
        self.fs, self.path, self.mode = fs, path, mode
        self._draft: Draft | None = draft
        self._file = draft.file
        self._autocommit = autocommit
        self._began = sys.exc_info()[1]

    @property
    def name(self) -> str:
        """The name in the filesystem."""
        return self.path

    @property
    def full_name(self) -> str:
        """The URL."""
        return str(self.fs.unstrip_protocol(self.path))

    @property
    def size(self) -> int:
        """How far it has been written."""
        return self.tell()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - anything with a buffer
        self._require_open()
        return memoryview(data).nbytes if self._draft is None else self._file.write(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._require_open()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return 0 if self._draft is None else self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        self._require_open()
        return self._file.truncate(size)

    def flush(self) -> None:
        if self._draft is not None and not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Store the dataset; in a transaction, at its end."""
        if self.closed:
            return
        try:
            reason = self._reason_to_discard()
            if reason:
                _log.warning("%s was not stored: %s", self.full_name, reason)
                self.discard()
            elif self._autocommit:
                self.commit()
        finally:
            super().close()

    def commit(self) -> None:
        """Store the dataset, unless that is done or it was discarded."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.commit()

    def discard(self) -> None:
        """Forget what was written."""
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.discard()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def _reason_to_discard(self) -> str:
        if self._draft is None:
            return ""
        # Set by CPython when the garbage collector closes a file.
        if getattr(self, "_finalizing", False):
            return "it was never closed"
        handled = sys.exc_info()[1]
        if handled is not None and handled is not self._began:
            return f"it was closed while {type(handled).__name__} was being handled"
        return ""

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


class TextFile(io.TextIOWrapper):
    """Text over a file of the filesystem; what fails is discarded, as in `WriteFile`."""

    def close(self) -> None:
        """Close the file below."""
        if getattr(self, "_finalizing", False):
            _discard(self.buffer)
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            _discard(self.buffer)
        self.close()


class PackedFile(io.RawIOBase):
    """A compressing or expanding file that closes the file below it, too."""

    def __init__(self, packer: Any, below: Any) -> None:  # noqa: ANN401 - gzip, bz2, xz, ...
        self._packer = packer
        self._below = below

    def readable(self) -> bool:
        return bool(self._below.readable())

    def writable(self) -> bool:
        return bool(self._below.writable())

    def seekable(self) -> bool:
        return self.readable()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything with a buffer
        """Fill a buffer from where the file stands."""
        data = self._packer.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:  # noqa: ANN401 - anything with a buffer
        """Write all of a buffer."""
        self._packer.write(data)
        return memoryview(data).nbytes

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._packer.seek(offset, whence))

    def discard(self) -> None:
        """Forget what was written."""
        _discard(self._below)

    def close(self) -> None:
        """Write what is left and close the file below."""
        if self.closed:
            return
        if getattr(self, "_finalizing", False):
            self.discard()
        try:
            self._packer.close()
        finally:
            self._below.close()
            super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        self.close()


def _discard(file: object) -> None:
    if isinstance(file, WriteFile | PackedFile):
        file.discard()
