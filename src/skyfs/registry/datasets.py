"""Writing datasets: insert, declare, store, tag, certify, remove."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from ..errors import Conflict, Exists, NotAllowed
from ..model.collection import CollectionKind
from ..model.dataid import DataId, Value
from ..model.dataset import DatasetRef, Location
from ..model.manifest_line import ClearLine
from ..model.timespan import Timespan
from .artifacts import Artifacts
from .captured import Captured, Values
from .catalogue import Catalogue, CollectionEntry, Snapshot, TypeEntry
from .collections import writable_run
from .database import Clash, Database
from .dataset_rows import DatasetRow, DatasetRows
from .members import Levels, Members, Place, Row
from .record_rows import bounds, timespan
from .recording import Head, Recorder
from .schema import Schema
from .statement import Selection, Statement
from .symbols import Symbols


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset to insert; without locations it is declared, without a time it is made now."""

    ref: DatasetRef
    locations: tuple[Location, ...] = ()
    inputs: tuple[UUID, ...] = ()
    captured: Values = ()
    created_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Bare:
    """Datasets of one type and RUN as they go into the database; ``texts`` are their required values."""

    place: Place
    rows: Sequence[Levels]
    ids: Sequence[bytes]
    times: Sequence[int]
    texts: Sequence[str]

    @property
    def head(self) -> Head:
        """What the change log says of all of them."""
        return Head(self.place.entry.type.name, self.place.collection.collection.name)


