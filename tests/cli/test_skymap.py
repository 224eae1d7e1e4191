"""skymap add, list and find."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from .conftest import Command

RINGS = {
    "name": "coarse",
    "kind": "rings",
    "numRings": 4,
    "pixelScale": 60.0,
    "patchInnerDimensions": [1500, 1500],
    "patchBorder": 20,
    "tractOverlap": 0.5,
}


@pytest.fixture
def config(sky: Path) -> Path:
    file = sky.parent / "coarse.yaml"
    file.write_text(yaml.safe_dump(RINGS))
    return file


def test_a_skymap_is_added_listed_and_found(run: Command, config: Path) -> None:
    assert run.lines("skymap", "add", config) == ["coarse: 42 new tracts, 168 new patches"]
    assert run.lines("skymap", "add", config) == ["coarse: 0 new tracts, 0 new patches"]
    assert "coarse\t42\t2x2\t42" in run.lines("skymap", "list")
    assert run.lines("skymap", "find", "0", "-90", "--skymap", "coarse") == ["coarse\t0\t0 1 2 3"]
    north = run.json("skymap", "find", "45", "+89", "--skymap", "coarse", "--json")
    assert north == [{"skymap": "coarse", "tract": 41, "patches": [3]}]
    assert run.lines("skymap", "find", "0", "0", "--skymap", "none") == []


def test_some_tracts_are_added(run: Command, config: Path) -> None:
    assert run.lines("skymap", "add", config, "--tracts", "0,3-4") == ["coarse: 3 new tracts, 12 new patches"]
    assert run.lines("skymap", "add", config, "--region", "CIRCLE 0 -90 1") == [
        "coarse: 0 new tracts, 0 new patches"
    ]
    listed = run.json("skymap", "list", "--json")
    assert isinstance(listed, list)
    assert {"name": "coarse", "tract_max": 42, "patches": "2x2", "tracts_recorded": 3} in listed


def test_another_skymap_of_the_name_is_refused(run: Command, config: Path) -> None:
    run.lines("skymap", "add", config, "--tracts", "0")
    config.write_text(yaml.safe_dump({**RINGS, "numRings": 5}))
    assert "coarse" in run.fails("skymap", "add", config)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--tracts", "x"), 2, "no number or range"),
        (("--tracts", "5-3"), 2, "no number or range"),
        (("--tracts", "0-9999999"), 2, "no number or range"),
        (("--tracts", "42"), 2, "no such tract"),
        (("--region", "BALL 1 2 3"), 2, "IVOA"),
        (("--region", "CIRCLE 1 2 3", "--tracts", "1"), 2, "not both"),
    ],
)
def test_tracts_that_cannot_be_are_refused(
    run: Command, config: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert said in run.fails("skymap", "add", config, *arguments, status=status)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("text", ["a: [", "kind: dodeca\nname: x\n", "name: x\nkind: rings\n", "- 1\n"])
def test_a_bad_file_is_refused(run: Command, config: Path, text: str) -> None:
    config.write_text(text)
    assert str(config) in run.fails("skymap", "add", config)


def test_a_position_off_the_sphere_is_refused(run: Command, sky: Path) -> None:
    assert sky.exists()
    assert "declination" in run.fails("skymap", "find", "0", "-91", status=2)
