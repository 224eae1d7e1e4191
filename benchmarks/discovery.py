"""Questions to a registry: skyfs beside lsst-daf-butler, at 10^5 and 10^6 registered datasets.

Each side is a process of its own (`sides/`) with the same records, datasets and questions. The sides take
turns at every question, so that both see the same load, and must give the same answers. ``--huge`` measures
skyfs alone at 10^7, for the growth.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "sides"))

import content  # noqa: E402 - found by the line above
from process import Process  # noqa: E402 - the same
from reporting.program import Program  # noqa: E402 - the same
from reporting.table import Ratio, Row, Table, Target, power_of_ten, shortly  # noqa: E402 - the same

HUGE = 10**7
OURS, PEER, TIMES = "skyfs", "peer", "times"
MEMORY, PEER_MEMORY = "memory, MB", "peer's memory, MB"
# Visits inserted or declared in one call.
CHUNK = 100
# More regions of detectors than of these visits take the peer too long to insert.
MOST_PLACED = 500


@dataclass(frozen=True)
class Figure:
    """One question, by both sides."""

    size: int
    what: str
    skyfs_ms: float
    peer_ms: float | None = None
    target: float | None = None
    growth_mb: float | None = None
    peer_growth_mb: float | None = None


@dataclass(frozen=True)
class Question:
    """What is asked, in how many rounds of how many calls, and how many times faster skyfs should be."""

    what: str
    do: str
    target: float
    rounds: int
    calls: int = 1
    # The target from 10^6 datasets.
    larger: float | None = None


QUESTIONS = [
    # First, while no other answer has made room that it could take.
    Question("iterate over references", "iterate", 4, 3),
    Question("find one", "find_one", 30, 5, 50),
    Question("one visit (200 datasets)", "one_visit", 20, 5, 5, larger=150),
    Question("expression over a record's column", "by_column", 5, 3),
    Question("count", "count", 20, 3, 3),
    Question("visit and detector over a patch", "over_patch", 10, 3, 3),
    Question("datasets over a point", "at_point", 10, 3, 3),
    Question("calibration by time", "calibration_at", 20, 5, 20),
    Question("calibration by exposure", "calibration_of", 20, 5, 20),
]


class Contest:
    """Both sides (or skyfs alone) with a survey of one size."""

    def __init__(self, sides: Sequence[Process], size: int, folder: Path) -> None:
        self._sides, self._size, self._folder = sides, size, folder
        self._visits = size // content.DETECTORS
        self._chance = random.Random(size)  # noqa: S311 - the same questions every time

    def figures(self) -> Iterator[Figure]:
        """Fill, ask, and give what was measured."""
        yield from self._fill()
        for question in QUESTIONS:
            yield self._asked(question)
        content.write_export(self._folder / "export.yaml")
        spent = self._all("import_export")
        yield self._figure("import an export of 2000 datasets", spent, 5)

    def _fill(self) -> Iterator[Figure]:
        self._all("define")
        spent = [0.0 for _ in self._sides]
        placed = [0.0 for _ in self._sides]
        last = min(self._visits, MOST_PLACED)
        for first, end in _chunks(self._visits):
            self._all("observe", first, end, self._visits)
        for first, end in _chunks(last):
            placed = [a + b for a, b in zip(placed, self._all("place", first, end), strict=True)]
        for first, end in _chunks(self._visits):
            spent = [a + b for a, b in zip(spent, self._all("declare", first, end), strict=True)]
        each = 1000 / self._size
        yield self._figure("bulk declare, µs each", [one * each for one in spent], 10)
        each = 1000 / last / content.DETECTORS
        yield self._figure("region of a detector inserted, µs each", [one * each for one in placed], None)
        self._all("certify")

    def _all(self, do: str, *arguments: object) -> list[float]:
        """Let each side do something; give its seconds."""
        return [sum(one["seconds"]) for one in self._answers(do, [arguments])]

    def _answers(self, do: str, calls: Sequence[Sequence[object]]) -> list[Any]:
        found = [side.ask(do, calls) for side in self._sides]
        for one in found[1:]:
            if one["answers"] != found[0]["answers"]:
                raise SystemExit(f"{do}{calls}: {found[0]['answers']} here, {one['answers']} there")
        return found

    def _asked(self, question: Question) -> Figure:
        seconds: list[list[float]] = [[] for _ in self._sides]
        # Statements are prepared by the first, which is not timed; memory rises most in it.
        first = self._answers(question.do, [self._arguments(question.do)])
        growth = [one["growth_bytes"] / 1e6 for one in first]
        for _ in range(1 if self._size >= HUGE else question.rounds):
            calls = [self._arguments(question.do) for _ in range(question.calls)]
            for index, one in enumerate(self._answers(question.do, calls)):
                seconds[index] += one["seconds"]
                growth[index] = max(growth[index], one["growth_bytes"] / 1e6)
        target = question.larger if question.larger and self._size >= 10**6 else question.target
        medians = [statistics.median(some) for some in seconds]
        return self._figure(question.what, medians, target, growth if question.do == "iterate" else ())

    def _arguments(self, do: str) -> tuple[int, ...]:
        chance = self._chance
        match do:
            case "find_one":
                return chance.randrange(self._visits), chance.randrange(content.DETECTORS)
            case "one_visit":
                return (chance.randrange(self._visits),)
            case "calibration_at":
                return chance.randrange(content.CALIBRATION_DAYS), chance.randrange(
                    content.CALIBRATED_DETECTORS
                )
            case "calibration_of":
                calibrated = content.CALIBRATION_DAYS * content.VISITS_A_NIGHT
                visit = chance.randrange(min(self._visits, calibrated)) // 4 * 4 + content.BANDS.index("r")
                return visit, chance.randrange(content.CALIBRATED_DETECTORS)
        return ()

    def _figure(
        self, what: str, seconds: Sequence[float], target: float | None, growth: Sequence[float] = ()
    ) -> Figure:
        ours, *theirs = [one * 1000 for one in seconds]
        peer = theirs[0] if theirs else None
        mine, *others = growth or (None,)
        figure = Figure(self._size, what, ours, peer, target, mine, others[0] if others else None)
        beside = "" if peer is None else f", the peer {shortly(peer)}"
        print(f"{figure.size:.0e} {what}: {shortly(ours)} ms{beside}", file=sys.stderr)
        return figure


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, CHUNK):
        yield first, min(first + CHUNK, count)


def table(figures: Sequence[Figure], size: int) -> Table:
    """Give the figures of one size."""
    rows = [row(one) for one in figures if one.size == size]
    ratios, also = (Ratio(TIMES, PEER, (OURS,)),), (MEMORY, PEER_MEMORY)
    return Table(power_of_ten(size), (OURS, PEER), tuple(rows), ratios, also=also)


def row(one: Figure) -> Row:
    """Give a figure as a row; the peer's, if it was there."""
    found = {OURS: one.skyfs_ms, PEER: one.peer_ms}
    if one.growth_mb is not None:
        found |= {MEMORY: one.growth_mb, PEER_MEMORY: one.peer_growth_mb}
    targets = () if one.target is None else (Target(TIMES, at_least=one.target),)
    return Row(one.what, "" if "µs" in one.what else "ms", found, targets)


