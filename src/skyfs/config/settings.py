"""Configuration: what a repository's YAML says, and what the process's environment says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import yaml

from ..errors import BadConfig, nearest
from .stores import (
    CacheConfig,
    StoreConfig,
    parse_cache,
    parse_stores,
    with_hidden_password,
)
from .yamlfile import read_yaml

CONFIG_NAME = "skyfs.yaml"
REGISTRY_NAME = "registry.sqlite3"
CONFIG_VERSION = 1

AutoRegister = Literal["off", "types", "all"]
Durability = Literal["power", "process"]
OnMissing = Literal["fetch", "fail"]

_CHOICES = {
    "auto_register": ("off", "types", "all"),
    "durability": ("power", "process"),
    "on_missing": ("fetch", "fail"),
}
# What a repository is, to all who open it.
_FIXED = ("skyfs", "name", "registry", "shared", "admins")
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a repository.

    Attributes
    ----------
    name
        By which ``skyfs://NAME/`` opens it.
    registry
        The registry's database file, relative to the repository; or the URL of a PostgreSQL database.
    schema
        The schema of that database that the registry is in.
    stores
        In the order of reading; the first one is written to, unless their rules say otherwise.
    on_missing
        What reading does when no store near by has the bytes: ``fetch`` them from far away, or ``fail``.
    cache
        Where what was fetched is kept.
    auto_register
        What writing to a new path may register: nothing, types, or records too.
    durability
        ``power``: a put survives loss of power; ``process``: it survives the death of the process.
    allow_network_filesystem
        Whether a registry in a SQLite file may be written on a filesystem of another machine (NFS, say),
        because one machine alone ever writes.
    shared
        Whether other users may read and write (by the file system's permissions).
    admins
        Users who may remove from any RUN.
    formats
        Formats, storage classes, converters and writer options that differ from the built-in ones.
    given
        Names of the values that the file gives; the others are defaults.
    overridden
        Names of the values that whoever opened it gave: they stand above the file.
    """

    name: str
    registry: str = field(default=REGISTRY_NAME, repr=False)  # it may hold a password
    schema: str = ""
    stores: tuple[StoreConfig, ...] = (StoreConfig("local", "data"),)
    on_missing: OnMissing = "fetch"
    cache: CacheConfig = field(default_factory=CacheConfig)
    auto_register: AutoRegister = "types"
    durability: Durability = "power"
    allow_network_filesystem: bool = False
    shared: bool = False
    admins: tuple[str, ...] = ()
    formats: Mapping[str, object] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    overridden: frozenset[str] = frozenset()

    @classmethod
    def read(cls, folder: Path) -> Config:
        """Read the configuration of the repository in a folder.

        Raises
        ------
        NotFound
            When it has none.
        BadConfig
            As `from_mapping`.
        """
        path = folder / CONFIG_NAME
        return cls.from_mapping(read_yaml(path), str(path))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], origin: str) -> Config:
        """Read the configuration from what its YAML holds.

        Raises
        ------
        BadConfig
            When a key is unknown or a value is ill-typed; the message names file and key.
        """
        values = dict(mapping)
        version = values.pop("skyfs", None)
        if version != CONFIG_VERSION or isinstance(version, bool):
            found = f"skyfs: {version!r}, this skyfs knows {CONFIG_VERSION}"
            raise BadConfig(f"configuration {origin}", found, "is this a repository of skyfs?")
        known = set(cls.__dataclass_fields__) - {"given", "overridden"}
        if "name" not in values:
            raise BadConfig(f"configuration {origin}", "no name", "name: NAME")
        for key, value in values.items():
            _check(str(key), value, known, origin)
        given = frozenset(map(str, values))
        if "stores" in values:
            values["stores"] = parse_stores(values["stores"], origin)
        if "cache" in values:
            values["cache"] = parse_cache(values["cache"], origin)  # type: ignore[arg-type]
        values["admins"] = tuple(values.get("admins", ()))  # type: ignore[arg-type]
        return cls(**values, given=given)  # type: ignore[arg-type]

    def overriding(self, values: Mapping[str, object], origin: str) -> Config:
        """Give this configuration with other values above it; of the cache each key by itself.

        Raises
        ------
        BadConfig
            When a key is unknown, a value is ill-typed, or is what makes the repository this one.
        """
        for key in _FIXED:
            if key in values:
                raise BadConfig(
                    f"{origin}: override {key!r}", "all who open it share it", f"edit {CONFIG_NAME}"
                )
        chosen = dict(values)
        if isinstance(chosen.get("cache"), Mapping):
            chosen["cache"] = {**self.cache.to_mapping(), **chosen["cache"]}  # type: ignore[dict-item]
        parsed = Config.from_mapping({"skyfs": CONFIG_VERSION, "name": self.name, **chosen}, origin)
        changes = {key: getattr(parsed, key) for key in chosen}
        return replace(self, **changes, overridden=self.overridden | frozenset(chosen))

    def to_mapping(self) -> dict[str, object]:
        """Give what may be shown: all that the YAML file holds, but no credentials."""
        values: dict[str, object] = {
            "skyfs": CONFIG_VERSION,
            "name": self.name,
            "registry": self.registry_shown,
        }
        if self.schema:
            values["schema"] = self.schema
        values["stores"] = [store.to_mapping() for store in self.stores]
        values |= {"on_missing": self.on_missing, "cache": self.cache.to_mapping()}
        values |= {"auto_register": self.auto_register, "durability": self.durability, "shared": self.shared}
        if self.allow_network_filesystem:
            values["allow_network_filesystem"] = True
        values |= {"admins": list(self.admins), "formats": dict(self.formats)}
        return values

    @property
    def registry_shown(self) -> str:
        """The registry, without a password."""
        return with_hidden_password(self.registry)

    def annotated(self) -> str:
        """Give the active configuration as YAML, each value with where it comes from."""
        lines = []
        for key, value in self.to_mapping().items():
            origin = "file" if key == "skyfs" or key in self.given else "default"
            origin = "argument" if key in self.overridden else origin
            first, *rest = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True).splitlines()
            lines += [f"{first}  # {origin}", *rest]
        return "\n".join(lines) + "\n"


