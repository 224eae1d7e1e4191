"""HDF5 files opened so that nothing outside of them is read, and nothing in them runs.

HDF5 can point at other files in four ways: external links, soft links through them, virtual datasets, and
datasets stored externally. Such are refused where they are met. References and variable-length values other
than text are refused too: they would have to be read as Python objects.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from skyfs.abc.raw_file import RawFile
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, MissingPackage

from .buffer import open_whole
from .guards import reading

if TYPE_CHECKING:
    import h5py
    import numpy as np

# The oldest layout whose metadata carry checksums, so that damage is seen; HDF5 1.10 (2016) reads it.
LIBVER = ("v110", "v110")
_MAGIC = b"\x89HDF\r\n\x1a\n"
# No compression makes more of a byte (deflate: 1032); a dataset that claims more is damaged, or a bomb.
_MOST_OF_A_BYTE = 1100
# Metadata lie together, so that looking through them takes few reads.
_META_BLOCK = 1 << 16
_PAGE = 1 << 14
_HEAP = b"GCOL\x01\0\0\0"
_SMALL = 1 << 20
_FREE_BYTES = 64 << 20
_MAX_DEPTH = 64


@contextmanager
def open_file(source: ByteSource, *, part: bool = False) -> Iterator[h5py.File]:
    """Open a source as an HDF5 file; ``part``: little of it will be read.

    Raises
    ------
    BadContent
        When the bytes are damaged, or anything within the context refuses them.
    MissingPackage
        When h5py is not installed.
    """
    h5py = load()
    check_magic(source)
    if not part or source.size <= _SMALL:
        _check_heaps(source.read_all())
    with cast("BinaryIO", _Pages(source)) if part else open_whole(source) as file:
        watched = _Watched(file)
        try:
            with reading("HDF5"), h5py.File(watched, "r") as opened:
                yield opened
        except BadContent:
            # h5py says "cannot read" also when it is the store that cannot.
            if watched.failure is not None:
                raise watched.failure from None
            raise


@contextmanager
def write_file(file: BinaryIO) -> Iterator[h5py.File]:
    """Make an HDF5 file in a binary one."""
    h5py = load()
    # In memory: h5py needs a file that it can also read, and one that fails in a way that HDF5 understands.
    memory = io.BytesIO()
    made = h5py.File(memory, "w", libver=LIBVER, track_order=True, meta_block_size=_META_BLOCK)
    with made as opened:
        yield opened
    file.write(memory.getbuffer())


def load() -> h5py:
    """Import h5py.

    Raises
    ------
    MissingPackage
        When it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingPackage(
            "HDF5 files need h5py", str(error), "install it: pip install skyfs[hdf5]"
        ) from error
    return h5py


def check_magic(source: ByteSource) -> None:
    """Raise BadContent unless the source begins as an HDF5 file does."""
    head = source.read(0, len(_MAGIC))
    if head != _MAGIC:
        raise BadContent("not an HDF5 file", f"it begins with {head!r}", f"HDF5 begins with {_MAGIC!r}")


def members(group: h5py.Group, skip: Collection[str] = ()) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Give what is in a group, in order; named types, and names to skip, are passed over.

    Raises
    ------
    BadContent
        When a member leads out of the file, or around in a circle.
    """
    h5py = load()
    for name in group:
        if name in skip:
            continue
        found = member(group, name)
        if isinstance(found, h5py.Group):
            _refuse_depth(found)
        if isinstance(found, h5py.Group | h5py.Dataset):
            yield name, found


def member(group: h5py.Group, name: str) -> object:
    """Give one member of a group; soft links are followed step by step, each within the file."""
    h5py = load()
    for _ in range(_MAX_DEPTH):
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            return group[name]
        if not isinstance(link, h5py.SoftLink):
            raise _refused(group, name, "it is a link to another file")
        group, name = _step(group, link.path)
        if not name:
            return group
    raise _refused(group, name, "its links go in a circle")


def _step(group: h5py.Group, path: str) -> tuple[h5py.Group, str]:
    """Give the group in which the last part of a soft link's path is, and that part."""
    h5py = load()
    *above, last = [part for part in path.split("/") if part not in ("", ".")] or [""]
    current = group.file["/"] if path.startswith("/") else group
    for part in above:
        found = current.get(part, getlink=True)
        # Soft links on the way would need the same care again; files have no need of them.
        if not isinstance(found, h5py.HardLink) or not isinstance(current[part], h5py.Group):
            raise _refused(current, part, "it is not a group of this file")
        current = current[part]
    if last and last not in current:
        raise _refused(current, last, "a link leads to it, and it is not there")
    return current, last


