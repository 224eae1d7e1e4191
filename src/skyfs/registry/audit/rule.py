"""One rule, and what breaks it; rules that are one SELECT."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..database import Database
from ..statement import AnyRow, Statement

SHOWN = 1_000
"""So many broken rows are described; the others are counted."""

_RANGE_ROWS = 500_000

Described = tuple[str, str]
Rows = sa.Select[Any] | sa.CompoundSelect[Any]
Describe = Callable[[AnyRow], Described]


@dataclass(slots=True)
class Broken:
    """What breaks a rule.

    Attributes
    ----------
    count
        How many rows.
    shown
        What the first of them are, and what was found of each.
    """

    count: int = 0
    shown: list[Described] = field(default_factory=list)

    def add(self, count: int, shown: Sequence[Described]) -> None:
        """Add more."""
        self.count += count
        self.shown += shown[: SHOWN - len(self.shown)]


class Rule(ABC):
    """A rule with a stable code.

    Attributes
    ----------
    code
        Its name in reports.
    todo
        What a person does about it.
    mendable
        Whether `mend` does it.
    """

    code: str
    todo: str
    mendable: bool

    @abstractmethod
    def find(self) -> Broken:
        """Look for what breaks it; a live writer's changes are whole, so they never do."""

    def mend(self) -> None:
        """Make it hold again as far as possible, inside of the caller's transaction."""
        raise NotImplementedError(self.code)


@dataclass(slots=True)
class SelectRule(Rule):
    """No row may be given by a SELECT.

    Parameters
    ----------
    select
        The rows that break it.
    describe
        Says of a row what it is, and what is wrong.
    mends
        Statements that mend all such rows at once.
    """

    database: Database
    code: str
    select: Rows
    describe: Describe
    todo: str
    mends: Sequence[sa.Executable] = ()

    @property
    def mendable(self) -> bool:  # type: ignore[override]
        """Whether there is a statement that mends."""
        return bool(self.mends)

    def find(self) -> Broken:
        broken = Broken()
        broken.add(*some(self.database, self.select, {}, self.describe))
        return broken

    def mend(self) -> None:
        for statement in self.mends:
            self.database.write(statement)


@dataclass(slots=True)
class RangedRule(Rule):
    """No row may be given by a SELECT that compares whole tables: it is asked for one range of ids at a time.

    Parameters
    ----------
    ids
        The column whose values are gone over; the SELECT has parameters ``first`` and ``end``.
    mends
        Run for each row; its parameters are the row's columns in order.
    """

    database: Database
    code: str
    select: Rows
    describe: Describe
    todo: str
    ids: sa.Column[Any]
    mends: Statement | None = None

    @property
    def mendable(self) -> bool:  # type: ignore[override]
        """Whether there is a statement that mends."""
        return self.mends is not None

    def find(self) -> Broken:
        broken = Broken()
        for params in ranges(self.database, self.ids):
            broken.add(*some(self.database, self.select, params, self.describe))
        return broken

    def mend(self) -> None:
        for params in ranges(self.database, self.ids):
            rows = self.database.read(self.select, params)
            if rows and self.mends is not None:
                self.database.write_many(self.mends, [tuple(row) for row in rows])


def ranges(database: Database, ids: sa.Column[Any]) -> Iterator[Mapping[str, object]]:
    """Give ranges that cover all values of a column of ids: so memory does not grow with a table."""
    least, most = database.read(sa.select(sa.func.min(ids), sa.func.max(ids)))[0]
    if least is not None:
        for first in range(least, most + 1, _RANGE_ROWS):
            yield {"first": first, "end": first + _RANGE_ROWS}


def within(ids: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Demand that an id is in the range that is asked for."""
    return (ids >= sa.bindparam("first")) & (ids < sa.bindparam("end"))


def some(
    database: Database, select: Rows, params: Mapping[str, object], describe: Describe
) -> tuple[int, list[Described]]:
    """Count rows, and describe the first."""
    rows = database.read(select.limit(SHOWN + 1), params)
    count = len(rows)
    if count > SHOWN:
        counting = sa.select(sa.func.count()).select_from(select.subquery())
        count = int(database.read(counting, params)[0][0])
    return count, [describe(row) for row in rows[:SHOWN]]


def missing(table: sa.FromClause, *same: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Demand that a table has no such row."""
    return ~sa.exists().select_from(table).where(*same)
