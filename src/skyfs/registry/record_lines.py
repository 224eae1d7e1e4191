"""Values of records as the registry gives and takes them ↔ as JSON has them."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping, Sequence

from ..errors import BadContent
from ..model.dimensions import Element
from ..model.manifest_line import RecordsLine
from ..model.quoting import shown
from ..model.timespan import Timespan

_FLOATS = {repr(value): value for value in (math.inf, -math.inf)}


def to_line(element: Element, records: Sequence[Mapping[str, object]]) -> RecordsLine:
    """Give records, of which there is at least one, as a line."""
    columns = tuple(records[0])
    return RecordsLine(
        element.name, columns, tuple([tuple([_plain(one[name]) for name in columns]) for one in records])
    )


def from_line(element: Element, line: RecordsLine) -> list[dict[str, object]]:
    """Give the records of a line.

    Raises
    ------
    BadContent
        When a timespan, or bytes, are not written as such.
    """
    kinds = {column.name: column.type for column in (*element.keys[1:], *element.metadata)}
    if element.temporal:
        kinds["timespan"] = "timespan"  # type: ignore[assignment]
    if element.spatial:
        kinds["region"] = "bytes"
    special = [
        (index, kinds[name])
        for index, name in enumerate(line.columns)
        if kinds.get(name) in ("timespan", "bytes", "float")
    ]
    return [dict(zip(line.columns, _row(element, row, special), strict=True)) for row in line.rows]


def _plain(value: object) -> object:
    if isinstance(value, Timespan):
        return [value.begin_ns, value.end_ns]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and math.isinf(value):
        return repr(value)
    return value


def _row(element: Element, row: Sequence[object], special: Iterable[tuple[int, str]]) -> Sequence[object]:
    values = list(row)
    for index, kind in special:
        value = values[index]
        if value is None:
            continue
        if kind == "timespan":
            values[index] = _span(element, value)
        elif kind == "bytes":
            values[index] = _bytes(element, value)
        elif isinstance(value, str):
            values[index] = _FLOATS.get(value, value)
    return values


def _span(element: Element, value: object) -> Timespan:
    if isinstance(value, list) and len(value) == 2 and all(one is None or type(one) is int for one in value):
        return Timespan(*value)
    raise BadContent(f"a record of {element.name!r}", f"the timespan {shown(value)}", "[begin_ns, end_ns]")


def _bytes(element: Element, value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError):
        raise BadContent(f"a record of {element.name!r}", f"the bytes {shown(value)}", "base64") from None
