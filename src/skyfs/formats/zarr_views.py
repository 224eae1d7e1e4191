"""Files of other formats as Zarr version 3, without copying: metadata are made here, chunks read from there.

Chunks are never compressed: their bytes are values in the order of the array, so that one which lies in the
original as it is needed is just a range of it. (Zarr core specification 3.0: codec `bytes`, keys `default`.)
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skyfs.abc.contents import Contents, Entry
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, IsDirectory, NotFound, Unsupported

if TYPE_CHECKING:
    import numpy as np

# One chunk is one request: at 50 ms and 100 MB/s, waiting costs ten times as much as these bytes.
CHUNK_BYTES = 1 << 19
_METADATA = "zarr.json"
_DATA_TYPES = frozenset(
    {"bool", "float16", "float32", "float64", "complex64", "complex128"}
    | {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
)

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ArrayView:
    """An array as Zarr.

    Attributes
    ----------
    shape, chunks
        Of the array and of each chunk, in numpy's order.
    dtype
        Of the values in chunk files, with its byte order.
    chunk
        Opens a chunk, given the source and the chunk's place in the grid; closing it closes the source.
    attributes, dimensions
        Plain values; names of the axes or none.
    transposed
        Whether chunk files have the axes in reverse (Fortran's order).
    """

    shape: Index
    chunks: Index
    dtype: np.dtype
    chunk: Callable[[ByteSource, Index], ByteSource]
    attributes: Mapping[str, object] = field(default_factory=dict)
    dimensions: Sequence[str] | None = None
    transposed: bool = False

    @property
    def grid(self) -> Index:
        """How many chunks there are along each axis."""
        return tuple(-(-size // chunk) for size, chunk in zip(self.shape, self.chunks, strict=True))

    @property
    def chunk_bytes(self) -> int:
        """The size of each chunk file."""
        return math.prod(self.chunks) * self.dtype.itemsize

    def metadata(self) -> dict[str, object]:
        """Give what its zarr.json says.

        Raises
        ------
        Unsupported
            When Zarr has no such type of values.
        """
        if self.dtype.name not in _DATA_TYPES:
            raise Unsupported(f"values of type {self.dtype} as Zarr", "its core has no such type")
        endian = {"endian": "big" if self.dtype.str[0] == ">" else "little"}
        as_bytes = {"name": "bytes", **({"configuration": endian} if self.dtype.itemsize > 1 else {})}
        order = {"name": "transpose", "configuration": {"order": list(range(len(self.shape)))[::-1]}}
        found: dict[str, object] = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": self._fill_value(),
            "codecs": [order, as_bytes] if self.transposed else [as_bytes],
            "attributes": dict(self.attributes),
        }
        return found | ({"dimension_names": list(self.dimensions)} if self.dimensions is not None else {})

    def _fill_value(self) -> object:
        return {"b": False, "f": 0.0, "c": [0.0, 0.0]}.get(self.dtype.kind, 0)


class ViewContents(Contents):
    """Arrays as the files of a Zarr group; one array by the name ``""`` is the root itself."""

    def __init__(self, arrays: Mapping[str, ArrayView], attributes: Mapping[str, object]) -> None:
        self._arrays = arrays
        self._metadata = _documents(arrays, attributes)

    def entry(self, path: str) -> Entry:
        metadata = self._metadata.get(path)
        if metadata is not None:
            return Entry(path, len(metadata))
        if not path:
            return Entry(path, is_dir=True)
        array, index = self._find(path)
        is_file = index is not None and len(index) == len(array.shape)
        return Entry(path, array.chunk_bytes) if is_file else Entry(path, is_dir=True)

    def children(self, path: str) -> Iterator[Entry]:
        if not path and "" not in self._arrays:
            yield self.entry(_METADATA)
            yield from (Entry(name, is_dir=True) for name in self._arrays)
            return
        array, index = self._find(path) if path else (self._arrays[""], None)
        if index is None:
            base = f"{path}/" if path else ""
            yield self.entry(base + _METADATA)
            if math.prod(array.shape):
                yield self.entry(f"{base}c")
        elif len(index) < len(array.shape):
            yield from (self.entry(f"{path}/{number}") for number in range(array.grid[len(index)]))

    def open(self, source: ByteSource, path: str) -> ByteSource:
        if self.entry(path).is_dir:
            raise IsDirectory(f"open {path!r}", "it is a folder")
        metadata = self._metadata.get(path)
        if metadata is not None:
            return Made(source, len(metadata), lambda: metadata)
        array, index = self._find(path)
        return array.chunk(source, index or ())

    def _find(self, path: str) -> tuple[ArrayView, Index | None]:
        """Give the array that a path lies in, and the place in its grid, as far as it is given."""
        name, _, rest = path.partition("/") if "" not in self._arrays else ("", "", path)
        array = self._arrays.get(name)
        parts = rest.split("/") if rest else []
        if array is None or (parts and parts[0] != "c") or (parts and not math.prod(array.shape)):
            raise NotFound(f"no {path!r} in this Zarr")
        if not parts:
            return array, None
        numbers = [int(part) if part.isascii() and part.isdigit() else -1 for part in parts[1:]]
        spelled = [str(number) for number in numbers] == parts[1:]
        inside = all(0 <= number < size for number, size in zip(numbers, array.grid, strict=False))
        if not spelled or not inside or len(numbers) > len(array.shape):
            raise NotFound(f"no {path!r} in this Zarr", f"its grid of chunks is {array.grid}")
        return array, tuple(numbers)


class Made(ByteSource):
    """Bytes of known size that are made when they are first asked for."""

    def __init__(self, below: ByteSource, size: int, make: Callable[[], bytes]) -> None:
        self._below, self._size, self._make = below, size, make
        self._data: bytes | None = None

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        if self._data is None:
            self._data = self._make()
        return self._data[max(start, 0) : max(stop, 0)]

    def close(self) -> None:
        self._below.close()


class Padded(ByteSource):
    """A range of a source, followed by zeros up to a size."""

    def __init__(self, below: ByteSource, start: int, stop: int, size: int) -> None:
        self._below, self._start, self._stop, self._size = below, start, stop, size

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> bytes:
        start, stop = max(start, 0), min(stop, self._size)
        if stop <= start:
            return b""
        there = min(stop, self._stop - self._start)
        data = self._below.read(self._start + start, self._start + there) if start < there else b""
        if len(data) != max(there - start, 0):
            raise BadContent("the file is truncated", f"no {there - start} bytes at {self._start + start}")
        return data.ljust(stop - start, b"\0")

    def close(self) -> None:
        self._below.close()


@dataclass(frozen=True, slots=True)
class Rows:
    """Chunks that are contiguous in the original: whole axes, some of one axis, one of each before it."""

    start: int
    itemsize: int
    shape: Index
    chunks: Index

    @classmethod
    def of(cls, start: int, itemsize: int, shape: Index) -> Rows:
        """Choose chunks of about `CHUNK_BYTES` for an array that begins at a byte."""
        return cls(start, itemsize, shape, contiguous_chunks(shape, itemsize))

    def shape_at(self, index: Index) -> Index:
        """Give the shape of what a chunk holds: at the end of an axis less than a chunk."""
        return tuple(
            min(chunk, size - place * chunk)
            for size, chunk, place in zip(self.shape, self.chunks, index, strict=True)
        )

    def range_at(self, index: Index) -> tuple[int, int]:
        """Give the bytes of a chunk in the original, start and stop."""
        offset = 0
        for size, chunk, place in zip(self.shape, self.chunks, index, strict=True):
            offset = offset * size + place * chunk
        start = self.start + offset * self.itemsize
        return start, start + math.prod(self.shape_at(index)) * self.itemsize

    def open(self, source: ByteSource, index: Index) -> ByteSource:
        """Open a chunk."""
        return Padded(source, *self.range_at(index), math.prod(self.chunks) * self.itemsize)


def contiguous_chunks(shape: Index, itemsize: int) -> Index:
    """Choose the shape of chunks that are contiguous in an array, of about `CHUNK_BYTES` each."""
    chunks: list[int] = []
    items = max(CHUNK_BYTES // itemsize, 1)
    for size in reversed(shape):
        chunk = max(min(size, items), 1)
        chunks.append(chunk)
        items = items // chunk if chunk == size else 1
    return tuple(reversed(chunks))


def view_npy(source: ByteSource) -> Contents:
    """Show an NPY file as a Zarr array.

    Raises
    ------
    BadContent
        When it is damaged.
    Unsupported
        When Zarr's core has no such values.
    """
    from .npy import read_header

    header = read_header(source)
    shape = header.shape[::-1] if header.fortran else header.shape
    rows = Rows.of(header.start, header.dtype.itemsize, shape)
    chunks = rows.chunks[::-1] if header.fortran else rows.chunks
    if header.fortran:
        view = ArrayView(
            header.shape, chunks, header.dtype, lambda below, at: rows.open(below, at[::-1]), transposed=True
        )
    else:
        view = ArrayView(header.shape, chunks, header.dtype, rows.open)
    return ViewContents({"": view}, {})


def _documents(arrays: Mapping[str, ArrayView], attributes: Mapping[str, object]) -> dict[str, bytes]:
    """Make the metadata files; the group's has those of all arrays, so that opening reads one file."""
    if "" in arrays:
        return {_METADATA: _json(arrays[""].metadata())}
    each = {name: array.metadata() for name, array in arrays.items()}
    consolidated = {"kind": "inline", "must_understand": False, "metadata": each}
    group = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    files = itertools.chain(
        [(_METADATA, {**group, "consolidated_metadata": consolidated})],
        ((f"{name}/{_METADATA}", metadata) for name, metadata in each.items()),
    )
    return {path: _json(metadata) for path, metadata in files}


def _json(metadata: Mapping[str, object]) -> bytes:
    return json.dumps(metadata, indent=2).encode()
