"""Archives as streams: a tar file whose members come one after the other, never held.

Written are plain headers (POSIX.1-2001 with pax records where a name or size needs them), which every tar
reads. Read is no more than that: `tarfile` would follow links, make devices, and take headers of any size
into memory.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

from ..errors import BadContent

_BLOCK = 512
_COPY_BYTES = 1 << 20
_MAX_PAX_BYTES = 64 * 1024
_TODO = "the archive is damaged, or no export of skyfs"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive."""

    name: str
    size: int


class Stream(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """Give at most so many bytes; none at the end."""


class ArchiveWriter:
    """Writes members to a stream that need not be seekable."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, name: str, size: int, pieces: Iterator[bytes], mtime_ns: int = 0) -> None:
        """Write a member.

        Raises
        ------
        BadContent
            When there are more or fewer bytes than ``size``; the archive is of no use then.
        """
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o644, max(0, mtime_ns // 10**9)
        self._file.write(info.tobuf(tarfile.PAX_FORMAT))
        total = 0
        for piece in pieces:
            total += len(piece)
            if total > size:
                break
            self._file.write(piece)
        if total != size:
            raise BadContent(f"export {name}", f"it has not {size} bytes", "check the repository")
        self._file.write(bytes(-size % _BLOCK))

    def end(self) -> None:
        """Write the end of the archive."""
        self._file.write(bytes(2 * _BLOCK))


class ArchiveReader:
    """Reads members in their order; each must be read, or passed by, before the next."""

    def __init__(self, file: Stream, origin: str) -> None:
        self._file = file
        self._origin = origin
        self._left = self._padding = 0

    def next(self) -> Member | None:
        """Give the next member; None at the end.

        Raises
        ------
        BadContent
            When what comes is no plain file, or no tar header.
        """
        for _ in self.pieces():
            pass
        self._take(self._padding)
        self._padding = 0
        info = self._header()
        if info is None:
            return None
        records: dict[str, str] = {}
        if info.type == tarfile.XHDTYPE:
            records = self._records(info)
            info = self._header()
        if info is None or info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            what = (
                "nothing" if info is None else f"{info.name!r} is a link, device, folder or of another kind"
            )
            raise BadContent(f"read {self._origin}", what, _TODO)
        size = self._number(records.get("size", str(info.size)))
        self._left, self._padding = size, -size % _BLOCK
        return Member(records.get("path", info.name), size)

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes of the member, some at a time."""
        while self._left:
            piece = self._take(min(self._left, _COPY_BYTES))
            self._left -= len(piece)
            yield piece

    def _header(self) -> tarfile.TarInfo | None:
        block = self._take(_BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise BadContent(f"read {self._origin}", f"no tar header: {error}", _TODO) from None

    def _records(self, info: tarfile.TarInfo) -> dict[str, str]:
        """Read the records of a pax header: ``LENGTH KEY=VALUE``, each with its end of line."""
        if info.size > _MAX_PAX_BYTES:
            raise BadContent(f"read {self._origin}", f"a header of {info.size} bytes", _TODO)
        data = self._take(info.size)
        self._take(-info.size % _BLOCK)
        found: dict[str, str] = {}
        while data:
            length, blank, _ = data.partition(b" ")
            end = self._number(length.decode("ascii", "replace"))
            record = data[len(length) + 1 : end]
            key, equals, value = record.removesuffix(b"\n").partition(b"=")
            if not blank or not equals or not record.endswith(b"\n"):
                raise BadContent(f"read {self._origin}", "a damaged pax header", _TODO)
            found[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            data = data[end:]
        unknown = found.keys() - {"path", "size", "mtime"}
        if unknown:
            raise BadContent(f"read {self._origin}", f"the pax record {min(unknown)!r}", _TODO)
        return found

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise BadContent(f"read {self._origin}", f"the number {text[:20]!r}", _TODO)
        return int(text)

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        while 0 < len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                break
            data += more
        if len(data) < size:
            raise BadContent(f"read {self._origin}", "it ends in the middle", "get all of it")
        return data
