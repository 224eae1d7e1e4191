"""``init`` and ``destroy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
@click.pass_obj
def init(
    session: Session,
    /,
    *,
    folder: str,
    name: str | None,
    shared: bool,
    universe: str | None,
    **options: str | None,
) -> None:
    """Create a repository in DIR, a folder that is new or empty."""
    import skyfs

    given = {key: value for key, value in options.items() if value is not None}
    made: Repository = skyfs.create(
        folder, name=name, shared=shared, universe=universe, options=given, environment=session.environment
    )
    with made:
        click.echo(f"{made.root}: repository {made.name!r}")


@click.command()
@click.argument("location", metavar="REPO")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def destroy(session: Session, *, location: str, yes: bool) -> None:
    """Delete the repository REPO with all that it holds, and take its name out of the index.

    Files that were ingested in place stay where they are.
    """
    import skyfs

    from ..assemble import locate

    folder: Path = locate(location, session.environment)
    if not yes:
        click.confirm(f"Delete {folder} with all that it holds?", abort=True, err=True)
    skyfs.destroy(location, environment=session.environment)
    click.echo(f"{folder}: deleted")
