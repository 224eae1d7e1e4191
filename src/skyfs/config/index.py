"""The repository index: names → locations, in YAML files of the user and the site."""

from __future__ import annotations

from pathlib import Path

from ..errors import Conflict, NotAllowed, NotFound, SkyfsError, nearest
from . import Environment
from .settings import CONFIG_NAME
from .stores import shown_location
from .yamlfile import read_yaml, write_yaml


def all_names(environment: Environment) -> dict[str, str]:
    """Give all names with their locations; the first file that has a name decides."""
    found: dict[str, str] = {}
    for path in environment.index_files:
        for name, location in _read(path).items():
            found.setdefault(name, location)
    return found


def find(environment: Environment, name: str) -> str:
    """Give the location of a name.

    Raises
    ------
    NotFound
        When no index has it.
    """
    names = all_names(environment)
    if name not in names:
        todo = nearest(name, names, "give its folder, or create it: skyfs init DIR --name NAME")
        raise NotFound(f"no repository named {shown_location(name)!r} in the index", todo=todo)
    return names[name]


def add(environment: Environment, name: str, location: str, *, shared: bool) -> Path:
    """Add a name to the user's index, or to the site's for a shared repository; give the file.

    Raises
    ------
    Conflict
        When the name is taken by another location.
    NotAllowed
        When no index may be written.
    """
    known = all_names(environment).get(name)
    if known is not None and known != location and (Path(known) / CONFIG_NAME).exists():
        raise Conflict(f"repository name {name!r}", f"taken by {known}", "choose another: name=, --name")
    candidates = [environment.site_index] if shared else []
    failures = []
    for path in (*candidates, *environment.index_files):
        try:
            write_yaml(path, {**_read(path), name: location}, mode=0o644 if shared else 0o600)
        except OSError as error:
            reason = error.found if isinstance(error, SkyfsError) else error.strerror
            failures.append(f"{path}: {reason}")
        else:
            return path
    raise NotAllowed(
        f"add {name!r} to the repository index", "; ".join(failures), "set SKYFS_INDEX to a file of yours"
    )


def remove(environment: Environment, name: str) -> None:
    """Take a name out of every index that has it and may be written."""
    for path in environment.index_files:
        names = _read(path)
        if names.pop(name, None) is not None:
            write_yaml(path, names)


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {str(name): str(location) for name, location in read_yaml(path).items()}
