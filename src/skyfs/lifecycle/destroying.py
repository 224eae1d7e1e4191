"""Repositories deleted, but for what others refer to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import storing
from ..assemble import locate, registry_place
from ..config import Config, Environment, index, referring
from ..config.stores import is_server
from ..errors import NotAllowed, SkyfsError
from ..registry.registry import Registry
from ..writing.ingester import IN_PLACE


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was left of a repository.

    Attributes
    ----------
    folder
        Where it was.
    kept
        How many of its files are there still.
    referring
        The folders of repositories that refer to these.
    """

    folder: Path
    kept: int = 0
    referring: tuple[Path, ...] = ()


def destroy(
    location: str | os.PathLike[str], *, force: bool = False, environment: Environment | None = None
) -> Destroyed:
    """Delete a repository's folder and registry, and take its name out of the index.

    Files that another known repository refers to (one in the index, a view made of this one, or a view of
    that) stay where they are, and so does what lies in stores outside the folder.

    Parameters
    ----------
    force
        Delete all that is in the folder, whoever refers to it.

    Raises
    ------
    NotAllowed
        When a repository that may refer to files of this one cannot be asked; nothing is deleted then.
    """
    environment = environment or Environment.current()
    folder = locate(location, environment)
    config = Config.read(folder)
    users = {} if force else users_of(folder, environment)
    kept = {path for paths in users.values() for path in paths}
    if is_server(config.registry):
        registry_place(folder, config).drop()
    _hand_over(folder)
    _delete(folder, kept)
    if index.all_names(environment).get(config.name) == str(folder):
        index.remove(environment, config.name)
    return Destroyed(folder, len(kept), tuple(users))


def users_of(folder: Path, environment: Environment) -> dict[Path, set[Path]]:
    """Give the known repositories that refer to files in a folder, and to which.

    Raises
    ------
    NotAllowed
        When one of them cannot be asked, or a view is not where it was.
    """
    views = referring.all_views_of(folder)
    named = map(Path, index.all_names(environment).values())
    found: dict[Path, set[Path]] = {}
    for other in dict.fromkeys([*views, *filter(referring.is_there, named)]):
        if other == folder:
            continue
        if not referring.is_there(other):
            raise _moved(folder, other)
        try:
            paths = set(_referred(other, folder))
        except SkyfsError as error:
            todo = "mend it, or delete all with --force"
            raise NotAllowed(
                f"destroy {str(folder)!r}", f"{str(other)!r} cannot be asked whether it refers: {error}", todo
            ) from error
        if paths:
            found[other] = paths
    return found


def _moved(folder: Path, view: Path) -> NotAllowed:
    todo = (
        "when it was moved, tell where it is: skyfs relocate VIEW; when it is no more, take it out of "
        ".skyfs/views.yaml of what it was made of; or delete all with --force"
    )
    return NotAllowed(f"destroy {str(folder)!r}", f"its view {str(view)!r} is not there", todo)


def _hand_over(folder: Path) -> None:
    """Take a view off the list of its origin, and put the views of it there."""
    origin = referring.origin_of(folder)
    if origin is not None and origin.is_dir():
        referring.forget(folder, origin)
        for view in filter(referring.is_there, referring.views_of(folder)):
            referring.write_down(view, origin)


def _referred(other: Path, folder: Path) -> Iterator[Path]:
    """Give the files in a folder that another repository refers to."""
    config = Config.read(other)
    places = {store.name: storing.local_folder(other, store.url) for store in config.stores}
    below = {name: _below(place, folder) for name, place in places.items() if place is not None}
    inside = {name: place for name, place in below.items() if place is not None}
    registry = Registry.open(registry_place(other, config), writable=False, durability="process")
    try:
        for key in registry.files.below(IN_PLACE, os.path.realpath(folder)[1:]):
            yield folder / os.path.relpath(f"/{key}", os.path.realpath(folder))
        if inside:
            yield from _in_stores(registry, inside)
    finally:
        registry.close()


def _below(place: Path, folder: Path) -> Path | None:
    """Spell a place as one below the folder, when it is there: links may lead to it."""
    if place.is_relative_to(folder):
        return place
    real = Path(os.path.realpath(place))
    return folder / real.relative_to(os.path.realpath(folder)) if _is_in(real, folder) else None


def _is_in(real: Path, folder: Path) -> bool:
    return real.is_relative_to(os.path.realpath(folder))


def _in_stores(registry: Registry, places: dict[str, Path]) -> Iterator[Path]:
    for found in registry.lookup.everything(registry.current()):
        for location in found.locations:
            if location.store in places:
                yield places[location.store] / location.key


def _delete(folder: Path, kept: set[Path]) -> None:
    """Delete all files but those that are kept, and the folders that are empty then."""
    needed = {parent for path in kept for parent in path.parents}
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if Path(place, name) not in kept:
                os.unlink(os.path.join(place, name))
        for name in folders:
            path = Path(place, name)
            if path in needed:
                continue
            if path.is_symlink():
                path.unlink()
            else:
                path.rmdir()
    if not kept:
        folder.rmdir()
