"""A small observatory for tests of registries: records, types, collections, and datasets by the handful."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from uuid import UUID

import yaml

from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataid import DataId
from skyfs.model.dataset import DatasetRef, DatasetType, Location, Part, Resolved
from skyfs.model.ids import new_ids
from skyfs.model.template import default_key
from skyfs.registry.catalogue import CollectionEntry, TypeEntry
from skyfs.registry.datasets import NewDataset
from skyfs.registry.levels import LevelFilter
from skyfs.registry.lookup import Found
from skyfs.registry.registry import Registry

CAMERA = "Cam"
DAYS = (20250101, 20250102)
# Two visits a night.
VISITS = {1: DAYS[0], 2: DAYS[0], 10: DAYS[1], 11: DAYS[1]}
DETECTORS = (0, 1, 20)
FILTERS = {"g-1": "g", "i_2": "i"}

TYPES: Mapping[str, tuple[Sequence[str], bool]] = {
    "calexp": (("visit", "detector"), False),
    "src": (("visit", "detector"), False),
    "flat": (("detector", "physical_filter"), True),
    "bias": (("detector",), True),
    "summary": ((), False),
}
RUNS = ("u/a", "u/b")
TAGS = ("t/a", "t/b")
CALIBRATIONS = ("c/a",)


def default_universe() -> Mapping[str, object]:
    """Give what the default universe's YAML holds."""
    text = resources.files("skyfs.model").joinpath("universe.yaml").read_text(encoding="utf-8")
    found: Mapping[str, object] = yaml.safe_load(text)
    return found


def visit_record(visit: int, **more: object) -> dict[str, object]:
    """Give the record of a visit."""
    span = (visit * 10**9, visit * 10**9 + 10**8)
    record = {
        "instrument": CAMERA,
        "id": visit,
        "physical_filter": "g-1",
        "day_obs": VISITS.get(visit, DAYS[0]),
    }
    return {**record, "timespan": span, **more}


def add_records(registry: Registry) -> None:
    """Insert all records."""
    registry.records.insert("instrument", [{"name": CAMERA}])
    filters = [{"instrument": CAMERA, "name": name, "band": band} for name, band in FILTERS.items()]
    registry.records.insert("physical_filter", filters)
    detectors = [{"instrument": CAMERA, "id": one, "full_name": f"S{one}"} for one in DETECTORS]
    registry.records.insert("detector", detectors)
    registry.records.insert("visit", [visit_record(visit) for visit in VISITS])


def add_collections(registry: Registry) -> None:
    """Register all types, and create a few collections of each kind but CHAINED."""
    for name, (dimensions, calibration) in TYPES.items():
        group = registry.universe.group(dimensions)
        registry.collections.register(DatasetType(name, group, "Table", calibration))
    kinds = (
        (CollectionKind.RUN, RUNS),
        (CollectionKind.TAGGED, TAGS),
        (CollectionKind.CALIBRATION, CALIBRATIONS),
    )
    for kind, names in kinds:
        for name in names:
            registry.collections.create(Collection(name, kind))


@dataclass(slots=True)
class Sky:
    """A registry of the small observatory, with short words for what tests do.

    (Values of data IDs are Any, so that tests may pass mappings of all kinds.)
    """

    registry: Registry
    made: list[DatasetRef] = field(default_factory=list)

    @classmethod
    def fill(cls, registry: Registry) -> Sky:
        """Fill a new registry."""
        with registry.transaction():
            add_records(registry)
            add_collections(registry)
        return cls(registry)

    def entry(self, name: str) -> TypeEntry:
        """Give a dataset type."""
        return self.registry.current().type(name)

    def collection(self, name: str) -> CollectionEntry:
        """Give a collection."""
        return self.registry.current().collection(name)

    def ref(self, name: str, run: str = RUNS[0], uuid: UUID | None = None, **data_id: Any) -> DatasetRef:  # noqa: ANN401
        """Give a reference to a new dataset; nothing is inserted."""
        entry = self.entry(name)
        given = {"instrument": CAMERA, **data_id} if "instrument" in entry.group else data_id
        row = self.registry.data_ids.complete(entry.group, given)
        return DatasetRef(uuid or UUID(bytes=new_ids(1)[0]), entry.type, DataId(entry.group, row), run)

    def put(self, name: str, run: str = RUNS[0], **data_id: Any) -> DatasetRef:  # noqa: ANN401
        """Insert a dataset with bytes."""
        ref = self.ref(name, run, **data_id)
        self.registry.datasets.insert([stored(ref)])
        return ref

    def declare(self, name: str, run: str = RUNS[0], **data_id: Any) -> DatasetRef:  # noqa: ANN401
        """Insert a dataset without bytes."""
        ref = self.ref(name, run, **data_id)
        self.registry.datasets.insert([NewDataset(ref)])
        return ref

    def found(
        self,
        names: str | Iterable[str],
        collections: Iterable[str],
        *,
        declared: bool = False,
        like: Mapping[str, str] | None = None,
        **exact: Any,  # noqa: ANN401
    ) -> list[Found]:
        """Look datasets up."""
        snapshot = self.registry.current()
        types = [snapshot.type(name) for name in ([names] if isinstance(names, str) else names)]
        filters = LevelFilter(exact, like or {})
        wanted = snapshot.flatten(collections)
        return list(self.registry.lookup.datasets(snapshot, types, wanted, filters, declared=declared))

    def ids(
        self,
        names: str,
        collections: Iterable[str],
        *,
        declared: bool = False,
        **exact: Any,  # noqa: ANN401
    ) -> list[UUID]:
        """Look datasets up, and give their ids."""
        found = self.found(names, collections, declared=declared, **exact)
        return [one.resolved.ref.id for one in found]

    def by_id(self, ref: DatasetRef) -> Resolved | None:
        """Look a dataset up by its id."""
        return self.registry.lookup.by_id(self.registry.current(), [ref.id]).get(ref.id)

    def holds(self, key: str, store: str = "local") -> bool:
        """Tell whether bytes of some dataset lie under a key."""
        return self.registry.lookup.holds(self.registry.current(), store, key)

    def everything(self) -> Iterator[tuple[str, Found]]:
        """Give all that all collections hold, declared or stored."""
        snapshot = self.registry.current()
        for name, entry in snapshot.types.items():
            wanted = snapshot.collections.values()
            for one in self.registry.lookup.datasets(snapshot, [entry], wanted, LevelFilter(), declared=True):
                yield name, one


def location(
    ref: DatasetRef, key: str | None = None, *, part: Part | None = None, owned: bool = True
) -> Location:
    """Give a place for a dataset's bytes: where the template says, or under ``key``."""
    digest = ref.id.bytes * 2
    where = default_key(ref, ".parquet") if key is None else key
    return Location("local", where, ".parquet", 8640, 1_700_000_000_123_456_789, digest, part, owned=owned)


def stored(ref: DatasetRef, *inputs: UUID) -> NewDataset:
    """Give a dataset to insert, its bytes where the template says."""
    return NewDataset(ref, (location(ref),), inputs)


class Undone(Exception):
    """Ends a transaction that is to leave nothing behind."""


def take_back(registry: Registry, act: Callable[[], object]) -> None:
    """Do something in a transaction, or nested one, that fails."""
    with suppress(Undone), registry.transaction():
        act()
        raise Undone
