"""Exports, imports, pushes and subsets of 1000 datasets, beside lsst-daf-butler.

Small JSON files with records of 100 visits and the regions of their detectors. The sides take turns; figures
are medians of CPU seconds (and of the clock, which disk and other programs decide). Target: 5 x as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "sides"))

from reporting.program import Program  # noqa: E402 - the same
from reporting.table import Ratio, Row, Table, Target  # noqa: E402 - the same
from sharing_time import timed  # noqa: E402 - found by the line above

import skyfs  # noqa: E402 - the same

NUMBER = 1000
CAMERA = {"instrument": "Cam"}
Times = dict[str, tuple[float, float]]
OURS, PEER, TIMES = "skyfs", "lsst-daf-butler", "times"
TARGET = 5
# How each task is called, and what of the peer it is held against.
TASKS = {
    "export, YAML": ("export, YAML (Rubin)", "export"),
    "export, lines": ("export, lines", "export"),
    "export, tar": ("export with files (tar; a folder)", "export with files"),
    "import, YAML": ("import, YAML (Rubin), files in place", "import"),
    "import, lines": ("import, lines", "import"),
    # Which the peer is not asked for.
    "import, tar": ("import with files (tar)", None),
    "push": ("push", None),
    "push again": ("push again: nothing to send", None),
    "subset, view": ("subset, view", None),
}


def fill(folder: Path) -> skyfs.Repository:
    """Make the repository."""
    repo = skyfs.create(folder / "sky", options={"durability": "process"})
    detectors, visits = range(10), range(NUMBER // 10)
    instrument = {"name": "Cam", "class_name": "cam.Cam", "visit_max": 10**6, "detector_max": 10}
    with repo.transaction():
        repo.insert("instrument", [{**instrument, "exposure_max": 10**6}])
        repo.insert("physical_filter", [{**CAMERA, "name": "Cam-R", "band": "r"}])
        repo.insert("detector", [{**CAMERA, "id": one, "full_name": f"S{one}"} for one in detectors])
        common = {**CAMERA, "day_obs": 20251106, "physical_filter": "Cam-R"}
        spans = [(one * 10**10, one * 10**10 + 10**9) for one in visits]
        repo.insert(
            "visit", [{**common, "id": one, "name": f"v{one}", "timespan": spans[one]} for one in visits]
        )
        pairs = [{**CAMERA, "visit": one, "detector": other} for one in visits for other in detectors]
        repo.insert("visit_detector_region", [{**pair, "region": None} for pair in pairs])
        repo.register("metrics", ["visit", "detector"], "Dict")
        files = []
        for index, pair in enumerate(pairs):
            path = folder / f"{index}.json"
            path.write_text(json.dumps({"index": index}))
            files.append(skyfs.IngestFile(path, pair))
        repo.ingest(files, "metrics", run="u/a", mode="move")
    return repo


def ours(repo: skyfs.Repository, folder: Path) -> Times:
    """Time our side."""

    def new(name: str) -> skyfs.Repository:
        return skyfs.create(folder / name, options={"durability": "process"})

    found: Times = {}
    yaml, lines, tar = (folder / f"export{end}" for end in (".yaml", ".jsonl", ".tar"))
    found["export, YAML"] = timed(lambda: repo.export_rubin(yaml))
    found["export, lines"] = timed(lambda: repo.export(lines))
    found["export, tar"] = timed(lambda: repo.export(tar))
    one, two, three, four = (new(name) for name in "abcd")
    found["import, YAML"] = timed(lambda: one.import_export(yaml, mode="direct"))
    found["import, lines"] = timed(lambda: two.import_manifest(lines))
    found["import, tar"] = timed(lambda: three.import_manifest(tar))
    found["push"] = timed(lambda: repo.push(four))
    found["push again"] = timed(lambda: repo.push(four))
    found["subset, view"] = timed(lambda: skyfs.subset(repo, folder / "view", view=True).close())
    for made in (one, three, four):
        assert made.query("metrics", collections="*").count() == NUMBER
        made.close()
    two.close()
    return found


def theirs(python: str, folder: Path) -> Times:
    """Time the peer."""
    command = [
        python,
        str(HERE / "sides" / "sharing_peer.py"),
        str(folder / "butler"),
        str(folder / "export.yaml"),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("datasets") == NUMBER
    return {name: (cpu, clock) for name, (cpu, clock) in found.items()}


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    rounds: list[tuple[Times, Times]] = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            with fill(folder) as repo:
                own = ours(repo, folder)
            rounds.append((own, theirs(options.peer, folder) if options.peer else {}))
    for index, which in enumerate(("cpu", "clock")):
        yield Table(which, (OURS, PEER), tuple(rows(rounds, index)), (Ratio(TIMES, PEER, (OURS,)),))


def rows(rounds: list[tuple[Times, Times]], index: int) -> Iterator[Row]:
    """Give the medians of one of both kinds of seconds."""
    for task, (what, beside) in TASKS.items():
        found: dict[str, float | None] = {OURS: statistics.median(own[task][index] for own, _ in rounds)}
        targets: tuple[Target, ...] = ()
        if beside is not None:
            known = [its[beside][index] for _, its in rounds if beside in its]
            found[PEER] = statistics.median(known) if known else None
            targets = (Target(TIMES, at_least=TARGET),) if index == 0 else ()
        yield Row(what, "s", found, targets)


if __name__ == "__main__":
    program = Program(__doc__, quick={"rounds": 1}, peer=True)
    program.option("--rounds", type=int, default=3)
    program.run(measure)
