"""Answers about the sphere, which the server has not and this process has.

A statement that calls a function of the sphere is run, and calls whose answer the session does not know are
noted down; they are answered here, and the statement is run again, until it has asked nothing. Two rounds
are usual: the cells of a region, then whether candidates overlap. Both lists are temporary tables, which
a session that only reads may write to as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import psycopg

from .. import functions

_MANY = 20_000
# Where that many answers were given the session is not used again: what it keeps stays bounded.
MOST_KNOWN = 500_000
MOST_ROUNDS = 50
_CALLS = re.compile(r"\bskyfs_(overlaps|cells|pixels|region)\(")

_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS skyfs_known (key bytea PRIMARY KEY, answer bytea);
CREATE TEMPORARY TABLE IF NOT EXISTS skyfs_asked (key bytea PRIMARY KEY, what text, a bytea, b bytea);
"""
_TAKE = """
DELETE FROM pg_temp.skyfs_asked WHERE key IN (SELECT key FROM pg_temp.skyfs_asked LIMIT $1)
RETURNING key, what, a, b
"""
_GIVE = "INSERT INTO pg_temp.skyfs_known VALUES ($1, $2) ON CONFLICT DO NOTHING"


@lru_cache(maxsize=2_000)
def asks(text: str) -> bool:
    """Tell whether a statement calls functions of the sphere."""
    return _CALLS.search(text) is not None


class Sphere:
    """Answers what the statements of one session ask.

    Attributes
    ----------
    known
        How many answers the session has been given.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw
        self._ready = False
        self.known = 0

    def prepare(self, *, in_transaction: bool) -> None:
        """Make the lists; those that were made in a transaction may be gone with it."""
        if self._ready:
            return
        # In a transaction that is read only by default nothing can be made, not even this.
        self._raw.execute(_TABLES if in_transaction else f"BEGIN READ WRITE; {_TABLES} COMMIT")
        self._ready = not in_transaction

    def answer(self) -> bool:
        """Answer what was asked; tell whether anything was."""
        cursor, given = psycopg.RawCursor(self._raw), 0
        while asked := cursor.execute(_TAKE, [_MANY]).fetchall():
            answers = [(key, _ANSWERS[what](a, b)) for key, what, a, b in asked]
            cursor.executemany(_GIVE, answers)
            given += len(answers)
        self.known += given
        return given > 0


def _text(answer: str) -> bytes:
    return answer.encode()


_ANSWERS: dict[str, Callable[[bytes, bytes], bytes | None]] = {
    "overlaps": lambda a, b: b"\1" if functions.overlap(a, b) else b"\0",
    "cells": lambda a, _: _text(functions.cells_of(a)),
    "pixels": lambda a, b: _text(functions.pixels_of(a.decode(), b)),
    "region": lambda a, b: functions.region_of(a.decode(), int.from_bytes(b, "big", signed=True)),
}
