"""What all rules stand on: the database, its tables, and the names that messages use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ...model.dimensions import DimensionGroup
from ..database import Database
from ..schema import GroupTables, Schema


@dataclass(frozen=True, slots=True)
class Grouped:
    """The membership tables of one dimension group."""

    id: int
    group: DimensionGroup
    tables: GroupTables


@dataclass(slots=True)
class Ground:
    """The tables, read as they are: nothing is taken for granted of what other rules are about."""

    database: Database
    schema: Schema
    _collections: dict[int, str] = field(default_factory=dict)
    _types: dict[int, str] = field(default_factory=dict)

    def groups(self) -> Iterator[Grouped]:
        """Give the dimension groups."""
        table = self.schema["dimension_group"]
        for row in self.database.read(sa.select(table).order_by(table.c.id)):
            group = self.schema.universe.group(json.loads(row.dimensions))
            yield Grouped(row.id, group, self.schema.group(row.id, group))

    def collection(self, number: int) -> str:
        """Name a collection."""
        return _name(self.database, self.schema["collection"], self._collections, number)

    def type(self, number: int) -> str:
        """Name a dataset type."""
        return _name(self.database, self.schema["dataset_type"], self._types, number)

    def member(self, row: Mapping[str, Any], levels: Iterable[str]) -> str:
        """Name a row of a membership table."""
        named = ", ".join(f"{level}={row[level]}" for level in levels)
        return f"{self.type(row['type_id'])} [{named}] in {self.collection(row['collection_id'])}"

    def dataset(self, row: Mapping[str, Any]) -> str:
        """Name a row of the table of datasets."""
        named = f"{self.type(row['type_id'])} [{row['data_id']}] in {self.collection(row['run_id'])}"
        return f"{named}, id {bytes(row['uuid']).hex()}"


def _name(database: Database, table: sa.Table, known: dict[int, str], number: int) -> str:
    if number not in known:
        rows = database.read(sa.select(table.c.name).where(table.c.id == number))
        known[number] = repr(rows[0][0]) if rows else f"{table.name} {number}, which is gone"
    return known[number]
