"""Curated calibrations: each dated file is valid until the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.table import Table

from skyfs import instruments
from skyfs.errors import Ambiguous, BadArgument, BadContent, Conflict, NotFound
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .samples import pixels


@pytest.fixture
def decam(repo: Repository) -> Repository:
    """Give a repository that knows DECam."""
    instruments.add(repo, "DECam")
    return repo


def defects(folder: Path, detector: str, date: str, x0: int) -> Path:
    path = folder / "defects" / detector / f"{date}.ecsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    Table({"x0": [x0], "width": [2]}).write(path)
    return path


@pytest.fixture
def curated(tmp_path: Path) -> Path:
    """Give a folder as the obs_*_data packages have them."""
    folder = tmp_path / "curated"
    defects(folder, "s29", "19700101T000000", 1)
    defects(folder, "s29", "20141105T115455", 2)
    defects(folder, "N31", "19700101T000000", 3)
    linearity = folder / "linearizer" / "s29" / "1970-01-01.json"
    linearity.parent.mkdir(parents=True)
    linearity.write_text(json.dumps({"gain": 1.5}))
    response = folder / "transmission_optics" / "19700101T000000.fits"
    response.parent.mkdir()
    fits.PrimaryHDU(pixels()).writeto(response)
    (folder / "README.md").write_text("about")
    return folder


def x0(repo: Repository, detector: int, time: str) -> int:
    found = repo.get("defects", collections="DECam/calib", time=time, instrument="DECam", detector=detector)
    assert isinstance(found, Table)
    return int(found["x0"][0])


def spans(repo: Repository, type_name: str = "defects") -> list[tuple[int, str]]:
    found = repo.query(type_name, collections="DECam/calib", find_first=False)
    return sorted((int(ref.data_id.get("detector", 0)), str(ref.valid)) for ref in found)


def test_each_is_valid_until_the_next(decam: Repository, curated: Path) -> None:
    done = instruments.ingest_curated(decam, curated, instrument="DECam")
    assert (len(done.refs), done.certified, done.present) == (5, 5, 0)
    assert spans(decam) == [
        (1, "19700101T000000--20141105T115455"),
        (1, "20141105T115455--max"),
        (62, "19700101T000000--max"),
    ]
    assert (x0(decam, 1, "2014-11-05T11:54:54"), x0(decam, 1, "2014-11-05T11:54:55")) == (1, 2)
    assert x0(decam, 62, "2030-01-01") == 3
    gain = decam.get("linearizer", collections="DECam/calib", instrument="DECam", detector=1)
    assert gain == {"gain": 1.5}
    assert decam.registry.current().type("transmission_optics").type.group.required == ("instrument",)
    with pytest.raises(Ambiguous):
        decam.find("defects", collections="DECam/calib", instrument="DECam", detector=1)
    runs = {one.name for one in decam.collections("DECam/calib/*")}
    assert runs == {
        f"DECam/calib/curated/{date}" for date in ("19700101T000000", "20141105T115455", "19700101")
    }


def test_again_is_no_change(decam: Repository, curated: Path) -> None:
    instruments.ingest_curated(decam, curated, instrument="DECam")
    before = snapshot(decam.root)
    done = instruments.ingest_curated(decam, curated, instrument="DECam")
    assert (done.refs, done.certified, done.present) == ((), 0, 5)
    assert snapshot(decam.root) == before


def test_new_dates_split_the_ranges_of_old_ones(decam: Repository, curated: Path) -> None:
    instruments.ingest_curated(decam, curated, instrument="DECam")
    decam.register("flat", ["detector"], "Dict", calibration=True)
    flat = decam.put({"level": 1}, "flat", run="DECam/flats", instrument="DECam", detector=1)
    decam.certify([flat], "DECam/calib", "2015-01-01", "2016-01-01")
    defects(curated, "S29", "20100101T000000", 4)
    defects(curated, "s29", "20200101T000000", 5)
    done = instruments.ingest_curated(decam, curated, instrument="DECam")
    assert (len(done.refs), done.certified, done.present) == (2, 4, 5)
    assert spans(decam) == [
        (1, "19700101T000000--20100101T000000"),
        (1, "20100101T000000--20141105T115455"),
        (1, "20141105T115455--20200101T000000"),
        (1, "20200101T000000--max"),
        (62, "19700101T000000--max"),
    ]
    assert [x0(decam, 1, f"{year}-06-01") for year in (2009, 2010, 2015, 2021)] == [1, 4, 2, 5]
    # What others have certified keeps its range.
    assert spans(decam, "flat") == [(1, "20150101T000000--20160101T000000")]
    assert spans(decam, "linearizer") == [(1, "19700101T000000--max")]


def test_a_date_that_is_gone_from_the_folder_stays(decam: Repository, curated: Path) -> None:
    instruments.ingest_curated(decam, curated, instrument="DECam")
    (curated / "defects" / "s29" / "19700101T000000.ecsv").unlink()
    defects(curated, "s29", "20200101T000000", 5)
    instruments.ingest_curated(decam, curated, instrument="DECam")
    assert [x0(decam, 1, f"{year}-06-01") for year in (2009, 2015, 2021)] == [1, 2, 5]


def test_another_collection(decam: Repository, curated: Path) -> None:
    instruments.ingest_curated(decam, curated, instrument="DECam", collection="u/me/calib")
    found = decam.find("defects", collections="u/me/calib", instrument="DECam", detector=62)
    assert found.run == "u/me/calib/curated/19700101T000000"


def test_other_bytes_of_a_date_are_a_conflict(decam: Repository, curated: Path) -> None:
    instruments.ingest_curated(decam, curated, instrument="DECam")
    path = curated / "defects" / "s29" / "19700101T000000.ecsv"
    path.unlink()
    defects(curated, "s29", "19700101T000000", 99)
    before = snapshot(decam.root)
    with pytest.raises(Conflict, match=r"19700101T000000\.ecsv.*has other bytes"):
        instruments.ingest_curated(decam, curated, instrument="DECam")
    assert snapshot(decam.root) == before


def test_an_overlap_with_what_others_certified_is_a_conflict(decam: Repository, curated: Path) -> None:
    decam.register("defects", ["detector"], "Table", calibration=True)
    own = decam.put(Table({"x0": [7]}), "defects", run="u/me", instrument="DECam", detector=1)
    decam.certify([own], "DECam/calib", "2015-01-01", None)
    before = snapshot(decam.root)
    with pytest.raises(Conflict, match="overlapping range"):
        instruments.ingest_curated(decam, curated, instrument="DECam")
    assert snapshot(decam.root) == before


@pytest.mark.parametrize(
    ("path", "content", "error", "message"),
    [
        ("defects/s99/19700101T000000.ecsv", "", NotFound, "no detector and no filter 's99'"),
        ("defects/s29/yesterday.ecsv", "", BadArgument, "not of that name"),
        ("defects/s29/20201301T000000.ecsv", "", BadArgument, "20201301"),
        ("defects/s29/20200101T000000", "", BadArgument, "not of that name"),
        ("defects/s30/20200101T000000.json", "{}", BadArgument, "one kind for each type"),
        ("defects/20200101T000000.ecsv", "", BadArgument, "some for detectors, some not"),
        ("de-fects/s29/20200101T000000.ecsv", "", BadArgument, "no name of a dataset type"),
        ("linearizer/s29/20200101T000000.json", "{", BadContent, r"20200101T000000\.json"),
    ],
)
def test_bad_folders_change_nothing(
    decam: Repository, curated: Path, path: str, content: str, error: type[Exception], message: str
) -> None:
    file = curated / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    before = snapshot(decam.root)
    with pytest.raises(error, match=message):
        instruments.ingest_curated(decam, curated, instrument="DECam")
    assert snapshot(decam.root) == before


def test_nothing_there(decam: Repository, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, camera, message in (
        ("none", "DECam", "no folder"),
        ("empty", "DECam", "no calibrations below"),
        ("empty", "HSC", "no instrument 'HSC'"),
    ):
        with pytest.raises(NotFound, match=message):
            instruments.ingest_curated(decam, tmp_path / folder, instrument=camera)
