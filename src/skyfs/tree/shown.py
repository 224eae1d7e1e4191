"""Which datasets a tree shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from ..model.dataset import Resolved
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.leaves import Row
from ..registry.levels import LevelFilter
from ..registry.lookup import Directory
from .folders import Folder


class Shown(ABC):
    """A choice among the stored datasets, asked by collection; chains are shown as collections are.

    Its methods raise InvalidQuery when the choice is an expression that means nothing.
    """

    @abstractmethod
    def held(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> dict[str, set[str]]:
        """Give, for each collection that shows datasets, the names of their types."""

    @abstractmethod
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
        """Give the distinct values of the first ``depth`` levels, for types of one group.

        With ``ranges``, only those of datasets with validity ranges, which are one level deeper than others.
        """

    @abstractmethod
    def datasets(
        self,
        snapshot: Snapshot,
        collections: Sequence[CollectionEntry],
        types: Sequence[TypeEntry],
        filters: LevelFilter,
    ) -> Iterator[tuple[CollectionEntry, Resolved]]:
        """Give datasets of types of one group as each collection shows them: the first of a chain wins."""

    @abstractmethod
    def leaves(self, snapshot: Snapshot, folder: Folder) -> Iterator[Sequence[Row]]:
        """Give what `datasets` does, as rows, of a folder of the last level, no calibrations."""

    @abstractmethod
    def admits(self, snapshot: Snapshot, collection: str, resolved: Resolved) -> bool:
        """Tell whether a dataset that a collection holds is shown."""
