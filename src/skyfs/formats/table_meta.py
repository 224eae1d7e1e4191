"""The metadata of tables as astropy writes it: YAML in a header, in ECSV, parquet and HDF5."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Column, Table

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


def header_of(table: Table) -> str:
    """Give astropy's description of a table of plain columns, as `parse_header` reads it."""
    columns = [_Described.of(column) for column in table.columns.values()]
    if table.meta or None in columns:
        return _written(table)
    # As above: to write YAML takes longer than all else that a small table needs.
    return _header_of_all(tuple(columns))


class _Described(NamedTuple):
    """All that a description says of a column."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    unit: object
    format: str | None
    description: str | None

    @classmethod
    def of(cls, column: Column) -> _Described | None:
        """Give it; None when there is more to say, or what is in the cells is described too."""
        texts = column.info.format, column.info.description
        if column.info.meta or column.dtype.kind == "O" or any(one and type(one) is not str for one in texts):
            return None
        return cls(column.info.name, column.dtype, column.shape[1:], column.info.unit, *texts)


@lru_cache(maxsize=64)
def _header_of_all(columns: tuple[_Described, ...]) -> str:
    from astropy.table import Column, Table

    return _written(Table([Column(length=0, **one._asdict()) for one in columns]))


def _written(table: Table) -> str:
    from astropy.table.meta import get_yaml_from_table

    return "\n".join(get_yaml_from_table(table))


@lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    from astropy.table.meta import get_header_from_yaml

    # astropy's loader is a safe one: it makes a fixed set of its own classes, nothing else.
    found: dict[str, Any] = get_header_from_yaml(text.split("\n"))
    return found
