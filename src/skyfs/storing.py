"""Stores opened as the configuration says: the folder, URL or memory behind each, and what goes around it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .abc.store import Store
from .config import Config, Environment
from .config.stores import CacheConfig, StoreConfig, without_password
from .errors import BadConfig
from .model.ranges import REMOTE, Cost
from .stores.folders import Folders
from .stores.local import LocalStore
from .stores.memory import MemoryStore
from .stores.offline import OfflineStore
from .writing.ingester import IN_PLACE

if TYPE_CHECKING:
    from .stores.cache import DiskCache

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_LOCAL, _MEMORY = ("", "file", "local"), "memory"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_WRITING = ".skyfs/stores"
"""Folder of a repository for what is being written to stores far away."""


class Opening:
    """How the stores of one repository are opened.

    Parameters
    ----------
    folder
        Of the repository.
    config
        Of the repository.
    environment
        Gives the options that are named by a variable.
    writable
        False opens all for reading, and makes nothing anywhere.
    """

    def __init__(self, folder: Path, config: Config, environment: Environment, *, writable: bool) -> None:
        self._folder, self._config, self._environment = folder, config, environment
        self._writable = writable
        self._cache: DiskCache | None = None

    @property
    def cache(self) -> DiskCache | None:
        """The disk cache, when a store that was opened is read through it."""
        return self._cache

    def open(self, store: StoreConfig) -> Store:
        """Open a store, with its mirrors; raises BadConfig or MissingPackage, and makes no request.

        What is far away is read through the disk cache, unless the configuration differs. The cache is not
        part of the repository: one that is open for reading only is cached all the same.
        """
        opened = self._chained(store)
        if not (_is_far(store) if store.cache is None else store.cache):
            return opened
        from .stores.cache import CachedStore

        if self._cache is None:
            self._cache = open_cache(self._config.cache, self._folder, self._environment)
        return CachedStore(opened, self._cache, identity=_identity(self._folder, store), cost=_cost(store))

    def _chained(self, store: StoreConfig) -> Store:
        check(self._folder, store)
        own = self._open(store, store.url, store.name, mirror=False)
        mirrors = [
            self._open(store, url, f"{store.name} (mirror {without_password(url)})", mirror=True)
            for url in store.mirrors
        ]
        if not mirrors:
            return own
        from .stores.chain import ChainStore

        return ChainStore([own, *mirrors], store.name)

    def _open(self, store: StoreConfig, url: str, name: str, *, mirror: bool) -> Store:
        place = local_folder(self._folder, url)
        wanted = self._writable and store.writable is not False and not mirror
        if place is not None:
            durability, shared = self._config.durability, self._config.shared
            return LocalStore(place, name=name, writable=wanted, durability=durability, shared=shared)
        if protocol_of(url) == _MEMORY:
            return MemoryStore(name)
        return self._far(store, url, name, writable=wanted, mirror=mirror)

    def _far(self, store: StoreConfig, url: str, name: str, *, writable: bool, mirror: bool) -> Store:
        from .stores.remote import RemoteStore
        from .stores.retrying import Patience, RetryingStore

        shared, durable = self._config.shared, self._config.durability == "power"
        spool = self._folder / _WRITING / store.name
        folders = None if mirror else Folders(str(spool), shared=shared, durable=durable)
        options = self._options(store, url)
        where = _whole(self._folder, url)
        cost = _cost(store)
        far = RemoteStore(where, name=name, options=options, folders=folders, cost=cost, writable=writable)
        if writable and store.writable and not far.writable:
            found = f"{protocol_of(url)}:// can only be read"
            raise BadConfig(f"store {store.name!r}", f"writable: true, but {found}", "leave it out")
        if self._config.on_missing == "fail":
            # Below the cache: what it holds is near by.
            return OfflineStore(far)
        return RetryingStore(far, Patience(attempts=store.retries + 1))

    def _options(self, store: StoreConfig, url: str) -> Mapping[str, object]:
        """Give the options with the values of the environment; a mirror elsewhere gets no credentials."""
        if protocol_of(url) != protocol_of(store.url):
            return {}
        if protocol_of(url) != "s3" and urlsplit(url).netloc != urlsplit(store.url).netloc:
            return {}
        where = f"store {store.name!r}, options"
        return {
            key: self._environment.resolve(value, f"{where}: {key}") for key, value in store.options.items()
        }


def open_cache(config: CacheConfig, folder: Path, environment: Environment) -> DiskCache:
    """Give the disk cache of a repository; nothing is made before something is kept."""
    from .stores.cache import DiskCache

    named = os.path.expanduser(config.folder)
    place = folder / named if named else environment.cache_folder
    return DiskCache(place, quota_bytes=config.quota_bytes, group=config.group)


def _cost(store: StoreConfig) -> Cost:
    """Give what reading from a store costs, as it is configured."""
    latency_s = REMOTE.latency_s if store.latency_s is None else store.latency_s
    bandwidth = REMOTE.bandwidth_bytes_s if store.bandwidth_bytes_s is None else store.bandwidth_bytes_s
    return Cost(latency_s, bandwidth, REMOTE.connections)


def _is_far(store: StoreConfig) -> bool:
    return protocol_of(store.url) not in (*_LOCAL, _MEMORY)


def _identity(folder: Path, store: StoreConfig) -> str:
    """Give what tells a store apart from all others: URL and server, without credentials; a folder's path.

    Empty for a store in memory, which is another one in each process.
    """
    place = local_folder(folder, store.url)
    if place is not None:
        return str(place)
    if protocol_of(store.url) == _MEMORY:
        return ""
    client = store.options.get("client_kwargs")
    servers = [store.options, client if isinstance(client, Mapping) else {}]
    named = [str(one[key]) for one in servers for key in ("endpoint_url", "host", "port") if key in one]
    return " ".join([without_password(store.url), *named])


def check(folder: Path, store: StoreConfig) -> None:
    """Raise BadConfig for a store that can never be opened."""
    if any(_UNPRINTABLE.search(text) for text in (store.name, store.url, *store.mirrors)):
        raise BadConfig(f"store {store.name!r}", "a control character in its name or URL", "leave it out")
    if store.name == IN_PLACE:
        raise BadConfig(f"store {store.name!r}", "the name is taken", "choose another")
    far = local_folder(folder, store.url) is None and protocol_of(store.url) != _MEMORY
    if far and not _NAME.fullmatch(store.name):
        raise BadConfig(f"store {store.name!r}", "it names a folder", "letters, digits, '_', '.' and '-'")
    if protocol_of(store.url) == _MEMORY and (store.writable is False or store.mirrors):
        raise BadConfig(f"store {store.name!r}", "memory is empty at first", "leave writable and mirrors out")
    if _MEMORY in map(protocol_of, store.mirrors):
        raise BadConfig(f"store {store.name!r}", "memory can be no mirror", "name a folder or a URL")
    for url in (store.url, *store.mirrors):
        if protocol_of(url) in ("http", "https") and ("?" in url or "#" in url):
            found = f"{without_password(url).partition('?')[0]} goes on with ? or #"
            raise BadConfig(f"store {store.name!r}", found, "name the folder alone; give secrets as headers")


def local_folder(folder: Path, url: str) -> Path | None:
    """Give the folder of a local store; None for others."""
    if protocol_of(url) not in _LOCAL:
        return None
    found = _URL.fullmatch(url)
    return folder / (found[2] if found else os.path.expanduser(url))


def absolute(folder: Path, store: StoreConfig) -> dict[str, object]:
    """Give the section of a store for another repository: with absolute folders, and with its secrets."""
    values = {**store.to_mapping(), "url": _absolute(folder, store.url), "options": dict(store.options)}
    if store.mirrors:
        values["mirrors"] = [_absolute(folder, url) for url in store.mirrors]
    for key in ("types", "template", "formats"):  # of what is written there
        values.pop(key, None)
    return values


def _absolute(folder: Path, url: str) -> str:
    place = local_folder(folder, url)
    if place is not None:
        return str(place)
    if protocol_of(url) == "zip" and "::" not in url:
        return f"zip://{folder / url.partition('://')[2]}"
    return url


def protocol_of(url: str) -> str:
    """Give the protocol of a URL; empty for a folder."""
    found = _URL.fullmatch(url)
    return found[1] if found else ""


def _whole(folder: Path, url: str) -> str:
    """Give ``zip://FILE.zip``, which is relative to the repository, in fsspec's spelling."""
    if protocol_of(url) == "zip" and "::" not in url:
        return f"zip://::{folder / url.partition('://')[2]}"
    return url
