"""The index of regions: which cells of the sphere they lie in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa

from ..model.dimensions import Element
from .database import Database
from .schema import Schema
from .statement import Statement

_Row = Mapping[str, object]


class Regions:
    """Keeps the cells of records' regions, inside of the caller's transaction."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._schema = schema
        self._kept: dict[tuple[str, str], Statement] = {}

    def add(self, element: Element, rows: Iterable[_Row]) -> None:
        """Index the regions of new records."""
        self._database.write_many(self._statement("add", element), list(self.cells(element, rows)))

    def drop(self, element: Element, rows: Iterable[_Row]) -> None:
        """Forget the regions of records."""
        self._database.write_many(self._statement("drop", element), list(self.cells(element, rows)))

    @staticmethod
    def cells(element: Element, rows: Iterable[_Row]) -> Iterator[tuple[object, ...]]:
        """Give the rows of the index for records."""
        from ..model.region_cells import covering

        for row in rows:
            if row["region"] is not None:
                identity = [row[name] for name in element.identity]
                for cell, own in covering(row["region"]):  # type: ignore[arg-type]
                    yield cell, own, *identity

    def _statement(self, verb: str, element: Element) -> Statement:
        key = (verb, element.name)
        if key not in self._kept:
            table = self._schema.overlaps(element)
            self._kept[key] = Statement.insert(table) if verb == "add" else _deleting(table)
        return self._kept[key]


def _deleting(table: sa.Table) -> Statement:
    names = list(table.c.keys())
    return Statement(
        table.delete().where(*(table.c[name] == sa.bindparam(f"a_{name}") for name in names)),
        [f"a_{name}" for name in names],
    )
