"""A new repository made of an old one, whose schema this version does not open."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..assemble import create, locate, registry_place
from ..config import Config, Environment
from ..config.settings import CONFIG_NAME
from ..config.stores import StoreConfig
from ..config.yamlfile import read_yaml
from ..errors import StoreError, Unsupported, VersionError
from ..registry.manifest.applying import apply_lines
from ..registry.manifest.arriving import Applied
from ..registry.manifest.describing import Description
from ..registry.registry import Registry
from ..registry.sqlite import SqliteFile
from ..registry.upgrading import upgrade
from ..storing import local_folder
from .destroying import destroy

_PRIVATE = ".skyfs"


def migrate(
    old: str | Path,
    new: str | Path,
    *,
    copy: bool = False,
    registry: str | None = None,
    schema: str | None = None,
    environment: Environment | None = None,
) -> Applied:
    """Make a repository of this version's schema of an old one, which stays as it is.

    Parameters
    ----------
    old
        The old repository's folder, or its name.
    new
        A folder that is new or empty.
    copy
        Whether files in local stores are copied. Otherwise the new repository refers to them where they are,
        and writes to a store of its own.
    registry, schema
        Where the new registry is to be: the URL of a PostgreSQL database. Default: a SQLite file.

    Raises
    ------
    VersionError
        When this version cannot read the old schema.
    Exists
        When the new folder holds something.
    """
    environment = environment or Environment.current()
    source = locate(old, environment)
    values = read_yaml(source / CONFIG_NAME)
    config = Config.from_mapping(values, str(source / CONFIG_NAME))
    target = Path(os.path.expanduser(new)).absolute()
    with _readable(source, config) as known:
        given = _options(values) | ({} if schema is None else {"schema": schema})
        stores = [*_stores(source, values, config, copy=copy)]
        made = create(
            target,
            universe=known.universe_mapping(),
            registry=registry,
            stores=stores,
            options=given,
            environment=environment,
        )
        try:
            with made:
                if copy:
                    _copy_files(source, target, config)
                return apply_lines(made.registry, Description(known, config.name).everything())
        except BaseException:
            destroy(target, force=True, environment=environment)
            raise


@contextmanager
def _readable(root: Path, config: Config) -> Iterator[Registry]:
    """Give the old registry, or an upgraded copy of it; nothing is written beside it."""
    place = registry_place(root, config)
    with tempfile.TemporaryDirectory(prefix="skyfs-migrate-") as folder:
        if isinstance(place, SqliteFile):
            place = _upgraded(place, Path(folder) / "registry.sqlite3")
        registry = _opened(place)
        try:
            yield registry
        finally:
            registry.close()


def _upgraded(place: SqliteFile, path: Path) -> SqliteFile:
    database = place.open(writable=False, durability="process")
    try:
        with database.snapshot():
            database.copy_to(path)
    finally:
        database.close()
    upgrade(path)
    return SqliteFile(path)


def _opened(place: object) -> Registry:
    try:
        return Registry.open(place, writable=False, durability="process")  # type: ignore[arg-type]
    except VersionError as error:
        if "migrate" not in error.todo:
            raise
        todo = "restore a backup of it into a file first: skyfs restore --registry registry.sqlite3"
        raise Unsupported(error.asked, f"{error.found}; on servers it cannot be migrated", todo) from None


def _options(values: Mapping[str, object]) -> dict[str, object]:
    left_out = ("skyfs", "name", "registry", "schema", "stores")
    return {key: value for key, value in values.items() if key not in left_out}


def _stores(
    root: Path, values: Mapping[str, object], config: Config, *, copy: bool
) -> Iterator[dict[str, object]]:
    """Give the stores of the new repository: one of its own first, unless all files are copied."""
    listed = values.get("stores")
    given = (
        listed if isinstance(listed, list) else [{"name": one.name, "url": one.url} for one in config.stores]
    )
    names = {one.name for one in config.stores}
    if not copy:
        name = next(name for name in ("local", "own", "own_2", "own_3", "own_4") if name not in names)
        yield {"name": name, "url": "data"}
    for mapping, store in zip(given, config.stores, strict=True):
        if copy and _is_within(root, store):
            yield dict(mapping)
            continue
        folder = local_folder(root, store.url)
        url = store.url if folder is None else str(folder)
        kept = {key: value for key, value in mapping.items() if key != "types"}
        memory = store.url.startswith("memory://")
        yield dict(mapping) if memory else {**kept, "url": url, "writable": False}


def _is_within(root: Path, store: StoreConfig) -> bool:
    """Tell whether a store is a folder of the repository."""
    folder = local_folder(root, store.url)
    return folder is not None and folder.resolve().is_relative_to(root.resolve())


def _copy_files(source: Path, target: Path, config: Config) -> None:
    for store in config.stores:
        folder, into = local_folder(source, store.url), local_folder(target, store.url)
        if _is_within(source, store) and folder is not None and into is not None and folder.is_dir():
            try:
                ignore = shutil.ignore_patterns(_PRIVATE)
                shutil.copytree(folder, into, symlinks=True, ignore=ignore, dirs_exist_ok=True)
            except (OSError, shutil.Error) as error:
                raise StoreError(f"copy {str(folder)!r}", str(error), "check disk and permissions") from error
