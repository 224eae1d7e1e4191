"""Output: tables, JSON, times and sizes."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ..errors import printable
from ..model.quoting import CONTROL
from .session import Session

if TYPE_CHECKING:
    from rich.progress import Progress

_UNSEEN = re.compile(rf"(?!\n)[{CONTROL}]")
_PATIENCE_S = 0.5
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def utc(time_ns: int) -> str:
    """Write nanoseconds since 1970 as UTC, to the second."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def human(size: int) -> str:
    """Write a number of bytes with a unit."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{size} B"


def to_person() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()


def print_table(rows: Sequence[Sequence[object]], header: Sequence[str], *, named: bool = False) -> None:
    """Print a table: with a heading and colours for a person, tab-separated lines for a program.

    With ``named``, programs get the heading too.
    """
    if not to_person():
        for row in [header, *rows] if named else rows:
            click.echo("\t".join(map(cell, row)))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(cell(value).replace("[", r"\[") for value in row))
    Console().print(table)


def print_json(value: object) -> None:
    """Print a value as JSON."""
    text = json.dumps(value, indent=1, default=str, ensure_ascii=False)
    click.echo(_UNSEEN.sub(lambda found: json.dumps(found.group())[1:-1], text))


def cell(value: object) -> str:
    """Write a value so that it stays in its column, and does nothing to a terminal."""
    return "" if value is None else printable(str(value).replace("\t", " ").replace("\n", " "))


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error when it is a terminal; None: nobody knows how many bytes will come.

    Nothing may be printed meanwhile.
    """
    with bars() as shown:
        if shown is None:
            yield lambda _: None
            return
        task = shown.add_task(label, total=total)

        def advance(count: int) -> None:
            shown.advance(task, count)
            if total is None:
                shown.update(task, description=f"{label}: {human(int(shown.tasks[task].completed))}")

        yield advance


@contextmanager
def busy(label: str) -> Iterator[None]:
    """Show that something goes on, and for how long already, when standard error is a terminal."""
    with progress(label, None):
        yield


@contextmanager
def bars() -> Iterator[Progress | None]:
    """Give what shows bars, on standard error; None where nobody is to see any."""
    context = click.get_current_context(silent=True)
    session = None if context is None else context.find_object(Session)
    if not sys.stderr.isatty() or (session is not None and session.quiet):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    # What is done at once shows none.
    late = threading.Timer(_PATIENCE_S, shown.start)
    late.daemon = True
    late.start()
    try:
        yield shown
    finally:
        late.cancel()
        late.join()
        if shown.live.is_started:
            shown.stop()
