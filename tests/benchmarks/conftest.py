"""What the benchmarks share is no part of the package: it is found beside their programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# At the end: the programs have names as `check` and `cache`, which nobody else shall find.
sys.path.append(str(CHECKOUT / "benchmarks"))

Write = Callable[[str, str], None]


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    """A copy of the folder that has the texts, but no program and no result; with a page beside."""
    folder = tmp_path / "benchmarks"
    for name in ("reporting", "pages"):
        shutil.copytree(CHECKOUT / "benchmarks" / name, folder / name)
    for name in ("run.py", "page.py"):
        shutil.copy(CHECKOUT / "benchmarks" / name, folder / name)
    (folder / "results").mkdir()
    (tmp_path / "docs").mkdir()
    return folder


PROGRAM = """
from reporting.program import Program
from reporting.table import Row, Table, Target

def measure(options):
    {measure}

program = Program("Measures.", quick={{"rounds": 1}})
program.option("--rounds", type=int, default=3)
program.run(measure)
"""


@pytest.fixture
def write(benchmarks: Path) -> Write:
    """Write a program that measures so."""

    def written(name: str, measure: str) -> None:
        (benchmarks / f"{name}.py").write_text(PROGRAM.format(measure=measure))

    return written
