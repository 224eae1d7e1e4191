"""``query``, ``data-ids`` and ``records``: questions, and their answers as rows."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..model.timespan import Timespan
from .arguments import listed, pairs, together
from .naming import COLLECTION, CONDITION, DATA_ID, DIMENSION, ELEMENT, TYPE
from .printing import busy, cell, print_table, to_person
from .session import Session

if TYPE_CHECKING:
    from ..querying import Query

_Query = TypeVar("_Query", bound="Query[Any]")

# Not all that Python takes for one: 1_0 is the name of a detector, nan that of nothing.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# A table cannot be drawn before its widest cell is known; what is longer is better asked with --limit.
_TABLE_ROWS = 1_000

# Which answers are meant.
selecting = together(
    click.option("--where", metavar="EXPR", help='Only what matches: "visit.exposure_time > 30".'),
    click.option(
        "--bind",
        "bound",
        multiple=True,
        metavar="NAME=VALUE",
        help="A value of :NAME in EXPR. Repeat; one NAME twice: a list.",
    ),
)
# What all questions can be asked.
answering = together(
    selecting,
    click.option("--order-by", "order", metavar="NAME[,NAME]...", help="Sort; -NAME: descending."),
    click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most so many rows."),
    click.option("--count", "counting", is_flag=True, help="Print how many there are."),
    click.option("--explain", "explaining", is_flag=True, help="Say why there is no answer."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
)
searching = click.option(
    "-c",
    "--collections",
    multiple=True,
    metavar="NAME[,NAME]...",
    type=COLLECTION,
    help="Names or globs to search, in this order. Repeat. Default: *.",
)


@click.command()
@click.argument("types", metavar="TYPE", type=TYPE)
@click.argument("data_id", nargs=-1, metavar="[DIM=VALUE]...", type=DATA_ID)
@searching
@click.option("--all", "everything", is_flag=True, help="Of each data ID all, not what the first one has.")
@click.option("--exclude", metavar="FILE", help="Leave out the paths or ids that a file lists, one a line.")
@click.option("--paths", "as_paths", is_flag=True, help="Print paths, of what has bytes.")
@answering
@click.pass_obj
def query(
    session: Session,
    /,
    *,
    types: str,
    data_id: Sequence[str],
    collections: Sequence[str],
    **asked: Any,  # noqa: ANN401 - click's values
) -> None:
    """Find datasets of TYPE, a name or a glob; several are joined by commas.

    skyfs query src -c SkyCam/defaults --where "visit.exposure_time > 30" detector=0
    """
    repository = session.repository()
    found = repository.query(
        types.split(","),
        collections=listed(collections) or "*",
        find_first=not asked["everything"],
        exclude=asked["exclude"],
        **conditions_of(asked),
        **given_of(data_id),
    )
    if asked["as_paths"]:
        _refuse_two(asked, "paths")
        _print_lines(_shaped(found, asked).paths())
        return
    answer(found, asked)


@click.command("data-ids")
@click.argument("dimensions", nargs=-1, required=True, metavar="DIM... [DIM=VALUE]...", type=DIMENSION)
@answering
@click.pass_obj
def data_ids(session: Session, /, *, dimensions: Sequence[str], **asked: Any) -> None:  # noqa: ANN401 - click's values
    """Tell which data IDs of dimensions are possible by the records, with datasets or without.

    skyfs data-ids visit detector band=i
    """
    names = [one for one in dimensions if "=" not in one]
    if not names:
        raise click.UsageError("of which dimensions? Name them: data-ids visit detector")
    given = given_of(one for one in dimensions if "=" in one)
    answer(session.repository().data_ids(names, **conditions_of(asked), **given), asked)


@click.command()
@click.argument("element", type=ELEMENT)
@click.argument("conditions", nargs=-1, metavar="[KEY=VALUE]...", type=CONDITION)
@click.option("--insert", "file", metavar="FILE", help="Insert the records of a .json, .yaml or .csv file.")
@click.option("--replace", "replacing", is_flag=True, help="With --insert: change records that are there.")
@answering
@click.pass_obj
def records(
    session: Session,
    /,
    *,
    element: str,
    conditions: Sequence[str],
    file: str | None,
    **asked: Any,  # noqa: ANN401 - click's values
) -> None:
    """Show the records of a dimension ELEMENT, or the rows of a side table, or insert records.

    KEY is a dimension or a column of ELEMENT. What --json prints, --insert takes back.
    """
    if file is not None:
        if conditions or any(value for name, value in asked.items() if name != "replacing"):
            raise click.UsageError("--insert takes the values from FILE: leave KEY=VALUE and options out")
        _insert(session, element, Path(file), replacing=asked["replacing"])
        return
    found = session.repository().records(element, **conditions_of(asked), **given_of(conditions))
    if asked["as_json"]:
        _refuse_two(asked)
        _print_array(_json(_shaped(found, asked)))
        return
    # A region is hundreds of digits; it is in the JSON.
    answer(found, asked, ["region"])


def _insert(session: Session, element: str, path: Path, *, replacing: bool) -> None:
    from .record_files import read_records

    repository = session.repository(writable=True)
    rows = read_records(path, repository.registry.universe.element(element))
    with busy("insert"):
        new = repository.insert(element, rows, replace=replacing)
    click.echo(f"{new} new of {len(rows)} {element} records")


def answer(found: Query[Any], asked: Mapping[str, Any], leave_out: Iterable[str] = ()) -> None:
    """Print what is asked of a query: rows, a number, or the reason why there are none."""
    _refuse_two(asked)
    found = _shaped(found, asked)
    if asked["counting"]:
        click.echo(found.count())
    elif asked["explaining"]:
        click.echo(found.explain())
    elif asked["as_json"]:
        _print_lines(_json(found))
    else:
        _print_rows(found, [name for name in found.columns() if name not in leave_out])


def _shaped(found: _Query, asked: Mapping[str, Any]) -> _Query:
    found = found.order_by(*asked["order"].split(",")) if asked["order"] else found
    return found if asked["limit"] is None else found.limit(asked["limit"])


def conditions_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give ``where`` and ``bind`` as the options say them."""
    bound: dict[str, Any] = {}
    for given in asked["bound"]:
        for name, value in pairs([given]).items():
            bound.setdefault(name, []).append(_value(str(value)))
    bind = {name: values[0] if len(values) == 1 else values for name, values in bound.items()}
    return {"where": asked["where"], "bind": bind or None}


