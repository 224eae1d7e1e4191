"""Files that have names of their own, by store and folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..model.manifest_line import RebaseLine
from .database import Database
from .recording import Recorder
from .schema import Schema
from .symbols import Symbols


class Files:
    """Finds files by where they lie, and says that they lie elsewhere."""

    def __init__(self, database: Database, schema: Schema, symbols: Symbols, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder
        self._symbols = symbols
        self._artifact, self._symbol = schema["artifact"], schema["symbol"]

    def below(self, store: str, folder: str) -> Iterator[str]:
        """Give the keys of files in a folder of a store and below it, as far as rows spell them."""
        artifact, symbol = self._artifact, self._symbol
        joined = artifact.join(symbol, symbol.c.id == artifact.c.folder_id)
        found = sa.select(symbol.c.text, artifact.c.name).select_from(joined)
        for text, name in self._database.read(found.where(*self._within(store, folder))):
            yield f"{text}/{name}" if text else name

    def rebase(self, store: str, old: str, new: str) -> int:
        """Say that what lies below a folder of a store lies below another now; give how many files."""
        artifact, symbol = self._artifact, self._symbol
        with self._database.transaction():
            joined = artifact.join(symbol, symbol.c.id == artifact.c.folder_id)
            columns = sa.select(symbol.c.id, symbol.c.text).select_from(joined).distinct()
            rows = self._database.read(columns.where(*self._within(store, old)))
            ids = self._symbols.ids(f"{new}{text[len(old) :]}" for _, text in rows)
            total = 0
            for folder_id, text in rows:
                same = (self._of_store(store), artifact.c.folder_id == folder_id)
                changed = artifact.update().where(*same).values(folder_id=ids[f"{new}{text[len(old) :]}"])
                total += self._database.write(changed)
            if total:
                self._recorder.add(RebaseLine(store, old, new))
            return total

    def _of_store(self, store: str) -> sa.ColumnElement[bool]:
        symbol = self._symbol.alias("a_store")
        named = sa.select(symbol.c.id).where(symbol.c.text == store).scalar_subquery()
        return self._artifact.c.store_id == named

    def _within(self, store: str, folder: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        text: sa.ColumnElement[Any] = self._symbol.c.text
        # Not LIKE: for SQLite it takes upper and lower case for the same.
        below = (text >= f"{folder}/") & (text < f"{folder}0")
        return self._of_store(store), (text == folder) | below
