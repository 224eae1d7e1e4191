"""Writing datasets: bytes first, then one commit.

Bytes lie under their final keys, durable, before the registry's transaction commits; nobody sees them until
it does. When anything fails the batches take back what they wrote; when the process dies `Store.recover`
does.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO
from uuid import UUID

from ..abc.source import ByteSource
from ..abc.store import Adoption, Batch, Content, FetchesMany, Store
from ..errors import InDoubt, ReadOnly, SkyfsError
from ..formats.catalog import Formats
from ..model.collection import Collection, CollectionKind
from ..model.dataset import DatasetRef, DatasetType, Location, Resolved
from ..model.ids import new_ids
from ..model.template import file_key
from ..registry.captured import Values
from ..registry.catalogue import Snapshot
from ..registry.collections import writable_run
from ..registry.datasets import NewDataset
from ..registry.registry import Registry
from .capturing import capture
from .filler import FileSource, Filler
from .planner import Plan, Planner, Policy, Target
from .routes import Route, Routes

_log = logging.getLogger("skyfs")


class Unit:
    """The batches of a change, settled or undone together."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def add(self, batch: Batch) -> Batch:
        """Take a batch in."""
        self.batches.append(batch)
        return batch

    def settle(self) -> None:
        """Finish all, after the commit.

        What cannot be taken away now is no error: everything is as it was asked for, and the journal knows
        what is left for recovery.
        """
        for batch in self.batches:
            try:
                batch.settle()
            except SkyfsError as error:
                _log.warning("%s; it is committed, and recovery tries again", error)

    def undo(self) -> None:
        """Take all back, the last first."""
        for batch in reversed(self.batches):
            batch.undo()


class Draft:
    """A dataset that is being written to `file`; nobody sees it before `commit`.

    It is part of no transaction until then, so that other changes go on beside it. One thread at a time may
    use it, not always the same.

    Attributes
    ----------
    mtime_ns
        When its bytes were made, if the writer knows better than the store (UTC nanoseconds since 1970).
    """

    def __init__(self, writer: Writer, plan: Plan, filler: Filler, file: BinaryIO, *, check: bool) -> None:
        self._writer = writer
        self.plan = plan
        self.filler = filler
        self.file = file
        self.check = check
        self.mtime_ns: int | None = None

    def commit(self) -> DatasetRef:
        """Make it a dataset: by itself, or with the transaction that this thread is in.

        Raises
        ------
        BadContent
            When the bytes are truncated, or not of the format that their extension says.
        Exists
            When another writer was faster.
        """
        return self._writer.commit(self)

    def discard(self) -> None:
        """Forget it; nothing is left."""
        self.filler.undo()


