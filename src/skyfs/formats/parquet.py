"""Parquet tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent
from skyfs.model.selectors import Selector

from .guards import Tolerance, reading, refuse_options, refuse_value, require_class, writing
from .table_meta import META, meta_of

_MAGIC = b"PAR1"
# A file of so many bytes is read by one thread.
_SMALL = 1 << 20
_OPTIONS = ("compression", "compression_level", "row_group_size", "dictionary")


class Parquet(Format):
    """Parquet, with units and metadata as astropy keeps them there.

    Options: ``compression`` (zstd by default, snappy, gzip, brotli, lz4, none), ``compression_level``,
    ``row_group_size`` in rows, ``dictionary`` (true by default, false, or names of the columns whose values
    are written once each).
    """

    extensions = (".parquet",)
    storage_classes = ("Table",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as astropy Table."""
        require_class("parquet", storage_class, self.storage_classes)
        self.check(source)
        import pyarrow as pa
        from pyarrow import parquet

        from .arrow_table import arrow_to_table
        from .parquet_file import refuse_bomb

        with Tolerance(), reading("parquet"):
            file = parquet.ParquetFile(pa.BufferReader(source.read_all()))
            refuse_bomb(file.metadata, source.size)
            # To wake threads takes longer than to read a small table.
            return arrow_to_table(file.read(use_threads=source.size > _SMALL))

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an astropy Table."""
        refuse_options("parquet", options, _OPTIONS)
        from astropy.table import Table
        from pyarrow import parquet

        from .arrow_table import table_to_arrow

        if not isinstance(value, Table):
            raise refuse_value("parquet", value, "astropy Table")
        with Tolerance(), writing("parquet"):
            chosen = {"compression": "zstd", **options}
            chosen["use_dictionary"] = chosen.pop("dictionary", True)
            parquet.write_table(table_to_arrow(value), file, **chosen)

    def read_slices(self, source: ByteSource, storage_class: str, slices: object) -> object:
        """Read rows; only the row groups that hold them are fetched."""
        require_class("parquet", storage_class, self.storage_classes)
        self.check(source)
        from .parquet_cut import read_rows

        with Tolerance(), reading("parquet"):
            return read_rows(source, slices)

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write rows and columns; only the column chunks that are needed are fetched."""
        from .parquet_cut import cut_parquet

        with Tolerance(), reading("parquet"):
            cut_parquet(source, selectors, file)

    def check(self, source: ByteSource) -> None:
        """Check both magic numbers, and that the footer's length fits into the file."""
        size = source.size
        head, tail = source.read_many([(0, 4), (max(size - 8, 0), size)])
        if head != _MAGIC:
            raise BadContent("not a parquet file", f"it begins with {head!r}", "parquet begins with PAR1")
        footer = int.from_bytes(tail[:4], "little")
        if size < 12 or tail[4:] != _MAGIC or footer + 12 > size:
            raise BadContent(
                "the parquet file is truncated", f"its {size} bytes end with {tail!r}, not a footer and PAR1"
            )

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the table's metadata; reads the footer only."""
        self.check(source)
        import pyarrow as pa
        from pyarrow import parquet

        length = int.from_bytes(source.read(source.size - 8, source.size - 4), "little")
        footer = source.read(source.size - 8 - length, source.size)
        with Tolerance(), reading("parquet"):
            found = parquet.read_metadata(pa.BufferReader(_MAGIC + footer)).metadata or {}
            return meta_of([found[META].decode()]) if META in found else {}
