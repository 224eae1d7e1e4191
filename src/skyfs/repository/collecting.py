"""Collections of a repository: made, chained, locked, filled."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..model.collection import Collection, CollectionKind
from ..model.dataset import DatasetRef
from ..model.timespan import Timespan
from .base import Base


class Collecting(Base):
    """Makes collections, and fills them."""

    def collections(self, pattern: str = "*") -> list[Collection]:
        """Give the collections whose names match a glob (``*`` crosses ``/``), sorted."""
        entries = self.registry.current().collections
        return [entries[name].collection for name in _matching(entries, pattern)]

    def create_collection(self, name: str, kind: CollectionKind | str, *, doc: str = "") -> Collection:
        """Create a RUN, TAGGED or CALIBRATION collection; the same again is no change."""
        parsed = CollectionKind(kind)
        owner = self.user if parsed is CollectionKind.RUN else ""
        return self.registry.collections.create(Collection(name, parsed, owner=owner, doc=doc)).collection

    def chain(self, name: str, children: Iterable[str]) -> None:
        """Give a CHAINED collection its search order, making it when it is new."""
        self.registry.collections.set_chain(name, list(children))

    def lock(self, run: str, *, locked: bool = True) -> None:
        """Lock a RUN: nobody may write to it or remove from it. ``locked=False`` unlocks."""
        self._require_owner(run, "lock")
        self.registry.collections.set_locked(run, locked=locked)

    def tag(self, refs: Iterable[DatasetRef], collection: str) -> None:
        """Add datasets to a TAGGED collection, making it when it is new."""
        with self.transaction():
            self.create_collection(collection, CollectionKind.TAGGED)
            self.registry.datasets.tag(refs, collection)

    def untag(self, refs: Iterable[DatasetRef], collection: str) -> None:
        """Take datasets out of a TAGGED collection; they stay in their RUN."""
        with self.transaction():
            self.registry.datasets.untag(refs, collection)

    def certify(
        self, refs: Iterable[DatasetRef], collection: str, begin: object = None, end: object = None
    ) -> None:
        """Add calibrations to a CALIBRATION collection, valid from ``begin`` up to, not including, ``end``.

        Times are astropy Times, datetimes, ISO text (TAI) or TAI nanoseconds; None is no bound.
        """
        with self.transaction():
            self.create_collection(collection, CollectionKind.CALIBRATION)
            self.registry.datasets.certify(refs, collection, Timespan.of(begin, end))


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return sorted(name for name in names if fnmatchcase(name, pattern))
