"""Datasets of a manifest, their tags and validity: what is new, what is the same, what contradicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal, Protocol
from uuid import UUID

from ...errors import BadContent, BadPath, Conflict, Exists
from ...model.dataid import DataId, Value
from ...model.dataset import DatasetRef, Location, Resolved
from ...model.manifest_line import CertifyLine, DatasetRow, DatasetsLine, FileRow, TagLine
from ...model.template import default_key
from ...model.timespan import Timespan
from ..catalogue import CollectionEntry, TypeEntry
from ..datasets import NewDataset
from ..keys import DefaultKeys
from ..levels import LevelFilter
from ..registry import Registry

_Levels = tuple[Value, ...]
Remove = Callable[[Sequence[Resolved]], None]
"""Removes datasets that others take the place of."""
Judge = Callable[[DatasetRef, tuple[Location, ...]], tuple[Location, ...] | None]
"""Tells which of the places of a dataset are to be believed; None: it was never there."""


OnConflict = Literal["fail", "skip", "replace", "newest"]
"""What wins when something else is there: nothing is done at all; what is there; what comes; of datasets what
was made later, of all else what is there."""


@dataclass(slots=True)
class Applied:
    """How many were added; what was the same already is ``unchanged``, what gave way is ``skipped``."""

    records: int = 0
    types: int = 0
    collections: int = 0
    datasets: int = 0
    stored: int = 0
    unchanged: int = 0
    skipped: int = 0
    replaced: int = 0
    associations: int = 0
    removed: int = 0

    def add(self, other: Applied) -> None:
        """Count what was done besides."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Carried:
    """What is to be known of the lines before, when they were put in by themselves.

    Attributes
    ----------
    locks
        Which RUNs that were made, or changed, are to be locked at the end.
    skipped
        Ids that gave way: their tags and validity do too.
    """

    locks: dict[str, bool] = field(default_factory=dict)
    skipped: set[UUID] = field(default_factory=set)

    def copy(self) -> Carried:
        """Give one that may be changed by what is taken back."""
        return Carried(dict(self.locks), set(self.skipped))


