"""Where a registry is."""

from __future__ import annotations

import re
from typing import Protocol

from .database import Database

SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
"""Names of schemas: they need no quotes."""


class Place(Protocol):
    """A file, or a schema of a server, that holds one registry."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def create(self, *, durability: str) -> Database:
        """Make it, empty, so that of two processes that make the same one fails with Exists."""

    def open(self, *, writable: bool, durability: str) -> Database:
        """Open it; raises NotFound."""

    def drop(self) -> None:
        """Delete it with all that it holds."""

    def beside(self, mark: str) -> Place:
        """Give another place next to it, named by letters, digits and ``_``."""

    def take(self, new: Place, aside: Place) -> bool:
        """Put what is at ``new`` here; what is here, if anything, goes to ``aside``. All are closed.

        Tells whether anything was set aside.
        """


def schema_for(name: str) -> str:
    """Give the schema that a repository's registry has unless another one is named."""
    found = re.sub(r"[^a-z0-9_]", "_", name.lower())[:60]
    return found if SCHEMA.fullmatch(found) else f"r_{found}"
