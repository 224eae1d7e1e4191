"""Queries for datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cmp_to_key, partial
from itertools import islice
from typing import Any, Self
from uuid import UUID

from ..looks.footprints import Footprint, footprint
from ..model.batches import batches
from ..model.collection import CollectionKind
from ..model.dataset import DatasetRef, refs_of
from ..model.paths import Address
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.queries.names import Vocabulary
from ..registry.queries.queries import Part
from ..registry.queries.question import Question
from ..registry.schema import MAX_NS, MIN_NS
from .base import Query


@dataclass(frozen=True, kw_only=True)
class DatasetQuery(Query[DatasetRef]):
    """Datasets of some types in some collections, declared ones too.

    Attributes
    ----------
    types, collections
        Their names, in order of search; chains are followed.
    find_first
        Give of each data ID only what the first collection has.
    excluded
        Ids to leave out.
    """

    types: tuple[str, ...]
    collections: tuple[str, ...]
    find_first: bool = True
    excluded: frozenset[UUID] = frozenset()
    # Questions by type, as of one snapshot: a query is mostly made, checked and asked at once.
    _known: dict[str, tuple[Snapshot, Question]] = field(default_factory=dict, compare=False, repr=False)

    def __iter__(self) -> Iterator[DatasetRef]:
        """Give references, in path order within each collection, unless `order_by` says otherwise."""
        found = self._refs()
        if self.excluded:
            found = (ref for ref in found if ref.id not in self.excluded)
        return found if self.limited is None else islice(found, self.limited)

    def count(self) -> int:
        """Count them."""
        if self.excluded:
            return sum(1 for _ in self)
        queries, snapshot, number = self.registry.queries, self.registry.current(), 0
        for entry in self._entries(snapshot):
            question, search = self._question(snapshot, entry), self._search(snapshot, entry)
            for part in queries.parts(entry, search.collections, find_first=self.find_first):
                number += queries.count_datasets(question, entry, part, timed=search.timed)
        return number if self.limited is None else min(number, self.limited)

    def question(self) -> Question:
        """Give what is asked of the registry, of the first type."""
        snapshot = self.registry.current()
        # Of all of them, so that what is wrong for any is found.
        questions = [self._question(snapshot, entry) for entry in self._entries(snapshot)]
        return questions[0]

    def paths(self) -> Iterator[str]:
        """Give the canonical paths, in their RUNs, of those that have bytes."""
        for some in batches(self, _PATHS_PER_READ):
            yield from self._paths(some)

    def columns(self) -> list[str]:
        """Give the dimensions, and what else is known of a dataset."""
        snapshot = self.registry.current()
        entries = self._entries(snapshot)
        required = dict.fromkeys(name for entry in entries for name in entry.group.required)
        valid = ["valid"] if any(self._search(snapshot, entry).timed for entry in entries) else []
        return ["dataset_type", *required, *valid, "run", "id"]

    def row(self, answer: DatasetRef) -> Mapping[str, object]:
        """Give a reference as a row."""
        known = {
            "dataset_type": answer.type.name,
            "run": answer.run,
            "id": str(answer.id),
            "valid": answer.valid,
        }
        return {**known, **answer.data_id}

    def footprints(self) -> list[Footprint]:
        """Find where the datasets are on the sky: one set of regions for each type."""
        found = []
        for name in self.types:
            own = self._changed(types=(name,))
            dimensions = self.registry.current().type(name).group.required
            found.append(footprint(self.registry, name, dimensions, (ref.data_id for ref in own)))
        return found

    @property
    def title(self) -> str:
        """The types and collections."""
        return f"{_named(self.types, 'types')} in {_named(self.collections, 'collections')}"

    def _paths(self, refs: Sequence[DatasetRef]) -> Iterator[str]:
        found = self.registry.lookup.by_id(self.registry.current(), [ref.id for ref in refs])
        for ref in refs:
            places = found[ref.id].locations if ref.id in found else ()
            if places:
                keys = [(name, str(value)) for name, value in found[ref.id].ref.data_id.levels]
                yield str(Address.dataset(ref.run, ref.type.name, keys, places[0].extension))

    def _nothing_at_all(self) -> str | None:
        if self._with(()).any():
            return None
        snapshot = self.registry.current()
        names = ", ".join(self.types)
        everywhere = replace(self._with(()), collections=tuple(snapshot.collections), _known={})
        holding = sorted({part.collection.collection.name for part in everywhere.parts()})
        if not holding:
            return f"no collection has any {names}"
        return f"no {names} in {', '.join(self.collections)}; there are some in {', '.join(holding[:5])}"

    def parts(self) -> Iterator[Part]:
        """Give the collections that hold the types."""
        snapshot = self.registry.current()
        for entry in self._entries(snapshot):
            searched = self._search(snapshot, entry).collections
            yield from self.registry.queries.parts(entry, searched, find_first=self.find_first)

    def _changed(self, **changes: object) -> Self:
        # What was known of the other query is not known of this one.
        return super()._changed(**changes, _known={})

    # -- inside ----------------------------------------------------------------------------------------

    def _entries(self, snapshot: Snapshot) -> list[TypeEntry]:
        return [snapshot.type(name) for name in self.types]

    def _question(self, snapshot: Snapshot, entry: TypeEntry) -> Question:
        known = self._known.get(entry.type.name)
        if known is not None and known[0] is snapshot:
            return known[1]
        vocabulary = Vocabulary(self.registry.universe, snapshot.sides, entry.group, entry.type)
        question = self.asked.question(self.registry, vocabulary)
        self._known[entry.type.name] = (snapshot, question)
        return question

    def _search(self, snapshot: Snapshot, entry: TypeEntry) -> _Search:
        listed = snapshot.flatten(self.collections)
        calibrations = [one for one in listed if one.collection.kind is CollectionKind.CALIBRATION]
        if not calibrations:
            return _Search(listed, timed=False)
        if entry.type.calibration:
            return _Search(listed, timed=True)
        return _Search([one for one in listed if one not in calibrations], timed=False)

    def _refs(self) -> Iterator[DatasetRef]:
        queries, snapshot = self.registry.queries, self.registry.current()
        for entry in self._entries(snapshot):
            question, search = self._question(snapshot, entry), self._search(snapshot, entry)
            parts = queries.parts(entry, search.collections, find_first=self.find_first)
            wanted = None if self.excluded else self.limited
            if question.order and len(parts) > 1:
                yield from self._merged(snapshot, question, entry, parts, timed=search.timed)
                continue
            for part in parts:
                for rows in queries.datasets(question, entry, part, wanted, timed=search.timed):
                    yield from self._made(snapshot, entry, part, rows)

    def _merged(
        self, snapshot: Snapshot, question: Question, entry: TypeEntry, parts: Sequence[Part], *, timed: bool
    ) -> Iterator[DatasetRef]:
        """Sort what several statements give."""
        width = len(entry.group.levels) + 3
        found: list[_Keyed] = []
        for part in parts:
            start = width + (2 if part.valid else 0)
            for rows in self.registry.queries.datasets(question, entry, part, None, timed=timed):
                # The RUN may be gone meanwhile: then there are fewer references than rows.
                for row in rows:
                    found += [(row[start:], ref) for ref in self._made(snapshot, entry, part, [row])]
        down = [one.descending for one in _columns(question)]
        found.sort(key=cmp_to_key(partial(_compare, down)))
        yield from (ref for _, ref in found)

    def _made(
        self, snapshot: Snapshot, entry: TypeEntry, part: Part, rows: Sequence[tuple[Any, ...]]
    ) -> Iterator[DatasetRef]:
        if part.valid:
            place = 3 + len(entry.group.levels)
            rows = [(*row[:place], *_open_ended(row[place], row[place + 1])) for row in rows]
        return refs_of(entry.type, rows, snapshot.collection_names, valid=part.valid, home=self.looks)


@dataclass(frozen=True, slots=True)
class _Search:
    """Where a type is looked for, and whether some of it have validity ranges."""

    collections: Sequence[CollectionEntry]
    timed: bool


_PATHS_PER_READ = 500
_MOST_NAMED = 3
_Keyed = tuple[tuple[Any, ...], DatasetRef]


def _named(names: Sequence[str], what: str) -> str:
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} {what}"


def _open_ended(begin_ns: int, end_ns: int) -> tuple[int | None, int | None]:
    return None if begin_ns == MIN_NS else begin_ns, None if end_ns == MAX_NS else end_ns


def _columns(question: Question) -> Iterator[Any]:
    for one in question.order:
        yield one
        if question.vocabulary.meaning(one.name).kind in ("timespan", "captured"):
            yield one


def _compare(down: Sequence[bool], one: _Keyed, other: _Keyed) -> int:
    """Compare as the database sorts: no value comes first."""
    for x, y, descending in zip(one[0], other[0], down, strict=True):
        if x != y:
            less = x is None or (y is not None and x < y)
            return -1 if less != descending else 1
    return 0
