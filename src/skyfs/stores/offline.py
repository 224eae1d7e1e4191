"""A store that is too far away to be asked."""

from __future__ import annotations

from collections.abc import Iterator

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected, Stat
from skyfs.errors import NotFound

from .wrapped import WrappedStore


class OfflineStore(WrappedStore):
    """Stands before a store that must not be read: every question is answered with NotFound, none is asked.

    Writing goes on as ever: who writes has decided to.
    """

    def open(self, key: str, expected: Expected | None = None) -> ByteSource:  # noqa: ARG002 - not asked
        raise self._missing("open", key)

    def stat(self, key: str) -> Stat:
        raise self._missing("stat", key)

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        raise self._missing("scan of", prefix)

    def _missing(self, verb: str, key: str) -> NotFound:
        asked = f"{verb} {key!r} in store {self.name!r}"
        found = "it is far away, and the repository is configured not to fetch: on_missing: fail"
        return NotFound(asked, found, "bring the data near first, or set on_missing: fetch")
