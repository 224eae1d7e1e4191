"""The simulated survey: the same every time, true to its own sky, and complete enough to be registered."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS
from lsst.sphgeom import ConvexPolygon, LonLat, Region, UnitVector3d

from skyfs.demo.survey import Survey, SurveyFile, simulate
from skyfs.model.dimensions import Universe

SIDE = 256


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return simulate(tmp_path_factory.mktemp("survey"))


@pytest.fixture(scope="module")
def universe() -> Universe:
    text = resources.files("skyfs.model").joinpath("universe.yaml").read_text(encoding="utf-8")
    return Universe.from_mapping(yaml.safe_load(text))


@pytest.fixture(scope="module")
def stars(survey: Survey) -> Table:
    (file,) = survey.of("star_catalog")
    return Table.read(file.path)


def science(survey: Survey) -> list[SurveyFile]:
    wanted = {
        (record["instrument"], record["id"])
        for record in survey.records["exposure"]
        if record["observation_type"] == "science"
    }
    return [f for f in survey.of("raw") if (f.data_id["instrument"], f.data_id["exposure"]) in wanted]


def digests(survey: Survey) -> dict[str, str]:
    return {
        str(file.path.relative_to(survey.folder)): hashlib.sha256(file.path.read_bytes()).hexdigest()
        for file in survey.files
    }


def region(data: object) -> ConvexPolygon:
    assert isinstance(data, bytes)
    decoded = Region.decode(data)
    assert isinstance(decoded, ConvexPolygon)
    return decoded


def contains(data: object, ra: float, dec: float) -> bool:
    return bool(region(data).contains(UnitVector3d(LonLat.fromDegrees(ra, dec))))


def begin_and_end(record_or_range: object) -> tuple[int, int]:
    assert isinstance(record_or_range, tuple)
    begin, end = record_or_range
    return begin, end


# ----------------------------------------------------------------------------------------- the same again


def test_same_seed_gives_the_same_bytes_and_records(survey: Survey, tmp_path: Path) -> None:
    again = simulate(tmp_path / "again", seed=survey.seed)
    assert digests(again) == digests(survey)
    assert again.records == survey.records
    assert [file.data_id for file in again.files] == [file.data_id for file in survey.files]


def test_another_seed_gives_another_sky(survey: Survey, tmp_path: Path) -> None:
    other = simulate(tmp_path / "other", seed=survey.seed + 1)
    mine, theirs = digests(survey), digests(other)
    assert mine.keys() == theirs.keys()
    assert not [name for name in mine if mine[name] == theirs[name]]


def test_an_earlier_survey_is_left_alone(survey: Survey) -> None:
    before = digests(survey)
    with pytest.raises(FileExistsError):
        simulate(survey.folder, seed=2)
    assert digests(survey) == before


# ----------------------------------------------------------------------------------- records and data IDs


def test_records_have_the_columns_of_the_universe(survey: Survey, universe: Universe) -> None:
    for name, records in survey.records.items():
        element = universe.element(name)
        wanted = {*element.requires, *element.implies}
        wanted |= {column.name for column in (*element.keys, *element.metadata)}
        wanted |= {"region"} if element.spatial else set()
        wanted |= {"timespan"} if element.temporal else set()
        assert records
        for record in records:
            assert set(record) == wanted, name


def test_records_come_in_an_order_in_which_they_can_be_inserted(survey: Survey, universe: Universe) -> None:
    known: dict[str, set[tuple[object, ...]]] = {}
    for name, records in survey.records.items():
        element = universe.element(name)
        known[name] = set()
        for record in records:
            identity = {key: record[key] for key in element.requires}
            if element.is_dimension:
                identity[name] = record[element.key.name]
            values = {**record, **identity}
            for parent in (*element.requires, *element.implies):
                key = tuple(values[part] for part in universe.element(parent).identity)
                assert key in known[parent], f"{name} {identity} names an unknown {parent}"
            known[name].add(tuple(identity.values()))
        assert len(known[name]) == len(records), f"two {name} records of one identity"


def test_files_have_complete_unique_data_ids_of_known_values(survey: Survey, universe: Universe) -> None:
    types = {each.name: each for each in survey.types}
    seen = set()
    for file in survey.files:
        assert set(file.data_id) == set(universe.group(types[file.type].dimensions).required)
        key = (file.type, file.run, tuple(sorted(file.data_id.items())))
        assert key not in seen
        seen.add(key)
        assert (file.valid is not None) == types[file.type].calibration
        for name, value in file.data_id.items():
            column = universe.element(name).key.name
            assert value in {record[column] for record in survey.records[name]}
    assert {file.type for file in survey.files} == set(types)


def test_one_visit_has_two_exposures_the_others_one(survey: Survey) -> None:
    members = [(record["instrument"], record["visit"]) for record in survey.records["visit_definition"]]
    assert sorted(members.count(visit) for visit in set(members)) == [1] * 13 + [2]
    (double,) = (visit for visit in set(members) if members.count(visit) == 2)
    (record,) = (r for r in survey.records["visit"] if (r["instrument"], r["id"]) == double)
    assert record["exposure_time"] == 40.0


def test_validity_ranges_cover_the_nights_without_overlap(survey: Survey) -> None:
    nights = [begin_and_end(record["timespan"]) for record in survey.records["day_obs"]]
    for name in ("bias", "flat"):
        groups: dict[tuple[tuple[str, int | str], ...], list[tuple[int | None, int | None]]] = {}
        for file in survey.of(name):
            assert file.valid is not None
            groups.setdefault(tuple(file.data_id.items()), []).append(file.valid)
        for first, second in groups.values():
            assert first[0] == min(begin for begin, _ in nights)
            assert first[1] == second[0]
            assert second[1] is None
            assert second[0] in {begin for begin, _ in nights}


def test_exposures_lie_in_their_nights_and_visits_span_their_exposures(survey: Survey) -> None:
    nights = {(r["instrument"], r["id"]): begin_and_end(r["timespan"]) for r in survey.records["day_obs"]}
    exposures = {(r["instrument"], r["id"]): r for r in survey.records["exposure"]}
    for exposure in exposures.values():
        begin, end = begin_and_end(exposure["timespan"])
        night = nights[exposure["instrument"], exposure["day_obs"]]
        assert night[0] <= begin < end <= night[1]
    spans = {(r["instrument"], r["id"]): begin_and_end(r["timespan"]) for r in survey.records["visit"]}
    for member in survey.records["visit_definition"]:
        begin, end = begin_and_end(exposures[member["instrument"], member["exposure"]]["timespan"])
        span = spans[member["instrument"], member["visit"]]
        assert span[0] <= begin < end <= span[1]


# --------------------------------------------------------------------------------------------- the images


def test_raw_headers_agree_with_the_records(survey: Survey) -> None:
    exposures = {(record["instrument"], record["id"]): record for record in survey.records["exposure"]}
    for file in survey.of("raw"):
        header = fits.getheader(file.path)
        record = exposures[header["INSTRUME"], header["EXPID"]]
        assert (header["INSTRUME"], header["EXPID"], header["DETECTOR"]) == tuple(file.data_id.values())
        assert header["OBSID"] == record["obs_id"]
        assert header["FILTER"] == record["physical_filter"]
        assert header["EXPTIME"] == record["exposure_time"]
        assert header["TIMESYS"] == {"SkyCam": "TAI", "WideCam": "UTC"}[header["INSTRUME"]]
        begin = Time(header["DATE-OBS"], scale=header["TIMESYS"].lower())
        since = begin.tai - Time("1970-01-01", scale="tai")
        assert round(since.sec * 1e9) == pytest.approx(begin_and_end(record["timespan"])[0], abs=1000)
        assert header["MJD-OBS"] == pytest.approx(begin.mjd, abs=1e-9)
        assert (header["BITPIX"], header["BZERO"]) == (16, 32768)
        if record["can_see_sky"]:
            assert 1.0 <= header["AIRMASS"] < 2.5
            assert 1.0 <= header["SEEING"] <= 1.7
            assert (header["RA"], header["DEC"]) == (record["tracking_ra"], record["tracking_dec"])


def test_bright_stars_peak_at_their_catalogue_positions(survey: Survey, stars: Table) -> None:
    bands = {(r["instrument"], r["name"]): r["band"] for r in survey.records["physical_filter"]}
    checked = 0
    for file in science(survey):
        data, header = fits.getdata(file.path), fits.getheader(file.path)
        magnitude = np.asarray(stars[f"mag_{bands[header['INSTRUME'], header['FILTER']]}"])
        x, y = WCS(header).all_world2pix(stars["ra"], stars["dec"], 0)
        inside = np.flatnonzero((x > 8) & (x < SIDE - 9) & (y > 8) & (y < SIDE - 9))
        for star in inside[np.argsort(magnitude[inside])][:3]:
            near = (np.hypot(x - x[star], y - y[star]) < 15) & (magnitude < magnitude[star] + 4)
            if near.sum() > 1 or magnitude[star] > 18.5 or stars["size"][star] > 0:
                continue
            left, low = round(x[star]) - 6, round(y[star]) - 6
            row, column = np.unravel_index(np.argmax(data[low : low + 13, left : left + 13]), (13, 13))
            assert abs(left + column - x[star]) <= 1
            assert abs(low + row - y[star]) <= 1
            checked += 1
    assert checked > 20


def test_calibration_takes_bias_and_sky_off(survey: Survey) -> None:
    for file in survey.of("calexp"):
        image = CCDData.read(file.path)
        assert image.unit.to_string() == "uJy"
        assert image.shape == image.mask.shape == (SIDE, SIDE)
        sigma = np.sqrt(image.uncertainty.array)
        # Most pixels are sky: their scatter, taken from the middle half, is what the variance says.
        low, middle, high = np.percentile(image.data / sigma, (25, 50, 75))
        assert abs(middle) < 0.1
        assert (high - low) / 1.349 == pytest.approx(1, abs=0.1)


def test_calibrations_change_between_the_periods(survey: Survey) -> None:
    for name in ("bias", "flat"):
        first, *_ = survey.of(name, instrument="SkyCam", detector=0)
        (second,) = (f for f in survey.of(name, **first.data_id) if f.run != first.run)
        assert first.data_id == second.data_id
        difference = fits.getdata(second.path).astype(float) - fits.getdata(first.path)
        assert np.abs(difference).max() > 20


def test_whole_camera_file_holds_the_detectors_raws(survey: Survey) -> None:
    (file,) = survey.of("raw_camera")
    with fits.open(file.path) as hdus:
        assert hdus[0].data is None
        assert [hdu.name for hdu in hdus[1:]] == ["S00", "S01", "S10", "S11"]
        for single in survey.of("raw", **file.data_id):
            hdu = hdus[1 + int(single.data_id["detector"])]
            assert np.array_equal(hdu.data, fits.getdata(single.path))
            assert hdu.header["DETECTOR"] == single.data_id["detector"]


def test_coadds_show_the_stars_also_where_patches_overlap(survey: Survey, stars: Table) -> None:
    assert len(survey.of("deepCoadd")) == 8
    seen = np.zeros(len(stars), dtype=int)
    for file in survey.of("deepCoadd"):
        image = CCDData.read(file.path)
        x, y = image.wcs.all_world2pix(stars["ra"], stars["dec"], 0)
        bright = np.asarray((stars["mag_i"] < 19) & (stars["size"] == 0))
        inside = (x > 4) & (x < SIDE - 5) & (y > 4) & (y < SIDE - 5) & bright
        sigma = float(np.sqrt(np.median(image.uncertainty.array)))
        for star in np.flatnonzero(inside):
            assert image.data[round(y[star]), round(x[star])] > 20 * sigma
        seen += inside
    assert (seen > 1).any()


# -------------------------------------------------------------------------------------------- the regions


def test_regions_contain_what_they_bound(survey: Survey) -> None:
    visits = {(record["instrument"], record["id"]): record for record in survey.records["visit"]}
    regions = {
        (record["instrument"], record["visit"], record["detector"]): record["region"]
        for record in survey.records["visit_detector_region"]
    }
    assert len(regions) == len(survey.of("calexp"))
    for file in survey.of("calexp"):
        wcs = WCS(fits.getheader(file.path))
        instrument, visit, detector = file.data_id.values()
        own, whole = regions[instrument, visit, detector], visits[instrument, visit]["region"]
        for x, y in ((127.5, 127.5), (0, 0), (255, 0), (255, 255), (0, 255)):
            ra, dec = (float(value) for value in wcs.all_pix2world(x, y, 0))
            assert contains(own, ra, dec)
            assert contains(whole, ra, dec)
        outside = (float(value) for value in wcs.all_pix2world(-3, 127, 0))
        assert not contains(own, *outside)


def test_patches_lie_in_their_tract_and_meet_visits(survey: Survey) -> None:
    tracts = {record["id"]: region(record["region"]) for record in survey.records["tract"]}
    visits = [region(record["region"]) for record in survey.records["visit"]]
    for patch in survey.records["patch"]:
        bound = region(patch["region"])
        assert tracts[patch["tract"]].intersects(bound)
        assert tracts[patch["tract"]].contains(bound.getBoundingCircle().getCenter())
        assert any(visit.intersects(bound) for visit in visits)


# ------------------------------------------------------------------------------------ tables and metrics


def test_source_tables_have_units_and_true_positions(survey: Survey, stars: Table) -> None:
    # Near the equator, a degree of right ascension is a degree on the sky.
    known = {axis: stars[axis].value for axis in ("ra", "dec")}
    ids: set[int] = set()
    for file in survey.of("src"):
        table = Table.read(file.path)
        units = {name: str(table[name].unit) for name in table.colnames}
        assert units == {
            "id": "None",
            "ra": "deg",
            "dec": "deg",
            "x": "pix",
            "y": "pix",
            "flux": "uJy",
            "flux_err": "uJy",
            "flags": "None",
        }
        assert len(table) > 10
        assert (table["flux"] > 0).all()
        assert not ids & set(table["id"].tolist())
        ids |= set(table["id"].tolist())
        nearest = np.min(np.hypot(*(table[axis].value[:, None] - known[axis] for axis in known)), axis=1)
        assert np.median(nearest) * 3600 < 0.1
        near_edge = (table["x"] < 8) | (table["y"] < 8) | (table["x"] > SIDE - 9) | (table["y"] > SIDE - 9)
        assert ((table["flags"] & 1 == 1) == near_edge).all()


def test_metrics_count_the_sources(survey: Survey) -> None:
    for file in survey.of("visit_metrics"):
        metrics = json.loads(file.path.read_text())
        tables = survey.of("src", **file.data_id)
        assert metrics["n_stars"] == sum(len(Table.read(each.path)) for each in tables)
        (calexp, *_) = survey.of("calexp", **file.data_id)
        assert metrics["seeing"] == fits.getheader(calexp.path)["SEEING"]
