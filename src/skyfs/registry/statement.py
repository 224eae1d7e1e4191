"""Statements made into text once: compiling one takes longer than running it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
        self.text, _ = _compiled(statement, names)

    @classmethod
    def insert(cls, table: sa.Table) -> Statement:
        """Insert rows with a value for each column of the table."""
        return cls(table.insert().inline(), list(table.c.keys()))


class Selection:
    """A SELECT that is run many times.

    Attributes
    ----------
    text
        SQL with ``?1`` for the first of ``names``.
    names
        Of its bound parameters.
    constants
        Values of those that are the same each time.
    """

    __slots__ = ("constants", "names", "text")

    def __init__(self, statement: sa.Select[Any] | sa.CompoundSelect[Any]) -> None:
        self.text, self.names = _compiled(statement, None)
        values = statement.compile(dialect=_DIALECT).params
        self.constants = {name: value for name, value in values.items() if value is not None}

    def values(self, params: Mapping[str, object]) -> list[object]:
        """Give the values to bind, in order."""
        found = {**self.constants, **params}
        return [found[name] for name in self.names]


def _compiled(statement: sa.sql.ClauseElement, names: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    """Give text with a number for each of ``names``, wherever it stands; default: all that it has."""
    compiled = statement.compile(dialect=_DIALECT)
    used: Sequence[str] = getattr(compiled, "positiontup", None) or ()
    listed = tuple(dict.fromkeys(used)) if names is None else tuple(names)
    order = [listed.index(name) + 1 for name in used]
    return _NUMBERED.sub(lambda found: f"?{order[int(found[1]) - 1]}", str(compiled)), listed
