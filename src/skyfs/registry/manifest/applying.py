"""Lines → a registry: tolerant where the same is there already, never a silent merge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from ...errors import BadContent, BadDefinition, Conflict, NotFound
from ...model.collection import CollectionKind
from ...model.dataset import DatasetRef, DatasetType
from ...model.dimensions import Element, Universe
from ...model.manifest_line import (
    AttachLine,
    CertifyLine,
    ClearLine,
    CollectionLine,
    DatasetsLine,
    DecertifyLine,
    DetachLine,
    DropLine,
    Header,
    Line,
    RebaseLine,
    RecordsLine,
    RemoveLine,
    RetimeLine,
    TagLine,
    TypeLine,
    UniverseLine,
    UntagLine,
)
from ...model.timespan import Timespan
from ..database import Clash
from ..record_lines import from_line
from ..registry import Registry
from .arriving import Applied, Arrivals, Carried, Judge, OnConflict, Remove

_CHANGES = (UntagLine, DecertifyLine, DetachLine, RemoveLine, ClearLine, DropLine, RetimeLine, RebaseLine)
"""What a change log tells, and no description of datasets that come."""


class Applier:
    """Puts lines in, inside of the caller's transaction; `finish` ends it.

    Parameters
    ----------
    conflict
        What wins when something else is there.
    owner
        Whom new RUNs belong to: lines that come from others then add, and take nothing away. None: to whom
        the lines say, which are the repository's own.
    remove
        Removes datasets that others take the place of; None: their rows, and no file.
    carried
        What is known of lines that were put in before, by another applier.
    judge
        Tells which places of datasets are to be believed; None: all.
    """

    def __init__(
        self,
        registry: Registry,
        conflict: OnConflict = "fail",
        owner: str | None = None,
        remove: Remove | None = None,
        carried: Carried | None = None,
        *,
        judge: Judge | None = None,
    ) -> None:
        self._registry = registry
        self._conflict = conflict
        self._owner = owner
        carried = Carried() if carried is None else carried
        self._locks = carried.locks
        self.applied = Applied()
        self._arrivals = Arrivals(registry, conflict, self.applied, remove, carried.skipped, judge=judge)
        self._appliers: Mapping[type, Callable[[Any], None]] = {
            Header: lambda _: None,
            UniverseLine: self._universe,
            TypeLine: self._type,
            CollectionLine: self._collection,
            AttachLine: self._attach,
            DetachLine: self._detach,
            RecordsLine: self._records,
            DatasetsLine: self._arrivals.datasets,
            TagLine: self._arrivals.tag,
            UntagLine: self._untag,
            CertifyLine: self._arrivals.certify,
            DecertifyLine: self._decertify,
            RemoveLine: self._remove,
            ClearLine: self._clear,
            DropLine: self._drop,
            RetimeLine: self._retime,
            RebaseLine: self._rebase,
        }

    def apply(self, line: Line) -> None:
        """Put one line in.

        Raises
        ------
        Conflict
            When something else is there, and that is not to be passed by.
        BadContent
            When the line names what neither the lines before nor the registry have, or does not fit here.
        """
        applier = self._appliers.get(type(line))
        if applier is None or (self._owner is not None and isinstance(line, _CHANGES)):
            found = f"a {type(line).__name__} is of a change log"
            raise BadContent("a manifest", found, "rebuild reads change logs")
        try:
            applier(line)
        except NotFound as error:
            todo = "the manifest is damaged, or was made without it"
            raise BadContent(error.asked, error.found or "it is not there", todo) from None
        except Clash as error:
            raise Conflict("a manifest", f"what is to be there once is given twice: {error}") from None

    def finish(self) -> Applied:
        """Lock what is to be locked, and tell what was done."""
        collections = self._registry.current().collections
        for name, locked in self._locks.items():
            if name in collections and collections[name].collection.locked != locked:
                self._registry.collections.set_locked(name, locked=locked)
        return self.applied

    # -- definitions -----------------------------------------------------------------------------------

    def _universe(self, line: UniverseLine) -> None:
        theirs, ours = Universe.from_mapping(line.mapping), self._registry.universe
        if (theirs.name, theirs.namespace) != (ours.name, ours.namespace):
            found = f"they are those of {theirs.namespace}:{theirs.name}, here {ours.namespace}:{ours.name}"
            raise Conflict("the dimensions of a manifest", found, "use a repository with its universe")

    def _type(self, line: TypeLine) -> None:
        group = self._registry.universe.group(line.dimensions)
        flags = (line.storage_class, line.calibration, line.capture, line.immutable)
        wanted = DatasetType(line.name, group, *flags)
        there = self._registry.current().types.get(line.name)
        if there is None:
            self._registry.collections.register(wanted)
            self.applied.types += 1
        elif there.type != wanted and (self._conflict not in ("skip", "newest") or there.group != group):
            self._registry.collections.register(wanted)

    def _collection(self, line: CollectionLine) -> None:
        wanted = line.collection
        there = self._registry.current().collections.get(wanted.name)
        if self._owner is not None and wanted.kind is CollectionKind.RUN:
            wanted = replace(wanted, owner=self._owner if there is None else there.collection.owner)
        if there is None:
            self.applied.collections += 1
            self._registry.collections.create(replace(wanted, locked=False, children=()))
        elif there.collection.kind is not wanted.kind or self._conflict == "replace":
            self._registry.collections.set(replace(wanted, locked=there.collection.locked))
        if wanted.kind is CollectionKind.CHAINED:
            self._chain(wanted.name, wanted.children, new=there is None)
        # Who says in whose name it is done does not lock, or unlock, what was there.
        changes = self._conflict == "replace" and self._owner is None
        if wanted.kind is CollectionKind.RUN and (there is None or wanted.name in self._locks or changes):
            self._locks[wanted.name] = wanted.locked

    def _chain(self, name: str, children: tuple[str, ...], *, new: bool) -> None:
        there = self._registry.current().collection(name).collection.children
        if self._conflict == "replace" or new:
            if there != children:
                self._registry.collections.set_chain(name, children)
            return
        # A manifest of some datasets has of a chain what holds them: what one lacks comes in where it stood.
        if _follow(children, there):
            return
        if _follow(there, children):
            self._registry.collections.set_chain(name, children)
        elif self._conflict == "fail":
            found = f"it is {', '.join(there)}; the manifest says {', '.join(children) or 'nothing'}"
            raise Conflict(f"the chain {name!r} is there already", found, "give it those children first")

    def _drop(self, line: DropLine) -> None:
        if line.collection in self._registry.current().collections:
            self._locks.pop(line.collection, None)
            self._registry.collections.remove(line.collection, unlink=True)

    # -- records ---------------------------------------------------------------------------------------

    def _element(self, name: str) -> Element:
        side = self._registry.current().sides.get(name)
        return self._registry.universe.element(name) if side is None else side

    def _records(self, line: RecordsLine) -> None:
        if not line.rows:
            return
        element = self._element(line.element)
        records: Sequence[Mapping[str, object]] = from_line(element, line)
        if self._conflict in ("skip", "newest"):
            records = self._registry.records.unrecorded(element, records)
        replaces = self._conflict == "replace"
        self.applied.records += self._registry.records.insert(element, records, replace=replaces)

    def _attach(self, line: AttachLine) -> None:
        self._registry.sides.attach(line.name, line.requires, dict(line.columns), [], replace=False)

    def _detach(self, line: DetachLine) -> None:
        if line.name in self._registry.current().sides:
            self._registry.sides.detach(line.name)

    # -- changes ---------------------------------------------------------------------------------------

    def _refs(self, ids: Sequence[UUID]) -> list[DatasetRef]:
        """Give those datasets that are there."""
        found = self._registry.lookup.by_id(self._registry.current(), ids)
        return [found[one].ref for one in ids if one in found]

    def _untag(self, line: UntagLine) -> None:
        if line.collection in self._registry.current().collections:
            self._registry.datasets.untag(self._refs(line.ids), line.collection)

    def _decertify(self, line: DecertifyLine) -> None:
        span = Timespan(line.begin_ns, line.end_ns)
        levels = self._registry.current().type(line.type_name).group.levels
        unknown = [name for name, _ in line.levels if name not in levels]
        if unknown:
            raise BadDefinition(f"decertify {line.type_name}", f"it has no {unknown[0]!r}")
        self._registry.datasets.decertify(line.type_name, line.collection, span, dict(line.levels))

    def _remove(self, line: RemoveLine) -> None:
        self.applied.removed += len(self._registry.datasets.remove(self._refs(line.ids)))

    def _clear(self, line: ClearLine) -> None:
        if line.collection in self._registry.current().collections:
            self._registry.datasets.clear(line.collection)

    def _retime(self, line: RetimeLine) -> None:
        times = dict(line.rows)
        found = self._registry.lookup.by_id(self._registry.current(), times)
        for one in found.values():
            if one.locations:
                self._registry.datasets.retime(one.ref, times[one.ref.id])

    def _rebase(self, line: RebaseLine) -> None:
        self._registry.files.rebase(line.store, line.old, line.new)


def _follow(some: Sequence[str], all_of_them: Sequence[str]) -> bool:
    """Tell whether some are among all, in the same order."""
    rest = iter(all_of_them)
    return all(one in rest for one in some)


def apply_lines(
    registry: Registry, lines: Iterable[Line], conflict: OnConflict = "fail", owner: str | None = None
) -> Applied:
    """Put lines in as one transaction: all of them, or nothing. Raises as `Applier.apply`."""
    applier = Applier(registry, conflict, owner)
    with registry.transaction():
        for line in lines:
            applier.apply(line)
        return applier.finish()
