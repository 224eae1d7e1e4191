"""Writing datasets: insert, declare, store, tag, certify, remove."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from ..errors import Conflict, Exists, NotAllowed
from ..model.collection import CollectionKind
from ..model.dataid import DataId, Value
from ..model.dataset import DatasetRef, Location
from ..model.template import default_key
from ..model.timespan import Timespan
from .catalogue import Catalogue, CollectionEntry, Snapshot, TypeEntry
from .database import Database
from .lookup import MAX_NS, MIN_NS
from .schema import Schema
from .symbols import Symbols

_Levels = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset to insert; without locations it is declared."""

    ref: DatasetRef
    locations: tuple[Location, ...] = ()
    inputs: tuple[UUID, ...] = ()


class Datasets:
    """Changes to datasets. Each call is a transaction, or part of the caller's."""

    def __init__(self, database: Database, schema: Schema, catalogue: Catalogue, symbols: Symbols) -> None:
        self._database = database
        self._schema = schema
        self._catalogue = catalogue
        self._symbols = symbols

    # -- insert ----------------------------------------------------------------------------------------

    def insert(self, datasets: Sequence[NewDataset]) -> None:
        """Insert datasets, all or none.

        Raises
        ------
        Exists
            When a RUN has one of that type and data ID, or an id is taken.
        """
        with self._database.transaction():
            for (type_name, run, stored), some in _grouped(datasets).items():
                snapshot = self._catalogue.current()
                entry, collection = snapshot.type(type_name), snapshot.collection(run)
                self._insert_group(entry, collection, some, stored=stored)

    def declare(self, entry: TypeEntry, run: CollectionEntry, rows: Sequence[_Levels], ids: Sequence[bytes]) -> None:
        """Insert many datasets without bytes: the same as `insert`, on bare values."""
        with self._database.transaction():
            self._refuse_members(entry, run, rows, stored=1)
            self._insert_rows(entry, run, rows, ids, stored=0)

    def store(self, dataset: NewDataset) -> None:
        """Give bytes to a declared dataset: all its memberships become visible."""
        with self._database.transaction():
            snapshot = self._catalogue.current()
            entry = snapshot.type(dataset.ref.type.name)
            row = dataset.ref.data_id.row
            dataset_id = self._row_id(dataset.ref.id)
            for table, collections in self._memberships(snapshot, entry, snapshot.collection(dataset.ref.run)):
                update = table.update().where(*_member(table, entry, collections, row)).values(stored=1)
                self._database.write(update.where(table.c.dataset_id == dataset_id))
                for collection in collections:
                    self._note(entry, collection, table)
                self._summarize_left(entry, collections)
            self._insert_places([(dataset_id, dataset)])

    def _insert_group(
        self, entry: TypeEntry, run: CollectionEntry, datasets: Sequence[NewDataset], *, stored: int
    ) -> None:
        rows = [dataset.ref.data_id.row for dataset in datasets]
        self._refuse_members(entry, run, rows, stored=1 - stored)
        first = self._insert_rows(entry, run, rows, [dataset.ref.id.bytes for dataset in datasets], stored=stored)
        self._insert_places([(first + index, dataset) for index, dataset in enumerate(datasets)])

    def _insert_rows(
        self, entry: TypeEntry, run: CollectionEntry, rows: Sequence[_Levels], ids: Sequence[bytes], *, stored: int
    ) -> int:
        first = self._next_id("dataset")
        now = time.time_ns() // 10**6
        head = (entry.id, run.id)
        places = entry.group.indices
        dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        new = [
            (first + index, uuid, *head, now, dumps([row[place] for place in places])[1:-1])
            for index, (row, uuid) in enumerate(zip(rows, ids, strict=True))
        ]
        member = entry.tables.member
        members = [(*head, stored, *row, first + index) for index, row in enumerate(rows)]
        try:
            self._database.write_many(self._schema["dataset"], _DATASET_COLUMNS, new)
            self._database.write_many(member, list(member.c.keys()), members)
        except sa.exc.IntegrityError:
            self._explain_clash(entry, run, rows, ids)
            raise
        self._summarize(entry, run, stored)
        return first

    def _insert_places(self, datasets: Sequence[tuple[int, NewDataset]]) -> None:
        edges = [(row_id, uuid.bytes) for row_id, dataset in datasets for uuid in dict.fromkeys(dataset.inputs)]
        self._database.write_many(self._schema["provenance"], ["dataset_id", "input"], edges)
        placed = [(row_id, dataset.ref, place) for row_id, dataset in datasets for place in dataset.locations]
        keys = [_split_key(ref, place) for _, ref, place in placed]
        texts = [text for _, _, place in placed for text in (place.store, place.extension)]
        ids = self._symbols.ids([*texts, *(folder for folder, _ in keys if folder is not None)])
        artifacts: dict[tuple[str, str], int] = {}
        counts: dict[int, int] = {}
        links = []
        first = self._next_id("artifact") if placed else 0
        new = []
        for (row_id, _, place), (folder, name) in zip(placed, keys, strict=True):
            artifact = artifacts.setdefault((place.store, place.key), first + len(artifacts))
            counts[artifact] = counts.get(artifact, 0) + 1
            part = (None, None) if place.part is None else (place.size, place.sha256)
            links.append((row_id, artifact, place.part, *part))
            if counts[artifact] == 1:
                whole = (place.size, place.mtime_ns, place.sha256 if place.part is None else None)
                where = (ids[place.store], None if folder is None else ids[folder], name, ids[place.extension])
                new.append((artifact, *where, *whole))
        self._database.write_many(self._schema["artifact"], _ARTIFACT_COLUMNS, [(*row, counts[row[0]]) for row in new])
        self._database.write_many(self._schema["location"], _LOCATION_COLUMNS, links)

    def _refuse_members(self, entry: TypeEntry, run: CollectionEntry, rows: Sequence[_Levels], *, stored: int) -> None:
        """Refuse data IDs that are members with the other value of ``stored``; the key refuses the same one."""
        if not self._has_members(entry, run, stored):
            return
        member = entry.tables.member
        for row in rows:
            same = [member.c.type_id == entry.id, member.c.collection_id == run.id, member.c.stored == stored]
            same += _levels(member, entry, row)
            if self._database.read(sa.select(member.c.dataset_id).where(*same)):
                raise Exists(_named(entry, run, row), "it is there already", "use replace=True to put another in its place")

    def _explain_clash(
        self, entry: TypeEntry, run: CollectionEntry, rows: Sequence[_Levels], ids: Sequence[bytes]
    ) -> None:
        if len(set(rows)) < len(rows):
            double = next(row for index, row in enumerate(rows) if row in rows[:index])
            raise Exists(_named(entry, run, double), "it is given twice", "give each data ID once") from None
        for stored in (0, 1):
            self._refuse_members(entry, run, rows, stored=stored)
        dataset = self._schema["dataset"]
        for uuid in ids:
            if self._database.read(sa.select(dataset.c.id).where(dataset.c.uuid == uuid)):
                raise Conflict(f"dataset {UUID(bytes=uuid)}", "the id is taken by another dataset")

    # -- membership ------------------------------------------------------------------------------------

    def tag(self, refs: Iterable[DatasetRef], collection_name: str) -> None:
        """Add datasets to a TAGGED collection; those that are in it already stay."""
        self._add_members(refs, collection_name, CollectionKind.TAGGED, None)

    def certify(self, refs: Iterable[DatasetRef], collection_name: str, span: Timespan) -> None:
        """Add calibration datasets to a CALIBRATION collection for a range of time.

        Raises
        ------
        Conflict
            When another dataset of that type and data ID is certified for an overlapping range.
        """
        self._add_members(refs, collection_name, CollectionKind.CALIBRATION, span)

    def untag(self, refs: Iterable[DatasetRef], collection_name: str) -> None:
        """Take datasets out of a TAGGED collection."""
        with self._database.transaction():
            snapshot = self._catalogue.current()
            collection = _of_kind(snapshot, collection_name, CollectionKind.TAGGED)
            for ref in refs:
                entry = snapshot.type(ref.type.name)
                self._drop_member(entry, entry.tables.member, [collection], ref)
                self._summarize_left(entry, [collection])

    def clear(self, collection_name: str) -> None:
        """Take all datasets out of a collection that is no RUN."""
        with self._database.transaction():
            snapshot = self._catalogue.current()
            collection = snapshot.collection(collection_name)
            if collection.collection.kind is CollectionKind.RUN:
                raise NotAllowed(f"clear {collection_name!r}", "it is a RUN", "remove its datasets")
            for entry in snapshot.types.values():
                for table in (entry.tables.member, entry.tables.valid):
                    same = [table.c.type_id == entry.id, table.c.collection_id == collection.id]
                    self._database.write(table.delete().where(*same))
            summary = self._schema["summary"]
            self._database.write(summary.delete().where(summary.c.collection_id == collection.id))

    def _add_members(
        self, refs: Iterable[DatasetRef], name: str, kind: CollectionKind, span: Timespan | None
    ) -> None:
        with self._database.transaction():
            snapshot = self._catalogue.current()
            collection = _of_kind(snapshot, name, kind)
            for ref in refs:
                entry = snapshot.type(ref.type.name)
                if span is not None and not entry.type.calibration:
                    what = f"certify {entry.type.name}"
                    raise NotAllowed(what, "it is no calibration type", "register it with calibration=True")
                self._add_member(entry, collection, ref, span)

    def _add_member(
        self, entry: TypeEntry, collection: CollectionEntry, ref: DatasetRef, span: Timespan | None
    ) -> None:
        dataset_id = self._row_id(ref.id)
        table = entry.tables.member if span is None else entry.tables.valid
        bounds = () if span is None else _bounds(span)
        row = ref.data_id.row
        same = _member(table, entry, [collection], row)
        if span is not None:
            same += [table.c.begin_ns < bounds[1], table.c.end_ns > bounds[0]]
        there = self._database.read(sa.select(table).where(*same))
        if any(other.dataset_id != dataset_id or span is not None for other in there):
            found = "another dataset has the data ID" + (" in an overlapping range" if span else "")
            raise Conflict(_named(entry, collection, row), found, "take that one out first")
        if not there:
            stored = self._stored(entry, dataset_id)
            values = (entry.id, collection.id, stored, *row, *bounds, dataset_id)
            self._database.write_many(table, list(table.c.keys()), [values])
            self._summarize(entry, collection, stored)

    # -- remove ----------------------------------------------------------------------------------------

    def remove(self, refs: Iterable[DatasetRef]) -> list[UUID]:
        """Remove datasets with all their memberships; give the ids of those that were there."""
        removed = []
        with self._database.transaction():
            snapshot = self._catalogue.current()
            touched: dict[tuple[int, int], tuple[TypeEntry, list[CollectionEntry]]] = {}
            for ref in refs:
                entry = snapshot.type(ref.type.name)
                dataset_id = self._row_id(ref.id)
                for table, collections in self._memberships(snapshot, entry, snapshot.collection(ref.run)):
                    self._drop_member(entry, table, collections, ref)
                    touched[entry.id, collections[0].id] = (entry, collections)
                self._drop_rows(dataset_id)
                removed.append(ref.id)
            for entry, collections in touched.values():
                self._summarize_left(entry, collections)
        return removed

    def _drop_rows(self, dataset_id: int) -> None:
        dataset, artifact, location, provenance = (self._schema[name] for name in _OWN_TABLES)
        held = sa.select(location.c.artifact_id).where(location.c.dataset_id == dataset_id)
        fewer = artifact.update().where(artifact.c.id.in_(held)).values(datasets=artifact.c.datasets - 1)
        self._database.write(fewer)
        self._database.write(artifact.delete().where(artifact.c.id.in_(held), artifact.c.datasets <= 0))
        self._database.write(location.delete().where(location.c.dataset_id == dataset_id))
        self._database.write(provenance.delete().where(provenance.c.dataset_id == dataset_id))
        self._database.write(dataset.delete().where(dataset.c.id == dataset_id))

    def shared(self, refs: Sequence[DatasetRef]) -> set[tuple[str, str]]:
        """Give (store, key) of files that hold other datasets than these too."""
        artifact, location, dataset, folder = (self._schema[name] for name in ("artifact", "location", "dataset", "symbol"))
        joined = location.join(dataset, dataset.c.id == location.c.dataset_id)
        joined = joined.join(artifact, artifact.c.id == location.c.artifact_id)
        joined = joined.outerjoin(folder, folder.c.id == artifact.c.folder_id)
        count = sa.func.count().label("held")
        keep: set[tuple[str, str]] = set()
        totals: dict[tuple[str, str], list[int]] = {}
        for start in range(0, len(refs), 500):
            ids = [ref.id.bytes for ref in refs[start : start + 500]]
            columns = (artifact.c.store_id, folder.c.text, artifact.c.name, artifact.c.datasets)
            found = sa.select(*columns, count).select_from(joined).where(dataset.c.uuid.in_(ids), artifact.c.datasets > 1)
            for row in self._database.read(found.group_by(artifact.c.id)):
                key = (self._symbols.text(row.store_id), f"{row.text}/{row.name}" if row.text else str(row.name))
                totals.setdefault(key, [row.datasets, 0])[1] += row.held
        for key, (all_held, removed) in totals.items():
            if removed < all_held:
                keep.add(key)
        return keep

    # -- rows ------------------------------------------------------------------------------------------

    def _memberships(
        self, snapshot: Snapshot, entry: TypeEntry, run: CollectionEntry
    ) -> list[tuple[sa.Table, list[CollectionEntry]]]:
        """Give the tables and collections in which a dataset of a RUN may be a member."""
        others = snapshot.collections.values()
        tagged = [other for other in others if other.collection.kind is CollectionKind.TAGGED]
        valid = [other for other in others if other.collection.kind is CollectionKind.CALIBRATION]
        tables = [(entry.tables.member, [run, *tagged])]
        return [*tables, (entry.tables.valid, valid)] if valid and entry.type.calibration else tables

    def _drop_member(
        self, entry: TypeEntry, table: sa.Table, collections: Sequence[CollectionEntry], ref: DatasetRef
    ) -> None:
        same = _member(table, entry, collections, ref.data_id.row)
        self._database.write(table.delete().where(*same, table.c.dataset_id == self._row_id(ref.id)))

    def _row_id(self, uuid: UUID) -> int:
        dataset = self._schema["dataset"]
        rows = self._database.read(sa.select(dataset.c.id).where(dataset.c.uuid == sa.bindparam("uuid")), {"uuid": uuid.bytes})
        if not rows:
            raise Conflict(f"dataset {uuid}", "it was removed meanwhile", "look it up again")
        return int(rows[0].id)

    def _next_id(self, table_name: str) -> int:
        table = self._schema[table_name]
        return int(self._database.read(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)))[0][0]) + 1

    def _stored(self, entry: TypeEntry, dataset_id: int) -> int:
        location = self._schema["location"]
        return len(self._database.read(sa.select(location.c.dataset_id).where(location.c.dataset_id == dataset_id).limit(1)))

    def _has_members(self, entry: TypeEntry, collection: CollectionEntry, stored: int) -> bool:
        summary = self._schema["summary"]
        same = [summary.c.type_id == entry.id, summary.c.collection_id == collection.id, summary.c.stored == stored]
        return bool(self._database.read(sa.select(summary).where(*same)))

    def _summarize(self, entry: TypeEntry, collection: CollectionEntry, stored: int) -> None:
        if not self._has_members(entry, collection, stored):
            row = (collection.id, entry.id, stored)
            self._database.write_many(self._schema["summary"], ["collection_id", "type_id", "stored"], [row])

    def _note(self, entry: TypeEntry, collection: CollectionEntry, table: sa.Table) -> None:
        same = [table.c.type_id == entry.id, table.c.collection_id == collection.id, table.c.stored == 1]
        if self._database.read(sa.select(table.c.dataset_id).where(*same).limit(1)):
            self._summarize(entry, collection, 1)

    def _summarize_left(self, entry: TypeEntry, collections: Iterable[CollectionEntry]) -> None:
        """Forget that collections hold a type, where the last dataset has gone."""
        summary = self._schema["summary"]
        for collection in collections:
            valid = collection.collection.kind is CollectionKind.CALIBRATION
            table = entry.tables.valid if valid else entry.tables.member
            for stored in (0, 1):
                same = [table.c.type_id == entry.id, table.c.collection_id == collection.id, table.c.stored == stored]
                if not self._database.read(sa.select(table.c.dataset_id).where(*same).limit(1)):
                    gone = [summary.c.type_id == entry.id, summary.c.collection_id == collection.id]
                    self._database.write(summary.delete().where(*gone, summary.c.stored == stored))


