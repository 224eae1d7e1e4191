"""What ``/.where`` and ``/.records`` show after changes."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from lsst.sphgeom import Angle, Circle, LonLat, UnitVector3d

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.model.element import Element
from skyfs.repository import Repository
from skyfs.tree import records
from skyfs.tree.record_tables import write_records

TOP = "/.where/visit %3D 101 AND detector < 3"
TYPED = "/.where/visit = 101 AND detector < 3"
NIGHT = "instrument=Cam/day_obs=20260101"
READERS = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}


def test_declared_datasets_are_not_shown(repo: Repository, fs: SkyFileSystem) -> None:
    key = {"instrument": "Cam", "visit": 101, "detector": 21}
    repo.declare("calexp", [key], run="Cam/later")
    repo.declare("calexp", [key], run="Cam/runs/b")
    assert fs.ls("/.where/detector = 21 AND visit = 101/Cam/runs", detail=False) == [
        "/.where/detector %3D 21 AND visit %3D 101/Cam/runs/a"
    ]
    assert not fs.exists("/.where/detector = 21 AND visit = 101/Cam/later")
    assert fs.find("/.where/detector = 21 AND visit = 101/Cam/runs/b/calexp") == []


def test_new_data_shows_at_once(repo: Repository, fs: SkyFileSystem) -> None:
    before = fs.find(f"{TYPED}/u/new")
    repo.put({"n": 1}, "calexp", run="u/new", instrument="Cam", visit=101, detector=2)
    repo.put({"n": 1}, "calexp", run="u/new", instrument="Cam", visit=102, detector=2)
    assert (before, fs.find(f"{TYPED}/u/new")) == (
        [],
        [f"{TOP}/u/new/calexp/{NIGHT}/visit=101/detector=2.json"],
    )


def test_times_are_two_columns_and_regions_hexadecimal(repo: Repository, fs: SkyFileSystem) -> None:
    region = Circle(UnitVector3d(LonLat.fromDegrees(10, 20)), Angle.fromDegrees(1))
    row = {"instrument": "Cam", "id": 500, "name": "v500", "physical_filter": "r", "day_obs": 20260101}
    repo.insert(
        "visit", [{**row, "timespan": ("2026-01-01T00:00:00", None), "region": region, "exposure_time": 30}]
    )
    for kind, read in READERS.items():
        frame = read(io.BytesIO(fs.cat(f"/.records/visit.{kind}")))
        (visit,) = frame[frame["id"] == 500].to_dict("records")
        assert visit["timespan_begin"] == 1767225600 * 10**9
        assert pd.isna(visit["timespan_end"])
        assert bytes.fromhex(visit["region"]) == region.encode()
        assert visit["exposure_time"] == 30.0
    assert "timespan" not in frame


def test_side_tables_are_there(repo: Repository, fs: SkyFileSystem) -> None:
    rows = [
        {"instrument": "Cam", "visit": 101, "seeing": 0.7},
        {"instrument": "Cam", "visit": 102, "seeing": 0.9},
    ]
    repo.attach("quality", rows, on=["instrument", "visit"])
    frame = pd.read_csv(io.BytesIO(fs.cat("/.records/quality.csv")))
    assert frame.to_dict("records") == rows


def test_new_records_show_at_once_and_nothing_else_changes_a_file(
    repo: Repository, fs: SkyFileSystem
) -> None:
    path = "/.records/detector.csv"
    before, key = fs.info(path), fs.ukey(path)
    repo.insert("instrument", [{"name": "Other"}])
    assert fs.info(path) == before
    repo.insert("detector", [{"instrument": "Other", "id": 7, "full_name": "new"}])
    after = fs.info(path)
    assert b'"Other",7,"new"' in fs.cat(path)
    assert after["size"] != before["size"]
    assert fs.ukey(path) != key


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the registry for unchanged when its files are, however young they are."""
    monkeypatch.setattr("skyfs.registry.sqlite._TICK_NS", 0)


@pytest.mark.usefixtures("settled")
def test_a_transaction_sees_its_own_records(repo: Repository, fs: SkyFileSystem) -> None:
    path = "/.records/instrument.csv"
    before = fs.cat(path)
    with repo.transaction(), skyfs.open(repo.root) as reader:
        repo.insert("instrument", [{"name": "Other"}])
        inside = fs.cat(path)
        assert skyfs.filesystem(reader).cat(path) == before
    assert b"Other" in inside
    assert b"Other" not in before
    assert fs.cat(path) == inside


@pytest.mark.usefixtures("settled")
def test_a_file_is_written_once(fs: SkyFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def write(repository: Repository, element: Element, extension: str) -> bytes:
        written.append(element.name + extension)
        return write_records(repository, element, extension)

    monkeypatch.setattr(records, "write_records", write)
    fs.ls("/.records", detail=False)
    assert [fs.info(f"/.records/{name}")["size"] for name in ("band.csv", "band.json", "band.csv")] == [
        len(fs.cat(f"/.records/{name}")) for name in ("band.csv", "band.json", "band.csv")
    ]
    assert written == ["band.csv", "band.json"]
