"""Writing datasets: bytes first, then one commit.

Bytes lie under their final keys, durable, before the registry's transaction commits; nobody sees them until
it does. When anything fails the batch takes back what it wrote; when the process dies `Store.recover` does.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO
from uuid import UUID

from .abc.source import ByteSource
from .abc.store import Adoption, Batch, Content, Store
from .capturing import capture
from .errors import BadDataId, Exists, NotAllowed, NotFound, ReadOnly
from .formats.catalog import Formats
from .formats.fits_part import FoundPart
from .model.collection import Collection, CollectionKind
from .model.dataid import DataId, Value, coerce
from .model.dataset import DatasetRef, DatasetType, Location, Resolved
from .model.dimensions import DimensionGroup
from .model.ids import new_ids
from .model.template import default_key, file_key, unique_key
from .registry.captured import Values
from .registry.collections import writable_run
from .registry.datasets import NewDataset
from .registry.levels import LevelFilter
from .registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Policy:
    """What writing may do besides: register types and records, in whose name."""

    auto_register: str
    user: str


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written.

    Attributes
    ----------
    type_name, run, data_id
        What the dataset will be; the type may be new when the policy registers types.
    extension
        The format of the bytes.
    inputs
        Ids of the datasets that it was made from.
    replace
        Whether it may take the place of one that is there.
    id
        Its id when that follows from what it is; None: a new one.
    captured
        Values that were read from the bytes.
    part
        What it is of a file that holds many datasets; None: all of it.
    """

    type_name: str
    run: str
    data_id: Mapping[str, object]
    extension: str
    inputs: tuple[UUID, ...] = ()
    replace: bool = False
    id: UUID | None = None
    captured: Values = ()
    part: FoundPart | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A target that has been checked: nothing stands in its way."""

    target: Target
    ref: DatasetRef
    key: str
    old: Resolved | None
    new_records: tuple[tuple[str, dict[str, object]], ...]


class Unit:
    """The batches of a change, settled or undone together."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def add(self, batch: Batch) -> Batch:
        """Take a batch in."""
        self.batches.append(batch)
        return batch

    def settle(self) -> None:
        """Finish all, after the commit."""
        for batch in self.batches:
            batch.settle()

    def undo(self) -> None:
        """Take all back, the last first."""
        for batch in reversed(self.batches):
            batch.undo()


class Draft:
    """A dataset that is being written to `file`; nobody sees it before `commit`.

    It is part of no transaction until then, so that other changes go on beside it. One thread at a time may
    use it, not always the same.
    """

    def __init__(self, writer: Writer, plan: _Plan, batch: Batch, file: BinaryIO, *, check: bool) -> None:
        self._writer = writer
        self.plan = plan
        self.batch = batch
        self.file = file
        self.check = check

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
        self.batch.undo()


