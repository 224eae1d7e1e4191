"""Recipes of mounts: ``mountpoints/NAME.yaml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ..errors import BadConfig, NotFound, Unsupported
from ..yamlfile import read_yaml
from .session import MountOptions

FOLDER = "mountpoints"
_KINDS: Mapping[str, type] = {
    "repository": str,
    "collections": list,
    "writable": bool,
    "replace": bool,
    "cache": Mapping,
    "allow_other": bool,
}
_CACHE_KEYS = {"directory", "quota"}


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
    cache
        ``directory`` and ``quota`` of a cache for remote bytes.
    """

    repository: str
    folder: Path
    options: MountOptions
    cache: Mapping[str, str]


def read_recipe(name: str | os.PathLike[str], folder: Path = Path(FOLDER)) -> Recipe:
    """Read a recipe by its name, or by its file when the name ends in ``.yaml``.

    Raises
    ------
    NotFound
        When there is none.
    BadConfig, Unsupported
        As `parse_recipe`.
    """
    text = os.fspath(name)
    path = Path(text) if text.endswith(".yaml") else folder / f"{text}.yaml"
    if not path.is_file():
        names = sorted(one.stem for one in path.parent.glob("*.yaml"))
        raise NotFound(f"no recipe {str(path)!r}", f"there are {', '.join(names)}" if names else "")
    return parse_recipe(read_yaml(path), path)


def parse_recipe(values: Mapping[str, object], path: Path) -> Recipe:
    """Give the recipe that a file holds.

    A repository's path that begins with ``./`` or ``../`` is relative to the file.

    Raises
    ------
    BadConfig
        When a key is unknown, missing or ill-typed.
    Unsupported
        When it is to be writable.
    """
    for key, value in values.items():
        _check(key, value, path)
    if "repository" not in values:
        raise BadConfig(f"recipe {str(path)!r}", "no repository", "repository: NAME")
    if values.get("writable") or values.get("replace"):
        raise Unsupported(f"recipe {str(path)!r}", "this version mounts for reading only", "writable: false")
    repository = str(values["repository"])
    if repository.startswith(("./", "../")):
        repository = str(path.parent.absolute() / repository)
    named = values.get("collections")
    collections = tuple(map(str, named)) if isinstance(named, list) else None
    cache = values.get("cache", {})
    parts = {key: str(value) for key, value in cache.items()} if isinstance(cache, Mapping) else {}
    options = MountOptions(collections, bool(values.get("allow_other", False)))
    return Recipe(repository, path.with_suffix(""), options, parts)


def _check(key: str, value: object, path: Path) -> None:
    if key not in _KINDS:
        near = get_close_matches(str(key), _KINDS, 1)
        todo = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KINDS)}"
        raise BadConfig(f"recipe {str(path)!r}", f"unknown key {key!r}", todo)
    if not isinstance(value, _KINDS[key]):
        raise BadConfig(f"recipe {str(path)!r}", f"{key}: {value!r}", f"{_KINDS[key].__name__} is wanted")
    if key == "collections" and not (value and all(isinstance(name, str) for name in value)):  # type: ignore[attr-defined]
        raise BadConfig(
            f"recipe {str(path)!r}", f"{key}: {value!r}", "a list of names, or leave it out for all"
        )
    if key == "cache" and not _CACHE_KEYS.issuperset(value):  # type: ignore[arg-type]
        raise BadConfig(f"recipe {str(path)!r}", f"cache: {value!r}", "its keys are directory and quota")
