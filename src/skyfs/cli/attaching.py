"""``attach`` and ``detach``: tables with more columns about dimension values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from .arguments import pairs
from .printing import busy
from .session import Session


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("common", nargs=-1, metavar="[DIMENSION=VALUE]...")
@click.option("--on", multiple=True, required=True, metavar="DIMENSION", help="What rows are about. Repeat.")
@click.option("--replace", is_flag=True, help="Change rows that are there.")
@click.pass_obj
def attach(
    session: Session, *, name: str, file: Path, common: Sequence[str], on: Sequence[str], replace: bool
) -> None:
    """Attach the table in FILE (.csv, .ecsv, .parquet, .fits): expressions call its columns NAME.COLUMN.

    Values that all rows have in common are given as DIMENSION=VALUE. Again, it adds rows.
    """
    from ..writing.columns import read_table

    repository = session.repository(writable=True)
    values = pairs(common)
    for key in values:
        repository.registry.universe.element(key)  # each is a dimension, none an option of attach()
    table = read_table(repository.formats, file)
    with busy("attach"):
        new = repository.attach(name, table, on, replace=replace, **values)
    click.echo(f"{new} new of {len(table)} rows")


@click.command()
@click.argument("name")
@click.pass_obj
def detach(session: Session, *, name: str) -> None:
    """Remove the side table NAME with all its rows."""
    session.repository(writable=True).detach(name)
