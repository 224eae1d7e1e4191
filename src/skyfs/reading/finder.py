"""Finding one dataset: type and data ID, through collections in order, by validity where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import Ambiguous, BadDataId, NotFound
from ..model.collection import CollectionKind
from ..model.dataid import Value, coerce
from ..model.dataset import Resolved
from ..model.dimensions import Element
from ..model.timespan import ALWAYS, Timespan
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.levels import LevelFilter
from ..registry.lookup import Found
from ..registry.registry import Registry

Given = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: values of levels that are given, implied values to agree with, a time."""

    entry: TypeEntry
    filters: LevelFilter
    implied: Given
    span: Timespan | None


class Finder:
    """Finds datasets by type and data ID."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(
        self, type_name: str, collections: Sequence[str], given: Given, *, time: Timespan | None = None
    ) -> Resolved:
        """Find the dataset in the first collection that has it.

        Raises
        ------
        NotFound
            When no collection has it; the message says how far the search came.
        Ambiguous
            When several datasets of a CALIBRATION collection match.
        BadDataId
            When the data ID does not fit the type.
        """
        snapshot = self._registry.current()
        entry = snapshot.type(type_name)
        searched = snapshot.flatten(collections)
        wanted = self.wanted(entry, given, time=time)
        missing = [name for name in entry.group.levels if name not in wanted.filters.exact]
        if missing:
            todo = f"give {', '.join(missing)}"
            raise BadDataId(f"incomplete data ID {dict(given)!r} for {type_name}", f"no {missing[0]}", todo)
        found = self.first(
            searched,
            self._registry.lookup.datasets(snapshot, [entry], searched, wanted.filters, declared=True),
            wanted,
        )
        if found is None:
            raise NotFound(
                f"no {type_name} {dict(given)!r} in {', '.join(collections)}",
                self._why(snapshot, entry, searched),
            )
        return found

    def wanted(self, entry: TypeEntry, given: Given, *, time: Timespan | None = None) -> Wanted:
        """Type a data ID and complete its levels; a visit or exposure of no use else gives the time."""
        own, span = dict(given), time
        if entry.type.calibration:
            own, found = self._take_time(entry, own)
            span = span or found
        levels, implied = self._registry.data_ids.split(entry.group, own)
        for level, dimension in entry.group.grouping:
            element = self._registry.universe.element(dimension)
            if level not in levels and all(part in levels for part in element.identity):
                key = tuple(levels[part] for part in element.identity)
                value = self._registry.records.implied(element, key)[level]
                if value is not None:
                    levels[level] = value
        if implied and all(name in levels for name in entry.group.required):
            self._registry.data_ids.check_agreement(entry.group, levels, implied)
        return Wanted(entry, LevelFilter(levels, {}, span), implied, span)

    def first(
        self, order: Iterable[CollectionEntry], found: Iterable[Found], wanted: Wanted
    ) -> Resolved | None:
        """Give what the first collection has, the validity considered."""
        by_collection: dict[str, list[Found]] = {}
        for one in found:
            by_collection.setdefault(one.collection, []).append(one)
        for entry in order:
            here = by_collection.get(entry.collection.name, [])
            if entry.collection.kind is CollectionKind.CALIBRATION:
                here = _valid(here, wanted)
            if here:
                return here[0].resolved
        return None

    def _take_time(
        self, entry: TypeEntry, given: dict[str, object]
    ) -> tuple[dict[str, object], Timespan | None]:
        """Take a visit or exposure that the type does not have out of a data ID.

        It tells the time, and values that it implies, such as the filter, where they are not given.
        """
        universe = self._registry.universe
        for name in list(given):
            if name in entry.group.levels or name in entry.group.implied or not universe.has(name):
                continue
            element = universe.element(name)
            if element.temporal:
                group = universe.group([name])
                own = {part: given[part] for part in given if part in group.required or part in group.levels}
                levels = dict(zip(group.levels, self._registry.data_ids.complete(group, own), strict=True))
                rest = {
                    part: value for part, value in given.items() if part != name and part not in group.levels
                }
                shared = {part: levels[part] for part in group.required if part in entry.group.levels}
                implied = self._implied(entry, element, levels)
                for part in implied.keys() & rest.keys():
                    if coerce(universe.element(part), rest[part]) != implied[part]:
                        found = f"{part} of {name} {levels[name]!r} is {implied[part]!r}, not {rest[part]!r}"
                        raise BadDataId(f"contradicting data ID {dict(given)!r}", found, f"leave {part} out")
                return {**implied, **shared, **rest}, self._timespan(element, levels)
        return given, None

    def _implied(self, entry: TypeEntry, element: Element, levels: Mapping[str, Value]) -> dict[str, object]:
        known: dict[str, Value] = dict(levels)
        waiting = [element]
        while waiting:
            one = waiting.pop()
            key = tuple(known[part] for part in one.identity)
            for name, value in self._registry.records.implied(one, key).items():
                if value is not None and name not in known:
                    known[name] = value
                    waiting.append(self._registry.universe.element(name))
        return {name: value for name, value in known.items() if name in entry.group.required}

    def _timespan(self, element: Element, levels: Mapping[str, Value]) -> Timespan:
        span = self._registry.records.timespan(element, tuple(levels[name] for name in element.identity))
        if span is None:
            raise NotFound(
                f"the time of {element.name} {levels[element.name]!r}",
                "its record has no timespan",
                "give time=",
            )
        return span

    def _why(self, snapshot: Snapshot, entry: TypeEntry, searched: Sequence[CollectionEntry]) -> str:
        if not searched:
            return "no collection is named, or the chain is empty"
        held = self._registry.lookup.directories(snapshot, [entry], searched, LevelFilter(), 0)
        names = sorted({one.collection for one in held})
        return f"{', '.join(names)} has others of that type" if names else "none of them has any of that type"


def _valid(found: Sequence[Found], wanted: Wanted) -> list[Found]:
    span = wanted.span or ALWAYS
    matching = [one for one in found if (one.resolved.ref.valid or ALWAYS).overlaps(span)]
    if len(matching) > 1:
        listed = ", ".join(f"valid={one.resolved.ref.valid}" for one in matching)
        todo = (
            "give an exposure, a visit or a time that lies in one of them"
            if wanted.span
            else "add exposure=, time= or valid="
        )
        raise Ambiguous(
            f"{wanted.entry.type.name} {dict(wanted.filters.exact)!r}",
            f"{len(matching)} match: {listed}",
            todo,
        )
    return matching
