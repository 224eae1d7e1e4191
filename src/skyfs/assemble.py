"""Repositories made and opened: the one file that knows the concrete classes."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from . import storing
from .abc.store import Store
from .config import Config, Environment, check_name, index, roots
from .config.settings import CONFIG_NAME, CONFIG_VERSION
from .config.stores import is_server, shown_location, with_hidden_password
from .config.yamlfile import load_yaml, read_yaml, write_yaml
from .errors import BadConfig, Exists, MissingPackage, NotFound, StoreError, Unsupported
from .formats.catalog import Formats
from .model.quoting import MAX_PART_BYTES
from .registry.changelog import Logs
from .registry.place import Place, schema_for
from .registry.registry import Registry
from .registry.sqlite import SqliteFile
from .repository import Repository
from .repository.eliding import Elided
from .stores.local import LocalStore
from .stores.moved import MovedStore
from .writing.ingester import IN_PLACE

_NONE: Mapping[str, object] = MappingProxyType({})
_FILE_NAME = re.compile(r"[^/\0.\ud800-\udfff][^/\0\ud800-\udfff]*")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)


def create(  # noqa: PLR0913 - the design names them; all but the folder have a default
    root: str | os.PathLike[str],
    *,
    universe: Mapping[str, object] | str | os.PathLike[str] | None = None,
    registry: str | None = None,
    stores: Iterable[Mapping[str, object]] | None = None,
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
        File name of the SQLite database in the folder; or ``postgresql://USER@HOST:PORT/DATABASE``, without a
        password: libpq looks for it in its usual places (``PGPASSWORD``, ``~/.pgpass``, a service file).
    stores
        ``{"name": ..., "url": ..., "options": ...}`` of each store, as the section ``stores:`` of the
        configuration has them; default: the folder ``data``. For stores far away nothing is made.
    name
        Name for ``skyfs://NAME/``; added to the index when given.
    shared
        Whether other users may use it: permissions follow the umask, and nothing is registered by writing.
    options
        More of the configuration: ``auto_register``, ``durability``, ``admins``, ``formats``, ``schema``,
        ``allow_network_filesystem``.

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
    made = _require_free(folder)
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


def _require_free(folder: Path) -> bool:
    """Refuse a folder that holds something; tell whether there is none yet."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        todo = "choose another folder"
        raise Exists(f"create a repository at {str(folder)!r}", "it exists and is not empty", todo)
    return not folder.exists()


