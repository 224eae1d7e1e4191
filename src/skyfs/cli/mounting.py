"""``mount``, ``umount`` and ``mounts``: repositories as folders."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..mount.serving import ENGINES
from .printing import print_json, print_table

if TYPE_CHECKING:
    from ..mount.options import MountOptions


@click.command()
@click.argument("repository", metavar="REPO|NAME")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("-c", "--collections", metavar="NAME[,NAME]...", help="Show only these.")
@click.option("--writable/--read-only", default=None, help="Let files be written and removed, or not.")
@click.option(
    "--replace",
    is_flag=True,
    default=None,
    help="Writing where a dataset exists replaces it; with --writable.",
)
@click.option("--engine", type=click.Choice(ENGINES), help="What carries the kernel's requests.")
@click.option("--allow-other", is_flag=True, default=None, help="Let other users look in.")
@click.option("--foreground", is_flag=True, help="Serve until Ctrl-C instead of starting a daemon.")
@click.option("--daemon", is_flag=True, help="Start a daemon: the default.")
def mount(*, repository: str, folder: str | None, foreground: bool, daemon: bool, **given: Any) -> None:  # noqa: ANN401 - click's
    """Show the repository REPO as the folder DIR, or mount by the recipe mountpoints/NAME.yaml.

    A recipe says what to mount; it is mounted at mountpoints/NAME/. A REPO that ends in .yaml is the file of
    a recipe. What is given here stands above the recipe.
    """
    if foreground and daemon:
        raise click.UsageError("--foreground or --daemon: not both")
    names = given.pop("collections")
    chosen = {key: value for key, value in given.items() if value is not None}
    if names:
        chosen["collections"] = tuple(names.split(","))
    location, where, options = _what(repository, folder)
    options = replace(options, **chosen)
    if foreground:
        _serve(location, where, options)
    else:
        from ..mount.session import start

        click.echo(f"{start(_absolute(location), where, options).folder}: mounted {location}")


def _what(repository: str, folder: str | None) -> tuple[str, Path, MountOptions]:
    """Give repository, folder and options, by a recipe or without."""
    from ..mount.options import DEFAULT
    from ..mount.recipe import read_recipe
    from ..mount.table import find_mount

    if folder is not None and not repository.endswith(".yaml"):
        return repository, Path(folder), DEFAULT
    recipe = read_recipe(repository)
    where = recipe.folder if folder is None else Path(folder)
    if folder is None and find_mount(where) is None:  # what is mounted there may be dead
        where.mkdir(exist_ok=True)
    return recipe.repository, where, recipe.options


def _serve(location: str, where: Path, options: MountOptions) -> None:
    from ..mount.session import serve

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)

    def ready(_engine: str) -> None:
        click.echo(f"{where}: mounted; Ctrl-C ends it", err=True)
        notify_service_manager()

    serve(location, where, options, ready=ready)


def notify_service_manager() -> None:
    """Tell systemd that a service of Type=notify is ready; without systemd nothing happens."""
    address = os.environ.pop("NOTIFY_SOCKET", "")
    if address:
        if address.startswith("@"):
            address = f"\0{address[1:]}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(b"READY=1", address)


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
    from ..mount.asking import ask
    from ..mount.table import mounts as all_mounts

    rows = []
    for one in all_mounts():
        told = ask(one.folder)
        rows.append(
            {
                "folder": one.folder,
                "repository": one.repository,
                "state": told.state,
                "engine": told.engine or None,
                "writable": one.writable,
                "pid": told.pid,
            }
        )
    if as_json:
        print_json(rows)
        return
    columns = ("folder", "repository", "state", "engine", "access", "pid")
    shown = [{**row, "writable": "read-write" if row["writable"] else "read-only"} for row in rows]
    print_table([tuple("" if one is None else one for one in row.values()) for row in shown], columns)


def _absolute(location: str) -> str:
    """Give a folder's full path (a daemon works in /); names and URLs stay."""
    return os.path.abspath(location) if os.path.isdir(location) else location
