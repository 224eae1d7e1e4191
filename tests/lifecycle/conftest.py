"""Repositories with something of every kind, and all that can be asked of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import skyfs
from skyfs.model.manifest import write
from skyfs.registry.manifest.describing import Description
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer
from skyfs.writing.ingester import IngestFile

_numbers = count()
NIGHT = 20131102
STORES = (
    {"name": "local", "url": "data", "types": ["*"]},
    {"name": "copy", "url": "copy", "types": ["metrics"]},
)


@dataclass(frozen=True)
class Kind:
    """Which database registries are in."""

    name: str
    server: PostgresServer | None

    def registry(self) -> dict[str, Any]:
        """Give what `skyfs.create` needs for another registry."""
        if self.server is None:
            return {}
        return {"registry": self.server.url(), "options": {"schema": f"kept_{next(_numbers)}"}}


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> Kind:
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Kind(request.param, server)


@pytest.fixture
def root(kind: Kind, tmp_path: Path) -> Path:
    """A repository with something of everything, closed."""
    where = kind.registry()
    options = {"durability": "process", **where.pop("options", {})}
    folder = tmp_path / "sky"
    with skyfs.create(folder, name="sky", stores=STORES, options=options, **where) as repo:
        fill(repo, tmp_path)
    return folder


def fill(repo: Repository, tmp_path: Path) -> None:
    """Put something of every kind in."""
    _define(repo)
    _put(repo)
    _take_in(repo, tmp_path)
    _collect(repo)


def _define(repo: Repository) -> None:
    repo.insert("instrument", [{"name": "HSC"}])
    detectors = [{"instrument": "HSC", "id": one, "full_name": f"1_{one}"} for one in range(3)]
    repo.insert("detector", detectors)
    repo.insert("physical_filter", [{"instrument": "HSC", "name": "HSC-I", "band": "i"}])
    for number in (903334, 903336):
        span = ("2013-11-02T08:00:00", "2013-11-02T08:01:00")
        common = {"instrument": "HSC", "id": number, "physical_filter": "HSC-I", "day_obs": NIGHT}
        repo.insert("exposure", [{**common, "obs_id": f"A{number}", "group": "g", "timespan": span}])
        repo.insert("visit", [{**common, "name": f"v{number}", "timespan": span, "exposure_time": 30.0}])
    repo.register("metrics", ["exposure", "detector"], "Dict", capture={"seeing": "json:/seeing"})
    repo.register("raw", ["exposure", "detector"], "Hdus")
    repo.register("flat", ["detector", "physical_filter"], "Array", calibration=True)
    repo.register("summary", [], "Dict")
    rows = [{"instrument": "HSC", "visit": 903334, "quality": 0.5, "note": "Wölkchen"}]
    repo.attach("quality", rows, on=["instrument", "visit"])


def data_id(exposure: int = 903334, detector: int = 0) -> dict[str, Any]:
    return {"instrument": "HSC", "exposure": exposure, "detector": detector}


def _put(repo: Repository) -> None:
    made = [
        repo.put(
            {"seeing": 0.6 + detector, "n": detector}, "metrics", run="u/a", **data_id(detector=detector)
        )
        for detector in range(3)
    ]
    repo.put({"all": 3}, "summary", run="u/b", inputs=made)
    repo.put({"seeing": 1.5}, "metrics", run="u/b", **data_id(), inputs=made[:1])
    # One in the place of another, one that is gone again, and some without bytes.
    repo.put({"seeing": 9.0, "new": True}, "metrics", run="u/a", replace=True, **data_id(detector=2))
    gone = repo.put({"gone": 1}, "metrics", run="u/a", **data_id(903336))
    repo.remove([gone])
    repo.declare("metrics", [data_id(903336, 1), data_id(903336, 2)], run="u/a")
    repo.put({"late": 1}, "metrics", run="u/a", **data_id(903336, 1))


def _take_in(repo: Repository, tmp_path: Path) -> None:
    camera = write_camera(tmp_path / "camera.fits")
    files = [IngestFile(camera, data_id(detector=n), part=n + 1) for n in range(3)]
    repo.ingest(files, "raw", run="raw/all", mode="copy")
    alone = tmp_path / "alone.fits"
    fits.HDUList([fits.PrimaryHDU(np.ones((3, 4)))]).writeto(alone)
    repo.ingest([IngestFile(alone, data_id(903336))], "raw", run="raw/all", mode="direct")


def write_camera(path: Path) -> Path:
    """Write a file with an HDU for each of three detectors."""
    images = [fits.ImageHDU(np.full((30 + n, 40), n, "i4"), name=f"ccd{n}") for n in range(3)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    return path


def _collect(repo: Repository) -> None:
    key: dict[str, Any] = {"instrument": "HSC", "physical_filter": "HSC-I"}
    early = repo.put(np.zeros((2, 2)), "flat", run="calib/1", **key, detector=0)
    late = repo.put(np.ones((2, 2)), "flat", run="calib/2", **key, detector=0)
    repo.certify([early], "calib", "2013-01-01", "2013-06-01")
    repo.certify([late], "calib", "2013-06-01", None)
    repo.tag([repo.find("metrics", collections="u/a", **data_id(detector=n)) for n in (0, 1)], "best")
    repo.chain("inner", ["u/b", "u/a"])
    repo.chain("all", ["inner", "raw/all", "calib"])
    repo.lock("calib/1")


def answers(root: Path) -> dict[str, object]:
    """Give all that can be asked of a repository."""
    with skyfs.open(root) as repo:
        lines = [write(line).decode() for line in Description(repo.registry, "").everything()]
        return {
            "lines": sorted(_sorted_rows(line) for line in lines[1:]),
            "files": _files(repo),
            "queries": _queries(repo),
        }


def _sorted_rows(line: str) -> str:
    ((kind, body),) = json.loads(line).items()
    if isinstance(body, dict) and "rows" in body:
        body["rows"].sort(key=repr)
    return json.dumps({kind: body})


def _files(repo: Repository) -> dict[str, tuple[str, object]]:
    fs = skyfs.filesystem(repo)
    paths = sorted(fs.find("/"))
    assert len(paths) > 10
    told = {path: fs.info(path) for path in paths}
    return {
        path: (hashlib.sha256(fs.cat_file(path)).hexdigest(), (told[path]["id"], str(told[path]["mtime"])))
        for path in paths
    }


def _queries(repo: Repository) -> list[object]:
    ask: list[Callable[[], object]] = [
        lambda: sorted(map(str, repo.query("metrics", collections="all", where="seeing > 1"))),
        lambda: sorted(map(str, repo.query("*", collections="*", find_first=False))),
        lambda: sorted(map(str, repo.query("metrics", collections="all", where="quality.quality < 1"))),
        lambda: str(repo.find("flat", collections="all", instrument="HSC", detector=0, exposure=903334)),
        lambda: [str(one) for one in repo.data_ids(["visit", "detector"])],
        lambda: [str(one) for one in repo.records("visit")],
        lambda: [str(one) for one in repo.collections("*")],
        lambda: [str(one) for one in repo.types("*")],
    ]
    return [question() for question in ask]


@pytest.fixture
def dropped(kind: Kind) -> Callable[[Path], None]:
    """Lose a registry altogether."""

    def drop(root: Path) -> None:
        if kind.server is None:
            for path in root.glob("registry.sqlite3*"):
                path.unlink()
            return
        import yaml

        schema = yaml.safe_load((root / "skyfs.yaml").read_text())["schema"]
        with kind.server.connect() as raw:
            raw.execute(f"DROP SCHEMA {schema} CASCADE")

    return drop
