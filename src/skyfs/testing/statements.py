"""Which SQL statements are run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from skyfs.registry.database import Database
from skyfs.registry.statement import Selection


@contextmanager
def statements_run() -> Iterator[list[str]]:
    """Give a list that grows by each statement that any registry of this process runs meanwhile."""
    seen: list[str] = []

    def note(*call: object) -> None:
        seen.append(str(call[2]))

    compiled = {name: getattr(Database, name) for name in ("select", "stream")}
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    for name, method in compiled.items():
        setattr(Database, name, _noting(method, seen))
    try:
        yield seen
    finally:
        for name, method in compiled.items():
            setattr(Database, name, method)
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def _noting(method: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(database: Database, selection: Selection, *arguments: object) -> object:
        seen.append(selection.rendered(database.language).text)
        return method(database, selection, *arguments)

    return call
