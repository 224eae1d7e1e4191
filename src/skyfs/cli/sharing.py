"""``export``, ``push``, ``subset`` and ``merge``: datasets for other repositories."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .arguments import listed, together
from .naming import COLLECTION, DATA_ID, TYPE
from .printing import busy, print_json, print_table, progress
from .querying import conditions_of, given_of, selecting
from .session import Session

if TYPE_CHECKING:
    from ..registry.manifest.arriving import Applied, OnConflict

CONFLICTS = ("fail", "skip", "replace", "newest")

# Which datasets are meant.
choosing = together(
    click.argument("data_id", nargs=-1, metavar="[DIM=VALUE]...", type=DATA_ID),
    click.option("--types", multiple=True, metavar="TYPE[,TYPE]...", type=TYPE, help="Default: all."),
    click.option(
        "-c", "--collections", multiple=True, metavar="NAME[,NAME]...", type=COLLECTION, help="Default: all."
    ),
    selecting,
)
on_conflict = click.option(
    "--on-conflict",
    type=click.Choice(CONFLICTS),
    default="fail",
    show_default=True,
    help="When something else is there: keep it (skip), or take what comes.",
)


@click.command()
@choosing
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="FILE.tar, FILE.jsonl, or -.")
@click.option("--no-bytes", is_flag=True, help="Lines alone, as FILE.jsonl has them.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["skyfs", "rubin"]),
    default="skyfs",
    show_default=True,
    help="rubin: YAML for a Rubin data butler, which names files where they are.",
)
@click.pass_obj
def export(session: Session, /, *, target: str, no_bytes: bool, form: str, **asked: Any) -> None:  # noqa: ANN401 - click's values
    """Write datasets with all that belongs to them into FILE, for skyfs import elsewhere.

    FILE.tar has bytes, FILE.jsonl lines alone; - is standard output. With datasets go records, rows of side
    tables, tags, validity, chains, captured values, and what they were made from.

    skyfs export -o - --types raw day_obs=20131102 | ssh there skyfs -r sky import -
    """
    repository = session.repository()
    what = _chosen(asked)
    if form == "rubin":
        with busy("export"):
            number = repository.export_rubin(target, **what)
    elif target == "-":
        if sys.stdout.isatty():
            raise click.UsageError("an export is no text for a terminal: send it to a file or program")
        number = repository.export(sys.stdout.buffer, files=not no_bytes, **what)
        sys.stdout.buffer.flush()
    else:
        with progress("export", None) as done:
            number = repository.export(target, files=False if no_bytes else None, done=done, **what)
    click.echo(f"{target}: {number} datasets", err=True)


@click.command()
@click.argument("destination", metavar="DEST")
@choosing
@on_conflict
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def push(
    session: Session,
    /,
    *,
    destination: str,
    on_conflict: OnConflict,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - click's values
) -> None:
    """Send datasets with all that belongs to them into the repository DEST (a name or folder).

    What is there already, with the same id and digest, is not sent again: after an interruption, push again.
    """
    import skyfs

    source = session.repository()
    with (
        skyfs.open(destination, writable=True, environment=session.environment) as target,
        progress("push", None) as done,
    ):
        applied = source.push(target, on_conflict=on_conflict, done=done, **_chosen(asked))
    print_applied(applied, as_json=as_json)


@click.command()
@click.argument("folder", metavar="NEW")
@choosing
@click.option("--view/--copy", default=False, help="Refer to files where they are; or copy them (default).")
@click.option("--name", help="Name for skyfs://NAME/; added to your index of repositories.")
@click.pass_obj
def subset(session: Session, /, *, folder: str, view: bool, name: str | None, **asked: Any) -> None:  # noqa: ANN401 - click's values
    """Make a repository in the folder NEW of datasets of this one, with all that belongs to them.

    A copy needs nothing of the repository that it was made of. A view has no bytes: it shows those of the
    other one, which `skyfs destroy` keeps for it.
    """
    import skyfs

    source = session.repository()
    with progress("subset", None) as done:
        how: dict[str, Any] = {"view": view, "name": name, "done": done, "environment": session.environment}
        made = skyfs.subset(source, folder, **{**_chosen(asked), **how})
    with made:
        click.echo(f"{made.root}: {'a view' if view else 'a copy'} of {source.name!r}")


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="REPO...")
@click.option("--into", required=True, metavar="REPO", help="Name or folder; it may hold something.")
@click.option(
    "--on-conflict",
    default="fail",
    show_default=True,
    metavar="fail|skip|newest|prefer=REPO",
    help="When two hold something else: keep what came first, what was made later, or what REPO has.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def merge(session: Session, *, sources: Sequence[str], into: str, on_conflict: str, as_json: bool) -> None:
    """Put all that repositories hold into one, with its bytes: all of it, or nothing."""
    import skyfs

    with ExitStack() as stack:
        opened = [stack.enter_context(skyfs.open(one, environment=session.environment)) for one in sources]
        target = stack.enter_context(skyfs.open(into, writable=True, environment=session.environment))
        done = stack.enter_context(progress("merge", None))
        found = skyfs.merge(opened, target, on_conflict=on_conflict, done=done)
    if as_json:
        print_json([{"repository": name, **asdict(one)} for name, one in zip(sources, found, strict=True)])
        return
    for source, one in zip(sources, found, strict=True):
        click.echo(f"from {source}:")
        print_applied(one, as_json=False)


def print_applied(applied: Applied, *, as_json: bool) -> None:
    """Print how many of each are new."""
    counts = asdict(applied)
    if as_json:
        print_json(counts)
    else:
        print_table([(name, count) for name, count in counts.items() if count], ["what", "new"])


def _chosen(asked: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments that choose datasets."""
    found: dict[str, Any] = {name: listed(asked[name]) or None for name in ("types", "collections")}
    return {**found, **conditions_of(asked), **given_of(asked["data_id"])}
