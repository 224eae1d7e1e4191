"""Configuration of stores and of the disk cache: the sections ``stores:`` and ``cache:``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import BadConfig, nearest

_BYTES = re.compile(r"(\d{1,18}(?:\.\d+)?)\s*([KMGT]i?)?B?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_STORE_KEYS = {
    "name": str,
    "url": str,
    "options": Mapping,
    "writable": bool,
    "types": list,
    "formats": Mapping,
    "template": str,
    "cache": bool,
    "retries": int,
    "mirrors": list,
    "latency_s": float,
    "bandwidth_bytes_s": float,
}
_CACHE_KEYS = ("folder", "quota", "group")
_FORMAT_KEYS = ("extension", "options", "disassemble")
DEFAULT_QUOTA_BYTES = 20 * 10**9


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """One store.

    Attributes
    ----------
    name
        By which the registry knows it.
    url
        A folder (relative to the repository), or an fsspec URL.
    options
        Of the fsspec filesystem. A value that is ``$NAME`` comes from the environment. They may hold
        credentials: they are never shown.
    writable
        Whether datasets are written there; None: when its kind can be written.
    types
        Globs of dataset types that are written there, with ``!`` before those that are not. None: those that
        no other store's rule takes go to the first such store.
    formats
        Extension and writer options there, by dataset type (``type.component``), storage class or ``*``; and
        with ``disassemble`` whether components are files of their own.
    template
        Path template of new keys; empty: the dataset's own path.
    cache
        Whether what is read from it is kept in the disk cache; None: when it is far away.
    retries
        How many times what failed is tried again.
    mirrors
        URLs or folders with the same keys, which are read when the store lacks a key, fails, or gives wrong
        bytes; never written.
    latency_s, bandwidth_bytes_s
        Of one request and of all connections, for planning parts of files; None: 0.05 and 1e8, as of a store
        of objects in another building.
    """

    name: str
    url: str = field(repr=False)  # it may hold a password, as those of mirrors may
    options: Mapping[str, object] = field(default_factory=dict, hash=False, repr=False)
    writable: bool | None = None
    types: tuple[str, ...] | None = None
    formats: Mapping[str, object] = field(default_factory=dict, hash=False)
    template: str = ""
    cache: bool | None = None
    retries: int = 4
    mirrors: tuple[str, ...] = field(default=(), repr=False)
    latency_s: float | None = None
    bandwidth_bytes_s: float | None = None

    def to_mapping(self) -> dict[str, object]:
        """Give what differs from the defaults, without the values of options."""
        default = StoreConfig(self.name, self.url)
        values: dict[str, object] = {"name": self.name, "url": without_password(self.url)}
        for key in list(_STORE_KEYS)[2:]:
            value = getattr(self, key)
            if value != getattr(default, key):
                values[key] = list(value) if isinstance(value, tuple) else value
        if self.mirrors:
            values["mirrors"] = [without_password(url) for url in self.mirrors]
        if self.options:
            values["options"] = {key: shown_option(value) for key, value in self.options.items()}
        return values


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """The disk cache for what lies far away.

    Attributes
    ----------
    folder
        Shared by all repositories and processes that name it; empty: the user's cache directory.
    quota_bytes
        How much it may hold.
    group
        Whether others of the folder's group may share it (files are 0660, not 0600).
    """

    folder: str = ""
    quota_bytes: int = DEFAULT_QUOTA_BYTES
    group: bool = False

    def to_mapping(self) -> dict[str, object]:
        """Give the section."""
        return {"folder": self.folder, "quota": self.quota_bytes, "group": self.group}


def shown_option(value: object) -> str:
    """Give what may be shown of an option: the name of an environment variable, never a value."""
    return value if isinstance(value, str) and value.startswith("$") else "(not shown)"


def without_password(url: str) -> str:
    """Give a URL without user name and password."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def is_server(registry: str) -> bool:
    """Tell whether a registry is on a server, not a file."""
    return "://" in registry


