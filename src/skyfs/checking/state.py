"""What a check knows meanwhile, on the disk: memory stays flat, and an interrupted one can go on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Self

from ..errors import StoreError
from .report import Finding, Tally

_SHOWN = 1_000
_ROWS = 5_000
_LAYOUT = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS file
    (store TEXT, key BLOB, size INTEGER, seen INTEGER, PRIMARY KEY (store, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finding
    (id INTEGER PRIMARY KEY, phase TEXT, code TEXT, what TEXT, found TEXT, todo TEXT, repaired INTEGER);
CREATE TABLE IF NOT EXISTS tally
    (phase TEXT, code TEXT, found INTEGER, repaired INTEGER, PRIMARY KEY (phase, code));
"""


class State:
    """Files that were seen, findings, and how far a check has come.

    Parameters
    ----------
    path
        A file that stays when the check is interrupted; None: a temporary one.

    Raises
    ------
    StoreError
        When it cannot be written, or another check has it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        try:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._rows = sqlite3.connect(str(path or ""), isolation_level=None, timeout=0)
            self._rows.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._rows.execute("PRAGMA synchronous=OFF")
            self._rows.execute("BEGIN EXCLUSIVE")
            for statement in _LAYOUT.split(";"):
                self._rows.execute(statement)
            self._rows.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            found, todo = str(error), "let it end, or check without --resume"
            raise StoreError(f"state of a check in {str(path)!r}", found, todo) from error

    def begin(self, signature: str, *, resume: bool) -> bool:
        """Begin, or go on with what another check with the same options has left; tell whether it goes on."""
        if resume and self.get("signature") == signature:
            # Rows are gone over again each time; what was repaired of them is known from now on only here.
            self._rows.execute("UPDATE tally SET found = repaired WHERE phase != 'files'")
            self._rows.execute("DELETE FROM tally WHERE found = 0")
            self._rows.execute("DELETE FROM finding WHERE phase != 'files' AND NOT repaired")
            # Files that were noted but not yet judged.
            self._rows.execute("UPDATE file SET seen = 0 WHERE seen > ?", (self.number("position"),))
            return True
        for table in ("meta", "file", "finding", "tally"):
            self._rows.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        self.set("signature", signature)
        return False

    def get(self, key: str) -> object:
        """Give a value; None when it was never set."""
        row = self._rows.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def number(self, key: str) -> int:
        """Give a number; 0 when it was never set."""
        return int(str(self.get(key) or 0))

    def set(self, key: str, value: str | int) -> None:
        """Keep a value."""
        self._rows.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that the body does, or nothing."""
        self._rows.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._rows.execute("ROLLBACK")
            raise
        self._rows.execute("COMMIT")

    # -- files

    def add_files(self, store: str, files: Iterable[tuple[str, int]]) -> None:
        """Note the files of a store with their sizes."""
        with self.together():
            self._rows.execute("DELETE FROM file WHERE store = ?", (store,))
            every = iter(files)
            while some := list(islice(every, _ROWS)):
                rows = [(store, os.fsencode(key), size) for key, size in some]
                self._rows.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, 0)", rows)

    def see(self, store: str, numbers: Mapping[str, int]) -> dict[str, int | None]:
        """Note that datasets, by the numbers of their rows, name files (some hundred) of a store.

        Gives the files for which that is new, with the sizes that they had; None: they were not there.
        """
        keys = {os.fsencode(key): key for key in numbers}
        marks = ", ".join("?" * len(keys))
        select = f"SELECT key, size, seen FROM file WHERE store = ? AND key IN ({marks})"  # noqa: S608
        known = {key: (size, seen) for key, size, seen in self._rows.execute(select, (store, *keys))}
        fresh = [key for key in keys if not known.get(key, (None, 0))[1]]
        with self.together():
            self._rows.executemany(
                "INSERT INTO file VALUES (?, ?, NULL, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen",
                [(store, key, numbers[keys[key]]) for key in fresh],
            )
        return {keys[key]: known.get(key, (None, 0))[0] for key in fresh}

    def unseen(self, store: str) -> Iterator[Sequence[str]]:
        """Give the files of a store that the registry does not name, some at a time."""
        after = b""
        select = "SELECT key FROM file WHERE store = ? AND key > ? AND NOT seen ORDER BY key LIMIT ?"
        while rows := self._rows.execute(select, (store, after, _ROWS)).fetchall():
            yield [os.fsdecode(row[0]) for row in rows]
            after = rows[-1][0]

    def unseen_count(self, store: str) -> tuple[int, int]:
        """Give how many files of a store the registry does not name, and how many there are."""
        select = "SELECT coalesce(sum(NOT seen), 0), count(*) FROM file WHERE store = ? AND size IS NOT NULL"
        unseen, every = self._rows.execute(select, (store,)).fetchone()
        return int(unseen), int(every)

    # -- findings

    def add(self, phase: str, finding: Finding) -> None:
        """Note a finding; of many of one code only the first are kept in words."""
        self.count(phase, finding.code, 1, int(finding.repaired))
        if self._tally(phase, finding.code) <= _SHOWN:
            texts = (finding.code, finding.what, finding.found, finding.todo)
            # Names of files may be any bytes.
            told = [text.encode(errors="backslashreplace").decode() for text in texts]
            row = (phase, *told, int(finding.repaired))
            self._rows.execute("INSERT INTO finding VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)

    def count(self, phase: str, code: str, found: int, repaired: int) -> None:
        """Count findings that are not kept in words."""
        self._rows.execute(
            "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET found = found + excluded.found, repaired = repaired + excluded.repaired",
            (phase, code, found, repaired),
        )

    def findings(self) -> Iterator[Finding]:
        """Give the findings in the order in which they came."""
        for row in self._rows.execute("SELECT code, what, found, todo, repaired FROM finding ORDER BY id"):
            code, what, found, todo, repaired = row
            yield Finding(code, what, found, todo, bool(repaired))

    def tallies(self) -> Mapping[str, Tally]:
        """Give the numbers of findings by code."""
        select = "SELECT code, sum(found), sum(repaired) FROM tally GROUP BY code ORDER BY min(rowid)"
        return {code: Tally(found, repaired) for code, found, repaired in self._rows.execute(select)}

    def _tally(self, phase: str, code: str) -> int:
        where = (phase, code)
        select = "SELECT found FROM tally WHERE phase = ? AND code = ?"
        return int(self._rows.execute(select, where).fetchone()[0])

    # -- ending

    def close(self, *, done: bool) -> None:
        """Let go of it; when the check is done, it is removed."""
        self._rows.close()
        if done and self.path is not None:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(done=kind is None)
