"""What is to be written, and the checks that come before its bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ..errors import BadDataId, Exists, NotFound
from ..formats.catalog import Formats
from ..formats.fits_part import FoundPart
from ..model.dataid import DataId, Value, coerce
from ..model.dataset import DatasetRef, DatasetType, Resolved
from ..model.dimensions import DimensionGroup
from ..model.ids import new_ids
from ..registry.captured import Values
from ..registry.catalogue import Snapshot
from ..registry.collections import writable_run
from ..registry.levels import LevelFilter
from ..registry.registry import Registry
from .routes import Route, Routes

Content = Literal["made", "asked", "given", "in place"]
"""Where bytes come from: made of an object, in the configured format or the one asked for; given as a file;
or registered where they are."""


NewRecords = tuple[tuple[str, dict[str, object]], ...]


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
class Plan:
    """A target that has been checked: nothing stands in its way.

    ``files`` are the routes of its files and their keys, those of the nearest store first.
    """

    target: Target
    ref: DatasetRef
    files: tuple[tuple[Route, str], ...]
    old: Resolved | None
    new_records: NewRecords


Places = Collection[tuple[str, str]]


class Planner:
    """Checks targets against the registry, and chooses where their files go.

    Parameters
    ----------
    going
        Gives (store, key) of the files that this thread's transaction removes: until it is committed they lie
        where they are.
    """

    def __init__(
        self,
        registry: Registry,
        routes: Routes,
        formats: Formats,
        auto_register: str,
        going: Callable[[], Places],
    ) -> None:
        self._going = going
        self._registry = registry
        self._routes = routes
        self._formats = formats
        self._auto_register = auto_register

    def plan(self, target: Target, content: Content, snapshot: Snapshot | None = None) -> Plan:
        """Check a target, and choose its files: none when its bytes stay in place.

        ``snapshot`` is the catalogue, of who has just looked at it.

        Raises
        ------
        Exists
            When a dataset is there that may not be replaced.
        NotFound, BadDataId, NotAllowed, Locked, Unsupported
            When the type, data ID, RUN or format does not allow it.
        """
        snapshot = snapshot or self._registry.current()
        entry = snapshot.types.get(target.type_name)
        dataset_type = entry.type if entry else self._new_type(target)
        run = snapshot.collections.get(target.run)
        if run is not None:
            writable_run(run)
        routes = self._routed(dataset_type, target.extension, content)
        levels, new_records = self._levels(dataset_type.group, target.data_id)
        data_id = DataId(dataset_type.group, levels)
        old = None
        if entry is not None and run is not None:
            exact = LevelFilter(dict(data_id.levels), {})
            found = self._registry.lookup.datasets(snapshot, [entry], [run], exact, declared=True)
            old = next((one.resolved for one in found), None)
        ref = DatasetRef(_id(target, old, new_ids(1)[0]), dataset_type, data_id, target.run)
        return self._planned(target, routes, ref, old, new_records)

    def plan_many(self, targets: Sequence[Target], content: Content) -> list[Plan]:
        """Check many targets at once: records, and what is there already, are read together. As `plan`."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, target in enumerate(targets):
            groups.setdefault((target.type_name, target.run), []).append(index)
        plans: dict[int, Plan] = {}
        for indices in groups.values():
            alike = self._plan_alike([targets[n] for n in indices], content)
            plans.update(zip(indices, alike, strict=True))
        return [plans[index] for index in range(len(targets))]

    def _plan_alike(self, targets: Sequence[Target], content: Content) -> list[Plan]:
        """Plan targets of one type and RUN."""
        snapshot, first = self._registry.current(), targets[0]
        entry = snapshot.types.get(first.type_name)
        run = snapshot.collections.get(first.run)
        alone = len(targets) == 1 or self._auto_register == "all"
        if alone or entry is None or not entry.group.levels:
            return [self.plan(target, content) for target in targets]
        if run is not None:
            writable_run(run)
        routes = {
            extension: self._routed(entry.type, extension, content)
            for extension in {target.extension for target in targets}
        }
        rows = self._registry.data_ids.complete_many(entry.group, [target.data_id for target in targets])
        there = {} if run is None else self._registry.lookup.members(snapshot, entry, run, rows)
        plans = []
        for target, row, new in zip(targets, rows, new_ids(len(rows)), strict=True):
            old = there.get(row)
            ref = DatasetRef(_id(target, old, new), entry.type, DataId(entry.group, row), target.run)
            plans.append(self._planned(target, routes[target.extension], ref, old, ()))
        return plans

    def _routed(self, dataset_type: DatasetType, extension: str, content: Content) -> tuple[Route, ...]:
        self._formats.require(extension, dataset_type.storage_class)
        if content == "in place":
            return ()
        asked = None if content == "made" else extension
        routes = self._routes.of(dataset_type, asked, given=content == "given")
        for route in routes:
            self._formats.require(route.extension, route.storage_class)
        return routes

    def _new_type(self, target: Target) -> DatasetType:
        if self._auto_register == "off":
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
            if self._auto_register != "all":
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

    def _planned(
        self,
        target: Target,
        routes: tuple[Route, ...],
        ref: DatasetRef,
        old: Resolved | None,
        new_records: NewRecords,
    ) -> Plan:
        """Give the plan, unless a dataset that is there stands in its way."""
        if old is not None and old.locations and not target.replace:
            what = f"write {target.type_name} {ref.data_id!r} to {target.run!r}"
            raise Exists(what, "it exists already", "put another in its place with replace")
        unique = old is not None and bool(old.locations)
        files = tuple([(route, _key(route, ref, self._going(), unique=unique)) for route in routes])
        return Plan(target, ref, files, old, new_records)


def _id(target: Target, old: Resolved | None, new: bytes) -> UUID:
    """Give the id of a dataset, ``new`` when nothing says another: what was declared keeps its own."""
    kept = old.ref.id if old is not None and not old.locations else target.id
    return UUID(bytes=new) if kept is None else kept


def _key(route: Route, ref: DatasetRef, going: Places, *, unique: bool) -> str:
    key = route.key(ref, unique=unique)
    return route.key(ref, unique=True) if (route.store, key) in going else key
