"""Values of expressions over the rows of a table: numbers, texts, truth values, bits, some undefined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from skyfs.errors import BadArgument

Kind = Literal["bool", "long", "wide", "double", "text", "bits"]

_WORDS = {
    "bool": "truth values",
    "long": "integers",
    "wide": "integers",
    "double": "numbers",
    "text": "text",
    "bits": "bits",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A column, or what was made of columns.

    Attributes
    ----------
    kind
        ``long`` are integers of at most 32 bits and constants; ``wide`` are of 64 bits: exact in
        comparisons, real numbers in arithmetic, as CFITSIO has them.
    data
        Of shape (): a constant; (rows,); or (rows, elements). Of bits always (rows, bits).
    null
        Where it is undefined, of the same shape; None: nowhere.
    axes
        Of vectors that are arrays, their axes, the first varying fastest.
    """

    kind: Kind
    data: np.ndarray
    null: np.ndarray | None = None
    axes: tuple[int, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it can be counted with."""
        return self.kind in ("long", "wide", "double")

    @property
    def is_vector(self) -> bool:
        """Whether each row has several elements."""
        return self.data.ndim > 1

    def said(self) -> str:
        """Give what an error calls it."""
        return _WORDS[self.kind]


class Rows(Protocol):
    """Some rows of a table, by column."""

    @property
    def first(self) -> int:
        """The number of the first of them, from 1."""

    @property
    def count(self) -> int:
        """How many they are."""

    def column(self, name: str) -> Value | None:
        """Give a column; the case of letters does not count. None when there is none."""

    def keyword(self, name: str) -> Value | None:
        """Give a constant from the table's header; None when there is none."""

    def columns(self) -> tuple[str, ...]:
        """Give the names of all columns."""


def constant(value: object) -> Value | None:
    """Make a value of a plain one; None when it is of no kind that expressions have."""
    if value is None:
        return Value("long", np.zeros((), np.int64), np.ones((), bool))
    if isinstance(value, bool | np.bool_):
        return Value("bool", np.asarray(bool(value)))
    if isinstance(value, int | np.integer) and -(2**63) <= value < 2**63:
        return Value("long", np.asarray(value, np.int64))
    if isinstance(value, int | float | np.floating):
        return Value("double", np.asarray(value, np.float64))
    if isinstance(value, str):
        return Value("text", np.asarray(value.rstrip(" ")))
    return None


def array(data: np.ndarray, mask: np.ndarray | None = None) -> Value | None:
    """Make a value of a column of any program: a numpy array of rows, and which are missing.

    NaN is undefined. None when it is of no kind that expressions have.
    """
    if data.ndim > 2:
        data = data.reshape(len(data), -1)
        mask = None if mask is None else mask.reshape(len(mask), -1)
    kind = data.dtype.kind
    if kind == "b":
        return Value("bool", data, mask)
    if kind in "iu":
        wide = data.dtype.itemsize == 8
        if data.dtype == np.dtype("u8") and data.size and data.max() >= 2**63:
            return Value("double", data.astype(np.float64), mask)
        return Value("wide" if wide else "long", data.astype(np.int64), mask)
    if kind == "f":
        nan = np.isnan(data)
        return Value("double", data.astype(np.float64), nan if mask is None else nan | mask)
    if kind in "SU":
        text = np.char.decode(data, "latin-1") if kind == "S" else data
        return Value("text", np.char.rstrip(text, " "), mask)
    return None


def aligned(*values: Value) -> list[np.ndarray]:
    """Give the data of values so that numpy broadcasts them, rows along the first axis."""
    return _aligned([value.data for value in values], values)


def nulls(*values: Value) -> np.ndarray | None:
    """Tell where any of the values is undefined."""
    known = [value for value in values if value.null is not None]
    if not known:
        return None
    shown = _aligned([value.null for value in values if value.null is not None], values)
    found = shown[0]
    for one in shown[1:]:
        found = found | one
    return np.asarray(found)


def _aligned(arrays: list[np.ndarray], values: tuple[Value, ...]) -> list[np.ndarray]:
    if not any(value.is_vector for value in values):
        return arrays
    widths = {value.data.shape[1] for value in values if value.is_vector}
    if len(widths) > 1:
        found = f"vectors of {' and '.join(map(str, sorted(widths)))} elements"
        raise BadArgument("bad row filter", found, "they must be equally long")
    return [one[:, None] if one.ndim == 1 else one for one in arrays]
