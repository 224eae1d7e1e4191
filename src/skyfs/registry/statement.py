"""Statements that change rows, made into text once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

_DIALECT = sqlite.dialect(paramstyle="qmark")

# Rows that were read, and rows to write.
AnyRow: TypeAlias = "sa.Row[*tuple[Any, ...]]"
Rows: TypeAlias = Sequence[tuple[object, ...]]


class Statement:
    """An INSERT, UPDATE or DELETE that is run for many rows.

    Parameters
    ----------
    statement
        It has bound parameters of these names, and no others; one may stand in it several times.
    names
        What the values of a row are, in order.
    """

    def __init__(self, statement: sa.Insert | sa.Update | sa.Delete, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        order = [list(names).index(name) for name in compiled.positiontup or ()]
        self.text = str(compiled)
        self._order = None if order == list(range(len(names))) else order

    @classmethod
    def insert(cls, table: sa.Table) -> Statement:
        """Insert rows with a value for each column of the table."""
        return cls(table.insert().inline(), list(table.c.keys()))

    def arrange(self, rows: Rows) -> list[tuple[object, ...]]:
        """Give the values of rows as the text wants them."""
        order = self._order
        if order is None:
            return list(rows)
        return [tuple([row[index] for index in order]) for row in rows]
