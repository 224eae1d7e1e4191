"""The metadata of tables as astropy writes it: YAML in a header, in ECSV, parquet and HDF5."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

# Longer headers are parsed each time rather than kept.

META = b"table_meta_yaml"
"""Where files of arrow's have it."""


_KEPT_CHARACTERS = 1 << 16


def meta_of(lines: Iterable[str]) -> Mapping[str, object]:
    """Give a table's own metadata, without what is said of its columns; it belongs to the caller."""
    found = parse_header(lines).get("meta")
    if not isinstance(found, Mapping):
        return {}
    return {str(key): value for key, value in copy.deepcopy(found).items()}


def parse_header(lines: Iterable[str]) -> Mapping[str, Any]:
    """Read astropy's description of a table; others are given the same, so it is not to be changed."""
    text = "\n".join(lines)
    # The tables of a type have the same columns, and to parse YAML takes longer than to read a small table.
    return _parsed(text) if len(text) <= _KEPT_CHARACTERS else _parsed.__wrapped__(text)


@lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    from astropy.table.meta import get_header_from_yaml

    # astropy's loader is a safe one: it makes a fixed set of its own classes, nothing else.
    found: dict[str, Any] = get_header_from_yaml(text.split("\n"))
    return found
