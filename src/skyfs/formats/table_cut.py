"""Rows and columns of tables that are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skyfs.errors import BadArgument
from skyfs.model.selectors import Selector

from .column_choice import chosen_columns, require_table_selectors, row_filter
from .row_evaluation import select
from .row_values import Value, array, constant

if TYPE_CHECKING:
    from astropy.table import Table


def cut_whole(table: Table, selectors: Sequence[Selector], extension: str) -> Table:
    """Give the rows and columns that the selectors name, with units and metadata.

    Raises
    ------
    BadArgument
        When there is no such column, or the filter does not fit.
    Unsupported
        When a selector is about images or HDUs.
    """
    require_table_selectors(selectors, extension)
    names = list(table.colnames)
    kept = [names[index] for index in chosen_columns(names, selectors)]
    expression = row_filter(selectors)
    rows = table if expression is None else table[select(expression, _Rows(table))]
    return rows[kept]


class _Rows:
    """All rows of a table, as expressions see them."""

    first = 1

    def __init__(self, table: Table) -> None:
        self._table = table
        self.count = len(table)

    def column(self, name: str) -> Value | None:
        from astropy.table import Column

        wanted = name.strip().lower()
        found = next((one for one in self._table.colnames if one.lower() == wanted), None)
        if found is None:
            return None
        column = self._table[found]
        plain = isinstance(column, Column) or hasattr(column, "unmasked") or hasattr(column, "unit")
        mask = np.asarray(column.mask) if np.any(getattr(column, "mask", False)) else None
        data = np.ma.getdata(column) if isinstance(column, Column) else getattr(column, "value", None)
        value = array(np.asarray(data), mask) if plain and data is not None else None
        if value is None:
            kind = getattr(column, "dtype", type(column).__name__)
            raise BadArgument(
                f"column {found!r} in a row filter", f"its values are {kind}", "use plain columns"
            )
        return value

    def keyword(self, name: str) -> Value | None:
        found = {str(key).lower(): value for key, value in self._table.meta.items()}
        return constant(found[name.lower()]) if name.lower() in found else None

    def columns(self) -> tuple[str, ...]:
        return tuple(self._table.colnames)
