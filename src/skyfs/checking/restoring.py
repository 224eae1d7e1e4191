"""Damaged and missing files made whole again, from a place with the very same bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..abc.store import Adoption, Expected, SetsAside, Store
from ..errors import SkyfsError
from ..registry.registry import Registry
from ..stores.many import copy_many
from .places import Places
from .walking import StoredFile


@dataclass(frozen=True, slots=True)
class Origin:
    """Another repository, from which bytes may come."""

    name: str
    registry: Registry
    stores: Mapping[str, Store]


class Restorer:
    """Brings sound bytes to where a file is missing or damaged; what lies there goes into the quarantine.

    Parameters
    ----------
    origin
        Is asked when no store of this repository has them.
    spool
        A folder for a file on its way.
    folder
        In the quarantine.
    """

    def __init__(
        self, registry: Registry, places: Places, origin: Origin | None, *, spool: Path, folder: str
    ) -> None:
        self._registry, self._places, self._origin = registry, places, origin
        self._spool, self._folder = spool, folder
        self.moved = 0

    def restore(self, file: StoredFile, identity: str) -> tuple[bool, str]:
        """Put sound bytes in the place of what has this identity; tell whether that worked, and how."""
        aside = self._places.setter_aside(file.store)
        if aside is None or not file.owned:
            return False, "it is not skyfs's own: restore it where it lies, or remove the dataset"
        if file.sha256 is None:
            return False, "its digest is not known, so no other bytes can be told to be the same"
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._spool / f"restored-{os.getpid()}"
        try:
            where, failed = self._fetch(file, str(path))
            if not where:
                kept = "what lies there stays" if identity else "its row stays"
                return False, "; ".join(["lost: no sound copy was found", *failed, kept])
            return self._replace(file, aside, identity, str(path), where)
        except (SkyfsError, OSError) as error:
            return False, f"it could not be restored: {error}"
        finally:
            path.unlink(missing_ok=True)

    def _fetch(self, file: StoredFile, path: str) -> tuple[str, list[str]]:
        """Copy sound bytes here; give where they are from, or why the places that were tried have none."""
        failed: list[str] = []
        for name, store, key in self._candidates(file):
            expected = Expected(file.size, file.sha256)
            (error,) = copy_many(store, [(key, expected, path)], lambda _: None)
            if error is not None:
                failed.append(f"{name}: {error.found}")
            elif _digest(path) != file.sha256:  # the disk cache is believed by others
                failed.append(f"{name}: its bytes are wrong")
            else:
                return name, failed
        return "", failed

    def _candidates(self, file: StoredFile) -> Iterator[tuple[str, Store, str]]:
        """Give the places that should have the bytes, the nearest first."""
        stores = self._places.stores
        for name, key in self._same(self._registry, file):
            if name != file.store and name in stores:
                yield f"store {name!r}", self._places.own(name), key
        for name, key in self._same(self._registry, file):
            if name in stores and stores[name] is not self._places.own(name):
                yield f"cache or mirror of store {name!r}", stores[name], key
        if self._origin is not None:
            for name, key in self._same(self._origin.registry, file):
                if name in self._origin.stores:
                    yield f"repository {self._origin.name!r}", self._origin.stores[name], key

    @staticmethod
    def _same(registry: Registry, file: StoredFile) -> list[tuple[str, str]]:
        """Give (store, key) of the places of a dataset that have the same bytes."""
        found = registry.lookup.by_id(registry.current(), [file.ref.id]).get(file.ref.id)
        places = () if found is None else found.locations
        return [(one.store, one.key) for one in places if one.whole == (file.size, file.sha256)]

    def _replace(
        self, file: StoredFile, aside: SetsAside, identity: str, path: str, where: str
    ) -> tuple[bool, str]:
        text = f"restored from {where}"
        if identity:
            moved = aside.set_aside(file.key, identity, self._folder)
            if not moved:
                return False, "another file took its place just now: check again"
            self.moved += 1
            text = f"{text}; what lay there is {moved}"
        store = self._places.own(file.store)
        batch = store.begin()
        try:
            batch.adopt(file.key, path, Adoption.COPY)
            batch.publish()
        except BaseException:
            batch.undo()
            raise
        batch.settle()
        return True, text


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
