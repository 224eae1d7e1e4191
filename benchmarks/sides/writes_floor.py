"""The floor: raw files and raw SQLite, doing no more than what cannot be left out."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import content
import writes_content as what

_BYTES = {"note": 100, "doc": 100, "table": 2800, "image": 8640}


class Side:
    """A folder of files and a table that names them."""

    def __init__(self, folder: Path, durability: str) -> None:
        self._durable = durability == "power"
        self._given = folder / "given"
        self._root = folder / f"floor-{durability}"
        new = not self._root.exists()
        self._root.mkdir(exist_ok=True)
        self._sql = sqlite3.connect(self._root / "floor.sqlite3", isolation_level=None, timeout=60)
        if new:
            self._sql.execute("PRAGMA journal_mode=WAL")
            self._sql.execute(
                "CREATE TABLE files (run, visit, detector, name, PRIMARY KEY (run, visit, detector))"
            )
        self._sql.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")

    def make(self, kind: str, number: int) -> int:
        """Make an object, to be put."""
        what.made(kind, number)
        return number

    def put(self, kind: str, number: int, run: str) -> str:
        """Write a file of the same size, synced, and commit a row."""
        name = f"{run}-{kind}-{number}".replace("/", "-")
        descriptor = os.open(self._root / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, json.dumps(what.made("note", number)).encode().ljust(_BYTES[kind]))
        if self._durable:
            os.fsync(descriptor)
        os.close(descriptor)
        self._insert(f"{run}-{kind}", [number], name)
        return kind

    def get(self, kind: str, number: int, run: str) -> int:
        """Look a row up and read its file."""
        key = (f"{run}-{kind}", *divmod(number, content.DETECTORS))
        text = "SELECT name FROM files WHERE run=? AND visit=? AND detector=?"
        ((name,),) = self._sql.execute(text, key).fetchall()
        found: int = json.loads((self._root / name).read_bytes())["number"]
        return found

    def ingest(self, mode: str, run: str) -> int:
        """Copy or link all files, synced at once, and insert rows in one transaction."""
        folder = self._root / run
        folder.mkdir()
        self._take(mode, folder, range(what.N_FILES))
        self._insert(run, range(what.N_FILES), "given")
        return what.N_FILES

    def remove(self, run: str, turn: int) -> int:
        """Delete rows in one transaction, then files."""
        for number in what.moved(turn):
            (self._root / run / f"{number}").unlink()
        numbers = [(run, *divmod(number, content.DETECTORS)) for number in what.moved(turn)]
        self._sql.execute("BEGIN IMMEDIATE")
        self._sql.executemany("DELETE FROM files WHERE run=? AND visit=? AND detector=?", numbers)
        self._sql.execute("COMMIT")
        return what.N_MOVED

    def export(self, run: str, turn: int) -> int:
        """Copy files."""
        folder = self._root / f"{run}-exported{turn}"
        folder.mkdir()
        self._take("copy", folder, what.moved(turn))
        return what.N_MOVED

    def able(self, do: str) -> int:  # noqa: ARG002 - it can do all of them
        """Tell whether it can do something: 1, or 0."""
        return 1

    def importing_own(self, turn: int) -> int:
        """Copy files, and insert rows in one transaction."""
        return self._copied(f"imported_own{turn}", turn)

    def importing(self, turn: int) -> int:
        """Copy files, and insert rows in one transaction."""
        return self._copied(f"imported{turn}", turn)

    def transfer(self, run: str, turn: int) -> int:
        """Do the same."""
        return self._copied(f"{run}-transferred{turn}", turn)

    def make_target(self, turn: int) -> int:
        """Nothing is needed."""
        return turn * 0

    def _copied(self, run: str, turn: int) -> int:
        folder = self._root / run
        folder.mkdir()
        self._take("copy", folder, what.moved(turn))
        self._insert(run, what.moved(turn), "given")
        return what.N_MOVED

    def _take(self, mode: str, folder: Path, numbers: range) -> None:
        if mode == "direct":
            return
        for number in numbers:
            source, target = what.given(self._given, number), folder / f"{number}"
            if mode == "copy":
                shutil.copyfile(source, target)
            else:
                os.link(source, target)
        if self._durable:
            os.sync()

    def _insert(self, run: str, numbers: list[int] | range, name: str) -> None:
        rows = [(run, *divmod(number, content.DETECTORS), name) for number in numbers]
        self._sql.execute("BEGIN IMMEDIATE")
        self._sql.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", rows)
        self._sql.execute("COMMIT")
