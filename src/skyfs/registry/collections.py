"""Collections and dataset types: made, changed, removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from ..errors import Conflict, Locked, NotAllowed
from ..model.collection import Collection, CollectionKind, check_collection_name
from ..model.dataset import DatasetType
from ..model.manifest_line import DropLine
from .catalogue import Catalogue, CollectionEntry, Snapshot, TypeEntry
from .database import Database
from .recording import Recorder
from .schema import Schema
from .statement import Statement


class Collections:
    """Changes to the catalogue. Each call is a transaction, or part of the caller's."""

    def __init__(self, database: Database, schema: Schema, catalogue: Catalogue, recorder: Recorder) -> None:
        self._database = database
        self._schema = schema
        self._catalogue = catalogue
        self._recorder = recorder
        self._insert_chain = Statement.insert(schema["chain"])

    def current(self) -> Snapshot:
        """Give all collections and types as they are now."""
        return self._catalogue.current()

    def register(self, dataset_type: DatasetType) -> TypeEntry:
        """Register a dataset type; the same one again is no change.

        Raises
        ------
        Conflict
            When the name is taken by a different type.
        """
        known = self._registered(dataset_type)
        if known is not None:
            return known
        with self._database.transaction():
            # Another process may have registered it before this transaction began.
            known = self._registered(dataset_type)
            if known is None:
                self._check_free(dataset_type.name)
                self._insert_type(dataset_type, self._group_id(dataset_type))
                self._catalogue.bump()
                self._recorder.type(dataset_type)
                known = self.current().type(dataset_type.name)
                self._database.define([known.tables.member, known.tables.valid])
            return known

    def create(self, collection: Collection) -> CollectionEntry:
        """Create a collection; the same name and kind again is no change.

        Raises
        ------
        Conflict
            When the name is taken by a collection of another kind.
        BadDefinition
            When paths cannot spell the name.
        """
        known = self._created(collection)
        if known is not None:
            return known
        check_collection_name(collection.name)
        with self._database.transaction():
            known = self._created(collection)
            if known is None:
                known = self._insert_collection(collection)
            if collection.children and not known.collection.children:
                self.set_chain(collection.name, collection.children)
                known = self.current().collection(collection.name)
            return known

    def _insert_collection(self, collection: Collection) -> CollectionEntry:
        snapshot, table = self.current(), self._schema["collection"]
        values = {"name": collection.name, "kind": str(collection.kind), "owner": collection.owner}
        flags: dict[str, object] = {"locked": collection.locked, "doc": collection.doc}
        self._database.write(table.insert().values(**values, **flags))
        (row,) = self._database.read(sa.select(table.c.id).where(table.c.name == collection.name))
        entry = CollectionEntry(row[0], replace(collection, children=()))
        self._catalogue.bump(lambda version: snapshot.added(entry, version))
        self._recorder.collection(entry.collection)
        return entry

    def set(self, wanted: Collection) -> None:
        """Make a collection, or give the one that is there this owner and these words about it.

        Raises
        ------
        Conflict
            When the name is taken by a collection of another kind.
        """
        with self._database.transaction():
            there = self.create(replace(wanted, children=()))
            if (there.collection.owner, there.collection.doc) != (wanted.owner, wanted.doc):
                table = self._schema["collection"]
                changed = table.update().where(table.c.id == there.id)
                self._database.write(changed.values(owner=wanted.owner, doc=wanted.doc))
                self._catalogue.bump()
                self._recorder.collection(self.current().collection(wanted.name).collection)

    def set_chain(self, name: str, children: Sequence[str]) -> None:
        """Give a CHAINED collection its search order, making the collection when it is new.

        Raises
        ------
        BadDefinition
            When the chain would contain itself.
        """
        with self._database.transaction():
            parent = self.create(Collection(name, CollectionKind.CHAINED))
            snapshot = self.current()
            ids = [snapshot.collection(child).id for child in dict.fromkeys(children)]
            chain = self._schema["chain"]
            self._database.write(chain.delete().where(chain.c.parent_id == parent.id))
            rows = [(parent.id, position, child) for position, child in enumerate(ids)]
            self._database.write_many(self._insert_chain, rows)
            self._catalogue.bump()
            self.current().flatten([name])
            self._recorder.collection(self.current().collection(name).collection)

    def edit_chain(self, name: str, change: Callable[[tuple[str, ...]], Sequence[str]]) -> None:
        """Give a CHAINED collection the children that ``change`` makes of those it has.

        Nobody else changes it meanwhile.

        Raises
        ------
        NotFound
            When there is no such collection, or a child does not exist.
        NotAllowed
            When it is no chain.
        BadDefinition
            When the chain would contain itself.
        """
        with self._database.transaction():
            found = self.current().collection(name).collection
            if found.kind is not CollectionKind.CHAINED:
                raise NotAllowed(f"change the chain {name!r}", f"it is {found.kind}", "name a chain")
            self.set_chain(name, change(found.children))

    def set_locked(self, name: str, *, locked: bool) -> None:
        """Lock or unlock a RUN."""
        with self._database.transaction():
            entry = self.current().collection(name)
            if entry.collection.kind is not CollectionKind.RUN:
                raise NotAllowed(
                    f"lock {name!r}", f"it is {entry.collection.kind}", "only a RUN can be locked"
                )
            table = self._schema["collection"]
            self._database.write(table.update().where(table.c.id == entry.id).values(locked=locked))
            self._catalogue.bump()
            self._recorder.collection(replace(entry.collection, locked=locked))

    def remove(self, name: str, *, unlink: bool = False) -> None:
        """Remove a collection that holds no dataset any more.

        Raises
        ------
        NotAllowed
            When it is part of a chain and ``unlink`` is False, or datasets are in it.
        Locked
            When it is a locked RUN.
        """
        with self._database.transaction():
            entry = self.current().collection(name)
            self._check_removable(entry, unlink=unlink)
            chain, table = self._schema["chain"], self._schema["collection"]
            self._database.write(
                chain.delete().where((chain.c.parent_id == entry.id) | (chain.c.child_id == entry.id))
            )
            self._database.write(table.delete().where(table.c.id == entry.id))
            self._catalogue.bump()
            self._recorder.add(DropLine(name))

    def _check_removable(self, entry: CollectionEntry, *, unlink: bool) -> None:
        name = entry.collection.name
        if entry.collection.kind is CollectionKind.RUN:
            writable_run(entry)
        parents = self.parents(name)
        if parents and not unlink:
            raise NotAllowed(
                f"remove collection {name!r}", f"it is in the chain {parents[0]!r}", "use unlink=True"
            )
        summary = self._schema["summary"]
        if self._database.read(sa.select(summary).where(summary.c.collection_id == entry.id).limit(1)):
            raise NotAllowed(f"remove collection {name!r}", "datasets are in it", "remove those first")

    def parents(self, name: str) -> tuple[str, ...]:
        """Give the names of the chains that directly contain a collection."""
        entries = self.current().collections.values()
        return tuple(entry.collection.name for entry in entries if name in entry.collection.children)

    def _registered(self, dataset_type: DatasetType) -> TypeEntry | None:
        known = self.current().types.get(dataset_type.name)
        if known is not None and known.type != dataset_type:
            found = f"registered as {_describe(known.type)}, asked for {_describe(dataset_type)}"
            raise Conflict(f"dataset type {dataset_type.name!r}", found, "choose another name")
        return known

    def _check_free(self, name: str) -> None:
        if name in self.current().sides:
            raise Conflict(f"dataset type {name!r}", "a side table has the name", "choose another name")

    def _created(self, collection: Collection) -> CollectionEntry | None:
        known = self.current().collections.get(collection.name)
        if known is not None and known.collection.kind is not collection.kind:
            raise Conflict(
                f"collection {collection.name!r}",
                f"is {known.collection.kind}, not {collection.kind}",
                "choose another name",
            )
        return known

    def _group_id(self, dataset_type: DatasetType) -> int:
        table = self._schema["dimension_group"]
        dimensions = json.dumps(dataset_type.group.required)
        select = sa.select(table.c.id).where(table.c.dimensions == dimensions)
        if not self._database.read(select):
            self._database.write(table.insert().values(dimensions=dimensions))
        return int(self._database.read(select)[0].id)

    def _insert_type(self, dataset_type: DatasetType, group_id: int) -> None:
        values = {
            "name": dataset_type.name,
            "group_id": group_id,
            "storage_class": dataset_type.storage_class,
            "calibration": dataset_type.calibration,
            "immutable": dataset_type.immutable,
            "capture": json.dumps(dataset_type.capture),
        }
        self._database.write(self._schema["dataset_type"].insert().values(**values))


def writable_run(entry: CollectionEntry) -> CollectionEntry:
    """Give the entry back when datasets may be written to it.

    Raises
    ------
    NotAllowed
        When it is no RUN.
    Locked
        When it is locked.
    """
    if entry.collection.kind is not CollectionKind.RUN:
        what = f"write to {entry.collection.name!r}"
        raise NotAllowed(what, f"it is {entry.collection.kind}", "datasets are written to a RUN")
    if entry.collection.locked:
        raise Locked(
            f"change the RUN {entry.collection.name!r}",
            "it is locked",
            "unlock it with lock(run, locked=False)",
        )
    return entry


def _describe(dataset_type: DatasetType) -> str:
    dimensions = ", ".join(dataset_type.group.required)
    calibration = ", calibration" if dataset_type.calibration else ""
    capture = "".join(f", {name}={source}" for name, source in dataset_type.capture)
    return f"({dimensions}) {dataset_type.storage_class}{calibration}{capture}"
