"""Visits: which exposures make them, and the regions that they saw."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from lsst.sphgeom import ConvexPolygon, LonLat, Region, UnitVector3d

from skyfs import instruments
from skyfs.errors import BadArgument, BadContent, BadDataId, Conflict, NotFound
from skyfs.instruments import VisitCounts
from skyfs.model.timespan import Timespan
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .samples import cards, decam, hsc, pixels, real_headers, write

Point = tuple[float, float]

TPV = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.01, "PV1_7": 0.02, "PV2_1": 1.02}
SIP = {
    "CTYPE1": "RA---TAN-SIP",
    "CTYPE2": "DEC--TAN-SIP",
    "A_ORDER": 2,
    "A_2_0": 1e-4,
    "B_ORDER": 2,
    "B_0_2": 2e-4,
}


def vertices(region: object) -> list[Point]:
    """Give the corners of an encoded polygon in degrees, sorted."""
    assert isinstance(region, bytes)
    polygon = Region.decode(region)
    assert isinstance(polygon, ConvexPolygon)
    places = [LonLat(vertex) for vertex in polygon.getVertices()]
    return sorted((one.getLon().asDegrees(), one.getLat().asDegrees()) for one in places)


def corners(file: Path, padding: float = 0.0) -> list[Point]:
    """Give the corners of an image by astropy alone, sorted."""
    with fits.open(file) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(hdus[0].header, hdus)
        height, width = hdus[0].data.shape
    low, right, top = 0.5 - padding, width + 0.5 + padding, height + 0.5 + padding
    sky = wcs.pixel_to_world(np.array([low, right, right, low]) - 1, np.array([low, low, top, top]) - 1).icrs
    return sorted(zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True))


def assert_close(found: Sequence[Point], wanted: Sequence[Point], limit: float = 1e-9) -> None:
    assert len(found) == len(wanted)
    np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=0, atol=limit)


def test_regions_of_real_raws_are_between_the_corners(
    repo: Repository, shared_data: Path | None, tmp_path: Path
) -> None:
    headers = real_headers(shared_data)
    files = {name: write(tmp_path / f"{name}.fits", header) for name, header in headers.items()}
    refs = instruments.ingest_raws(repo, files.values()).refs
    sky = off = 0
    for name in {str(ref.data_id["instrument"]) for ref in refs}:
        counts = instruments.define_visits(repo, name, padding_pix=0)
        sky, off = sky + counts.new, off + counts.off_sky
    assert sky + off == len(files)
    assert sky >= 3
    for file, ref in zip(files.values(), refs, strict=True):
        camera, visit = ref.data_id["instrument"], ref.data_id["exposure"]
        for one in repo.records("visit_detector_region", instrument=camera, visit=visit):
            assert one["detector"] == ref.data_id["detector"]
            assert_close(vertices(one["region"]), corners(file))


@pytest.mark.parametrize("distortion", [{}, TPV, SIP], ids=["TAN", "TPV", "SIP"])
@pytest.mark.parametrize("padding", [0.0, 7.0])
def test_padding_and_distortion(
    repo: Repository, tmp_path: Path, distortion: dict[str, Any], padding: float
) -> None:
    file = write(tmp_path / "a.fits", {**decam(), **distortion})
    instruments.ingest_raws(repo, file)
    instruments.define_visits(repo, "DECam", padding_pix=padding)
    (visit,) = repo.records("visit")
    assert_close(vertices(visit["region"]), corners(file, padding))


def test_padding_in_degrees_and_by_default(repo: Repository, tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", decam())
    instruments.ingest_raws(repo, file)
    instruments.define_visits(repo, "DECam", padding_deg=10 * 7.3e-5)
    (visit,) = repo.records("visit")
    assert_close(vertices(visit["region"]), corners(file, 10))
    instruments.define_visits(repo, "DECam", replace=True)
    (visit,) = repo.records("visit")
    assert_close(vertices(visit["region"]), corners(file, 250))


def test_a_wcs_in_another_frame_is_turned_to_icrs(repo: Repository, tmp_path: Path) -> None:
    header = {key: value for key, value in decam().items() if key != "RADESYS"} | {"EQUINOX": 1950.0}
    file = write(tmp_path / "a.fits", {**header, "RADESYS": "FK4"})
    instruments.ingest_raws(repo, file)
    instruments.define_visits(repo, "DECam", padding_pix=0)
    (visit,) = repo.records("visit")
    (ra, _), *_ = vertices(visit["region"])
    assert ra > 43.4


def test_the_region_of_a_visit_is_the_hull_of_its_detectors(repo: Repository, tmp_path: Path) -> None:
    first = write(tmp_path / "25.fits", decam())
    second = write(tmp_path / "26.fits", decam(ccdnum=26, detpos="S2", crpix1=-20.0))
    instruments.ingest_raws(repo, first)
    assert instruments.define_visits(repo, "DECam", padding_pix=0) == VisitCounts(new=1, regions=1)
    instruments.ingest_raws(repo, second)
    assert instruments.define_visits(repo, "DECam", padding_pix=0) == VisitCounts(changed=1, regions=1)
    (visit,) = repo.records("visit")
    points = [*corners(first), *corners(second)]
    hull = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(ra, dec)) for ra, dec in points])
    assert_close(vertices(visit["region"]), vertices(bytes(hull.encode())))
    assert len(vertices(visit["region"])) < 8
    assert len(list(repo.records("visit_detector_region"))) == 2


def test_one_to_one_visits_are_their_exposures(repo: Repository, tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.fits", decam()),
        write(tmp_path / "b.fits", decam(expnum=229389, obsid="ct4m2")),
    ]
    instruments.ingest_raws(repo, files)
    assert instruments.define_visits(repo, "DECam") == VisitCounts(new=2, regions=2)
    exposures = {one["id"]: one for one in repo.records("exposure")}
    for visit in repo.records("visit"):
        exposure = exposures[visit["id"]]
        same = ["physical_filter", "day_obs", "seq_num", "exposure_time", "target_name"]
        same += ["observation_reason", "science_program", "azimuth", "zenith_angle", "timespan"]
        assert {name: visit[name] for name in same} == {name: exposure[name] for name in same}
        assert visit["name"] == exposure["obs_id"]
    definitions = [(one["exposure"], one["visit"]) for one in repo.records("visit_definition")]
    assert definitions == [(229388, 229388), (229389, 229389)]
    assert {one["visit_system"] for one in repo.records("visit_system_membership")} == {0}


def test_again_is_no_change_and_new_exposures_only_add(repo: Repository, tmp_path: Path) -> None:
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", hsc()))
    instruments.define_visits(repo, "HSC")
    before = snapshot(repo.root)
    assert instruments.define_visits(repo, "HSC") == VisitCounts()
    assert snapshot(repo.root) == before
    (old,) = repo.records("visit")
    instruments.ingest_raws(repo, write(tmp_path / "b.fits", hsc(exp_id="HSCA90402600", det_id=51)))
    # Other padding is for new regions only.
    assert instruments.define_visits(repo, "HSC", padding_pix=0) == VisitCounts(new=1, regions=1)
    assert next(iter(repo.records("visit"))) == old
    assert instruments.define_visits(repo, "HSC", padding_pix=0, replace=True) == VisitCounts(
        changed=2, regions=2
    )
    assert next(iter(repo.records("visit"))) != old


@pytest.mark.parametrize(
    "header",
    [
        decam(obstype="zero", exptime=0.0),
        decam(obstype="dome flat"),
        decam(obstype="dark"),
        {key: value for key, value in decam(obstype="science").items() if key not in ("TELRA", "TELDEC")},
    ],
    ids=["bias", "flat", "dark", "without a position"],
)
def test_what_saw_no_sky_gets_no_visit(repo: Repository, tmp_path: Path, header: dict[str, Any]) -> None:
    instruments.ingest_raws(repo, [write(tmp_path / "a.fits", header), write(tmp_path / "b.fits", hsc())])
    assert instruments.define_visits(repo, "DECam") == VisitCounts(off_sky=1)
    assert not list(repo.records("visit"))


def test_only_some_exposures(repo: Repository, tmp_path: Path) -> None:
    nights = {1: "2013-09-01T06:00:00", 2: "2013-09-02T06:00:00", 3: "2013-09-03T06:00:00"}
    headers = [decam(expnum=n, obsid=f"ct{n}", date_obs=begin) for n, begin in nights.items()]
    for header in headers:
        del header["DTUTC"]
    instruments.ingest_raws(repo, [write(tmp_path / f"{n}.fits", one) for n, one in enumerate(headers)])
    assert instruments.define_visits(repo, "DECam", exposures=[3]).new == 1
    assert instruments.define_visits(repo, "DECam", day_obs=20130831).new == 1
    assert [one["id"] for one in repo.records("visit")] == [1, 3]
    assert instruments.define_visits(repo, "DECam", where="exposure.exposure_time > 500") == VisitCounts()
    with pytest.raises(NotFound, match="no exposure 9 of DECam"):
        instruments.define_visits(repo, "DECam", exposures=[2, 9])
    with pytest.raises(BadArgument, match="by number and by conditions"):
        instruments.define_visits(repo, "DECam", exposures=[2], day_obs=20130901)
    assert [one["id"] for one in repo.records("visit")] == [1, 3]


# -- by group ------------------------------------------------------------------------------------------

GROUPED: dict[str, Any] = {
    "name": "SnapCam",
    "numbering": {"exposure_max": 1000},
    "detectors": [{"names": ["only"]}],
    "filters": {"patterns": {"[gr]": r"\g<0>"}},
    "header": {
        "exposure": "NUM",
        "group": "GRP",
        "physical_filter": "FILT",
        "begin": {"keyword": "BEG", "scale": "tai"},
        "exposure_time": "TEXP",
        "observation_type": {"value": "science"},
        "target_name": "OBJ",
        "tracking_ra": "CRVAL1",
        "tracking_dec": "CRVAL2",
    },
}


def snap(number: int, group: str, **changes: object) -> dict[str, Any]:
    own = {"INSTRUME": "SnapCam", "NUM": number, "GRP": group, "FILT": "r", "TEXP": 15.0, "OBJ": "M31"}
    own["BEG"] = f"2026-01-01T00:{number:02}:00"
    wcs = {key: value for key, value in decam().items() if key.startswith(("C", "RADE"))}
    return {**wcs, **own, **{key.upper(): value for key, value in changes.items()}}


def take(repo: Repository, folder: Path, *headers: dict[str, Any]) -> list[Path]:
    files = [write(folder / f"{header['NUM']}.fits", header) for header in headers]
    instruments.ingest_raws(repo, files)
    return files


def test_a_group_is_one_visit(repo: Repository, tmp_path: Path) -> None:
    instruments.add(repo, GROUPED)
    files = take(repo, tmp_path, snap(2, "a"), snap(3, "a", crpix1=18.0, obj="M32"), snap(4, "b"))
    # Asked for one exposure of a group, the visit has them all.
    counts = instruments.define_visits(repo, "SnapCam", exposures=[3, 4], system="by-group", padding_pix=0)
    assert counts == VisitCounts(new=2, regions=2)
    together, alone = repo.records("visit")
    assert (together["id"], together["name"], alone["id"]) == (1002, "group a", 1004)
    assert (together["exposure_time"], together["target_name"], alone["target_name"]) == (30.0, None, "M31")
    assert str(together["timespan"]) == "20260101T000200--20260101T000315"
    points = [*corners(files[0]), *corners(files[1])]
    hull = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(ra, dec)) for ra, dec in points])
    assert_close(vertices(together["region"]), vertices(bytes(hull.encode())))
    assert {one["visit_system"] for one in repo.records("visit_system_membership")} == {1}
    # Both systems stand side by side.
    assert instruments.define_visits(repo, "SnapCam").new == 3
    assert instruments.define_visits(repo, "SnapCam", system="by-group") == VisitCounts()


def test_a_group_grows(repo: Repository, tmp_path: Path) -> None:
    instruments.add(repo, GROUPED)
    take(repo, tmp_path, snap(5, "a"))
    instruments.define_visits(repo, "SnapCam", system="by-group", padding_pix=0)
    take(repo, tmp_path, snap(4, "a", crpix1=18.0), snap(6, "a"))
    counts = instruments.define_visits(repo, "SnapCam", system="by-group", padding_pix=0)
    assert counts == VisitCounts(changed=1, regions=1)
    (visit,) = repo.records("visit")
    assert (visit["id"], visit["exposure_time"], visit["seq_num"]) == (1005, 45.0, None)
    assert isinstance(visit["timespan"], Timespan)
    assert str(visit["timespan"]) == "20260101T000400--20260101T000615"
    assert [one["exposure"] for one in repo.records("visit_definition")] == [4, 5, 6]


def test_what_cannot_see_the_sky_is_no_visit(repo: Repository, tmp_path: Path) -> None:
    rules = {**GROUPED["header"], "can_see_sky": {"keyword": "DOME", "map": {"open": True, "shut": False}}}
    instruments.add(repo, {**GROUPED, "header": rules})
    take(repo, tmp_path, snap(1, "a", dome="open"), snap(2, "b", dome="shut"), snap(3, "c"))
    assert instruments.define_visits(repo, "SnapCam") == VisitCounts(new=2, off_sky=1, regions=2)


def test_a_group_of_two_filters_is_refused(repo: Repository, tmp_path: Path) -> None:
    instruments.add(repo, GROUPED)
    take(repo, tmp_path, snap(1, "a"), snap(2, "a", filt="g"), snap(3, "b"))
    before = snapshot(repo.root)
    with pytest.raises(BadDataId, match=r"group 'a' of SnapCam.*filters g, r"):
        instruments.define_visits(repo, "SnapCam", system="by-group")
    assert snapshot(repo.root) == before


# -- what is refused -----------------------------------------------------------------------------------


def test_a_raw_without_wcs_is_counted(repo: Repository, tmp_path: Path) -> None:
    header = {key: value for key, value in decam().items() if not key.startswith(("CTYPE", "CD"))}
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", header))
    assert instruments.define_visits(repo, "DECam") == VisitCounts(new=1, unplaced=1)
    (visit,) = repo.records("visit")
    assert visit["region"] is None
    assert instruments.define_visits(repo, "DECam") == VisitCounts(unplaced=1)


@pytest.mark.parametrize(
    "changes",
    [{"CTYPE1": "RA---AZP"}, {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CD1_2": 30.0, "CD2_1": 30.0}],
    ids=["half a projection", "corners off the sphere"],
)
def test_a_wcs_that_leads_nowhere_names_the_raw(
    repo: Repository, tmp_path: Path, changes: dict[str, Any]
) -> None:
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", {**decam(), **changes}))
    before = snapshot(repo.root)
    with pytest.raises(BadContent, match=r"the region of raw.*exposure: 229388"):
        instruments.define_visits(repo, "DECam")
    assert snapshot(repo.root) == before


def test_arguments_that_do_not_go(repo: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no instrument 'DECam'"):
        instruments.define_visits(repo, "DECam")
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", decam()))
    for options, message in (
        ({"system": "by-moon"}, "by-moon"),
        ({"padding_pix": 1, "padding_deg": 1}, "in pixels and in degrees"),
        ({"padding_pix": -1}, "less than nothing"),
    ):
        with pytest.raises(BadArgument, match=message):
            instruments.define_visits(repo, "DECam", **options)
    assert not list(repo.records("visit"))


def test_another_visit_of_that_number_is_a_conflict(repo: Repository, tmp_path: Path) -> None:
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", decam()))
    other = {"instrument": "DECam", "id": 229388, "name": "mine", "day_obs": 20130831}
    repo.insert("visit", [{**other, "physical_filter": "z DECam SDSS c0004 9260.0 1520.0"}])
    before = snapshot(repo.root)
    with pytest.raises(Conflict, match="visit=229388"):
        instruments.define_visits(repo, "DECam")
    assert snapshot(repo.root) == before


def test_images_in_extensions_are_seen_together(repo: Repository, tmp_path: Path) -> None:
    header = {key: value for key, value in hsc().items() if not key.startswith(("C", "RADE"))}
    wcs = {key: value for key, value in decam().items() if key.startswith(("CR", "CT", "CD", "CU", "RADE"))}
    halves = [fits.ImageHDU(pixels(), cards({**wcs, "CRPIX1": first})) for first in (15.0, -15.0)]
    file = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(header=cards(header)), *halves]).writeto(file)
    instruments.ingest_raws(repo, file)
    instruments.define_visits(repo, "HSC", padding_pix=0)
    (visit,) = repo.records("visit")
    whole = write(tmp_path / "whole.fits", decam(), (40, 60))
    # The corners where the halves touch lie on a great circle between those of the whole, almost.
    assert set(np.round(corners(whole), 6).ravel()) <= set(np.round(vertices(visit["region"]), 6).ravel())
