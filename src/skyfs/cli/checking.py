"""``check``: whether all that is known and all that is stored go together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .exits import FAILED
from .printing import bars, human, print_json, print_table, to_person
from .session import Session

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ..checking import Report
    from ..checking.checker import Watch


@click.command()
@click.option("--bytes", "digests", is_flag=True, help="Read all files, and compare their digests.")
@click.option("--sample", metavar="N|P%", help="Look at the files of so many datasets only.")
@click.option("--seed", type=int, metavar="N", help="Draw the same sample again.")
@click.option("--repair", is_flag=True, help="Repair what can be; nothing is deleted.")
@click.option("--from", "source", metavar="REPO", help="Restore files from this repository too.")
@click.option("--workers", default=2, show_default=True, help="How many processors are to be busy.")
@click.option("--resume", is_flag=True, help="Keep a state, and go on where the same check was interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    digests: bool,
    sample: str | None,
    seed: int | None,
    repair: bool,
    source: str | None,
    workers: int,
    resume: bool,
    as_json: bool,
) -> None:
    """Look for rows that contradict each other, and files that are missing, damaged or nobody's.

    Others may read and write meanwhile. Without --repair nothing is changed. The exit status is 0 when all is
    well or repaired, else 1.
    """
    if source is not None and not repair:
        raise click.UsageError("--from goes with --repair")
    if seed is not None and sample is None:
        raise click.UsageError("--seed goes with --sample")
    session = ctx.ensure_object(Session)
    repository = session.repository(writable=repair)
    with _watching() as watch, _told_to_resume(resume):
        report = repository.check(
            digests=digests,
            sample=sample,
            seed=seed,
            repair=repair,
            source=None if source is None else session.other(source),
            workers=workers,
            resume=resume,
            watch=watch,
        )
    if as_json:
        print_json(report.to_mapping())
    else:
        _print(report)
    if not report.clean:
        ctx.exit(FAILED)


def _print(report: Report) -> None:
    rows = [(one.code, one.what, one.found, _done(one.repaired, one.todo)) for one in report.findings]
    if rows:
        print_table(rows, ("code", "what", "found", "repaired / to do"))
    for code, tally in report.tallies.items():
        shown = sum(one.code == code for one in report.findings)
        if tally.found > shown:
            click.echo(f"{code}: {tally.found - shown} more", err=True)
    for one in report.skipped:
        click.echo(f"not looked at: {one}", err=True)
    for line in _summary(report):
        click.echo(line, err=not to_person())


def _done(repaired: bool, todo: str) -> str:  # noqa: FBT001 - a cell of a table
    return f"repaired: {todo}" if repaired else todo


def _summary(report: Report) -> Iterator[str]:
    read = f", {human(report.read_bytes)} of them read" if report.read_bytes else ""
    drawn = f" (a sample, seed {report.seed})" if report.seed is not None else ""
    left = report.found - report.repaired
    found = f"{report.found} findings, {report.repaired} repaired, {left} left"
    yield f"{report.files} files{drawn}{read}; {found}"
    if report.filled:
        yield f"{report.filled} files have a digest now"
    elif report.undigested:
        yield f"{report.undigested} files have no digest: --bytes --repair gives them one"
    if report.quarantine:
        yield f"what was moved is in .skyfs/quarantine/{report.quarantine} of its store"


@contextmanager
def _told_to_resume(resume: bool) -> Iterator[None]:  # noqa: FBT001 - as the option says
    """Tell who interrupts a check what goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        if resume:
            click.echo("skyfs: interrupted; the same command goes on", err=True)
        raise


@contextmanager
def _watching() -> Iterator[Watch]:
    """Show how far it has come."""
    with bars() as shown:
        if shown is None:
            yield lambda *_: None
            return
        tasks: dict[str, TaskID] = {}

        def watch(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(stage, total=total or None)
            shown.update(tasks[stage], completed=done, total=total or None)

        yield watch
