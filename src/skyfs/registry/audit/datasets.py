"""Rules of the rows of datasets, and of what hangs on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ...model.collection import CollectionKind
from ..catalogue import Catalogue
from ..database import Clash
from ..dataids import DataIds
from ..members import Members, Place
from ..statement import AnyRow
from .ground import Ground, Grouped
from .rule import Broken, Rule, SelectRule, missing, ranges, some, within


def dataset_rules(ground: Ground) -> Iterator[Rule]:
    """Give the rules of the rows of datasets themselves."""
    dataset, kind = ground.schema["dataset"], ground.schema["dataset_type"]
    collection = ground.schema["collection"]
    typeless = missing(kind, kind.c.id == dataset.c.type_id)
    run = collection.c.kind == str(CollectionKind.RUN)
    homeless = missing(collection, collection.c.id == dataset.c.run_id, run)
    for code, gone, found in (
        ("dataset-without-type", typeless, "its dataset type is not registered"),
        ("dataset-without-run", homeless, "its RUN is gone"),
    ):
        yield SelectRule(
            ground.database,
            code,
            sa.select(dataset).where(gone),
            lambda row, found=found: (ground.dataset(row._asdict()), found),  # type: ignore[misc]
            "restore the registry from a copy: nothing else tells what it was, or where its file is",
        )


def detail_rules(ground: Ground) -> Iterator[Rule]:
    """Give the rules of tables with details of datasets."""
    dataset = ground.schema["dataset"]
    for name, what in (("captured", "captured value"), ("provenance", "input")):
        table = ground.schema[name]
        gone = missing(dataset, dataset.c.id == table.c.dataset_id)
        yield SelectRule(
            ground.database,
            f"{name}-without-dataset",
            sa.select(table).where(gone),
            lambda row, what=what: (f"{what} of dataset {row.dataset_id}", "the dataset is gone"),  # type: ignore[misc]
            "drop the row",
            [table.delete().where(gone)],
        )


class MembershipRule(Rule):
    """Every dataset is a member of its RUN."""

    code, mendable = "dataset-without-membership", True
    todo = "make it a member again, or, when another one has its data ID by now, remove one of them"

    def __init__(self, ground: Ground, grouped: Grouped, catalogue: Catalogue, data_ids: DataIds) -> None:
        self._ground, self._grouped = ground, grouped
        self._catalogue, self._data_ids = catalogue, data_ids
        self._members = Members(ground.database, ground.schema)
        dataset = ground.schema["dataset"]
        self._ids, self._dataset = dataset.c.id, dataset
        self._select = _nowhere(ground, grouped)

    def find(self) -> Broken:
        broken = Broken()
        for params in ranges(self._ground.database, self._ids):
            broken.add(*some(self._ground.database, self._select, params, self._describe))
        return broken

    def mend(self) -> None:
        for params in ranges(self._ground.database, self._ids):
            for row in self._ground.database.read(self._select, params):
                self._mend(row.id)

    def _describe(self, row: AnyRow) -> tuple[str, str]:
        return self._ground.dataset(self._row(row.id)._asdict()), "its RUN does not list it"

    def _row(self, number: int) -> AnyRow:
        return self._ground.database.read(sa.select(self._dataset).where(self._ids == number))[0]

    def _mend(self, number: int) -> None:
        """Make a dataset a member, unless its data ID is taken, or what it implies or its RUN is gone."""
        row, snapshot = self._row(number), self._catalogue.current()
        location = self._ground.schema["location"]
        places = sa.select(location.c.artifact_id).where(location.c.dataset_id == number).limit(1)
        stored = 1 if self._ground.database.read(places) else 0
        required = tuple(json.loads(f"[{row.data_id}]"))
        try:
            entry = snapshot.types_by_id[row.type_id]
            run = snapshot.collections[snapshot.collection_names[row.run_id]]
            (levels,) = self._data_ids.fill(entry.group, [required])
            with self._ground.database.transaction():
                self._members.insert(Place(entry, run), [(*levels, number)], stored=stored)
        except (Clash, KeyError):
            return  # it is found again, and reported as it is


def _nowhere(ground: Ground, grouped: Grouped) -> sa.CompoundSelect[Any]:
    """Give the datasets of a group that are no members of their RUN."""
    dataset, member, kind = ground.schema["dataset"], grouped.tables.member, ground.schema["dataset_type"]
    types = sa.select(kind.c.id).where(kind.c.group_id == grouped.id)
    every = sa.select(dataset.c.id, dataset.c.type_id, dataset.c.run_id)
    there = sa.select(member.c.dataset_id, member.c.type_id, member.c.collection_id)
    return sa.except_(
        every.where(within(dataset.c.id), dataset.c.type_id.in_(types)),
        there.where(within(member.c.dataset_id)),
    )