def read_dataset(dataset: h5py.Dataset, selection: object = ()) -> np.ndarray:
    """Read an array, or the part of it that a selection names; text becomes Python's.

    Raises
    ------
    BadContent
        When its bytes are in another file, its type has no plain form, or its size cannot be true.
    """
    import numpy as np

    h5py = load()
    where = dataset.name
    if dataset.is_virtual or dataset.external is not None:
        raise BadContent(f"HDF5 dataset {where!r} is refused", "its bytes are in another file")
    if dataset.shape is None:
        return np.empty(0, dataset.dtype)
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > _FREE_BYTES + _MOST_OF_A_BYTE * stored:
        raise BadContent(
            f"HDF5 dataset {where!r} is refused", f"{dataset.nbytes} bytes cannot be in {stored} stored ones"
        )
    text = h5py.check_string_dtype(dataset.dtype)
    if text is not None:
        return _texts(np.asarray(dataset[selection]), text)
    if dataset.dtype.hasobject:
        raise BadContent(f"HDF5 dataset {where!r} is refused", "it holds references or lists of any length")
    return np.asarray(dataset[selection])


def _texts(values: np.ndarray, text: h5py.h5t.string_info) -> np.ndarray:
    import numpy as np

    if text.length is None:
        listed = [item.decode("utf-8") for item in values.reshape(-1)]
        return np.array(listed, dtype=None if listed else "U1").reshape(values.shape)
    if text.encoding == "ascii":
        return values.astype(f"S{max(text.length, 1)}")
    return np.char.decode(values, "utf-8") if values.size else values.astype("U1")


def _refused(group: h5py.Group, name: str, found: str) -> BadContent:
    return BadContent(f"{group.name.rstrip('/')}/{name} in the HDF5 file is refused", found)


def _refuse_depth(group: h5py.Group) -> None:
    if group.name.count("/") > _MAX_DEPTH:
        raise BadContent(
            "the HDF5 file is refused", f"groups lie more than {_MAX_DEPTH} deep, or in a circle"
        )


def _check_heaps(data: bytes) -> None:
    """Refuse a heap of text in which the library would never come to an end (HDF5 1.14: an entry of no size).

    Heaps are the only metadata without a checksum. Specification of the file format 3.0, section III.E.
    """
    at = data.find(_HEAP)
    while at >= 0:
        size = int.from_bytes(data[at + 8 : at + 16], "little")
        end, entry = min(at + size, len(data)), at + 16
        while entry + 16 <= end:
            length = int.from_bytes(data[entry + 8 : entry + 16], "little")
            # Entry 0 is the free rest, and counts its own head.
            free = data[entry : entry + 2] == b"\0\0"
            entry += length if free else 16 + -(-length // 8) * 8
            if (free and length < 16) or entry > end:
                raise BadContent("the HDF5 file is damaged", f"a heap at byte {at} has an impossible entry")
        at = data.find(_HEAP, at + 16)


class _Pages(RawFile):
    """A source as a file: small reads, of metadata, come from pages that are kept; large ones are exact."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__(source.size)
        self._source = source
        self._pages: dict[int, bytes] = {}

    def _bytes(self, start: int, stop: int) -> bytes:
        if stop - start >= _PAGE:
            return self._source.read(start, stop)
        first = start // _PAGE
        pages = b"".join(self._page(number) for number in range(first, -(-stop // _PAGE)))
        return pages[start - first * _PAGE : stop - first * _PAGE]

    def _page(self, number: int) -> bytes:
        if number not in self._pages:
            self._pages[number] = self._source.read(number * _PAGE, (number + 1) * _PAGE)
        return self._pages[number]


class _Watched(io.RawIOBase):
    """A file that keeps the error that a library hides."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: Exception | None = None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return int(self._file.readinto(buffer))  # type: ignore[attr-defined]
        except Exception as error:
            self.failure = self.failure or error
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