def _value(text: str) -> int | float | str:
    """Read a bound value: a number when it looks like one, else text; quotes make any text."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    if _NUMBER.fullmatch(text) is None:
        return text
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def given_of(arguments: Iterable[str]) -> dict[str, Any]:
    """Read ``dimension=value`` arguments."""
    found = pairs(arguments)
    option = next((name for name in found if name in _OPTIONS), None)
    if option is not None:
        raise click.UsageError(f"{option!r} is no dimension: the option is --{option.replace('_', '-')}")
    return found


_OPTIONS = ("collections", "where", "bind", "exclude", "order_by", "limit")


def _refuse_two(asked: Mapping[str, Any], *given: str) -> None:
    names = {"counting": "count", "explaining": "explain", "as_json": "json"}
    chosen = [*given, *(names[name] for name in names if asked[name])]
    if len(chosen) > 1:
        raise click.UsageError(f"--{chosen[0]} and --{chosen[1]}: choose one")


def _json(found: Query[Any]) -> Iterator[str]:
    columns = found.columns()
    rows = (_plain(found.row(one)) for one in found)
    return (json.dumps({name: row[name] for name in columns}, ensure_ascii=False) for row in rows)


def _print_rows(found: Query[Any], columns: Sequence[str]) -> None:
    rows = (_plain(found.row(one)) for one in found)
    cells = ([row.get(name) for name in columns] for row in rows)
    if not to_person():
        _print_lines("\t".join(map(cell, row)) for row in chain([columns], cells))
        return
    listed = list(islice(cells, _TABLE_ROWS + 1))
    print_table(listed[:_TABLE_ROWS], columns)
    if not listed:
        click.echo("Nothing matches: --explain says why.", err=True)
    if len(listed) > _TABLE_ROWS:
        click.echo(f"The first {_TABLE_ROWS:,} are shown; a file or a pipe gets all.", err=True)


def _print_lines(lines: Iterable[str]) -> None:
    """Print lines as they come: whoever reads them need not wait for the last."""
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _print_array(rows: Iterator[str]) -> None:
    """Print a JSON array as its items come."""
    _print_lines(chain(["["], _separated(rows), ["]"]))


def _separated(rows: Iterator[str]) -> Iterator[str]:
    before = next(rows, None)
    for row in rows:
        yield f"{before},"
        before = row
    if before is not None:
        yield before


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    """Give values that JSON has: regions in hexadecimal, timespans as paths spell them."""
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: object) -> object:
    if isinstance(value, Timespan):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value
