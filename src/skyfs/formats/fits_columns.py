"""The columns of FITS tables: where they lie in a row, and their values (FITS standard 4.0, section 7)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from skyfs.errors import BadArgument, BadContent

from .row_values import Value, array, constant

if TYPE_CHECKING:
    from astropy.io import fits

_BINARY = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])(.*)", re.DOTALL)
_ASCII = re.compile(r"\s*([AIFED])(\d+)(?:\.(\d+))?\s*")
_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_TYPES = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_UNSIGNED = {"I": 2**15, "J": 2**31, "K": 2**63, "B": -128}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    number
        From 1, as keywords have it.
    code
        The letter of TFORM.
    repeat
        Elements of each row; of text its characters.
    offset, width
        Where it lies in a row, in bytes.
    rest
        What follows the letter in TFORM: for P and Q the type of the elements.
    """

    number: int
    name: str
    code: str
    repeat: int
    offset: int
    width: int
    rest: str = ""
    scale: float = 1.0
    zero: float = 0.0
    null: int | str | None = None
    axes: tuple[int, ...] = ()

    @property
    def is_variable(self) -> bool:
        """Whether a row only says where in the heap its values are."""
        return self.code in "PQ"

    @property
    def element_bits(self) -> int:
        """Of a variable column, the size of an element in the heap."""
        letter = self.rest[:1].upper()
        if letter != "X" and letter not in _BYTES:
            raise BadContent(f"column {self.name!r} of a FITS table", f"TFORM ends with {self.rest!r}")
        return 1 if letter == "X" else 8 * _BYTES[letter]


