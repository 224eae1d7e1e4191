"""Values of a configuration, each checked when it is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..errors import BadDefinition
from ..model.quoting import shown

_MOST = 2**31


class Settings:
    """A mapping from YAML; `origin` says in messages where it stands."""

    def __init__(self, given: object, origin: str) -> None:
        if not isinstance(given, Mapping):
            raise BadDefinition(origin, f"{shown(given)} is no mapping", "key: value lines are wanted")
        self._given = given
        self.origin = origin

    def only(self, *known: str) -> None:
        """Refuse all other keys."""
        unknown = sorted(str(key) for key in self._given if key not in known)
        if unknown:
            raise BadDefinition(self.origin, f"unknown key {unknown[0]!r}", f"there are {', '.join(known)}")

    def plain(self) -> dict[str, object]:
        """Give all as it was written."""
        return dict(self._given)

    def has(self, key: str) -> bool:
        """Tell whether a key is there."""
        return key in self._given

    def text(self, key: str, default: str | None = None) -> str:
        """Give a text that is not empty."""
        value = self._value(key, default)
        if not isinstance(value, str) or not value:
            raise self._bad(key, value, "a text")
        return value

    def number(self, key: str, default: float | None = None, *, least: float = -math.inf) -> float:
        """Give a finite number."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST:
            raise self._bad(key, value, "a number")
        if value < least:
            raise self._bad(key, value, f"{least:g} or more")
        return float(value)

    def count(self, key: str, *, least: int, most: int = _MOST) -> int:
        """Give a whole number."""
        return self._whole(key, self._value(key, None), least, most)

    def counts(self, key: str, number: int, *, least: int) -> tuple[int, ...]:
        """Give a list of so many whole numbers."""
        value = self._value(key, None)
        if not isinstance(value, list | tuple) or len(value) != number:
            raise self._bad(key, value, f"a list of {number} whole numbers")
        return tuple(self._whole(key, one, least, _MOST) for one in value)

    def pairs(self, key: str) -> list[tuple[float, float]]:
        """Give a list of pairs of numbers."""
        value = self._value(key, None)
        if not isinstance(value, list | tuple):
            raise self._bad(key, value, "a list of [ra, dec]")
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(map(_is_number, pair)):
                raise self._bad(key, pair, "[ra, dec]")
        return [(float(ra), float(dec)) for ra, dec in value]

    def children(self, key: str, default: Sequence[object] | None = None) -> list[Settings]:
        """Give a list of mappings."""
        value = self._value(key, default)
        if not isinstance(value, list | tuple):
            raise self._bad(key, value, "a list")
        return [Settings(one, f"{self.origin}, {key}[{place}]") for place, one in enumerate(value)]

    def _value(self, key: str, default: object) -> object:
        value = self._given.get(key, default)
        if value is None:
            raise BadDefinition(self.origin, f"{key!r} is missing", f"add the line {key}: ...")
        return value

    def _whole(self, key: str, value: object, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._bad(key, value, "a whole number")
        if not least <= value <= most:
            raise self._bad(key, value, f"from {least} to {most}")
        return value

    def _bad(self, key: str, value: object, wanted: str) -> BadDefinition:
        return BadDefinition(self.origin, f"{key}: {shown(value)}", f"{wanted} is wanted")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST
