"""Comma-separated tables with one line of column names (RFC 4180)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .cuts_whole import CutsWhole
from .guards import Tolerance, reading, refuse_options, refuse_value, require_class, writing
from .text import check_text

if TYPE_CHECKING:
    import pyarrow as pa

# Arrow reads block by block, and no row may be longer than a block.
_LONGEST_ROW = 16 << 20


class Csv(CutsWhole):
    """CSV tables: integers, floats, booleans and text; an empty field is a missing value, ``""`` empty text.

    Units, metadata and widths have no place in CSV, and are left behind when writing. Reading takes the
    narrowest of int64, float64, bool and text that all values of a column fit. Option ``delimiter``: one
    character (default a comma); a file with another delimiter is only for other programs.
    """

    extensions = (".csv",)
    storage_classes = ("Table",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as astropy Table."""
        require_class("CSV", storage_class, self.storage_classes)
        self.check(source)
        from .arrow_table import arrow_to_table

        with Tolerance(), reading("CSV"):
            arrow = _read_arrow(source.read_all())
            if len(set(arrow.column_names)) < arrow.num_columns:
                raise BadContent("cannot read as CSV", f"column names repeat: {arrow.column_names}")
            return arrow_to_table(arrow)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an astropy Table."""
        refuse_options("CSV", options, ("delimiter",))
        from astropy.table import Table
        from pyarrow import csv

        from .arrow_table import table_to_arrow

        if not isinstance(value, Table):
            raise refuse_value("CSV", value, "astropy Table")
        with Tolerance(), writing("CSV"):
            arrow = _as_text(table_to_arrow(value))
            csv.write_csv(arrow, file, csv.WriteOptions(delimiter=options.get("delimiter", ",")))

    def check(self, source: ByteSource) -> None:
        """Check that it is text with a line of names."""
        check_text(source, "CSV")
        if not source.read(0, 4096).strip():
            raise BadContent("cannot read as CSV", "there is no line of column names")


def _read_arrow(data: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    blocks = csv.ReadOptions(block_size=_LONGEST_ROW)
    parsing = csv.ParseOptions(newlines_in_values=True)

    def read(kinds: Mapping[str, pa.DataType]) -> pa.Table:
        converting = csv.ConvertOptions(
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False, column_types=kinds
        )
        return csv.read_csv(pa.BufferReader(data), blocks, parsing, converting)

    guessed = read({})
    # Arrow also guesses dates; text that looks like one must stay what it is.
    dates = {field.name: pa.string() for field in guessed.schema if pa.types.is_temporal(field.type)}
    return read(dates) if dates else guessed


def _as_text(arrow: pa.Table) -> pa.Table:
    """Write bytes as the text that they are; refuse columns that have several values in a cell."""
    import pyarrow as pa

    for index, field in enumerate(arrow.schema):
        if pa.types.is_nested(field.type):
            raise BadArgument(
                f"column {field.name!r} of type {field.type}", "CSV has one value in a cell", "use .ecsv"
            )
        if pa.types.is_binary(field.type):
            arrow = arrow.set_column(index, field.name, arrow.column(index).cast(pa.string()))
    return arrow