class Writer:
    """Puts bytes into stores and rows into the registry, all or nothing."""

    def __init__(
        self,
        registry: Registry,
        stores: Mapping[str, Store],
        formats: Formats,
        policy: Policy,
        routes: Routes,
    ) -> None:
        self._registry = registry
        self._stores = stores
        self._formats = formats
        self._policy = policy
        self._routes = routes
        self._planner = Planner(registry, routes, formats, policy.auto_register)
        self._local = threading.local()

    @property
    def near(self) -> bool:
        """Whether all that can be written to is near by."""
        return not any(store.writable and isinstance(store, FetchesMany) for store in self._stores.values())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body as one change: all that is put, ingested, tagged or removed inside, or nothing."""
        with self._unit(), self._registry.transaction():
            yield

    @contextmanager
    def bringing(self) -> Iterator[Filler]:
        """Give what files are written by; they stay when the body ends well, and are taken back else."""
        with self._unit() as unit:
            yield self._filler(unit)

    def routes(self, dataset_type: DatasetType, extension: str) -> tuple[Route, ...]:
        """Give where files of a type go whose bytes are given; the first takes them as they are."""
        first, *others = self._routes.of(dataset_type, extension, given=True)
        return replace(first, extension=extension, options={}, own_format=False), *others

    def put(
        self, value: object, target: Target, *, asked: bool, snapshot: Snapshot | None = None
    ) -> DatasetRef:
        """Write an object as a dataset, into every store that takes its type, in the format of each.

        ``asked`` tells that the target's extension is the user's wish, not only the configured one;
        ``snapshot`` is the catalogue, of who has just looked at it.
        """
        with self._unit() as unit:
            plan = self._planner.plan(target, "asked" if asked else "made", snapshot)
            filler = self._filler(unit)
            captured = filler.write(plan, value)
            return self._commit(filler, [_with(plan, captured)])[0]

    def draft(self, target: Target, *, check: bool) -> Draft:
        """Begin a dataset whose bytes come one after the other; what stands in its way is raised here.

        With ``check``, `Draft.commit` refuses bytes that their format calls truncated or foreign.
        """
        if not self._registry.writable:
            raise _read_only()
        self._formats.format(target.extension)
        plan = self._planner.plan(target, "given")
        filler = self._filler(Unit())
        try:
            return Draft(self, plan, filler, filler.create(*plan.files[0], plan.ref), check=check)
        except BaseException:
            filler.undo()
            raise

    def commit(self, draft: Draft) -> DatasetRef:
        """Make a draft a dataset; when that fails it is discarded. See `Draft.commit`."""
        with self._unit() as unit:
            unit.batches += draft.filler.unit.batches
            written, extension = FileSource(draft.file), draft.plan.target.extension
            if draft.check:
                self._formats.check(written, extension)
            plan = draft.plan
            if plan.ref.type.capture:
                plan = _with(plan, self.capture(plan.ref.type.name, written, extension))
            filler = self._filler(unit, draft.filler)
            filler.copy(plan.files[1:], written, extension, plan.ref)
            draft.file.close()
            return self._commit(filler, [plan], draft.mtime_ns)[0]

    def captures(self, type_name: str) -> bool:
        """Tell whether values are read from the bytes of a type's datasets."""
        entry = self._registry.current().types.get(type_name)
        return entry is not None and bool(entry.type.capture)

    def capture(self, type_name: str, source: ByteSource, extension: str) -> Values:
        """Read what the dataset type, if it is known, says to capture.

        Raises
        ------
        BadContent
            When the bytes are damaged.
        """
        entry = self._registry.current().types.get(type_name)
        return capture(self._formats, entry.type.capture, source, extension) if entry else ()

    def adopt(
        self, files: Sequence[tuple[str, Target]], how: Adoption, check: Callable[[], None]
    ) -> list[DatasetRef]:
        """Take existing local files in as datasets, all or none; one that holds several is taken in once.

        ``check`` is called when the store has all bytes and nobody sees them yet: it may raise.
        """
        paths = [path for path, _ in files]
        with self._unit() as unit:
            plans = self._share(paths, self._planner.plan_many([target for _, target in files], "given"))
            filler = self._filler(unit)
            first = {plan.files: (path, plan) for path, plan in zip(paths, plans, strict=True)}
            for path, plan in first.values():
                filler.adopt(plan, path, how)
            check()
            return self._commit(filler, plans)

    def refer(self, files: Sequence[tuple[Location, Target]]) -> list[DatasetRef]:
        """Register files where they are, all or none."""
        with self._unit():
            plans = self._planner.plan_many([target for _, target in files], "in place")
            return self._register(plans, [(location,) for location, _ in files])

    def remove(self, resolved: Sequence[Resolved]) -> None:
        """Remove datasets: rows at the commit, bytes that skyfs owns right after it."""
        with self._unit() as unit:
            kept = self._registry.datasets.shared([one.ref for one in resolved])
            self._delete_bytes(unit, [place for one in resolved for place in one.locations], kept)
            self._registry.datasets.remove([one.ref for one in resolved])

    @contextmanager
    def _unit(self) -> Iterator[Unit]:
        """Give a unit for one change; inside of another it is settled with that one."""
        if not self._registry.writable:
            raise _read_only()
        outer: Unit | None = getattr(self._local, "unit", None)
        self._local.unit = unit = Unit()
        try:
            yield unit
        except InDoubt:
            # The rows may be there: the journal keeps the bytes until recovery can ask.
            raise
        except BaseException:
            unit.undo()
            raise
        finally:
            self._local.unit = outer
        if outer is None:
            unit.settle()
        else:
            outer.batches += unit.batches

    def _filler(self, unit: Unit, begun: Filler | None = None) -> Filler:
        return Filler(self._stores, self._formats, unit, begun)

    def _share(self, paths: Sequence[str], plans: Sequence[Plan]) -> list[Plan]:
        """Give the datasets of a file that holds many its key, which no other file has."""
        by_path: dict[str, list[Plan]] = {}
        for path, plan in zip(paths, plans, strict=True):
            if plan.target.part is not None:
                by_path.setdefault(path, []).append(plan)
        keys: dict[str, str] = {}
        for path, some in by_path.items():
            refs, name = [plan.ref for plan in some], os.path.basename(path)
            key = file_key(refs, name, some[0].target.extension)
            stores = {route.store for plan in some for route, _ in plan.files}
            if key in keys.values() or any(self._registry.lookup.has_parts(one, key) for one in stores):
                key = file_key(refs, name, some[0].target.extension, UUID(bytes=new_ids(1)[0]))
            keys[path] = key
        return [
            plan if plan.target.part is None else _in_file(plan, keys[path])
            for path, plan in zip(paths, plans, strict=True)
        ]

    # -- committing ------------------------------------------------------------------------------------

    def _commit(self, filler: Filler, plans: Sequence[Plan], mtime_ns: int | None = None) -> list[DatasetRef]:
        written = filler.publish()
        if mtime_ns is not None:
            written = {place: replace(content, mtime_ns=mtime_ns) for place, content in written.items()}
        return self._register(plans, [_locations(plan, filler, written) for plan in plans])

    def _register(self, plans: Sequence[Plan], places: Sequence[tuple[Location, ...]]) -> list[DatasetRef]:
        with self._registry.transaction():
            ready: set[tuple[str, str]] = set()
            for plan in plans:
                place = (plan.ref.type.name, plan.ref.run)
                if plan.new_records or place not in ready:
                    self._prepare(plan)
                    ready.add(place)
            replaced = [plan.old for plan in plans if plan.old is not None and plan.old.locations]
            if replaced:
                self.remove(replaced)
            new: list[NewDataset] = []
            for plan, some in zip(plans, places, strict=True):
                dataset = NewDataset(plan.ref, some, plan.target.inputs, plan.target.captured)
                if plan.old is None or plan.old.locations:
                    new.append(dataset)
                else:
                    self._registry.datasets.store(dataset)
            self._registry.datasets.insert(new, joined=True)
        return [plan.ref for plan in plans]

    def _prepare(self, plan: Plan) -> None:
        """Make what the dataset needs and is not there yet: records, its type, its RUN."""
        for element, record in plan.new_records:
            self._registry.records.insert(element, [record])
        snapshot = self._registry.current()
        if plan.ref.type.name not in snapshot.types:
            self._registry.collections.register(plan.ref.type)
        run = snapshot.collections.get(plan.ref.run)
        if run is None:
            owner = self._policy.user
            self._registry.collections.create(Collection(plan.ref.run, CollectionKind.RUN, owner=owner))
        else:
            writable_run(run)

    def _delete_bytes(self, unit: Unit, places: Sequence[Location], kept: set[tuple[str, str]]) -> None:
        by_store: dict[str, set[str]] = {}
        for place in places:
            store = self._stores.get(place.store)
            if store is not None and store.writable and (place.store, place.key) not in kept:
                by_store.setdefault(place.store, set()).add(place.key)
        for name, keys in by_store.items():
            batch = unit.add(self._stores[name].begin())
            for key in sorted(keys):
                batch.delete(key)
            batch.publish()


