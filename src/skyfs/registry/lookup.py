"""Reading datasets: find one, list a level, give all that a pattern names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from ..errors import BadPath, NotFound
from ..model.batches import batches
from ..model.collection import CollectionKind
from ..model.dataid import DataId, Value
from ..model.dataset import DatasetRef, Location, Part, Resolved
from ..model.paths import Address, parse, split_leaf
from ..model.template import default_key, id_in_key
from ..model.timespan import Timespan
from .catalogue import Catalogue, CollectionEntry, Snapshot, TypeEntry
from .database import Database
from .dataids import DataIds
from .keys import DefaultKeys
from .levels import LevelFilter, Scope, Statements, free, is_scattered
from .record_rows import timespan
from .schema import Schema
from .statement import AnyRow
from .symbols import Symbols

# Rows of one statement; what is larger comes in pages, so that neither memory nor the write-ahead log grows.
_PAGE_ROWS = 20_000
_ROWS_PER_READ = 100
_COLLECTIONS_PER_READ = 1_000
# Columns of a row before its levels: type, collection, stored.
_HEAD_COLUMNS = 3

_Rows = Sequence[tuple[Any, ...]]


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


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of one table of a dimension group."""

    entry: TypeEntry
    scope: Scope
    filters: LevelFilter
    valid: bool

    def within(self, scope: Scope) -> _Question:
        """Ask the same of fewer types and collections."""
        return _Question(self.entry, scope, self.filters, self.valid)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of its types."""
        return self.entry.group.levels

    @property
    def width(self) -> int:
        """How many columns of a row say what a dataset is; then comes where it lies."""
        return _HEAD_COLUMNS + len(self.levels) + (2 if self.valid else 0)


class Lookup:
    """Answers from the membership tables. Every method is one statement for each dimension group and page."""

    def __init__(
        self, database: Database, schema: Schema, catalogue: Catalogue, symbols: Symbols, data_ids: DataIds
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._symbols = symbols
        self._data_ids = data_ids
        self._statements = Statements(schema)
        self._keys = DefaultKeys()

    def directories(
        self,
        snapshot: Snapshot,
        types: Sequence[TypeEntry],
        collections: Iterable[CollectionEntry],
        filters: LevelFilter,
        depth: int,
        *,
        declared: bool = False,
    ) -> Iterator[Directory]:
        """Give the distinct values of the first ``depth`` levels that hold stored datasets, in path order.

        With ``declared``, those that hold declared ones too.
        """
        for question in _questions(types, collections, filters, declared=declared):
            for type_id, collection_id, *values in self._prefixes(question, depth):
                name = snapshot.collection_names[collection_id]
                yield Directory(name, snapshot.types_by_id[type_id].type.name, tuple(values))

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

        With ``declared``, those without bytes too, before the others. Answers of more than one page (20 000
        rows) are read while they are iterated over: what others commit meanwhile may be in the later pages.
        """
        for question in _questions(types, collections, filters, declared=declared):
            for rows in self._pages(question):
                yield from self._found(snapshot, question, rows)

    def everything(self, snapshot: Snapshot, *, declared: bool = False) -> Iterator[Resolved]:
        """Give all datasets, each from the RUN that owns it, in pages as `datasets` does."""
        runs = [one for one in snapshot.collections.values() if one.collection.kind is CollectionKind.RUN]
        for types in by_group(snapshot.types.values()).values():
            for found in self.datasets(snapshot, types, runs, LevelFilter(), declared=declared):
                yield found.resolved

    def by_id(self, snapshot: Snapshot, ids: Iterable[UUID]) -> dict[UUID, Resolved]:
        """Give datasets by id; unknown ones are left out."""
        wanted = dict.fromkeys(one.bytes for one in ids)
        found: dict[UUID, Resolved] = {}
        by_type: dict[int, list[AnyRow]] = {}
        for row in self._database.read_among(self._statements.by_uuid(), wanted):
            by_type.setdefault(row[0], []).append(row)
        for type_id, some in by_type.items():
            found |= {one.ref.id: one for one in self._by_id(snapshot, type_id, some)}
        return found

    def members(
        self, snapshot: Snapshot, entry: TypeEntry, run: CollectionEntry, rows: Sequence[tuple[Value, ...]]
    ) -> dict[tuple[Value, ...], Resolved]:
        """Give the datasets of a RUN, declared ones too, that have these values of levels."""
        levels = entry.group.levels
        found: dict[tuple[Value, ...], Resolved] = {}
        place: dict[str, object] = {"type_id": entry.id, "collection_id": run.id}
        if not self._database.select(self._statements.member(entry), place):
            return found
        question = _Question(entry, Scope((entry.id,), (run.id,), (0, 1)), LevelFilter(), valid=False)
        for start in range(0, len(rows) if levels else 0, _ROWS_PER_READ):
            some = list(rows[start : start + _ROWS_PER_READ])
            some += some[-1:] * (_ROWS_PER_READ - len(some))
            params = dict(place)
            for index, row in enumerate(some):
                params.update((f"{name}_{index}", value) for name, value in zip(levels, row, strict=True))
            read = self._database.select(self._statements.members(entry, _ROWS_PER_READ), params)
            there = sorted({row for row in read if row[0] is not None}, key=itemgetter(question.width))
            for one in self._found(snapshot, question, there):
                found[one.resolved.ref.data_id.row] = one.resolved
        return found

    def holds(self, snapshot: Snapshot, store: str, key: str) -> bool:
        """Tell whether some dataset's bytes lie under a key of a store."""
        if self.has_parts(store, key):
            return True
        marked = id_in_key(key)
        found = [] if marked is None else list(self.by_id(snapshot, [marked]).values())
        # A value may look like the mark of an id; then the path tells.
        found += [one.resolved for one in self._at_path(snapshot, key)]
        return any((place.store, place.key) == (store, key) for one in found for place in one.locations)

    def has_parts(self, store: str, key: str) -> bool:
        """Tell whether a file of many datasets, or with a name of its own, lies under a key of a store."""
        folder, _, name = key.rpartition("/")
        values = {"a_store": store, "a_folder": folder, "a_name": name}
        return bool(self._database.read(self._statements.file_with_parts(), values))

    def _at_path(self, snapshot: Snapshot, key: str) -> list[Found]:
        try:
            address = parse(key)
            collection, name = _split(address)
            if name not in snapshot.types or collection not in snapshot.collections:
                return []
            entry = snapshot.types[name]
            levels, _ = self._data_ids.split(entry.group, dict(address.keys))
        except (BadPath, NotFound, ValueError):
            return []  # no key of the template
        if set(levels) != set(entry.group.levels):
            return []
        return list(self.datasets(snapshot, [entry], [snapshot.collections[collection]], LevelFilter(levels)))

    # -- pages -----------------------------------------------------------------------------------------

    def _prefixes(self, question: _Question, depth: int) -> _Rows:
        entry, scope, filters = question.entry, question.scope, question.filters
        statement = self._statements.values(entry, scope, filters, depth, valid=question.valid)
        return self._database.select(statement, scope.params() | filters.params())

    def _pages(self, question: _Question) -> Iterator[_Rows]:
        rows = self._page(question, {})
        if len(rows) < _PAGE_ROWS:
            yield rows
        elif is_scattered(question.levels, question.filters):
            yield from self._by_directory(question)
        else:
            yield from self._following(question, rows)

    def _by_directory(self, question: _Question) -> Iterator[_Rows]:
        """Ask for one directory at a time: a statement that skips over many would do so for each page."""
        levels, filters, scope = question.levels, question.filters, question.scope
        for type_id, collection_id, *values in self._prefixes(question, len(levels) - 1):
            exact = {**filters.exact, **dict(zip(levels, values, strict=False))}
            like = {name: pattern for name, pattern in filters.like.items() if name == levels[-1]}
            narrow = Scope((type_id,), (collection_id,), scope.stored)
            yield from self._pages(
                _Question(question.entry, narrow, LevelFilter(exact, like, filters.span), question.valid)
            )

    def _following(self, question: _Question, rows: _Rows) -> Iterator[_Rows]:
        """Give a full page, and all that comes after it."""
        rows = _without_last(rows, question.width)
        yield rows
        head = tuple(rows[-1][:_HEAD_COLUMNS])
        yield from self._rest(question.within(Scope(*((value,) for value in head))), rows[-1])
        for scope in _beyond(question.scope, *head):
            yield from self._pages(question.within(scope))

    def _rest(self, question: _Question, last: Sequence[Any]) -> Iterator[_Rows]:
        """Give what comes after a row, of its type and collection."""
        names = free(question.levels, question.filters, valid=question.valid)
        columns = [*question.levels, "begin_ns"]
        full = bool(names)
        while full:
            after = {f"after_{name}": last[_HEAD_COLUMNS + columns.index(name)] for name in names}
            rows = self._page(question, after)
            full = len(rows) >= _PAGE_ROWS
            if full:
                rows = _without_last(rows, question.width)
                last = rows[-1]
            yield rows

    def _page(self, question: _Question, after: Mapping[str, object]) -> _Rows:
        entry, scope, filters = question.entry, question.scope, question.filters
        statement = self._statements.datasets(entry, scope, filters, valid=question.valid, after=bool(after))
        params = scope.params()
        params.update(filters.params(), limit=_PAGE_ROWS, **after)
        return self._database.select(statement, params)

    # -- rows ------------------------------------------------------------------------------------------

    def _found(self, snapshot: Snapshot, question: _Question, rows: _Rows) -> Iterator[Found]:
        width, end = question.width, _HEAD_COLUMNS + len(question.levels)
        group, span = question.entry.group, None
        # A dataset has a row for each place of its bytes, and in CALIBRATION collections for each validity.
        for _, same in groupby(rows, _identity(question)):
            first, *more = same
            if question.valid:
                span = timespan(*first[end:width])
            data_id = DataId(group, first[_HEAD_COLUMNS:end])
            places = [row[width:] for row in more]
            resolved = self._resolved(
                snapshot, snapshot.types_by_id[first[0]], data_id, span, first[width:], places
            )
            if resolved is not None:
                yield Found(snapshot.collection_names[first[1]], resolved)

    def _by_id(self, snapshot: Snapshot, type_id: int, rows: _Rows) -> Iterator[Resolved]:
        entry = snapshot.types_by_id.get(type_id) or self._catalogue.current().types_by_id[type_id]
        datasets = [list(same) for _, same in groupby(rows, itemgetter(2))]
        required = [tuple(json.loads(f"[{same[0][1]}]")) for same in datasets]
        for levels, (first, *more) in zip(self._data_ids.fill(entry.group, required), datasets, strict=True):
            data_id, places = DataId(entry.group, levels), [row[2:] for row in more]
            resolved = self._resolved(snapshot, entry, data_id, None, first[2:], places)
            if resolved is not None:
                yield resolved

    def _resolved(
        self,
        snapshot: Snapshot,
        entry: TypeEntry,
        data_id: DataId,
        span: Timespan | None,
        first: Sequence[Any],
        more: Sequence[Sequence[Any]],
    ) -> Resolved | None:
        run = snapshot.collection_names.get(first[2])
        if run is None:
            # The RUN is newer than the snapshot; or it was removed meanwhile, and the dataset with it.
            run = self._catalogue.current().collection_names.get(first[2])
            if run is None:
                return None
        ref = DatasetRef(UUID(bytes=first[1]), entry.type, data_id, run, span)
        if first[3] is None:
            return Resolved(ref, ())
        if not more:
            return Resolved(ref, (self._location(ref, first),))
        return Resolved(ref, tuple(self._location(ref, row) for row in (first, *more)))

    def _location(self, ref: DatasetRef, row: Sequence[Any]) -> Location:
        _, _, _, store_id, folder, name, extension_id, size, mtime_ns, sha256, owned, component, *hdu = row
        extension = self._symbols.text(extension_id)
        store, own = self._symbols.text(store_id), f"{folder}/{name}" if folder else name
        part = None
        if hdu[0] is not None:
            # Size and digest of a part are its own; the file has others.
            part = Part(hdu[0], hdu[1], hdu[2], size, sha256)
            size, sha256 = hdu[3:]
        if component is None:
            key = self._keys.key(ref, extension) if name is None else own
            return Location(store, key, extension, size, mtime_ns, sha256, part, None, bool(owned))
        text = self._symbols.text(component)
        key = default_key(ref, extension, text) if name is None else own
        return Location(store, key, extension, size, mtime_ns, sha256, part, text, bool(owned))


