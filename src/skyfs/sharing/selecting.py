"""Which datasets are meant by types, collections, an expression and data IDs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..model.collection import CollectionKind
from ..model.dataset import DatasetRef
from ..querying import DatasetQuery
from ..querying.conditions import Asked
from ..registry.catalogue import Snapshot, TypeEntry
from ..registry.registry import Registry
from .holding import Observed


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen of a repository; nothing given: all of it.

    Attributes
    ----------
    types, collections
        Their names; None: all.
    where, bind, data_id
        Conditions.
    """

    types: Sequence[str] | None = None
    collections: Sequence[str] | None = None
    where: str | None = None
    bind: Mapping[str, object] | None = None
    data_id: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.types is None and self.collections is None and not self._narrowed

    @property
    def _narrowed(self) -> bool:
        return bool(self.where or self.data_id)

    def ids(self, registry: Registry) -> Iterator[UUID]:
        """Give the ids of the datasets, one after the other; one may come more than once.

        Under conditions, calibrations are those that are certified for what is chosen of other types, where
        there are CALIBRATION collections; when only calibrations are wanted, those of which the conditions
        hold. Types without dimensions, of which no condition says anything, must be named then.
        """
        snapshot = registry.current()
        entries = [snapshot.type(name) for name in self._types(snapshot)]
        certified = self._certified(snapshot)
        others = [entry for entry in entries if not entry.type.calibration]
        if not (self._narrowed and certified and others):
            others, certified = entries, []
        calibrations = [entry for entry in entries if certified and entry.type.calibration]
        observed = Observed(registry, [entry.group for entry in calibrations])
        for entry in others:
            for ref in self._asked(registry, entry, self._searched(snapshot), conditions=True):
                observed.note(ref)
                yield ref.id
        for entry in calibrations:
            found = self._asked(registry, entry, certified, conditions=False)
            yield from (ref.id for ref in found if observed.holds(ref))

    def _types(self, snapshot: Snapshot) -> Sequence[str]:
        if self.types is not None:
            return self.types
        return [name for name, one in snapshot.types.items() if one.group.required or not self._narrowed]

    def _asked(
        self, registry: Registry, entry: TypeEntry, collections: Sequence[str], *, conditions: bool
    ) -> Iterator[DatasetRef]:
        if not collections:
            return
        asked = Asked(self.where, self.bind, self.data_id) if conditions else Asked()
        types, names = (entry.type.name,), tuple(collections)
        yield from DatasetQuery(registry, asked, types=types, collections=names, find_first=False)

    def _searched(self, snapshot: Snapshot) -> list[str]:
        names: Iterable[str] = snapshot.collections if self.collections is None else self.collections
        return [one.collection.name for one in snapshot.flatten(names)]

    def _certified(self, snapshot: Snapshot) -> list[str]:
        kinds = {name: one.collection.kind for name, one in snapshot.collections.items()}
        return [name for name in self._searched(snapshot) if kinds[name] is CollectionKind.CALIBRATION]

    def named(self, registry: Registry) -> set[str] | None:
        """Give the names of the collections that come along; None: all that hold some of the datasets."""
        if self.collections is None:
            return None
        known = registry.current()
        found, waiting = set(), list(self.collections)
        while waiting:
            collection = known.collection(waiting.pop()).collection
            if collection.name not in found:
                found.add(collection.name)
                waiting += collection.children
        return found
