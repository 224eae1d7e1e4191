"""Statements that change rows, made into text once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

# Rows that were read, and rows to write.
AnyRow: TypeAlias = "sa.Row[*tuple[Any, ...]]"
Rows: TypeAlias = Sequence[tuple[object, ...]]

_DIALECT = sqlite.dialect(paramstyle="numeric")
_NUMBERED = re.compile(r":(\d+)")


class Statement:
    """An INSERT, UPDATE or DELETE that is run for many rows.

    Parameters
    ----------
    statement
        It has bound parameters of these names, and no others; one may stand in it several times.
    names
        What the values of a row are, in order.

    Attributes
    ----------
    text
        SQL with ``?1`` for the first value of a row, wherever it stands.
    """

    def __init__(self, statement: sa.Insert | sa.Update | sa.Delete, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        order = [list(names).index(name) + 1 for name in compiled.positiontup or ()]
        self.text = _NUMBERED.sub(lambda found: f"?{order[int(found[1]) - 1]}", str(compiled))

    @classmethod
    def insert(cls, table: sa.Table) -> Statement:
        """Insert rows with a value for each column of the table."""
        return cls(table.insert().inline(), list(table.c.keys()))
