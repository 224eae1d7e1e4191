"""Overlap on the sky, of every pair of things that have regions, against trying all pairs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from skyfs.errors import InvalidQuery
from skyfs.model.pixels import pixels
from skyfs.model.region import box, circle, point, polygon
from skyfs.model.region_overlap import overlaps
from skyfs.testing.statements import statements_run

from .conftest import Survey

Key = tuple[Any, ...]
# What has regions: the dimensions of a data ID, and where the regions come from.
CARRIERS: dict[str, tuple[tuple[str, ...], Callable[[Survey], list[dict[str, Any]]]]] = {
    "visit": (("instrument", "visit"), lambda survey: survey.visits),
    "visit_detector_region": (("instrument", "visit", "detector"), lambda survey: survey.regions),
    "tract": (("skymap", "tract"), lambda survey: survey.tracts),
    "patch": (("skymap", "tract", "patch"), lambda survey: survey.patches),
}
FAMILIES = {"visit": "sky", "visit_detector_region": "sky", "tract": "map", "patch": "map"}
PAIRS = [(a, b) for a, b in combinations(CARRIERS, 2) if FAMILIES[a] != FAMILIES[b]]
LITERALS = {
    "POINT(0, 0)": point(0, 0),
    "POINT(123, 90)": point(123, 90),
    "CIRCLE(359.9, 0.5, 2.5)": circle(359.9, 0.5, 2.5),
    "CIRCLE(40, 89.5, 3)": circle(40, 89.5, 3),
    "BOX(0, 0, 4, 2)": box(0, 0, 4, 2),
    "BOX(180, -89, 360, 2)": box(180, -89, 360, 2),
    "POLYGON(357, -3, 3, -3, 0, 3)": polygon([(357, -3), (3, -3), (0, 3)]),
    "REGION('CIRCLE 10 -89 1.5')": circle(10, -89, 1.5),
    "CIRCLE(0, 0, 180)": circle(0, 0, 180),
}


@pytest.fixture(autouse=True, params=["by cells", "by values"])
def way(request: pytest.FixtureRequest, survey: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what overlaps found by the index of cells, as in large tables, or by trying each value."""
    cost = 1e-9 if request.param == "by cells" else 1e9
    monkeypatch.setattr("skyfs.registry.queries.joins._OVERLAPPING", cost)
    # Plans are kept for each shape of question.
    monkeypatch.setattr(survey.repo.registry.queries, "_kept", {})


def test_the_index_is_used_when_it_is_to_be(survey: Survey, request: pytest.FixtureRequest) -> None:
    """What the others test in both ways are two ways."""
    with statements_run() as statements:
        survey.repo.data_ids(["visit"], where="visit.region OVERLAPS POINT(0, 0)").any()
    used = any("overlap_visit" in statement for statement in statements)
    assert used == ("by cells" in request.node.name)


def _keyed(survey: Survey, element: str) -> dict[Key, bytes]:
    names, records = CARRIERS[element]
    return {
        tuple(record.get(name, record.get("id")) for name in names): record["region"]
        for record in records(survey)
        if record["region"] is not None
    }


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_data_ids_of_two_things_with_regions_overlap(survey: Survey, one: str, other: str) -> None:
    """Joined without being asked to; and the same when an expression asks."""
    names = (*CARRIERS[one][0], *CARRIERS[other][0])
    wanted = sorted(
        (*a, *b)
        for a, first in _keyed(survey, one).items()
        for b, second in _keyed(survey, other).items()
        if overlaps(first, second)
    )
    assert wanted
    for where in (None, f"{one}.region OVERLAPS {other}.region", f"{other}.region OVERLAPS {one}.region"):
        query = survey.repo.data_ids(names, where=where)
        assert sorted(tuple(found[name] for name in names) for found in query) == wanted
        assert query.count() == len(wanted)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_each_value_finds_what_overlaps_it(survey: Survey, one: str, other: str) -> None:
    """One side given, as a constraint on a dimension that is not asked for."""
    for near, far in ((one, other), (other, one)):
        names, far_names = CARRIERS[near][0], CARRIERS[far][0]
        near_regions, far_regions = _keyed(survey, near), _keyed(survey, far)
        for key, region in list(far_regions.items())[::5]:
            wanted = sorted(k for k, own in near_regions.items() if overlaps(own, region))
            query = survey.repo.data_ids(names, **dict(zip(far_names, key, strict=True)))
            assert sorted(tuple(found[name] for name in names) for found in query) == wanted


