"""A registry against a model of dicts: whatever is done in whatever order, answers and rows agree.

A backend's test derives a machine and says how a registry is made and its tables are read::

    class Machine(RegistryMachine):
        def make(self): ...
        def read(self, table): ...


    TestMachine = Machine.TestCase
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from skyfs.errors import SkyfsError
from skyfs.model.dataset import DatasetRef, Location, Part
from skyfs.model.timespan import Timespan
from skyfs.registry.datasets import NewDataset
from skyfs.registry.registry import Registry

from .registry_rows import Row, violations
from .registry_sky import CALIBRATIONS, FILTERS, RUNS, TAGS, Sky, location, take_back

# (type, data ID without the camera): few, so that rules meet.
_DATA_IDS: list[tuple[str, dict[str, Any]]] = [
    *(("calexp", {"visit": visit, "detector": 20}) for visit in (1, 10)),
    *(("flat", {"detector": 0, "physical_filter": name}) for name in FILTERS),
    ("bias", {"detector": 0}),
    ("summary", {}),
]
_SHARED_KEY = "in/place/many.parquet"
_TIMES = st.sampled_from([None, 1, 5, 9])

_Wanted = tuple[tuple[str, dict[str, Any]], str, str]
_wanted = st.tuples(
    st.sampled_from(_DATA_IDS), st.sampled_from(RUNS), st.sampled_from(["part", "declared", "own"])
)


@dataclass(slots=True)
class Model:
    """What the registry should hold."""

    refs: dict[UUID, DatasetRef] = field(default_factory=dict)
    places: dict[UUID, Location | None] = field(default_factory=dict)
    tagged: dict[str, set[UUID]] = field(default_factory=dict)
    valid: dict[str, set[tuple[UUID, Timespan]]] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)

    def copy(self) -> Model:
        """Give one that changes apart from this."""
        tagged = {name: set(members) for name, members in self.tagged.items()}
        valid = {name: set(members) for name, members in self.valid.items()}
        return Model(dict(self.refs), dict(self.places), tagged, valid, set(self.locked))

    def members(self, name: str) -> set[tuple[UUID, Timespan | None]]:
        """Give the datasets of a collection, with their validity."""
        if name in self.valid:
            return set(self.valid[name])
        if name in self.tagged:
            return {(one, None) for one in self.tagged[name]}
        return {(one, None) for one, ref in self.refs.items() if ref.run == name}

    def same_data_id(self, ref: DatasetRef, others: Iterator[UUID]) -> Iterator[UUID]:
        """Give those of other datasets that have the type and data ID of one."""
        for other in others:
            found = self.refs[other]
            if (found.type.name, found.data_id) == (ref.type.name, ref.data_id):
                yield other

    # Each change tells whether it is allowed; when it is not, nothing is changed.

    def insert(self, ref: DatasetRef, place: Location | None) -> bool:
        """Insert a dataset."""
        in_run = (one for one, found in self.refs.items() if found.run == ref.run)
        if ref.run in self.locked or ref.id in self.refs or any(self.same_data_id(ref, in_run)):
            return False
        self.refs[ref.id], self.places[ref.id] = ref, place
        return True

    def store(self, ref: DatasetRef, place: Location) -> bool:
        """Give bytes to a declared dataset."""
        if ref.id not in self.refs or self.places[ref.id] is not None or ref.run in self.locked:
            return False
        self.places[ref.id] = place
        return True

    def tag(self, refs: Sequence[DatasetRef], name: str) -> bool:
        """Tag datasets."""
        members = set(self.tagged[name])
        for ref in refs:
            if ref.id not in self.refs or set(self.same_data_id(ref, iter(members))) - {ref.id}:
                return False
            members.add(ref.id)
        self.tagged[name] = members
        return True

    def certify(self, refs: Sequence[DatasetRef], name: str, span: Timespan) -> bool:
        """Certify datasets."""
        members = set(self.valid[name])
        for ref in refs:
            if ref.id not in self.refs or not ref.type.calibration:
                return False
            overlapping = {(one, other) for one, other in members if other.overlaps(span)}
            same = set(self.same_data_id(ref, iter({one for one, _ in overlapping})))
            if {pair for pair in overlapping if pair[0] in same} - {(ref.id, span)}:
                return False
            members.add((ref.id, span))
        self.valid[name] = members
        return True

    def decertify(self, type_name: str, name: str, span: Timespan, levels: Mapping[str, object]) -> None:
        """Take a range of time out of validity."""
        for one, valid in list(self.valid[name]):
            ref = self.refs[one]
            same = all(ref.data_id[level] == value for level, value in levels.items())
            if ref.type.name == type_name and same and valid.overlaps(span):
                self.valid[name].remove((one, valid))
                self.valid[name] |= {(one, rest) for rest in _outside(valid, span)}

    def remove(self, refs: Sequence[DatasetRef]) -> bool:
        """Remove datasets from everywhere."""
        if any(ref.id not in self.refs or ref.run in self.locked for ref in refs):
            return False
        for one in {ref.id for ref in refs}:
            del self.refs[one], self.places[one]
            for members in self.tagged.values():
                members.discard(one)
            for ranges in self.valid.values():
                ranges -= {pair for pair in ranges if pair[0] == one}
        return True


class RegistryMachine(RuleBasedStateMachine):
    """Does the same to a registry and to the model."""

    def make(self) -> Registry:
        """Give a new registry that `Sky.fill` has filled; the backend says how."""
        raise NotImplementedError

    def read(self, table: str) -> Sequence[Row]:
        """Give all rows of a table of the registry; the backend says how."""
        raise NotImplementedError

    @initialize()
    def fill(self) -> None:
        """Begin with a universe, types and collections."""
        self.sky = Sky(self.make())
        self.model = Model(
            tagged={name: set() for name in TAGS}, valid={name: set() for name in CALIBRATIONS}
        )
        self.known: list[DatasetRef] = []

    def teardown(self) -> None:
        if hasattr(self, "sky"):
            self.sky.registry.close()

    # -- rules -----------------------------------------------------------------------------------------

    @rule(wanted=st.lists(_wanted, min_size=1, max_size=4))
    def insert(self, wanted: list[_Wanted]) -> None:
        """Register new datasets with their bytes."""
        new = [self._new(*one) for one in wanted]
        self.known += [dataset.ref for dataset in new]

        def change(model: Model) -> bool:
            return all(model.insert(one.ref, one.locations[0] if one.locations else None) for one in new)

        self._both(lambda: self.sky.registry.datasets.insert(new), change)

    @rule(
        wanted=st.lists(st.tuples(st.sampled_from(_DATA_IDS), st.sampled_from(RUNS)), min_size=1, max_size=3)
    )
    def declare(self, wanted: list[tuple[tuple[str, dict[str, Any]], str]]) -> None:
        """Declare datasets whose bytes come later."""
        refs = [self.sky.ref(name, run, **data_id) for (name, data_id), run in wanted]
        self.known += refs

        def act() -> None:
            with self.sky.registry.transaction():
                for ref in refs:
                    entry, run = self.sky.entry(ref.type.name), self.sky.collection(ref.run)
                    self.sky.registry.datasets.declare(entry, run, [ref.data_id.row], [ref.id.bytes])

        self._both(act, lambda model: all(model.insert(ref, None) for ref in refs))

    @rule(data=st.data(), part=st.booleans())
    def store(self, data: st.DataObject, *, part: bool) -> None:
        """Give bytes to a dataset that was declared."""
        ref = self._some(data)
        place = _part(ref) if part else location(ref)
        dataset = NewDataset(ref, (place,))
        self._both(lambda: self.sky.registry.datasets.store(dataset), lambda model: model.store(ref, place))

    @rule(data=st.data(), name=st.sampled_from(TAGS))
    def tag_and_store(self, data: st.DataObject, name: str) -> None:
        """Tag, or certify, what is declared, and give it bytes then."""
        ref = self._some(data)
        place, datasets = location(ref), self.sky.registry.datasets
        if ref.type.calibration:
            span = Timespan(20, 30)
            act = partial(datasets.certify, [ref], CALIBRATIONS[0], span)
            self._both(act, lambda model: model.certify([ref], CALIBRATIONS[0], span))
        self._both(lambda: datasets.tag([ref], name), lambda model: model.tag([ref], name))
        self._both(lambda: datasets.store(NewDataset(ref, (place,))), lambda model: model.store(ref, place))

    @rule(data=st.data(), name=st.sampled_from(TAGS))
    def tag(self, data: st.DataObject, name: str) -> None:
        """Tag datasets."""
        refs = self._several(data)
        self._both(lambda: self.sky.registry.datasets.tag(refs, name), lambda model: model.tag(refs, name))

    @rule(data=st.data(), name=st.sampled_from(TAGS))
    def untag(self, data: st.DataObject, name: str) -> None:
        """Untag datasets."""
        refs = self._several(data)
        self.sky.registry.datasets.untag(refs, name)
        self.model.tagged[name] -= {ref.id for ref in refs}

    @rule(data=st.data(), name=st.sampled_from(CALIBRATIONS), begin=_TIMES, end=_TIMES)
    def certify(self, data: st.DataObject, name: str, begin: int | None, end: int | None) -> None:
        """Certify datasets for a range of validity."""
        if begin is not None and end is not None and begin >= end:
            begin, end = end, begin + 1
        refs, span = self._several(data, calibration=True), Timespan(begin, end)
        act = lambda: self.sky.registry.datasets.certify(refs, name, span)  # noqa: E731 - both in one line
        self._both(act, lambda model: model.certify(refs, name, span))

    @rule(
        name=st.sampled_from(CALIBRATIONS),
        begin=_TIMES,
        end=_TIMES,
        wanted=st.sampled_from(
            [("flat", {}), ("flat", {"physical_filter": next(iter(FILTERS))}), ("bias", {})]
        ),
    )
    def decertify(
        self, name: str, begin: int | None, end: int | None, wanted: tuple[str, dict[str, Any]]
    ) -> None:
        """End the validity of datasets."""
        if begin is not None and end is not None and begin >= end:
            begin, end = end, begin + 1
        span, (type_name, levels) = Timespan(begin, end), wanted
        self.sky.registry.datasets.decertify(type_name, name, span, levels)
        self.model.decertify(type_name, name, span, levels)

    @rule(name=st.sampled_from((*TAGS, *CALIBRATIONS)))
    def clear(self, name: str) -> None:
        """Empty a TAGGED or CALIBRATION collection."""
        self.sky.registry.datasets.clear(name)
        (self.model.tagged if name in self.model.tagged else self.model.valid)[name].clear()

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Remove datasets."""
        refs = self._several(data)
        self._both(
            lambda: _nothing(self.sky.registry.datasets.remove(refs)), lambda model: model.remove(refs)
        )

    @rule(name=st.sampled_from(RUNS[1:]), locked=st.booleans())
    def lock(self, name: str, *, locked: bool) -> None:
        """Lock a RUN, or unlock it."""
        self.sky.registry.collections.set_locked(name, locked=locked)
        (self.model.locked.add if locked else self.model.locked.discard)(name)

    @rule(name=st.sampled_from((*TAGS, *CALIBRATIONS)))
    def remove_collection(self, name: str) -> None:
        """Remove it, when it is empty, and make it anew."""
        entry = self.sky.collection(name)

        def act() -> None:
            self.sky.registry.collections.remove(name, unlink=True)
            self.sky.registry.collections.create(entry.collection)

        self._both(act, lambda model: not model.members(name))

    @rule(children=st.lists(st.sampled_from((*RUNS, *TAGS, *CALIBRATIONS))))
    def chain(self, children: list[str]) -> None:
        """Set the members of a chain."""
        self.sky.registry.collections.set_chain("chain", children)
        flat = self.sky.registry.current().flatten(["chain"])
        assert [entry.collection.name for entry in flat] == list(dict.fromkeys(children))

    @rule(wanted=st.lists(_wanted, min_size=1, max_size=3), data=st.data(), nested=st.booleans())
    def undo(self, wanted: list[_Wanted], data: st.DataObject, *, nested: bool) -> None:
        """Do several things in a transaction, or in a nested one, that fails."""
        new, gone = [self._new(*one) for one in wanted], self._several(data)
        registry = self.sky.registry

        def act() -> None:
            registry.collections.set_chain("chain", [])
            registry.datasets.insert(new)
            registry.datasets.tag([one.ref for one in new], TAGS[0])
            registry.datasets.remove(gone)
            registry.records.insert("band", [{"name": "never"}])

        def tried() -> None:
            with suppress(SkyfsError):
                take_back(registry, act)

        with registry.transaction():
            if nested:
                tried()
        tried()
        assert not registry.records.exists(registry.universe.element("band"), ("never",))

    # -- answers and rows ------------------------------------------------------------------------------

    @invariant()
    def answers_agree(self) -> None:
        """Ask the registry what the model knows."""
        if not hasattr(self, "sky"):
            return
        found: dict[str, set[tuple[UUID, Timespan | None]]] = {}
        for _, one in self.sky.everything():
            ref = one.resolved.ref
            assert ref.id in self.model.refs
            place = self.model.places[ref.id]
            assert one.resolved.locations == (() if place is None else (place,))
            assert (ref.data_id, ref.run) == (self.model.refs[ref.id].data_id, self.model.refs[ref.id].run)
            found.setdefault(one.collection, set()).add((ref.id, ref.valid))
        for name in (*RUNS, *TAGS, *CALIBRATIONS):
            assert found.pop(name, set()) == self.model.members(name)
        assert not found

    @invariant()
    def rows_are_sound(self) -> None:
        """Look for rows that break a rule of the schema."""
        if hasattr(self, "sky"):
            assert not violations(self.read, self.sky.registry.universe)

    @invariant()
    def shared_files_are_known(self) -> None:
        """Look for files that hold several datasets."""
        if hasattr(self, "sky"):
            inside = [one for one, place in self.model.places.items() if place and place.key == _SHARED_KEY]
            kept = self.sky.registry.datasets.shared([self.model.refs[one] for one in inside[1:]])
            assert kept == ({("local", _SHARED_KEY)} if len(inside) > 1 else set())

    # -- inside ----------------------------------------------------------------------------------------

    def _new(self, data_id: tuple[str, dict[str, Any]], run: str, kind: str) -> NewDataset:
        ref = self.sky.ref(data_id[0], run, **data_id[1])
        places = {"declared": (), "own": (location(ref),), "part": (_part(ref),)}
        return NewDataset(ref, places[kind])

    def _some(self, data: st.DataObject) -> DatasetRef:
        known = [ref for ref in self.known if self.model.places.get(ref.id, ref) is None] or self.known
        return data.draw(st.sampled_from(known or [self.sky.ref("summary")]))

    def _several(self, data: st.DataObject, *, calibration: bool = False) -> list[DatasetRef]:
        known = [ref for ref in self.known if ref.type.calibration or not calibration]
        # Mostly those that are there.
        known = [ref for ref in known if ref.id in self.model.refs] or known
        return data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=3)) if known else []

    def _both(self, act: Callable[[], None], change: Callable[[Model], bool]) -> None:
        """Do a change, and see that the registry allows it when the model does."""
        model, refused = self.model.copy(), ""
        allowed = change(model)
        try:
            act()
        except SkyfsError as error:
            refused = f"refused: {error}"
        assert (not refused) == allowed, refused or "not refused"
        if allowed:
            self.model = model


def _outside(valid: Timespan, cut: Timespan) -> Iterator[Timespan]:
    """Give what lies before and after a range that is cut out."""
    if cut.begin_ns is not None and (valid.begin_ns is None or valid.begin_ns < cut.begin_ns):
        yield Timespan(valid.begin_ns, cut.begin_ns)
    if cut.end_ns is not None and (valid.end_ns is None or valid.end_ns > cut.end_ns):
        yield Timespan(cut.end_ns, valid.end_ns)


def _part(ref: DatasetRef) -> Location:
    """Give a place in the one file that many datasets share."""
    return location(ref, _SHARED_KEY, part=Part(1, 2880, 2880, 9000), owned=False)


def _nothing(_: object) -> None:
    """Drop what a call gives."""
