"""Rows of membership tables, and the summary of how many of each type a collection holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ..model.collection import CollectionKind
from ..model.dataid import Value
from .catalogue import CollectionEntry, Snapshot, TypeEntry
from .database import Database
from .schema import Schema
from .statement import AnyRow, Selection, Statement

Levels = tuple[Value, ...]
# What a member is: its levels, in CALIBRATION collections the range of its validity, and the dataset's row.
Row = tuple[object, ...]
_Build = Callable[[sa.Table, TypeEntry], Statement]

# Fewer rows are looked for one by one without asking whether that is needed.
_MANY = 20


@dataclass(frozen=True, slots=True)
class Place:
    """The members of one type in one collection."""

    entry: TypeEntry
    collection: CollectionEntry

    @property
    def table(self) -> sa.Table:
        """The table that they are in."""
        valid = self.collection.collection.kind is CollectionKind.CALIBRATION
        return self.entry.tables.valid if valid else self.entry.tables.member

    @property
    def ids(self) -> tuple[int, int]:
        """The columns that all of them have in common: type and collection."""
        return self.entry.id, self.collection.id

    def __hash__(self) -> int:
        return hash(self.ids)


class Members:
    """Changes memberships inside of a transaction, and keeps the summary exact."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._summary = schema["summary"]
        self._kept: dict[tuple[object, ...], Statement] = {}
        self._finding: dict[sa.Table, sa.CompoundSelect[Any]] = {}
        self._more, self._none, self._none_left = _counting(self._summary)
        same = [self._summary.c[name] == sa.bindparam(name) for name in _PLACE]
        self._held = Selection(sa.select(self._summary.c.stored).where(*same))
        self._elsewhere = _elsewhere(schema["collection"], self._summary)

    def insert(self, place: Place, rows: Sequence[Row], *, stored: int) -> int:
        """Insert members, but for those whose data ID (at an overlapping time) is there; give their number.

        Of many rows for a RUN, one that is there may raise `Clash` instead.
        """
        if not rows:
            return 0
        # To look for each row first takes as long as all the rest: left out where nothing can be in its way.
        free = len(rows) >= _MANY and self._is_free(place, stored)
        statement = self._statement("add" if free else "insert", place, _adding if free else _inserting)
        head = (*place.ids, stored)
        count = self._database.write_many(statement, [(*head, *row) for row in rows])
        self._count(place, stored, count)
        return count

    def _is_free(self, place: Place, stored: int) -> bool:
        """Tell whether nothing is there that the primary key alone would let in."""
        params = dict(zip(_PLACE, place.ids, strict=True))
        held = {row[0] for row in self._database.select(self._held, params)}
        in_run = place.collection.collection.kind is CollectionKind.RUN
        return (1 - stored not in held) if in_run else not held

    def delete(self, place: Place, rows: Sequence[Row]) -> int:
        """Delete the members of these levels and dataset, whatever their validity; give their number."""
        statement, total = self._statement("delete", place, _deleting), 0
        for stored in (1, 0):
            count = self._database.write_many(statement, [(*place.ids, stored, *row) for row in rows])
            self._count(place, stored, -count)
            total += count
        return total

    def cut(self, place: Place, levels: Mapping[str, Value], span: tuple[int, int]) -> int:
        """Take a range of time out of the validity of members; give how many of them it met."""
        return sum(self._cut(place, levels, span, stored) for stored in (0, 1))

    def _cut(self, place: Place, levels: Mapping[str, Value], span: tuple[int, int], stored: int) -> int:
        table, (begin, end), (type_id, collection_id) = place.table, span, place.ids
        met = [table.c.type_id == type_id, table.c.collection_id == collection_id, table.c.stored == stored]
        met += [table.c[name] == value for name, value in levels.items()]
        met += [table.c.begin_ns < end, table.c.end_ns > begin]
        rows = self._database.read(sa.select(table).where(*met))
        self._database.write(table.delete().where(*met))
        self._count(place, stored, -len(rows))
        self.insert(place, list(_left(rows, span)), stored=stored)
        return len(rows)

    def store(self, place: Place, row: Row) -> int:
        """Mark a declared member as stored; give how many there were."""
        count = self._database.write_many(self._statement("store", place, _storing), [(*place.ids, *row)])
        self._count(place, 0, -count)
        self._count(place, 1, count)
        return count

    def clear(self, place: Place) -> None:
        """Delete all members."""
        table = place.table
        type_id, collection_id = place.ids
        for stored in (0, 1):
            same = [table.c.type_id == type_id, table.c.collection_id == collection_id]
            self._database.write(table.delete().where(*same, table.c.stored == stored))
        self._database.write_many(self._none, [(*place.ids, stored) for stored in (0, 1)])

    def _count(self, place: Place, stored: int, change: int) -> None:
        """Keep the number of members in the summary."""
        if change:
            head = (*place.ids, stored)
            self._database.write_many(self._more, [(*head, change)])
            if change < 0:
                self._database.write_many(self._none_left, [head])

    def elsewhere(self, snapshot: Snapshot, entry: TypeEntry) -> list[Place]:
        """Give the TAGGED and CALIBRATION collections that hold a type."""
        rows = self._database.read(self._elsewhere, {"type_id": entry.id})
        names = [snapshot.collection_names[row[0]] for row in rows]
        return [Place(entry, snapshot.collections[name]) for name in names]

    def types(self, snapshot: Snapshot, collection: CollectionEntry) -> list[Place]:
        """Give the types that a collection holds."""
        table = self._summary
        rows = self._database.read(
            sa.select(table.c.type_id).where(table.c.collection_id == collection.id).distinct()
        )
        return [Place(snapshot.types_by_id[row[0]], collection) for row in rows]

    def find(self, place: Place, member: Row) -> Sequence[AnyRow]:
        """Give the members that stand in the way of one: same data ID, overlapping validity."""
        table, names = place.table, _names(place.table)
        if table not in self._finding:
            found = [sa.select(table).where(*_same_data_id(table, place.entry, kind)) for kind in _KINDS]
            self._finding[table] = sa.union_all(*found)
        params = dict(zip(names, (*place.ids, 0, *member), strict=True))
        return self._database.read(self._finding[table], params)

    def _statement(self, name: str, place: Place, build: _Build) -> Statement:
        key = (name, place.table)
        if key not in self._kept:
            self._kept[key] = build(place.table, place.entry)
        return self._kept[key]


