"""``demo``: a repository is made, and a tour of it taken."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exists, SkyfsError, UnknownFormat
from .printing import human
from .session import Session

if TYPE_CHECKING:
    from ..demo.loading import OwnFiles
    from ..repository import Repository
    from .tour import Step

_FOLDER = "skyfs-demo"
# Of the user's images the smallest that gives a preview is shown; not all of a night are tried.
_MAX_TRIED = 20


@click.command()
@click.option("--fits", metavar="DIR", help="Tour your own FITS files below DIR; they stay where they are.")
@click.option("--keep", metavar="DIR", help=f"Work in DIR, new or empty. Default: {_FOLDER} in this folder.")
@click.pass_obj
def demo(session: Session, *, fits: str | None, keep: str | None) -> None:
    """Make a repository of a simulated survey, or of your own FITS files, and take a tour of it.

    Each command of the tour is printed, and run as printed.
    """
    begun = time.monotonic()
    folder = _work_folder(keep)
    name = _free_name(session, "demo" if fits is None else "my-files")
    steps = _prepare(session, folder, name, None if fits is None else Path(fits))
    failures = _walk(folder, name, steps)
    from .stories import farewell

    click.echo(farewell(folder, name))
    click.echo(f"\nThe tour took {time.monotonic() - begun:.0f} s.")
    if failures:
        raise click.ClickException(f"{failures} of {len(steps)} steps failed")


def _prepare(session: Session, folder: Path, name: str, fits: Path | None) -> list[Step]:
    """Make and fill the repository; when that fails nothing is left."""
    import skyfs

    made = not folder.exists()
    try:
        with _create(session, folder, name) as repository:
            return list(
                _fill_with_survey(repository, folder, name)
                if fits is None
                else _fill_with_files(repository, fits, name)
            )
    except BaseException:
        skyfs.destroy(folder / "repository", environment=session.environment)
        shutil.rmtree(folder / "simulated", ignore_errors=True)
        if made:
            folder.rmdir()
        raise


def _work_folder(keep: str | None) -> Path:
    """Give a folder that is new or empty."""
    if keep is not None:
        folder = Path(os.path.expanduser(keep)).absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Exists(
                f"work in {str(folder)!r}", "it exists and is not empty", "choose another, or remove it"
            )
        return folder
    names = (_FOLDER if number == 1 else f"{_FOLDER}-{number}" for number in count(1))
    folder = next(Path(name).absolute() for name in names if not Path(name).exists())
    if folder.name != _FOLDER:
        click.echo(f"{_FOLDER}/ is there from an earlier tour; this one works in {folder.name}/.")
    return folder


def _free_name(session: Session, wanted: str) -> str:
    from ..config.index import all_names

    taken = all_names(session.environment)
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _create(session: Session, folder: Path, name: str) -> Repository:
    import skyfs

    folder.mkdir(parents=True, exist_ok=True)
    click.echo(f"$ cd {folder}\n$ skyfs init repository --name {name}\n$ export SKYFS_REPO={name}")
    return skyfs.create(folder / "repository", name=name, environment=session.environment)


def _fill_with_survey(repository: Repository, folder: Path, name: str) -> Iterator[Step]:
    from ..demo.loading import CHAIN, load_survey
    from ..demo.survey import simulate
    from .stories import MOUNTED, mount_steps, survey_steps

    click.echo(
        "\nSimulating a survey: two cameras, three nights, their calibrations, catalogues and coadds..."
    )
    survey = simulate(folder / "simulated")
    size = sum(file.path.stat().st_size for file in survey.files)
    begun = time.monotonic()
    refs = load_survey(repository, survey)
    shutil.rmtree(survey.folder)
    click.echo(f"{len(refs)} files, {human(size)}, ingested in {time.monotonic() - begun:.1f} s.")
    yield from survey_steps(name)
    yield from _if_mountable(mount_steps(name, CHAIN, MOUNTED))


def _fill_with_files(repository: Repository, folder: Path, name: str) -> Iterator[Step]:
    from ..demo.loading import OWN_RUN, load_files
    from .stories import mount_steps, own_steps

    own = load_files(repository, folder.absolute())
    click.echo(
        f"\n{len(own.taken)} FITS files below {folder} are registered where they are: nothing was copied."
    )
    for path, reason in own.skipped:
        click.echo(f"  left out: {path}: {' '.join(reason.split())}")
    first = own.taken[0]
    yield from own_steps(name, first, _image_of(repository, own))
    yield from _if_mountable(mount_steps(name, OWN_RUN, first[1]))


def _image_of(repository: Repository, own: OwnFiles) -> str | None:
    """Give the path of a small file that gives a preview."""
    from ..model.paths import parse
    from ..tree import Tree
    from .stories import with_extension

    tree = Tree(repository)
    by_size = sorted(own.taken, key=lambda pair: pair[0].stat().st_size)
    for _, path in by_size[:_MAX_TRIED]:
        try:
            tree.lookup(parse(with_extension(path, ".png")))
        except (SkyfsError, UnknownFormat):
            continue
        return path
    return None


def _if_mountable(steps: Iterator[Step]) -> Iterator[Step]:
    reason = _why_no_fuse()
    if reason:
        click.echo(f"\nThe tour leaves the mount out: {reason}.")
    else:
        yield from steps


def _why_no_fuse() -> str:
    """Say why this machine cannot mount; empty when it can."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened ({error.strerror})"
    if shutil.which("fusermount3") is None:
        return "fusermount3 is missing (Debian package fuse3)"
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        return f"the Python package mfusepy cannot be loaded ({error})"
    return ""


def _walk(folder: Path, name: str, steps: list[Step]) -> int:
    from .tour import Tour

    with Tour(folder, {"SKYFS_REPO": name}) as tour:
        try:
            for step in steps:
                tour.show(step)
        finally:
            _unmount(folder / "mnt")
        return tour.failures


def _unmount(folder: Path) -> None:
    """Take the mount away when the tour was stopped before its last step."""
    from ..mount.table import find_mount, unmount

    if find_mount(folder) is not None:
        unmount(folder, lazy=True)