def _questions(
    types: Sequence[TypeEntry],
    collections: Iterable[CollectionEntry],
    filters: LevelFilter,
    *,
    declared: bool,
) -> Iterator[_Question]:
    """Split collections by the table that their members are in: with validity ranges or without."""
    listed = list(collections)
    type_ids = tuple(sorted({entry.id for entry in types}))
    for valid in (False, True):
        ids = sorted(
            {entry.id for entry in listed if (entry.collection.kind is CollectionKind.CALIBRATION) == valid}
        )
        for some in batches(ids if types else (), _COLLECTIONS_PER_READ):
            scope = Scope(type_ids, tuple(some), (0, 1) if declared else (1,))
            yield _Question(types[0], scope, filters, valid)


def _beyond(scope: Scope, type_id: int, collection_id: int, stored: int) -> Iterator[Scope]:
    """Give the parts of a scope whose rows come after those of a type and collection."""
    later = tuple(other for other in scope.stored if other > stored)
    if later:
        yield Scope((type_id,), (collection_id,), later)
    collections = tuple(other for other in scope.collections if other > collection_id)
    if collections:
        yield Scope((type_id,), collections, scope.stored)
    types = tuple(other for other in scope.types if other > type_id)
    if types:
        yield Scope(types, scope.collections, scope.stored)


