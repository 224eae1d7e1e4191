"""``instrument``, ``ingest-raws``, ``define-visits`` and ``ingest-curated``: from a night to visits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from ..errors import printable
from .arguments import pairs, taking
from .printing import busy, print_json, print_table
from .session import Session

if TYPE_CHECKING:
    from ..instruments import Definition
    from ..repository import Repository


@click.group()
def instrument() -> None:
    """Record instruments, and show those that are known."""


@instrument.command("add")
@click.argument("what", metavar="NAME|FILE")
@click.option("--replace", "replacing", is_flag=True, help="Change records that are there and differ.")
@click.pass_obj
def add(session: Session, *, what: str, replacing: bool) -> None:
    """Record an instrument that ships with skyfs, or the one that a YAML file describes."""
    from .. import instruments

    made = instruments.add(session.repository(writable=True), what, replace=replacing)
    click.echo(printable(f"{made.name}: {_summary(made)}"))


@instrument.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """Show the instruments that ship with skyfs and those of the repository."""
    from .. import instruments

    repository = session.repository()
    recorded = {str(one["name"]) for one in repository.records("instrument")}
    rows = []
    for name in sorted({*instruments.names(repository), *recorded}):
        known = name in instruments.names(repository)
        told = _summary(instruments.load(name, repository)) if known else _recorded(repository, name)
        rows.append({"name": name, "recorded": name in recorded, "summary": told})
    if as_json:
        print_json(rows)
    else:
        cells = [(one["name"], "recorded" if one["recorded"] else "", one["summary"]) for one in rows]
        print_table(cells, ("name", "in the repository", "what it has"))


@instrument.command("show")
@click.argument("what", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print the whole definition as JSON.")
@click.pass_obj
def show(session: Session, *, what: str, as_json: bool) -> None:
    """Show the detectors of an instrument, or its whole definition."""
    from .. import instruments

    known = instruments.load(what, session.repository())
    if as_json:
        print_json(dict(known.source))
        return
    cells = [(one.id, one.full_name, one.raft, one.purpose) for one in known.detectors.values()]
    print_table(cells, ("detector", "full_name", "raft", "purpose"))


@click.command("ingest-raws")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("-r", "--run", help="The RUN. Default: INSTRUMENT/raw/all.")
@taking
@click.option("-i", "--instrument", "of", metavar="NAME|FILE", help="Default: what each header says.")
@click.option("--skip-bad", is_flag=True, help="Go on without files that cannot be taken, and name them.")
@click.pass_obj
def ingest_raws(
    session: Session, *, files: Sequence[str], run: str | None, mode: str, of: str | None, skip_bad: bool
) -> None:
    """Take raw FILES in, or all FITS files below folders: all of them, or none.

    Their headers tell instrument, exposure and detector; what is not recorded yet is recorded on the way.
    """
    from .. import instruments

    repository = session.repository(writable=True)
    how: Literal["skip", "raise"] = "skip" if skip_bad else "raise"
    with busy("ingest"):
        done = instruments.ingest_raws(repository, files, run=run, mode=mode, instrument=of, on_error=how)
    for _, reason in done.skipped:
        click.echo(printable(f"skyfs: skipped: {' '.join(str(reason).split())}"), err=True)
    there = f", {len(done.present)} there already" if done.present else ""
    click.echo(f"{len(done.refs)} new of {done.exposures} new exposures{there}")
    if skip_bad and done.skipped and not (done.refs or done.present):
        raise click.ClickException("no file could be taken")


@click.command("define-visits")
@click.argument("of", metavar="INSTRUMENT")
@click.argument("conditions", nargs=-1, metavar="[COLUMN=VALUE]...")
@click.option("-e", "--exposure", "numbers", type=int, multiple=True, help="Only this exposure. Repeat.")
@click.option(
    "--where", metavar="EXPRESSION", help="Only exposures that fulfil it: exposure.exposure_time > 30."
)
@click.option(
    "--system",
    type=click.Choice(("one-to-one", "by-group")),
    default="one-to-one",
    show_default=True,
    help="Each exposure a visit, or each group.",
)
@click.option("--padding-pix", type=float, help="Pixels added around detectors. Default: 250.")
@click.option("--padding-deg", type=float, help="The same in degrees.")
@click.option("-c", "--collections", multiple=True, help="Where the raws are. Default: INSTRUMENT/raw/all.")
@click.option("--replace", is_flag=True, help="Compute regions anew.")
@click.pass_obj
def define_visits(
    session: Session,
    /,
    *,
    of: str,
    conditions: Sequence[str],
    numbers: Sequence[int],
    collections: Sequence[str],
    **options: object,
) -> None:
    """Define the visits of exposures of the sky, with the regions that their raws saw.

    COLUMN=VALUE picks exposures by a column of their records: day_obs=20131102.
    """
    from .. import instruments

    repository = session.repository(writable=True)
    with busy("define visits"):
        counts = instruments.define_visits(
            repository,
            of,
            exposures=numbers or None,
            collections=collections or None,
            **{**pairs(conditions), **options},  # type: ignore[arg-type]  # click has checked their types
        )
    click.echo(f"{counts.new} new visits, {counts.changed} changed, {counts.regions} regions computed")
    if counts.off_sky:
        click.echo(f"{counts.off_sky} exposures saw no sky")
    if counts.unplaced:
        click.echo(f"{counts.unplaced} raws have no WCS: no regions for them")


@click.command("ingest-curated")
@click.argument("folder", metavar="DIR")
@click.option("-i", "--instrument", "of", required=True, metavar="NAME", help="As recorded.")
@click.option("-c", "--collection", help="The CALIBRATION collection. Default: INSTRUMENT/calib.")
@click.pass_obj
def ingest_curated(session: Session, *, folder: str, of: str, collection: str | None) -> None:
    """Take calibrations DIR/TYPE/DETECTOR/DATE.EXTENSION in, each valid from its date until the next."""
    from .. import instruments

    repository = session.repository(writable=True)
    with busy("ingest"):
        done = instruments.ingest_curated(repository, folder, instrument=of, collection=collection)
    there = f", {done.present} there already" if done.present else ""
    click.echo(f"{len(done.refs)} new calibrations, {done.certified} validity ranges{there}")


def _summary(known: Definition) -> str:
    filters = f"{len(known.bands)} filters" if known.bands else "filters by pattern"
    return f"{_detectors(len(known.detectors))}, {filters}"


def _recorded(repository: Repository, name: str) -> str:
    detectors = sum(1 for _ in repository.records("detector", instrument=name))
    filters = sum(1 for _ in repository.records("physical_filter", instrument=name))
    return f"{_detectors(detectors)}, {filters} filters"


def _detectors(number: int) -> str:
    return f"{number} detector" + ("" if number == 1 else "s")