def binary_columns(header: fits.Header) -> list[Column]:
    """Read the columns of a binary table off its header."""
    found, offset = [], 0
    for number in range(1, _count(header) + 1):
        form = str(header.get(f"TFORM{number}", ""))
        match = _BINARY.fullmatch(form)
        if not match:
            raise _odd(number, form)
        repeat = int(match[1]) if match[1] else 1
        width = -(-repeat // 8) if match[2] == "X" else repeat * _BYTES[match[2]]
        scale, zero, null = _scaling(header, number)
        name = str(header.get(f"TTYPE{number}", "")).strip()
        place = (number, name, match[2], repeat, offset, width, match[3])
        axes = _axes(str(header.get(f"TDIM{number}", "")), repeat)
        found.append(Column(*place, scale, zero, null if isinstance(null, int) else None, axes))
        offset += width
    if offset > int(header["NAXIS1"]):
        raise BadContent(
            "the FITS table is damaged", f"its columns take {offset} bytes, a row {header['NAXIS1']}"
        )
    return found


def ascii_columns(header: fits.Header) -> list[Column]:
    """Read the columns of an ASCII table off its header."""
    found = []
    for number in range(1, _count(header) + 1):
        form = str(header.get(f"TFORM{number}", ""))
        match = _ASCII.fullmatch(form)
        if not match:
            raise _odd(number, form)
        width, start = int(match[2]), int(header.get(f"TBCOL{number}", 0)) - 1
        if start < 0 or start + width > int(header["NAXIS1"]):
            raise BadContent("the FITS table is damaged", f"column {number} ends outside of the rows")
        scale, zero, null = _scaling(header, number)
        name = str(header.get(f"TTYPE{number}", "")).strip()
        place = (number, name, match[1], 1, start, width, match[3] or "")
        found.append(Column(*place, scale, zero, None if null is None else str(null)))
    return found


def binary_value(column: Column, rows: np.ndarray) -> Value:
    """Give the values of a column of a binary table; ``rows`` are bytes of shape (rows, NAXIS1).

    Raises
    ------
    BadArgument
        When no expression can have such values (complex, of variable length).
    """
    field = np.ascontiguousarray(rows[:, column.offset : column.offset + column.width])
    count = len(field)
    if column.code == "X":
        return Value("bits", np.unpackbits(field, axis=1)[:, : column.repeat].astype(bool))
    if column.code == "A":
        return _text(field)
    if column.code == "L":
        return Value("bool", *_shaped(column, field == ord("T"), field == 0))
    if column.code not in _TYPES:
        found = "its values are complex" if column.code in "CM" else "its length varies"
        raise BadArgument(
            f"column {column.name!r} in a row filter", found, "use columns of plain numbers and text"
        )
    raw = field.reshape(-1).view(_TYPES[column.code]).reshape(count, column.repeat)
    null = None if column.null is None or column.code in "ED" else raw == column.null
    return replace(_scaled(column, *_shaped(column, raw, null)), axes=column.axes)


def ascii_value(column: Column, rows: np.ndarray) -> Value:
    """Give the values of a column of an ASCII table; ``rows`` are bytes of shape (rows, NAXIS1)."""
    field = np.ascontiguousarray(rows[:, column.offset : column.offset + column.width])
    if column.code == "A":
        return _text(field, None if column.null is None else str(column.null))
    cells = [bytes(cell).decode("latin-1").strip() for cell in field]
    null = np.array(
        [column.null is not None and cell == str(column.null).strip() for cell in cells], dtype=bool
    )
    numbers = [
        0.0 if gone or not cell else _number(column, cell) for cell, gone in zip(cells, null, strict=True)
    ]
    if column.code == "I" and column.scale == 1 and column.zero == 0:
        return Value("long", np.array(numbers, dtype=np.float64).astype(np.int64), null)
    return Value("double", np.array(numbers, dtype=np.float64) * column.scale + column.zero, null)


def keyword_value(header: fits.Header, name: str) -> Value | None:
    """Give a keyword's value; None when there is none, or it has none that expressions have."""
    key = name.upper()
    return (
        constant(header[key]) if key in header and isinstance(header[key], str | int | float | bool) else None
    )


def _shaped(
    column: Column, data: np.ndarray, null: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    if column.repeat != 1:
        return data, null
    return data[:, 0], None if null is None else null[:, 0]


def _scaled(column: Column, raw: np.ndarray, null: np.ndarray | None) -> Value:
    if column.code in "ED":
        data = (
            raw.astype(np.float64) * column.scale + column.zero
            if _is_scaled(column)
            else raw.astype(np.float64)
        )
        return Value("double", data, np.isnan(raw))
    if not _is_scaled(column):
        return Value("wide" if column.code == "K" else "long", raw.astype(np.int64), null)
    if column.scale == 1 and column.zero == _UNSIGNED[column.code]:
        if column.code == "K":
            found = array(raw.astype(np.int64).view(np.uint64) ^ np.uint64(2**63), null)
            return found if found is not None else Value("wide", raw.astype(np.int64), null)
        # CFITSIO counts with unsigned 16-bit integers as integers, with the others as real numbers.
        return Value("long" if column.code == "I" else "wide", raw.astype(np.int64) + int(column.zero), null)
    return Value("double", raw.astype(np.float64) * column.scale + column.zero, null)


def _is_scaled(column: Column) -> bool:
    return column.scale != 1 or column.zero != 0


def _text(field: np.ndarray, null: str | None = None) -> Value:
    if not field.shape[1]:
        return Value("text", np.full(len(field), "", dtype="U1"))
    ended = np.logical_or.accumulate(field == 0, axis=1)
    data = np.where(ended, 0, field).astype(np.uint8).view(f"S{field.shape[1]}")[:, 0]
    found = np.char.rstrip(np.char.decode(data, "latin-1"), " ")
    return Value("text", found, None if null is None else found == null.rstrip())


def _number(column: Column, cell: str) -> float:
    text = cell.upper().replace("D", "E")
    try:
        value = float(text)
    except ValueError:
        found = f"column {column.name!r} has {cell!r}, which is no number"
        raise BadContent("the FITS table is damaged", found) from None
    implied = column.code != "I" and column.rest and "." not in text and "E" not in text
    return value / 10 ** int(column.rest) if implied else value


def _axes(text: str, repeat: int) -> tuple[int, ...]:
    """Read TDIM; one that does not fit the column says nothing."""
    sizes = text.strip().removeprefix("(").removesuffix(")").split(",")
    axes = tuple(int(one) for one in sizes) if all(one.strip().isdigit() for one in sizes) else ()
    return axes if len(axes) > 1 and math.prod(axes) == repeat else ()


def _count(header: fits.Header) -> int:
    count = header.get("TFIELDS", 0)
    if not isinstance(count, int) or not 0 <= count <= 999:
        raise BadContent("the FITS table is damaged", f"TFIELDS is {count!r}")
    return count


def _scaling(header: fits.Header, number: int) -> tuple[float, float, object]:
    scale, zero = header.get(f"TSCAL{number}", 1.0), header.get(f"TZERO{number}", 0.0)
    if not isinstance(scale, int | float) or not isinstance(zero, int | float):
        raise BadContent(
            "the FITS table is damaged", f"TSCAL{number} is {scale!r} and TZERO{number} {zero!r}"
        )
    return scale, zero, header.get(f"TNULL{number}")


def _odd(number: int, form: str) -> BadContent:
    return BadContent("the FITS table is damaged", f"TFORM{number} is {form!r}")
