"""Exports that the data butler ships with, in three universes."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyfs.importing.result import Imported, MappedType
from skyfs.model.timespan import Timespan
from skyfs.repository import Repository

from .conftest import class_of_exposures


@pytest.fixture
def samples(shared_data: Path | None) -> Path:
    """The folder of exports."""
    if shared_data is None:
        pytest.skip("the sample exports are not beside the checkout; test_entries has made ones")
    return shared_data / "rubin-exports"


def test_base(repo: Repository, samples: Path) -> None:
    found = repo.import_export(samples / "base.yaml")
    exposures = class_of_exposures(repo)
    mapped = tuple(MappedType(name, "Exposure", exposures) for name in ("flat", "bias"))
    assert found == Imported(8, 0, 2, 0, 0, 0, 0, mapped=mapped if exposures != "Exposure" else ())
    assert [one["name"] for one in repo.records("physical_filter")] == ["Cam1-G", "Cam1-R1", "Cam1-R2"]
    assert [one["purpose"] for one in repo.records("detector")] == ["SCIENCE"] * 3 + ["WAVEFRONT"]
    (instrument,) = repo.records("instrument")
    assert instrument["class_name"] == "lsst.pipe.base.Instrument"
    required = {one.name: one.group.required for one in repo.types()}
    assert required == {
        "bias": ("instrument", "detector"),
        "flat": ("instrument", "detector", "physical_filter"),
    }


def test_datasets(repo: Repository, samples: Path) -> None:
    repo.import_export(samples / "base.yaml")
    found = repo.import_export(samples / "datasets.yaml")
    assert found == Imported(0, 2, 0, 0, 13, 0, 0)
    assert [(one.name, str(one.kind)) for one in repo.collections()] == [
        ("imported_g", "RUN"),
        ("imported_r", "RUN"),
    ]
    bias = repo.find("bias", collections="imported_g", instrument="Cam1", detector=1)
    assert str(bias.id) == "e15ab039-bc8b-4135-87c5-90902a7c0b22"
    flat = {"instrument": "Cam1", "detector": 3, "physical_filter": "Cam1-R2"}
    assert (
        str(repo.find("flat", collections="imported_r", **flat).id) == "393972aa-57ab-41c2-b3bc-03541ca6bc6e"
    )


def test_spatial(repo: Repository, samples: Path) -> None:
    repo.import_export(samples / "base.yaml")
    assert repo.import_export(samples / "spatial.yaml") == Imported(26, 0, 0, 0, 0, 0, 0)
    counts = {
        name: sum(1 for _ in repo.records(name))
        for name in ("day_obs", "visit", "visit_detector_region", "skymap", "tract", "patch")
    }
    assert counts == {
        "day_obs": 1,
        "visit": 2,
        "visit_detector_region": 8,
        "skymap": 1,
        "tract": 2,
        "patch": 12,
    }
    first = next(iter(repo.records("visit")))
    assert first["timespan"] == Timespan.of("2021-09-09T03:00:00", "2021-09-09T03:01:00")
    assert all(str(one["region"])[2] == "p" for one in repo.records("patch"))
