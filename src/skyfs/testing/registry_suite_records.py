"""What every registry promises about records and data IDs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from lsst.sphgeom import Circle, LonLat, Region, UnitVector3d

from skyfs.errors import BadArgument, BadDataId, BadDefinition, Conflict, NotFound, SkyfsError
from skyfs.model.timespan import Timespan
from skyfs.registry.registry import Registry

from .registry_sky import CAMERA, DAYS, VISITS, Sky, take_back, visit_record


def _visit(registry: Registry, visit: int = 1) -> dict[str, object]:
    return next(registry.records.select("visit", {"visit": visit}))


class RecordSuite:
    """Records and data IDs."""

    # -- records ---------------------------------------------------------------------------------------

    def test_equal_records_again_are_no_change(self, sky: Sky) -> None:
        again = [visit_record(visit) for visit in (*VISITS, 12)]
        assert sky.registry.records.insert("visit", again) == 1
        assert sky.registry.records.insert("visit", [*again, *again]) == 0

    def test_a_record_gives_back_what_was_given(self, sky: Sky) -> None:
        region = Circle(UnitVector3d(LonLat.fromDegrees(10.0, -5.0)))
        more = {
            "exposure_time": 30,
            "target_name": "M 31 ☆ 'quoted\" %_\\",
            "seq_num": 2**63 - 1,
            "name": "v12",
        }
        sky.registry.records.insert("visit", [visit_record(12, region=region, **more)])
        found = _visit(sky.registry, 12)
        assert {name: found[name] for name in more} == {**more, "exposure_time": 30.0}
        assert found["id"] == 12
        assert "visit" not in found
        assert found["timespan"] == Timespan(12 * 10**9, 12 * 10**9 + 10**8)
        assert isinstance(found["region"], bytes)
        assert Region.decode(found["region"]) == region
        assert found["azimuth"] is None

    def test_numpy_values_are_taken_as_what_they_are(self, sky: Sky) -> None:
        values = {"exposure_time": np.float32(1.5), "seq_num": np.int16(3), "target_name": np.str_("M31")}
        record = visit_record(12, day_obs=np.int64(DAYS[0]), **values, azimuth=np.float64("nan"))
        sky.registry.records.insert("visit", [{**record, "id": np.int32(12)}])
        found = _visit(sky.registry, 12)
        kept = [found[name] for name in ("exposure_time", "seq_num", "target_name", "azimuth")]
        assert kept == [1.5, 3, "M31", None]
        # Not-a-number is no value; the same record again is no change.
        assert sky.registry.records.insert("visit", [{**record, "id": 12}]) == 0

    @pytest.mark.parametrize(
        "span", [(None, None), (None, 5), (5, None), (5, 6), ("2025-01-01T00:00:00", "2025-01-02T00:00:00")]
    )
    def test_a_timespan_comes_back(self, sky: Sky, span: tuple[Any, Any]) -> None:
        sky.registry.records.insert(
            "visit", [visit_record(12, timespan=span), visit_record(13, timespan=None)]
        )
        assert _visit(sky.registry, 12)["timespan"] == Timespan.of(*span)
        assert _visit(sky.registry, 13)["timespan"] is None

    @pytest.mark.parametrize(
        ("changed", "error", "words"),
        [
            ({"colour": "red"}, BadDefinition, "no column 'colour'"),
            ({"exposure_time": "long"}, BadDefinition, "float is wanted"),
            ({"exposure_time": True}, BadDefinition, "float is wanted"),
            ({"exposure_time": np.array([1.0, 2.0])}, BadDefinition, "float is wanted"),
            ({"seq_num": 1.5}, BadDefinition, "int is wanted"),
            ({"seq_num": 2**63}, BadDefinition, "int is wanted"),
            ({"target_name": b"M31"}, BadDefinition, "string is wanted"),
            ({"target_name": "\ud800"}, SkyfsError, "string is wanted|cannot be stored"),
            ({"timespan": "today"}, BadDefinition, "give .begin, end."),
            ({"timespan": (6, 5)}, BadArgument, "not before"),
            ({"timespan": (0, 2**70)}, BadArgument, "out of range"),
            ({"region": "circle"}, BadDefinition, "sphgeom"),
            ({"day_obs": None}, BadDefinition, "no value for 'day_obs'"),
            ({"day_obs": "x"}, BadDataId, "whole number"),
            ({"id": None}, BadDefinition, "no value for 'visit'"),
            ({"instrument": "Other"}, BadDataId, "instrument=Other is not recorded"),
            ({"physical_filter": "z"}, BadDataId, "physical_filter=z is not recorded"),
        ],
    )
    def test_a_wrong_record_is_refused_with_all_beside_it(
        self, sky: Sky, changed: Mapping[str, object], error: type[Exception], words: str
    ) -> None:
        records = [visit_record(12, day_obs=20250103), visit_record(13, **changed)]
        with pytest.raises(error, match=words):
            sky.registry.records.insert("visit", records)
        assert len(list(sky.registry.records.select("visit", {}))) == len(VISITS)
        assert not list(sky.registry.records.select("day_obs", {"day_obs": 20250103}))

    def test_what_needs_only_its_key_is_added(self, sky: Sky) -> None:
        sky.registry.records.insert("visit", [visit_record(12, day_obs=20250103)])
        assert list(sky.registry.records.select("day_obs", {"day_obs": 20250103}))
        assert [row["name"] for row in sky.registry.records.select("band", {})] == ["g", "i"]

    def test_another_record_of_the_identity_is_refused(self, sky: Sky) -> None:
        with pytest.raises(Conflict, match=r"exposure_time is None, not 2.0"):
            sky.registry.records.insert("visit", [visit_record(1, exposure_time=2.0)])
        for visit, replace in ((12, False), (1, True)):
            both = [visit_record(visit, exposure_time=value) for value in (1.0, 2.0)]
            with pytest.raises(Conflict, match=r"exposure_time is 1.0, not 2.0"):
                sky.registry.records.insert("visit", both, replace=replace)
        assert _visit(sky.registry)["exposure_time"] is None

    def test_replace_changes_all_but_what_is_implied(self, sky: Sky) -> None:
        insert = sky.registry.records.insert
        assert insert("visit", [visit_record(1, exposure_time=2.0)], replace=True) == 0
        assert _visit(sky.registry)["exposure_time"] == 2.0
        with pytest.raises(Conflict, match="what a record implies cannot change"):
            insert("visit", [visit_record(1, day_obs=DAYS[1])], replace=True)

    def test_what_is_not_implied_yet_can_be_filled_in(self, sky: Sky) -> None:
        registry = sky.registry
        registry.records.insert("visit", [visit_record(12, physical_filter=None)])
        group = registry.universe.group(["visit"])
        given = {"instrument": CAMERA, "visit": 12, "band": "g"}
        with pytest.raises(NotFound, match="band is not recorded for it"):
            registry.data_ids.complete(group, given)
        registry.records.insert("visit", [visit_record(12)], replace=True)
        assert registry.data_ids.complete(group, given) == (CAMERA, DAYS[0], 12)

    def test_alternate_keys_are_unique(self, sky: Sky) -> None:
        insert = sky.registry.records.insert
        with pytest.raises(Conflict, match="full_name='S1' is taken"):
            insert("detector", [{"instrument": CAMERA, "id": 7, "full_name": "S1"}])
        with pytest.raises(Conflict, match="full_name='S7' is given twice"):
            insert("detector", [{"instrument": CAMERA, "id": number, "full_name": "S7"} for number in (7, 8)])
        with pytest.raises(Conflict, match="full_name='S1' is taken"):
            insert("detector", [{"instrument": CAMERA, "id": 0, "full_name": "S1"}], replace=True)
        # None is no key: many may have none.
        assert insert("detector", [{"instrument": CAMERA, "id": number} for number in (7, 8)]) == 2

    def test_records_come_in_order_and_as_asked(self, sky: Sky) -> None:
        select = sky.registry.records.select
        assert [row["id"] for row in select("visit", {})] == sorted(VISITS)
        assert [row["id"] for row in select("visit", {"day_obs": DAYS[1]})] == [10, 11]
        assert [row["id"] for row in select("visit", {"exposure_time": None, "visit": 2})] == [2]
        assert [row["id"] for row in select("detector", {"full_name": "S20"})] == [20]
        with pytest.raises(BadDefinition, match="no column 'colour'"):
            select("visit", {"colour": 1})
        with pytest.raises(BadDefinition, match="need none"):
            select("healpix9", {})

    def test_records_of_many_pages(self, sky: Sky) -> None:
        numbers = range(1000, 26_000)
        records = [{"instrument": CAMERA, "name": f"{number}"} for number in numbers]
        assert sky.registry.records.insert("group", records) == len(numbers)
        found = [row["name"] for row in sky.registry.records.select("group", {})]
        assert found == sorted(map(str, numbers))

    def test_a_rolled_back_record_is_forgotten(self, sky: Sky) -> None:
        registry = sky.registry
        visit, group = registry.universe.element("visit"), registry.universe.group(["visit"])
        given = {"instrument": CAMERA, "visit": 12}

        def act() -> None:
            registry.records.insert("visit", [visit_record(12, day_obs=20250103)])
            assert registry.data_ids.complete(group, given) == (CAMERA, 20250103, 12)
            assert registry.data_ids.complete_many(group, [given, {**given, "visit": 1}])

        take_back(registry, act)
        assert not registry.records.exists(visit, (CAMERA, 12))
        assert not registry.records.prefetch(visit, {(CAMERA, 12)})
        with pytest.raises(NotFound, match="visit=12 is not recorded"):
            registry.data_ids.complete_many(group, [given])
        # The number may go to another record now.
        registry.records.insert("visit", [visit_record(12, day_obs=DAYS[1])])
        assert registry.data_ids.complete(group, given) == (CAMERA, DAYS[1], 12)

    def test_many_records_are_prefetched_at_once(self, sky: Sky, statements: list[str]) -> None:
        visit = sky.registry.universe.element("visit")
        records = [visit_record(number, day_obs=DAYS[0]) for number in range(100, 3_100)]
        sky.registry.records.insert("visit", records)
        keys: set[tuple[int | str, ...]] = {(CAMERA, number) for number in range(5_000)}
        statements.clear()
        found = sky.registry.records.prefetch(visit, keys)
        assert len(found) == len(VISITS) + 3_000
        assert len(statements) <= 4
        assert found[CAMERA, 100] == ("g-1", DAYS[0])

    # -- data IDs --------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("given", "row"),
        [
            ({"visit": 1, "detector": 0}, (CAMERA, DAYS[0], 1, 0)),
            ({"visit": "1", "detector": "20"}, (CAMERA, DAYS[0], 1, 20)),
            ({"visit": np.int64(10), "detector": np.uint8(1)}, (CAMERA, DAYS[1], 10, 1)),
            ({"visit": 1, "full_name": "S20"}, (CAMERA, DAYS[0], 1, 20)),
            ({"visit": 1, "full_name": np.str_("S20"), "detector": 20}, (CAMERA, DAYS[0], 1, 20)),
            ({"visit": 1, "detector": 0, "day_obs": DAYS[0], "band": "g"}, (CAMERA, DAYS[0], 1, 0)),
        ],
    )
    def test_a_data_id_is_completed(
        self, sky: Sky, given: Mapping[str, object], row: tuple[object, ...]
    ) -> None:
        group = sky.registry.universe.group(["visit", "detector"])
        wanted = {"instrument": CAMERA, **given}
        assert sky.registry.data_ids.complete(group, wanted) == row
        other = {"instrument": CAMERA, "visit": 11, "detector": 1}
        assert sky.registry.data_ids.complete_many(group, [other, wanted, other])[1] == row

    @pytest.mark.parametrize(
        ("given", "error", "words"),
        [
            ({"visit": 1}, BadDataId, "no detector"),
            ({"visit": 1, "detector": 2}, NotFound, "detector=2 is not recorded"),
            ({"visit": 3, "detector": 0}, NotFound, "visit=3 is not recorded"),
            ({"visit": 1, "detector": 0, "day_obs": DAYS[1]}, BadDataId, f"day_obs is {DAYS[0]}"),
            ({"visit": 1, "detector": 0, "band": "i"}, BadDataId, "band is 'g', not 'i'"),
            ({"visit": 1, "detector": 0, "full_name": "S1"}, BadDataId, "detector is 1"),
            ({"visit": 1, "full_name": "S7"}, NotFound, "no detector with full_name='S7'"),
            ({"visit": 1, "full_name": 7}, BadDataId, "string is wanted"),
            ({"visit": 1, "full_name": None}, NotFound, "no detector"),
            ({"visit": 1, "detector": None}, BadDataId, "whole number"),
            ({"visit": 1, "detektor": 0}, BadDataId, "did you mean detector"),
            ({"visit": True, "detector": 0}, BadDataId, "whole number"),
            ({"visit": 2**63, "detector": 0}, BadDataId, "whole number"),
        ],
    )
    def test_a_wrong_data_id_is_refused(
        self, sky: Sky, given: Mapping[str, object], error: type[Exception], words: str
    ) -> None:
        group = sky.registry.universe.group(["visit", "detector"])
        wanted = {"instrument": CAMERA, **given}
        with pytest.raises(error, match=words):
            sky.registry.data_ids.complete(group, wanted)
        other = {"instrument": CAMERA, "visit": 11, "detector": 1}
        with pytest.raises(error, match=words):
            sky.registry.data_ids.complete_many(group, [other, wanted])

    def test_dimensions_that_imply_one_another_must_agree(self, sky: Sky) -> None:
        data_ids, universe = sky.registry.data_ids, sky.registry.universe
        for names, right, wrong in (
            (("visit", "day_obs"), {"day_obs": DAYS[0]}, {"day_obs": DAYS[1]}),
            (("visit", "band"), {"band": "g"}, {"band": "i"}),
        ):
            group, given = universe.group(names), {"instrument": CAMERA, "visit": 1}
            assert data_ids.complete_many(group, [{**given, **right}]) == [
                data_ids.complete(group, {**given, **right})
            ]
            with pytest.raises(BadDataId, match="contradicting"):
                data_ids.complete(group, {**given, **wrong})
            with pytest.raises(BadDataId, match="contradicting"):
                data_ids.complete_many(group, [{**given, **wrong}])

    def test_pixels_need_no_records(self, sky: Sky) -> None:
        group = sky.registry.universe.group(["visit", "healpix3"])
        given = {"instrument": CAMERA, "visit": 1, "healpix3": np.int64(767)}
        assert sky.registry.data_ids.complete(group, given)[-1] == 767
        assert sky.registry.data_ids.complete_many(group, [given]) == [
            sky.registry.data_ids.complete(group, given)
        ]
        with pytest.raises(BadDataId, match="no such pixel"):
            sky.registry.data_ids.complete_many(group, [{**given, "healpix3": 768}])

    def test_many_data_ids_take_few_statements(self, sky: Sky, statements: list[str]) -> None:
        group = sky.registry.universe.group(["visit", "detector"])
        records = [visit_record(number, day_obs=DAYS[0]) for number in range(100, 600)]
        sky.registry.records.insert("visit", records)
        given = [{"instrument": CAMERA, "visit": number, "detector": 0} for number in range(100, 600)]
        with sky.registry.transaction():
            statements.clear()
            assert len(sky.registry.data_ids.complete_many(group, given)) == 500
        assert len(statements) <= 4
