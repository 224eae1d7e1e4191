"""``import``: an export, of skyfs or of a Rubin data butler, becomes part of a repository."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import printable
from .arguments import taking
from .printing import busy, print_json, print_table, progress
from .session import Session
from .sharing import on_conflict, print_applied

if TYPE_CHECKING:
    from ..importing.result import Imported

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
@taking
@click.option(
    "--files",
    type=click.Choice(_FILES),
    default="auto",
    show_default=True,
    help="auto: those that exist; need: all must exist; ignore: none.",
)
@on_conflict
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def import_(session: Session, /, *, export: str, on_conflict: str, as_json: bool, **how: Any) -> None:  # noqa: ANN401 - click's values
    """Import FILE, an export: all of it, or nothing.

    FILE is what skyfs export wrote (.tar or .jsonl; - is standard input), or a YAML export of a Rubin data
    butler, for which alone --dir, --mode and --files are. Datasets keep their ids; what is there already is
    left as it is, and must be the same, unless --on-conflict says otherwise. Datasets without files are
    declared: found, but not listed until they have bytes. Prints how many are new.
    """
    if export == "-" or export.endswith((".tar", ".jsonl")):
        _refuse_given("directory", "mode", "files")
        _import_manifest(session, export, on_conflict, as_json=as_json)
    else:
        _refuse_given("on_conflict")
        _import_rubin(session, export, as_json=as_json, **how)


def _refuse_given(*names: str) -> None:
    """Refuse options that are of another kind of file."""
    ctx = click.get_current_context()
    for name in names:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(one for one in ctx.command.params if one.name == name).opts[0]
            raise click.UsageError(f"{option} does not go with this kind of FILE")


def _import_manifest(session: Session, export: str, on_conflict: str, *, as_json: bool) -> None:
    repository = session.repository(writable=True)
    with progress("import", None) as done:
        file = sys.stdin.buffer if export == "-" else export
        applied = repository.import_manifest(file, on_conflict=on_conflict, done=done)  # type: ignore[arg-type]
    print_applied(applied, as_json=as_json)


def _import_rubin(
    session: Session, export: str, *, directory: str | None, mode: str, files: str, as_json: bool
) -> None:
    repository = session.repository(writable=True)
    with busy("import"):
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