def open_repository(
    location: str | os.PathLike[str],
    *,
    writable: bool = False,
    collections: str | Iterable[str] | None = None,
    run: str | None = None,
    overrides: Mapping[str, object] | None = None,
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
    overrides
        Values that stand above those of the repository's file this time: ``cache``, ``stores``, ``formats``,
        ``on_missing``, ``auto_register``, ``durability``, ``allow_network_filesystem``.

    Raises
    ------
    NotFound
        When there is none.
    VersionError, BadConfig
        When it is of another version, or its configuration is damaged.
    """
    environment = environment or Environment.current()
    folder = locate(location, environment)
    repository = _open_folder(folder, environment, writable=writable, overrides=overrides or {})
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
        asked = f"open the repository {shown_location(text)!r}"
        raise Unsupported(asked, f"registries on {url[1]}:// are not known", "name a folder")
    folder = Path(os.path.expanduser(url[2] if url else text)).absolute()
    if (folder / CONFIG_NAME).is_file():
        return folder
    if url or "/" in text or text in (".", "..") or text.startswith("~"):
        shown = text if url is None else shown_location(text)
        there = str(folder) if url is None else shown
        raise NotFound(
            f"no repository at {there!r}", f"no {CONFIG_NAME} there", f"create it: skyfs init {shown}"
        )
    return Path(index.find(environment, text))


def _new_config(
    folder: Path,
    name: str | None,
    registry: str | None,
    stores: Iterable[Mapping[str, object]] | None,
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
        if is_server(registry):
            values["schema"] = schema_for(str(values["name"]))
    if stores is not None:
        values["stores"] = [_plain(store) for store in stores]
    return {**values, **options}


def _plain(store: object) -> object:
    """Give a mapping as YAML writes it; what is none is refused with the rest of the configuration."""
    return dict(store) if isinstance(store, Mapping) else store


def _checked(folder: Path, given: Mapping[str, object]) -> Config:
    config = Config.from_mapping(given, "given to create")
    if is_server(config.registry) and with_hidden_password(config.registry) != config.registry:
        shown = with_hidden_password(config.registry)
        todo = "leave it out, and put it into ~/.pgpass, PGPASSWORD or a service file"
        raise BadConfig(f"registry {shown!r}", "it has a password, which would be written down", todo)
    registry_place(folder, config)
    for store in config.stores:
        storing.check(folder, store)
    return config


def _universe(universe: Mapping[str, object] | str | os.PathLike[str] | None) -> Mapping[str, object]:
    if universe is None:
        return default_universe()
    return universe if isinstance(universe, Mapping) else read_yaml(Path(universe))


def default_universe() -> Mapping[str, object]:
    """Give what the YAML of the default universe holds."""
    found: dict[str, object] = json.loads(_default_universe())
    return found


@cache
def _default_universe() -> str:
    # JSON is read fifty times as fast.
    text = resources.files("skyfs.model").joinpath("universe.yaml").read_text(encoding="utf-8")
    return json.dumps(load_yaml(text, "the default universe"))


def _lay_out(
    folder: Path, config: Config, given: Mapping[str, object], universe: Mapping[str, object]
) -> None:
    mode = 0o777 if config.shared else 0o700
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        for store in config.stores:
            within = storing.local_folder(folder, store.url)
            if within is not None:
                within.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"create a repository at {str(folder)!r}", error.strerror or str(error)) from None
    place = registry_place(folder, config)
    logs = Logs(folder, config.name)
    Registry.create(place, universe, durability=config.durability, logs=logs).close()
    try:
        if not config.shared and not is_server(config.registry):
            (folder / config.registry).chmod(0o600)
        write_yaml(folder / CONFIG_NAME, given, mode=0o644 if config.shared else 0o600)
    except BaseException:
        place.drop()
        raise


def registry_place(folder: Path, config: Config) -> Place:
    """Tell where the registry of a repository is.

    Raises
    ------
    BadConfig
        When the configuration names no such place.
    MissingPackage
        When what it needs is not installed.
    """
    if not is_server(config.registry):
        return SqliteFile(folder / _file_name(config.registry), allow_network=config.allow_network_filesystem)
    from .registry.postgres.address import Address

    address = Address.parse(config.registry, config.schema)
    try:
        from .registry.postgres.place import PostgresSchema
    except ImportError as error:
        todo = "pip install 'skyfs[postgresql]'"
        raise MissingPackage("registries in PostgreSQL need psycopg", str(error), todo) from error
    return PostgresSchema(address)


def _file_name(text: str) -> str:
    """Give the name of a file in the repository's folder; a registry elsewhere is another repository's."""
    if _FILE_NAME.fullmatch(text) and len(os.fsencode(text)) <= MAX_PART_BYTES - len("-journal"):
        return text
    todo = "a SQLite file in the repository's folder, or postgresql://USER@HOST/DATABASE"
    raise BadConfig(f"registry {text!r}", "not a file name", todo)


def _open_folder(
    folder: Path, environment: Environment, *, writable: bool, overrides: Mapping[str, object] = _NONE
) -> Repository:
    config = Config.read(folder).overriding(overrides, f"opening {str(folder)!r}")
    place = registry_place(folder, config)
    logs = Logs(folder, config.name)
    registry = Registry.open(place, writable=writable, durability=config.durability, logs=logs)
    try:
        repository = _assembled(folder, config, environment, registry)
    except BaseException:
        registry.close()
        raise
    # What was given for this time may be secret.
    repository.reopen = None if overrides else _reopen
    return repository


def _reopen(folder: str, writable: bool, collections: tuple[str, ...], run: str | None) -> Repository:  # noqa: FBT001 - of a pickle
    return open_repository(folder, writable=writable, collections=collections, run=run)


def _assembled(folder: Path, config: Config, environment: Environment, registry: Registry) -> Repository:
    opening = storing.Opening(folder, config, environment, writable=registry.writable)
    stores = {store.name: opening.open(store) for store in config.stores}
    stores[IN_PLACE] = _in_place(folder, registry)
    repository = Repository(folder, config, registry, stores, Formats.load(config.formats), environment.user)
    _elide(repository)
    if opening.cache is not None:
        settings = repr((version("skyfs"), config.formats, [store.formats for store in config.stores]))
        repository.kept.use(opening.cache, settings)
    if registry.writable:
        repository.recovered = repository.recover()
    return repository


@contextmanager
def open_stores(folder: Path, config: Config, environment: Environment) -> Iterator[Mapping[str, Store]]:
    """Open the stores of a repository whose registry may be gone, for reading."""
    opening = storing.Opening(folder, config, environment, writable=False)
    stores: dict[str, Store] = {}
    try:
        stores |= {store.name: opening.open(store) for store in config.stores}
        stores[IN_PLACE] = _in_place(folder, None)
        yield stores
    finally:
        for store in stores.values():
            store.close()


def _in_place(folder: Path, registry: Registry | None) -> Store:
    """Give the store of files that are registered where they are; some may have moved with the folder."""
    store = LocalStore("/", name=IN_PLACE, writable=False)
    old, new = roots.recorded(folder), roots.real(folder)
    if old is None or old == new:
        return store
    if registry is not None and registry.writable:
        registry.files.rebase(IN_PLACE, old, new)
        roots.record(folder)
        return store
    return MovedStore(store, old, new)


def _elide(repository: Repository) -> None:
    """Keep the types of a store in memory out of the registry too, where it says which they are."""
    for store in repository.config.stores:
        if store.types is not None and store.url.startswith("memory://"):
            config = replace(repository.config, stores=(replace(store, types=None),), auto_register="types")
            registry = Registry.in_memory(repository.registry.universe)
            stores = {store.name: repository.stores[store.name]}
            memory = Repository(
                repository.root, config, registry, stores, repository.formats, repository.user
            )
            repository.elided = Elided(repository.registry, memory, store.types)
            return
