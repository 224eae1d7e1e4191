"""``sky``: a chart of what a query covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotFound
from ..looks.footprints import chart as draw
from .arguments import listed
from .naming import DATA_ID, TYPE
from .pictures import deliver, local_file, out_option, replace_option
from .printing import busy, to_person
from .querying import conditions_of, given_of, searching, selecting
from .session import Session

if TYPE_CHECKING:
    from ..charts import SkyChart
    from ..querying import Query
    from ..repository import Repository

_ENDINGS = (".svg", ".png")


@click.command()
@click.argument("types", metavar="TYPE|ELEMENT", type=TYPE)
@click.argument("data_id", nargs=-1, metavar="[DIM=VALUE]...", type=DATA_ID)
@searching
@selecting
@out_option
@replace_option
@click.pass_obj
def sky(
    session: Session,
    /,
    *,
    types: str,
    data_id: Sequence[str],
    collections: Sequence[str],
    out: str | None,
    replacing: bool,
    **asked: Any,  # noqa: ANN401 - click's values
) -> None:
    """Draw where datasets of TYPE (a name or a glob; several joined by commas) are on the sky.

    An ELEMENT with records is drawn too: visit, tract, patch. FILE ends in .svg or .png; without one a
    terminal shows the chart, and whatever else standard output is gets the PNG.

    skyfs sky calexp,src --where "band = 'i'" --out sky.svg
    """
    to = None if out in (None, "-") else local_file(str(out), _ENDINGS, replacing=replacing)
    repository, conditions = session.repository(), {**conditions_of(asked), **given_of(data_id)}
    with busy("regions"):
        chart = draw(
            place
            for found in _queries(repository, types.split(","), collections, conditions)
            for place in found.footprints()
        )
    _require_some(chart, types)
    if to is None:
        shown = to_person() and out is None
        deliver(lambda words: chart.to_png(dark=shown, scale=1.5, words=words), to_file=out is not None)
        if shown:
            click.echo(chart.describe())
        return
    with busy("draw"):
        chart.save(to)
    click.echo(to)


def _queries(
    repository: Repository, names: Sequence[str], collections: Sequence[str], conditions: dict[str, Any]
) -> Iterator[Query[Any]]:
    """Ask for the datasets of types, and for the records of elements."""
    elements = [name for name in names if _is_element(repository, name)]
    types = [name for name in names if name not in elements]
    if types:
        searched = listed(collections) or "*"
        yield repository.query(types, collections=searched, **conditions)
    for name in elements:
        yield repository.records(name, **conditions)


def _is_element(repository: Repository, name: str) -> bool:
    """Tell whether records are meant: a dataset type of that name goes first."""
    elements = {*repository.registry.universe.elements, *repository.registry.current().sides}
    return name in elements and name not in {one.name for one in repository.types()}


def _require_some(chart: SkyChart, types: str) -> None:
    if chart.count:
        return
    if not chart.notes:
        raise NotFound(
            f"draw {types} on the sky", "nothing matches", f"see what there is: skyfs query {types}"
        )
    todo = "record them: skyfs define-visits for exposures, skyfs skymap add for tracts and patches"
    raise NotFound(f"draw {types} on the sky", "; ".join(chart.notes), todo)
