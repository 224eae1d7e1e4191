"""Commands that certify, chain, begin RUNs, attach tables and show captured values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from astropy.table import Table

import skyfs

from .conftest import Command

VISIT = 903334
FLATS = "/HSC/calib/flat/instrument=HSC/detector=0/physical_filter=HSC-I"
METRICS = "instrument=HSC/day_obs=20131102"

pytestmark = pytest.mark.usefixtures("sky")


def test_calibrations_are_certified_and_decertified(run: Command) -> None:
    assert run.lines("decertify", "HSC/calib", "flat", "detector=0", "--begin", "2014-01-01") == [
        "1 ranges removed or cut"
    ]
    assert run.lines("ls", FLATS) == [
        "valid=20130601T000000--20140101T000000.fits",
        "valid=min--20130601T000000.fits",
    ]
    flat = FLATS.replace("HSC/calib", "HSC/calib/old")
    run.lines("certify", "HSC/calib", f"{flat}.fits", "--begin", "2014-01-01T00:00:00")
    assert "valid=20140101T000000--max.fits" in run.lines("ls", FLATS)
    assert run.lines("decertify", "HSC/calib", "flat") == ["3 ranges removed or cut"]
    assert run.lines("certify", "mine", f"{flat}.fits") == []
    assert run.lines("ls", FLATS.replace("HSC/calib", "mine")) == ["valid=min--max.fits"]


@pytest.mark.usefixtures("unchanged")
def test_refused_changes_of_validity(run: Command) -> None:
    flat = FLATS.replace("HSC/calib", "HSC/calib/old") + ".fits"
    assert "overlapping range" in run.fails("certify", "HSC/calib", flat)
    assert "it is a folder" in run.fails("certify", "HSC/calib", "/HSC/calib/old/flat")
    assert "no dataset" in run.fails("certify", "HSC/calib", "/.repo/version")
    assert "bad time" in run.fails("certify", "HSC/calib", flat, "--begin", "soon", status=2)
    assert "it is RUN" in run.fails("decertify", "HSC/runs/a", "flat")
    assert "no dimension" in run.fails("decertify", "HSC/calib", "flat", "visits=1")
    assert "--begin TIME" in run.fails("decertify", "HSC/calib", "flat", "begin=2013", status=2)


def test_chains_are_made_and_changed(run: Command) -> None:
    assert run.lines("chain", "u/all", "HSC/runs/a", "HSC/calib") == ["HSC/runs/a", "HSC/calib"]
    assert run.lines("chain", "u/all", "HSC/calib/new", "--prepend")[0] == "HSC/calib/new"
    assert run.lines("chain", "u/all", "HSC/runs/a", "--append")[-1] == "HSC/runs/a"
    assert run.lines("chain", "u/all", "HSC/runs/a", "HSC/calib", "--remove") == ["HSC/calib/new"]
    assert run.lines("chain", "u/all", "HSC/runs/a") == ["HSC/runs/a"]
    assert "contains itself" in run.fails("chain", "u/all", "u/all", "--append")
    assert "no collection 'nowhere'" in run.fails("chain", "u/all", "nowhere", "--prepend")
    assert run.lines("collections", "u/all") == ["u/all\tCHAINED\t\t\tHSC/runs/a"]


def test_runs_begin(run: Command) -> None:
    (first,) = run.lines("begin-run", "u/me/test", "--input", "HSC/defaults")
    assert re.fullmatch(r"u/me/test/\d{8}T\d{6}Z", first)
    assert run.lines("begin-run", "u/me/test", "--extend") == [first]
    (second,) = run.lines("begin-run", "u/me/test")
    (third,) = run.lines("begin-run", "u/me/test", "--replace", "--prune")
    listed = run.lines("collections", "u/me/test")
    assert listed == [f"u/me/test\tCHAINED\t\t\t{third} {first} HSC/defaults"]
    # Of two that begin within a second the later has the other's name and a number.
    assert second not in {line.split("\t")[0] for line in run.lines("collections", "u/me/*")}
    assert "other inputs" in run.fails("begin-run", "u/me/test", "--input", "HSC/calib")
    assert "choose one" in run.fails("begin-run", "u/me/test", "--extend", "--replace", status=2)


@pytest.mark.parametrize("extension", [".csv", ".ecsv", ".parquet", ".fits"])
def test_tables_are_attached_and_detached(run: Command, sky: Path, tmp_path: Path, extension: str) -> None:
    table = Table({"visit": [VISIT], "seeing": [0.7], "who": ["me"], "good": [True]})
    path = tmp_path / f"quality{extension}"
    with skyfs.open(str(sky)) as repo, path.open("w+b") as file:
        repo.formats.write(table, file, extension, "Table")
    asked = ("attach", "quality", path, "--on", "visit", "instrument=HSC")
    assert run.lines(*asked) == ["1 new of 1 rows"]
    assert run.lines(*asked) == ["0 new of 1 rows"]
    assert run.json("records", "quality", "--json") == [
        {"instrument": "HSC", "visit": VISIT, "seeing": 0.7, "who": "me", "good": True}
    ]
    run.lines("detach", "quality")
    assert "quality" in run.fails("records", "quality")


@pytest.mark.usefixtures("unchanged")
def test_refused_tables(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("visit,seeing\n5,0.7\n")
    asked = ("attach", "quality", path, "--on", "visit")
    assert "no column 'instrument'" in run.fails(*asked)
    assert "visit=5 is not recorded" in run.fails(*asked, "instrument=HSC")
    assert "nane" in run.fails(*asked, "nane=HSC")
    assert "name" in run.fails(*asked, "name=HSC")
    assert "no such file" in run.fails("attach", "quality", tmp_path / "no.csv", "--on", "visit").lower()
    (tmp_path / "q.doc").write_bytes(b"")
    assert "no format" in run.fails("attach", "quality", tmp_path / "q.doc", "--on", "visit")
    (tmp_path / "q.json").write_text("{}")
    assert "Table" in run.fails("attach", "quality", tmp_path / "q.json", "--on", "visit")
    assert "no side table" in run.fails("detach", "quality")


def test_info_shows_captured_values(run: Command, tmp_path: Path) -> None:
    run.lines("register", "qa", "visit", "Dict", "--capture", "fwhm=json:/psf/fwhm")
    (tmp_path / "qa.json").write_text('{"psf": {"fwhm": 0.65}}')
    path = f"/u/me/qa/{METRICS}/visit={VISIT}.json"
    run.lines("cp", tmp_path / "qa.json", f":{path}")
    found = run.json("info", "--json", path)
    assert isinstance(found, dict)
    assert found["qa.fwhm"] == 0.65
    assert "no keyword and no pointer" in run.fails("register", "qb", "visit", "Dict", "--capture", "a=b")
