"""Records as users give and get them ↔ rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from ..errors import BadDefinition
from ..model.dataid import coerce
from ..model.dimensions import Element, Universe
from ..model.quoting import shown
from ..model.timespan import Timespan
from .schema import MAX_NS, MIN_NS
from .statement import AnyRow

Record = Mapping[str, object]

_INT64 = 2**63


def to_row(universe: Universe, table: sa.Table, element: Element, record: Record) -> dict[str, object]:
    """Turn a record into a value for each column of its table.

    Raises
    ------
    BadDefinition
        When a column is unknown or missing, or a value is ill-typed.
    BadDataId
        When a value of a dimension is ill-typed.
    """
    given = dict(record)
    if element.is_dimension and element.key.name in given and element.key.name not in element.alternates:
        given.setdefault(element.name, given.pop(element.key.name))
    row: dict[str, object] = {}
    for name in (*element.identity, *element.implies):
        value = given.pop(name, None)
        row[name] = None if value is None else coerce(universe.element(name), value)
    for column in (*element.keys[1:], *element.metadata):
        row[column.name] = plain(element, column.name, column.type, given.pop(column.name, None))
    row |= _topology(element, given)
    if given:
        found = f"no column {next(iter(given))!r} in the records of {element.name!r}"
        raise BadDefinition(found, todo=f"there are {', '.join(row)}")
    missing = [name for name, value in row.items() if value is None and not table.c[name].nullable]
    if missing:
        raise BadDefinition(f"a record of {element.name!r}", f"no value for {missing[0]!r}", "give it")
    return row


def from_row(element: Element, row: AnyRow) -> dict[str, object]:
    """Give a row as its user knows it: own key by its column's name, the timespan as one value."""
    return known(element, row._asdict())


def from_values(element: Element, table: sa.Table, row: Sequence[Any]) -> dict[str, object]:
    """Give bare values of all columns as their user knows them."""
    columns = table.c.items()
    found = {
        name: bool(value) if value is not None and isinstance(column.type, sa.Boolean) else value
        for (name, column), value in zip(columns, row, strict=True)
    }
    return known(element, found)


def known(element: Element, row: Mapping[str, Any]) -> dict[str, object]:
    """Give plain values of all columns as their user knows them."""
    found = dict(row)
    if element.is_dimension:
        found = {element.key.name if name == element.name else name: value for name, value in found.items()}
    if element.temporal:
        begin, end = found.pop("timespan_begin"), found.pop("timespan_end")
        found["timespan"] = None if begin is None else timespan(begin, end)
    return found


def plain(element: Element, name: str, kind: str, value: object) -> object:
    """Turn a value into the plain Python type of its column; not-a-number is no value, as in SQL.

    Raises
    ------
    BadDefinition
        When the value is not of the column's type.
    """
    item = getattr(value, "item", None)
    value = item() if callable(item) and getattr(value, "ndim", None) == 0 else value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if kind == "bool" and (isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))):
        return bool(value)
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64:
        return value
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    if (kind == "string" and isinstance(value, str)) or (kind == "bytes" and isinstance(value, bytes)):
        return value
    found = f"{name}={shown(value)} is {type(value).__name__}"
    raise BadDefinition(f"a record of {element.name!r}", found, f"{kind} is wanted")


def _topology(element: Element, given: dict[str, object]) -> dict[str, object]:
    """Take the timespan and the region out of what is given."""
    row: dict[str, object] = {}
    if element.temporal:
        row["timespan_begin"], row["timespan_end"] = _bounds(element, given.pop("timespan", None))
    if element.spatial:
        region = given.pop("region", None)
        encode = getattr(region, "encode", None)
        region = encode() if callable(encode) and not isinstance(region, str) else region
        if region is not None and not isinstance(region, bytes):
            raise BadDefinition(
                f"a record of {element.name!r}", f"region={shown(region)}", "give a region of lsst.sphgeom"
            )
        row["region"] = region
    return row


def _bounds(element: Element, span: object) -> tuple[int | None, int | None]:
    if isinstance(span, tuple | list) and len(span) == 2:
        span = Timespan.of(*span)
    if span is None:
        return None, None
    if not isinstance(span, Timespan):
        raise BadDefinition(f"a record of {element.name!r}", f"timespan={shown(span)}", "give (begin, end)")
    return bounds(span)


def bounds(span: Timespan) -> tuple[int, int]:
    """Give begin and end as columns hold them."""
    begin = MIN_NS if span.begin_ns is None else span.begin_ns
    end = MAX_NS if span.end_ns is None else span.end_ns
    return begin, end


def timespan(begin_ns: int, end_ns: int) -> Timespan:
    """Give the timespan of two columns."""
    return Timespan(None if begin_ns == MIN_NS else begin_ns, None if end_ns == MAX_NS else end_ns)
