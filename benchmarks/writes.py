"""Writing: skyfs beside lsst-daf-butler and the floor, on SQLite and a local disk.

``python benchmarks/writes.py [put] [bulk] [writers]``

Each side is a process of its own (`sides/writes_*.py`); they take turns, and what one has left to be written
to disk is synced before the next begins. The floor writes files of the same size and commits bare rows
through `sqlite3`. "power": files and commits are synced (``synchronous=FULL``); "process": nothing is. The
peer commits its database synced, in a rollback journal, and syncs no file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "sides"))

import writes_content as content  # noqa: E402 - found by the line above
from process import Process  # noqa: E402 - the same
from reporting.program import Program  # noqa: E402 - the same
from reporting.table import Ratio, Row, Table, Target  # noqa: E402 - the same

POWER, PROCESS, PEER, FLOOR, BARE = "skyfs, power", "skyfs, process", "peer", "floor, power", "floor, process"
SIDES = {
    POWER: ("writes_ours", "power"),
    PROCESS: ("writes_ours", "process"),
    PEER: ("writes_theirs",),
    FLOOR: ("writes_floor", "power"),
    BARE: ("writes_floor", "process"),
}
PUTS_A_ROUND = 40
WRITERS, PUTS_EACH = 4, 100
STALL_MS = 250


# How many times faster than the peer, and times the floor.
FAST, FASTER, SLOW, SLOWER = "times, power", "times, process", "× floor, power", "× floor, process"
RATIOS = (
    Ratio(FAST, PEER, (POWER,)),
    Ratio(FASTER, PEER, (PROCESS,)),
    Ratio(SLOW, POWER, (FLOOR,)),
    Ratio(SLOWER, PROCESS, (BARE,)),
)


def faster(power: float, process: float | None = None) -> tuple[Target, ...]:
    """Give how many times faster than the peer both kinds of durability should be."""
    return Target(FAST, at_least=power), Target(FASTER, at_least=power if process is None else process)


class Contest:
    """All sides in one folder."""

    def __init__(self, sides: dict[str, Process], folder: Path, rounds: int) -> None:
        self._sides, self._folder, self._rounds = sides, folder, rounds

    def put(self) -> Iterator[Row]:
        """Put small objects, then get them."""
        for kind, extension in content.EXTENSIONS.items():
            figures: dict[str, dict[str, list[float]]] = {"put": {}, "get": {}}
            for turn in range(self._rounds + 1):
                calls = [(kind, turn * PUTS_A_ROUND + n, "run/put") for n in range(PUTS_A_ROUND)]
                self._ask("make", [call[:2] for call in calls])
                for do, found in figures.items():
                    for side, seconds in self._ask(do, calls).items():
                        # The first turn is not counted: modules are imported, statements prepared.
                        found.setdefault(side, []).extend(seconds if turn else [])
            medians = [
                {side: 1000 * statistics.median(some) for side, some in found.items()}
                for found in figures.values()
            ]
            yield self._row(f"put a small {extension}", "ms", medians[0], (*faster(2.5, 4), Target(SLOW, 2)))
            yield self._row(f"get a small {extension} by data ID", "ms", medians[1], faster(10))

    def bulk(self) -> Iterator[Row]:
        """Ingest, export, import, transfer and remove many."""
        content.write_files(self._folder / "given")
        for mode, target in (("direct", 10), ("link", None), ("copy", 2)):
            calls = [(mode, f"{mode}{turn}") for turn in range(self._rounds)]
            targets = faster(target) if target else ()
            yield self._row(f"ingest 10⁴ files, {mode}", "s", self._each("ingest", calls), targets)
        turns = range(self._rounds)
        self._each("make_target", [(turn,) for turn in turns])
        some = f"{content.N_MOVED} datasets"
        chosen = [("copy0", turn) for turn in turns]
        yield self._row(f"export {some}", "s", self._each("export", chosen), faster(5))
        for do, whose in (("importing_own", "their own export"), ("importing", "the peer's export")):
            imported = self._each(do, [(turn,) for turn in turns])
            yield self._row(f"import {some}, {whose}", "s", imported, faster(5))
        yield self._row(f"transfer {some}", "s", self._each("transfer", chosen), faster(2.5))
        yield self._row(f"remove {some}", "s", self._each("remove", chosen), faster(3))

    def writers(self) -> Iterator[Row]:
        """Let several processes put at once."""
        rates: dict[str, list[float]] = {}
        stalls: dict[str, list[float]] = {}
        for side in self._sides:
            for turn in range(self._rounds):
                spent = self._at_once(side, turn)
                rates.setdefault(side, []).append(WRITERS * PUTS_EACH / max(sum(one) for one in spent))
                stalls.setdefault(side, []).append(1000 * max(chain.from_iterable(spent)))
        best = {side: statistics.median(some) for side, some in rates.items()}
        yield self._row(f"{WRITERS} writers", "puts/s", best, faster(4), inverse=True)
        worst = {side: max(some) for side, some in stalls.items()}
        targets = (Target(POWER, STALL_MS), Target(PROCESS, STALL_MS))
        yield self._row(f"{WRITERS} writers, the longest put", "ms", worst, targets)

    def _row(
        self,
        what: str,
        unit: str,
        found: dict[str, float],
        targets: tuple[Target, ...],
        *,
        inverse: bool = False,
    ) -> Row:
        """Give one thing by all sides; a peer that is not installed is told of."""
        absent: dict[str, float | None] = {} if PEER in self._sides else {PEER: None}
        print(what, file=sys.stderr)
        return Row(what, unit, found | absent, targets, inverse)

    def _at_once(self, side: str, turn: int) -> list[list[float]]:
        with ExitStack() as stack:
            some = [stack.enter_context(self._started(side)) for _ in range(WRITERS)]
            # The first put imports modules and prepares statements; before it the processes start.
            for number, one in enumerate(some):
                one.ask("put", [("note", number, f"run/warm{turn}")])
            for number, one in enumerate(some):
                first = number * PUTS_EACH
                calls = [("note", first + n, f"run/writers{turn}") for n in range(PUTS_EACH)]
                one.tell("put", calls)
            return [one.answer("put")["seconds"] for one in some]

    def _started(self, side: str) -> Process:
        return self._sides[side].again()

    def _each(self, do: str, calls: Sequence[Sequence[object]]) -> dict[str, float]:
        """Give the median seconds of each side."""
        found: dict[str, list[float]] = {}
        for call in calls:
            for side, seconds in self._ask(do, [call]).items():
                found.setdefault(side, []).extend(seconds)
        return {side: statistics.median(some) for side, some in found.items()}

    def _ask(self, do: str, calls: Sequence[Sequence[object]]) -> dict[str, list[float]]:
        """Let each side do something; give its seconds. They must give the same answers."""
        able = {side: one for side, one in self._sides.items() if one.ask("able", [(do,)])["answers"][0]}
        if do == "importing" and PEER not in self._sides:
            return {}
        found, answers = {}, []
        for side, process in able.items():
            os.sync()
            one = process.ask(do, calls)
            found[side] = one["seconds"]
            answers.append(one["answers"])
        if any(one != answers[0] for one in answers):
            raise SystemExit(f"{do}{calls}: {dict(zip(able, answers, strict=True))}")
        return found


SECTIONS = {"put": Contest.put, "bulk": Contest.bulk, "writers": Contest.writers}


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure on a fresh set of repositories."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, ExitStack() as stack:
        sides = {
            side: stack.enter_context(Process(python, how[0], Path(folder), *how[1:]))
            for side, how in SIDES.items()
            if (python := options.peer if side == PEER else sys.executable) is not None
        }
        contest = Contest(sides, Path(folder), options.rounds)
        for name in options.sections or SECTIONS:
            yield Table(name, tuple(SIDES), tuple(SECTIONS[name](contest)), RATIOS)


if __name__ == "__main__":
    program = Program(__doc__, quick={"rounds": 1}, libraries=["astropy", "pyarrow"], peer=True)
    program.option("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; default: all")
    program.option("--rounds", type=int, default=3)
    program.run(measure)
