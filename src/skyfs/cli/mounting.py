"""``mount``, ``umount`` and ``mounts``: repositories as folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import Unsupported
from .printing import print_json, print_table


@click.command()
@click.argument("repository", metavar="REPO|NAME")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("-c", "--collections", metavar="NAME[,NAME]...", help="Show only these.")
@click.option("--foreground", is_flag=True, help="Serve until Ctrl-C instead of starting a daemon.")
@click.option("--allow-other", is_flag=True, help="Let other users look in.")
@click.option("--writable", is_flag=True, help="Not in this version.")
@click.option("--replace", is_flag=True, help="Not in this version.")
def mount(
    *, repository: str, folder: str | None, foreground: bool, writable: bool, **options: object
) -> None:
    """Show the repository REPO as the folder DIR, or mount by the recipe mountpoints/NAME.yaml.

    A recipe says what to mount; it is mounted at mountpoints/NAME/.
    """
    if writable or options.pop("replace"):
        raise Unsupported(
            "mount for writing", "this version mounts for reading only", "write with skyfs cp, or in Python"
        )
    from ..mount.recipe import read_recipe
    from ..mount.session import MountOptions, serve, start

    names = tuple(str(options["collections"]).split(",")) if options["collections"] else None
    if folder is not None:
        location, where = repository, Path(folder)
        wanted = MountOptions(names, bool(options["allow_other"]))
    else:
        recipe = read_recipe(repository)
        location, where = recipe.repository, recipe.folder
        where.mkdir(exist_ok=True)
        wanted = MountOptions(
            names or recipe.options.collections, bool(options["allow_other"]) or recipe.options.allow_other
        )
    if foreground:
        serve(
            location, where, wanted, ready=lambda _: click.echo(f"{where}: mounted; Ctrl-C ends it", err=True)
        )
    else:
        click.echo(f"{start(_absolute(location), where, wanted).folder}: mounted {location}")


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="DIR|NAME...")
@click.option("-l", "--lazy", is_flag=True, help="Also while files in it are open.")
def umount(*, folders: Sequence[str], lazy: bool) -> None:
    """Take mounts away, by folder or by the name of their recipe."""
    from ..mount.recipe import FOLDER
    from ..mount.table import find_mount, unmount

    for folder in folders:
        named = Path(FOLDER) / folder
        by_recipe = "/" not in folder and find_mount(folder) is None and find_mount(named) is not None
        unmount(named if by_recipe else folder, lazy=lazy)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mounts(*, as_json: bool) -> None:
    """Show the mounts of repositories on this machine."""
    from ..mount.table import is_dead
    from ..mount.table import mounts as all_mounts

    rows = [
        {
            "folder": one.folder,
            "repository": one.repository,
            "state": "dead" if is_dead(one.folder) else "mounted",
        }
        for one in all_mounts()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table([tuple(row.values()) for row in rows], ("folder", "repository", "state"))


def _absolute(location: str) -> str:
    """Give a folder's full path (a daemon works in /); names and URLs stay."""
    return os.path.abspath(location) if os.path.isdir(location) else location