class Arrivals:
    """Puts datasets and memberships in."""

    def __init__(
        self,
        registry: Registry,
        conflict: OnConflict,
        applied: Applied,
        remove: Remove | None,
        skipped: set[UUID],
        *,
        judge: Judge | None = None,
    ) -> None:
        self._registry = registry
        self._conflict = conflict
        self._applied = applied
        self._remove = self._forget if remove is None else remove
        self._judge = judge
        self._keys = DefaultKeys()
        self._skipped = skipped

    def datasets(self, line: DatasetsLine) -> None:
        """Put in what is new; give bytes to what was declared."""
        snapshot = self._registry.current()
        entry, run = snapshot.type(line.type_name), snapshot.collection(line.run)
        there = self._registry.lookup.by_id(snapshot, [row.id for row in line.rows])
        new: list[NewDataset] = []
        for dataset in self._new(line, entry):
            known = there.get(dataset.ref.id)
            if known is None:
                new.append(dataset)
            else:
                self._meet(dataset, known, new)
        if new:
            self._insert(entry, run, new)

    def _new(self, line: DatasetsLine, entry: TypeEntry) -> Iterator[NewDataset]:
        required = entry.group.required
        if any(len(row.values) != len(required) for row in line.rows):
            what = f"a {line.type_name} in {line.run!r}"
            raise BadContent(what, "too few or too many values", f"they are {', '.join(required)}")
        given = [dict(zip(required, row.values, strict=True)) for row in line.rows]
        levels = self._registry.data_ids.complete_many(entry.group, given)
        for row, values in zip(line.rows, levels, strict=True):
            ref = DatasetRef(row.id, entry.type, DataId(entry.group, values), line.run)
            places: tuple[Location, ...] | None = self._places(ref, row)
            if self._judge is not None and places:
                places = self._judge(ref, places)
            if places is None:
                self._skip(ref)
            else:
                yield NewDataset(ref, places, row.inputs, row.captured, row.created_ms)

    def _places(self, ref: DatasetRef, row: DatasetRow) -> tuple[Location, ...]:
        places = tuple([self._location(ref, file) for file in row.files])
        if len(places) > 1 and len({(place.store, place.key) for place in places}) < len(places):
            raise BadContent(f"dataset {ref.id}", "two of its files are one")
        return places

    def _location(self, ref: DatasetRef, file: FileRow) -> Location:
        key = file.key
        if key is None:
            try:
                if file.component is None:
                    key = self._keys.key(ref, file.extension)
                else:
                    key = default_key(ref, file.extension, file.component)
            except BadPath as error:
                raise BadContent(f"dataset {ref.id}", f"no key follows from it: {error}") from None
        what = (file.extension, file.size, file.mtime_ns, file.sha256)
        return Location(file.store, key, *what, file.part, file.component, file.owned)

    def _meet(self, dataset: NewDataset, known: Resolved, new: list[NewDataset]) -> None:
        """Compare a dataset with the one that has its id."""
        ref = dataset.ref
        same = (known.ref.type.name, known.ref.run, known.ref.data_id) == (
            ref.type.name,
            ref.run,
            ref.data_id,
        )
        if same and dataset.locations and not known.locations:
            self._registry.datasets.store(self._without_known(dataset))
            self._applied.stored += 1
        elif same and (not dataset.locations or agree(dataset.locations, known.locations)):
            self._applied.unchanged += 1
        elif self._conflict == "fail":
            found = "it has other bytes here" if same else f"here it is {known.ref}"
            raise Conflict(f"dataset {ref.id}, {ref}", found, "choose what wins when datasets differ")
        elif wins(self._registry, self._conflict, dataset.created_ms, known):
            self._remove([known])
            self._applied.replaced += 1
            new.append(dataset)
        else:
            self._skip(ref)

    def _without_known(self, dataset: NewDataset) -> NewDataset:
        """Leave out what is kept already of a dataset that was declared."""
        known = self._registry.details.of([dataset.ref.id], captured=True)[dataset.ref.id]
        inputs = tuple([one for one in dataset.inputs if one not in known.inputs])
        names = dict(known.captured)
        captured = tuple([pair for pair in dataset.captured if pair[0] not in names])
        return replace(dataset, inputs=inputs, captured=captured)

    def _insert(self, entry: TypeEntry, run: CollectionEntry, new: list[NewDataset]) -> None:
        try:
            with self._registry.transaction():
                self._registry.datasets.insert(new)
        except Exists:
            if self._conflict == "fail":
                raise
            new = self._without_taken(entry, run, new)
            self._registry.datasets.insert(new)
        self._applied.datasets += len(new)

    def _without_taken(
        self, entry: TypeEntry, run: CollectionEntry, new: Iterable[NewDataset]
    ) -> list[NewDataset]:
        """Let one of two datasets of one data ID give way."""
        listed = list({dataset.ref.data_id.row: dataset for dataset in new}.values())
        there = taken(self._registry, entry, run, [dataset.ref.data_id.row for dataset in listed])
        left, gone = [], []
        for dataset in listed:
            known = there.get(dataset.ref.data_id.row)
            if known is not None and not wins(self._registry, self._conflict, dataset.created_ms, known):
                self._skip(dataset.ref)
                continue
            gone += [] if known is None else [known]
            left.append(dataset)
        if gone:
            self._remove(gone)
            self._applied.replaced += len(gone)
        return left

    def _forget(self, resolved: Sequence[Resolved]) -> None:
        self._registry.datasets.remove([one.ref for one in resolved])

    def _skip(self, ref: DatasetRef) -> None:
        self._skipped.add(ref.id)
        self._applied.skipped += 1

    # -- memberships -----------------------------------------------------------------------------------

    def tag(self, line: TagLine) -> None:
        """Tag datasets."""
        datasets = self._registry.datasets

        def instead(ref: DatasetRef) -> None:
            snapshot = self._registry.current()
            entry, collection = snapshot.type(ref.type.name), snapshot.collection(line.collection)
            others = taken(self._registry, entry, collection, [ref.data_id.row])
            datasets.untag([other.ref for other in others.values()], line.collection)

        self._associate(self._refs(line.ids), lambda refs: datasets.tag(refs, line.collection), instead)

    def certify(self, line: CertifyLine) -> None:
        """Certify datasets, those of one range together."""
        datasets = self._registry.datasets
        spans: dict[tuple[int | None, int | None], list[UUID]] = {}
        for uuid, begin_ns, end_ns in line.rows:
            spans.setdefault((begin_ns, end_ns), []).append(uuid)
        known = {ref.id: ref for ref in self._refs([row[0] for row in line.rows])}
        for (begin, end), ids in spans.items():
            span = Timespan(begin, end)

            def certify(refs: Sequence[DatasetRef], span: Timespan = span) -> None:
                datasets.certify(refs, line.collection, span)

            def instead(ref: DatasetRef, span: Timespan = span) -> None:
                datasets.decertify(ref.type.name, line.collection, span, dict(ref.data_id.levels))

            self._associate([known[one] for one in ids if one in known], certify, instead)

    def _associate(
        self,
        refs: Sequence[DatasetRef],
        add: Callable[[Sequence[DatasetRef]], None],
        instead: Callable[[DatasetRef], None],
    ) -> None:
        """Add datasets to a collection; of those that others stand in the way of, one gives way."""
        if not refs:
            return
        try:
            with self._registry.transaction():
                add(refs)
        except Conflict:
            if self._conflict == "fail":
                raise
            for ref in refs:
                self._add_one(ref, add, instead)
        self._applied.associations += len(refs)

    def _add_one(
        self,
        ref: DatasetRef,
        add: Callable[[Sequence[DatasetRef]], None],
        instead: Callable[[DatasetRef], None],
    ) -> None:
        try:
            with self._registry.transaction():
                add([ref])
        except Conflict:
            if self._conflict != "replace":
                self._applied.skipped += 1
                return
            instead(ref)
            add([ref])

    def _refs(self, ids: Sequence[UUID]) -> list[DatasetRef]:
        found = self._registry.lookup.by_id(self._registry.current(), ids)
        missing = [one for one in ids if one not in found and one not in self._skipped]
        if missing:
            todo = "the manifest is damaged, or was made without the dataset"
            raise BadContent(f"dataset {missing[0]}", "neither in the manifest nor in the repository", todo)
        return [found[one].ref for one in dict.fromkeys(ids) if one in found]


