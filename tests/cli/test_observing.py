"""instrument, ingest-raws, define-visits, ingest-curated."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits

import skyfs
from skyfs.testing.snapshot import snapshot

from .conftest import Command

DEFINITION = {
    "name": "MiniCam",
    "numbering": {"exposure_max": 1000},
    "detectors": [{"names": ["left", "right"]}],
    "filters": {"bands": {"R": "r"}},
    "header": {
        "exposure": "FRAME",
        "physical_filter": "FILT",
        "detector": "CHIP",
        "begin": "DATE-OBS",
        "exposure_time": "EXPTIME",
        "observation_type": "TYPE",
        "tracking_ra": "CRVAL1",
        "tracking_dec": "CRVAL2",
    },
}


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository, to be copied."""
    root = tmp_path_factory.mktemp("blank") / "sky"
    skyfs.create(root, options={"durability": "process"}).close()
    return root


@pytest.fixture
def empty(blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository that the command line takes when none is named."""
    root = tmp_path / "sky"
    shutil.copytree(blank, root)
    monkeypatch.setenv("SKYFS_REPO", str(root))
    monkeypatch.chdir(tmp_path)
    return root


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """The description of a camera."""
    path = tmp_path / "mini.yaml"
    path.write_text(yaml.safe_dump(DEFINITION))
    return path


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A science frame of each detector, and a bias."""
    folder = tmp_path / "night"
    folder.mkdir()
    for number, (chip, kind) in enumerate((("left", "science"), ("right", "science"), ("left", "bias"))):
        header = {"INSTRUME": "MiniCam", "FRAME": 7 + number // 2, "FILT": "R", "CHIP": chip}
        header |= {"DATE-OBS": f"2026-01-01T0{number // 2}:00:00", "EXPTIME": 10.0, "TYPE": kind}
        header |= {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 5.0 + number}
        header |= {"CDELT1": 0.1, "CDELT2": 0.1, "CRPIX1": 1.0, "CRPIX2": 1.0}
        fits.PrimaryHDU(np.ones((4, 4), "i2"), fits.Header(header)).writeto(folder / f"{number}.fits")
    return folder


@pytest.mark.usefixtures("empty")
def test_from_raws_to_visits(run: Command, mini: Path, night: Path) -> None:
    assert run.lines("instrument", "add", mini) == ["MiniCam: 2 detectors, 1 filters"]
    assert run.lines("ingest-raws", night) == ["3 new of 2 new exposures"]
    assert run.lines("ingest-raws", night / "*.fits") == ["0 new of 0 new exposures, 3 there already"]
    assert run.lines("find", "/MiniCam") == [
        "/MiniCam/raw/all/raw/instrument=MiniCam/day_obs=20260101/exposure=7/detector=0.fits",
        "/MiniCam/raw/all/raw/instrument=MiniCam/day_obs=20260101/exposure=7/detector=1.fits",
        "/MiniCam/raw/all/raw/instrument=MiniCam/day_obs=20260101/exposure=8/detector=0.fits",
    ]
    assert run.lines("define-visits", "MiniCam", "--padding-pix", "0") == [
        "1 new visits, 0 changed, 2 regions computed",
        "1 exposures saw no sky",
    ]
    again = run.lines("define-visits", "MiniCam", "day_obs=20260101", "--system", "by-group")
    assert again[0] == "1 new visits, 0 changed, 2 regions computed"
    assert [one["id"] for one in run.json("records", "visit", "--json")] == [7, 1007]  # type: ignore[attr-defined]
    none = run.lines("define-visits", "MiniCam", "--where", "exposure.exposure_time > 50")
    assert none == ["0 new visits, 0 changed, 0 regions computed"]


@pytest.mark.usefixtures("empty")
def test_an_instrument_may_be_given_with_the_raws(run: Command, mini: Path, night: Path) -> None:
    options = ("-i", mini, "--run", "u/raws", "--mode", "direct")
    assert run.lines("ingest-raws", *options, night / "0.fits") == ["1 new of 1 new exposures"]
    assert run.lines("define-visits", "MiniCam", "-c", "u/raws", "-e", "7") == [
        "1 new visits, 0 changed, 1 regions computed"
    ]


def test_bad_files_stop_all_or_are_skipped(run: Command, empty: Path, mini: Path, night: Path) -> None:
    run.lines("instrument", "add", mini)
    (night / "1.fits").write_bytes(b"no")
    before = snapshot(empty)
    assert "1.fits" in run.fails("ingest-raws", night)
    assert snapshot(empty) == before
    done = run("ingest-raws", "--skip-bad", night)
    assert (done.exit_code, done.stdout) == (0, "2 new of 2 new exposures\n")
    assert done.stderr.startswith("skyfs: skipped: ingest")
    assert "1.fits" in done.stderr
    (night / "0.fits").unlink()
    (night / "2.fits").unlink()
    done = run("ingest-raws", "--skip-bad", night)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "skyfs: no file could be taken"


@pytest.mark.usefixtures("empty")
def test_instruments_are_listed_and_shown(run: Command, mini: Path) -> None:
    run.lines("instrument", "add", "HSC")
    run.lines("instrument", "add", mini)
    listed = [line.split("\t") for line in run.lines("instrument", "list")]
    assert [line[:2] for line in listed if line[1]] == [["HSC", "recorded"], ["MiniCam", "recorded"]]
    assert ["LSSTCam", "", "205 detectors, 11 filters"] in listed
    assert run.lines("instrument", "show", "MiniCam") == ["0\tleft\t\tSCIENCE", "1\tright\t\tSCIENCE"]
    shown = run.json("instrument", "show", mini, "--json")
    assert shown == DEFINITION
    names = [one["name"] for one in run.json("instrument", "list", "--json")]  # type: ignore[attr-defined]
    assert names == ["DECam", "HSC", "LATISS", "LSSTCam", "MegaPrime", "MiniCam", "SuprimeCam"]


@pytest.mark.usefixtures("sky")
def test_an_instrument_that_came_otherwise_is_listed(run: Command) -> None:
    assert "HSC\trecorded\t112 detectors, 26 filters" in run.lines("instrument", "list")


@pytest.mark.usefixtures("empty")
def test_curated_calibrations(run: Command, mini: Path, tmp_path: Path) -> None:
    run.lines("instrument", "add", mini)
    folder = tmp_path / "curated" / "gain" / "left"
    folder.mkdir(parents=True)
    (folder / "19700101T000000.json").write_text('{"gain": 1}')
    (folder / "20200101T000000.json").write_text('{"gain": 2}')
    command = ("ingest-curated", tmp_path / "curated", "-i", "MiniCam")
    assert run.lines(*command) == ["2 new calibrations, 2 validity ranges"]
    assert run.lines(*command) == ["0 new calibrations, 0 validity ranges, 2 there already"]
    data_id = ("instrument=MiniCam", "detector=0", "-c", "MiniCam/calib", "--time", "2021-01-01")
    run.lines("get", "gain", *data_id, "-o", "gain.json")
    assert (tmp_path / "gain.json").read_text() == '{"gain": 2}'


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        (("instrument", "add", "Kodak"), 1, "DECam, HSC"),
        (("instrument", "add", "none.yaml"), 1, "none.yaml"),
        (("ingest-raws", "none.fits"), 1, "none.fits"),
        (("ingest-raws",), 2, "FILES"),
        (("define-visits", "HSC"), 1, "skyfs instrument add HSC"),
        (("define-visits", "HSC", "--padding-pix", "wide"), 2, "wide"),
        (("define-visits", "HSC", "--padding-pix", "1", "--padding-deg", "1"), 2, "give one of them"),
        (("define-visits", "HSC", "night"), 2, "KEY=VALUE"),
        (("ingest-curated", "."), 2, "instrument"),
        (("ingest-curated", "none", "-i", "HSC"), 1, "no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refusals_are_one_line(run: Command, command: tuple[str, ...], status: int, message: str) -> None:
    assert message in run.fails(*command, status=status)
