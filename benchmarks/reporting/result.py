"""What a run of a benchmark gave, as a JSON file; those of earlier runs are kept beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .machine import Machine
from .table import Table


@dataclass(frozen=True, slots=True)
class Result:
    """A run.

    Attributes
    ----------
    date
        When it began: ``2026-11-29T08:15``, UTC; of figures taken before there were such files, the day.
    seconds
        How long it took; None when nobody knows.
    options
        What the program was told, and what it took by default.
    failed
        Why it ended before all was measured; empty when it did not.
    """

    benchmark: str
    date: str
    machine: Machine
    tables: tuple[Table, ...] = ()
    seconds: float | None = None
    quick: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    failed: str = ""

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read a file."""
        given = json.loads(path.read_text(encoding="utf-8"))
        machine = given["machine"]
        if machine["load"] is not None:
            machine["load"] = tuple(machine["load"])
        tables = tuple(map(Table.from_json, given["tables"]))
        return cls(**given | {"machine": Machine(**machine), "tables": tables})

    def save(self, path: Path) -> None:
        """Write a file; figures with eight digits, which is more than they are worth."""
        given = json.loads(json.dumps(asdict(self)), parse_float=lambda text: float(f"{float(text):.8g}"))
        path.write_text(json.dumps(given, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @property
    def file_name(self) -> str:
        """How its file is called among the others."""
        return f"{self.benchmark}-{self.date.replace(':', '')}.json"

    def words(self) -> str:
        """Say when, on what, and what was measured how often."""
        rounds = self.options.get("rounds")
        often = f"; rounds: {rounds}" if rounds else ""
        failed = f"; it failed before all was measured: {self.failed}" if self.failed else ""
        return f"{self.date.replace('T', ' ')}: {self.machine.words()}{often}{failed}"


def stored(folder: Path, benchmark: str) -> list[Result]:
    """Give the results of a benchmark, the newest first; none of those that were measured quickly."""
    found = [Result.load(path) for path in folder.glob("*.json")]
    own = [one for one in found if one.benchmark == benchmark and not one.quick]
    return sorted(own, key=lambda one: one.date, reverse=True)


def newest(results: Sequence[Result], name: str) -> tuple[Result, Table] | None:
    """Give the table of a name in the newest result that has it."""
    for result in results:
        for table in result.tables:
            if table.name == name:
                return result, table
    return None
