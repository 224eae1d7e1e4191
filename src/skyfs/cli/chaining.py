"""``chain`` and ``begin-run``: where is searched, and where is written."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..errors import printable
from .session import Session


@click.command()
@click.argument("name")
@click.argument("children", nargs=-1, required=True, metavar="CHILD...")
@click.option("--prepend", "how", flag_value="prepend", help="Put them at its head.")
@click.option("--append", "how", flag_value="append", help="Put them at its end.")
@click.option("--remove", "how", flag_value="unchain", help="Take them out; nothing is deleted.")
@click.pass_obj
def chain(session: Session, *, name: str, children: Sequence[str], how: str | None) -> None:
    """Make NAME the chain that searches the collections CHILD in this order, or change some of it."""
    repository = session.repository(writable=True)
    changes = {"prepend": repository.prepend, "append": repository.append, "unchain": repository.unchain}
    changes.get(str(how), repository.chain)(name, children)
    (found,) = (one for one in repository.collections() if one.name == name)
    for child in found.children:
        click.echo(printable(child))


@click.command("begin-run")
@click.argument("name")
@click.option("--input", "inputs", multiple=True, metavar="COLLECTION", help="To search last. Repeat.")
@click.option("--extend", is_flag=True, help="Give the newest RUN again, if there is one.")
@click.option("--replace", is_flag=True, help="Take the newest RUN out of the chain.")
@click.option("--prune", is_flag=True, help="With --replace: remove that RUN with all its datasets.")
@click.pass_obj
def begin_run(
    session: Session, *, name: str, inputs: Sequence[str], extend: bool, replace: bool, prune: bool
) -> None:
    """Make a new RUN NAME/TIME at the head of the chain NAME, and print its name."""
    repository = session.repository(writable=True)
    run = repository.begin_run(name, inputs or None, extend=extend, replace=replace, prune=prune)
    click.echo(printable(run))
