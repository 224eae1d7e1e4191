"""Values that are read from the bytes of datasets as they are stored: where they stand, and what they are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from ..errors import BadDefinition
from .quoting import shown

Scalar: TypeAlias = "bool | int | float | str"

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ESCAPE = re.compile(r"~(?![01])")
_INT64 = 2**63
# What expressions call these of any dataset.
_TAKEN = frozenset(("dataset_id", "ingest_date", "run", "collection", "timespan"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value stands: a keyword of the header, or a pointer (RFC 6901) into a document."""

    kind: Literal["header", "json"]
    path: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read ``header:KEYWORD`` or ``json:/a/b``.

        Raises
        ------
        BadDefinition
            When it is neither.
        """
        kind, _, place = text.partition(":")
        if kind == "header" and place.strip() and place.isprintable():
            return cls("header", (place.strip(),))
        if kind == "json" and place.startswith("/") and not _ESCAPE.search(place):
            parts = place[1:].split("/")
            return cls("json", tuple(part.replace("~1", "/").replace("~0", "~") for part in parts))
        todo = "give header:KEYWORD, or json:/a/b (in its parts ~0 is '~' and ~1 is '/')"
        raise BadDefinition(f"capture {shown(text)}", "no keyword and no pointer", todo)

    def find(self, content: object) -> Scalar | None:
        """Give the value in a header or document; None when there is none, or it is no plain value."""
        if self.kind == "header":
            header = content if isinstance(content, Mapping) else {}
            (keyword,) = self.path
            return scalar(header.get(keyword, header.get(keyword.upper())))
        for part in self.path:
            content = _inside(content, part)
        return scalar(content)


def check_capture(name: str, text: str) -> None:
    """Raise BadDefinition when a value cannot be captured by this name from this place."""
    if not _NAME.fullmatch(name):
        raise BadDefinition(f"capture {shown(name)}", "not a name", "letters, digits and _")
    if name in _TAKEN:
        raise BadDefinition(f"capture {name!r}", "every dataset has a field of that name", "choose another")
    Source.parse(text)


def scalar(value: object) -> Scalar | None:
    """Give a value as it is kept; None of what is no number, text, date, true or false."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else _as_float(value)
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value.isoformat() if isinstance(value, date | datetime) else None


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _inside(content: object, part: str) -> object:
    if isinstance(content, Mapping):
        return content.get(part)
    if isinstance(content, list) and re.fullmatch("0|[1-9][0-9]*", part, re.ASCII):
        place = int(part) if len(part) < 20 else len(content)
        return content[place] if place < len(content) else None
    return None
