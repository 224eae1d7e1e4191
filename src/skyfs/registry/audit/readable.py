"""Rules that rows can be read at all: texts and names in them are such as skyfs writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from ...model.collection import Collection, CollectionKind
from ...model.dataset import DatasetType
from ...model.element import side_table
from ..statement import AnyRow
from .ground import Ground
from .rule import Broken, Rule, SelectRule

ID_BYTES = 16
_TODO = "restore the registry from a copy, or make it anew: skyfs rebuild"


class ReadableRule(Rule):
    """All rows of a small table can be read."""

    code, mendable, todo = "unreadable-row", False, _TODO

    def __init__(self, ground: Ground, table: str, read: Callable[[AnyRow], object]) -> None:
        self._ground, self._table, self._read = ground, table, read

    def find(self) -> Broken:
        broken = Broken()
        for row in self._ground.database.read(sa.select(self._ground.schema[self._table])):
            why = self._why_not(row)
            if why:
                named = row._asdict()
                what = named.get("name", named.get("id"))
                broken.add(1, [(f"{self._table} {what!r}", why)])
        return broken

    def _why_not(self, row: AnyRow) -> str:
        try:
            self._read(row)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            return str(error) if isinstance(error, ValueError) else repr(error)
        return ""


def readable_rules(ground: Ground) -> Iterator[Rule]:
    """Give the rules that dimension groups, types, collections and side tables can be read."""
    universe = ground.schema.universe
    nothing = universe.group(())

    def read_type(row: AnyRow) -> None:
        captured = tuple((name, source) for name, source in json.loads(row.capture))
        DatasetType(row.name, nothing, row.storage_class, bool(row.calibration), captured)

    yield ReadableRule(ground, "dimension_group", lambda row: universe.group(json.loads(row.dimensions)))
    yield ReadableRule(ground, "dataset_type", read_type)
    yield ReadableRule(ground, "collection", lambda row: Collection(row.name, CollectionKind(row.kind)))
    yield ReadableRule(ground, "attachment", lambda row: side_table(row.name, json.loads(row.definition)))


def id_rule(ground: Ground) -> Rule:
    """Give the rule that ids of datasets are ids."""
    dataset = ground.schema["dataset"]
    return SelectRule(
        ground.database,
        "unreadable-row",
        sa.select(dataset.c.id, sa.func.length(dataset.c.uuid).label("size")).where(
            sa.func.length(dataset.c.uuid) != ID_BYTES
        ),
        lambda row: (f"dataset row {row.id}", f"its id has {row.size} bytes, not {ID_BYTES}"),
        _TODO,
    )
