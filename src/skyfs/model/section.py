"""A mapping of a definition, read strictly: every key known, every value of its type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from ..errors import BadDefinition, nearest
from .quoting import shown

_MOST = 2**63 - 1
_LARGEST = 1e300


class Section:
    """One mapping of a definition, and where it stands in it.

    Every method raises BadDefinition when a value is not what it should be.

    Raises
    ------
    BadDefinition
        When it is no mapping, or has a key that is not among ``keys``.
    """

    def __init__(self, value: object, where: str, keys: Sequence[str] | None = None) -> None:
        self.where = where
        if not isinstance(value, Mapping):
            raise BadDefinition(where, f"{shown(value)} is no mapping", "write key: value lines")
        self.given: Mapping[str, object] = value
        if keys is not None:
            self.only(keys)

    def only(self, keys: Iterable[str]) -> None:
        """Refuse all other keys."""
        known = list(keys)
        for key in self.given:
            if key not in known:
                raise BadDefinition(self.where, f"unknown key {shown(key)}", nearest(str(key), known))

    def __contains__(self, key: str) -> bool:
        return self.given.get(key) is not None

    def error(self, key: str, todo: str) -> BadDefinition:
        """Make the error about the value of a key."""
        return BadDefinition(f"{self.where}: {key}", shown(self.given.get(key)), todo)

    def raw(self, key: str) -> object:
        """Give a value as it is; None when it is not there."""
        return self.given.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Give a text, not empty."""
        value = self.given.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.error(key, "a text is wanted")
        return value

    def integer(self, key: str, default: int | None = None, *, least: int = 0, most: int = _MOST) -> int:
        """Give a whole number."""
        return self._whole(key, self.given.get(key, default), least, most)

    def integers(self, key: str, number: int, *, least: int = 0, most: int = _MOST) -> tuple[int, ...]:
        """Give a list of so many whole numbers."""
        value = self.given.get(key)
        if not isinstance(value, list | tuple) or len(value) != number:
            raise self.error(key, f"a list of {number} whole numbers is wanted")
        return tuple(self._whole(key, one, least, most) for one in value)

    def _whole(self, key: str, value: object, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            limit = "or more" if most == _MOST else f"to {most}"
            raise self.error(key, f"a whole number is wanted, {least} {limit}")
        return value

    def number(self, key: str, default: float | None = None, *, least: float = -_LARGEST) -> float:
        """Give a finite number."""
        value = self.given.get(key, default)
        if not _is_number(value):
            raise self.error(key, "a number is wanted")
        if value < least:
            raise self.error(key, f"{least:g} or more is wanted")
        return value

    def pairs(self, key: str) -> list[tuple[float, float]]:
        """Give a list of pairs of numbers."""
        value = self.given.get(key)
        found: list[tuple[float, float]] = []
        for pair in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(map(_is_number, pair)):
                raise self.error(key, "a list of pairs of numbers is wanted")
            found.append((float(pair[0]), float(pair[1])))
        return found

    def sections(self, key: str) -> list[Section]:
        """Give a list of mappings; empty when the key is not there."""
        value = self.given.get(key, ())
        if not isinstance(value, list | tuple):
            raise self.error(key, "a list is wanted")
        return [Section(one, f"{self.where}, {key}[{place}]") for place, one in enumerate(value)]

    def texts(self, key: str) -> tuple[str, ...]:
        """Give one text or a list of texts as a tuple; empty when the key is not there."""
        value = self.given.get(key)
        listed = [value] if isinstance(value, str) else [] if value is None else value
        if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
            raise self.error(key, "a text, or a list of texts, is wanted")
        return tuple(listed)

    def items(self, key: str) -> list[tuple[str, object]]:
        """Give the pairs of a mapping with text keys; none when the key is not there."""
        value = self.given.get(key, {})
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise self.error(key, "a mapping with texts as keys is wanted (quote numbers)")
        return list(value.items())

    def text_items(self, key: str) -> list[tuple[str, str]]:
        """Give the pairs of a mapping of texts to texts."""
        pairs = [(name, value) for name, value in self.items(key) if isinstance(value, str) and value]
        if len(pairs) < len(self.items(key)):
            raise self.error(key, "its values are to be texts")
        return pairs

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """Give one of a few texts."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(key, f"one of {', '.join(choices)}")
        return value

    def pattern(self, key: str, text: str) -> re.Pattern[str]:
        """Compile a regular expression that the key holds."""
        try:
            return re.compile(text)
        except (re.error, OverflowError) as error:
            raise BadDefinition(
                f"{self.where}: {key}", f"{text!r}: {error}", "a regular expression"
            ) from None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
