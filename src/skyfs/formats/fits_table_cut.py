"""Rows and columns of FITS tables, as tables of their own: the bytes of each cell stay what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent, Unsupported
from skyfs.model.ranges import joined
from skyfs.model.row_filter import Expression, names
from skyfs.model.selectors import Selector

from .column_choice import chosen_columns, row_filter
from .fits_columns import Column, ascii_columns, ascii_value, binary_columns, binary_value, keyword_value
from .fits_layout import Extent
from .fits_pieces import write_cards, write_padding, write_primary
from .fits_table_header import renumbered
from .planned import read_planned
from .row_evaluation import select
from .row_values import Value

# Rows are read so many bytes at a time, in ranges that a store with latency fetches at once.
_CHUNK_BYTES = 32 << 20
_RANGE_BYTES = 4 << 20
# When a row is longer, and less than half of it is needed, the rest of it is left out.
_LONG_ROW_BYTES = 64 << 10
_MAX_P = 2**31


def cut_table(
    source: ByteSource, extent: Extent, primary_extent: Extent, selectors: Sequence[Selector], file: BinaryIO
) -> None:
    """Write the primary HDU's header, and of a table the rows and columns that the selectors name.

    Parameters
    ----------
    source
        The uncompressed FITS file.
    extent, primary_extent
        The table's HDU, and the primary one.
    selectors
        `Columns` and `RowFilter` only. A filter may name columns that are not kept.
    file
        Seekable and binary.

    Raises
    ------
    BadArgument
        When there is no such column, or the filter does not fit.
    """
    table = _Table.read(source, extent)
    kept = [table.columns[index] for index in chosen_columns([one.name for one in table.columns], selectors)]
    expression = row_filter(selectors)
    if expression is not None:
        # On no rows: wrong filters are refused before anything is read.
        select(expression, table.rows(table.nothing(), 1))
    write_primary(primary_extent, file)
    begin = file.tell()
    _write_header(table, kept, file, 0, 0)
    written = _write_rows(table, kept, expression, file)
    end = file.tell()
    file.seek(begin)
    _write_header(table, kept, file, written.rows, written.heap_bytes)
    file.seek(end)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table in a source."""

    source: ByteSource
    extent: Extent
    header: fits.Header
    columns: list[Column]

    @classmethod
    def read(cls, source: ByteSource, extent: Extent) -> _Table:
        header = fits.Header.fromstring(extent.cards)
        columns = binary_columns(header) if extent.kind == "BINTABLE" else ascii_columns(header)
        return cls(source, extent, header, columns)

    @property
    def is_ascii(self) -> bool:
        return self.extent.kind == "TABLE"

    @property
    def row_bytes(self) -> int:
        return self.extent.axes[0]

    @property
    def count(self) -> int:
        return self.extent.axes[1]

    @property
    def gap(self) -> int:
        """The blanks between the fields of an ASCII table: one when it has some everywhere."""
        ends = sorted((one.offset, one.offset + one.width) for one in self.columns)
        return int(all(after[0] > before[1] for before, after in pairwise(ends)))

    @property
    def heap(self) -> tuple[int, int]:
        """Where the heap begins in the source, and where it ends."""
        main = self.row_bytes * self.count
        start = self.header.get("THEAP", main)
        if not isinstance(start, int) or not main <= start <= max(self.extent.data_size, main):
            raise BadContent("the FITS table is damaged", f"THEAP is {start!r}")
        return self.extent.data_start + start, self.extent.data_start + self.extent.data_size

    def nothing(self) -> np.ndarray:
        return np.zeros((0, self.row_bytes), np.uint8)

    def rows(self, data: np.ndarray, first: int) -> _Rows:
        return _Rows(self, data, first)

    def chunks(self, needed: Sequence[Column]) -> Iterator[tuple[int, np.ndarray]]:
        """Give the number of the first row, from 1, and rows; bytes of columns not needed may be zeros."""
        step = max(_CHUNK_BYTES // max(self.row_bytes, 1), 1)
        runs = joined((one.offset, one.offset + one.width) for one in needed)
        some = sum(stop - start for start, stop in runs)
        narrow = self.row_bytes > _LONG_ROW_BYTES and 2 * some < self.row_bytes
        for first in range(0, self.count, step):
            last = min(first + step, self.count)
            yield first + 1, self._some(first, last, runs) if narrow else self._all(first, last)

    def _all(self, first: int, last: int) -> np.ndarray:
        start = self.extent.data_start + first * self.row_bytes
        stop = self.extent.data_start + last * self.row_bytes
        ranges = [(one, min(one + _RANGE_BYTES, stop)) for one in range(start, stop, _RANGE_BYTES)]
        data = b"".join(self.source.read_many(ranges))
        if len(data) != stop - start:
            raise BadContent("the FITS table is truncated", f"{len(data)} of {stop - start} bytes are there")
        return np.frombuffer(data, np.uint8).reshape(last - first, self.row_bytes)

    def _some(self, first: int, last: int, runs: Sequence[tuple[int, int]]) -> np.ndarray:
        found = np.zeros((last - first, self.row_bytes), np.uint8)
        base = [self.extent.data_start + row * self.row_bytes for row in range(first, last)]
        wanted = [(at + start, at + stop) for at in base for start, stop in runs]
        pieces = iter(read_planned(self.source, wanted))
        for row in range(last - first):
            for start, stop in runs:
                found[row, start:stop] = np.frombuffer(next(pieces), np.uint8)
        return found


class _Rows:
    """Some rows, as expressions see them."""

    def __init__(self, table: _Table, data: np.ndarray, first: int) -> None:
        self._table, self._data, self.first = table, data, first

    @property
    def count(self) -> int:
        return len(self._data)

    def column(self, name: str) -> Value | None:
        wanted = name.strip().lower()
        for column in self._table.columns:
            if column.name.lower() == wanted:
                decode = ascii_value if self._table.is_ascii else binary_value
                return decode(column, self._data)
        return None

    def keyword(self, name: str) -> Value | None:
        return keyword_value(self._table.header, name)

    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self._table.columns)


@dataclass(slots=True)
class _Written:
    """What was written so far: rows, bytes of the heap, and where in the source these are."""

    rows: int = 0
    heap_bytes: int = 0
    pieces: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)


def _write_rows(
    table: _Table, kept: Sequence[Column], expression: Expression | None, file: BinaryIO
) -> _Written:
    written = _Written()
    asked = names(expression) if expression is not None else frozenset()
    needed = [one for one in table.columns if one in kept or one.name.lower() in asked]
    size = 0
    for first, data in table.chunks(needed):
        rows = data if expression is None else data[select(expression, table.rows(data, first))]
        cells = [rows[:, one.offset : one.offset + one.width] for one in kept]
        for index, column in enumerate(kept):
            if column.is_variable:
                cells[index] = _moved(table, column, cells[index], written)
        written.rows += len(rows)
        joined = (
            _joined_ascii(cells, table.gap)
            if table.is_ascii
            else np.concatenate([rows[:, :0], *cells], axis=1)
        )
        size += file.write(np.ascontiguousarray(joined).tobytes())
    for starts, sizes in written.pieces:
        size += _write_heap(table.source, starts, sizes, file)
    write_padding(size, file, b" " if table.is_ascii else b"\0")
    return written


def _joined_ascii(cells: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """Put the fields of an ASCII table side by side, with or without a blank between."""
    rows = len(cells[0]) if cells else 0
    blank = np.full((rows, gap), ord(" "), np.uint8)
    spaced = [part for cell in cells for part in (cell, blank)][:-1]
    return np.concatenate(spaced or [np.zeros((rows, 0), np.uint8)], axis=1)


def _moved(table: _Table, column: Column, cells: np.ndarray, written: _Written) -> np.ndarray:
    """Give descriptors (length, offset) of where values will be in the new heap; note where they are."""
    heap_start, heap_stop = table.heap
    kind = ">i4" if column.code == "P" else ">i8"
    if not column.repeat:
        return cells
    descriptors = np.ascontiguousarray(cells).view(kind).reshape(len(cells), 2).astype(np.int64)
    lengths, offsets = descriptors[:, 0], descriptors[:, 1]
    sizes = -(-lengths * column.element_bits // 8)
    outside = (lengths < 0) | (lengths > table.extent.data_size * 8) | (offsets < 0)
    outside |= (sizes > 0) & (heap_start + offsets + sizes > heap_stop)
    if outside.any():
        raise BadContent("the FITS table is damaged", f"values of {column.name!r} lie outside of the heap")
    moved = written.heap_bytes + np.cumsum(sizes) - sizes
    written.heap_bytes += int(sizes.sum())
    if column.code == "P" and written.heap_bytes >= _MAX_P:
        raise Unsupported("a part of this FITS table", "its heap grows over 2 GiB", "select fewer rows")
    written.pieces.append(((heap_start + offsets)[sizes > 0], sizes[sizes > 0]))
    new = np.stack([lengths, np.where(sizes > 0, moved, 0)], axis=1).astype(kind)
    return new.view(np.uint8).reshape(len(cells), cells.shape[1])


def _write_heap(source: ByteSource, starts: np.ndarray, sizes: np.ndarray, file: BinaryIO) -> int:
    """Write values of one column and chunk, some MiB at a time."""
    written = 0
    bounds = np.searchsorted(
        np.cumsum(sizes), np.arange(_CHUNK_BYTES, int(sizes.sum()) + _CHUNK_BYTES, _CHUNK_BYTES)
    )
    first = 0
    for bound in bounds:
        last = min(int(bound) + 1, len(sizes))
        wanted = list(zip(starts[first:last].tolist(), (starts + sizes)[first:last].tolist(), strict=True))
        for piece in read_planned(source, wanted):
            written += file.write(piece)
        first = last
    return written


def _write_header(table: _Table, kept: Sequence[Column], file: BinaryIO, rows: int, heap_bytes: int) -> None:
    width = sum(one.width for one in kept)
    values: dict[str, int] = {"NAXIS2": rows, "PCOUNT": heap_bytes, "TFIELDS": len(kept)}
    if table.is_ascii:
        start = 1
        for number, column in enumerate(kept, 1):
            values[f"TBCOL{number}"] = start
            start += column.width + table.gap
        width = max(start - 1 - table.gap, 0)
    values["NAXIS1"] = width
    cards = renumbered(table.extent.cards, len(table.columns), [one.number for one in kept], values)
    write_cards(cards, file)
