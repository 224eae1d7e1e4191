"""Repositories, or their stores, that lie elsewhere now."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .. import storing
from ..assemble import locate, open_repository
from ..config import Config, Environment, index, referring
from ..config.settings import CONFIG_NAME
from ..config.yamlfile import load_yaml, read_yaml, write_text, write_yaml
from ..errors import BadConfig, Conflict, NotFound, SkyfsError
from ..model.dataset import Location
from ..repository import Repository
from ..writing.ingester import IN_PLACE

_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Relocated:
    """What was told where a repository, or a store, is now.

    Attributes
    ----------
    folder
        Of the repository.
    stores
        Names of stores of it that have another URL.
    views
        Repositories that were told.
    lost
        Views that are gone or cannot be changed.
    """

    folder: Path
    stores: tuple[str, ...] = ()
    views: tuple[Path, ...] = ()
    lost: tuple[Path, ...] = ()


def relocate(
    location: str | os.PathLike[str],
    stores: Mapping[str, str] | None = None,
    *,
    environment: Environment | None = None,
) -> Relocated:
    """Tell a repository, the index, and views that refer to it, where it and its stores are now.

    A folder that was moved opens without that; its name in the index, and its views, are found again by it.

    Parameters
    ----------
    location
        Where the repository is.
    stores
        New URLs, or folders, by the names of stores.

    Raises
    ------
    NotFound
        When there is no such repository or store, or the store's files are not there.
    Conflict
        When another repository has the name in the index.
    """
    environment = environment or Environment.current()
    folder = locate(location, environment)
    config = Config.read(folder)
    for name, url in (stores or {}).items():
        _change_store(folder, config, name, url, environment)
    with open_repository(folder, writable=True, environment=environment) as repository:
        _name(repository, environment)
    views, lost = _tell_views(folder, environment)
    origin = referring.origin_of(folder)
    if origin is not None and referring.is_there(origin):
        referring.write_down(folder, origin)
    return Relocated(folder, tuple(stores or ()), tuple(views), tuple(lost))


def _name(repository: Repository, environment: Environment) -> None:
    """Correct the name in the index, when it is there and leads nowhere."""
    known = index.all_names(environment).get(repository.name)
    if known is None or known == str(repository.root):
        return
    if (Path(known) / CONFIG_NAME).exists() and Config.read(Path(known)).name == repository.name:
        raise Conflict(
            f"repository name {repository.name!r}", f"it is that of {known}", "change name: in skyfs.yaml"
        )
    index.add(environment, repository.name, str(repository.root), shared=repository.config.shared)


# -- stores --------------------------------------------------------------------------------------------


def _change_store(folder: Path, config: Config, name: str, url: str, environment: Environment) -> None:
    if name not in {store.name for store in config.stores}:
        names = ", ".join(store.name for store in config.stores)
        raise NotFound(f"relocate the store {name!r}", "there is none of that name", f"there are {names}")
    place = storing.local_folder(folder, url)
    given = url if place is None or not os.path.isabs(os.path.expanduser(url)) else str(place)
    changed = _with_url(read_yaml(folder / CONFIG_NAME), name, given)
    _require_files(folder, name, changed, environment)
    _write_config(folder, name, given)


def _with_url(mapping: Mapping[str, object], name: str, url: str) -> dict[str, object]:
    stores = mapping.get("stores") or [{"name": "local", "url": "data"}]
    if not isinstance(stores, list):
        raise BadConfig("stores:", f"{stores!r}", "a list")
    changed = [{**store, "url": url} if store.get("name") == name else store for store in stores]
    return {**mapping, "stores": changed}


def _require_files(folder: Path, name: str, changed: Mapping[str, object], environment: Environment) -> None:
    """Refuse a place that has none of the store's files."""
    overrides = {"stores": changed["stores"]}
    with open_repository(folder, overrides=overrides, environment=environment) as repository:
        looked = list(islice(_places(repository, name), _SAMPLE))
        found = any(_is_there(repository, place) for place in looked)
    if looked and not found:
        reason = f"none of {len(looked)} files that were looked for is there, as {looked[0].key}"
        raise NotFound(f"relocate the store {name!r}", reason, "give the folder or URL that has the keys")


def _is_there(repository: Repository, place: Location) -> bool:
    try:
        repository.stores[place.store].stat(place.key)
    except NotFound:
        return False
    return True


def _places(repository: Repository, store: str) -> Iterator[Location]:
    registry = repository.registry
    for found in registry.lookup.everything(registry.current()):
        yield from (place for place in found.locations if place.store == store)


def _write_config(folder: Path, name: str, url: str) -> None:
    """Change one URL, and nothing else: people write comments into the file."""
    path = folder / CONFIG_NAME
    text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777
    old = load_yaml(text, str(path))
    wanted = _with_url(old, name, url)
    stores = old.get("stores") or []
    before = next((one["url"] for one in stores if one["name"] == name), None)  # type: ignore[attr-defined]
    for line in text.splitlines():
        if before is not None and line.strip().removeprefix("- ").startswith("url:"):
            changed = text.replace(line, line.replace(str(before), url), 1)
            if changed != text and load_yaml(changed, str(path)) == wanted:
                write_text(path, changed, mode=mode)
                return
    write_yaml(path, wanted, mode=mode)


# -- views ---------------------------------------------------------------------------------------------


def _tell_views(folder: Path, environment: Environment) -> tuple[list[Path], list[Path]]:
    """Tell all views, and views of these, where the files are; give who knows, and who could not be told."""
    views, lost = [], []
    for direct in referring.views_of(folder):
        before = referring.origin_of(direct) if referring.is_there(direct) else None
        for view in (direct, *referring.all_views_of(direct)):
            try:
                _tell(view, folder, before, environment)
                views.append(view)
            except SkyfsError:
                lost.append(view)
        if direct in views:
            referring.write_down(direct, folder)
    return views, lost


def _tell(view: Path, folder: Path, before: Path | None, environment: Environment) -> None:
    """Tell a view where the files are that it shows."""
    origin, config = Config.read(folder), Config.read(view)
    own = {f"{origin.name}.{store.name}": storing.absolute(folder, store)["url"] for store in origin.stores}
    for store in config.stores:
        # A view of a view has the names that this one has them by: VIEW.ORIGIN.STORE.
        url = next((url for name, url in own.items() if f".{store.name}".endswith(f".{name}")), None)
        if url is not None and url != store.url:
            _write_config(view, store.name, str(url))
    if before is not None and before != folder:
        with open_repository(view, writable=True, environment=environment) as repository:
            repository.registry.files.rebase(IN_PLACE, str(before)[1:], os.path.realpath(folder)[1:])
