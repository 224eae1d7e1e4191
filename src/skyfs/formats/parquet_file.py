"""A parquet file in a source: its footer, and some row groups and columns of it, fetched together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent
from skyfs.model.ranges import Range

from .sparse import SparseFile
from .table_meta import META, parse_header
from .unpacking import check_size

MAGIC = b"PAR1"
# Of most values in memory.
_CELL_BYTES = 8
# Most footers are shorter: one request gives all of it.
_TAIL_BYTES = 1 << 16


def refuse_bomb(metadata: parquet.FileMetaData, stored_bytes: int) -> None:
    """Raise BadContent when the file has so many values that it would fill the memory."""
    check_size("the parquet file", metadata.num_rows * metadata.num_columns * _CELL_BYTES, stored_bytes)


class ParquetFile:
    """Reads row groups and columns with one concurrent fetch of all their bytes.

    Attributes
    ----------
    metadata
        The footer, as pyarrow has it.
    schema
        The columns, and the file's metadata, as pyarrow has them.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        footer, self._tail = _footer(source)
        self.metadata = parquet.read_metadata(pa.BufferReader(MAGIC + footer))
        self.schema = self.metadata.schema.to_arrow_schema()
        self._leaves = dict(zip(self.schema.names, _leaves(self.schema), strict=True))

    @property
    def row_groups(self) -> range:
        """The numbers of the row groups."""
        return range(self.metadata.num_row_groups)

    def rows(self, group: int) -> int:
        """Give how many rows a row group has."""
        return int(self.metadata.row_group(group).num_rows)

    def size(self, group: int, names: Iterable[str]) -> int:
        """Give how many bytes columns of a row group take."""
        return sum(stop - start for start, stop in self._ranges(group, names))

    def read(self, groups: Sequence[int], names: Sequence[str]) -> list[pa.Table]:
        """Read columns of row groups, each as a table of its own."""
        cells = sum(map(self.rows, groups)) * len(names)
        check_size("the part of the parquet file", cells * _CELL_BYTES, self._source.size)
        ranges = [one for group in groups for one in self._ranges(group, names)]
        with SparseFile(self._source, ranges, self._tail) as sparse:
            # Its own read-ahead would ask for each column by itself.
            file = parquet.ParquetFile(pa.PythonFile(sparse), metadata=self.metadata, pre_buffer=False)
            return [file.read_row_group(group, columns=list(names), use_threads=False) for group in groups]

    def bounds(self, group: int, name: str) -> tuple[float, float] | None:
        """Give the least and the greatest number of a column in a row group; None when they are not known."""
        leaves = self._leaves[name]
        statistics = self.metadata.row_group(group).column(leaves[0]).statistics if len(leaves) == 1 else None
        if statistics is None or not statistics.has_min_max:
            return None
        found = statistics.min, statistics.max
        plain = all(
            isinstance(one, int | float) and not isinstance(one, bool) and not isnan(one) for one in found
        )
        return found if plain else None

    def columns(self) -> dict[str, list[str]]:
        """Give the table's columns, and of each the stored ones: a time or a position has several."""
        parts = self._mixins()
        owner = {stored: name for name, stored_names in parts.items() for stored in stored_names}
        found: dict[str, list[str]] = {}
        for name in self.schema.names:
            found.setdefault(owner.get(name, name), []).append(name)
        return found

    def described(self, kept: Sequence[str]) -> pa.Schema:
        """Give the schema of a file of some of the stored columns; its metadata speaks of no other."""
        schema = self.schema
        metadata = dict(schema.metadata or {})
        if META in metadata:
            metadata[META] = _only(parse_header([metadata[META].decode()]), kept, self._mixins())
        return pa.schema([schema.field(name) for name in kept], metadata=metadata)

    def meta(self) -> Mapping[str, object]:
        """Give the table's own metadata."""
        text = (self.schema.metadata or {}).get(META)
        found = parse_header([text.decode()]).get("meta") if text is not None else None
        return found if isinstance(found, Mapping) else {}

    def _mixins(self) -> dict[str, list[str]]:
        serialized = self.meta().get("__serialized_columns__")
        found = serialized.items() if isinstance(serialized, Mapping) else ()
        mixins = {
            str(name): [one for one in _named(parts) if one in self.schema.names] for name, parts in found
        }
        return {name: parts for name, parts in mixins.items() if parts}

    def _ranges(self, group: int, names: Iterable[str]) -> Iterator[Range]:
        row_group = self.metadata.row_group(group)
        for name in names:
            for leaf in self._leaves[name]:
                chunk = row_group.column(leaf)
                starts = [one for one in (chunk.dictionary_page_offset, chunk.data_page_offset) if one]
                start = min(starts, default=0)
                if chunk.total_compressed_size < 0 or start + chunk.total_compressed_size > self._source.size:
                    raise BadContent(
                        "the parquet file is damaged", f"column {name!r} ends outside of the file"
                    )
                yield start, start + chunk.total_compressed_size


def _footer(source: ByteSource) -> tuple[bytes, bytes]:
    """Give the footer, and all that was read at the end of the file."""
    size = source.size
    tail = source.read(max(size - _TAIL_BYTES, 0), size)
    if size < 12 or tail[-4:] != MAGIC:
        raise BadContent("not a parquet file, or truncated", f"its {size} bytes end with {tail[-4:]!r}")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length + 4 > size:
        raise BadContent(
            "the parquet file is truncated", f"its footer of {length} bytes does not fit in {size}"
        )
    if length > len(tail):
        tail = source.read(size - length, size)
    return tail[-length:], tail


def _leaves(schema: pa.Schema) -> list[range]:
    """Give of each column the numbers of the primitive columns that the file stores it as."""
    counts = [_count(field.type) for field in schema]
    ends = list(itertools.accumulate(counts))
    return [range(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _count(kind: pa.DataType) -> int:
    if pa.types.is_dictionary(kind) or not pa.types.is_nested(kind):
        return 1
    return sum(_count(kind.field(index).type) for index in range(kind.num_fields)) or 1


def _named(parts: object) -> Iterator[str]:
    """Give the stored columns that a serialized column of astropy is put together of."""
    if isinstance(parts, Mapping):
        if isinstance(parts.get("name"), str):
            yield parts["name"]
        for part in parts.values():
            yield from _named(part)


def _only(header: Mapping[str, Any], kept: Sequence[str], mixins: Mapping[str, Sequence[str]]) -> bytes:
    """Write astropy's description of a table with some of its columns."""
    from astropy.io.misc import yaml

    found: dict[str, Any] = {"datatype": [one for one in header.get("datatype", ()) if one["name"] in kept]}
    meta = dict(header.get("meta") or {})
    serialized = meta.pop("__serialized_columns__", None)
    if isinstance(serialized, Mapping):
        left = {
            name: parts for name, parts in serialized.items() if set(mixins.get(name, ("",))) <= set(kept)
        }
        meta |= {"__serialized_columns__": left} if left else {}
    if meta:
        found["meta"] = meta
    dumped: str = yaml.dump(found)
    return dumped.encode()
