"""Texts that repeat (extensions, stores, folders), stored once and named by a number."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from .database import Database
from .schema import Schema


class Symbols:
    """Gives texts for ids and ids for texts. A committed symbol never changes."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._table = schema["symbol"]
        self._texts: dict[int, str] = {}
        self._ids: dict[str, int] = {}

    def text(self, symbol_id: int) -> str:
        """Give the text of an id."""
        known = self._texts.get(symbol_id)
        if known is None:
            row = self._database.read(_by_id(self._table), {"id": symbol_id})[0]
            known = str(row.text)
            self._keep({known: symbol_id})
        return known

    def id(self, text: str) -> int | None:
        """Give the id of a text; None when no row has it."""
        return self._lookup([text]).get(text)

    def ids(self, texts: Iterable[str]) -> dict[str, int]:
        """Give the ids of texts, inside of a transaction, adding those that are new."""
        wanted = list(dict.fromkeys(texts))
        found = self._lookup(wanted)
        new = [text for text in wanted if text not in found]
        if new:
            self._database.write_many(self._table, ["text"], [(text,) for text in new])
            found |= self._lookup(new)
        return found

    def _lookup(self, texts: list[str]) -> dict[str, int]:
        found = {text: self._ids[text] for text in texts if text in self._ids}
        missing = [text for text in texts if text not in found]
        for start in range(0, len(missing), 500):
            rows = self._database.read(_by_text(self._table), {"texts": missing[start : start + 500]})
            read = {str(row.text): int(row.id) for row in rows}
            self._keep(read)
            found |= read
        return found

    def _keep(self, read: dict[str, int]) -> None:
        # What an open transaction has added may be rolled back, and its number be given to another text.
        if self._database.scratch is None:
            self._ids |= read
            self._texts |= {symbol_id: text for text, symbol_id in read.items()}


def _by_id(table: sa.Table) -> sa.Select[tuple[object, ...]]:
    return sa.select(table).where(table.c.id == sa.bindparam("id"))


def _by_text(table: sa.Table) -> sa.Select[tuple[object, ...]]:
    return sa.select(table).where(table.c.text.in_(sa.bindparam("texts", expanding=True)))
