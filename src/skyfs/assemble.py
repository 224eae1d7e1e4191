"""Repositories made and opened: the one file that knows the concrete classes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from . import index
from .abc.store import Store
from .config import CONFIG_NAME, CONFIG_VERSION, Config, Environment, check_name
from .errors import BadConfig, Exists, NotFound, StoreError, Unsupported
from .formats.catalog import Formats
from .ingesting import IN_PLACE
from .registry.registry import Registry
from .repository import Repository
from .storage_config import CacheConfig, StoreConfig, without_password
from .stores.local import LocalStore
from .stores.memory import MemoryStore
from .yamlfile import load_yaml, read_yaml, write_yaml

if TYPE_CHECKING:
    from .stores.cache import DiskCache

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)


def create(  # noqa: PLR0913 - the design names them; all but the folder have a default
    root: str | os.PathLike[str],
    *,
    universe: Mapping[str, object] | str | os.PathLike[str] | None = None,
    registry: str | None = None,
    stores: Iterable[Mapping[str, str]] | None = None,
    name: str | None = None,
    shared: bool = False,
    options: Mapping[str, object] | None = None,
    environment: Environment | None = None,
) -> Repository:
    """Create a repository in a folder that is new or empty, and open it for writing.

    Parameters
    ----------
    root
        The folder.
    universe
        Dimensions: a YAML file or what it holds; default: the Rubin data butler's.
    registry
        File name of the SQLite database in the folder.
    stores
        ``{"name": ..., "url": ...}`` of each store; default: the folder ``data``.
    name
        Name for ``skyfs://NAME/``; added to the index when given.
    shared
        Whether other users may use it: permissions follow the umask, and nothing is registered by writing.
    options
        More of the configuration: ``auto_register``, ``durability``, ``admins``, ``formats``.

    Raises
    ------
    Exists
        When the folder holds something.
    BadConfig, BadDefinition
        When an option or the universe is not well formed; nothing is left behind then.
    """
    environment = environment or Environment.current()
    folder = Path(os.path.expanduser(root)).absolute()
    # A shared repository must not grow types by a slip of somebody's path.
    chosen = {"shared": True, "auto_register": "off"} if shared else {}
    given = _new_config(folder, name, registry, stores, {**chosen, **(options or {})})
    config = _checked(folder, given)
    Formats.load(config.formats)
    dimensions = _universe(universe)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Exists(
            f"create a repository at {str(folder)!r}", "it exists and is not empty", "choose another folder"
        )
    made = not folder.exists()
    try:
        _lay_out(folder, config, given, dimensions)
        if name is not None:
            index.add(environment, name, str(folder), shared=shared)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if not made:
            folder.mkdir(exist_ok=True)
        raise
    return _open_folder(folder, environment, writable=True)


def open_repository(
    location: str | os.PathLike[str],
    *,
    writable: bool = False,
    collections: str | Iterable[str] | None = None,
    run: str | None = None,
    environment: Environment | None = None,
) -> Repository:
    """Open a repository by its folder, or by its name in the index.

    Parameters
    ----------
    location
        A folder, ``file://`` URL or name.
    writable
        False writes no byte anywhere.
    collections
        Where `Repository.get` and `Repository.find` look when no collections are named.
    run
        Where `Repository.put` writes when no RUN is named.

    Raises
    ------
    NotFound
        When there is none.
    VersionError, BadConfig
        When it is of another version, or its configuration is damaged.
    """
    environment = environment or Environment.current()
    repository = _open_folder(locate(location, environment), environment, writable=writable)
    if collections is not None:
        repository.collections_searched = (
            (collections,) if isinstance(collections, str) else tuple(collections)
        )
    repository.run = run
    return repository


def locate(location: str | os.PathLike[str], environment: Environment) -> Path:
    """Give the folder of a repository named by path, URL or name."""
    text = os.fspath(location)
    url = _URL.fullmatch(text)
    if url and url[1] not in ("file", "local"):
        raise Unsupported(
            f"open the repository {text!r}", f"registries on {url[1]}:// are not known", "name a folder"
        )
    folder = Path(os.path.expanduser(url[2] if url else text)).absolute()
    if (folder / CONFIG_NAME).is_file():
        return folder
    if url or "/" in text or text in (".", "..") or text.startswith("~"):
        raise NotFound(
            f"no repository at {str(folder)!r}", f"no {CONFIG_NAME} there", f"create it: skyfs init {text}"
        )
    return Path(index.find(environment, text))


def destroy(location: str | os.PathLike[str], *, environment: Environment | None = None) -> None:
    """Delete a repository with all that it holds, and take its name out of the index."""
    environment = environment or Environment.current()
    folder = locate(location, environment)
    name = Config.from_mapping(read_yaml(folder / CONFIG_NAME), str(folder / CONFIG_NAME)).name
    shutil.rmtree(folder)
    if index.all_names(environment).get(name) == str(folder):
        index.remove(environment, name)


def _new_config(
    folder: Path,
    name: str | None,
    registry: str | None,
    stores: Iterable[Mapping[str, str]] | None,
    options: Mapping[str, object],
) -> Mapping[str, object]:
    values: dict[str, object] = {"skyfs": CONFIG_VERSION}
    values["name"] = (
        check_name(name)
        if name is not None
        else re.sub(r"[^A-Za-z0-9_.-]", "_", folder.name).lstrip("_.-") or "repository"
    )
    if registry is not None:
        values["registry"] = registry
    if stores is not None:
        values["stores"] = [dict(store) for store in stores]
    return {**values, **options}


def _checked(folder: Path, given: Mapping[str, object]) -> Config:
    config = Config.from_mapping(given, "given to create")
    if "/" in config.registry or config.registry.startswith("."):
        raise BadConfig(
            f"registry {config.registry!r}", "not a file name", "a SQLite file in the repository's folder"
        )
    for store in config.stores:
        _store_folder(folder, store)
    return config


def _universe(universe: Mapping[str, object] | str | os.PathLike[str] | None) -> Mapping[str, object]:
    if universe is None:
        text = resources.files("skyfs.model").joinpath("universe.yaml").read_text(encoding="utf-8")
        return load_yaml(text, "the default universe")
    return universe if isinstance(universe, Mapping) else read_yaml(Path(universe))


def _lay_out(
    folder: Path, config: Config, given: Mapping[str, object], universe: Mapping[str, object]
) -> None:
    mode = 0o777 if config.shared else 0o700
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        for store in config.stores:
            place = _store_folder(folder, store)
            if place is not None:
                place.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"create a repository at {str(folder)!r}", error.strerror or str(error)) from None
    Registry.create(folder / config.registry, universe, durability=config.durability).close()
    if not config.shared:
        (folder / config.registry).chmod(0o600)
    write_yaml(folder / CONFIG_NAME, given, mode=0o644 if config.shared else 0o600)


def open_cache(config: CacheConfig, folder: Path, environment: Environment) -> DiskCache:
    """Give the disk cache of a repository; nothing is made before something is kept."""
    from .stores.cache import DiskCache

    named = os.path.expanduser(config.folder)
    place = folder / named if named else environment.cache_folder
    return DiskCache(place, quota_bytes=config.quota_bytes, group=config.group)


def _open_folder(folder: Path, environment: Environment, *, writable: bool) -> Repository:
    path = folder / CONFIG_NAME
    config = Config.from_mapping(read_yaml(path), str(path))
    registry = Registry.open(folder / config.registry, writable=writable, durability=config.durability)
    stores = {store.name: _open_store(folder, store, config, writable=writable) for store in config.stores}
    stores |= _cached(stores, config, folder, environment)
    stores[IN_PLACE] = LocalStore("/", name=IN_PLACE, writable=False)
    repository = Repository(folder, config, registry, stores, Formats.load(config.formats), environment.user)
    if writable:
        repository.recover()
    return repository


def _open_store(folder: Path, config: StoreConfig, whole: Config, *, writable: bool) -> Store:
    place = _store_folder(folder, config)
    if place is None:
        return MemoryStore(config.name)
    return LocalStore(
        place, name=config.name, writable=writable, durability=whole.durability, shared=whole.shared
    )


def _cached(
    stores: Mapping[str, Store], config: Config, folder: Path, environment: Environment
) -> dict[str, Store]:
    """Give the stores that are read through the disk cache: those far away, unless the configuration differs.

    It is not part of the repository: one that is open for reading only is cached all the same.
    """
    wanted = [one for one in config.stores if (_is_far(one) if one.cache is None else one.cache)]
    if not wanted:
        return {}
    from .stores.cache import CachedStore

    cache = open_cache(config.cache, folder, environment)
    return {one.name: CachedStore(stores[one.name], cache, identity=_identity(folder, one)) for one in wanted}


def _is_far(store: StoreConfig) -> bool:
    url = _URL.fullmatch(store.url)
    return url is not None and url[1] not in ("file", "local", "memory")


def _identity(folder: Path, store: StoreConfig) -> str:
    """Give what tells a store apart from all others: URL and server, without credentials; a folder's path.

    Empty for a store in memory, which is another one in each process.
    """
    url = _URL.fullmatch(store.url)
    if url is None:
        return str(folder / store.url)
    if url[1] == "memory":
        return ""
    client = store.options.get("client_kwargs")
    servers = [store.options, client if isinstance(client, Mapping) else {}]
    named = [str(one[key]) for one in servers for key in ("endpoint_url", "host", "port") if key in one]
    return " ".join([without_password(store.url), *named])


def _store_folder(folder: Path, store: StoreConfig) -> Path | None:
    """Give the folder of a local store; None for one in memory."""
    url = _URL.fullmatch(store.url)
    if url and url[1] == "memory":
        return None
    if url and url[1] not in ("file", "local"):
        raise Unsupported(
            f"store {store.name!r} at {store.url!r}", f"{url[1]}:// is not known", "a folder, or memory://"
        )
    if store.name == IN_PLACE:
        raise BadConfig(f"store {store.name!r}", "the name is taken", "choose another")
    return folder / (url[2] if url else os.path.expanduser(store.url))