class Writer:
    """Puts bytes into stores and rows into the registry, all or nothing."""

    def __init__(
        self, registry: Registry, stores: Mapping[str, Store], formats: Formats, policy: Policy
    ) -> None:
        self._registry = registry
        self._stores = stores
        self._formats = formats
        self._policy = policy
        self._local = threading.local()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body as one change: all that is put, ingested, tagged or removed inside, or nothing."""
        with self._unit(), self._registry.transaction():
            yield

    @contextmanager
    def file(self, target: Target, *, check: bool) -> Iterator[tuple[BinaryIO, list[DatasetRef]]]:
        """Give a file to write the bytes to; they are committed when the body ends without an error.

        With ``check``, bytes that their format calls truncated or foreign are refused. The list holds the
        reference afterwards.
        """
        draft = self.draft(target, check=check)
        committed: list[DatasetRef] = []
        try:
            yield draft.file, committed
        except BaseException:
            draft.discard()
            raise
        committed.append(draft.commit())

    def draft(self, target: Target, *, check: bool) -> Draft:
        """Begin a dataset whose bytes come one after the other; what stands in its way is raised here.

        With ``check``, `Draft.commit` refuses bytes that their format calls truncated or foreign.
        """
        if not self._registry.writable:
            raise _read_only()
        self._formats.format(target.extension)
        plan = self._plan(target)
        batch = self._store().begin()
        try:
            return Draft(self, plan, batch, batch.create(plan.key), check=check)
        except BaseException:
            batch.undo()
            raise

    def commit(self, draft: Draft) -> DatasetRef:
        """Make a draft a dataset; when that fails it is discarded. See `Draft.commit`."""
        with self._unit() as unit:
            unit.add(draft.batch)
            if draft.check:
                self._formats.check(_Written(draft.file), draft.plan.target.extension)
            plan = self._with_captured(draft.plan, draft.file)
            draft.file.close()
            return self._commit(draft.batch, [plan])[0]

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
            plans = self._share(paths, self._plan_many([target for _, target in files]))
            batch = unit.add(self._store().begin())
            for key, path in dict(zip((plan.key for plan in plans), paths, strict=True)).items():
                batch.adopt(key, path, how)
            check()
            return self._commit(batch, plans)

    def refer(self, files: Sequence[tuple[Location, Target]]) -> list[DatasetRef]:
        """Register files where they are, all or none."""
        with self._unit():
            plans = self._plan_many([target for _, target in files])
            return self._register(plans, [location for location, _ in files])

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
        except BaseException:
            unit.undo()
            raise
        finally:
            self._local.unit = outer
        if outer is None:
            unit.settle()
        else:
            outer.batches += unit.batches

    # -- planning --------------------------------------------------------------------------------------

    def _plan(self, target: Target) -> _Plan:
        snapshot = self._registry.current()
        entry = snapshot.types.get(target.type_name)
        dataset_type = entry.type if entry else self._new_type(target)
        run = snapshot.collections.get(target.run)
        if run is not None:
            writable_run(run)
        self._formats.require(target.extension, dataset_type.storage_class)
        levels, new_records = self._levels(dataset_type.group, target.data_id)
        data_id = DataId(dataset_type.group, levels)
        old = None
        if entry is not None and run is not None:
            exact = LevelFilter(dict(data_id.levels), {})
            found = self._registry.lookup.datasets(snapshot, [entry], [run], exact, declared=True)
            old = next((one.resolved for one in found), None)
        return _planned(target, dataset_type, data_id, old, new_records)

    def _plan_many(self, targets: Sequence[Target]) -> list[_Plan]:
        """Plan many at once: records, and what is there already, are read together."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, target in enumerate(targets):
            groups.setdefault((target.type_name, target.run), []).append(index)
        plans: dict[int, _Plan] = {}
        for indices in groups.values():
            plans.update(zip(indices, self._plan_alike([targets[n] for n in indices]), strict=True))
        return [plans[index] for index in range(len(targets))]

    def _plan_alike(self, targets: Sequence[Target]) -> list[_Plan]:
        """Plan targets of one type and RUN."""
        snapshot, first = self._registry.current(), targets[0]
        entry = snapshot.types.get(first.type_name)
        run = snapshot.collections.get(first.run)
        alone = len(targets) == 1 or self._policy.auto_register == "all"
        if alone or entry is None or not entry.group.levels:
            return [self._plan(target) for target in targets]
        if run is not None:
            writable_run(run)
        for extension in {target.extension for target in targets}:
            self._formats.require(extension, entry.type.storage_class)
        rows = self._registry.data_ids.complete_many(entry.group, [target.data_id for target in targets])
        there = {} if run is None else self._registry.lookup.members(snapshot, entry, run, rows)
        return [
            _planned(target, entry.type, DataId(entry.group, row), there.get(row), ())
            for target, row in zip(targets, rows, strict=True)
        ]

    def _share(self, paths: Sequence[str], plans: Sequence[_Plan]) -> list[_Plan]:
        """Give the datasets of a file that holds many its key, which no other file has."""
        by_path: dict[str, list[_Plan]] = {}
        for path, plan in zip(paths, plans, strict=True):
            if plan.target.part is not None:
                by_path.setdefault(path, []).append(plan)
        keys: dict[str, str] = {}
        for path, some in by_path.items():
            refs, name = [plan.ref for plan in some], os.path.basename(path)
            key = file_key(refs, name, some[0].target.extension)
            if key in keys.values() or self._registry.lookup.has_parts(self._store().name, key):
                key = file_key(refs, name, some[0].target.extension, UUID(bytes=new_ids(1)[0]))
            keys[path] = key
        return [
            plan if plan.target.part is None else replace(plan, key=keys[path])
            for path, plan in zip(paths, plans, strict=True)
        ]

    def _new_type(self, target: Target) -> DatasetType:
        if self._policy.auto_register == "off":
            todo = f"register it: skyfs register {target.type_name} DIMENSIONS STORAGE_CLASS"
            raise NotFound(
                f"no dataset type {target.type_name!r}", "this repository registers none by itself", todo
            )
        universe = self._registry.universe
        unknown = [name for name in target.data_id if not universe.has(name)]
        if unknown:
            universe.element(unknown[0])
        levels = {level for name in target.data_id for level in universe.grouping.get(name, ())}
        group = universe.group(name for name in target.data_id if name not in levels)
        return DatasetType(target.type_name, group, self._formats.storage_class_for(target.extension))

    def _levels(
        self, group: DimensionGroup, given: Mapping[str, object]
    ) -> tuple[tuple[Value, ...], tuple[tuple[str, dict[str, object]], ...]]:
        """Complete a data ID; with ``auto_register: all``, name the records that are missing."""
        try:
            return self._registry.data_ids.complete(group, given), ()
        except NotFound:
            if self._policy.auto_register != "all":
                raise
            return self._levels_and_records(group, given)

    def _levels_and_records(
        self, group: DimensionGroup, given: Mapping[str, object]
    ) -> tuple[tuple[Value, ...], tuple[tuple[str, dict[str, object]], ...]]:
        universe = self._registry.universe
        values = {
            name: coerce(universe.element(name), value) for name, value in given.items() if name in group
        }
        missing = []
        for name in universe.dependency_order(group.required):
            element = universe.element(name)
            if set(element.identity) - set(values):
                raise BadDataId(f"incomplete data ID {dict(given)!r}", f"no {name}", f"give {name}")
            identity = {part: values[part] for part in element.identity}
            if not self._registry.records.exists(element, tuple(identity.values())):
                if not element.key_only:
                    todo = f"insert its record: skyfs records {name} --insert"
                    raise NotFound(f"no {name} {values[name]!r}", "its record needs more than its key", todo)
                missing.append((name, dict(identity)))
        row = tuple(values[name] for name in group.levels)
        return row, tuple(missing)  # type: ignore[arg-type]

    def _with_captured(self, plan: _Plan, file: BinaryIO) -> _Plan:
        if not plan.ref.type.capture:
            return plan
        captured = self.capture(plan.ref.type.name, _Written(file), plan.target.extension)
        return replace(plan, target=replace(plan.target, captured=captured))

    # -- committing ------------------------------------------------------------------------------------

    def _commit(self, batch: Batch, plans: Sequence[_Plan]) -> list[DatasetRef]:
        written = batch.publish()
        name = self._store().name
        places = [_location(name, plan, written[plan.key]) for plan in plans]
        return self._register(plans, places)

    def _register(self, plans: Sequence[_Plan], places: Sequence[Location]) -> list[DatasetRef]:
        with self._registry.transaction():
            for plan in plans:
                self._prepare(plan)
            replaced = [plan.old for plan in plans if plan.old is not None and plan.old.locations]
            if replaced:
                self.remove(replaced)
            new: list[NewDataset] = []
            for plan, place in zip(plans, places, strict=True):
                dataset = NewDataset(plan.ref, (place,), plan.target.inputs, plan.target.captured)
                if plan.old is None or plan.old.locations:
                    new.append(dataset)
                else:
                    self._registry.datasets.store(dataset)
            self._registry.datasets.insert(new)
        return [plan.ref for plan in plans]

    def _prepare(self, plan: _Plan) -> None:
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

    def _store(self) -> Store:
        """Give the store that is written to."""
        for store in self._stores.values():
            if store.writable:
                return store
        raise NotAllowed(
            "write a dataset", "no store of the repository can be written", "check its configuration"
        )


