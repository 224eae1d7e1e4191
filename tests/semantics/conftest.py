"""A repository, its filesystem and a mount of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.mount.session import start
from skyfs.mount.table import unmount
from skyfs.repository import Repository

PATH = "/u/r1/metrics/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.json"
IMAGE = "/raw/all/raw/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.fits"
FLAT = "/calib/flat/instrument=HSC/detector=0/physical_filter=HSC-I"
BIAS = "/calib/bias/instrument=HSC/detector=0"
ID: dict[str, Any] = {"instrument": "HSC", "exposure": 903334, "detector": 0}


def make_image(path: Path) -> Path:
    pixels = np.random.default_rng(1).normal(100, 5, (20, 30)).astype("f4")
    fits.PrimaryHDU(pixels, fits.Header({"OBJECT": "M13"})).writeto(path)
    os.utime(path, ns=(10**18 + 5, 10**18 + 5))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_image(tmp_path / "m13.fits")


@pytest.fixture
def repo(tmp_path: Path, source: Path) -> Iterator[Repository]:
    with skyfs.create(tmp_path / "sky", name="sky", options={"durability": "process"}) as repository:
        define(repository)
        repository.put({"n": 1}, "metrics", run="u/r1", **ID)
        repository.ingest([skyfs.IngestFile(source, ID)], "raw", run="raw/all", mode="copy")
        for number, (begin, end) in enumerate(((None, "2013-11-02T08:30:00"), ("2013-11-02T08:30:00", None))):
            key: dict[str, Any] = {"instrument": "HSC", "detector": 0, "physical_filter": "HSC-I"}
            flat = repository.put(np.full(3, number), "flat", run=f"calib/{number}", **key)
            repository.certify([flat], "calib", begin, end)
        yield repository


def define(repo: Repository) -> None:
    repo.insert("instrument", [{"name": "HSC"}])
    repo.insert(
        "detector", [{"instrument": "HSC", "id": number, "full_name": f"1_{number}"} for number in range(3)]
    )
    filters = [{"instrument": "HSC", "name": name, "band": "i"} for name in ("HSC-I", "i.MP9702")]
    repo.insert("physical_filter", filters)
    for number, start_ in ((903334, "2013-11-02T08:00:00"), (903336, "2013-11-02T09:00:00")):
        span = (start_, start_.replace(":00:00", ":01:00"))
        record = {"instrument": "HSC", "id": number, "obs_id": f"A{number}", "physical_filter": "HSC-I"}
        repo.insert("exposure", [{**record, "group": f"{number}::1", "day_obs": 20131102, "timespan": span}])
    repo.register("metrics", ["exposure", "detector"], "Dict")
    repo.register("raw", ["exposure", "detector"], "Hdus")
    repo.register("flat", ["detector", "physical_filter"], "Array", calibration=True)
    repo.register("throughput", ["physical_filter"], "Dict")


@pytest.fixture
def fs(repo: Repository) -> SkyFileSystem:
    return skyfs.filesystem(repo)


@pytest.fixture
def mounted(
    fuse: None,  # noqa: ARG001 - it skips where nothing can be mounted
    repo: Repository,
    tmp_path: Path,
) -> Iterator[Path]:
    folder = tmp_path / "mnt"
    folder.mkdir()
    start(repo.root, folder)
    yield folder
    unmount(folder)
