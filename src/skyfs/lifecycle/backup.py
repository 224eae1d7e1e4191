"""Backups of what a registry knows: configuration, description, and of a SQLite registry the file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..assemble import locate, open_repository, registry_place
from ..config import Config, Environment
from ..config.durable import sync_path
from ..config.settings import CONFIG_NAME, REGISTRY_NAME
from ..config.stores import is_server
from ..config.yamlfile import read_yaml, write_yaml
from ..errors import BadContent, Exists, NotFound, SkyfsError, StoreError, VersionError, WrongBytes
from ..model.manifest import read_lines
from ..registry.changelog import FOLDER
from ..registry.manifest.applying import apply_lines
from ..registry.manifest.blocks import WHOLE, Past
from ..registry.place import Place, schema_for
from ..registry.registry import Registry
from ..registry.sqlite import SqliteFile
from ..repository import Repository
from .manifests import alone, close_logs, describe_whole, install_whole, stamp

NOTE = "backup.json"
_VERSION = 1
_PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup: whose it is, when it was made (UTC), and what it holds, by name: size and digest."""

    repository: str
    at: str
    files: Mapping[str, tuple[int, str]]


def backup(
    location: str | Path, destination: str | Path, *, environment: Environment | None = None
) -> Backup:
    """Write all that the registry of a repository holds, as of one moment, into a new folder.

    Others may write meanwhile. The repository's own description is written anew, and its log begins anew.
    The bytes of datasets are not in it.

    Raises
    ------
    Exists
        When the folder is there already, and not empty.
    StoreError
        When something cannot be read or written; nothing is left then.
    """
    environment = environment or Environment.current()
    target = Path(os.path.expanduser(destination)).absolute()
    _require_new(target)
    root = locate(location, environment)
    with open_repository(root, writable=True, environment=environment) as repo, alone(root):
        mark, logs = stamp(), list[str]()
        with _made(target) as folder:
            # In one moment: what is committed later is in a new log.
            with repo.registry.snapshot(lambda: logs.extend(close_logs(root, mark))):
                new = describe_whole(root, repo.registry, repo.name, logs)
                repo.registry.copy_to(folder / REGISTRY_NAME)
            (folder / FOLDER).mkdir()
            _copy(new, folder / FOLDER / WHOLE)
            _copy(root / CONFIG_NAME, folder / CONFIG_NAME)
            made = _note(folder, repo)
        install_whole(root, new, logs, None)
    return made


def verify(source: str | Path) -> Backup:
    """Read a backup's note, and hold all its files against it.

    Raises
    ------
    NotFound
        When the folder holds no backup.
    WrongBytes
        When a file is not what it was.
    VersionError
        When it was made by a later version.
    """
    folder = Path(os.path.expanduser(source)).absolute()
    found = _read_note(folder)
    for name, (size, digest) in found.files.items():
        path = folder / name
        if not path.is_file():
            raise WrongBytes(f"backup {str(folder)!r}", f"{name} is gone", "take another backup")
        if (path.stat().st_size, _digest(path)) != (size, digest):
            raise WrongBytes(f"backup {str(folder)!r}", f"{name} was changed", "take another backup")
    return found


def restore(
    source: str | Path,
    root: str | Path,
    *,
    registry: str | None = None,
    schema: str | None = None,
    replace: bool = False,
) -> Path:
    """Make a repository's configuration, registry and manifests what a backup says; give its folder.

    Parameters
    ----------
    source
        A folder that `backup` has made.
    root
        The repository's folder: where it was, or another one. Files of datasets are not touched.
    registry, schema
        Where the registry is to be: a file name, or the URL of a PostgreSQL database. Default: as it was.
    replace
        Whether to set aside the registry and the manifests that are there.

    Raises
    ------
    Exists
        When a repository is there, and ``replace`` is False.
    NotFound, WrongBytes, VersionError
        As `verify`; nothing is changed then.
    """
    verify(source)
    origin = Path(os.path.expanduser(source)).absolute()
    folder = Path(os.path.expanduser(root)).absolute()
    values = _config_values(origin, registry, schema)
    config = Config.from_mapping(values, str(origin / CONFIG_NAME))
    place = registry_place(folder, config)
    if not replace:
        _require_free(folder, place)
    with _reported(f"restore to {str(folder)!r}"):
        folder.mkdir(mode=0o777 if config.shared else 0o700, parents=True, exist_ok=True)
        _put_in_place(origin, folder, values, place)
    return folder