@pytest.mark.parametrize("element", list(CARRIERS))
@pytest.mark.parametrize("literal", list(LITERALS))
def test_literal_regions(survey: Survey, element: str, literal: str) -> None:
    """Points, circles, boxes and polygons, near RA 0, at the poles, and the whole sphere."""
    names = CARRIERS[element][0]
    wanted = sorted(key for key, own in _keyed(survey, element).items() if overlaps(own, LITERALS[literal]))
    for where in (f"{element}.region OVERLAPS {literal}", f"{literal} OVERLAPS {element}.region"):
        query = survey.repo.data_ids(names, where=where)
        assert sorted(tuple(found[name] for name in names) for found in query) == wanted
        assert query.count() == len(wanted)
    without = survey.repo.data_ids(names, where=f"NOT ({element}.region OVERLAPS {literal})")
    assert without.count() == len(_keyed(survey, element)) - len(wanted)


@pytest.mark.parametrize("name", ["htm4", "htm9", "healpix3", "healpix6"])
@pytest.mark.parametrize("element", ["visit", "patch"])
def test_pixels(survey: Survey, name: str, element: str) -> None:
    """Pixels of the sphere that a region overlaps, and what overlaps a pixel."""
    names = CARRIERS[element][0]
    wanted = sorted((*key, one) for key, own in _keyed(survey, element).items() for one in pixels(name, own))
    query = survey.repo.data_ids([*names, name])
    assert sorted(tuple(found[one] for one in (*names, name)) for found in query) == wanted
    *key, pixel = wanted[len(wanted) // 2]
    there = survey.repo.data_ids(names, **{name: pixel})
    assert tuple(key) in {tuple(found[one] for one in names) for found in there}
    assert there.count() == sum(one[-1] == pixel for one in wanted)


def test_pixels_of_a_literal_region(survey: Survey) -> None:
    """Pixels alone need a region that bounds them."""
    found = survey.repo.data_ids(["htm5"], where="htm5.region OVERLAPS CIRCLE(0, 0, 1)")
    assert sorted(one["htm5"] for one in found) == pixels("htm5", circle(0, 0, 1))
    with pytest.raises(InvalidQuery, match="too many values"):
        survey.repo.data_ids(["htm5"]).count()


def test_datasets_of_pixels_are_found_by_what_overlaps_them(survey: Survey) -> None:
    """Reference catalogues are cut into pixels."""
    with survey.repo.transaction():
        wanted = {
            one for visit in survey.visits if visit["region"] for one in pixels("htm5", visit["region"])
        }
        if not survey.repo.query("shard", collections="runs/all").any():
            survey.repo.declare(
                "shard", [{"htm5": pixel} for pixel in range(8 * 4**5, 8 * 4**5 + 8192)], run="runs/all"
            )
    for visit in survey.visits[:4]:
        query = survey.repo.query(
            "shard", collections="runs/all", instrument=visit["instrument"], visit=visit["id"]
        )
        own = pixels("htm5", visit["region"]) if visit["region"] else []
        assert sorted(ref.data_id["htm5"] for ref in query) == own
        assert set(own) <= wanted


def test_datasets_by_patch(survey: Survey) -> None:
    """Images whose detectors overlap a patch, each once."""
    for patch in survey.patches[::4]:
        key = {"skymap": patch["skymap"], "tract": patch["tract"], "patch": patch["id"]}
        wanted = sorted(
            own
            for own, region in _keyed(survey, "visit_detector_region").items()
            if overlaps(region, patch["region"])
        )
        query = survey.repo.query("calexp", collections="runs/all", **key)
        found = sorted(
            (ref.data_id["instrument"], ref.data_id["visit"], ref.data_id["detector"]) for ref in query
        )
        assert found == wanted
        assert query.count() == len(wanted)
