"""Where the answers of a query are on the sky."""

from __future__ import annotations

from typing import Any

import pytest

from skyfs.model.pixels import pixel_region
from skyfs.model.region import box, circle
from skyfs.repository import Repository

from .conftest import EXPOSURES, NIGHT, data_id

VISITS = [circle(150 + number, 2, 0.9) for number in range(2)]
DETECTORS = {number: box(150 + 0.2 * number, 2, 0.2, 0.2) for number in range(2)}
SKYMAP: dict[str, Any] = {"skymap": "tiny"}
PATCHES = [box(149.9 + 0.1 * number, 2, 0.1, 0.1) for number in range(3)]


@pytest.fixture(autouse=True)
def records(repo: Repository) -> None:
    """Give the visits, the detectors of the first visit and the patches of a skymap their regions."""
    first = {"instrument": "HSC", "visit": EXPOSURES[0]}
    rows: list[dict[str, Any]] = []
    for number, (visit, region) in enumerate(zip(EXPOSURES, VISITS, strict=True)):
        start = f"2013-11-02T0{8 + number}"
        span = (f"{start}:00:00", f"{start}:01:00")
        common = {"instrument": "HSC", "physical_filter": "HSC-I", "day_obs": NIGHT, "timespan": span}
        rows.append({**common, "id": visit, "name": f"v{visit}", "region": region})
        link = {"instrument": "HSC", "exposure": visit, "visit": visit}
        repo.insert("visit_definition", [link])
    repo.insert("visit", rows, replace=True)
    repo.insert(
        "visit_detector_region", [{**first, "detector": d, "region": r} for d, r in DETECTORS.items()]
    )
    repo.insert("skymap", [{"name": "tiny", "hash": b"0" * 20}])
    repo.insert("tract", [{**SKYMAP, "id": 0, "region": circle(150, 2, 1)}])
    repo.insert(
        "patch",
        [
            {**SKYMAP, "tract": 0, "id": n, "cell_x": n, "cell_y": 0, "region": region}
            for n, region in enumerate(PATCHES)
        ],
    )


def test_a_visit_and_detector_are_where_the_detector_looked(repo: Repository) -> None:
    repo.register("calexp", ["visit", "detector"], "Dict")
    for detector in range(3):
        repo.put({}, "calexp", run="r", instrument="HSC", visit=EXPOSURES[0], detector=detector)
    (found,) = repo.query("calexp", collections="r").footprints()
    assert (found.label, found.total, found.without) == ("calexp", 3, 1)
    assert dict(found.regions) == dict.fromkeys(DETECTORS.values(), 1)
    assert repo.query("calexp", collections="r", detector=1).footprints()[0].regions == {DETECTORS[1]: 1}


def test_an_exposure_is_where_its_visit_is(repo: Repository) -> None:
    repo.register("log", ["exposure"], "Dict")
    for exposure in EXPOSURES:
        repo.put({}, "log", run="r", instrument="HSC", exposure=exposure)
    for detector in range(2):
        repo.put({}, "metrics", run="r", **data_id(detector=detector))
    assert repo.query("log", collections="r").footprints()[0].regions == dict.fromkeys(VISITS, 1)
    assert repo.query("metrics", collections="r").footprints()[0].regions == dict.fromkeys(
        DETECTORS.values(), 1
    )


def test_each_type_is_a_layer_and_datasets_of_one_place_are_one_region(repo: Repository) -> None:
    for name in ("coadd", "coadd_other"):
        repo.register(name, ["patch", "band"], "Dict")
        for band in "gi":
            repo.put({}, name, run="r", **SKYMAP, tract=0, patch=1, band=band)
    chart = repo.query("coadd*", collections="r").sky()
    assert [(layer.label, dict(layer.regions)) for layer in chart.layers] == [
        ("coadd", {PATCHES[1]: 2}),
        ("coadd_other", {PATCHES[1]: 2}),
    ]
    assert chart.count == 1
    assert chart.notes == ()
    assert chart._repr_svg_().startswith("<svg ")


def test_of_a_warp_the_patch_is_drawn(repo: Repository) -> None:
    repo.register("warp", ["patch", "visit"], "Dict")
    repo.put({}, "warp", run="r", **SKYMAP, tract=0, patch=2, instrument="HSC", visit=EXPOSURES[0])
    assert repo.query("warp", collections="r").footprints()[0].regions == {PATCHES[2]: 1}


def test_pixels_are_where_they_are(repo: Repository) -> None:
    repo.register("density", ["healpix5"], "Dict")
    repo.put({}, "density", run="r", healpix5=77)
    assert repo.query("density", collections="r").footprints()[0].regions == {pixel_region("healpix5", 77): 1}


def test_what_has_no_place_is_said(repo: Repository) -> None:
    repo.put({}, "summary", run="r")
    chart = repo.query("summary", collections="r").sky()
    assert chart.count == 0
    assert chart.notes == ("1 of summary have no region",)


def test_records_and_data_ids(repo: Repository) -> None:
    assert repo.records("visit", id=EXPOSURES[1]).footprints()[0].regions == {VISITS[1]: 1}
    assert repo.records("exposure").footprints()[0].regions == dict.fromkeys(VISITS, 1)
    assert repo.records("detector").footprints()[0].without == 3
    assert repo.data_ids(["patch"]).footprints()[0].regions == dict.fromkeys(PATCHES, 1)
    found = repo.data_ids(["visit", "patch"], patch=0).footprints()[0]
    assert found.regions == {PATCHES[0]: 1}