def _put_in_place(origin: Path, folder: Path, values: Mapping[str, object], place: Place) -> None:
    config, mark = Config.from_mapping(values, str(origin / CONFIG_NAME)), stamp()
    with alone(folder):
        _restore_registry(origin, place, mark, durability=config.durability)
        logs = close_logs(folder, mark)
        new = folder / FOLDER / f"{WHOLE}.new"
        new.unlink(missing_ok=True)
        _copy(origin / FOLDER / WHOLE, new)
        install_whole(folder, new, logs, folder / FOLDER / f"old_{mark}")
        write_yaml(folder / CONFIG_NAME, values, mode=0o644 if config.shared else 0o600)


def _restore_registry(origin: Path, place: Place, mark: str, *, durability: str) -> None:
    new = place.beside(f"new_{mark}")
    try:
        if isinstance(new, SqliteFile) and (origin / REGISTRY_NAME).is_file():
            _copy(origin / REGISTRY_NAME, new.path)
            Registry.open(new, writable=False, durability=durability).close()
        else:
            _apply(origin / FOLDER / WHOLE, new)
        place.take(new, place.beside(f"old_{mark}"))
    except BaseException:
        new.drop()
        raise


def _apply(path: Path, place: Place) -> None:
    past = Past.of(path.parent.parent)
    if past.universe is None:
        raise BadContent(f"backup {str(path)!r}", "it does not tell the dimensions", "take another backup")
    registry = Registry.create(place, past.universe, durability="process")
    try:
        with path.open("rb") as file:
            apply_lines(registry, read_lines(file, path.name))
    finally:
        registry.close()


def _config_values(origin: Path, registry: str | None, schema: str | None) -> dict[str, object]:
    values = dict(read_yaml(origin / CONFIG_NAME))
    if registry is not None:
        values["registry"] = registry
        values.pop("schema", None)
        if is_server(registry):
            values["schema"] = schema_for(str(values["name"]))
    if schema is not None:
        values["schema"] = schema
    return values


def _require_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Exists(f"make a backup at {str(folder)!r}", "it is there already", "name a new folder")


def _require_free(folder: Path, place: Place) -> None:
    todo = "name another place, or set it aside with replace"
    if (folder / CONFIG_NAME).exists():
        raise Exists(f"restore to {str(folder)!r}", "a repository is there", todo)
    try:
        Registry.open(place, writable=False, durability="process").close()
    except NotFound:
        return
    except VersionError as error:
        raise Exists(f"restore to {place.name!r}", f"something is there: {error.found}", todo) from None
    raise Exists(f"restore to {place.name!r}", "a registry is there", todo)


@contextmanager
def _made(target: Path) -> Iterator[Path]:
    """Make a folder under another name; it has its own when all is in it."""
    building = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _reported(f"make a backup at {str(target)!r}"):
            building.mkdir(mode=0o700, parents=True)
            yield building
            for folder in (building, building / FOLDER):
                sync_path(folder)
            if target.exists():
                target.rmdir()
            os.rename(building, target)
            sync_path(target.parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


@contextmanager
def _reported(asked: str) -> Iterator[None]:
    """Turn errors of the system into ours."""
    try:
        yield
    except OSError as error:
        if isinstance(error, SkyfsError):
            raise
        raise StoreError(asked, error.strerror or str(error), "check disk and permissions") from error


def _note(folder: Path, repo: Repository) -> Backup:
    """Write what the backup holds, and read it all once more."""
    names = [name for name in (CONFIG_NAME, f"{FOLDER}/{WHOLE}", REGISTRY_NAME) if (folder / name).is_file()]
    files = {name: ((folder / name).stat().st_size, _digest(folder / name)) for name in names}
    made = Backup(repo.name, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), files)
    listed = {name: {"size": size, "sha256": digest} for name, (size, digest) in files.items()}
    note = {"skyfs": {"backup": _VERSION, "repository": made.repository, "at": made.at, "files": listed}}
    with (folder / NOTE).open("w", encoding="utf-8") as file:
        json.dump(note, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return made


def _read_note(folder: Path) -> Backup:
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))["skyfs"]
        if note["backup"] != _VERSION:
            found = f"its version is {note['backup']!r}, this skyfs knows {_VERSION}"
            raise VersionError(f"backup {str(folder)!r}", found, "use a newer version of skyfs")
        files = {name: (one["size"], one["sha256"]) for name, one in note["files"].items()}
        return Backup(note["repository"], note["at"], files)
    except FileNotFoundError:
        todo = "make one: skyfs backup REPO DIR"
        raise NotFound(f"no backup at {str(folder)!r}", f"no {NOTE} there", todo) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, VersionError):
            raise
        raise WrongBytes(f"backup {str(folder)!r}", f"{NOTE}: {error!r}", "take another backup") from None


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as one, target.open("xb") as other:
        os.fchmod(other.fileno(), 0o600)
        shutil.copyfileobj(one, other, _PIECE_BYTES)
        other.flush()
        os.fsync(other.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
