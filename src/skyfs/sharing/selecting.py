"""Which datasets are meant by types, collections, an expression and data IDs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..model.collection import CollectionKind
from ..querying import DatasetQuery
from ..querying.conditions import Asked
from ..registry.catalogue import Snapshot, TypeEntry
from ..registry.registry import Registry


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

        Under conditions, calibrations are those that are certified for what the conditions hold of, where
        there are CALIBRATION collections: in their RUNs all times look alike.
        """
        snapshot = registry.current()
        for name in snapshot.types if self.types is None else self.types:
            searched = self._searched(snapshot, snapshot.type(name))
            if searched:
                asked = Asked(self.where, self.bind, self.data_id)
                query = DatasetQuery(
                    registry, asked, types=(name,), collections=tuple(searched), find_first=False
                )
                yield from (ref.id for ref in query)

    def _searched(self, snapshot: Snapshot, entry: TypeEntry) -> list[str]:
        names: Iterable[str] = snapshot.collections if self.collections is None else self.collections
        listed = [one.collection for one in snapshot.flatten(names)]
        certified = [one for one in listed if one.kind is CollectionKind.CALIBRATION]
        if entry.type.calibration and self._narrowed and certified:
            listed = certified
        return [one.name for one in listed]

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
