"""Collections, dataset types and side tables, kept in memory and fresh."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from ..errors import BadDefinition, NotFound, SkyfsError, StoreError, nearest, some_of
from ..model.collection import Collection, CollectionKind
from ..model.dataset import DatasetType
from ..model.dimensions import DimensionGroup, Element
from ..model.element import side_table
from .database import Database
from .schema import GroupTables, Schema
from .statement import Selection


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """A dataset type and where its rows are."""

    id: int
    type: DatasetType
    group_id: int
    tables: GroupTables

    @property
    def group(self) -> DimensionGroup:
        """Its dimensions."""
        return self.type.group


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """A collection and its id."""

    id: int
    collection: Collection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All collections, types and attached side tables as of one version of the catalogue."""

    version: int
    collections: Mapping[str, CollectionEntry]
    types: Mapping[str, TypeEntry]
    collection_names: Mapping[int, str]
    types_by_id: Mapping[int, TypeEntry]
    sides: Mapping[str, Element]

    def collection(self, name: str) -> CollectionEntry:
        """Give a collection by name, or raise NotFound with the nearest names."""
        found = self.collections.get(name)
        if found is None:
            todo = nearest(name, self.collections) or "there are none yet"
            raise NotFound(f"no collection {name!r}", todo=todo)
        return found

    def type(self, name: str) -> TypeEntry:
        """Give a dataset type by name, or raise NotFound with the nearest names."""
        found = self.types.get(name)
        if found is None:
            there = some_of(self.types) or "there are none yet"
            todo = nearest(name, self.types, f"register it first; {there}")
            raise NotFound(f"no dataset type {name!r}", todo=todo)
        return found

    def added(self, entry: CollectionEntry, version: int) -> Snapshot:
        """Give the next version, with a new collection."""
        name = entry.collection.name
        collections = {**self.collections, name: entry}
        names = {**self.collection_names, entry.id: name}
        return Snapshot(version, collections, self.types, names, self.types_by_id, self.sides)

    def flatten(self, names: Iterable[str]) -> tuple[CollectionEntry, ...]:
        """Give the collections to search, chains resolved, each once, in order."""
        found: dict[int, CollectionEntry] = {}
        for entry in self._leaves(names, ()):
            found.setdefault(entry.id, entry)
        return tuple(found.values())

    def _leaves(self, names: Iterable[str], trail: tuple[str, ...]) -> Iterator[CollectionEntry]:
        for name in names:
            entry = self.collection(name)
            if entry.collection.kind is not CollectionKind.CHAINED:
                yield entry
            elif name in trail:
                raise BadDefinition(f"chain {trail[0]!r}", f"contains itself: {' -> '.join((*trail, name))}")
            else:
                yield from self._leaves(entry.collection.children, (*trail, name))


class Catalogue:
    """Gives the current `Snapshot`, read anew only when the version row has changed."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._schema = schema
        self._snapshot: Snapshot | None = None
        self._reading = threading.Lock()
        meta = schema["meta"]
        self._version = Selection(sa.select(meta.c.value).where(meta.c.key == "catalogue"))
        database.when_committed(self._committed)

    def current(self) -> Snapshot:
        """Give what is committed now, and what this thread's transaction has changed."""
        scratch = self._database.scratch
        if scratch is not None:
            return self._current_inside(scratch)
        version = self._database.version(self._version)
        snapshot = self._snapshot
        if snapshot is None or snapshot.version != version:
            with self._reading:
                snapshot = self._snapshot = self._read_committed()
        return snapshot

    def _current_inside(self, scratch: dict[str, object]) -> Snapshot:
        # Nobody else changes the catalogue meanwhile; `bump` takes out what is no longer right.
        kept = scratch.get("catalogue")
        if isinstance(kept, Snapshot):
            return kept
        version, snapshot = self._database.version(self._version), self._snapshot
        if snapshot is None or snapshot.version != version:
            snapshot = self._read(version)
        scratch["catalogue"] = snapshot
        return snapshot

    def bump(self, changed: Callable[[int], Snapshot] | None = None) -> None:
        """Tell every process, inside of a transaction, that the catalogue has changed.

        Who knows what it is now gives it for the new version; else it is read anew.
        """
        meta = self._schema["meta"]
        version = self._read_version() + 1
        self._database.write(meta.update().where(meta.c.key == "catalogue").values(value=str(version)))
        self._database.forget_version()
        scratch = self._database.scratch or {}
        scratch.pop("catalogue", None)
        if changed is not None:
            scratch["catalogue"] = changed(version)

    def _committed(self, scratch: Mapping[str, object]) -> None:
        kept = scratch.get("catalogue")
        if isinstance(kept, Snapshot):
            with self._reading:
                if self._snapshot is None or self._snapshot.version < kept.version:
                    self._snapshot = kept

    def _read_version(self) -> int:
        return int(self._database.select(self._version)[0][0])

    def _read_committed(self) -> Snapshot:
        # Several statements; another process may commit between them. Then they are read again.
        while True:
            version = self._read_version()
            try:
                snapshot = self._read(version)
            except StoreError:
                if self._read_version() == version:
                    raise
                continue
            if self._read_version() == version:
                return snapshot

    def _read(self, version: int) -> Snapshot:
        try:
            return self._read_all(version)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            found = f"a row cannot be read: {error if isinstance(error, SkyfsError) else repr(error)}"
            todo = "skyfs check tells which; restore the registry, or make it anew: skyfs rebuild"
            raise StoreError("read collections and dataset types", found, todo) from None

    def _read_all(self, version: int) -> Snapshot:
        collections = {entry.collection.name: entry for entry in self._read_collections()}
        types = {entry.type.name: entry for entry in self._read_types()}
        return Snapshot(
            version,
            collections,
            types,
            {entry.id: name for name, entry in collections.items()},
            {entry.id: entry for entry in types.values()},
            {element.name: element for element in self._read_sides()},
        )

    def _read_collections(self) -> Iterator[CollectionEntry]:
        table, chain = self._schema["collection"], self._schema["chain"]
        rows = self._database.read(sa.select(table))
        names = {row.id: row.name for row in rows}
        children: dict[int, list[str]] = {}
        for row in self._database.read(sa.select(chain).order_by(chain.c.parent_id, chain.c.position)):
            if row.child_id not in names:
                found = f"a chain names collection {row.child_id}, which is gone"
                raise StoreError("read the collections", found, "skyfs check --repair")
            children.setdefault(row.parent_id, []).append(names[row.child_id])
        for row in rows:
            kind, below = CollectionKind(row.kind), tuple(children.get(row.id, ()))
            yield CollectionEntry(row.id, Collection(row.name, kind, below, row.owner, row.locked, row.doc))

    def _read_sides(self) -> Iterator[Element]:
        table = self._schema["attachment"]
        for row in self._database.read(sa.select(table).order_by(table.c.name)):
            yield side_table(row.name, json.loads(row.definition))

    def _read_types(self) -> Iterator[TypeEntry]:
        table, groups = self._schema["dataset_type"], self._schema["dimension_group"]
        joined = sa.select(table, groups.c.dimensions).join(groups, groups.c.id == table.c.group_id)
        for row in self._database.read(joined):
            group = self._schema.universe.group(json.loads(row.dimensions))
            capture = tuple((name, source) for name, source in json.loads(row.capture))
            dataset_type = DatasetType(
                row.name, group, row.storage_class, row.calibration, capture, row.immutable
            )
            yield TypeEntry(row.id, dataset_type, row.group_id, self._schema.group(row.group_id, group))
