"""Where a registry is."""

from __future__ import annotations

from typing import Protocol

from .database import Database


class Place(Protocol):
    """A file, or a schema of a server, that holds one registry."""

    def create(self, *, durability: str) -> Database:
        """Make it, empty, so that of two processes that make the same one fails with Exists."""

    def open(self, *, writable: bool, durability: str) -> Database:
        """Open it; raises NotFound."""

    def drop(self) -> None:
        """Delete it with all that it holds."""