def taken(
    registry: Registry, entry: TypeEntry, holder: CollectionEntry, rows: Sequence[_Levels]
) -> Mapping[_Levels, Resolved]:
    """Give the datasets of a RUN or TAGGED collection that have these values of levels."""
    lookup, snapshot = registry.lookup, registry.current()
    if entry.group.levels:
        return lookup.members(snapshot, entry, holder, rows)
    found = lookup.datasets(snapshot, [entry], [holder], LevelFilter(), declared=True)
    return {one.resolved.ref.data_id.row: one.resolved for one in found}


def wins(registry: Registry, conflict: OnConflict, created_ms: int | None, known: Resolved) -> bool:
    """Tell whether a dataset that comes takes the place of one that is there."""
    if conflict != "newest":
        return conflict == "replace"
    there = registry.details.of([known.ref.id], captured=False)
    return created_ms is not None and created_ms > there[known.ref.id].created_ms


class Stored(Protocol):
    """What is known of the bytes of a dataset."""

    @property
    def extension(self) -> str:
        """Their format."""

    @property
    def component(self) -> str | None:
        """What of the dataset they are."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha256(self) -> bytes | None:
        """None when they were never read."""


def agree(some: Iterable[Stored], others: Iterable[Stored]) -> bool:
    """Tell whether no file of some contradicts one of the others: the same content has the same digest."""
    known = {(place.extension, place.component): place for place in others}
    for place in some:
        other = known.get((place.extension, place.component))
        if other is None:
            continue
        digests = (place.sha256, other.sha256)
        if place.size != other.size or (None not in digests and digests[0] != digests[1]):
            return False
    return True
