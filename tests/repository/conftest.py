"""A small repository with one camera."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer

_numbers = count()
NIGHT = 20131102
EXPOSURES = (903334, 903336)


def define_camera(repo: Repository) -> None:
    """Record an instrument with three detectors, two filters, two exposures and two visits."""
    repo.insert("instrument", [{"name": "HSC"}])
    repo.insert(
        "detector", [{"instrument": "HSC", "id": number, "full_name": f"1_{number}"} for number in range(3)]
    )
    filters = [{"instrument": "HSC", "name": f"HSC-{band.upper()}", "band": band} for band in "gi"]
    repo.insert("physical_filter", filters)
    for number, start in zip(EXPOSURES, ("2013-11-02T08:00:00", "2013-11-02T09:00:00"), strict=True):
        common = {"instrument": "HSC", "id": number, "physical_filter": "HSC-I", "day_obs": NIGHT}
        span = (start, start.replace(":00:00", ":01:00"))
        repo.insert(
            "exposure", [{**common, "obs_id": f"HSCA{number}", "group": f"{number}::1", "timespan": span}]
        )
        repo.insert("visit", [{**common, "name": f"v{number}", "timespan": span}])


@pytest.fixture(params=["sqlite", "postgresql"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    """An empty repository of that camera, open for writing, with the types that the tests use."""
    options, registry = {"durability": "process"}, None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        options["schema"], registry = f"sky_{next(_numbers)}", server.url()
    with skyfs.create(tmp_path / "sky", name="sky", registry=registry, options=options) as repository:
        define_camera(repository)
        repository.register("metrics", ["exposure", "detector"], "Dict")
        repository.register("flat", ["detector", "physical_filter"], "Array", calibration=True)
        repository.register("summary", [], "Dict")
        yield repository


def data_id(exposure: int = EXPOSURES[0], detector: int = 0) -> dict[str, Any]:
    """Give the data ID of a metrics dataset."""
    return {"instrument": "HSC", "exposure": exposure, "detector": detector}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
