"""Rules of membership tables, and of the summary that counts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ...model.collection import CollectionKind
from ..statement import AnyRow, Statement
from .ground import Ground, Grouped
from .rule import Broken, Describe, Rule, SelectRule, missing, some

_DROP = "drop the row"


def member_rules(ground: Ground, grouped: Grouped) -> Iterator[Rule]:
    """Give the rules of what memberships name."""
    collection = ground.schema["collection"]
    for table in (grouped.tables.member, grouped.tables.valid):
        homeless = missing(collection, collection.c.id == table.c.collection_id)
        yield _dropping(
            ground, grouped, table, "member-without-collection", homeless, "the collection is gone"
        )
    member, valid = grouped.tables.member, grouped.tables.valid
    tagged = sa.exists().where(
        collection.c.id == member.c.collection_id, collection.c.kind == str(CollectionKind.TAGGED)
    )
    for code, table, kind in (
        ("member-without-dataset", member, ~tagged),
        ("tag-without-dataset", member, tagged),
        ("certification-without-dataset", valid, sa.true()),
    ):
        dataset = ground.schema["dataset"]
        same = (dataset.c.id == table.c.dataset_id, dataset.c.type_id == table.c.type_id)
        gone = missing(dataset, *same) & kind
        yield _dropping(ground, grouped, table, code, gone, "the dataset is gone")


def _dropping(
    ground: Ground,
    grouped: Grouped,
    table: sa.Table,
    code: str,
    gone: sa.ColumnElement[bool],
    found: str,
) -> SelectRule:
    select, describe = sa.select(table).where(gone), _naming(ground, grouped, found)
    return SelectRule(ground.database, code, select, describe, _DROP, [table.delete().where(gone)])


def _naming(ground: Ground, grouped: Grouped, found: str) -> Describe:
    return lambda row: (ground.member(row._asdict(), grouped.group.levels), found)


def stored_rules(ground: Ground, grouped: Grouped) -> Iterator[Rule]:
    """Give the rules that memberships tell rightly which datasets have bytes."""
    location = ground.schema["location"]
    for table in (grouped.tables.member, grouped.tables.valid):
        placed = sa.exists().where(location.c.dataset_id == table.c.dataset_id)
        shown, hidden = (table.c.stored == 1) & ~placed, (table.c.stored == 0) & placed
        yield SelectRule(
            ground.database,
            "wrong-stored",
            sa.select(table).where(shown | hidden),
            lambda row: (
                ground.member(row._asdict(), grouped.group.levels),
                "listed, but no place of its bytes is known"
                if row.stored
                else "it has bytes, but is not listed",
            ),
            "derive it anew; what has no bytes is then declared only",
            [table.update().where(shown).values(stored=0), table.update().where(hidden).values(stored=1)],
        )


def validity_rule(ground: Ground, grouped: Grouped) -> Rule:
    """Give the rule that no two ranges of one data ID overlap."""
    table = grouped.tables.valid
    same = [table.c.type_id, table.c.collection_id, *(table.c[level] for level in grouped.group.levels)]
    latest = sa.func.max(table.c.end_ns).over(
        partition_by=same, order_by=[table.c.begin_ns, table.c.stored], rows=(None, -1)
    )
    ordered = sa.select(table, latest.label("latest_ns")).subquery()
    return SelectRule(
        ground.database,
        "overlapping-validity",
        sa.select(ordered).where(ordered.c.begin_ns < ordered.c.latest_ns),
        lambda row: (
            ground.member(row._asdict(), grouped.group.levels),
            f"its validity ({row.begin_ns} to {row.end_ns} ns) begins before another one ends",
        ),
        "decide which is right, and take the other out: skyfs decertify",
    )


class SummaryRule(Rule):
    """The summary counts members rightly."""

    code, mendable, todo = "wrong-summary", True, "count again"

    def __init__(self, ground: Ground, grouped: Grouped) -> None:
        self._ground = ground
        summary = self._summary = ground.schema["summary"]
        kind = ground.schema["dataset_type"]
        self._wrong = _miscounted(summary, grouped)
        self._empty = _counted_for_nothing(summary, grouped) & summary.c.type_id.in_(
            sa.select(kind.c.id).where(kind.c.group_id == grouped.id)
        )

    def find(self) -> Broken:
        broken, database = Broken(), self._ground.database
        broken.add(*some(database, self._wrong, {}, self._describe))
        empty = sa.select(self._summary, sa.literal(0).label("members")).where(self._empty)
        broken.add(*some(database, empty, {}, self._describe))
        return broken

    def mend(self) -> None:
        rows = self._ground.database.read(self._wrong)
        keys = [(row.collection_id, row.type_id, row.stored) for row in rows]
        names = ("collection_id", "type_id", "stored")
        same = [self._summary.c[name] == sa.bindparam(f"a_{name}") for name in names]
        delete = Statement(self._summary.delete().where(*same), [f"a_{name}" for name in names])
        self._ground.database.write_many(delete, keys)
        counted = [(*key, row.members) for key, row in zip(keys, rows, strict=True)]
        self._ground.database.write_many(Statement.insert(self._summary), counted)
        self._ground.database.write(self._summary.delete().where(self._empty))

    def _describe(self, row: AnyRow) -> tuple[str, str]:
        what = "stored" if row.stored else "declared"
        named = f"{what} {self._ground.type(row.type_id)} in {self._ground.collection(row.collection_id)}"
        return named, f"the summary says {row.datasets or 0}, there are {row.members}"


def unknown_summary_rule(ground: Ground) -> Rule:
    """Give the rule that the summary counts registered types only."""
    summary, kind = ground.schema["summary"], ground.schema["dataset_type"]
    gone = missing(kind, kind.c.id == summary.c.type_id)
    return SelectRule(
        ground.database,
        "wrong-summary",
        sa.select(summary).where(gone),
        lambda row: (f"type {row.type_id} in {ground.collection(row.collection_id)}", "no such type"),
        _DROP,
        [summary.delete().where(gone)],
    )


def _miscounted(summary: sa.Table, grouped: Grouped) -> sa.Select[Any]:
    names = ("type_id", "collection_id", "stored")
    counts = [
        sa.select(*(table.c[name] for name in names), sa.func.count().label("members")).group_by(
            *(table.c[name] for name in names)
        )
        for table in (grouped.tables.member, grouped.tables.valid)
    ]
    counted = sa.union_all(*counts).subquery()
    same = sa.and_(*(summary.c[name] == counted.c[name] for name in names))
    joined = counted.outerjoin(summary, same)
    wrong = sa.func.coalesce(summary.c.datasets, 0) != counted.c.members
    return sa.select(counted, summary.c.datasets).select_from(joined).where(wrong)


def _counted_for_nothing(summary: sa.Table, grouped: Grouped) -> sa.ColumnElement[bool]:
    names = ("type_id", "collection_id", "stored")
    absent = [
        missing(table, *(table.c[name] == summary.c[name] for name in names))
        for table in (grouped.tables.member, grouped.tables.valid)
    ]
    return sa.and_(*absent)
