"""Enhanced CSV (ECSV 1.0): text tables with units, types and metadata."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .cuts_whole import CutsWhole
from .guards import Tolerance, reading, refuse_options, refuse_value, require_class, writing
from .masks import with_masks
from .table_meta import meta_of
from .text import check_text, decode_text

if TYPE_CHECKING:
    from astropy.table import Column, Table

_MAGIC = b"# %ECSV "
# The header of most tables is shorter.
_HEAD = 1 << 16


class Ecsv(CutsWhole):
    """ECSV tables. Option ``delimiter``: a space (default) or a comma.

    ECSV spells empty and missing text alike, and both are read as missing. Written columns that have one or
    the other get a column of their mask beside them (astropy's convention), so that they come back as they
    were. Text with white space around it is refused, because it would be lost. Bytes become text.
    """

    extensions = (".ecsv",)
    storage_classes = ("Table",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as astropy Table."""
        require_class("ECSV", storage_class, self.storage_classes)
        _check_magic(source)
        from astropy.table import Table

        # Split here: astropy would also split at the line ends of Unicode, which may stand in a field.
        lines = decode_text(source.read_all(), "ECSV").replace("\r\n", "\n").split("\n")
        with Tolerance(), reading("ECSV"):
            return Table.read(lines, format="ascii.ecsv")

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an astropy Table."""
        refuse_options("ECSV", options, ("delimiter",))
        from astropy.table import Table

        if not isinstance(value, Table):
            raise refuse_value("ECSV", value, "astropy Table")
        _refuse_surrounding_space(value)
        with Tolerance(), writing("ECSV"):
            text = io.StringIO()
            with_masks(value, "ecsv", _ambiguous).write(text, format="ascii.ecsv", **options)
            file.write(text.getvalue().encode("utf-8"))

    def check(self, source: ByteSource) -> None:
        """Check the first line, and that it is text ending with a line end."""
        _check_magic(source)
        check_text(source, "ECSV")
        if source.read(max(source.size - 1, 0), source.size) not in (b"\n", b"\r"):
            raise BadContent("the ECSV file is truncated", "its last line has no end")

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the table's metadata; reads no further than the first row."""
        _check_magic(source)
        with Tolerance(), reading("ECSV"):
            return meta_of(_comments(source))


def _comments(source: ByteSource) -> list[str]:
    """Give the lines in front of the names of columns, without their signs."""
    size = _HEAD
    while True:
        text = source.read(0, min(size, source.size))
        lines = text.split(b"\n")
        number = next((n for n, line in enumerate(lines) if not line.startswith(b"#")), None)
        if number is not None or size >= source.size:
            # `# ` or, of an empty line, `#`.
            return [decode_text(line[1:].removeprefix(b" "), "ECSV").rstrip("\r") for line in lines[:number]]
        size *= 8


def _refuse_surrounding_space(table: Table) -> None:
    """Refuse text that begins or ends with white space: astropy strips it, in writing and in reading."""
    import numpy as np

    for column in table.itercols():
        if getattr(getattr(column, "dtype", None), "kind", "") != "U" or column.dtype.names:
            continue
        text = np.ma.masked_array(np.ma.getdata(column), np.ma.getmaskarray(column)).compressed().astype(str)
        if np.any(np.char.strip(text) != text):
            found = f"column {column.info.name!r} has text with white space around it, which ECSV loses"
            raise BadArgument("cannot write as ECSV", found, "strip the text, or write parquet")


def _ambiguous(column: Column) -> bool:
    """Tell whether a column has text that reading would take for missing, or the reverse."""
    import numpy as np

    if column.dtype.kind not in "US":
        return False
    return bool(np.any(np.ma.getmaskarray(column)) or np.any(np.ma.getdata(column) == column.dtype.type()))


def _check_magic(source: ByteSource) -> None:
    head = source.read(0, len(_MAGIC))
    if head != _MAGIC:
        raise BadContent("not an ECSV file", f"it begins with {head!r}", f"ECSV begins with {_MAGIC!r}")