_PLACE = ("type_id", "collection_id")
_HEAD = (*_PLACE, "stored")
# Declared and stored; asked for by themselves, because among several values PostgreSQL before 17 may go
# through all members of a collection.
_KINDS = ("0", "1")
_SUMMARY = tuple(f"a_{name}" for name in _HEAD)


def _elsewhere(collection: sa.Table, summary: sa.Table) -> sa.Select[Any]:
    joined = collection.join(summary, summary.c.collection_id == collection.c.id)
    kinds = [str(CollectionKind.TAGGED), str(CollectionKind.CALIBRATION)]
    held = sa.select(collection.c.id).select_from(joined).where(collection.c.kind.in_(kinds))
    return held.where(summary.c.type_id == sa.bindparam("type_id")).distinct()


def _counting(summary: sa.Table) -> tuple[Statement, Statement, Statement]:
    """Give what changes a number, what forgets it, and what forgets it when nothing is left."""
    bound: dict[str, Any] = {name: sa.bindparam(f"a_{name}") for name in (*_HEAD, "datasets")}
    # SQLite's dialect renders it the same.
    new = insert(summary).values(**bound)
    more = new.on_conflict_do_update(
        index_elements=list(_HEAD), set_={"datasets": summary.c.datasets + new.excluded.datasets}
    )
    gone = summary.delete().where(*(summary.c[name] == sa.bindparam(f"a_{name}") for name in _HEAD))
    empty = gone.where(summary.c.datasets == sa.literal_column("0"))
    return Statement(more, [*_SUMMARY, "a_datasets"]), Statement(gone, _SUMMARY), Statement(empty, _SUMMARY)


def _left(rows: Iterable[AnyRow], span: tuple[int, int]) -> Iterator[Row]:
    """Give what is left of members with validity when a range is taken out."""
    for row in rows:
        *levels, begin, end, dataset_id = row[len(_HEAD) :]
        if begin < span[0]:
            yield (*levels, begin, span[0], dataset_id)
        if end > span[1]:
            yield (*levels, span[1], end, dataset_id)


def _names(table: sa.Table) -> list[str]:
    """Give the names of bound parameters for a row of the table."""
    return [f"a_{column.name}" for column in table.c]


def _same_data_id(table: sa.FromClause, entry: TypeEntry, stored: str) -> list[sa.ColumnElement[bool]]:
    """Match the members, stored or declared, that may not stand beside a bound one.

    (The primary key alone would let one declared and one stored stand side by side: listings need ``stored``
    in front of the levels.)
    """
    same = [
        table.c[name] == sa.bindparam(f"a_{name}")
        for name in ("type_id", "collection_id", *entry.group.levels)
    ]
    same.append(table.c.stored == sa.literal_column(stored))
    if "begin_ns" in table.c:
        same += [table.c.begin_ns < sa.bindparam("a_end_ns"), table.c.end_ns > sa.bindparam("a_begin_ns")]
    return same


def _inserting(table: sa.Table, entry: TypeEntry) -> Statement:
    bound = [
        sa.bindparam(name, type_=column.type) for name, column in zip(_names(table), table.c, strict=True)
    ]
    other = table.alias("other")
    free = [~sa.exists().select_from(other).where(*_same_data_id(other, entry, kind)) for kind in _KINDS]
    new = sa.select(*bound).where(*free)
    return Statement(table.insert().inline().from_select(table.c.keys(), new), _names(table))


def _adding(table: sa.Table, _: TypeEntry) -> Statement:
    return Statement.insert(table)


def _deleting(table: sa.Table, entry: TypeEntry) -> Statement:
    names = (*_HEAD, *entry.group.levels, "dataset_id")
    same = [table.c[name] == sa.bindparam(f"a_{name}") for name in names]
    return Statement(table.delete().where(*same), [f"a_{name}" for name in names])


def _storing(table: sa.Table, entry: TypeEntry) -> Statement:
    names = ("type_id", "collection_id", *entry.group.levels, "dataset_id")
    same = [table.c[name] == sa.bindparam(f"a_{name}") for name in names]
    declared = table.update().where(*same, table.c.stored == sa.literal_column("0"))
    return Statement(declared.values(stored=sa.literal_column("1")), [f"a_{name}" for name in names])
