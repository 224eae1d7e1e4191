"""Data IDs: what identifies a dataset within its type and collection."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import BadDataId
from .dimensions import DimensionGroup, Element
from .quoting import shown

Value = int | str

_INT64 = 2**63


class DataId(Mapping[str, Value]):
    """Values of the required dimensions of a group, a mapping in path order.

    Two data IDs are equal when their required values are. Values of grouping levels come along for paths
    (`levels`), but are no part of the identity. Immutable.
    """

    __slots__ = ("group", "row")

    group: DimensionGroup
    row: tuple[Value, ...]

    def __init__(self, group: DimensionGroup, row: tuple[Value, ...]) -> None:
        """Take the values of ``group.levels``, in that order, already of the right types."""
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "row", row)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - the signature of object
        raise AttributeError(f"a DataId cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a DataId cannot be changed: {name}")

    @property
    def values_required(self) -> tuple[Value, ...]:
        """The required values, in path order."""
        row = self.row
        return tuple([row[index] for index in self.group.indices])

    @property
    def levels(self) -> tuple[tuple[str, Value], ...]:
        """Names and values of all directory levels, in path order."""
        return tuple(zip(self.group.levels, self.row, strict=True))

    def __getitem__(self, name: str) -> Value:
        if name not in self.group.required:
            raise KeyError(name)
        return self.row[self.group.levels.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.group.required)

    def __len__(self) -> int:
        return len(self.group.required)

    def __hash__(self) -> int:
        return hash((self.group.required, self.values_required))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DataId):
            return (
                self.group.required == other.group.required and self.values_required == other.values_required
            )
        return dict(self) == other

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name}: {value!r}" for name, value in self.items()) + "}"

    def __reduce__(self) -> tuple[type[DataId], tuple[DimensionGroup, tuple[Value, ...]]]:
        return DataId, (self.group, self.row)


def coerce(element: Element, value: object) -> Value:
    """Turn a value given for a dimension into its one form: int or str.

    Text of a whole number is taken for an integer dimension, as paths write it (``20``, not ``020`` or
    ``+20``); numpy integers and strings are taken as what they are.

    Raises
    ------
    BadDataId
        When the value does not fit; the message names dimension, type and value.
    """
    if element.key.type == "int":
        number = _coerce_int(element, value)
        return number if element.level is None else _check_pixel(element, number, element.level)
    if isinstance(value, str) and value and "\0" not in value and _has_utf8(value):
        # Not str(value): of a member of an Enum that is its name.
        return str.__str__(value)
    raise _bad(element, value, "a text is wanted, not empty, without NUL and lone surrogates")


def _bad(element: Element, value: object, todo: str) -> BadDataId:
    return BadDataId(f"bad data ID: {element.name}={shown(value)}", type(value).__name__, todo)


def _has_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _coerce_int(element: Element, value: object) -> int:
    number: int | None = None
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if value.isascii() and digits.isdigit() and len(digits) < 20 and str(int(value)) == value:
            number = int(value)
    elif not isinstance(value, bool):
        number = _index(value)
    if number is None or not -_INT64 <= number < _INT64:
        raise _bad(element, value, "a whole number of 64 bits is wanted, as 42")
    return number


def _index(value: object) -> int | None:
    # Arrays, also those of floats, have `__index__` and refuse when it is called.
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _check_pixel(element: Element, number: int, level: int) -> int:
    # HEALPix of order k has 12 * 4^k pixels; HTM of level k numbers its trixels from 8 * 4^k.
    cells: int = 4**level
    first, end = (0, 12 * cells) if element.name.startswith("healpix") else (8 * cells, 16 * cells)
    if not first <= number < end:
        raise BadDataId(
            f"bad data ID: {element.name}={number}", "no such pixel", f"they go from {first} to {end - 1}"
        )
    return number
