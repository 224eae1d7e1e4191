"""Collections of a repository: made, chained, locked, filled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..errors import BadArgument, BadDataId
from ..model.collection import Collection, CollectionKind
from ..model.dataset import DatasetRef
from ..model.quoting import shown
from ..model.timespan import Timespan
from .base import Base
from .naming import matching


class Collecting(Base):
    """Makes collections, and fills them."""

    def collections(self, pattern: str = "*") -> list[Collection]:
        """Give the collections whose names match a glob (``*`` crosses ``/``), sorted."""
        entries = self.registry.current().collections
        return [entries[name].collection for name in matching(entries, pattern)]

    def create_collection(self, name: str, kind: CollectionKind | str, *, doc: str = "") -> Collection:
        """Create a RUN, TAGGED or CALIBRATION collection; the same again is no change."""
        if kind not in CollectionKind.__members__:
            known = ", ".join(CollectionKind)
            raise BadArgument(f"collection {shown(name)}", f"kind {shown(kind)}", f"one of {known}")
        parsed = CollectionKind(kind)
        owner = self.user if parsed is CollectionKind.RUN else ""
        return self.registry.collections.create(Collection(name, parsed, owner=owner, doc=doc)).collection

    def chain(self, name: str, children: Iterable[str]) -> None:
        """Give a CHAINED collection its search order, making it when it is new."""
        self.registry.collections.set_chain(name, list(children))

    def prepend(self, chain: str, children: Iterable[str]) -> None:
        """Put collections at the head of a chain, which is made when it is new; those in it move there.

        Several programs may change a chain at once: none undoes what another one did.
        """
        new = list(dict.fromkeys(children))
        self._edit_chain(chain, lambda old: [*new, *(name for name in old if name not in new)])

    def append(self, chain: str, children: Iterable[str]) -> None:
        """Put collections at the end of a chain, as `prepend` at its head."""
        new = list(dict.fromkeys(children))
        self._edit_chain(chain, lambda old: [*(name for name in old if name not in new), *new])

    def unchain(self, chain: str, children: Iterable[str]) -> None:
        """Take collections out of a chain; those that are not in it are passed by, nothing is removed."""
        gone = set(children)
        self.registry.collections.edit_chain(chain, lambda old: [name for name in old if name not in gone])

    def _edit_chain(self, chain: str, change: Callable[[tuple[str, ...]], Sequence[str]]) -> None:
        with self.transaction():
            self.registry.collections.create(Collection(chain, CollectionKind.CHAINED))
            self.registry.collections.edit_chain(chain, change)

    def _stored(self, verb: str, refs: Iterable[DatasetRef]) -> list[DatasetRef]:
        """Give datasets as a list; refuse those in memory alone, which nobody else could see."""
        found = list(refs)
        if self.elided is not None:
            for name in dict.fromkeys(ref.type.name for ref in found):
                self.elided.refuse(verb, name)
        return found

    def lock(self, run: str, *, locked: bool = True) -> None:
        """Lock a RUN: nobody may write to it or remove from it. ``locked=False`` unlocks."""
        self._require_owner(run, "lock")
        self.registry.collections.set_locked(run, locked=locked)

    def tag(self, refs: Iterable[DatasetRef], collection: str) -> None:
        """Add datasets to a TAGGED collection, making it when it is new."""
        refs = self._stored("tag", refs)
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
        refs = self._stored("certify", refs)
        with self.transaction():
            self.create_collection(collection, CollectionKind.CALIBRATION)
            self.registry.datasets.certify(refs, collection, Timespan.of(begin, end))

    def decertify(
        self,
        collection: str,
        type_name: str,
        begin: object = None,
        end: object = None,
        **data_id: object,
    ) -> int:
        """Take a range of time out of what a CALIBRATION collection certifies of a type.

        Certified ranges that reach beyond it are cut: what lies before ``begin``, or from ``end`` on, stays.
        Datasets stay in their RUNs.

        Parameters
        ----------
        begin, end
            Times as for `certify`; None is no bound.
        **data_id
            Only for these values of dimensions; default: for all.

        Returns
        -------
        int
            How many certified ranges were removed or cut.

        Raises
        ------
        NotFound
            When type or collection do not exist.
        NotAllowed
            When the collection is of another kind.
        BadDataId
            When a name is no dimension of the type.
        """
        entry = self.registry.current().type(type_name)
        levels, implied = self.registry.data_ids.split(entry.group, data_id)
        if implied:
            found = f"{next(iter(implied))} is no dimension of {type_name}, it only follows from them"
            raise BadDataId(
                f"decertify {type_name} {data_id!r}", found, f"give {', '.join(entry.group.levels)}"
            )
        return self.registry.datasets.decertify(type_name, collection, Timespan.of(begin, end), levels)
