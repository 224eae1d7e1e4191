"""Definitions by name: those that ship with skyfs, and those that a repository keeps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from ..config.yamlfile import load_yaml, read_yaml
from ..errors import BadConfig, BadDefinition, NotFound
from ..repository import Repository
from .definition import Definition
from .parsing import parse

SHIPPED = ("DECam", "HSC", "LATISS", "LSSTCam", "MegaPrime", "SuprimeCam")
"""Names of the instruments that ship with skyfs."""

Described = Definition | Mapping[str, object] | str | os.PathLike[str]
_SUFFIXES = (".yaml", ".yml")


def load(what: Described, repository: Repository | None = None) -> Definition:
    """Give the definition of an instrument.

    Parameters
    ----------
    what
        A name, a YAML file, or what such a file holds.
    repository
        Where names are looked up first.

    Raises
    ------
    BadDefinition
        When it is not well formed.
    NotFound
        When there is no such file, or no instrument of that name.
    """
    if isinstance(what, Definition):
        return what
    if isinstance(what, Mapping):
        return parse(what, "a mapping")
    if not isinstance(what, str) or what.lower().endswith(_SUFFIXES):
        return from_file(Path(what))
    for one in (*kept(repository), *map(shipped, SHIPPED)):
        if what.lower() in {name.lower() for name in (one.name, *one.match.get("INSTRUME", ()))}:
            return one
    todo = f"known are {', '.join(names(repository))}; or give a YAML file"
    raise NotFound(f"no instrument {what!r}", todo=todo)


def from_file(path: Path) -> Definition:
    """Read a definition from a YAML file."""
    try:
        return parse(read_yaml(path), repr(str(path)))
    except BadConfig as error:
        raise BadDefinition(error.asked, error.found, error.todo) from None


@cache
def shipped(name: str) -> Definition:
    """Read a definition that ships with skyfs."""
    text = files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")
    return parse(load_yaml(text, name), name)


def kept(repository: Repository | None) -> Iterator[Definition]:
    """Give the definitions that a repository keeps, of instruments that were added to it from YAML."""
    folder = repository.root / "instruments" if repository is not None else None
    if folder is not None and folder.is_dir():
        yield from (from_file(path) for path in sorted(folder.glob("*.yaml")))


def names(repository: Repository | None = None) -> Sequence[str]:
    """Give the names of all instruments that can be named."""
    return sorted({*(one.name for one in kept(repository)), *SHIPPED})


def place(repository: Repository, name: str) -> Path:
    """Give the file where a repository keeps the definition of an instrument."""
    return repository.root / "instruments" / f"{name}.yaml"