def _planned(
    target: Target,
    dataset_type: DatasetType,
    data_id: DataId,
    old: Resolved | None,
    new_records: tuple[tuple[str, dict[str, object]], ...],
) -> _Plan:
    """Give the plan, unless a dataset that is there stands in its way."""
    if old is not None and old.locations and not target.replace:
        what = f"write {target.type_name} {data_id!r} to {target.run!r}"
        raise Exists(what, "it exists already", "put another in its place with replace")
    kept_id = old.ref.id if old is not None and not old.locations else target.id
    kept_id = UUID(bytes=new_ids(1)[0]) if kept_id is None else kept_id
    ref = DatasetRef(kept_id, dataset_type, data_id, target.run)
    key = unique_key(ref, target.extension) if old and old.locations else default_key(ref, target.extension)
    return _Plan(target, ref, key, old, new_records)


def _read_only() -> ReadOnly:
    return ReadOnly("change the repository", "it was opened for reading", "open it with writable=True")


def _location(store: str, plan: _Plan, content: Content) -> Location:
    key, extension, found = plan.key, plan.target.extension, plan.target.part
    if found is None:
        return Location(store, key, extension, content.size, content.mtime_ns, content.sha256)
    part = replace(found.part, file_size=content.size, file_sha256=content.sha256)
    sha256 = found.sha256 if part.hdu else content.sha256
    return Location(store, key, extension, found.size, content.mtime_ns, sha256, part)


class _Written(ByteSource):
    """A file that is being written, as a source."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @property
    def size(self) -> int:
        return self._file.seek(0, io.SEEK_END)

    def read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        return self._file.read(stop - start)
