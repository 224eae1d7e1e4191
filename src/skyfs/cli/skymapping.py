"""``skymap``: divisions of the sky into tracts and patches."""

from __future__ import annotations

import re

import click

from ..errors import BadArgument
from .printing import busy, print_json, print_table
from .session import Session

_RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_MOST_TRACTS = 1_000_000


@click.group()
def skymap() -> None:
    """Record skymaps, list them, and find tracts and patches."""


@skymap.command("add")
@click.argument("file", metavar="CONFIG.yaml")
@click.option("--tracts", "wanted", metavar="1,5-8", help="Only tracts with these numbers.")
@click.option(
    "--region", metavar="'CIRCLE RA DEC RADIUS'", help="Only tracts that overlap it: any IVOA POS, degrees."
)
@click.pass_obj
def add_(session: Session, *, file: str, wanted: str | None, region: str | None) -> None:
    """Record the skymap of CONFIG.yaml with its tracts and patches; what is there already stays."""
    if wanted and region:
        raise click.UsageError("--tracts or --region, not both")
    from ..model.region import from_ivoa
    from ..skymaps import add, read_skymap

    tracts = _numbers(wanted) if wanted else from_ivoa(region) if region else None
    repository, wanted_map = session.repository(writable=True), read_skymap(file)
    with busy("skymap"):
        added = add(repository, wanted_map, tracts=tracts)
    click.echo(f"{added.name}: {added.tracts} new tracts, {added.patches} new patches")


@skymap.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """Show the skymaps of the repository."""
    repository = session.repository()
    rows = [
        {
            "name": one["name"],
            "tract_max": one["tract_max"],
            "patches": f"{one['patch_nx_max']}x{one['patch_ny_max']}",
            "tracts_recorded": sum(1 for _ in repository.records("tract", skymap=one["name"])),
        }
        for one in repository.records("skymap")
    ]
    if as_json:
        print_json(rows)
    else:
        print_table([tuple(row.values()) for row in rows], ("name", "tracts", "patches", "recorded"))


# Declinations begin with a minus, as options do.
@skymap.command("find", context_settings={"ignore_unknown_options": True})
@click.argument("ra", type=float)
@click.argument("dec", type=float)
@click.option("--skymap", "name", help="Only in this one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def find(session: Session, *, ra: float, dec: float, name: str | None, as_json: bool) -> None:
    """Show the tracts and patches at RA DEC (ICRS degrees)."""
    from ..skymaps import locate

    places = locate(session.repository(), ra, dec, skymap=name)
    if as_json:
        rows = [{"skymap": one.skymap, "tract": one.tract, "patches": list(one.patches)} for one in places]
        print_json(rows)
    else:
        cells = [(one.skymap, one.tract, " ".join(map(str, one.patches))) for one in places]
        print_table(cells, ("skymap", "tract", "patches"))


def _numbers(text: str) -> set[int]:
    """Read ``1,5-8``."""
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first >= _MOST_TRACTS:
            raise BadArgument(f"tracts {text!r}", f"{part!r} is no number or range", "as in --tracts 1,5-8")
        found.update(range(first, last + 1))
    return found
