"""The rule that collections list datasets under their own data IDs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import sqlalchemy as sa

from ...errors import SkyfsError
from ...model.dataid import Value
from ..database import Clash
from ..dataids import DataIds
from ..statement import AnyRow
from .ground import Ground, Grouped
from .records import pages
from .rule import Broken, Rule, missing

_Levels = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A row of a membership table, and the values that it should have."""

    table: sa.Table
    row: AnyRow
    levels: _Levels


class LevelsRule(Rule):
    """Every member is listed under the data ID that its dataset has."""

    code, mendable = "wrong-data-id", True
    todo = "list it under its own data ID, or, when another one is listed there, remove one of them"

    def __init__(self, ground: Ground, grouped: Grouped, data_ids: DataIds) -> None:
        self._ground, self._group, self._data_ids = ground, grouped.group, data_ids
        self._tables = (grouped.tables.member, grouped.tables.valid)

    def find(self) -> Broken:
        broken = Broken()
        for wrong in self._wrong():
            named = self._ground.member(wrong.row._asdict(), self._group.levels)
            own = ", ".join(map(str, wrong.levels))
            broken.add(1, [(named, f"its dataset {wrong.row.dataset_id} is another one: {own}")])
        return broken

    def mend(self) -> None:
        for wrong in list(self._wrong()):
            self._mend(wrong)

    def _wrong(self) -> Iterator[_Wrong]:
        dataset = self._ground.schema["dataset"]
        for table in self._tables if self._group.levels else ():
            select = sa.select(table, dataset.c.data_id).join(dataset, dataset.c.id == table.c.dataset_id)
            select = select.where(self._suspect(table, dataset.c.data_id))
            for rows in pages(self._ground, select, list(table.primary_key.columns)):
                yield from self._compared(table, rows)

    def _suspect(self, table: sa.Table, text: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """Demand what the database can find out: of few rows it has to be looked at closely."""
        written = [_as_json(table.c[name]) for name in self._group.required]
        differs: list[sa.ColumnElement[bool]] = [reduce(lambda some, one: some + "," + one, written) != text]
        universe = self._ground.schema.universe
        for level, dimension in self._group.grouping:
            element = universe.element(dimension)
            recorded = self._ground.schema.records(element)
            same = [recorded.c[name] == table.c[name] for name in (*element.identity, level)]
            differs.append(missing(recorded, *same))
        return sa.or_(*differs)

    def _compared(self, table: sa.Table, rows: Sequence[AnyRow]) -> Iterator[_Wrong]:
        own = self._own([row.data_id for row in rows])
        for row in rows:
            listed = tuple(row._asdict()[level] for level in self._group.levels)
            levels = own.get(row.data_id)
            if levels is not None and levels != listed:
                yield _Wrong(table, row, levels)

    def _own(self, texts: Sequence[str]) -> dict[str, _Levels]:
        """Give the values of all levels; left out is what other rules tell of: no text, no record."""
        known: dict[str, _Levels] = {}
        for text in dict.fromkeys(texts):
            try:
                required = tuple(json.loads(f"[{text}]"))
                if len(required) == len(self._group.required):
                    known[text] = required
            except ValueError:
                continue
        try:
            return dict(zip(known, self._data_ids.fill(self._group, list(known.values())), strict=True))
        except (KeyError, SkyfsError):
            return dict(self._one_by_one(known))

    def _one_by_one(self, known: dict[str, _Levels]) -> Iterator[tuple[str, _Levels]]:
        for text, required in known.items():
            try:
                yield text, self._data_ids.fill(self._group, [required])[0]
            except (KeyError, SkyfsError):
                continue

    def _mend(self, wrong: _Wrong) -> None:
        """Move a row to its place; it goes when the same dataset is listed there already."""
        database, table = self._ground.database, wrong.table
        there, right = _at(table, wrong.row), dict(zip(self._group.levels, wrong.levels, strict=True))
        try:
            with database.transaction():
                database.write(table.update().where(*there).values(**right))
        except Clash:
            same = {**wrong.row._asdict(), **right}
            held = sa.select(table.c.dataset_id).where(*_at(table, wrong.row, same))
            if database.read(held)[0][0] == wrong.row.dataset_id:
                database.write(table.delete().where(*there))


def _as_json(column: sa.Column[Any]) -> sa.ColumnElement[str]:
    """Write a value as JSON does, but for texts that it escapes."""
    text = sa.cast(column, sa.Text)
    return text if isinstance(column.type, sa.Integer) else sa.literal('"') + text + sa.literal('"')


def _at(table: sa.Table, row: AnyRow, values: dict[str, Any] | None = None) -> list[sa.ColumnElement[bool]]:
    found = row._asdict() if values is None else values
    return [column == found[column.name] for column in table.primary_key.columns]