def _check(key: str, value: object, known: set[str], origin: str) -> None:
    if key not in known:
        raise BadConfig(f"configuration {origin}", f"unknown key {key!r}", nearest(key, known))
    kinds = {"shared": bool, "formats": Mapping, "stores": list, "admins": list, "cache": Mapping}
    kinds["allow_network_filesystem"] = bool
    kind = kinds.get(key, str)
    if not isinstance(value, kind):
        shown = with_hidden_password(repr(value))
        raise BadConfig(f"configuration {origin}", f"{key}: {shown}", f"{kind.__name__} is wanted")
    if key == "admins" and not all(isinstance(user, str) for user in value):  # type: ignore[attr-defined]
        raise BadConfig(f"configuration {origin}", f"admins: {value!r}", "a list of names of users")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise BadConfig(f"configuration {origin}", f"{key}: {value!r}", f"one of {', '.join(_CHOICES[key])}")
    if key == "name":
        check_name(str(value))


def check_name(name: str) -> str:
    """Give a repository's name back when a URL can hold it, else raise BadConfig."""
    if not _NAME.fullmatch(name):
        raise BadConfig(f"bad repository name {name!r}", todo="letters, digits, '_', '.' and '-', at most 64")
    return name


@dataclass(frozen=True, slots=True)
class Environment:
    """What the process's surroundings say; read once, at a door.

    Attributes
    ----------
    index_files
        YAML files with repository names, in the order of search; the first writable one gets new names.
    site_index
        The index that all users of this machine see.
    default_repository
        The repository that the command line takes when none is named.
    user
        Who this is.
    variables
        All of them, for options of stores that name one; they may hold credentials.
    cache_folder
        The disk cache of repositories whose configuration names none.
    """

    index_files: tuple[Path, ...]
    site_index: Path
    default_repository: str | None
    user: str
    cache_folder: Path
    variables: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    @classmethod
    def current(cls) -> Environment:
        """Read ``$SKYFS_INDEX``, ``$SKYFS_REPO``, ``$SKYFS_CACHE`` and the user's directories."""
        import platformdirs

        site = Path(os.environ.get("SKYFS_SITE_INDEX", "/etc/skyfs/index.yaml"))
        named = [Path(part) for part in os.environ.get("SKYFS_INDEX", "").split(os.pathsep) if part]
        own = Path(platformdirs.user_config_dir("skyfs")) / "index.yaml"
        cache = Path(os.environ.get("SKYFS_CACHE") or platformdirs.user_cache_dir("skyfs")).absolute()
        repository = os.environ.get("SKYFS_REPO")
        return cls((*named, own, site), site, repository, _user(), cache, dict(os.environ))

    def resolve(self, value: object, where: str) -> object:
        """Give an option with each text ``$NAME`` in it replaced by that variable; raises BadConfig."""
        if isinstance(value, Mapping):
            return {key: self.resolve(one, where) for key, one in value.items()}
        if isinstance(value, list):
            return [self.resolve(one, where) for one in value]
        found = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        if found[1] not in self.variables:
            raise BadConfig(where, f"${found[1]} is not set", "set it in the environment")
        return self.variables[found[1]]


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
