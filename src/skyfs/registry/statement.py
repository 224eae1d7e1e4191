"""Statements made into text once for each kind of database: compiling one takes longer than running it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from .constructs import Spelled

# Rows that were read, and rows to write.
AnyRow: TypeAlias = "sa.Row[*tuple[Any, ...]]"
Rows: TypeAlias = Sequence[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Language:
    """The SQL of a kind of database.

    Attributes
    ----------
    dialect
        Renders statements; it numbers bound parameters as they come.
    numbered
        Finds such a number in a text.
    mark
        What stands before the number of a parameter that may stand in several places.
    """

    dialect: Dialect
    numbered: re.Pattern[str]
    mark: str


class _Kept:
    """A statement and its text in the language that it was last asked for: a registry knows one."""

    __slots__ = ("_into", "_language", "_names", "_rendered", "_statement")

    def __init__(
        self, statement: sa.sql.ClauseElement, names: Sequence[str] | None, into: str | None = None
    ) -> None:
        self._statement = statement
        self._names = names
        self._into = into
        self._language: Language | None = None
        self._rendered = Rendered("", (), {})

    def rendered(self, language: Language) -> Rendered:
        """Give it as text."""
        if self._language is not language:
            self._rendered = _render(self._statement, self._names, language, self._into)
            self._language = language
        return self._rendered


class Statement(_Kept):
    """An INSERT, UPDATE or DELETE that is run for many rows.

    Parameters
    ----------
    statement
        It has bound parameters of these names, and no others; one may stand in it several times.
    names
        What the values of a row are, in order.
    into
        The table, of a statement that does nothing but insert rows with these columns.
    """

    __slots__ = ()

    def __init__(
        self, statement: sa.Insert | sa.Update | sa.Delete, names: Sequence[str], into: str | None = None
    ) -> None:
        super().__init__(statement, names, into)

    @classmethod
    def insert(cls, table: sa.Table) -> Statement:
        """Insert rows with a value for each column of the table."""
        return cls(table.insert().inline(), list(table.c.keys()), table.name)


class Selection(_Kept):
    """A SELECT that is run many times."""

    __slots__ = ()

    def __init__(self, statement: sa.Select[Any] | sa.CompoundSelect[Any] | Spelled) -> None:
        super().__init__(statement, None)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of a statement.

    Attributes
    ----------
    text
        SQL in which a number names each parameter: ``?1`` or ``$1`` for the first of ``names``.
    constants
        Values of parameters that are the same each time.
    into
        The table whose columns are ``names``, of a statement that does nothing but insert rows.
    """

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, object]
    into: str | None = None

    def values(self, params: Mapping[str, object]) -> list[object]:
        """Give the values to bind, in order."""
        found = {**self.constants, **params}
        return [found[name] for name in self.names]


def _render(
    statement: sa.sql.ClauseElement, names: Sequence[str] | None, language: Language, into: str | None
) -> Rendered:
    """Give text with a number for each of ``names``, wherever it stands; default: all that it has."""
    compiled = statement.compile(dialect=language.dialect)
    used: Sequence[str] = getattr(compiled, "positiontup", None) or ()
    listed = tuple(dict.fromkeys(used)) if names is None else tuple(names)
    order = [listed.index(name) + 1 for name in used]
    text = language.numbered.sub(lambda found: f"{language.mark}{order[int(found[1]) - 1]}", str(compiled))
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Rendered(text, listed, constants, into)


def among(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Ask for the rows whose column has one of the values that `Database.read_among` binds."""
    return column.in_(sa.bindparam("among", expanding=True))
