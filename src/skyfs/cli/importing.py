"""``import``: the export of a Rubin data butler becomes part of a repository."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..errors import printable
from .printing import print_json, print_table
from .session import Session

if TYPE_CHECKING:
    from ..importing.result import Imported

_MODES = ("auto", "copy", "move", "link", "symlink", "direct")
_FILES = ("auto", "need", "ignore")
_COUNTS = (
    "records",
    "collections",
    "types",
    "ingested",
    "declared",
    "unchanged",
    "associations",
    "components",
)


@click.command("import")
@click.argument("export", metavar="FILE")
@click.option("--dir", "directory", metavar="DIR", help="Where paths of files start. Default: FILE's folder.")
@click.option(
    "--mode", type=click.Choice(_MODES), default="auto", show_default=True, help="How files are taken in."
)
@click.option(
    "--files",
    type=click.Choice(_FILES),
    default="auto",
    show_default=True,
    help="auto: those that exist; need: all must exist; ignore: none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def import_(
    session: Session, *, export: str, directory: str | None, mode: str, files: str, as_json: bool
) -> None:
    """Import FILE, a YAML export of a Rubin data butler: all of it, or nothing.

    Datasets keep their ids; what is there already is left as it is, and must be the same. Datasets without
    files are declared: found, but not listed until they have bytes. Prints how many are new.
    """
    repository = session.repository(writable=True)
    found = repository.import_export(export, directory=directory, mode=mode, files=files)
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)


def _print(found: Imported) -> None:
    counts = [(name, getattr(found, name)) for name in _COUNTS]
    print_table([(name, count) for name, count in counts if count], ["what", "new"])
    for one in found.mapped:
        click.echo(
            printable(f"{one.type_name}: storage class {one.given} is {one.storage_class} here"), err=True
        )
    for left in found.left:
        click.echo(
            printable(f"{left.datasets} {left.type_name} declared without bytes: {left.reason}"), err=True
        )
