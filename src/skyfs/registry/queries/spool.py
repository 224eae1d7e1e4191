"""Rows kept aside, so that the database is not held while somebody goes through them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

# So many rows stay in memory (about 60 MB); the others go to a temporary file of SQLite's own, which takes
# 1.6 µs a row.
_IN_MEMORY = 200_000
_PAGE_ROWS = 20_000

_Rows = Sequence[tuple[Any, ...]]


class Spool:
    """Takes all rows of an answer at once, and gives them page by page."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._file: sqlite3.Connection | None = None

    def clear(self) -> None:
        """Forget all rows."""
        self._rows = []
        if self._file is not None:
            self._file.close()
            self._file = None

    def extend(self, rows: _Rows, /) -> None:
        """Take some rows."""
        if self._file is None and len(self._rows) + len(rows) <= _IN_MEMORY:
            self._rows += rows
        elif rows:
            self._write(rows)

    def pages(self) -> Iterator[_Rows]:
        """Give all rows, in the order in which they came; may be asked for once."""
        rows, self._rows = self._rows, []
        if rows:
            yield rows
        if self._file is not None:
            cursor = self._file.execute("SELECT * FROM spool ORDER BY rowid")
            while page := cursor.fetchmany(_PAGE_ROWS):
                yield page
            self.clear()

    def _write(self, rows: _Rows) -> None:
        width = len(rows[0])
        if self._file is None:
            # The empty name is a file of its own that goes with the connection. Any thread may go on reading.
            self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=OFF")
            self._file.execute(f"CREATE TABLE spool ({', '.join(f'c{n}' for n in range(width))})")
        self._file.execute("BEGIN")
        self._file.executemany(f"INSERT INTO spool VALUES ({', '.join('?' * width)})", rows)  # noqa: S608
        self._file.execute("COMMIT")