def with_hidden_password(url: str) -> str:
    """Give a URL with a user name, but no password, wherever it may stand."""
    shown = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&][a-z]*password=)[^&]*", r"\1***", shown)


def shown_location(text: str) -> str:
    """Give what a user calls a repository without what may be secret: a password, and all after ``?``."""
    named = re.sub(r"((?:^|://)[^/@:]*):[^/@]*@", r"\1:***@", text)
    return re.sub(r"\?.*", "?***", named, flags=re.DOTALL) if "://" in text else named


def parse_stores(value: object, origin: str) -> tuple[StoreConfig, ...]:
    """Read the section ``stores:``; raises BadConfig."""
    stores = [_store(one, origin) for one in value] if isinstance(value, list) else []
    names = [store.name for store in stores]
    if not stores or len(set(names)) < len(names):
        found, todo = f"stores named {names}", "at least one, with different names"
        raise BadConfig(f"configuration {origin}", found, todo)
    return tuple(stores)


def parse_cache(value: Mapping[str, object], origin: str) -> CacheConfig:
    """Read the section ``cache:``; raises BadConfig."""
    where = f"configuration {origin}, cache"
    _require_known(value, _CACHE_KEYS, where)
    folder, group = value.get("folder", ""), value.get("group", False)
    if not isinstance(folder, str) or not isinstance(group, bool):
        raise BadConfig(where, f"folder {folder!r}, group {group!r}", "a path; true or false")
    return CacheConfig(folder, parse_bytes(value.get("quota", DEFAULT_QUOTA_BYTES), where), group)


def parse_bytes(value: object, where: str) -> int:
    """Read a size: a number of bytes, or a text such as ``20 GB`` or ``512 MiB``; raises BadConfig."""
    found = _BYTES.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if found is None:
        raise BadConfig(where, f"{value!r} is no size", "write 20 GB, 512 MiB or a number of bytes")
    unit = (found[2] or "").lower()
    base = 1024 if unit.endswith("i") else 1000
    return int(float(found[1]) * base ** _POWERS.get(unit[:1], 0))


def _store(value: object, origin: str) -> StoreConfig:
    if not isinstance(value, Mapping) or not {"name", "url"} <= set(value):
        shown = repr(set(value)) if isinstance(value, Mapping) else with_hidden_password(repr(value))
        raise BadConfig(f"configuration {origin}", f"store {shown}", "a store has a name and a url")
    where = f"configuration {origin}, store {value['name']!r}"
    _require_known(value, tuple(_STORE_KEYS), where)
    for key, kind in _STORE_KEYS.items():
        if key in value and not _is(value[key], kind):
            shown = shown_option(value[key]) if key == "options" else with_hidden_password(repr(value[key]))
            raise BadConfig(where, f"{key}: {shown}", f"{kind.__name__} is wanted")
    formats = value.get("formats", {})
    for name, rule in formats.items():
        if not isinstance(rule, Mapping):
            raise BadConfig(where, f"formats: {name}: {rule!r}", "a mapping: extension, options, disassemble")
        _require_known(rule, _FORMAT_KEYS, f"{where}, formats: {name}")
    types = value.get("types")
    if types is not None and not all(isinstance(one, str) for one in types):
        raise BadConfig(where, f"types: {types!r}", "a list of names or globs")
    mirrors = value.get("mirrors", [])
    if not all(isinstance(one, str) for one in mirrors):
        raise BadConfig(where, "mirrors: not all are texts", "a list of folders or URLs")
    chosen = {**value, "types": None if types is None else tuple(types), "mirrors": tuple(mirrors)}
    return StoreConfig(**chosen)


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return isinstance(value, kind)


def _require_known(value: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in value:
        if key not in known:
            raise BadConfig(where, f"unknown key {key!r}", nearest(str(key), known))
