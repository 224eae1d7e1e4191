"""Raws taken in: values of their headers, ids, what is there already, what is refused."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from astro_metadata_translator import ObservationInfo
from astropy.io import fits
from astropy.time import Time, TimeDelta

import skyfs
from skyfs import instruments
from skyfs.errors import BadArgument, BadContent, BadDataId, Conflict, NotFound, SkyfsError, Unsupported
from skyfs.model.ids import raw_id
from skyfs.model.timespan import Timespan
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .samples import cards, decam, hsc, megaprime, pixels, real_headers, write
from .test_definition import MINI


def degrees(angle: Any) -> float | None:  # noqa: ANN401 - of astropy
    return None if angle is None else float(angle.deg)


def expected(info: ObservationInfo) -> dict[str, object]:
    """Give the record that follows from what astro_metadata_translator says."""
    assert info.datetime_begin is not None
    assert info.datetime_end is not None
    sky = None if info.tracking_radec is None else info.tracking_radec.icrs
    horizon = info.altaz_begin
    span = Timespan.of(info.datetime_begin.tai, info.datetime_end.tai)
    on_sky = info.boresight_rotation_coord == "sky"
    return {
        "instrument": info.instrument,
        "id": info.exposure_id,
        "obs_id": info.observation_id,
        "physical_filter": info.physical_filter,
        "group": info.exposure_group,
        "day_obs": info.observing_day,
        "exposure_time": None if info.exposure_time is None else info.exposure_time.to_value("s"),
        "dark_time": None if info.dark_time is None else info.dark_time.to_value("s"),
        "observation_type": info.observation_type,
        "observation_reason": info.observation_reason,
        "seq_num": info.observation_counter,
        "seq_start": info.group_counter_start,
        "seq_end": info.group_counter_end,
        "target_name": info.object,
        "science_program": info.science_program,
        "tracking_ra": None if sky is None else degrees(sky.ra),
        "tracking_dec": None if sky is None else degrees(sky.dec),
        "sky_angle": degrees(info.boresight_rotation_angle) if on_sky else None,
        "azimuth": None if horizon is None else degrees(horizon.az),
        "zenith_angle": None if horizon is None else degrees(horizon.zen),
        "has_simulated": info.has_simulated_content,
        "can_see_sky": info.can_see_sky,
        "timespan": span,
    }


def test_real_headers_give_what_the_translator_says(
    repo: Repository, shared_data: Path | None, tmp_path: Path
) -> None:
    headers = real_headers(shared_data)
    files = {name: write(tmp_path / f"{name}.fits", header) for name, header in headers.items()}
    done = instruments.ingest_raws(repo, files.values())
    assert (len(done.refs), done.exposures, done.present, done.skipped) == (len(files), len(files), (), ())
    on_the_horizon = 0
    for file, ref in zip(files.values(), done.refs, strict=True):
        info = ObservationInfo(fits.getheader(file))
        (record,) = repo.records("exposure", instrument=info.instrument, id=info.exposure_id)
        assert record == expected(info)
        on_the_horizon += record["azimuth"] is not None
        assert dict(ref.data_id) == {
            "instrument": info.instrument,
            "exposure": info.exposure_id,
            "detector": info.detector_num,
        }
        assert ref.id == raw_id("raw", f"{info.instrument}/raw/all", ref.data_id)
        got = repo.get(ref)
        assert isinstance(got, fits.HDUList)
        np.testing.assert_array_equal(got[0].data, pixels())
        assert got[0].header["INSTRUME" if "INSTRUME" in got[0].header else "EXP-ID"]
        assert info.observing_day_offset is not None
        (night,) = repo.records("day_obs", instrument=info.instrument, id=info.observing_day)
        midnight = Time.strptime(str(info.observing_day), "%Y%m%d", scale="tai")
        begin = midnight + info.observing_day_offset
        assert night["timespan"] == Timespan.of(begin, begin + TimeDelta(1, format="jd"))
    assert on_the_horizon


def test_no_header_makes_it_look_on_the_network(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        raise OSError(101, "no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    header = {key: value for key, value in decam().items() if not key.startswith(("OBS-L", "OBS-E"))}
    file = write(tmp_path / "a.fits", header)
    # What ships with skyfs says where the observatory is; another definition may not.
    placeless = {key: value for key, value in instruments.load("DECam").source.items() if key != "defaults"}
    instruments.ingest_raws(repo, file, instrument={**placeless, "name": "Nowhere"})
    instruments.ingest_raws(repo, file)
    assert asked == []
    record, nowhere = repo.records("exposure")
    assert (nowhere["instrument"], nowhere["obs_id"]) == ("Nowhere", record["obs_id"])
    assert record["tracking_ra"] == pytest.approx(42.82, abs=0.01)
    assert record["azimuth"] == 61.24


def test_the_id_is_the_same_at_every_site(repo: Repository, tmp_path: Path) -> None:
    (ref,) = instruments.ingest_raws(repo, write(tmp_path / "a.fits", hsc())).refs
    # uuid5 of "dataset_type=raw,run=HSC/raw/all,detector=50,exposure=904024,instrument=HSC"
    assert ref.id == raw_id("raw", "HSC/raw/all", {"instrument": "HSC", "exposure": 904024, "detector": 50})
    assert ref.id.version == 5
    assert repo.path(ref) == (
        "/HSC/raw/all/raw/instrument=HSC/day_obs=20131102/exposure=904024/detector=50.fits"
    )


def test_again_is_no_change(repo: Repository, tmp_path: Path) -> None:
    file = write(tmp_path / "night" / "a.fits", decam())
    instruments.ingest_raws(repo, file)
    before = snapshot(repo.root)
    done = instruments.ingest_raws(repo, tmp_path / "night")
    assert (done.refs, done.exposures, done.present) == ((), 0, (str(file),))
    assert snapshot(repo.root) == before


def test_other_bytes_of_the_same_raw_are_a_conflict(repo: Repository, tmp_path: Path) -> None:
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", decam()))
    other = write(tmp_path / "b.fits", decam(object="another"))
    before = snapshot(repo.root)
    with pytest.raises(Conflict, match=r"b\.fits.*has other bytes"):
        instruments.ingest_raws(repo, other)
    assert snapshot(repo.root) == before


def test_other_bytes_are_told_by_size_where_there_is_no_digest(repo: Repository, tmp_path: Path) -> None:
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", decam()), mode="direct")
    with pytest.raises(Conflict, match="has other bytes"):
        instruments.ingest_raws(repo, write(tmp_path / "b.fits", decam(), (80, 60)), mode="direct")


def test_more_detectors_of_an_exposure(repo: Repository, tmp_path: Path) -> None:
    one = write(tmp_path / "25.fits", decam())
    two = write(tmp_path / "26.fits", decam(ccdnum=26, detpos="S2", object="spelled otherwise"))
    three = write(tmp_path / "27.fits", decam(ccdnum=27, detpos="S3"))
    assert instruments.ingest_raws(repo, [one, two]).exposures == 1
    assert instruments.ingest_raws(repo, three).exposures == 0
    (record,) = repo.records("exposure")
    assert record["target_name"] == "SN-S1"
    assert len(list(repo.query("raw", collections="DECam/raw/all"))) == 3


@pytest.mark.parametrize("together", [True, False], ids=["in one call", "in two"])
def test_files_of_an_exposure_have_to_agree(repo: Repository, tmp_path: Path, together: bool) -> None:  # noqa: FBT001
    one = write(tmp_path / "25.fits", decam())
    two = write(
        tmp_path / "26.fits", decam(ccdnum=26, detpos="S2", filter="r DECam SDSS c0002 6415.0 1480.0")
    )
    if not together:
        instruments.ingest_raws(repo, one)
    with pytest.raises(Conflict, match=r"26\.fits.*its physical_filter is 'r DECam"):
        instruments.ingest_raws(repo, [one, two])
    assert len(list(repo.records("exposure"))) == (0 if together else 1)
    done = instruments.ingest_raws(repo, [one, two], on_error="skip")
    assert [Path(path).name for path, _ in done.skipped] == ["26.fits"]


def test_the_same_raw_in_two_files(repo: Repository, tmp_path: Path) -> None:
    files = [write(tmp_path / name, decam()) for name in ("a.fits", "b.fits")]
    with pytest.raises(Conflict, match=r"b\.fits.*a\.fits' is the same raw"):
        instruments.ingest_raws(repo, files)
    done = instruments.ingest_raws(repo, files, on_error="skip")
    assert (len(done.refs), len(done.skipped)) == (1, 1)


@pytest.mark.parametrize(
    ("begin", "day_obs"),
    # DTUTC is left out, so that the end follows. UTC was 35 s behind TAI, which the night goes by.
    [("2013-09-01T11:59:24.999", 20130831), ("2013-09-01T11:59:25.001", 20130901)],
)
def test_the_night_begins_twelve_hours_after_midnight(
    repo: Repository, tmp_path: Path, begin: str, day_obs: int
) -> None:
    header = decam(date_obs=begin)
    del header["DTUTC"]
    (ref,) = instruments.ingest_raws(repo, write(tmp_path / "a.fits", header)).refs
    assert f"/day_obs={day_obs}/" in repo.path(ref)
    (night,) = repo.records("day_obs")
    (exposure,) = repo.records("exposure")
    assert night["id"] == day_obs
    span, during = night["timespan"], exposure["timespan"]
    assert isinstance(span, Timespan)
    assert isinstance(during, Timespan)
    assert during.begin_ns is not None
    assert span.contains(during.begin_ns)
    assert str(span) == f"{day_obs}T120000--{day_obs + 1 if day_obs == 20130901 else 20130901}T120000"


def test_a_definition_may_begin_the_night_elsewhere(repo: Repository, tmp_path: Path) -> None:
    known = {**instruments.load("DECam").source, "night_begins_hours": 0}
    instruments.ingest_raws(repo, write(tmp_path / "a.fits", decam()), instrument=known)
    (night,) = repo.records("day_obs")
    assert (night["id"], str(night["timespan"])) == (20130901, "20130901T000000--20130902T000000")


def test_an_exposure_without_length_lasts_a_moment(repo: Repository, tmp_path: Path) -> None:
    header = decam(exptime=0.0, obstype="zero", dtutc="2013-09-01T06:02:55.753848")
    instruments.ingest_raws(repo, write(tmp_path / "bias.fits", header))
    (record,) = repo.records("exposure")
    span = record["timespan"]
    assert isinstance(span, Timespan)
    assert span.end_ns == (span.begin_ns or 0) + 1
    assert (record["can_see_sky"], record["physical_filter"]) == (False, "solid plate 0.0 0.0")


# -- which files ---------------------------------------------------------------------------------------


def test_folders_globs_and_packed_files(repo: Repository, tmp_path: Path) -> None:
    plain = write(tmp_path / "night" / "deep" / "a.fits", hsc())
    packed = tmp_path / "night" / "b.fits.fz"
    header = hsc(exp_id="HSCA90402600", det_id=51)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels(), cards(header))]).writeto(packed)
    zipped = tmp_path / "night" / "c.fits.gz"
    other = write(tmp_path / "c.fits", hsc(exp_id="HSCA90402800", det_id=52))
    zipped.write_bytes(gzip.compress(other.read_bytes(), mtime=0))
    (tmp_path / "night" / "README.txt").write_text("no raw")
    done = instruments.ingest_raws(repo, tmp_path / "night")
    found = {repo.path(ref).partition("exposure=")[2] for ref in done.refs}
    assert found == {"904024/detector=50.fits", "904026/detector=51.fits.fz", "904028/detector=52.fits.gz"}
    again = instruments.ingest_raws(repo, [str(tmp_path / "night" / "*.f*"), plain])
    assert sorted(again.present) == sorted(map(str, [packed, zipped, plain]))


def test_nothing_to_take_is_an_error(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given, message in (
        (tmp_path / "empty", "no FITS file below"),
        (tmp_path / "none.fits", "no file"),
        (str(tmp_path / "*.fits"), "nothing matches"),
    ):
        with pytest.raises(NotFound, match=message):
            instruments.ingest_raws(repo, given)


def test_modes(repo: Repository, tmp_path: Path) -> None:
    stays, goes = (
        write(tmp_path / "a.fits", decam()),
        write(tmp_path / "b.fits", decam(expnum=5, obsid="ct5")),
    )
    (direct,) = instruments.ingest_raws(repo, stays, mode="direct").refs
    instruments.ingest_raws(repo, goes, mode="move", run="DECam/raw/more")
    assert (stays.exists(), goes.exists()) == (True, False)
    location, source = repo.open_bytes(repo.resolve("raw", collections="DECam/raw/all", **direct.data_id))
    with source:
        assert (location.owned, source.read_all()) == (False, stays.read_bytes())
    with pytest.raises(BadArgument, match="mode 'teleport'"):
        instruments.ingest_raws(repo, write(tmp_path / "c.fits", decam(expnum=6, obsid="c")), mode="teleport")
    assert [one["id"] for one in repo.records("exposure")] == [5, 229388]


@pytest.mark.parametrize("header", [decam(extname="S1"), megaprime()], ids=["DECam", "MegaPrime"])
def test_one_detector_in_an_extension(repo: Repository, tmp_path: Path, header: Mapping[str, Any]) -> None:
    file = tmp_path / "a.fits.fz"
    primary = {key: value for key, value in header.items() if key in ("INSTRUME", "OBJECT", "FILTER")}
    rest = {key: value for key, value in header.items() if key != "OBJECT"}
    fits.HDUList(
        [
            fits.PrimaryHDU(header=cards(primary)),
            fits.CompImageHDU(pixels(), cards(rest), name=header["EXTNAME"]),
        ]
    ).writeto(file)
    (ref,) = instruments.ingest_raws(repo, file).refs
    assert ref.data_id["detector"] == (25 if header["INSTRUME"] == "DECam" else 2)
    (record,) = repo.records("exposure")
    assert record["target_name"] == header["OBJECT"]


def test_an_extension_of_any_name_may_be_the_only_detector(repo: Repository, tmp_path: Path) -> None:
    file = tmp_path / "a.fits"
    image = fits.ImageHDU(pixels(), cards(decam()), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(file)
    (ref,) = instruments.ingest_raws(repo, file).refs
    assert ref.data_id["detector"] == 25


def test_of_two_names_the_last_is_the_detector(repo: Repository, tmp_path: Path) -> None:
    file = tmp_path / "a.fits"
    images = []
    for number in (3, 4):
        header = cards(megaprime(extname="COMPRESSED_IMAGE"))
        header.append(("EXTNAME", f"ccd{number:02}"), end=True)
        images.append(fits.ImageHDU(pixels(), header))
    guider = fits.ImageHDU(pixels(), cards(megaprime(extname="guide")))
    fits.HDUList([fits.PrimaryHDU(), *images, guider]).writeto(file)
    assert file.read_bytes().count(b"COMPRESSED_IMAGE") == 2
    refs = instruments.ingest_raws(repo, file, mode="direct").refs
    assert [ref.data_id["detector"] for ref in refs] == [3, 4]


def whole_camera(path: Path, *, packed: bool = False) -> Path:
    """Write a file of two detectors and a guider, as DECam does."""
    make = fits.CompImageHDU if packed else fits.ImageHDU
    names = {1: "S29", 2: "S30", 70: "GN1"}
    hdus = [
        make(pixels() + number, cards(decam(ccdnum=number, detpos=name, extname=name)))
        for number, name in names.items()
    ]
    fits.HDUList([fits.PrimaryHDU(header=cards(decam())), *hdus]).writeto(path)
    return path


def test_a_file_of_several_exposures_is_no_exposure_of_the_first(repo: Repository, tmp_path: Path) -> None:
    first, second = decam(extname="S1"), decam(extname="S2", ccdnum=26, expnum=7, obsid="ct7", object="M31")
    images = [fits.ImageHDU(pixels(), cards(header)) for header in (first, second)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "a.fits")
    refs = instruments.ingest_raws(repo, tmp_path / "a.fits").refs
    assert [(ref.data_id["exposure"], ref.data_id["detector"]) for ref in refs] == [(229388, 25), (7, 26)]
    assert [one["target_name"] for one in repo.records("exposure")] == ["M31", "SN-S1"]


@pytest.mark.parametrize("packed", [False, True])
def test_detectors_of_one_file_are_parts_of_it(repo: Repository, tmp_path: Path, packed: bool) -> None:  # noqa: FBT001
    file = whole_camera(tmp_path / ("all.fits.fz" if packed else "all.fits"), packed=packed)
    first, second = instruments.ingest_raws(repo, file, mode="direct").refs
    fs = skyfs.filesystem(repo)
    for number, ref in enumerate((first, second), 1):
        path = repo.path(ref)
        data = fs.cat_file(path)
        with fits.open(file) as hdus:
            filed = [hdus[0].fileinfo(), hdus[number].fileinfo()]
        ends = [info["datLoc"] + info["datSpan"] for info in filed]
        whole = file.read_bytes()
        assert data == whole[: ends[0]] + whole[filed[1]["hdrLoc"] : ends[1]]
        assert fs.info(path)["size"] == len(data)
        assert fs.cat_file(path, ends[0] - 7, ends[0] + 9) == data[ends[0] - 7 : ends[0] + 9]
        got = repo.get(ref)
        assert isinstance(got, fits.HDUList)
        np.testing.assert_array_equal(got[1].data, pixels() + number)
    again = instruments.ingest_raws(repo, file, mode="direct")
    assert (again.refs, again.present) == ((), (str(file), str(file)))
    assert instruments.define_visits(repo, "DECam", padding_pix=0).regions == 2
    repo.remove([first])
    assert file.exists()
    assert fs.cat_file(repo.path(second)) == data
    assert len(instruments.ingest_raws(repo, file, mode="direct").refs) == 1


def test_a_file_that_has_lost_a_part_is_damaged(repo: Repository, tmp_path: Path) -> None:
    file = whole_camera(tmp_path / "all.fits")
    _, second = instruments.ingest_raws(repo, file, mode="direct").refs
    write(tmp_path / "other.fits", decam()).rename(file)
    with pytest.raises(BadContent, match="HDU 2 of a FITS file"):
        repo.get(second)


@pytest.mark.parametrize("mode", ["auto", "copy", "move", "link", "symlink", "direct"])
def test_parts_of_a_zipped_file_are_refused(repo: Repository, tmp_path: Path, mode: str) -> None:
    file = tmp_path / "all.fits.gz"
    file.write_bytes(gzip.compress(whole_camera(tmp_path / "all.fits").read_bytes()))
    before = snapshot(repo.root)
    with pytest.raises(
        Unsupported, match=r"all\.fits\.gz.*2 detectors.*unpack it, or compress it with fpack"
    ):
        instruments.ingest_raws(repo, file, mode=mode)
    assert snapshot(repo.root) == before
    assert len(instruments.ingest_raws(repo, file, mode=mode, on_error="skip").skipped) == 1


# -- what is refused -----------------------------------------------------------------------------------


def truncated(folder: Path) -> Path:
    file = write(folder / "bad.fits", decam())
    file.write_bytes(file.read_bytes()[:-2880])
    return file


def no_fits(folder: Path) -> Path:
    file = folder / "bad.fits"
    file.write_bytes(b"GIF89a")
    return file


def no_gzip(folder: Path) -> Path:
    file = folder / "bad.fits.gz"
    file.write_bytes(b"no gzip")
    return file


def no_extension(folder: Path) -> Path:
    file = folder / "bad.tex"
    file.write_bytes(b"text")
    return file


def without(key: str) -> Mapping[str, Any]:
    return {name: value for name, value in decam().items() if name != key}


def headed(**changes: object) -> Any:  # noqa: ANN401 - a function that writes a file
    return lambda folder: write(folder / "bad.fits", decam(**changes))


BAD = {
    "truncated": (truncated, BadContent, "truncated"),
    "no FITS": (no_fits, BadContent, "not a FITS file"),
    "no gzip": (no_gzip, BadContent, "gzip"),
    "no FITS extension": (no_extension, SkyfsError, "extension"),
    "no keywords": (lambda folder: write(folder / "bad.fits", {}), BadDataId, "INSTRUME is None"),
    "another instrument": (headed(instrume="Kodak", filter="chrome"), BadDataId, "'Kodak'.*DECam, HSC"),
    "no exposure": (lambda folder: write(folder / "bad.fits", without("EXPNUM")), BadDataId, "exposure_id"),
    "no date": (
        lambda folder: write(folder / "bad.fits", without("DATE-OBS")),
        BadDataId,
        "not one of a raw of DECam",
    ),
    "a date that is none": (headed(date_obs="yesterday"), BadDataId, "yesterday"),
    "a detector that there is not": (headed(ccdnum=70), BadDataId, "no detector '70'"),
    "a filter that there is not": (headed(filter="plaid"), BadDataId, "'plaid'"),
    "an exposure out of range": (headed(expnum=2**25), BadDataId, "numbered below 33554432"),
    "no pixels": (lambda folder: write(folder / "bad.fits", decam(), (0, 0)), BadDataId, "no.* image"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_change_nothing_or_are_skipped(repo: Repository, tmp_path: Path, case: str) -> None:
    make, error, message = BAD[case]
    folder = tmp_path / "files"
    good = write(folder / "good.fits", hsc())
    bad = make(folder)
    before = snapshot(repo.root)
    with pytest.raises(error, match=message) as caught:
        instruments.ingest_raws(repo, [good, bad])
    assert str(bad) in str(caught.value)
    assert snapshot(repo.root) == before
    done = instruments.ingest_raws(repo, [bad, good], on_error="skip")
    assert [(path, type(reason)) for path, reason in done.skipped] == [(str(bad), type(caught.value))]
    assert [str(ref.data_id["instrument"]) for ref in done.refs] == ["HSC"]


def test_an_unknown_way_to_meet_errors(repo: Repository, tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", decam())
    with pytest.raises(BadArgument, match="on_error"):
        instruments.ingest_raws(repo, file, on_error="ignore")  # type: ignore[arg-type] # that is the test
    assert not list(repo.records("instrument"))


# -- an instrument of one's own ------------------------------------------------------------------------


def mini(**changes: object) -> dict[str, object]:
    header = {"INSTRUME": "Mini Cam 2000", "FRAME": 17, "FILT": "Blue B", "CHIP": "RIGHT", "EXPMIN": 1.5}
    return {**header, "DATE-OBS": "2026-01-02T11:00:00", **changes}


def test_a_camera_of_a_yaml_file(repo: Repository, tmp_path: Path) -> None:
    file = write(tmp_path / "a.fits", mini())
    with pytest.raises(BadDataId, match="Mini Cam 2000"):
        instruments.ingest_raws(repo, file)
    (ref,) = instruments.ingest_raws(repo, file, instrument=MINI).refs
    assert dict(ref.data_id) == {"instrument": "MiniCam", "exposure": 17, "detector": 1}
    (record,) = repo.records("exposure")
    span = record["timespan"]
    assert isinstance(span, Timespan)
    # UTC was 37 s behind TAI.
    assert str(span) == "20260102T110037--20260102T110207"
    assert (record["day_obs"], record["physical_filter"], record["exposure_time"]) == (
        20260101,
        "Blue B",
        90.0,
    )
    assert (record["obs_id"], record["group"], record["has_simulated"]) == ("17", "17", False)
    (glass,) = repo.records("physical_filter", name="Blue B")
    assert glass["band"] == "b"


def test_a_camera_that_was_added_is_recognised(repo: Repository, tmp_path: Path) -> None:
    instruments.add(repo, MINI)
    done = instruments.ingest_raws(
        repo, [write(tmp_path / "a.fits", mini()), write(tmp_path / "b.fits", hsc())]
    )
    assert {str(ref.data_id["instrument"]) for ref in done.refs} == {"MiniCam", "HSC"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"FRAME": "x"}, r"FRAME is 'x'.*whole number"),
        ({"FRAME": "  "}, "no exposure: it should have FRAME"),
        ({"EXPMIN": "long"}, r"EXPMIN is 'long'.*number in min"),
        ({"DATE-OBS": "soon"}, r"DATE-OBS is 'soon'.*time in the format isot"),
        ({"CHIP": "middle"}, "no detector 'middle'"),
    ],
)
def test_headers_that_rules_cannot_read(
    repo: Repository, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    file = write(tmp_path / "a.fits", mini(**changes))
    with pytest.raises(BadDataId, match=message):
        instruments.ingest_raws(repo, file, instrument=MINI)


LSSTCAM = {
    "INSTRUME": "LSSTCam",
    "DAYOBS": "20250415",
    "SEQNUM": 88,
    "CONTRLLR": "O",
    "OBSID": "MC_O_20250415_000088",
    "RAFTBAY": "R22",
    "CCDSLOT": "S11",
    "FILTER": "i_39",
    "GROUPID": "2025-04-16T00:01:02.345",
    "DATE-BEG": "2025-04-16T00:02:00.5",
    "DATE-END": "2025-04-16T00:02:30.5",
    "EXPTIME": 30.0,
    "IMGTYPE": "OBJECT",
    "REASON": "survey",
    "OBJECT": "COSMOS",
    "PROGRAM": "BLOCK-1",
    "RASTART": 150.1,
    "DECSTART": 2.2,
    "ROTPA": 12.5,
    "AZSTART": 80.0,
    "ELSTART": 60.0,
}


def test_lsstcam_is_read_by_its_rules(repo: Repository, tmp_path: Path) -> None:
    lab = {**LSSTCAM, "CONTRLLR": "C", "OBSID": "MC_C_20250415_000088", "IMGTYPE": "BIAS"}
    files = [write(tmp_path / f"{n}.fits", header) for n, header in enumerate((LSSTCAM, lab))]
    refs = instruments.ingest_raws(repo, files).refs
    assert [ref.data_id["exposure"] for ref in refs] == [2025041500088, 3025041500088]
    assert refs[0].data_id["detector"] == 94
    sky, bias = repo.records("exposure")
    told = ("day_obs", "group", "observation_type", "tracking_ra", "zenith_angle", "sky_angle", "can_see_sky")
    assert [sky[name] for name in told] == [
        *(20250415, "2025-04-16T00:01:02.345", "science", 150.1, 30.0, 12.5, True)
    ]
    assert (bias["observation_type"], bias["can_see_sky"]) == ("bias", False)
    assert str(sky["timespan"]) == "20250416T000200.5--20250416T000230.5"


def test_ids_may_be_given_to_any_ingest(repo: Repository, tmp_path: Path) -> None:
    own = UUID("11111111-1111-5111-8111-111111111111")
    repo.register("note", [], "Text")
    file = tmp_path / "note.txt"
    file.write_text("seen")
    (ref,) = repo.ingest([skyfs.IngestFile(file, {}, id=own)], "note", run="u/a")
    assert ref.id == own
    before = snapshot(repo.root)
    with pytest.raises(Conflict, match="the id is taken"):
        repo.ingest([skyfs.IngestFile(file, {}, id=own)], "note", run="u/b")
    assert snapshot(repo.root) == before
