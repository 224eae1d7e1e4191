"""A small survey whose answers can be worked out by going through everything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.model.region import box, circle, polygon
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer

Record = dict[str, Any]
DAY_NS = 86_400 * 10**9
_N_DETECTORS = {"A": 3, "B": 2}
_N_VISITS = {"A": 7, "B": 5}


@dataclass(repr=False)
class Survey:
    """A repository, and what was put into it."""

    repo: Repository
    visits: list[Record] = field(default_factory=list)
    detectors: list[Record] = field(default_factory=list)
    exposures: list[Record] = field(default_factory=list)
    regions: list[Record] = field(default_factory=list)
    tracts: list[Record] = field(default_factory=list)
    patches: list[Record] = field(default_factory=list)
    bands: dict[str, str] = field(default_factory=dict)


def region(rng: random.Random) -> bytes:
    """Give a region of some kind near RA 0 or near a pole."""
    ra, dec = rng.choice(
        [(rng.uniform(-4, 4) % 360, rng.uniform(-4, 4)), (rng.uniform(0, 360), 88.0), (10.0, -89.0)]
    )
    size = rng.uniform(0.3, 3)
    kind = rng.randrange(3)
    if kind == 0:
        return circle(ra, dec, size)
    if kind == 1:
        return box(ra, dec, size, size)
    high, low = min(dec + size, 89.9), max(dec - size, -89.9)
    return polygon([(ra, low), (ra + 2 * size, dec), (ra, high)])


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def survey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survey]:
    """Give the survey; nobody changes it."""
    root: Path = tmp_path_factory.mktemp("survey") / "repo"
    registry = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        registry = server.url()
    with skyfs.create(root, name=None, registry=registry) as repo:
        made = Survey(repo)
        rng = random.Random(20131102)  # noqa: S311 - no secret
        with repo.transaction():
            _instruments(made)
            _observations(made, rng)
            _skymaps(made, rng)
            _datasets(made)
        yield made


def _instruments(made: Survey) -> None:
    repo = made.repo
    repo.insert("instrument", [{"name": name, "detector_max": n} for name, n in _N_DETECTORS.items()])
    filters = [("A", "A-g", "g"), ("A", "A-r", "r"), ("B", "B-r", "r"), ("B", "B-none", None)]
    repo.insert(
        "physical_filter",
        [{"instrument": camera, "name": name, "band": band} for camera, name, band in filters if band],
    )
    repo.insert("physical_filter", [{"instrument": "B", "name": "B-none"}])
    made.bands = {name: band for _, name, band in filters if band}
    for camera, n in _N_DETECTORS.items():
        made.detectors += [
            {
                "instrument": camera,
                "id": number,
                "full_name": f"{camera}{number}",
                "purpose": ["SCIENCE", "GUIDE", None][number],
                "raft": "it's [R]" if number else "R_0%",
            }
            for number in range(n)
        ]
    repo.insert("detector", made.detectors)


def _observations(made: Survey, rng: random.Random) -> None:
    repo = made.repo
    for camera, n in _N_VISITS.items():
        for number in range(n):
            begin = 1_400_000_000 * 10**9 + number * DAY_NS // 3
            span = None if number == 3 else (begin, begin + 30 * 10**9)
            night = 20140513 + number // 3
            shared: Record = {
                "instrument": camera,
                "physical_filter": f"{camera}-{rng.choice(['r', 'g' if camera == 'A' else 'none'])}",
            }
            shared |= {"day_obs": night, "timespan": span}
            made.visits.append(
                {
                    **shared,
                    "id": number,
                    "name": f"v{number}",
                    "seq_num": rng.choice([None, number * 3 % 5]),
                    "exposure_time": rng.choice([None, 10.0, 30.0, 30.5]),
                    "target_name": rng.choice([None, "M31", "m31", "COSMOS*", "it's"]),
                    "region": None if number == 2 else region(rng),
                }
            )
            made.exposures.append(
                {
                    **shared,
                    "id": number + 100,
                    "obs_id": f"e{number}",
                    "group": f"g{number}",
                    "has_simulated": rng.choice([None, True, False]),
                    "exposure_time": 15.0 + number,
                }
            )
    repo.insert("day_obs", [{"instrument": one, "id": 20140513 + n} for one in _N_VISITS for n in range(3)])
    repo.insert("visit", made.visits)
    repo.insert("exposure", made.exposures)
    pairs = [(one["instrument"], one["id"]) for one in made.visits]
    repo.insert(
        "visit_definition",
        [{"instrument": camera, "visit": n, "exposure": n + 100} for camera, n in pairs if n != 1],
    )
    for camera, number in pairs:
        for detector in range(_N_DETECTORS[camera]):
            if number != 4:
                made.regions.append(
                    {"instrument": camera, "visit": number, "detector": detector, "region": region(rng)}
                )
    repo.insert("visit_detector_region", made.regions)


def _skymaps(made: Survey, rng: random.Random) -> None:
    repo = made.repo
    for name in ("s1", "s2"):
        repo.insert("skymap", [{"name": name, "hash": name.encode() * 10}])
        tracts = [{"skymap": name, "id": n, "region": region(rng)} for n in range(3)]
        patches = [
            {"skymap": name, "tract": t, "id": n, "cell_x": n, "cell_y": t, "region": region(rng)}
            for t in range(3)
            for n in range(3)
        ]
        repo.insert("tract", tracts)
        repo.insert("patch", patches)
        made.tracts += tracts
        made.patches += patches


def _datasets(made: Survey) -> None:
    repo = made.repo
    repo.register("calexp", ["visit", "detector"], "Image")
    repo.register("coadd", ["patch", "band"], "Image")
    repo.register("flat", ["detector", "physical_filter"], "Image", calibration=True)
    repo.register("note", [], "Text")
    repo.register("shard", ["htm5"], "Table")
    every = [
        {"instrument": one["instrument"], "visit": one["id"], "detector": detector}
        for one in made.visits
        for detector in range(_N_DETECTORS[one["instrument"]])
    ]
    repo.declare("calexp", every, run="runs/all")
    repo.declare("calexp", every[::3], run="runs/third")
    patches = [
        {name: one[name] for name in ("skymap", "tract")} | {"patch": one["id"]} for one in made.patches
    ]
    repo.declare("coadd", [one | {"band": band} for one in patches for band in "gr"], run="runs/all")
    repo.chain("runs/both", ["runs/third", "runs/all"])
    repo.put("a note", "note", run="runs/all")
