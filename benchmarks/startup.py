"""How long a user waits before anything happens: ``import skyfs``, and the shortest commands.

The floor of an import is Python itself; that of a command is Python with SQLAlchemy, which every command that
opens a repository needs. Run it alone: figures of a busy machine say nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from reporting.program import Program
from reporting.table import Ratio, Row, Table, Target

import skyfs

OURS, FLOOR, TIMES = "skyfs", "floor", "× floor"


def seconds(rounds: int, *arguments: str) -> float:
    """Give the wall time of a Python process: the best of some."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begun)
    return min(times)


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = Path(folder, "a.json")
        file.write_text("{}")
        root = str(Path(folder, "sky"))
        with skyfs.create(root) as repo:
            repo.register("a", [], "Dict")
            repo.ingest([skyfs.IngestFile(file, {})], "a", run="u/x")
        n = options.rounds
        python, sql = seconds(n, "-c", "pass"), seconds(n, "-c", "import sqlalchemy")
        library, helping = seconds(n, "-c", "import skyfs"), seconds(n, "-m", "skyfs", "--help")
        ls = seconds(n, "-m", "skyfs", "-r", root, "ls", "/")
    rows = (
        Row("import skyfs (floor: python)", "s", {OURS: library, FLOOR: python}, (Target(OURS, 0.15),)),
        Row("skyfs --help (floor: python)", "s", {OURS: helping, FLOOR: python}),
        Row(
            "skyfs ls / (floor: python, import sqlalchemy)", "s", {OURS: ls, FLOOR: sql}, (Target(OURS, 0.5),)
        ),
    )
    yield Table("startup", (OURS, FLOOR), rows, (Ratio(TIMES, OURS, (FLOOR,)),))


if __name__ == "__main__":
    program = Program(__doc__, quick={"rounds": 1}, libraries=["sqlalchemy"])
    program.option("--rounds", type=int, default=7, help="the best of so many")
    program.run(measure)
