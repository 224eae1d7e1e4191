"""The folder of manifests: a description of the whole, and logs that go on from it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..config.durable import sync_path
from ..errors import StoreError
from ..registry.changelog import FOLDER, SUFFIX
from ..registry.manifest.blocks import WHOLE, write_whole
from ..registry.manifest.describing import Description
from ..registry.registry import Registry


def stamp() -> str:
    """Give a mark for names: this second, UTC."""
    return datetime.now(UTC).strftime("%Y%m%dt%H%M%S%fz")


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Be the only one who changes which manifests there are; others wait."""
    folder = root / FOLDER
    folder.mkdir(mode=os.stat(root).st_mode & 0o777, exist_ok=True)
    descriptor = os.open(
        folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, os.stat(root).st_mode & 0o666
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def close_logs(root: Path, mark: str) -> list[str]:
    """Rename all logs, so that whatever comes is written to new ones; give their names."""
    folder = root / FOLDER
    names = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.name == WHOLE:
            continue
        closed = path
        # A name with two dots was closed earlier.
        if "." not in path.stem:
            closed = path.with_name(f"{path.stem}.{mark}{SUFFIX}")
            os.rename(path, closed)
        names.append(closed.name)
    return names


def describe_whole(root: Path, registry: Registry, repository: str, replaces: list[str]) -> Path:
    """Describe all that a registry holds, durable, beside the description that is there; give its path."""
    path = root / FOLDER / f"{WHOLE}.new"
    description = Description(registry, repository, whole=True, replaces=replaces)
    try:
        with path.open("wb") as file:
            os.fchmod(file.fileno(), os.stat(root).st_mode & 0o666)
            write_whole(description.everything(), file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(f"describe the repository in {str(path)!r}", error.strerror or str(error)) from error
    return path


def install_whole(root: Path, new: Path, replaces: list[str], aside: Path | None) -> None:
    """Put a description in its place; what it replaces goes into the folder ``aside``, or away."""
    folder = root / FOLDER
    whole = folder / WHOLE
    if aside is not None:
        aside.mkdir(mode=os.stat(folder).st_mode & 0o777)
        if whole.exists():
            os.link(whole, aside / WHOLE)
    os.rename(new, whole)
    sync_path(folder)
    for name in replaces:
        if aside is None:
            (folder / name).unlink(missing_ok=True)
        elif (folder / name).exists():
            os.rename(folder / name, aside / name)