def growth(figures: Sequence[Figure], size: int) -> Table:
    """Give the figures of skyfs alone, and how they grew from the size before."""
    before = max((one.size for one in figures if one.size < size), default=None)
    less = {one.what: one.skyfs_ms for one in figures if one.size == before}
    side = f"skyfs at {power_of_ten(before)}" if before else "skyfs at less"
    rows = [
        Row(one.what, "" if "µs" in one.what else "ms", {OURS: one.skyfs_ms, side: less.get(one.what)})
        for one in figures
        if one.size == size
    ]
    return Table(power_of_ten(size), (OURS, side), tuple(rows), (Ratio("growth", OURS, (side,)),))


def at_size(size: int, peer: str | None, folder: Path) -> list[Figure]:
    """Measure at one size."""
    with Process(sys.executable, "ours", folder) as ours:
        if peer is None:
            return list(Contest([ours], size, folder).figures())
        with Process(peer, "theirs", folder) as theirs:
            return list(Contest([ours, theirs], size, folder).figures())


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    figures: list[Figure] = []
    for size in [*sorted(options.sizes), *([HUGE] if options.huge else [])]:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            figures += at_size(size, None if size == HUGE else options.peer, Path(folder))
        yield growth(figures, size) if size == HUGE else table(figures, size)


if __name__ == "__main__":
    program = Program(__doc__, quick={"sizes": [20_000]}, peer=True)
    program.option("--sizes", type=int, nargs="*", default=[100_000, 1_000_000])
    program.option("--huge", action="store_true", help="skyfs alone at 10⁷ too: ten minutes, 2 GB")
    program.run(measure)
