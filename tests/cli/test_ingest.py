"""ingest: files of any names, with data IDs from headers and names."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

from skyfs.testing.snapshot import snapshot

from .conftest import Command

pytestmark = pytest.mark.usefixtures("sky")


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    """Three exposures of a camera that the repository does not know."""
    folder = tmp_path / "night"
    folder.mkdir()
    for number in (7, 8, 9):
        header = fits.Header({"INSTRUME": "Mini", "FILTER": "B ", "NIGHT": 20260101, "EXPTIME": number + 0.5})
        fits.PrimaryHDU([[number] * 4] * 4, header).writeto(folder / f"dsc_{number:04}_b.fits")
    return sorted(folder.iterdir())


RULES = (
    *("--id", "instrument=header:INSTRUME"),
    *("--id", r"exposure=name:_(\d+)_"),
    *("--id", "physical_filter=header:FILTER"),
    *("--id", r"band=name:_(?P<band>[a-z])\."),
    *("--id", "group=one"),
    *("--id", "day_obs=header:NIGHT"),
    *("--id", "exposure.exposure_time=header:EXPTIME"),
)


def test_ingest_defines_records_registers_the_type_and_stores(run: Command, frames: list[Path]) -> None:
    assert run.lines("ingest", "-t", "frame", "-r", "mini/raw", *RULES, "--define", *frames) == [
        "3 frame in mini/raw"
    ]
    folder = "/mini/raw/frame/instrument=Mini/day_obs=20260101"
    assert run.lines("find", "/mini") == [f"{folder}/exposure={number}.fits" for number in (7, 8, 9)]
    found = run.json("info", "--json", f"{folder}/exposure=8.fits")
    assert isinstance(found, dict)
    assert (found["physical_filter"], found["band"], found["group"]) == ("B", "b", "one")
    assert found["exposure.exposure_time"] == 8.5
    assert "frame\tinstrument exposure\tHdus\t" in run.lines("types")
    assert run("cat", f"{folder}/exposure=8.fits").stdout_bytes == frames[1].read_bytes()


def test_without_define_what_is_missing_is_named(run: Command, sky: Path, frames: list[Path]) -> None:
    before = snapshot(sky)
    said = run.fails("ingest", "-t", "frame", "-r", "mini/raw", *RULES, *frames)
    assert "dsc_0007_b.fits': instrument 'Mini' is not recorded (--define records it)" in said
    assert snapshot(sky) == before


def test_files_that_no_rule_tells_apart_are_named(run: Command, sky: Path, frames: list[Path]) -> None:
    before = snapshot(sky)
    for rules in ((), ("--define", "--id", "instrument=header:INSTRUME")):
        said = run.fails("ingest", "-t", "frame", "-r", "mini/raw", *rules, *frames)
        assert "dsc_0007_b.fits' and '" in said
        assert "dsc_0008_b.fits'" in said
        assert "--id KEY=header:KEYWORD" in said
    assert snapshot(sky) == before


def test_the_help_has_a_line_for_each_kind_of_rule(run: Command) -> None:
    lines = run.lines("ingest", "--help")
    assert sum(line.lstrip().startswith("--id KEY=") for line in lines) == 4


def test_one_bad_file_leaves_nothing(run: Command, sky: Path, frames: list[Path]) -> None:
    frames[2].write_bytes(frames[2].read_bytes()[:2900])
    before = snapshot(sky)
    assert "dsc_0009_b.fits" in run.fails(
        "ingest", "-t", "frame", "-r", "mini/raw", *RULES, "--define", *frames
    )
    assert snapshot(sky) == before


def test_a_value_of_the_wrong_type_names_file_and_key(run: Command, frames: list[Path]) -> None:
    said = run.fails("ingest", "-t", "f", "-r", "r", "--id", "exposure=header:INSTRUME", *frames)
    assert "dsc_0007_b.fits" in said
    assert "exposure is 'Mini'" in said


def test_again_is_refused_or_replaces(run: Command, frames: list[Path]) -> None:
    command = ("ingest", "-t", "frame", "-r", "mini/raw", *RULES, "--define")
    run.lines(*command, *frames)
    assert "exists" in run.fails(*command, *frames)
    assert run.lines(*command, "--replace", *frames) == ["3 frame in mini/raw"]


@pytest.mark.parametrize(
    ("mode", "stays"), [("copy", True), ("move", False), ("symlink", True), ("direct", True)]
)
def test_modes(run: Command, frames: list[Path], mode: str, stays: bool) -> None:  # noqa: FBT001
    data = frames[0].read_bytes()
    run.lines("ingest", "-t", "frame", "-r", "mini/raw", *RULES, "--define", "--mode", mode, frames[0])
    (path,) = run.lines("find", "/mini")
    assert run("cat", path).stdout_bytes == data
    assert frames[0].exists() is stays


def test_real_images(run: Command, shared_data: Path | None) -> None:
    if shared_data is None:
        pytest.skip("the sample images are not here")
    images = sorted((shared_data / "images").glob("M13_blue_*.fits"))
    rules = ("--id", "instrument=Amateur", "--id", r"exposure=name:(\d+)\.", "--id", "physical_filter=Blue")
    more = (
        "--id",
        "band=b",
        "--id",
        "group=M13",
        "--id",
        "day_obs=20000101",
        "--id",
        "exposure.exposure_time=header:EXPTIME",
    )
    command = (
        "ingest",
        "-t",
        "light",
        "-r",
        "amateur/raw",
        *rules,
        *more,
        "--define",
        "--storage-class",
        "Image",
    )
    assert run.lines(*command, *images) == [f"{len(images)} light in amateur/raw"]
    found = run.lines("find", "/amateur")
    assert [run("cat", path).stdout_bytes for path in found] == [path.read_bytes() for path in images]
    assert run("cat", found[0].replace(".fits", ".png")).stdout_bytes.startswith(b"\x89PNG")
    headers = run.json("records", "exposure", "instrument=Amateur", "--json")
    assert isinstance(headers, list)
    assert {one["exposure_time"] for one in headers} == {fits.getheader(path)["EXPTIME"] for path in images}
