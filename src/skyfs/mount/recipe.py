"""Recipes of mounts: ``mountpoints/NAME.yaml``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from ..config import Config
from ..config.yamlfile import read_yaml
from ..errors import BadConfig, NotFound, nearest
from .options import MountOptions
from .serving import ENGINES, EngineName

FOLDER = "mountpoints"
_KINDS: Mapping[str, type] = {
    "repository": str,
    "collections": list,
    "overrides": Mapping,
    "writable": bool,
    "replace": bool,
    "cache": Mapping,
    "engine": str,
    "allow_other": bool,
}
# Of a recipe, and as the configuration has them.
_CACHE_KEYS = {"directory": "folder", "quota": "quota"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to mount, and where.

    Attributes
    ----------
    repository
        Name, path or URL.
    folder
        The mount point: beside the recipe, with its name.
    options
        How to mount.
    """

    repository: str
    folder: Path
    options: MountOptions


def read_recipe(name: str | os.PathLike[str], folder: Path = Path(FOLDER)) -> Recipe:
    """Read a recipe by its name, or by its file when the name ends in ``.yaml``.

    Raises
    ------
    NotFound
        When there is none.
    BadConfig
        As `parse_recipe`.
    """
    text = os.fspath(name)
    path = Path(text) if text.endswith(".yaml") else folder / f"{text}.yaml"
    if not path.is_file():
        names = sorted(one.stem for one in path.parent.glob("*.yaml"))
        found = f"there are {', '.join(names)}" if names else ""
        raise NotFound(f"no recipe {str(path)!r}", found, "to mount without one: skyfs mount REPO DIR")
    return parse_recipe(read_yaml(path), path)


def parse_recipe(values: Mapping[str, object], path: Path) -> Recipe:
    """Give the recipe that a file holds.

    A path that begins with ``./`` or ``../``, of the repository or the cache, is relative to the file.

    Raises
    ------
    BadConfig
        When a key is unknown, missing or ill-typed, or does not go with another.
    """
    for key, value in values.items():
        _check(key, value, path)
    if "repository" not in values:
        raise BadConfig(f"recipe {str(path)!r}", "no repository", "repository: NAME")
    if values.get("replace") and not values.get("writable"):
        _refuse(path, "replace: true, but it is not writable", "writable: true")
    named = values.get("collections")
    options = MountOptions(
        collections=tuple(map(str, named)) if isinstance(named, list) else None,
        allow_other=bool(values.get("allow_other", False)),
        writable=bool(values.get("writable", False)),
        replace=bool(values.get("replace", False)),
        engine=cast("EngineName", values.get("engine", "auto")),
        overrides=_overrides(values, path),
    )
    return Recipe(_beside(path, str(values["repository"])), path.with_suffix(""), options)


def _overrides(values: Mapping[str, object], path: Path) -> Mapping[str, object]:
    """Give what stands above the repository's configuration; ``cache`` is a part of it."""
    given, cache = values.get("overrides", {}), values.get("cache", {})
    found = dict(given) if isinstance(given, Mapping) else {}
    if cache and "cache" in found:
        _refuse(path, "cache stands there twice", "say it once, beside overrides")
    if isinstance(cache, Mapping) and cache:
        found["cache"] = {_CACHE_KEYS[key]: value for key, value in cache.items()}
    section = found.get("cache")
    if isinstance(section, Mapping) and "folder" in section:
        found["cache"] = {**section, "folder": _beside(path, str(section["folder"]))}
    Config(name="any").overriding(found, f"recipe {str(path)!r}")
    try:
        json.dumps(found)
    except (TypeError, ValueError) as error:
        _refuse(path, f"overrides: {error}", "texts, numbers, lists and mappings are wanted: quote dates")
    return found


def _beside(path: Path, text: str) -> str:
    return str(path.parent.absolute() / text) if text.startswith(("./", "../")) else text


def _check(key: str, value: object, path: Path) -> None:
    if key not in _KINDS:
        _refuse(path, f"unknown key {key!r}", nearest(str(key), _KINDS))
    if not isinstance(value, _KINDS[key]):
        _refuse(path, f"{key}: {value!r}", f"{_KINDS[key].__name__} is wanted")
    if key == "collections" and not (value and all(isinstance(name, str) for name in value)):  # type: ignore[attr-defined]
        _refuse(path, f"{key}: {value!r}", "a list of names, or leave it out for all")
    if key == "cache" and not set(_CACHE_KEYS).issuperset(value):  # type: ignore[arg-type]
        _refuse(path, f"cache: {value!r}", "its keys are directory and quota")
    if key == "cache" and not isinstance(value.get("directory", ""), str):  # type: ignore[attr-defined]
        _refuse(path, f"cache: directory: {value['directory']!r}", "a path is wanted")  # type: ignore[index]
    if key == "engine" and value not in ENGINES:
        _refuse(path, f"engine: {value!r}", f"one of {', '.join(ENGINES)}")


def _refuse(path: Path, found: str, todo: str) -> NoReturn:
    raise BadConfig(f"recipe {str(path)!r}", found, todo)
