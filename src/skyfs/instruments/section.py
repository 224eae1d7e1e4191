"""A mapping of a definition, read strictly: every key known, every value of its type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import BadDefinition, nearest


class Section:
    """One mapping of a definition, and where it stands in it.

    Raises
    ------
    BadDefinition
        When it is no mapping, or has a key that is not among ``keys``.
    """

    def __init__(self, value: object, where: str, keys: Sequence[str] | None) -> None:
        self.where = where
        if not isinstance(value, Mapping):
            raise BadDefinition(where, f"{_shown(value)} is no mapping", "write key: value lines")
        for key in value:
            if keys is not None and key not in keys:
                raise BadDefinition(where, f"unknown key {key!r}", nearest(str(key), keys))
        self._given: Mapping[object, object] = value

    def __contains__(self, key: str) -> bool:
        return self._given.get(key) is not None

    def error(self, key: str, todo: str) -> BadDefinition:
        """Make the error about the value of a key."""
        return BadDefinition(f"{self.where}: {key}", _shown(self._given.get(key)), todo)

    def raw(self, key: str) -> object:
        """Give a value as it is; None when it is not there."""
        return self._given.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Give a text, not empty."""
        value = self._given.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.error(key, "a text is wanted")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Give a whole number, not negative."""
        value = self._given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.error(key, "a whole number is wanted, 0 or more")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Give a number."""
        value = self._given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, "a number is wanted")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Give one text or a list of texts as a tuple; empty when the key is not there."""
        value = self._given.get(key)
        listed = [value] if isinstance(value, str) else [] if value is None else value
        if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
            raise self.error(key, "a text, or a list of texts, is wanted")
        return tuple(listed)

    def items(self, key: str) -> list[tuple[str, object]]:
        """Give the pairs of a mapping with text keys; none when the key is not there."""
        value = self._given.get(key, {})
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise self.error(key, "a mapping with texts as keys is wanted (quote numbers)")
        return list(value.items())

    def text_items(self, key: str) -> list[tuple[str, str]]:
        """Give the pairs of a mapping of texts to texts."""
        pairs = [(name, value) for name, value in self.items(key) if isinstance(value, str) and value]
        if len(pairs) < len(self.items(key)):
            raise self.error(key, "its values are to be texts")
        return pairs

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
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


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