class Datasets:
    """Changes to datasets. Each call is a transaction, or part of the caller's."""

    def __init__(
        self,
        database: Database,
        schema: Schema,
        catalogue: Catalogue,
        symbols: Symbols,
        recorder: Recorder,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._recorder = recorder
        self._artifacts = Artifacts(database, schema, symbols)
        self._captured = Captured(database, schema, symbols)
        self._members = Members(database, schema)
        dataset, provenance = schema["dataset"], schema["provenance"]
        self._insert_dataset, self._insert_edges = Statement.insert(dataset), Statement.insert(provenance)
        self._delete = [
            Statement(
                provenance.delete().where(provenance.c.dataset_id == sa.bindparam("a_dataset")), ["a_dataset"]
            ),
            Statement(dataset.delete().where(dataset.c.id == sa.bindparam("a_dataset")), ["a_dataset"]),
        ]
        self._last_ids = _last_ids(schema)
        self._rows = DatasetRows(database, schema)

    # -- insert ----------------------------------------------------------------------------------------

    def insert(self, datasets: Sequence[NewDataset], *, joined: bool = False) -> None:
        """Insert datasets, all or none.

        With ``joined``, who is within a transaction lets all of it fail when this fails.

        Raises
        ------
        Exists
            When a RUN has one of that type and data ID.
        Conflict
            When an id is taken.
        Locked, NotAllowed
            When datasets cannot be written to the collection.
        """
        with self._database.joined() if joined else self._database.transaction():
            snapshot = self._catalogue.current()
            for (type_name, run, stored), some in _grouped(datasets).items():
                place = Place(snapshot.type(type_name), writable_run(snapshot.collection(run)))
                rows = [dataset.ref.data_id.row for dataset in some]
                ids = [dataset.ref.id.bytes for dataset in some]
                now = _now_ms()
                times = [now if dataset.created_ms is None else dataset.created_ms for dataset in some]
                bare = _Bare(place, rows, ids, times, _data_id_texts(place.entry, rows))
                first, first_artifact = self._insert_rows(bare, stored=stored)
                self._insert_places(list(enumerate(some, first)), first_artifact)
                self._recorder.datasets(bare.head, bare.texts, times, some)

    def declare(
        self, entry: TypeEntry, run: CollectionEntry, rows: Sequence[Levels], ids: Sequence[bytes]
    ) -> None:
        """Insert many datasets without bytes: the same as `insert`, on bare values.

        Many more than memory holds are declared in several calls within one transaction.
        """
        with self._database.transaction():
            place, times = Place(entry, writable_run(run)), [_now_ms()] * len(ids)
            bare = _Bare(place, rows, ids, times, _data_id_texts(entry, rows))
            self._insert_rows(bare, stored=0)
            self._recorder.declared(bare.head, bare.texts, times, ids)

    def store(self, dataset: NewDataset) -> None:
        """Give bytes to a declared dataset: all its memberships become visible.

        Raises
        ------
        Exists
            When it has bytes already.
        Conflict
            When it was removed meanwhile.
        """
        with self._database.transaction():
            snapshot = self._catalogue.current()
            row = self._rows.of([dataset.ref])[0]
            place = _own_place(snapshot, dataset.ref, row)
            writable_run(place.collection)
            levels = dataset.ref.data_id.row
            if not self._members.store(place, (*levels, row.id)):
                raise Exists(
                    _named(place, levels),
                    "it has bytes already",
                    "use replace=True to put another in its place",
                )
            for other in self._members.elsewhere(snapshot, place.entry):
                self._members.store(other, (*levels, row.id))
            self._insert_places([(row.id, dataset)], self._next_ids()[1])
            head = Head(dataset.ref.type.name, dataset.ref.run)
            self._recorder.datasets(head, _data_id_texts(place.entry, [levels]), [_now_ms()], [dataset])

    def _insert_rows(self, bare: _Bare, *, stored: int) -> tuple[int, int]:
        """Insert datasets and their memberships in the RUN; give the first id, and the next of artifacts."""
        first, first_artifact = self._next_ids()
        place, rows, ids, head = bare.place, bare.rows, bare.ids, bare.place.ids
        columns = zip(ids, bare.times, bare.texts, strict=True)
        new = [(number, uuid, *head, time, text) for number, (uuid, time, text) in enumerate(columns, first)]
        members = [(*row, number) for number, row in enumerate(rows, first)]
        try:
            self._database.write_many(self._insert_dataset, new)
            inserted = self._members.insert(place, members, stored=stored)
        except Clash:
            inserted = -1
        if inserted != len(rows):
            self._explain_clash(place, rows, ids, first)
        return first, first_artifact

    def _insert_places(self, datasets: Sequence[tuple[int, NewDataset]], first_artifact: int) -> None:
        edges = [
            (row_id, uuid.bytes) for row_id, dataset in datasets for uuid in dict.fromkeys(dataset.inputs)
        ]
        if edges:
            self._database.write_many(self._insert_edges, edges)
        placed = [(row_id, dataset.ref, place) for row_id, dataset in datasets for place in dataset.locations]
        if placed:
            self._artifacts.place(placed, first_artifact)
        captured = [(row_id, dataset.captured) for row_id, dataset in datasets if dataset.captured]
        if captured:
            self._captured.insert(captured)

    def _explain_clash(self, place: Place, rows: Sequence[Levels], ids: Sequence[bytes], first: int) -> None:
        """Raise the error that tells why rows could not be inserted; some may be there, from ``first`` on."""
        seen: set[Levels | bytes] = set()
        for row, uuid in zip(rows, ids, strict=True):
            if row in seen:
                raise Exists(_named(place, row), "it is given twice", "give each data ID once") from None
            if uuid in seen:
                raise Conflict(f"dataset {UUID(bytes=uuid)}", "the id is given twice") from None
            seen |= {row, uuid}
        for row in rows:
            if any(member.dataset_id < first for member in self._members.find(place, (*row, 0))):
                todo = "use replace=True to put another in its place"
                raise Exists(_named(place, row), "it is there already", todo) from None
        taken = [UUID(bytes=uuid) for uuid, row in self._rows.read(ids).items() if row.id < first]
        raise Conflict(
            f"dataset {', '.join(map(str, taken[:1]))}", "the id is taken by another dataset"
        ) from None

    # -- membership ------------------------------------------------------------------------------------

    def tag(self, refs: Iterable[DatasetRef], collection_name: str) -> None:
        """Add datasets to a TAGGED collection; those that are in it already stay.

        Raises
        ------
        Conflict
            When it holds another dataset of that type and data ID.
        """
        with self._database.transaction():
            collection = _of_kind(self._catalogue.current(), collection_name, CollectionKind.TAGGED)
            wanted = list(refs)
            for (place, stored), members in self._sorted(wanted, collection).items():
                self._add(place, members, stored=stored)
            self._recorder.tagged(collection_name, wanted)

    def certify(self, refs: Iterable[DatasetRef], collection_name: str, span: Timespan) -> None:
        """Add calibration datasets to a CALIBRATION collection for a range of time.

        The same dataset with the same range again is no change.

        Raises
        ------
        Conflict
            When a dataset of that type and data ID is certified for an overlapping range.
        NotAllowed
            When the type is no calibration type.
        """
        range_ns = bounds(span)
        with self._database.transaction():
            collection = _of_kind(self._catalogue.current(), collection_name, CollectionKind.CALIBRATION)
            wanted = list(refs)
            for (place, stored), members in self._sorted(wanted, collection).items():
                if not place.entry.type.calibration:
                    what = f"certify {place.entry.type.name}"
                    raise NotAllowed(what, "it is no calibration type", "register it with calibration=True")
                self._add(place, [(*row[:-1], *range_ns, row[-1]) for row in members], stored=stored)
            self._recorder.certified(collection_name, wanted, span)

    def decertify(
        self, type_name: str, collection_name: str, span: Timespan, levels: Mapping[str, Value]
    ) -> int:
        """Take a range of time out of a CALIBRATION collection; what lies before and after it stays.

        ``levels`` narrows it to some data IDs. Gives how many certified ranges it met.
        """
        with self._database.transaction():
            snapshot = self._catalogue.current()
            collection = _of_kind(snapshot, collection_name, CollectionKind.CALIBRATION)
            met = self._members.cut(Place(snapshot.type(type_name), collection), levels, bounds(span))
            if met:
                self._recorder.decertified(collection_name, type_name, span, levels)
            return met

    def untag(self, refs: Iterable[DatasetRef], collection_name: str) -> None:
        """Take datasets out of a TAGGED collection; those that are not in it are passed by."""
        with self._database.transaction():
            snapshot = self._catalogue.current()
            collection = _of_kind(snapshot, collection_name, CollectionKind.TAGGED)
            wanted = list(refs)
            known = self._rows.read([ref.id.bytes for ref in wanted])
            members: dict[Place, list[Row]] = {}
            for ref in wanted:
                row = known.get(ref.id.bytes)
                if row is not None:
                    place = Place(snapshot.types_by_id[row.type_id], collection)
                    members.setdefault(place, []).append((*ref.data_id.row, row.id))
            for place, some in members.items():
                self._members.delete(place, some)
            self._recorder.tagged(collection_name, wanted, out=True)

    def clear(self, collection_name: str) -> None:
        """Take all datasets out of a collection that is no RUN."""
        with self._database.transaction():
            snapshot = self._catalogue.current()
            collection = snapshot.collection(collection_name)
            if collection.collection.kind is CollectionKind.RUN:
                raise NotAllowed(f"clear {collection_name!r}", "it is a RUN", "remove its datasets")
            for place in self._members.types(snapshot, collection):
                self._members.clear(place)
            self._recorder.add(ClearLine(collection_name))

    def _sorted(
        self, refs: Iterable[DatasetRef], collection: CollectionEntry
    ) -> Mapping[tuple[Place, int], list[Row]]:
        """Sort datasets by type and whether they are stored, as members of a collection."""
        snapshot, wanted = self._catalogue.current(), list({ref.id: ref for ref in refs}.values())
        members: dict[tuple[Place, int], list[Row]] = {}
        for ref, row in zip(wanted, self._rows.of(wanted), strict=True):
            entry = _own_place(snapshot, ref, row).entry
            members.setdefault((Place(entry, collection), row.stored), []).append((*ref.data_id.row, row.id))
        for (place, _), some in members.items():
            if len({member[:-1] for member in some}) < len(some):
                raise Conflict(
                    f"several {place.entry.type.name} of one data ID", f"for {collection.collection.name!r}"
                )
        return members

    def _add(self, place: Place, members: Sequence[Row], *, stored: int) -> None:
        """Insert members; the same again is no change, others of that data ID are refused."""
        if self._members.insert(place, members, stored=stored) == len(members):
            return
        # What follows the levels: in CALIBRATION collections the validity, then the dataset.
        tail = len(place.entry.group.levels)
        for member in members:
            for other in self._members.find(place, member):
                if tuple(other[3 + tail :]) != member[tail:]:
                    found = "another dataset has the data ID"
                    if place.collection.collection.kind is CollectionKind.CALIBRATION:
                        span = timespan(*other[3 + tail : 5 + tail])
                        found = f"one is certified for an overlapping range, valid={span}"
                    raise Conflict(
                        _named(place, tuple(other[3 : 3 + tail])), found, "take that one out first"
                    )

    def retime(self, ref: DatasetRef, mtime_ns: int) -> None:
        """Say when the bytes of a dataset were made, in all stores.

        Raises
        ------
        NotAllowed
            When they are not skyfs's own, or lie in a file with others.
        """
        with self._database.transaction():
            row = self._rows.of([ref])[0]
            writable_run(_own_place(self._catalogue.current(), ref, row).collection)
            if not self._artifacts.retime(row.id, mtime_ns):
                found = "its file is not skyfs's own, or holds other datasets too"
                raise NotAllowed(f"change the time of {ref}", found, "change that of the file")
            self._recorder.retimed(ref, mtime_ns)

    # -- remove ----------------------------------------------------------------------------------------

    def remove(self, refs: Iterable[DatasetRef]) -> list[UUID]:
        """Remove datasets with all their memberships; give their ids.

        Raises
        ------
        Conflict
            When one was removed meanwhile.
        Locked
            When a RUN is locked.
        """
        wanted = list({ref.id: ref for ref in refs}.values())
        with self._database.transaction():
            snapshot = self._catalogue.current()
            rows = self._rows.of(wanted)
            members: dict[Place, list[Row]] = {}
            for ref, row in zip(wanted, rows, strict=True):
                place = _own_place(snapshot, ref, row)
                members.setdefault(place, []).append((*ref.data_id.row, row.id))
            for place, some in members.items():
                self._remove_members(snapshot, place, some)
            self._artifacts.drop([row.id for row in rows])
            if any(place.entry.type.capture for place in members):
                self._captured.drop([row.id for row in rows])
            for statement in self._delete:
                self._database.write_many(statement, [(row.id,) for row in rows])
            removed = [ref.id for ref in wanted]
            self._recorder.removed(removed)
        return removed

    def _remove_members(self, snapshot: Snapshot, place: Place, members: Sequence[Row]) -> None:
        writable_run(place.collection)
        if self._members.delete(place, members) != len(members):
            what = f"remove {place.entry.type.name} from {place.collection.collection.name!r}"
            raise Conflict(what, "a data ID is not that of the dataset", "look it up again")
        for other in self._members.elsewhere(snapshot, place.entry):
            self._members.delete(other, members)

    def shared(self, refs: Sequence[DatasetRef]) -> set[tuple[str, str]]:
        """Give (store, key) of files that hold other datasets than these too."""
        return self._artifacts.shared(refs)

    # -- rows ------------------------------------------------------------------------------------------

    def _next_ids(self) -> tuple[int, int]:
        dataset, artifact = self._database.select(self._last_ids)[0]
        return (dataset or 0) + 1, (artifact or 0) + 1


def _now_ms() -> int:
    return time.time_ns() // 10**6


def _last_ids(schema: Schema) -> Selection:
    last = [sa.select(sa.func.max(schema[name].c.id)).scalar_subquery() for name in ("dataset", "artifact")]
    return Selection(sa.select(*last))


def _grouped(datasets: Iterable[NewDataset]) -> Mapping[tuple[str, str, int], list[NewDataset]]:
    groups: dict[tuple[str, str, int], list[NewDataset]] = {}
    for dataset in datasets:
        key = (dataset.ref.type.name, dataset.ref.run, 1 if dataset.locations else 0)
        groups.setdefault(key, []).append(dataset)
    return groups


def _data_id_texts(entry: TypeEntry, rows: Iterable[Levels]) -> list[str]:
    """Give the required values as JSON lists without brackets: the way back from a dataset to its members."""
    places = entry.group.indices
    return [
        ",".join(
            [str(value) if type(value) is int else _quoted(value) for value in map(row.__getitem__, places)]
        )
        for row in rows
    ]


@lru_cache(maxsize=10_000)
def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _own_place(snapshot: Snapshot, ref: DatasetRef, row: DatasetRow) -> Place:
    """Give the membership of a dataset in its RUN, or raise Conflict when the reference is not of it."""
    place = Place(
        snapshot.types_by_id[row.type_id], snapshot.collections[snapshot.collection_names[row.run_id]]
    )
    named = (place.entry.type.name, place.collection.collection.name, row.data_id)
    if named != (ref.type.name, ref.run, _data_id_texts(place.entry, [ref.data_id.row])[0]):
        found = f"it is {named[0]} [{named[2]}] in {named[1]!r}"
        raise Conflict(
            f"dataset {ref.id} as {ref.type.name} {ref.data_id!r} in {ref.run!r}", found, "look it up again"
        )
    return place


def _of_kind(snapshot: Snapshot, name: str, kind: CollectionKind) -> CollectionEntry:
    entry = snapshot.collection(name)
    if entry.collection.kind is not kind:
        verb = "tag" if kind is CollectionKind.TAGGED else "change validity"
        raise NotAllowed(f"{verb} in {name!r}", f"it is {entry.collection.kind}", f"name a {kind} collection")
    return entry


def _named(place: Place, levels: Levels) -> str:
    data_id = DataId(place.entry.group, levels)
    return f"{place.entry.type.name} {data_id!r} in {place.collection.collection.name!r}"
