"""What a registry holds → lines: all of it, or chosen datasets with all that belongs to them.

Everything comes after what it needs, so that whoever reads puts in line by line. Pages are read while lines
are given: datasets that others insert meanwhile are left out, what they remove may be there or not. Who needs
exactly one state describes inside of a transaction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from ...model.batches import batches
from ...model.collection import Collection, CollectionKind
from ...model.dataset import DatasetRef, Location, Resolved
from ...model.dimensions import Element
from ...model.manifest_line import (
    MAX_ROWS,
    CertifyLine,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    FileRow,
    Header,
    Line,
    TagLine,
    TypeLine,
    UniverseLine,
)
from ..artifacts import follows
from ..catalogue import CollectionEntry, Snapshot, TypeEntry
from ..details import Detail
from ..keys import DefaultKeys
from ..levels import LevelFilter
from ..record_lines import to_line
from ..registry import Registry
from .needed import Needed, attach_line

_ALL = LevelFilter()
_NEVER = math.inf
# Sorts datasets into lines.
_place = attrgetter("ref.type.name", "ref.run")


class Description:
    """Describes a registry.

    Parameters
    ----------
    repository
        The name that the header has.
    keys
        Whether keys of files are given that follow from the template too.
    more
        What else the header says.
    """

    def __init__(self, registry: Registry, repository: str, *, keys: bool = False, **more: object) -> None:
        self._registry = registry
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._header = Header(repository, at, more)
        self._all_keys = keys
        self._last: float = _NEVER
        self._keys = DefaultKeys()

    def everything(self) -> Iterator[Line]:
        """Describe all of it; datasets that are inserted meanwhile are left out."""
        self._last = self._registry.details.last()
        snapshot = self._registry.current()
        listed = [entry.collection for entry in snapshot.collections.values()]
        yield from self._head(snapshot, snapshot.types, listed)
        for element in self._registry.universe.elements.values():
            yield from self._records(element)
        for side in snapshot.sides.values():
            yield attach_line(side)
            yield from self._records(side)
        for entry, collection in self._held(snapshot, snapshot.types, CollectionKind.RUN):
            found = self._registry.lookup.datasets(snapshot, [entry], [collection], _ALL, declared=True)
            for some in batches((one.resolved for one in found), MAX_ROWS):
                yield self.datasets(some)
        yield from self._memberships(snapshot, snapshot.types, listed, None)
        yield from _tail(listed)

    def chosen(self, ids: Iterable[UUID], collections: Iterable[str] | None = None) -> Iterator[Line]:
        """Describe these datasets, with the records, side rows, tags and validity ranges that belong to them.

        Memory grows with the number of ids and of records, by about 150 bytes each.

        Parameters
        ----------
        ids
            Of datasets; those that are gone are left out.
        collections
            The TAGGED, CALIBRATION and CHAINED ones that come along, as far as they hold some of the
            datasets. None: all that do.
        """
        snapshot = self._registry.current()
        needed, known = Needed(self._registry, snapshot), _Known(snapshot)
        taken: set[bytes] = set()
        yield self._header
        yield UniverseLine(self._registry.universe_mapping())
        for some in batches(ids, MAX_ROWS):
            fresh = [one for one in dict.fromkeys(some) if one.bytes not in taken]
            taken.update(one.bytes for one in fresh)
            found = sorted(self._registry.lookup.by_id(snapshot, fresh).values(), key=_place)
            for _, same in groupby(found, _place):
                together = list(same)
                yield from known.new(together[0].ref)
                yield from needed.of([one.ref.data_id for one in together])
                yield self.datasets(together)
        wanted = [
            entry.collection
            for name, entry in snapshot.collections.items()
            if collections is None or name in set(collections)
        ]
        yield from self._memberships(snapshot, known.types, wanted, taken, known.collection)
        yield from _tail(known.with_chains(wanted))

    def datasets(self, datasets: Sequence[Resolved]) -> DatasetsLine:
        """Give the line of datasets of one type and RUN."""
        ref = datasets[0].ref
        ids = [one.ref.id for one in datasets]
        details = self._registry.details.of(ids, captured=bool(ref.type.capture))
        # One that was removed meanwhile has none.
        known = [(one, details[one.ref.id]) for one in datasets if one.ref.id in details]
        rows = [self._row(one, detail) for one, detail in known if detail.number <= self._last]
        return DatasetsLine(ref.type.name, ref.run, tuple(rows))

    def _row(self, one: Resolved, detail: Detail) -> DatasetRow:
        files = tuple([self._file(one.ref, place) for place in one.locations])
        values = one.ref.data_id.values_required
        return DatasetRow(one.ref.id, detail.created_ms, values, detail.inputs, detail.captured, files)

    def _file(self, ref: DatasetRef, place: Location) -> FileRow:
        key = None if not self._all_keys and follows(ref, place, self._keys) else place.key
        what = (place.extension, place.size, place.mtime_ns, place.sha256, place.owned)
        return FileRow(place.store, key, *what, place.component, place.part)

    def _head(
        self, snapshot: Snapshot, types: Iterable[str], collections: Iterable[Collection]
    ) -> Iterator[Line]:
        yield self._header
        yield UniverseLine(self._registry.universe_mapping())
        yield from (type_line(snapshot.types[name]) for name in types)
        yield from (open_line(one) for one in collections if one.kind is not CollectionKind.CHAINED)

    def _records(self, element: Element) -> Iterator[Line]:
        for some in batches(self._registry.records.select(element, {}), MAX_ROWS):
            yield to_line(element, some)

    def _held(
        self, snapshot: Snapshot, types: Iterable[str], *kinds: CollectionKind
    ) -> Iterator[tuple[TypeEntry, CollectionEntry]]:
        """Give the types with the collections that hold them."""
        searched = [one for one in snapshot.collections.values() if one.collection.kind in kinds]
        for name in types:
            entry = snapshot.types[name]
            parts = self._registry.queries.parts(entry, searched, find_first=False)
            for held in {part.collection.id: part.collection for part in parts}.values():
                yield entry, held

    def _memberships(
        self,
        snapshot: Snapshot,
        types: Iterable[str],
        wanted: Iterable[Collection],
        taken: set[bytes] | None,
        begun: Callable[[Collection], Iterator[Line]] | None = None,
    ) -> Iterator[Line]:
        """Give tags and validity ranges, of all datasets or of those that are ``taken``."""
        names = {one.name for one in wanted}
        kinds = (CollectionKind.TAGGED, CollectionKind.CALIBRATION)
        for entry, holder in self._held(snapshot, types, *kinds):
            collection = holder.collection
            if collection.name not in names:
                continue
            found = self._registry.lookup.datasets(snapshot, [entry], [holder], _ALL, declared=True)
            refs = (one.resolved.ref for one in found)
            for some in batches((ref for ref in refs if taken is None or ref.id.bytes in taken), MAX_ROWS):
                yield from () if begun is None else begun(collection)
                yield _membership(collection, self._in_time(some))

    def _in_time(self, refs: Sequence[DatasetRef]) -> list[DatasetRef]:
        """Leave out what was inserted since the description began."""
        if self._last == _NEVER:
            return list(refs)
        known = self._registry.details.until([ref.id for ref in refs], self._last)
        return [ref for ref in refs if ref.id in known]


class _Known:
    """The types and collections that a description has given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.types: dict[str, None] = {}
        self._collections: dict[str, Collection] = {}

    def new(self, ref: DatasetRef) -> Iterator[Line]:
        """Give the lines of a dataset's type and RUN, the first time."""
        if ref.type.name not in self.types:
            self.types[ref.type.name] = None
            yield type_line(self._snapshot.type(ref.type.name))
        # A RUN may be newer than the snapshot.
        run = self._snapshot.collections.get(ref.run)
        yield from self.collection(Collection(ref.run, CollectionKind.RUN) if run is None else run.collection)

    def collection(self, collection: Collection) -> Iterator[Line]:
        """Give the line of a collection, the first time."""
        if collection.name not in self._collections:
            self._collections[collection.name] = collection
            yield open_line(collection)

    def with_chains(self, wanted: Iterable[Collection]) -> list[Collection]:
        """Give all collections, and those chains that lead to one of them, as far as they do."""
        chains = {one.name: one for one in wanted if one.kind is CollectionKind.CHAINED}
        found = dict(self._collections)
        for name in _children_first(chains):
            below = tuple(child for child in chains[name].children if child in found)
            if below:
                found[name] = replace(chains[name], children=below)
        return list(found.values())


