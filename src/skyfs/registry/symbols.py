"""Texts that repeat (extensions, stores, folders), stored once and named by a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from .database import Database
from .schema import Schema
from .statement import Statement, among

_MAX_KNOWN = 1_000_000


class Symbols:
    """Gives texts for ids and ids for texts. A committed symbol never changes."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._table = schema["symbol"]
        self._insert = Statement(
            self._table.insert().values(text=sa.bindparam("new_text")).inline(), ["new_text"]
        )
        self._by_id = sa.select(self._table.c.text).where(self._table.c.id == sa.bindparam("id"))
        self._by_text = sa.select(self._table).where(among(self._table.c.text))
        self._texts: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        database.when_committed(self._committed)

    def text(self, symbol_id: int) -> str:
        """Give the text of an id."""
        known = self._texts.get(symbol_id)
        if known is None:
            known = str(self._database.read(self._by_id, {"id": symbol_id})[0][0])
            if known not in self._added():
                self._keep({known: symbol_id})
        return known

    def ids(self, texts: Iterable[str]) -> dict[str, int]:
        """Give the ids of texts, inside of a transaction, adding those that are new."""
        wanted = dict.fromkeys(texts)
        found = {text: self._ids[text] for text in wanted if text in self._ids}
        added = self._added()
        found |= {text: added[text] for text in wanted if text in added}
        missing = [text for text in wanted if text not in found]
        if missing:
            committed = self._read(missing)
            self._keep(committed)
            found |= committed | self._add([text for text in missing if text not in committed])
        return found

    def _read(self, texts: list[str]) -> dict[str, int]:
        return {text: symbol_id for symbol_id, text in self._database.read_among(self._by_text, texts)}

    def _add(self, texts: list[str]) -> dict[str, int]:
        if not texts:
            return {}
        self._database.write_many(self._insert, [(text,) for text in texts])
        new = self._read(texts)
        scratch = self._database.scratch
        if scratch is not None:
            scratch["symbols"] = {**self._added(), **new}
        return new

    def _added(self) -> Mapping[str, int]:
        """Give the symbols of the open transaction: it may fail, and their numbers go to others."""
        added = (self._database.scratch or {}).get("symbols", {})
        return added if isinstance(added, dict) else {}

    def _committed(self, scratch: Mapping[str, object]) -> None:
        added = scratch.get("symbols")
        if isinstance(added, dict):
            self._keep(added)

    def _keep(self, symbols: Mapping[str, int]) -> None:
        if len(self._ids) >= _MAX_KNOWN:
            self._ids.clear()
            self._texts.clear()
        self._ids |= symbols
        self._texts |= {symbol_id: text for text, symbol_id in symbols.items()}
