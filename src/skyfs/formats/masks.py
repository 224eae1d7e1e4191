"""Masks of table columns that a format cannot mark in the values themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.table import Column, Table


def with_masks(table: Table, context: str, wanted: Callable[[Column], bool]) -> Table:
    """Give a shallow copy that writes the masks of some columns apart, by astropy's convention.

    Parameters
    ----------
    table
        Stays as it is.
    context
        The format as astropy's serialization calls it: ``ecsv``, ``fits``.
    wanted
        Tells which plain columns need it.
    """
    from astropy.table import Column, MaskedColumn

    copy = table.copy(copy_data=False)
    for name, column in table.columns.items():
        if isinstance(column, Column) and wanted(column):
            masked = MaskedColumn(column, copy=False)
            masked.info.serialize_method = {**masked.info.serialize_method, context: "data_mask"}
            copy.replace_column(name, masked)
    return copy
