"""``init`` and ``destroy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .printing import busy
from .session import Session

if TYPE_CHECKING:
    from ..repository import Repository


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--name", help="Name for skyfs://NAME/ and -r NAME; added to your index of repositories.")
@click.option("--shared", is_flag=True, help="Let other users in; nothing is registered by writing.")
@click.option(
    "--universe", metavar="FILE", help="YAML of dimensions. Default: those of the Rubin data butler."
)
@click.option(
    "--auto-register",
    type=click.Choice(["off", "types", "all"]),
    help="What writing to a new path may register.",
)
@click.option(
    "--durability", type=click.Choice(["power", "process"]), help="What a finished put survives the loss of."
)
@click.option(
    "--registry",
    metavar="URL",
    help="PostgreSQL database of the registry, postgresql://USER@HOST:PORT/DATABASE. Default: a SQLite file.",
)
@click.option("--schema", help="Schema of that database, made for it. Default: the repository's name.")
@click.option(
    "--allow-network-filesystem",
    is_flag=True,
    default=None,
    help="Keep a SQLite file on NFS and the like, because one machine alone will ever write.",
)
@click.option(
    "--store",
    "stores",
    metavar="NAME=URL",
    multiple=True,
    help="Where bytes lie: a folder or URL, such as s3://bucket/prefix. More than once: read in this order. "
    "Default: the folder data.",
)
@click.option(
    "--store-option",
    "store_options",
    metavar="NAME.KEY=VALUE",
    multiple=True,
    help="Option of a store; a VALUE such as $TOKEN (quoted) is looked up whenever the store is opened.",
)
@click.pass_obj
def init(  # noqa: PLR0913 - one for each option
    session: Session,
    /,
    *,
    folder: str,
    name: str | None,
    shared: bool,
    registry: str | None,
    universe: str | None,
    stores: tuple[str, ...],
    store_options: tuple[str, ...],
    **options: str | bool | None,
) -> None:
    """Create a repository in DIR, a folder that is new or empty."""
    import skyfs

    given = {key: value for key, value in options.items() if value is not None}
    places = _stores(stores, store_options)
    with busy("create"):
        made: Repository = skyfs.create(
            folder,
            name=name,
            shared=shared,
            registry=registry,
            universe=universe,
            stores=places,
            options=given,
            environment=session.environment,
        )
    with made:
        click.echo(f"{made.root}: repository {made.name!r}")


@click.command()
@click.argument("location", metavar="REPO")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete files that other repositories refer to, too.")
@click.pass_obj
def destroy(session: Session, *, location: str, yes: bool, force: bool) -> None:
    """Delete the repository REPO with all that it holds, its registry on a server too, and forget its name.

    Files that were ingested in place stay where they are. Files that other repositories of your index, or
    views of this one, refer to are kept.
    """
    import skyfs

    from ..assemble import locate

    folder: Path = locate(location, session.environment)
    if not yes:
        click.confirm(f"Delete {_what(folder)} with all that it holds?", abort=True, err=True)
    with busy("destroy"):
        done = skyfs.destroy(location, force=force, environment=session.environment)
    click.echo(f"{folder}: deleted")
    if done.kept:
        users = ", ".join(map(str, done.referring))
        click.echo(f"{folder}: {done.kept} files are kept, which {users} refers to", err=True)


@click.command()
@click.argument("location", metavar="REPO")
@click.option("--store", "stores", metavar="NAME=URL", multiple=True, help="Where a store is now. Repeat.")
@click.pass_obj
def relocate(session: Session, *, location: str, stores: tuple[str, ...]) -> None:
    """Tell the repository REPO, the index and its views that it, or a store of it, was moved.

    REPO is the folder where it is now. It opens there by itself; what is told is its name in the index, and
    the views that refer to its files.
    """
    import skyfs

    given = _urls(stores)
    done = skyfs.relocate(location, given, environment=session.environment)
    click.echo(f"{done.folder}: relocated")
    for name in done.stores:
        click.echo(f"{done.folder}: store {name!r} is at {given[name]}")
    for view in done.views:
        click.echo(f"{view}: told")
    for view in done.lost:
        click.echo(f"{view}: a view that is gone, or cannot be changed", err=True)


def _urls(texts: tuple[str, ...]) -> dict[str, str]:
    """Read ``--store NAME=URL``, each NAME once."""
    given: dict[str, str] = {}
    for text in texts:
        name, _, url = text.partition("=")
        if not (name and url) or name in given:
            hint = f"{text!r} is not NAME=URL, or the name is there twice"
            raise click.BadParameter(hint, param_hint="--store")
        given[name] = url
    return given


def _what(folder: Path) -> str:
    """Name what is deleted: a folder, and the schema of a database with the registry."""
    from ..config import Config
    from ..config.stores import is_server, with_hidden_password

    config = Config.read(folder)
    if not is_server(config.registry):
        return str(folder)
    return f"{folder} and the schema {config.schema!r} of {with_hidden_password(config.registry)}"


def _stores(stores: tuple[str, ...], options: tuple[str, ...]) -> list[dict[str, object]] | None:
    """Give the section ``stores:`` that the options spell."""
    given: dict[str, dict[str, Any]] = {
        name: {"name": name, "url": url, "options": {}} for name, url in _urls(stores).items()
    }
    for text in options:
        place, found, value = text.partition("=")
        name, dot, key = place.partition(".")
        chosen = given.get(name)
        if not found or not dot or not key or chosen is None:
            # The value may be a credential: it is not shown.
            hint = f"{place!r} is not NAME.KEY=VALUE with the NAME of a --store"
            raise click.BadParameter(hint, param_hint="--store-option")
        *above, last = key.split(".")
        inner = chosen["options"]
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return list(given.values()) or None
