"""The tree itself: all stored datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..model.collection import CollectionKind
from ..model.dataset import Resolved
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.leaves import Row
from ..registry.levels import LevelFilter
from ..registry.lookup import Directory, Found
from ..registry.registry import Registry
from .folders import Folder
from .shown import Shown


class Everything(Shown):
    """Shows all; each question is one statement for each dimension group."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def held(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> dict[str, set[str]]:
        flat = {one.collection.name: snapshot.flatten([one.collection.name]) for one in collections}
        needed = {entry.id: entry for entries in flat.values() for entry in entries}
        summary = self._registry.holdings.stored(snapshot, needed.values()) if snapshot.types else {}
        held = {
            name: {type_name for entry in entries for type_name in summary.get(entry.collection.name, ())}
            for name, entries in flat.items()
        }
        return {name: types for name, types in held.items() if types}

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
        shown_as = _shown_as(snapshot, types, collections, ranges=ranges)
        members = [snapshot.collections[name] for name in shown_as]
        for found in self._registry.lookup.directories(snapshot, types, members, filters, depth):
            for name in shown_as[found.collection]:
                yield Directory(name, found.type_name, found.values)

    def datasets(
        self,
        snapshot: Snapshot,
        collections: Sequence[CollectionEntry],
        types: Sequence[TypeEntry],
        filters: LevelFilter,
    ) -> Iterator[tuple[CollectionEntry, Resolved]]:
        members = [snapshot.collections[name] for name in _shown_as(snapshot, types, collections)]
        by_collection: dict[str, list[Found]] = {}
        for found in self._registry.lookup.datasets(snapshot, types, members, filters):
            by_collection.setdefault(found.collection, []).append(found)
        for one in collections:
            for resolved in _first(snapshot, one, by_collection):
                yield one, resolved

    def leaves(self, snapshot: Snapshot, folder: Folder) -> Iterator[Sequence[Row]]:
        members = snapshot.flatten([folder.collection.collection.name])
        ids = [one.id for one in members if one.collection.kind is not CollectionKind.CALIBRATION]
        return self._registry.leaves.pages(folder.entry, ids, folder.levels)

    def admits(self, snapshot: Snapshot, collection: str, resolved: Resolved) -> bool:  # noqa: ARG002
        return True


def _first(
    snapshot: Snapshot, shown: CollectionEntry, by_collection: dict[str, list[Found]]
) -> Iterator[Resolved]:
    """Give, of what the members of a collection hold, of each data ID and validity the first."""
    members = snapshot.flatten([shown.collection.name])
    seen: set[object] = set()
    for member in members:
        for found in by_collection.get(member.collection.name, ()):
            ref = found.resolved.ref
            identity = (ref.type.name, ref.data_id.row, ref.valid)
            if len(members) == 1 or identity not in seen:
                seen.add(identity)
                yield found.resolved


def _shown_as(
    snapshot: Snapshot,
    types: Sequence[TypeEntry],
    collections: Iterable[CollectionEntry],
    *,
    ranges: bool = False,
) -> dict[str, list[str]]:
    """Give, for each collection that holds members, the collections that show them."""
    calibrations = any(entry.type.calibration for entry in types)
    found: dict[str, list[str]] = {}
    for one in collections:
        for member in snapshot.flatten([one.collection.name]):
            timed = member.collection.kind is CollectionKind.CALIBRATION
            if (calibrations or not timed) and (timed or not ranges):
                found.setdefault(member.collection.name, []).append(one.collection.name)
    return found