def _read_only() -> ReadOnly:
    return ReadOnly("change the repository", "it was opened for reading", "open it with writable=True")


def _with(plan: Plan, captured: Values) -> Plan:
    return replace(plan, target=replace(plan.target, captured=captured)) if captured else plan


def _in_file(plan: Plan, key: str) -> Plan:
    """Give the plan of a dataset in a file of many: the file is kept as it is by all stores."""
    files = tuple(
        (replace(route, extension=plan.target.extension, own_format=False), key) for route, _ in plan.files
    )
    return replace(plan, files=files)


def _locations(
    plan: Plan, filler: Filler, written: Mapping[tuple[str, str], Content]
) -> tuple[Location, ...]:
    """Give where the files of a dataset lie; components that it has not were not written."""
    places = []
    for route, planned in plan.files:
        key = filler.key(plan.ref, route.store, planned)
        found = written.get((route.store, key))
        if found is not None:
            places.append(_location(plan, route, key, found))
    return tuple(places)


def _location(plan: Plan, route: Route, key: str, content: Content) -> Location:
    found, mtime_ns = plan.target.part, content.mtime_ns
    if found is None:
        what = (route.extension, content.size, mtime_ns, content.sha256)
        return Location(route.store, key, *what, component=route.component)
    part = replace(found.part, file_size=content.size, file_sha256=content.sha256)
    sha256 = found.sha256 if part.hdu else content.sha256
    return Location(route.store, key, route.extension, found.size, mtime_ns, sha256, part)