def _identity(question: _Question) -> itemgetter[Any]:
    """Give what tells the datasets of neighbouring rows apart."""
    begin = (_HEAD_COLUMNS + len(question.levels),) if question.valid else ()
    return itemgetter(0, 1, *begin, question.width)


def _without_last(rows: _Rows, column: int) -> _Rows:
    """Leave out the rows of the last dataset, which may not be all, unless there is no other."""
    last = rows[-1][column]
    count = next((index for index, row in enumerate(reversed(rows)) if row[column] != last), 0)
    return rows[: len(rows) - count] if count else rows


def _split(address: Address) -> tuple[str, str]:
    if address.keys:
        return address.collection, address.type_name
    leaf = split_leaf(address.head[-1]) if address.head else None
    name = leaf[0] if leaf else ""
    # A component of a dataset without dimensions lies in a folder of its own.
    apart = len(address.head) > 2 and address.head[-2].startswith(f"{name}.")
    return "/".join(address.head[: -2 if apart else -1]), name


def by_group(types: Iterable[TypeEntry]) -> Mapping[int, list[TypeEntry]]:
    """Sort types by their dimension group: one statement answers for all of a group."""
    groups: dict[int, list[TypeEntry]] = {}
    for entry in types:
        groups.setdefault(entry.group_id, []).append(entry)
    return groups
