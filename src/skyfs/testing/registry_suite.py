"""The conformance suite of registries: every promise, through their public methods alone.

A backend's test file subclasses `RegistrySuite` and gives two fixtures::

    class TestMyRegistry(RegistrySuite):
        @pytest.fixture
        def registry(self):
            "A new registry of the default universe."

        @pytest.fixture
        def reopen(self, registry):
            "A function ``(*, writable) -> Registry`` that opens the same one once more."

`skyfs.testing.registry_machine` does the same at random, and looks at the rows besides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from skyfs.errors import BadDefinition, Conflict, Locked, NotAllowed, NotFound, ReadOnly, StoreError
from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataset import DatasetType
from skyfs.model.timespan import ALWAYS
from skyfs.registry.catalogue import Snapshot
from skyfs.registry.datasets import NewDataset
from skyfs.registry.registry import Registry

from .registry_sky import CALIBRATIONS, CAMERA, RUNS, TAGS, Sky, location, take_back
from .registry_suite_datasets import DatasetSuite
from .registry_suite_lookup import LookupSuite
from .registry_suite_records import RecordSuite
from .statements import statements_run

Reopen = Callable[..., Registry]

_BAD_NAMES = ["", "/", "a/", "/a", "a//b", ".a", "a/.b", "a=b", "a\0b", "x" * 256, "\ud800"]
_ODD_NAMES = ["a", "a/b", "%", "_", "'; --", "☆", "a b", "-", "[x]", "*", "x" * 255, "RUN", "a.b", "~"]


def _says(registry: Registry) -> tuple[object, ...]:
    """Give all collections and types of a registry."""
    snapshot = registry.current()
    types = {name: entry.type for name, entry in snapshot.types.items()}
    return snapshot.version, snapshot.collections, types, snapshot.collection_names


class CatalogueSuite:
    """Collections and dataset types."""

    def test_types_are_registered_once(self, sky: Sky) -> None:
        known = sky.entry("calexp")
        assert sky.registry.collections.register(known.type) == known
        other = DatasetType("calexp", known.group, "Image")
        with pytest.raises(Conflict, match=r"registered as .*Table, asked for .*Image"):
            sky.registry.collections.register(other)
        with pytest.raises(NotFound, match="did you mean calexp"):
            sky.registry.current().type("calxep")

    def test_a_type_comes_back_as_it_was(self, registry: Registry, reopen: Reopen) -> None:
        group = registry.universe.group(["visit", "detector"])
        capture = (("seeing", "header:SEEING"), ("é", "json:/a/b"))
        wanted = DatasetType("x", group, "Table", calibration=True, capture=capture, immutable=False)
        assert registry.collections.register(wanted).type == wanted
        assert reopen(writable=False).current().type("x").type == wanted

    @pytest.mark.parametrize("name", _ODD_NAMES)
    @pytest.mark.parametrize("kind", list(CollectionKind))
    def test_a_collection_comes_back_as_it_was(
        self, registry: Registry, reopen: Reopen, name: str, kind: CollectionKind
    ) -> None:
        wanted = Collection(name, kind, owner="it's me", doc="%s ☆")
        assert registry.collections.create(wanted).collection == wanted
        assert registry.collections.create(Collection(name, kind)).collection == wanted
        assert reopen(writable=True).current().collection(name).collection == wanted

    @pytest.mark.parametrize("name", _BAD_NAMES)
    def test_names_that_paths_cannot_spell_are_refused(self, registry: Registry, name: str) -> None:
        with pytest.raises(BadDefinition):
            registry.collections.create(Collection(name, CollectionKind.RUN))
        assert not registry.current().collections

    def test_a_collection_has_one_kind(self, sky: Sky) -> None:
        for kind in (CollectionKind.TAGGED, CollectionKind.CHAINED, CollectionKind.CALIBRATION):
            with pytest.raises(Conflict, match=f"is RUN, not {kind}"):
                sky.registry.collections.create(Collection(RUNS[0], kind))
        with pytest.raises(Conflict, match="is RUN, not CHAINED"):
            sky.registry.collections.set_chain(RUNS[0], [RUNS[1]])

    def test_chains_nest_and_find_first(self, sky: Sky) -> None:
        chain = sky.registry.collections.set_chain
        chain("inner", [RUNS[1], TAGS[0]])
        chain("outer", [RUNS[0], "inner", RUNS[1], RUNS[0]])
        assert sky.collection("outer").collection.children == (RUNS[0], "inner", RUNS[1])
        flat = sky.registry.current().flatten(["outer", RUNS[0]])
        assert [entry.collection.name for entry in flat] == [RUNS[0], RUNS[1], TAGS[0]]
        assert sky.registry.collections.parents(RUNS[1]) == ("inner", "outer")
        chain("outer", ["inner"])
        assert sky.registry.collections.parents(RUNS[1]) == ("inner",)

    def test_a_chain_may_not_contain_itself(self, sky: Sky) -> None:
        chain = sky.registry.collections.set_chain
        chain("a", [RUNS[0]])
        chain("b", ["a", RUNS[1]])
        for children in (["b"], ["a"], [RUNS[0], "b"]):
            with pytest.raises(BadDefinition, match="contains itself"):
                chain("a", children)
        with pytest.raises(NotFound, match="no collection 'nowhere'"):
            chain("c", [RUNS[0], "nowhere"])
        assert sky.collection("a").collection.children == (RUNS[0],)
        assert "c" not in sky.registry.current().collections

    def test_a_chain_is_created_with_its_children(self, sky: Sky) -> None:
        made = sky.registry.collections.create(Collection("c", CollectionKind.CHAINED, RUNS))
        assert made.collection.children == RUNS

    def test_what_cannot_be_removed_stays(self, sky: Sky) -> None:
        remove = sky.registry.collections.remove
        sky.registry.collections.set_chain("chain", [RUNS[0], TAGS[0]])
        with pytest.raises(NotAllowed, match="in the chain 'chain'"):
            remove(RUNS[0])
        sky.declare("bias", RUNS[0], detector=0)
        with pytest.raises(NotAllowed, match="datasets are in it"):
            remove(RUNS[0], unlink=True)
        sky.registry.collections.set_locked(RUNS[1], locked=True)
        with pytest.raises(Locked):
            remove(RUNS[1])
        remove(TAGS[0], unlink=True)
        assert sky.collection("chain").collection.children == (RUNS[0],)
        remove("chain")
        with pytest.raises(NotFound, match="no collection 'chain'"):
            remove("chain")
        with pytest.raises(NotAllowed, match="only a RUN can be locked"):
            sky.registry.collections.set_locked(TAGS[1], locked=True)

    def test_a_collection_may_be_made_again_as_another_kind(self, sky: Sky) -> None:
        sky.registry.collections.remove(TAGS[0])
        sky.registry.collections.create(Collection(TAGS[0], CollectionKind.CALIBRATION))
        sky.registry.datasets.certify([sky.put("bias", detector=0)], TAGS[0], ALWAYS)
        assert len(sky.found("bias", [TAGS[0]])) == 1


class TransactionSuite:
    """All or nothing, and what others see."""

    def test_nothing_is_left_of_a_failed_transaction(self, sky: Sky) -> None:
        registry, before = sky.registry, sky.registry.current()

        def act() -> None:
            self._change_all(sky)
            assert sky.found("new", ["u/new"])

        take_back(registry, act)
        assert registry.current() == before
        assert not list(sky.everything())
        self._change_all(sky)
        assert sky.found("new", ["u/new"])

    def test_a_nested_failure_leaves_the_rest(self, sky: Sky) -> None:
        registry = sky.registry
        with registry.transaction():
            kept = sky.put("bias", detector=0)
            registry.collections.create(Collection("kept", CollectionKind.TAGGED))
            take_back(registry, lambda: self._change_all(sky))
            assert "new" not in registry.current().types
            registry.datasets.tag([kept], "kept")
            with registry.transaction():
                more = sky.put("bias", detector=1)
        assert {one.resolved.ref.id for _, one in sky.everything()} == {kept.id, more.id}
        assert sky.ids("bias", ["kept"]) == [kept.id]
        assert set(registry.current().collections) == {*RUNS, *TAGS, *CALIBRATIONS, "kept"}

    @pytest.mark.parametrize("later", [1, 2, 3, 4])
    def test_a_nested_failure_is_no_version_of_the_catalogue(
        self, sky: Sky, reopen: Reopen, later: int
    ) -> None:
        """However many changes of others come later: none is taken for the one that failed."""
        registry, other = sky.registry, reopen(writable=True)
        with registry.transaction():
            take_back(registry, lambda: registry.collections.set_chain("never", [RUNS[0]]))
            assert "never" not in registry.current().collections
        names = {f"other/{number}" for number in range(later)}
        for name in names:
            other.collections.create(Collection(name, CollectionKind.RUN))
        assert names <= set(registry.current().collections)

    def test_other_dimensions_after_a_failure(self, sky: Sky) -> None:
        """What failed has taken a number; another group of dimensions gets it."""
        registry = sky.registry
        one, other = (
            registry.universe.group(["skymap"]),
            registry.universe.group(["visit", "physical_filter"]),
        )

        def act() -> None:
            registry.collections.register(DatasetType("x", one, "Table"))
            registry.records.insert("skymap", [{"name": "s", "hash": b"1"}])
            sky.put("x", skymap="s")
            assert sky.found("x", [RUNS[0]])

        take_back(registry, act)
        registry.collections.register(DatasetType("x", other, "Table"))
        ref = sky.put("x", visit=1, physical_filter="g-1")
        assert [found.resolved.ref for found in sky.found("x", [RUNS[0]])] == [ref]

    def test_folders_after_a_failure(self, sky: Sky) -> None:
        """A failed transaction has made numbers for folders; others get them."""
        for folder, run, fails in (
            ("one", 1, True),
            ("two", 0, True),
            ("three", 1, False),
            ("two", 0, False),
        ):
            ref = sky.ref("bias", RUNS[run], detector=0)
            place = location(ref, f"{folder}/x")

            def act(new: NewDataset) -> None:
                sky.registry.datasets.insert([new])
                found = sky.by_id(new.ref)
                assert found is not None
                assert found.locations == new.locations

            new = NewDataset(ref, (place,))
            if fails:
                take_back(sky.registry, partial(act, new))
            else:
                act(new)

    def test_others_see_a_transaction_when_it_is_committed(self, sky: Sky, reopen: Reopen) -> None:
        readers = [Sky(reopen(writable=False)), Sky(reopen(writable=True))]
        for reader in readers:
            assert not list(reader.everything())
        with sky.registry.transaction():
            self._change_all(sky)
            assert sky.found("new", ["u/new"])
            for reader in readers:
                assert "new" not in reader.registry.current().types
                assert not list(reader.everything())
        for reader in [*readers, Sky(reopen(writable=False))]:
            assert len(reader.found("new", ["u/new"])) == 1
            assert _says(reader.registry) == _says(sky.registry)

    def test_the_state_is_another_one_after_each_commit(self, sky: Sky, reopen: Reopen) -> None:
        other = reopen(writable=False)
        seen = [other.state().token]
        for detector in (0, 1, 20):
            with sky.registry.transaction():
                sky.put("bias", detector=detector)
                # What is not committed is nobody else's.
                assert other.state().token == seen[-1]
            seen.append(other.state().token)
            assert seen[-1] not in seen[:-1]
            assert list(sky.everything())
            assert other.state().token == seen[-1]

    def test_each_sees_what_the_other_has_done(self, sky: Sky, reopen: Reopen) -> None:
        other, reader = Sky(reopen(writable=True)), Sky(reopen(writable=False))
        pairs = [(sky, other), (other, sky)]
        for number, (one, two) in enumerate(pairs * 3):
            name = f"u/{number}"
            one.registry.collections.create(Collection(name, CollectionKind.RUN))
            two.registry.collections.set_locked(name, locked=True)
            assert one.collection(name).collection.locked
            two.registry.collections.set_locked(name, locked=False)
            one.registry.records.insert("detector", [{"instrument": CAMERA, "id": 100 + number}])
            two.put("bias", name, detector=100 + number)
            for reading in (one, two, reader):
                assert len(reading.found("bias", [name])) == 1
                assert _says(reading.registry) == _says(sky.registry)
            one.registry.datasets.remove([found.resolved.ref for found in one.found("bias", [name])])
            two.registry.collections.remove(name)
            for reading in (one, two, reader):
                assert name not in reading.registry.current().collections

    def test_a_snapshot_is_read_only_when_something_has_changed(
        self, sky: Sky, reopen: Reopen, statements: list[str]
    ) -> None:
        for registry in (sky.registry, reopen(writable=False)):
            first = registry.current()
            statements.clear()
            assert all(registry.current() is first for _ in range(10))
            assert not statements

    def test_a_reader_cannot_write(self, sky: Sky, reopen: Reopen) -> None:
        reader = reopen(writable=False)
        ref = sky.put("bias", detector=0)
        acts: list[Callable[[], object]] = [
            lambda: reader.datasets.remove([ref]),
            lambda: reader.collections.create(Collection("x", CollectionKind.RUN)),
            lambda: reader.records.insert("band", [{"name": "z"}]),
            lambda: reader.transaction().__enter__(),
        ]
        for act in acts:
            with pytest.raises(ReadOnly, match="opened for reading"):
                act()

    def test_writing_needs_a_transaction_that_is_open(self, sky: Sky) -> None:
        with pytest.raises(StoreError, match="outside of a transaction"):
            sky.registry.data_ids._records._database.forget_version()  # noqa: SLF001 - there is no other way

    def test_threads_read_and_write_beside_one_another(self, sky: Sky) -> None:
        errors: list[BaseException] = []
        barrier = threading.Barrier(4)

        def work(number: int) -> None:
            try:
                barrier.wait()
                for count in range(10):
                    name = f"thread/{number}/{count}"
                    with sky.registry.transaction():
                        sky.registry.collections.create(Collection(name, CollectionKind.RUN))
                        sky.put("bias", name, detector=0)
                        sky.put("bias", name, detector=1)
                    # Another thread's transaction may be open: it must not show.
                    everything = list(sky.everything())
                    assert len(everything) % 2 == 0
                    assert len(sky.found("bias", [name])) == 2
            except BaseException as error:  # noqa: BLE001 - given to the test
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len(list(sky.everything())) == 80

    def _change_all(self, sky: Sky) -> None:
        """Change something of every kind."""
        registry = sky.registry
        group = registry.universe.group(["visit", "physical_filter"])
        registry.collections.register(DatasetType("new", group, "Table"))
        registry.collections.create(Collection("u/new", CollectionKind.RUN))
        registry.collections.set_chain("chain/new", ["u/new"])
        registry.records.insert("physical_filter", [{"instrument": CAMERA, "name": "z-9", "band": "z"}])
        visit = {"instrument": CAMERA, "id": 77, "physical_filter": "z-9", "day_obs": 20260101}
        registry.records.insert("visit", [visit])
        sky.put("new", "u/new", visit=77, physical_filter="z-9")
        registry.datasets.tag([sky.put("bias", "u/new", detector=20)], TAGS[1])


class RegistrySuite(CatalogueSuite, RecordSuite, DatasetSuite, LookupSuite, TransactionSuite):
    """All that a registry promises."""

    @pytest.fixture
    def registry(self) -> Registry:
        """Give a new registry; the backend says how."""
        raise NotImplementedError

    @pytest.fixture
    def reopen(self, registry: Registry) -> Reopen:
        """Give a function that opens the same registry once more; the backend says how."""
        raise NotImplementedError

    @pytest.fixture
    def sky(self, registry: Registry) -> Sky:
        """Give the registry with records, types and collections."""
        return Sky.fill(registry)

    @pytest.fixture
    def statements(self) -> Iterator[list[str]]:
        """Give a list that grows by each statement from now on."""
        with statements_run() as seen:
            yield seen

    def test_a_snapshot_names_what_it_holds(self, sky: Sky) -> None:
        snapshot: Snapshot = sky.registry.current()
        for name, entry in snapshot.collections.items():
            assert snapshot.collection_names[entry.id] == name == entry.collection.name
        for name, found in snapshot.types.items():
            assert snapshot.types_by_id[found.id] is found is snapshot.type(name)
