"""Write docs/performance.md of the stored results, and of the texts in `pages/`.

``python benchmarks/page.py [--check]``

In a text, ``<!-- table: NAME -->`` is replaced by that table of the newest result which has it, and
``<!-- measured -->`` by when and on what. ``--check`` writes nothing, and fails when the page is not what
would be written.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reporting import BENCHMARKS
from reporting.result import Result, newest, stored
from reporting.table import Row, Table, Target, shortly

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
_HEAD = "head"
_TABLE = re.compile(r"<!-- table: (.+?) -->")
_MEASURED = "<!-- measured -->"
_MISSED = "<!-- missed -->"


@dataclass(frozen=True, slots=True)
class Section:
    """The part of a page that is about one benchmark: its text, and its results, the newest first."""

    benchmark: str
    text: str
    results: list[Result]

    @property
    def title(self) -> str:
        """What it is called."""
        return self.text.partition("\n")[0].lstrip("# ")

    @property
    def link(self) -> str:
        """Its title, as a link within the page."""
        anchor = re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")
        return f"[{self.title}](#{anchor})"

    def tables(self) -> Iterator[tuple[str, tuple[Result, Table] | None]]:
        """Give the tables that the text asks for, and what there is of each."""
        for name in _TABLE.findall(self.text):
            yield name, newest(self.results, name)

    def render(self) -> str:
        """Give the text with its tables."""
        self._check_places()
        found = dict(self.tables())

        def table(match: re.Match[str]) -> str:
            there = found[match[1]]
            return self._never() if there is None else there[1].markdown()

        return _TABLE.sub(table, self.text).replace(_MEASURED, self._measured())

    def _check_places(self) -> None:
        """Refuse to leave out what was measured."""
        known = {name for name, _ in self.tables()}
        for table in self.results[0].tables if self.results else ():
            if table.name not in known:
                text = f"benchmarks/pages/{self.benchmark}.md"
                raise SystemExit(
                    f"{self.benchmark} of {self.results[0].date} has a table {table.name!r}, and {text} "
                    f"no place for it: write <!-- table: {table.name} --> there"
                )

    def _never(self) -> str:
        return f"**Not measured**: `make bench ONLY={self.benchmark}` does."

    def _measured(self) -> str:
        of: dict[str, tuple[Result, list[str]]] = {}
        for name, there in self.tables():
            if there is not None:
                of.setdefault(there[0].date, (there[0], []))[1].append(name)
        program = f"`benchmarks/{self.benchmark}.py`"
        if not of:
            return f"{program}."
        runs = list(of.values())
        if len(runs) == 1:
            return f"{program}, {runs[0][0].words()}."
        lines = [f"- {', '.join(names)}: {result.words()}." for result, names in runs]
        return "\n".join([f"{program}, in runs apart:", "", *lines])


def sections(folder: Path) -> list[Section]:
    """Read all texts and results."""
    return [
        Section(name, (folder / "pages" / f"{name}.md").read_text("utf-8"), stored(folder / "results", name))
        for name in BENCHMARKS
    ]


def page(folder: Path) -> str:
    """Give the whole page."""
    parts = sections(folder)
    head = (folder / "pages" / f"{_HEAD}.md").read_text("utf-8").replace(_MISSED, missed(parts))
    return "\n".join([head, *(part.render() for part in parts)]).rstrip() + "\n"


def missed(parts: Iterable[Section]) -> str:
    """Say how many targets are met, and list those that are not."""
    judged = [
        (part, *verdict)
        for part in parts
        for _, there in part.tables()
        if there is not None
        for verdict in there[1].verdicts()
    ]
    failing = [one for one in judged if one[3] is not None and not one[2].met(one[3])]
    unknown = sum(value is None for *_, value in judged)
    met = len(judged) - unknown - len(failing)
    first = f"Of {len(judged)} targets {met} are met, {len(failing)} are **missed**, {unknown} not measured."
    lines = ["", "| missed | | found | target |", "|---|---|---|---|", *(_line(*one) for one in failing)]
    return "\n".join([first, *_never_measured(parts), *(lines if failing else [])])


def _never_measured(parts: Iterable[Section]) -> Iterator[str]:
    found = [f"{part.title} ({name})" for part in parts for name, there in part.tables() if there is None]
    if found:
        yield f"Not measured at all, with their targets: {'; '.join(found)}."


def _line(part: Section, row: Row, target: Target, value: float | None) -> str:
    found = "" if value is None else shortly(value)
    return f"| {part.link} | {row.label}: {target.column} | {found} | {target} |"


def main() -> int:
    """Write or check; give the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is another")
    options = parser.parse_args()
    text = page(HERE)
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE}: written")
    elif text != PAGE.read_text(encoding="utf-8"):
        print(f"{PAGE} is not what benchmarks/results and benchmarks/pages give: run `make bench-page`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