_DATASET_COLUMNS = ["id", "uuid", "type_id", "run_id", "created_ms", "data_id"]
_ARTIFACT_COLUMNS = ["id", "store_id", "folder_id", "name", "extension_id", "size", "mtime_ns", "sha256", "datasets"]
_LOCATION_COLUMNS = ["dataset_id", "artifact_id", "part", "part_size", "part_sha256"]
_OWN_TABLES = ("dataset", "artifact", "location", "provenance")


def _grouped(datasets: Iterable[NewDataset]) -> Mapping[tuple[str, str, int], list[NewDataset]]:
    groups: dict[tuple[str, str, int], list[NewDataset]] = {}
    for dataset in datasets:
        key = (dataset.ref.type.name, dataset.ref.run, 1 if dataset.locations else 0)
        groups.setdefault(key, []).append(dataset)
    return groups


def _split_key(ref: DatasetRef, place: Location) -> tuple[str | None, str | None]:
    """Split a key into folder and name; both None when it follows from the template."""
    if place.part is None and place.key == default_key(ref, place.extension):
        return None, None
    folder, _, name = place.key.rpartition("/")
    return folder, name


def _levels(table: sa.Table, entry: TypeEntry, row: _Levels) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in zip(entry.group.levels, row, strict=True)]


def _member(
    table: sa.Table, entry: TypeEntry, collections: Sequence[CollectionEntry], row: _Levels
) -> list[sa.ColumnElement[bool]]:
    ids = [collection.id for collection in collections]
    same = [table.c.type_id == entry.id, table.c.collection_id.in_(ids), table.c.stored.in_((0, 1))]
    return same + _levels(table, entry, row)


def _of_kind(snapshot: Snapshot, name: str, kind: CollectionKind) -> CollectionEntry:
    entry = snapshot.collection(name)
    if entry.collection.kind is not kind:
        verb = "tag" if kind is CollectionKind.TAGGED else "certify"
        raise NotAllowed(f"{verb} in {name!r}", f"it is {entry.collection.kind}", f"name a {kind} collection")
    return entry


def _bounds(span: Timespan) -> tuple[int, int]:
    return (
        MIN_NS if span.begin_ns is None else span.begin_ns,
        MAX_NS if span.end_ns is None else span.end_ns,
    )


def _named(entry: TypeEntry, collection: CollectionEntry, row: _Levels) -> str:
    return f"{entry.type.name} {DataId(entry.group, row)!r} in {collection.collection.name!r}"