def type_line(entry: TypeEntry) -> TypeLine:
    """Give the line of a dataset type."""
    one = entry.type
    flags = (one.storage_class, one.calibration, one.immutable)
    return TypeLine(one.name, one.group.required, *flags, one.capture)


def open_line(collection: Collection) -> CollectionLine:
    """Give the line of a collection that is to be filled: not locked yet, without children."""
    return CollectionLine(replace(collection, children=(), locked=False))


def _tail(collections: Iterable[Collection]) -> Iterator[Line]:
    """Give what comes when all is there: chains after their children, and locks."""
    listed = {one.name: one for one in collections}
    chains = {name: one for name, one in listed.items() if one.kind is CollectionKind.CHAINED}
    yield from (CollectionLine(chains[name]) for name in _children_first(chains))
    yield from (CollectionLine(one) for one in listed.values() if one.locked)


def _children_first(chains: dict[str, Collection]) -> list[str]:
    found: dict[str, None] = {}
    for name in chains:
        stack = [name]
        while stack:
            below = [child for child in chains[stack[-1]].children if child in chains and child not in found]
            if below:
                stack.append(below[0])
            else:
                found[stack.pop()] = None
    return list(found)


def _membership(collection: Collection, refs: Sequence[DatasetRef]) -> Line:
    if collection.kind is CollectionKind.TAGGED:
        return TagLine(collection.name, tuple([ref.id for ref in refs]))
    rows = [
        (ref.id, None, None) if ref.valid is None else (ref.id, ref.valid.begin_ns, ref.valid.end_ns)
        for ref in refs
    ]
    return CertifyLine(collection.name, tuple(rows))
