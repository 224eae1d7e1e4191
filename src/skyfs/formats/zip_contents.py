"""Members of a zip file as ranges of its bytes (PKWARE APPNOTE 6.3, sections 4.3 and 4.4)."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from skyfs.abc.contents import Contents, Entry
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, IsDirectory, NotFound

from .guards import reading

# One request brings the directory of most files: a member takes some 70 bytes there.
_TAIL = 1 << 16
_MAX_DIRECTORY = 64 << 20
# A compressed member is expanded in memory, to no more than it says and no more than this.
_MAX_INFLATED = 256 << 20
_HEADER = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_NAME_BYTES = 255


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip: where its header begins, sizes, checksum; ``head``: the header's likely length."""

    offset: int
    head: int
    packed: int
    size: int
    crc: int
    deflated: bool


class ZipContents(Contents):
    """The files in a zip."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members
        self._folders = _folders(members)
        self._heads: dict[str, int] = {}

    def entry(self, path: str) -> Entry:
        found = self._members.get(path)
        if found is not None:
            return Entry(path, found.size)
        if path in self._folders:
            return Entry(path, is_dir=True)
        raise NotFound(f"no {path!r} in the zip file")

    def children(self, path: str) -> Iterator[Entry]:
        for name in self._folders.get(path, ()):
            yield self.entry(f"{path}/{name}" if path else name)

    def open(self, source: ByteSource, path: str) -> ByteSource:
        if self.entry(path).is_dir:
            raise IsDirectory(f"open {path!r}", "it is a folder in the zip file")
        member = self._members[path]
        return _Inflated(self, source, path) if member.deflated else _Stored(self, source, path)

    def member(self, path: str) -> Member:
        """Give what the directory says of a file."""
        return self._members[path]

    def head(self, path: str) -> int | None:
        """Give the length of a local header that has been seen."""
        return self._heads.get(path)

    def learn(self, path: str, header: bytes) -> int:
        """Read a local header; give its length."""
        member = self._members[path]
        if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
            found = f"no header at byte {member.offset}, where the directory says"
            raise BadContent(f"{path!r} in the zip file is damaged", found)
        *_, name_size, extra_size = _HEADER.unpack(header[: _HEADER.size])
        self._heads[path] = length = _HEADER.size + int(name_size) + int(extra_size)
        return length


class _Stored(ByteSource):
    """A member that lies in the zip as it is: any part of it is a range there."""

    def __init__(self, contents: ZipContents, source: ByteSource, path: str) -> None:
        self._contents, self._source, self._path = contents, source, path
        self._member = contents.member(path)

    @property
    def size(self) -> int:
        return self._member.size

    def read(self, start: int, stop: int) -> bytes:
        start, stop = max(start, 0), min(stop, self._member.packed)
        if stop <= start:
            return b""
        whole = start == 0 and stop == self._member.packed
        data = self._packed_with_header() if whole else self._part(start, stop)
        if len(data) != stop - start:
            raise self._damaged(f"{stop - start} bytes at {start}, of which {len(data)} are there")
        if whole and not self._member.deflated:
            self._check(data)
        return data

    def close(self) -> None:
        self._source.close()

    def _packed_with_header(self) -> bytes:
        """Read header and data as one range."""
        begin = self._member.offset
        head = self._contents.head(self._path) or self._member.head
        data = self._source.read(begin, begin + head + self._member.packed)
        true_head = self._contents.learn(self._path, data)
        if true_head == head:
            return data[head:]
        return self._source.read(begin + true_head, begin + true_head + self._member.packed)

    def _part(self, start: int, stop: int) -> bytes:
        begin = self._member.offset
        head = self._contents.head(self._path)
        if head is not None:
            return self._source.read(begin + head + start, begin + head + stop)
        guess = begin + self._member.head
        # Asked for at once: the guess is right unless a program wrote different extra fields here and there.
        header, data = self._source.read_many([(begin, begin + _HEADER.size), (guess + start, guess + stop)])
        head = self._contents.learn(self._path, header)
        if head == self._member.head:
            return data
        return self._source.read(begin + head + start, begin + head + stop)

    def _check(self, data: bytes) -> None:
        if zlib.crc32(data) != self._member.crc:
            raise self._damaged("its checksum is not that of its bytes")

    def _damaged(self, found: str) -> BadContent:
        return BadContent(f"{self._path!r} in the zip file is damaged", found)


class _Inflated(_Stored):
    """A compressed member: all of it is read and expanded, once."""

    _data: bytes | None = None

    def read(self, start: int, stop: int) -> bytes:
        if self._data is None:
            self._data = self._inflate(super().read(0, self._member.packed))
        return self._data[max(start, 0) : max(stop, 0)]

    def _inflate(self, packed: bytes) -> bytes:
        expander = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = expander.decompress(packed, self._member.size + 1)
        except zlib.error as error:
            raise self._damaged(str(error)) from error
        if len(data) != self._member.size:
            raise self._damaged(f"it does not expand to {self._member.size} bytes")
        self._check(data)
        return data


def read_zip(source: ByteSource) -> ZipContents:
    """Read the directory of a zip file; the later of two members of one name counts.

    Raises
    ------
    BadContent
        When it is no zip file or damaged, or holds what could harm: names that lead out of it, members that
        expand to more than 256 MiB, a directory of more than 64 MiB.
    """
    with reading("zip"), zipfile.ZipFile(_DirectoryFile(source)) as opened:
        infos = opened.infolist()
    members: dict[str, Member] = {}
    for info in infos:
        path = info.filename.removesuffix("/")
        _check_name(path, info.orig_filename)
        if not info.is_dir():
            members[path] = _member(info, source.size)
    return ZipContents(members)


def _check_name(path: str, original: str) -> None:
    for part in path.split("/"):
        unsafe = part in ("", ".", "..") or _CONTROL.search(original)
        if unsafe or len(part.encode(errors="surrogatepass")) > _MAX_NAME_BYTES:
            raise BadContent("the zip file is refused", f"it holds the name {original[:80]!r}")


def _member(info: zipfile.ZipInfo, file_size: int) -> Member:
    what = f"{info.filename!r} in the zip file"
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    if info.flag_bits & _ENCRYPTED or not (deflated or info.compress_type == zipfile.ZIP_STORED):
        found = "it is encrypted, or compressed in another way than by deflate"
        raise BadContent(f"{what} cannot be read", found, "store the members without compression")
    head = _HEADER.size + len(info.orig_filename.encode()) + len(info.extra)
    if not 0 <= info.header_offset <= file_size - _HEADER.size - info.compress_size:
        raise BadContent(f"{what} is damaged", f"it should lie at byte {info.header_offset} of {file_size}")
    if deflated and info.file_size > _MAX_INFLATED:
        raise BadContent(f"{what} is refused", f"it expands to {info.file_size} bytes", "store it as it is")
    if not deflated and info.file_size != info.compress_size:
        raise BadContent(f"{what} is damaged", "it has two sizes and is not compressed")
    return Member(info.header_offset, head, info.compress_size, info.file_size, info.CRC, deflated)


def _folders(members: Mapping[str, Member]) -> dict[str, dict[str, None]]:
    """Give the names in each folder."""
    folders: dict[str, dict[str, None]] = {"": {}}
    for path in members:
        child = path
        while child:
            parent, _, name = child.rpartition("/")
            known = parent in folders
            folders.setdefault(parent, {})[name] = None
            if known:
                break
            child = parent
    clash = next((path for path in members if path in folders), None)
    if clash is not None:
        raise BadContent("the zip file is refused", f"{clash!r} is a file and a folder in it")
    return folders


class _DirectoryFile:
    """As much of a file as `zipfile` needs to find the directory at the end of a source."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._tail_start = max(source.size - _TAIL, 0)
        self._tail = source.read(self._tail_start, source.size)
        self._position = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._position, self._source.size)[whence]
        if base + offset < 0:
            raise OSError("seek before the start of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, count: int = -1) -> bytes:
        left = max(self._source.size - self._position, 0)
        count = left if count < 0 else min(count, left)
        if count > _MAX_DIRECTORY:
            raise BadContent(
                "the zip file is refused", f"its directory has {count} bytes", "use larger chunks"
            )
        start, self._position = self._position, self._position + count
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : start - self._tail_start + count]
        stop = min(start + count, self._tail_start)
        return self._source.read(start, stop) + self._tail[: start + count - stop]

    def close(self) -> None:
        """Do nothing: the source is the caller's."""
