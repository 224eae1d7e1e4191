"""A repository that holds something of every kind, with its bytes, and empty ones to share it with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.model.manifest import write
from skyfs.model.manifest_line import Line
from skyfs.registry.manifest.describing import Description
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer

CHECKOUT = Path(__file__).resolve().parents[2]
_numbers = count()
NIGHTS = (20131102, 20131103)
EXPOSURES = {1: NIGHTS[0], 2: NIGHTS[0], 3: NIGHTS[1]}
TIMES = {1: "2013-11-02T08:00:00", 2: "2013-11-02T09:00:00", 3: "2013-11-03T08:00:00"}
CAMERA: dict[str, Any] = {"instrument": "HSC"}
ALL = ["HSC/defaults", "HSC/raw", "u/best"]

Empty = Callable[..., Repository]


def define(repo: Repository) -> None:
    """Record the camera, and register types."""
    repo.insert("instrument", [{"name": "HSC"}])
    repo.insert("detector", [{**CAMERA, "id": number, "full_name": f"1_{number}"} for number in range(3)])
    repo.insert("physical_filter", [{**CAMERA, "name": "HSC-I", "band": "i"}])
    for number, night in EXPOSURES.items():
        common = {**CAMERA, "id": number, "physical_filter": "HSC-I", "day_obs": night}
        span = (TIMES[number], TIMES[number].replace(":00:00", ":01:00"))
        repo.insert("exposure", [{**common, "obs_id": f"E{number}", "group": f"g{number}", "timespan": span}])
        repo.insert("visit", [{**common, "name": f"v{number}", "timespan": span}])
        repo.insert("visit_definition", [{**CAMERA, "exposure": number, "visit": number}])
    repo.register("raw", ["exposure", "detector"], "Hdus")
    repo.register("metrics", ["visit", "detector"], "Dict", capture={"seeing": "json:/seeing"})
    repo.register("flat", ["detector", "physical_filter"], "Array", calibration=True)
    repo.register("summary", [], "Text")


def fill(repo: Repository, folder: Path) -> None:
    """Fill a repository."""
    define(repo)
    for exposure in EXPOSURES:
        path = folder / f"E{exposure}.fits"
        hdus = [fits.ImageHDU(np.full((8, 8), exposure * 10 + one, np.int16)) for one in range(2)]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
        parts = [
            skyfs.IngestFile(path, {**CAMERA, "exposure": exposure, "detector": one}, part=one + 1)
            for one in range(2)
        ]
        repo.ingest(parts, "raw", run="HSC/raw", mode="copy")
    raws = list(repo.query("raw", collections="HSC/raw"))
    for visit in EXPOSURES:
        made = {"seeing": 0.5 + visit / 10, "name": f"v{visit}"}
        of = [raw for raw in raws if raw.data_id["exposure"] == visit]
        repo.put(made, "metrics", run="HSC/runs/a", inputs=of, **CAMERA, visit=visit, detector=0)
    repo.declare("metrics", [{**CAMERA, "visit": 1, "detector": 1}], run="HSC/runs/a")
    for value, begin, end in ((1, None, "2013-11-03"), (2, "2013-11-03", None)):
        flat = np.full((4, 4), value)
        identity: dict[str, Any] = {**CAMERA, "detector": 0, "physical_filter": "HSC-I"}
        ref = repo.put(flat, "flat", run=f"HSC/calib/{value}", **identity)
        repo.certify([ref], "HSC/calib", begin, end)
    repo.put("All about it.", "summary", run="HSC/runs/a")
    repo.tag(repo.query("metrics", collections="HSC/runs/a", visit=1, instrument="HSC", detector=0), "u/best")
    repo.chain("HSC/defaults", ["HSC/runs/a", "HSC/calib"])
    quality = {"instrument": ["HSC"] * 3, "visit": [1, 2, 3], "airmass": [1.0, 1.5, 2.0]}
    repo.attach("quality", Table(quality), on=["instrument", "visit"])


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    """The full repository."""
    (tmp_path / "files").mkdir()
    with skyfs.create(tmp_path / "source", name="source", options={"durability": "process"}) as repo:
        fill(repo, tmp_path / "files")
        yield repo


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Empty]:
    """Give an empty repository by each call."""
    with ExitStack() as stack:

        def made(folder: str, **more: Any) -> Repository:  # noqa: ANN401
            return stack.enter_context(
                skyfs.create(tmp_path / folder, **{"options": {"durability": "process"}, **more})
            )

        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, new: Empty) -> Repository:
    """An empty repository in each kind of database."""
    if request.param == "sqlite":
        return new("empty")
    server: PostgresServer = request.getfixturevalue("postgres")
    options = {"durability": "process", "schema": f"share_{next(_numbers)}"}
    return new("empty", registry=server.url(), options=options)


def state(repo: Repository) -> list[bytes]:
    """Give all that the registry says, but for where bytes lie and whose it is."""
    lines = list(Description(repo.registry, "x").everything())[1:]
    return sorted(_plain(line) for line in lines)


def _plain(line: Line) -> bytes:
    found = json.loads(write(line))
    for row in found.get("datasets", {}).get("rows", ()):
        row[5] = [[one[2], one[3], one[4], one[5], one[7]] for one in row[5]]
    if "collection" in found:
        found["collection"]["owner"] = ""
    return json.dumps(found).encode()


def contents(repo: Repository) -> dict[str, bytes]:
    """Give the bytes of all datasets, by path, read through the repository."""
    fs = skyfs.filesystem(repo)
    paths: Sequence[str] = []
    snapshot = repo.registry.current()
    runs = [name for name, one in snapshot.collections.items() if one.collection.kind == "RUN"]
    for name in snapshot.types:
        paths = [*paths, *repo.query(name, collections=runs, find_first=False).paths()] if runs else paths
    found: dict[str, bytes] = {path: fs.cat_file(path) for path in paths}
    return found
