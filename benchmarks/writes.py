"""Writing: skyfs beside lsst-daf-butler and the floor, on SQLite and a local disk.

``python benchmarks/writes.py [put] [bulk] [writers] [--peer PYTHON] [--rounds 3] [--json FILE]``

Each side is a process of its own (`sides/writes_*.py`); they take turns, and what one has left to be written
to disk is synced before the next begins. The floor writes files of the same size and commits bare rows
through `sqlite3`. "power": files and commits are synced (``synchronous=FULL``); "process": nothing is. The
peer commits its database synced, in a rollback journal, and syncs no file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from discovery import HERE, Process

sys.path.insert(0, str(HERE / "sides"))

import writes_content as content

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


@dataclass
class Figure:
    """One thing by all sides; how many times faster than the peer skyfs should be, and times the floor."""

    what: str
    unit: str
    found: dict[str, float]
    power: float | None = None
    process: float | None = None
    floor: float | None = None
    # Whether more is better.
    rate: bool = False

    def times(self, side: str, other: str) -> float | None:
        """Tell how many times faster a side is than another one."""
        own, that = self.found.get(side), self.found.get(other)
        if own is None or that is None:
            return None
        return own / that if self.rate else that / own

    def row(self) -> str:
        """Give a row of a Markdown table."""
        cells = [_shown(self.found.get(side)) for side in (POWER, PROCESS, PEER, FLOOR, BARE)]
        cells += [_shown(self.times(side, PEER)) for side in (POWER, PROCESS)]
        cells += [_inverse(self.times(POWER, FLOOR)), _inverse(self.times(PROCESS, BARE)), self._targets()]
        return f"| {self.what}, {self.unit} | {' | '.join(cells)} |"

    def _targets(self) -> str:
        texts = []
        for name, target, found in (
            ("power", self.power, self.times(POWER, PEER)),
            ("process", self.process, self.times(PROCESS, PEER)),
        ):
            if target is not None and found is not None:
                texts.append(f"{name} ≥ {target:g}{'' if found >= target else ' MISSED'}")
        found = self.times(POWER, FLOOR)
        if self.floor is not None and found is not None:
            texts.append(f"floor ≤ {self.floor:g}{'' if 1 / found <= self.floor else ' MISSED'}")
        return ", ".join(texts)


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"


def _inverse(figure: float | None) -> str:
    return "" if figure is None else f"{1 / figure:.1f}"


class Contest:
    """All sides in one folder."""

    def __init__(self, sides: dict[str, Process], folder: Path, rounds: int) -> None:
        self._sides, self._folder, self._rounds = sides, folder, rounds

    def put(self) -> Iterator[Figure]:
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
            yield Figure(f"put a small {extension}", "ms", medians[0], power=2.5, process=4, floor=2)
            yield Figure(f"get a small {extension} by data ID", "ms", medians[1], power=10, process=10)

    def bulk(self) -> Iterator[Figure]:
        """Ingest, export, import, transfer and remove many."""
        content.write_files(self._folder / "given")
        for mode, target in (("direct", 10), ("link", None), ("copy", 2)):
            calls = [(mode, f"{mode}{turn}") for turn in range(self._rounds)]
            what = f"ingest {content.N_FILES} files, {mode}"
            yield Figure(what, "s", self._each("ingest", calls), power=target, process=target)
        turns = range(self._rounds)
        self._each("make_target", [(turn,) for turn in turns])
        some = f"{content.N_MOVED} datasets"
        chosen = [("copy0", turn) for turn in turns]
        yield Figure(f"export {some}", "s", self._each("export", chosen), power=5, process=5)
        for do, whose in (("importing_own", "their own export"), ("importing", "the peer's export")):
            imported = self._each(do, [(turn,) for turn in turns])
            yield Figure(f"import {some}, {whose}", "s", imported, power=5, process=5)
        yield Figure(f"transfer {some}", "s", self._each("transfer", chosen), power=2.5, process=2.5)
        yield Figure(f"remove {some}", "s", self._each("remove", chosen), power=3, process=3)

    def writers(self) -> Iterator[Figure]:
        """Let several processes put at once."""
        rates: dict[str, list[float]] = {}
        stalls: dict[str, list[float]] = {}
        for side in self._sides:
            for turn in range(self._rounds):
                spent = self._at_once(side, turn)
                rates.setdefault(side, []).append(WRITERS * PUTS_EACH / max(sum(one) for one in spent))
                stalls.setdefault(side, []).append(1000 * max(chain.from_iterable(spent)))
        best = {side: statistics.median(some) for side, some in rates.items()}
        yield Figure(f"{WRITERS} writers", "puts/s", best, power=4, process=4, rate=True)
        worst = {side: max(some) for side, some in stalls.items()}
        figure = Figure(f"{WRITERS} writers, the longest put (≤ {STALL_MS} ms)", "ms", worst)
        yield figure

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


def table(figures: Sequence[Figure]) -> str:
    """Give the figures as a Markdown table."""
    heads = [POWER, PROCESS, PEER, FLOOR, BARE, "times, power", "times, process"]
    heads += ["× floor, power", "× floor, process", "target"]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    return "\n".join([*lines, *(figure.row() for figure in figures)])


def measure(sections: Sequence[str], peer: str | None, folder: Path, rounds: int) -> list[Figure]:
    """Measure on a fresh set of repositories."""
    figures = []
    with ExitStack() as stack:
        sides = {
            side: stack.enter_context(Process(python, how[0], folder, *how[1:]))
            for side, how in SIDES.items()
            if (python := peer if side == PEER else sys.executable) is not None
        }
        contest = Contest(sides, folder, rounds)
        for name in sections:
            for figure in SECTIONS[name](contest):
                print(figure.row(), file=sys.stderr)
                figures.append(figure)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sections", nargs="*", default=[], help=f"default: all of {', '.join(SECTIONS)}")
    parser.add_argument("--peer", help="Python that has lsst-daf-butler; default: that of .venv-peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the repositories are made; they are deleted afterwards")
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    own = HERE.parent / ".venv-peer" / "bin" / "python"
    peer = options.peer or (str(own) if own.exists() else None)
    if peer is None:
        print(
            "No peer: skyfs and the floor. `make peer` installs it, --peer names its Python.", file=sys.stderr
        )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(options.sections or list(SECTIONS), peer, Path(folder), options.rounds)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(one) for one in figures], indent=1))
    print(table(figures))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"\n{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()},", end=" "
    )
    print(f"SQLite {sqlite3.sqlite_version}; load average {load} at the end; {options.rounds} rounds.")


if __name__ == "__main__":
    main()
