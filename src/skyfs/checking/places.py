"""The stores of a repository as they are checked: past the disk cache, without mirrors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..abc.store import SetsAside, Store, Wraps
from ..config import Config
from ..config.settings import CONFIG_NAME
from ..config.stores import is_server
from ..registry.changelog import FOLDER as LOGS
from ..stores.cache import CachedStore, DiskCache
from ..stores.chain import ChainStore
from ..stores.local import LocalStore
from ..stores.offline import OfflineStore
from ..writing.ingester import IN_PLACE

_PRIVATE = ".skyfs"


class Places:
    """Tells what of each store may be looked at, moved and written.

    Parameters
    ----------
    stores
        As they are read by everybody.
    root
        Folder of the repository.
    """

    def __init__(self, stores: Mapping[str, Store], config: Config, root: Path) -> None:
        self.stores = stores
        self._own = {name: _own(store) for name, store in stores.items()}
        self._config, self._root = config, root
        self._read_only = {store.name for store in config.stores if store.writable is False}
        self.folders = {
            name: os.path.realpath(store.root)
            for name, store in self._own.items()
            if isinstance(store, LocalStore) and name != IN_PLACE
        }

    def own(self, name: str) -> Store:
        """Give a store itself."""
        return self._own[name]

    def setter_aside(self, name: str) -> SetsAside | None:
        """Give what moves files of a store out of the way; None where skyfs does not write."""
        if name == IN_PLACE or name in self._read_only:
            return None
        store = self._own[name]
        while not isinstance(store, SetsAside):
            if not isinstance(store, Wraps):
                return None
            store = store.behind
        return store if store.can_set_aside else None

    def why_not(self, name: str) -> str:
        """Tell why a store cannot be looked at; empty: it can."""
        if isinstance(self._own[name], OfflineStore):
            return "far stores are not asked: on_missing: fail"
        folder = self.folders.get(name)
        return "" if folder is None or os.path.isdir(folder) else f"there is no folder {folder!r}"

    def own_keys(self, file_store: str, key: str) -> list[tuple[str, str]]:
        """Give (store, key) of the same file in other stores: of one that is registered where it lies."""
        if file_store != IN_PLACE:
            return []
        path = os.path.join(os.path.realpath(os.path.dirname(f"/{key}")), os.path.basename(key))
        return [
            (name, path[len(folder) + 1 :])
            for name, folder in self.folders.items()
            if path.startswith(f"{folder}/")
        ]

    def is_foreign(self, name: str, key: str) -> bool:
        """Tell whether a file in a store's folder is the repository's own, or of a store inside of it."""
        folder = self.folders.get(name)
        if folder is None:
            return False
        path, root = f"{folder}/{key}", os.path.realpath(self._root)
        inner = [
            other for other in self.folders.values() if other != folder and other.startswith(f"{folder}/")
        ]
        if root == folder or root.startswith(f"{folder}/"):
            inner += [f"{root}/{_PRIVATE}", f"{root}/{LOGS}"]
            names = (
                [CONFIG_NAME] if is_server(self._config.registry) else [CONFIG_NAME, self._config.registry]
            )
            if any(path in (f"{root}/{one}", f"{root}/{one}-wal", f"{root}/{one}-shm") for one in names):
                return True
        return any(path.startswith(f"{one}/") for one in inner)

    @property
    def cache(self) -> DiskCache | None:
        """The disk cache, when a store is read through one."""
        return next((store.cache for store in self.stores.values() if isinstance(store, CachedStore)), None)


def _own(store: Store) -> Store:
    while isinstance(store, CachedStore | ChainStore):
        store = store.behind
    return store
