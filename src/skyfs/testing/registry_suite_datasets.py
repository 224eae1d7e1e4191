"""What every registry promises about changes to datasets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from skyfs.errors import Conflict, Exists, Locked, NotAllowed, NotFound
from skyfs.model.dataset import DatasetRef, DatasetType, Part
from skyfs.model.ids import new_ids
from skyfs.model.timespan import ALWAYS, Timespan
from skyfs.registry.captured import Values
from skyfs.registry.datasets import NewDataset

from .registry_sky import (
    CALIBRATIONS,
    CAMERA,
    DETECTORS,
    RUNS,
    TAGS,
    VISITS,
    Sky,
    location,
    stored,
    take_back,
)

RUN, TAG, CALIBRATION = RUNS[0], TAGS[0], CALIBRATIONS[0]


class DatasetSuite:
    """Inserting, tagging, certifying and removing."""

    # -- insert ----------------------------------------------------------------------------------------

    def test_a_dataset_comes_back_as_it_was(self, sky: Sky) -> None:
        ref = sky.ref("calexp", visit=1, detector=20)
        places = (location(ref), location(ref, "in/place/x.fits", owned=False))
        sky.registry.datasets.insert([NewDataset(ref, places, (UUID(int=1), UUID(int=1)))])
        found = sky.by_id(ref)
        assert found is not None
        assert (found.ref, found.locations) == (ref, places)
        assert found.ref.data_id.levels == ref.data_id.levels
        assert [one.resolved for one in sky.found("calexp", [RUN])] == [found]

    @pytest.mark.parametrize("first", ["put", "declare"])
    @pytest.mark.parametrize("second", ["put", "declare"])
    def test_one_data_id_is_once_in_a_run(self, sky: Sky, first: str, second: str) -> None:
        ref = getattr(sky, first)("calexp", visit=1, detector=0)
        with pytest.raises(Exists, match="it is there already"):
            getattr(sky, second)("calexp", visit=1, detector=0)
        assert sky.ids("calexp", [RUN], declared=True) == [ref.id]
        assert getattr(sky, second)("calexp", RUNS[1], visit=1, detector=0)

    def test_all_are_inserted_or_none(self, sky: Sky) -> None:
        sky.put("calexp", visit=2, detector=1)
        new = [sky.ref("calexp", visit=visit, detector=1) for visit in (1, 2, 10)]
        for datasets in ([stored(ref) for ref in new], [NewDataset(ref) for ref in new]):
            with pytest.raises(Exists, match="visit: 2, detector: 1"):
                sky.registry.datasets.insert(datasets)
        with pytest.raises(Exists, match="given twice"):
            sky.registry.datasets.insert([stored(sky.ref("src", visit=1, detector=0)) for _ in range(2)])
        assert len(list(sky.everything())) == 1

    @pytest.mark.parametrize("first", ["put", "declare"])
    @pytest.mark.parametrize("second", ["put", "declare"])
    def test_one_data_id_among_many(self, sky: Sky, first: str, second: str) -> None:
        """Many rows take another way than few."""
        numbers = range(100, 150)
        sky.registry.records.insert("detector", [{"instrument": CAMERA, "id": number} for number in numbers])
        getattr(sky, first)("bias", detector=120)
        refs = [sky.ref("bias", detector=number) for number in numbers]
        new = [stored(ref) if second == "put" else NewDataset(ref) for ref in refs]
        with pytest.raises(Exists, match="detector: 120"):
            sky.registry.datasets.insert(new)
        assert len(list(sky.everything())) == 1
        beside = [dataset for dataset in new if dataset.ref.data_id["detector"] != 120]
        sky.registry.datasets.insert(beside)
        sky.registry.datasets.tag([dataset.ref for dataset in beside], TAG)
        sky.registry.datasets.tag([dataset.ref for dataset in beside], TAG)
        assert len(list(sky.everything())) == 99

    def test_an_id_is_taken_once(self, sky: Sky) -> None:
        ref = sky.put("calexp", visit=1, detector=0)
        beside = stored(sky.ref("src", visit=1, detector=1))
        taken = stored(sky.ref("src", uuid=ref.id, visit=1, detector=0))
        with pytest.raises(Conflict, match=f"{ref.id}.*taken"):
            sky.registry.datasets.insert([beside, taken])
        twice = [stored(sky.ref("src", uuid=UUID(int=5), visit=1, detector=number)) for number in (0, 1)]
        with pytest.raises(Conflict, match="given twice"):
            sky.registry.datasets.insert(twice)
        with pytest.raises(Exists, match="it is there already"):
            sky.registry.datasets.insert([stored(ref)])
        assert len(list(sky.everything())) == 1

    def test_only_an_unlocked_run_is_written_to(self, sky: Sky) -> None:
        ref = sky.put("calexp", visit=1, detector=0)
        later = sky.declare("calexp", visit=1, detector=1)
        sky.registry.collections.set_locked(RUN, locked=True)
        datasets = sky.registry.datasets
        rows = [sky.ref("calexp", visit=2, detector=0).data_id.row]
        refused: list[Callable[[], object]] = [
            lambda: sky.put("calexp", visit=2, detector=0),
            lambda: datasets.declare(sky.entry("calexp"), sky.collection(RUN), rows, new_ids(1)),
            lambda: datasets.store(stored(later)),
            lambda: datasets.remove([ref]),
        ]
        for act in refused:
            with pytest.raises(Locked):
                act()
        for name in (TAG, CALIBRATION):
            with pytest.raises(NotAllowed, match="datasets are written to a RUN"):
                sky.put("calexp", name, visit=1, detector=0)
        assert len(list(sky.everything())) == 2

    def test_many_are_declared_in_pieces_of_one_transaction(self, sky: Sky) -> None:
        entry, run = sky.entry("calexp"), sky.collection(RUN)
        rows = [(CAMERA, VISITS[visit], visit, detector) for visit in VISITS for detector in DETECTORS]

        def declare() -> None:
            for row in rows:
                sky.registry.datasets.declare(entry, run, [row], new_ids(1))
            assert len(sky.ids("calexp", [RUN], declared=True)) == len(rows)

        take_back(sky.registry, declare)
        assert not sky.ids("calexp", [RUN], declared=True)
        with sky.registry.transaction():
            declare()
        assert [one.resolved.ref.data_id.row for one in sky.found("calexp", [RUN], declared=True)] == rows

    # -- declared --------------------------------------------------------------------------------------

    def test_declared_datasets_are_found_when_asked_for(self, sky: Sky) -> None:
        ref = sky.declare("calexp", visit=1, detector=0)
        assert sky.ids("calexp", [RUN]) == []
        assert sky.ids("calexp", [RUN], declared=True) == [ref.id]
        by_id = sky.by_id(ref)
        assert by_id is not None
        assert by_id.locations == ()

    def test_bytes_make_all_memberships_visible(self, sky: Sky) -> None:
        ref, other = sky.declare("flat", detector=0, physical_filter="g-1"), sky.declare("bias", detector=0)
        everywhere = [RUN, TAG, CALIBRATION]
        sky.registry.datasets.tag([ref, other], TAG)
        for span in (Timespan(0, 5), Timespan(5, 9)):
            sky.registry.datasets.certify([ref], CALIBRATION, span)
        assert not sky.found("flat", everywhere)
        sky.registry.datasets.store(stored(ref))
        found = [(one.collection, one.resolved.ref.valid) for one in sky.found("flat", everywhere)]
        spans = [(CALIBRATION, Timespan(0, 5)), (CALIBRATION, Timespan(5, 9))]
        assert sorted(found, key=str) == sorted([(RUN, None), (TAG, None), *spans], key=str)
        assert not sky.found("bias", everywhere)

    def test_bytes_are_given_once(self, sky: Sky) -> None:
        ref = sky.declare("bias", detector=0)
        sky.registry.datasets.store(stored(ref))
        with pytest.raises(Exists, match="it has bytes already"):
            sky.registry.datasets.store(stored(ref))
        with pytest.raises(Exists, match="it has bytes already"):
            sky.registry.datasets.store(stored(sky.put("bias", detector=1)))
        sky.registry.datasets.remove([ref])
        with pytest.raises(Conflict, match="removed meanwhile"):
            sky.registry.datasets.store(stored(ref))

    # -- tagged ----------------------------------------------------------------------------------------

    def test_tags_are_idempotent_and_exclusive(self, sky: Sky) -> None:
        ref, twin = sky.put("bias", detector=0), sky.put("bias", RUNS[1], detector=0)
        other = sky.put("bias", RUNS[1], detector=1)
        sky.registry.datasets.tag([ref, ref], TAG)
        sky.registry.datasets.tag([other, ref], TAG)
        for refs in ([twin], [sky.put("bias", detector=20), twin]):
            with pytest.raises(Conflict, match="another dataset has the data ID"):
                sky.registry.datasets.tag(refs, TAG)
        with pytest.raises(Conflict, match="several bias"):
            sky.registry.datasets.tag([ref, twin], TAGS[1])
        assert sky.ids("bias", [TAG]) == [ref.id, other.id]
        sky.registry.datasets.untag([ref, twin], TAG)
        assert sky.ids("bias", [TAG]) == [other.id]
        assert set(sky.ids("bias", RUNS)) >= {ref.id, twin.id}

    def test_collections_take_what_their_kind_takes(self, sky: Sky) -> None:
        ref = sky.put("bias", detector=0)
        for name in (RUN, CALIBRATION):
            with pytest.raises(NotAllowed, match="name a TAGGED collection"):
                sky.registry.datasets.tag([ref], name)
        with pytest.raises(NotAllowed, match="name a CALIBRATION collection"):
            sky.registry.datasets.certify([ref], TAG, ALWAYS)
        with pytest.raises(NotAllowed, match="no calibration type"):
            sky.registry.datasets.certify([sky.put("calexp", visit=1, detector=0)], CALIBRATION, ALWAYS)
        with pytest.raises(NotFound, match=f"did you mean {TAG}"):
            sky.registry.datasets.tag([ref], f"{TAG}x")
        with pytest.raises(NotAllowed, match="it is a RUN"):
            sky.registry.datasets.clear(RUN)

    def test_a_reference_must_be_of_the_dataset(self, sky: Sky) -> None:
        ref, other = sky.put("bias", detector=0), sky.put("bias", detector=1)
        wrong = [
            DatasetRef(ref.id, ref.type, other.data_id, ref.run),
            DatasetRef(ref.id, ref.type, ref.data_id, RUNS[1]),
            DatasetRef(ref.id, sky.entry("flat").type, ref.data_id, ref.run),
            DatasetRef(UUID(int=9), ref.type, ref.data_id, ref.run),
        ]
        for one in wrong:
            for act in (lambda refs: sky.registry.datasets.tag(refs, TAG), sky.registry.datasets.remove):
                with pytest.raises(Conflict, match="look it up again"):
                    act([one])
        assert len(list(sky.everything())) == 2

    # -- validity --------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("first", "second", "allowed"),
        [
            ((0, 5), (5, 9), True),
            ((5, 9), (0, 5), True),
            ((0, 5), (4, 9), False),
            ((0, 9), (3, 4), False),
            ((3, 4), (0, 9), False),
            ((None, None), (3, 4), False),
            ((None, 3), (3, None), True),
            ((None, 4), (3, None), False),
            ((3, None), (None, 3), True),
            ((3, None), (9, None), False),
            ((None, 3), (None, 1), False),
        ],
    )
    @pytest.mark.parametrize("same", [True, False])
    def test_ranges_of_one_data_id_do_not_overlap(
        self,
        sky: Sky,
        first: tuple[int | None, int | None],
        second: tuple[int | None, int | None],
        allowed: bool,  # noqa: FBT001 - a parameter of the test
        same: bool,  # noqa: FBT001
    ) -> None:
        ref, beside = sky.put("bias", detector=0), sky.put("bias", detector=1)
        other = ref if same else sky.put("bias", RUNS[1], detector=0)
        certify = sky.registry.datasets.certify
        certify([ref], CALIBRATION, Timespan(*first))
        if allowed:
            certify([beside, other], CALIBRATION, Timespan(*second))
            spans = {one.resolved.ref.valid for one in sky.found("bias", [CALIBRATION], detector=0)}
            assert spans == {Timespan(*first), Timespan(*second)}
        else:
            with pytest.raises(Conflict, match="overlapping"):
                certify([beside, other], CALIBRATION, Timespan(*second))
            assert len(sky.found("bias", [CALIBRATION])) == 1

    def test_the_same_range_again_is_no_change(self, sky: Sky) -> None:
        ref = sky.put("bias", detector=0)
        for _ in range(2):
            sky.registry.datasets.certify([ref, ref], CALIBRATION, Timespan(1, 2))
        assert len(sky.found("bias", [CALIBRATION])) == 1
        with pytest.raises(Conflict, match="overlapping"):
            sky.registry.datasets.certify([sky.put("bias", RUNS[1], detector=0)], CALIBRATION, Timespan(1, 2))

    @pytest.mark.parametrize(
        ("certified", "cut", "left"),
        [
            ((0, 9), (3, 5), [(0, 3), (5, 9)]),
            ((0, 9), (0, 5), [(5, 9)]),
            ((0, 9), (5, 20), [(0, 5)]),
            ((0, 9), (0, 9), []),
            ((0, 9), (None, None), []),
            ((0, 9), (9, 12), [(0, 9)]),
            ((3, 9), (None, 3), [(3, 9)]),
            ((None, None), (3, 5), [(None, 3), (5, None)]),
            ((None, 5), (None, 3), [(3, 5)]),
            ((5, None), (7, None), [(5, 7)]),
        ],
    )
    def test_decertified_ranges_are_cut(
        self,
        sky: Sky,
        certified: tuple[int | None, int | None],
        cut: tuple[int | None, int | None],
        left: list[tuple[int | None, int | None]],
    ) -> None:
        ref, other = sky.put("bias", detector=0), sky.put("bias", detector=1)
        for one in (ref, other):
            sky.registry.datasets.certify([one], CALIBRATION, Timespan(*certified))
        number = sky.registry.datasets.decertify("bias", CALIBRATION, Timespan(*cut), {"detector": 0})
        assert number == (left != [certified])
        found = {one.resolved.ref.valid for one in sky.found("bias", [CALIBRATION], detector=0)}
        assert found == {Timespan(*span) for span in left}
        (beside,) = sky.found("bias", [CALIBRATION], detector=1)
        assert beside.resolved.ref.valid == Timespan(*certified)
        # What was cut out is free for another one.
        again = sky.put("bias", RUNS[1], detector=0)
        if number:
            sky.registry.datasets.certify([again], CALIBRATION, _met(Timespan(*certified), Timespan(*cut)))

    def test_decertified_of_all_data_ids_declared_ones_too(self, sky: Sky) -> None:
        refs = [sky.put("bias", detector=0), sky.declare("bias", detector=1)]
        flat = sky.put("flat", detector=0, physical_filter="g-1")
        sky.registry.datasets.certify([*refs, flat], CALIBRATION, Timespan(0, 9))
        assert sky.registry.datasets.decertify("bias", CALIBRATION, Timespan(3, 20), {}) == 2
        spans = {one.resolved.ref.valid for one in sky.found("bias", [CALIBRATION], declared=True)}
        assert spans == {Timespan(0, 3)}
        assert len(sky.found("bias", [CALIBRATION])) == 1
        assert sky.registry.datasets.decertify("bias", CALIBRATION, ALWAYS, {}) == 2
        (kept,) = sky.found("flat", [CALIBRATION])
        assert kept.resolved.ref.valid == Timespan(0, 9)
        assert sky.registry.datasets.decertify("flat", CALIBRATION, ALWAYS, {}) == 1
        sky.registry.collections.remove(CALIBRATION)
        assert len(sky.ids("bias", [RUN], declared=True)) == 2

    def test_only_calibrations_are_decertified(self, sky: Sky) -> None:
        for name in (RUN, TAG):
            with pytest.raises(NotAllowed, match="name a CALIBRATION collection"):
                sky.registry.datasets.decertify("bias", name, ALWAYS, {})
        with pytest.raises(NotFound, match="no dataset type"):
            sky.registry.datasets.decertify("bais", CALIBRATION, ALWAYS, {})

    # -- captured --------------------------------------------------------------------------------------

    def test_captured_values_are_kept_and_go_with_the_dataset(self, sky: Sky) -> None:
        group = sky.registry.universe.group(["detector"])
        captured = DatasetType("captured", group, "Dict", capture=(("a", "json:/a"),))
        sky.registry.collections.register(captured)
        texts: Values = [("b", "x'"), ("e", "")]
        flags: Values = [("c", True), ("f", False)]
        numbers: Values = [("a", 2.5), ("d", -(2**63)), ("g", 0.1 + 0.2), ("h", 1e300), ("i", 5e-324)]
        values: Values = [*texts, *flags, *numbers, ("j", 2**63 - 1)]
        refs = [sky.ref("captured", detector=number) for number in (0, 1)]
        new = [NewDataset(refs[0], (location(refs[0]),), (), values), NewDataset(refs[1])]
        sky.registry.datasets.insert(new)
        found = sky.registry.captured.of(refs[0].id)
        assert found == dict(values)
        assert [type(found[name]) for name, _ in values] == [type(value) for _, value in values]
        assert sky.registry.captured.of(refs[1].id) == {}
        later = NewDataset(refs[1], (location(refs[1]),), (), [("a", 7)])
        sky.registry.datasets.store(later)
        assert sky.registry.captured.of(refs[1].id) == {"a": 7}
        sky.registry.datasets.remove([refs[0]])
        assert sky.registry.captured.of(refs[0].id) == {}
        sky.registry.datasets.insert([NewDataset(refs[0], (location(refs[0]),))])
        assert sky.registry.captured.of(refs[0].id) == {}

    # -- remove ----------------------------------------------------------------------------------------

    def test_a_removed_dataset_is_nowhere(self, sky: Sky) -> None:
        ref, other = sky.put("bias", detector=0), sky.put("bias", detector=1)
        sky.registry.datasets.tag([ref, other], TAG)
        sky.registry.datasets.certify([ref, other], CALIBRATION, ALWAYS)
        assert sky.registry.datasets.remove([ref, ref]) == [ref.id]
        assert sky.by_id(ref) is None
        for name in (RUN, TAG, CALIBRATION):
            assert sky.ids("bias", [name]) == [other.id]
        for name in (RUN, TAG, CALIBRATION):
            with pytest.raises(NotAllowed, match="datasets are in it"):
                sky.registry.collections.remove(name)
        sky.registry.datasets.remove([other])
        for name in (RUN, TAG, CALIBRATION):
            sky.registry.collections.remove(name)

    def test_clear_takes_all_out(self, sky: Sky) -> None:
        refs = [sky.put("bias", detector=0), sky.declare("flat", detector=0, physical_filter="g-1")]
        sky.registry.datasets.tag(refs, TAG)
        sky.registry.datasets.certify(refs, CALIBRATION, ALWAYS)
        for name in (TAG, CALIBRATION):
            sky.registry.datasets.clear(name)
            sky.registry.collections.remove(name)
        assert len(sky.ids("bias", [RUN])) == 1

    def test_an_id_may_be_used_again(self, sky: Sky) -> None:
        ref = sky.put("bias", detector=0)
        sky.registry.datasets.remove([ref])
        sky.registry.datasets.insert([stored(ref)])
        assert sky.ids("bias", [RUN]) == [ref.id]

    # -- files -----------------------------------------------------------------------------------------

    def test_many_datasets_in_a_file(self, sky: Sky) -> None:
        key = "in/place/it's a 100% _file_.fits"
        refs = [sky.ref("calexp", visit=1, detector=number) for number in DETECTORS]
        parts = [
            NewDataset(ref, (location(ref, key, part=Part(hdu, 2880, 8640 * hdu, 99_000, b"f" * 32)),))
            for hdu, ref in enumerate(refs, 1)
        ]
        # Not all at once: the file is found again.
        sky.registry.datasets.insert(parts[:2])
        sky.registry.datasets.insert(parts[2:])
        found = [one.resolved for one in sky.found("calexp", [RUN])]
        assert [(one.ref.id, one.locations) for one in found] == [
            (one.ref.id, one.locations) for one in parts
        ]
        everything: Sequence[tuple[list[DatasetRef], bool]] = [(refs, False), (refs[:2], True), ([], False)]
        for some, kept in everything:
            assert sky.registry.datasets.shared(some) == ({("local", key)} if kept else set())
        sky.registry.datasets.remove(refs[:2])
        assert sky.registry.datasets.shared(refs[2:]) == set()
        held = [
            sky.holds(key),
            sky.holds(key, "other"),
            sky.holds(f"{key}x"),
            sky.holds(key.replace("a ", "")),
        ]
        assert held == [True, False, False, False]
        sky.registry.datasets.remove(refs[2:])
        assert not sky.holds(key)

    def test_many_are_looked_for_by_their_values(self, sky: Sky) -> None:
        ref, declared = sky.put("bias", detector=0), sky.declare("bias", detector=1)
        elsewhere = sky.put("bias", run="u/b", detector=20)
        rows = [(CAMERA, number) for number in (20, 1, 0, 7, *range(100, 400), 0)]
        entry, snapshot = sky.entry("bias"), sky.registry.current()
        found = sky.registry.lookup.members(snapshot, entry, sky.collection(RUN), rows)
        assert {row: one.ref.id for row, one in found.items()} == {
            (CAMERA, 0): ref.id,
            (CAMERA, 1): declared.id,
        }
        assert found[CAMERA, 0] == sky.by_id(ref)
        assert found[CAMERA, 1].locations == ()
        other = sky.registry.lookup.members(snapshot, entry, sky.collection("u/b"), rows)
        assert [one.ref.id for one in other.values()] == [elsewhere.id]
        assert sky.registry.lookup.members(snapshot, entry, sky.collection(RUN), []) == {}

    def test_a_file_with_an_own_name_is_not_shared(self, sky: Sky) -> None:
        refs = [sky.put("bias", detector=number) for number in DETECTORS]
        assert sky.registry.datasets.shared(refs[:1]) == set()

    def test_whether_a_key_is_held(self, sky: Sky) -> None:
        ref, declared = sky.put("bias", detector=0), sky.declare("bias", detector=1)
        marked = sky.ref("bias", detector=20)
        key = f"u/a/bias/instrument=Cam/detector=20=={marked.id.hex}.parquet"
        sky.registry.datasets.insert([NewDataset(marked, (location(marked, key),))])
        sky.registry.collections.set_locked(RUN, locked=True)
        own = location(ref).key
        assert sky.holds(own)
        assert sky.holds(key)
        odd = [
            "",
            "/",
            "a",
            "a//b",
            "..",
            "=",
            "%",
            "a=b",
            own + "x",
            own.replace("detector=0", "detector=x"),
        ]
        odd += [
            own.replace("/detector=0", ""),
            own.replace("u/a", "u/z"),
            location(declared).key,
            key.replace("20==", "1=="),
        ]
        assert [name for name in odd if sky.holds(name)] == []
        assert not sky.holds(own, "other")

    def test_values_of_every_kind_are_bound(self, sky: Sky) -> None:
        odd = [
            "'; DROP TABLE dataset; --",
            "%_\\*?[x]",
            "☆ 星 \u202e",
            "a" * 4_000,
            "==" + "0" * 32,
            ".x",
            "a/b=c",
            " ",
        ]
        records = [{"instrument": CAMERA, "name": name, "band": "g"} for name in odd]
        sky.registry.records.insert("physical_filter", records)
        for name in odd:
            ref = sky.ref("flat", detector=0, physical_filter=name)
            sky.registry.datasets.insert([NewDataset(ref, (location(ref, f"dir '{name[:99]}/{name[:99]}"),))])
            (found,) = sky.found("flat", [RUN], physical_filter=name, detector=0)
            assert found.resolved.ref == ref
            assert found.resolved.locations[0].key == f"dir '{name[:99]}/{name[:99]}"
            assert sky.by_id(ref) == found.resolved
        found_all = sky.found("flat", [RUN], detector=0)
        assert [one.resolved.ref.data_id["physical_filter"] for one in found_all] == sorted(odd)


def _met(first: Timespan, second: Timespan) -> Timespan:
    """Give what two ranges have in common."""
    begins = [one.begin_ns for one in (first, second) if one.begin_ns is not None]
    ends = [one.end_ns for one in (first, second) if one.end_ns is not None]
    return Timespan(max(begins, default=None), min(ends, default=None))
