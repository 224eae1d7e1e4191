"""Reading datasets: find one, list a level, give all that a pattern names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Row

from ..model.collection import CollectionKind
from ..model.dataid import DataId, Value
from ..model.dataset import DatasetRef, Location, Resolved
from ..model.paths import Address, parse, split_leaf
from ..model.template import default_key, id_in_key
from ..model.timespan import Timespan
from .catalogue import CollectionEntry, Snapshot, TypeEntry
from .database import Database
from .dataids import DataIds
from .levels import LevelFilter, Statements
from .schema import Schema
from .symbols import Symbols

# Stands for no bound in validity columns, which are part of a primary key and so cannot be null.
MIN_NS, MAX_NS = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory below a dataset type: the values of its levels."""

    collection: str
    type_name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset and the collection (no chain) that it was found in."""

    collection: str
    resolved: Resolved


class Lookup:
    """Answers from the membership tables. Every method is one statement for each dimension group."""

    def __init__(self, database: Database, schema: Schema, symbols: Symbols, data_ids: DataIds) -> None:
        self._database = database
        self._symbols = symbols
        self._data_ids = data_ids
        self._statements = Statements(schema)

    def directories(
        self,
        snapshot: Snapshot,
        types: Sequence[TypeEntry],
        collections: Iterable[CollectionEntry],
        filters: LevelFilter,
        depth: int,
    ) -> Iterator[Directory]:
        """Give the distinct values of the first ``depth`` levels that hold stored datasets."""
        for valid, wanted in _by_kind(collections):
            params = self._params(types, wanted, filters)
            for row in self._database.read(self._statements.values(types[0], filters, depth, valid=valid), params):
                name = snapshot.collection_names[row[1]]
                yield Directory(name, snapshot.types_by_id[row[0]].type.name, tuple(row[2:]))

    def datasets(
        self,
        snapshot: Snapshot,
        types: Sequence[TypeEntry],
        collections: Iterable[CollectionEntry],
        filters: LevelFilter,
        *,
        declared: bool = False,
    ) -> Iterator[Found]:
        """Give datasets of types of one group, in path order within each type and collection.

        With ``declared``, those without bytes too.
        """
        for valid, wanted in _by_kind(collections):
            statement = self._statements.datasets(types[0], filters, valid=valid, declared=declared)
            rows = self._database.read(statement, self._params(types, wanted, filters))
            yield from self._gather(snapshot, rows, valid=valid)

    def held(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> dict[str, set[str]]:
        """Give the names of the types of which each collection holds stored datasets."""
        wanted = [entry.id for entry in collections]
        found: dict[str, set[str]] = {}
        for row in self._database.read(self._statements.held(), {"collection_ids": wanted}):
            name = snapshot.collection_names[row.collection_id]
            found.setdefault(name, set()).add(snapshot.types_by_id[row.type_id].type.name)
        return found

    def by_id(self, snapshot: Snapshot, ids: Iterable[UUID]) -> dict[UUID, Resolved]:
        """Give datasets by id; unknown ones are left out."""
        wanted = [one.bytes for one in ids]
        found: dict[UUID, Resolved] = {}
        for start in range(0, len(wanted), 500):
            rows = self._database.read(self._statements.by_uuid(), {"uuids": wanted[start : start + 500]})
            for group in _runs_of(rows):
                entry = snapshot.types_by_id[group[0].type_id]
                levels = self._levels(entry, json.loads(f"[{group[0].data_id}]"))
                resolved = self._resolved(snapshot, entry, levels, group, None)
                found[resolved.ref.id] = resolved
        return found

    def holds(self, snapshot: Snapshot, store: str, key: str) -> bool:
        """Tell whether some dataset's bytes lie under a key of a store."""
        marked = id_in_key(key)
        if marked is not None:
            found = list(self.by_id(snapshot, [marked]).values())
        else:
            found = [one.resolved for one in self._at_path(snapshot, parse(key))]
        return any((place.store, place.key) == (store, key) for one in found for place in one.locations)

    def _at_path(self, snapshot: Snapshot, address: Address) -> Iterator[Found]:
        if address.keys:
            collection, name = address.collection, address.type_name
        else:
            leaf = split_leaf(address.head[-1])
            collection, name = "/".join(address.head[:-1]), leaf[0] if leaf else ""
        if name in snapshot.types and collection in snapshot.collections:
            entry = snapshot.types[name]
            levels, _ = self._data_ids.split(entry.group, dict(address.keys))
            yield from self.datasets(snapshot, [entry], [snapshot.collections[collection]], LevelFilter(levels, {}))

    def _levels(self, entry: TypeEntry, required: list[Value]) -> tuple[Value, ...]:
        given = dict(zip(entry.group.required, required, strict=True))
        return self._data_ids.with_grouping(entry.group, given)

    def _params(
        self, types: Sequence[TypeEntry], collections: Sequence[CollectionEntry], filters: LevelFilter
    ) -> dict[str, object]:
        ids: dict[str, object] = {"type_ids": [entry.id for entry in types]}
        ids["collection_ids"] = [entry.id for entry in collections]
        return ids | filters.params()

    def _gather(self, snapshot: Snapshot, rows: Sequence[Row[Any]], *, valid: bool) -> Iterator[Found]:
        for group in _runs_of(rows):
            first = group[0]
            entry = snapshot.types_by_id[first[0]]
            width = len(entry.group.levels)
            span = _timespan(first[2 + width], first[3 + width]) if valid else None
            resolved = self._resolved(snapshot, entry, tuple(first[2 : 2 + width]), group, span)
            yield Found(snapshot.collection_names[first[1]], resolved)

    def _resolved(
        self,
        snapshot: Snapshot,
        entry: TypeEntry,
        levels: tuple[Value, ...],
        rows: Sequence[Row[Any]],
        span: Timespan | None,
    ) -> Resolved:
        first = rows[0]
        run = snapshot.collection_names[first.run_id]
        ref = DatasetRef(UUID(bytes=first.uuid), entry.type, DataId(entry.group, levels), run, span)
        return Resolved(ref, tuple(self._location(ref, row) for row in rows if row.store_id is not None))

    def _location(self, ref: DatasetRef, row: Row[Any]) -> Location:
        extension = self._symbols.text(row.extension_id)
        if row.name is None:
            key = default_key(ref, extension)
        else:
            key = f"{row.folder}/{row.name}" if row.folder else str(row.name)
        store = self._symbols.text(row.store_id)
        return Location(store, key, extension, row.size, row.mtime_ns, row.sha256, row.part)


def _runs_of(rows: Sequence[Row[Any]]) -> Iterator[list[Row[Any]]]:
    """Group neighbouring rows of one dataset: it has a row for each place of its bytes."""
    group: list[Row[Any]] = []
    for row in rows:
        if group and (row.id != group[0].id or row[:-11] != group[0][:-11]):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _by_kind(collections: Iterable[CollectionEntry]) -> Iterator[tuple[bool, list[CollectionEntry]]]:
    """Split collections by the table that their members are in: with validity ranges or without."""
    listed = list(collections)
    for valid in (False, True):
        wanted = [entry for entry in listed if (entry.collection.kind is CollectionKind.CALIBRATION) == valid]
        if wanted:
            yield valid, wanted


def _timespan(begin_ns: int, end_ns: int) -> Timespan:
    return Timespan(None if begin_ns == MIN_NS else begin_ns, None if end_ns == MAX_NS else end_ns)


def by_group(types: Iterable[TypeEntry]) -> Mapping[int, list[TypeEntry]]:
    """Sort types by their dimension group: one statement answers for all of a group."""
    groups: dict[int, list[TypeEntry]] = {}
    for entry in types:
        groups.setdefault(entry.group_id, []).append(entry)
    return groups
