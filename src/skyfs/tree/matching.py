"""The tree below ``/.where/<expression>``: the datasets that match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from ..errors import InvalidQuery, NotFound
from ..model.batches import batches
from ..model.collection import CollectionKind
from ..model.dataid import Value
from ..model.dataset import DatasetRef, Resolved, refs_of
from ..querying.conditions import Asked
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.leaves import Row
from ..registry.levels import LevelFilter
from ..registry.lookup import Directory
from ..registry.queries.names import Vocabulary
from ..registry.queries.question import Question
from ..registry.registry import Registry
from ..registry.schema import MAX_NS, MIN_NS
from .everything import Everything
from .folders import Folder
from .shown import Shown

# A folder that has more matches than this is asked about each of its children instead.
_FEW_ROWS = 2_000
_IDS_PER_READ = 500
_ROWS_PER_PAGE = 20_000
# Columns of a row before its levels: collection, RUN, id.
_HEAD_COLUMNS = 3

_Row = tuple[Any, ...]


class Matching(Shown):
    """Shows what matches an expression, as `Repository.query` finds it.

    Of a chain it shows no dataset that the chain itself hides: the first wins, and then it must match. Types
    for which the expression means nothing (it names a field of another type) are not shown.

    Raises
    ------
    InvalidQuery
        When the expression is not well formed.
    """

    def __init__(self, registry: Registry, expression: str) -> None:
        self._registry = registry
        self._everything = Everything(registry)
        self._asked = Asked(expression)
        self._understood: tuple[Snapshot, dict[str, InvalidQuery | None]] | None = None

    def check(self, snapshot: Snapshot) -> None:
        """Refuse an expression that means nothing for any type that has datasets.

        Raises
        ------
        InvalidQuery
            The message has the place.
        """
        refusals = self._refusals(snapshot)
        if refusals and None not in refusals.values():
            # Who knows most names has the best advice; an error that comes late is of a name that is known.
            raise max(
                filter(None, refusals.values()), key=lambda error: not error.found.startswith("no name")
            )

    def held(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> dict[str, set[str]]:
        self.check(snapshot)
        found: dict[str, set[str]] = {}
        for name, types in self._everything.held(snapshot, collections).items():
            entries = (snapshot.types[one] for one in types)
            matching = {
                entry.type.name for entry in entries if self._any(snapshot, entry, snapshot.collections[name])
            }
            found |= {name: matching} if matching else {}
        return found

    def directories(
        self,
        snapshot: Snapshot,
        types: Sequence[TypeEntry],
        collections: Iterable[CollectionEntry],
        filters: LevelFilter,
        depth: int,
        *,
        ranges: bool = False,
    ) -> Iterator[Directory]:
        listed = list(collections)
        held = self._everything.held(snapshot, listed)
        for one in listed:
            for entry in types:
                if entry.type.name in held.get(one.collection.name, ()):
                    for values in self._prefixes(snapshot, entry, one, filters, depth, ranges=ranges):
                        yield Directory(one.collection.name, entry.type.name, values)

    def datasets(
        self,
        snapshot: Snapshot,
        collections: Sequence[CollectionEntry],
        types: Sequence[TypeEntry],
        filters: LevelFilter,
    ) -> Iterator[tuple[CollectionEntry, Resolved]]:
        held = self._everything.held(snapshot, collections)
        for one in collections:
            for entry in types:
                if entry.type.name in held.get(one.collection.name, ()):
                    refs = self._refs(snapshot, entry, one, filters)
                    for some in batches(refs, _IDS_PER_READ):
                        for resolved in self._resolved(snapshot, some):
                            yield one, resolved

    def leaves(self, snapshot: Snapshot, folder: Folder) -> Iterator[Sequence[Row]]:
        entry, one = folder.entry, folder.collection
        held = self._everything.held(snapshot, [one])
        if entry.type.name not in held.get(one.collection.name, ()):
            return
        if self._refusals(snapshot).get(entry.type.name) is not None:
            return
        last = _HEAD_COLUMNS + folder.depth
        rows = self._rows(snapshot, entry, one, folder.filters, None)
        members = ((row[0], row[last], row[2]) for row in rows)
        while some := list(islice(members, _ROWS_PER_PAGE)):
            yield from self._registry.leaves.placed(some)

    def admits(self, snapshot: Snapshot, collection: str, resolved: Resolved) -> bool:
        self.check(snapshot)
        ref = resolved.ref
        entry = snapshot.type(ref.type.name)
        refusal = self._refusals(snapshot).get(ref.type.name)
        if refusal is not None:
            raise NotFound(f"no {ref.type.name} here", str(refusal))
        same = LevelFilter(dict(ref.data_id.levels), {})
        found = self._refs(snapshot, entry, snapshot.collection(collection), same)
        return any((one.id, one.valid) == (ref.id, ref.valid) for one in found)

    # -- inside ----------------------------------------------------------------------------------------

    def _refusals(self, snapshot: Snapshot) -> dict[str, InvalidQuery | None]:
        """Give, for each type that has datasets, why the expression means nothing for it."""
        known = self._understood
        if known is None or known[0] is not snapshot:
            held = self._registry.holdings.stored(snapshot, snapshot.collections.values())
            names = {name for types in held.values() for name in types} or set(snapshot.types)
            entries = sorted(
                (snapshot.types[name] for name in names),
                key=lambda entry: (-len(entry.group.required), entry.type.name),
            )
            refusals = {entry.type.name: self._refusal(snapshot, entry) for entry in entries}
            known = self._understood = (snapshot, refusals)
        return known[1]

    def _refusal(self, snapshot: Snapshot, entry: TypeEntry) -> InvalidQuery | None:
        try:
            # Whether values can be compared is known when the statement is made.
            searched = list(snapshot.collections.values())
            members = [one for one in searched if one.collection.kind is not CollectionKind.CHAINED]
            next(self._pages(snapshot, entry, members, {}, 0), None)
        except InvalidQuery as error:
            return error
        return None

    def _any(self, snapshot: Snapshot, entry: TypeEntry, one: CollectionEntry) -> bool:
        if self._refusals(snapshot).get(entry.type.name) is not None:
            return False
        return any(True for _ in self._rows(snapshot, entry, one, LevelFilter(), 1))

    def _prefixes(
        self,
        snapshot: Snapshot,
        entry: TypeEntry,
        one: CollectionEntry,
        filters: LevelFilter,
        depth: int,
        *,
        ranges: bool,
    ) -> Iterator[tuple[Value, ...]]:
        """Give the first levels of what matches: read off some matches, then asked for one by one."""
        if self._refusals(snapshot).get(entry.type.name) is not None:
            return
        levels = entry.group.levels[:depth]
        enough = 1 if set(levels) <= filters.exact.keys() else _FEW_ROWS
        seen: set[tuple[Value, ...]] = set()
        n_rows = 0
        for row in self._rows(snapshot, entry, one, filters, enough, ranges=ranges):
            n_rows += 1
            values = row[_HEAD_COLUMNS : _HEAD_COLUMNS + depth]
            if values not in seen:
                seen.add(values)
                yield values
        if n_rows < _FEW_ROWS:
            return
        candidates = self._everything.directories(snapshot, [entry], [one], filters, depth, ranges=ranges)
        for values in {found.values for found in candidates} - seen:
            exact = {**filters.exact, **dict(zip(levels, values, strict=True))}
            narrow = LevelFilter(exact, filters.like)
            if any(True for _ in self._rows(snapshot, entry, one, narrow, 1, ranges=ranges)):
                yield values

    def _refs(
        self, snapshot: Snapshot, entry: TypeEntry, one: CollectionEntry, filters: LevelFilter
    ) -> Iterator[DatasetRef]:
        if self._refusals(snapshot).get(entry.type.name) is not None:
            return
        runs, end = snapshot.collection_names, _HEAD_COLUMNS + len(entry.group.levels)
        rows = self._rows(snapshot, entry, one, filters, None)
        for row in rows:
            if len(row) > end:
                yield from refs_of(entry.type, [_open_ended(row, end)], runs, valid=True)
            else:
                yield from refs_of(entry.type, [row], runs)

    def _resolved(self, snapshot: Snapshot, refs: Sequence[DatasetRef]) -> Iterator[Resolved]:
        """Give where datasets lie; what was removed meanwhile is left out."""
        found = self._registry.lookup.by_id(snapshot, [ref.id for ref in refs])
        for ref in refs:
            if ref.id in found and found[ref.id].locations:
                yield Resolved(ref, found[ref.id].locations)

    def _rows(
        self,
        snapshot: Snapshot,
        entry: TypeEntry,
        one: CollectionEntry,
        filters: LevelFilter,
        limit: int | None,
        *,
        ranges: bool = False,
    ) -> Iterator[_Row]:
        """Give (collection, RUN, id, levels..., [begin, end]) of what matches in a collection."""
        searched = snapshot.flatten([one.collection.name])
        likes = [
            (entry.group.levels.index(name) + _HEAD_COLUMNS, like) for name, like in filters.like.items()
        ]
        some = None if likes else limit
        pages = self._pages(snapshot, entry, searched, dict(filters.exact), some, ranges=ranges)
        rows = (row for page in pages for row in page)
        matching = (row for row in rows if all(fnmatchcase(str(row[column]), like) for column, like in likes))
        return islice(matching, limit)

    def _pages(
        self,
        snapshot: Snapshot,
        entry: TypeEntry,
        searched: Sequence[CollectionEntry],
        exact: dict[str, Value],
        limit: int | None,
        *,
        ranges: bool = False,
    ) -> Iterator[Sequence[_Row]]:
        question = self._question(snapshot, entry, exact)
        timed = entry.type.calibration and any(map(_is_calibration, searched))
        kept = [one for one in searched if timed or not _is_calibration(one)]
        queries = self._registry.queries
        for part in queries.parts(entry, kept, find_first=limit != 0):
            if part.stored == 1 and (part.valid or not ranges):
                yield from queries.datasets(question, entry, part, limit, timed=timed)

    def _question(self, snapshot: Snapshot, entry: TypeEntry, exact: dict[str, Value]) -> Question:
        vocabulary = Vocabulary(self._registry.universe, snapshot.sides, entry.group, entry.type)
        return replace(self._asked, given=exact).question(self._registry, vocabulary)


def _is_calibration(one: CollectionEntry) -> bool:
    return one.collection.kind is CollectionKind.CALIBRATION


def _open_ended(row: _Row, end: int) -> _Row:
    """Give a row with no value for the ends of its validity that are open."""
    begin_ns, end_ns = row[end : end + 2]
    return (*row[:end], None if begin_ns == MIN_NS else begin_ns, None if end_ns == MAX_NS else end_ns)
