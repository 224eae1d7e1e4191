"""Records, collections and dataset types of an export, put into the registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import Conflict
from ..formats.catalog import Formats
from ..model.collection import Collection, CollectionKind
from ..model.dataset import DatasetType
from ..model.dimensions import DimensionGroup, Universe
from ..registry.registry import Registry
from .entries import CollectionEntry, Export, RecordsEntry, TypeEntry, is_component
from .naming import naming
from .result import MappedType
from .storage_classes import ours


class Definer:
    """Puts in what datasets need, inside of a transaction; gives how much of it is new."""

    def __init__(self, registry: Registry, formats: Formats, user: str) -> None:
        self._registry = registry
        self._formats = formats
        self._user = user

    # -- records ---------------------------------------------------------------------------------------

    def records(self, export: Export) -> int:
        """Insert records, elements before those that need them."""
        by_element: dict[str, list[RecordsEntry]] = {}
        for entry in sorted(export.records, key=lambda entry: entry.made):
            with naming(entry.where):
                self._registry.universe.element(entry.element)
            by_element.setdefault(entry.element, []).append(entry)
        order = self._registry.universe.dependency_order(by_element)
        return sum(self._insert(entry) for name in order for entry in by_element[name])

    def _insert(self, entry: RecordsEntry) -> int:
        element, records = self._registry.universe.element(entry.element), entry.records
        with naming(entry.where):
            if entry.made:
                key = (*element.requires, element.key.name)
                there = self._registry.records.exists
                records = [
                    one
                    for one in records
                    if not there(element, tuple(one[name] for name in key))  # type: ignore[misc]
                ]
            return self._registry.records.insert(entry.element, records)

    # -- collections -----------------------------------------------------------------------------------

    def collections(self, entries: Iterable[CollectionEntry]) -> int:
        """Create collections; chains get their children when all are there."""
        entries = list(entries)
        before = len(self._registry.current().collections)
        for entry in entries:
            with naming(entry.where):
                self._create(entry.collection)
        for entry in entries:
            if entry.collection.kind is CollectionKind.CHAINED:
                with naming(entry.where):
                    self._chain(entry.collection)
        return len(self._registry.current().collections) - before

    def _create(self, collection: Collection) -> None:
        owner = self._user if collection.kind is CollectionKind.RUN else ""
        self._registry.collections.create(replace(collection, owner=owner, children=()))

    def _chain(self, wanted: Collection) -> None:
        children = tuple(dict.fromkeys(wanted.children))
        there = self._registry.current().collection(wanted.name).collection.children
        if there and there != children:
            found = f"it is {', '.join(there)}; the export says {', '.join(children) or 'nothing'}"
            raise Conflict(
                f"the chain {wanted.name!r} is there already", found, "give it those children first"
            )
        if there != children:
            self._registry.collections.set_chain(wanted.name, children)

    # -- types -----------------------------------------------------------------------------------------

    def types(self, entries: Iterable[TypeEntry]) -> tuple[int, tuple[MappedType, ...]]:
        """Register dataset types; also give those whose storage class has another name here."""
        before = len(self._registry.current().types)
        mapped: dict[MappedType, None] = {}
        for entry in entries:
            if is_component(entry.name):
                continue
            with naming(entry.where):
                registered = self._register(entry)
            if registered.storage_class != entry.storage_class:
                mapped[MappedType(entry.name, entry.storage_class, registered.storage_class)] = None
        return len(self._registry.current().types) - before, tuple(mapped)

    def _register(self, entry: TypeEntry) -> DatasetType:
        group = dimensions(self._registry.universe, entry.dimensions)
        found = DatasetType(entry.name, group, ours(entry.storage_class, self._knows), entry.calibration)
        there = self._registry.current().types.get(entry.name)
        if there is not None and (there.group, there.type.calibration) == (group, entry.calibration):
            if not self._knows(entry.storage_class):
                # The name means nothing here, so that what was chosen for the type stays.
                found = there.type
            found = replace(found, capture=there.type.capture, immutable=there.type.immutable)
        return self._registry.collections.register(found).type

    def _knows(self, storage_class: str) -> bool:
        return storage_class in self._formats.storage_classes


def dimensions(universe: Universe, names: Iterable[str]) -> DimensionGroup:
    """Give the group that the butler makes of names: those that others of them imply are not required."""
    named = set(names)
    needed = {part for name in named for part in universe.element(name).identity}
    implied = {part for name in needed for part in universe.element(name).implies}
    return universe.group(named - implied)
