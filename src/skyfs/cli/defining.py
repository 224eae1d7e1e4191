"""``collections``, ``types`` and ``register``: what a repository knows besides datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from ..errors import BadArgument, printable
from ..model.collection import Collection, CollectionKind
from ..repository import Repository
from .arguments import pairs
from .printing import print_json, print_table
from .session import Session

_KINDS = [kind.value for kind in CollectionKind]


@click.command()
@click.argument("names", nargs=-1, metavar="[GLOB]")
@click.option(
    "--kind", type=click.Choice(_KINDS, case_sensitive=False), help="Only these; with --create, what to make."
)
@click.option("--create", is_flag=True, help="Create the collections NAMES (of --kind RUN unless told).")
@click.option("--chain", metavar="NAME", help="Make NAME the chain that searches NAMES in that order.")
@click.option("--remove", metavar="NAME", help="Remove a collection; a RUN goes with its datasets.")
@click.option("--unlink", is_flag=True, help="With --remove: take it out of chains first.")
@click.option("--lock", metavar="RUN", help="Lock a RUN: nobody writes to it or removes from it.")
@click.option("--unlock", metavar="RUN", help="Unlock a RUN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def collections(
    session: Session, /, *, names: Sequence[str], kind: str | None, as_json: bool, **change: object
) -> None:
    """Show the collections whose names match GLOB (* crosses /), or change collections."""
    asked = [key for key in ("create", "chain", "remove", "lock", "unlock") if change[key]]
    if len(asked) > 1:
        raise click.UsageError(f"one change at a time: --{asked[0]} or --{asked[1]}")
    if asked:
        _change(session.repository(writable=True), asked[0], change, names, kind)
        return
    repository = session.repository()
    found = {one.name: one for glob in names or ["*"] for one in repository.collections(glob)}
    shown = [_describe(one) for one in found.values() if kind is None or one.kind == kind]
    if names and not shown:
        click.echo(f"no collection matches {printable(' or '.join(names))}", err=True)
    if as_json:
        print_json(shown)
    else:
        print_table([tuple(one.values()) for one in shown], ("name", "kind", "owner", "locked", "children"))


@click.command()
@click.argument("glob", default="*")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def types(session: Session, *, glob: str, as_json: bool) -> None:
    """Show the dataset types whose names match GLOB."""
    rows = [
        {
            "name": one.name,
            "dimensions": list(one.group.required),
            "storage_class": one.storage_class,
            "calibration": one.calibration,
            "capture": dict(one.capture),
        }
        for one in session.repository().types(glob)
    ]
    if glob != "*" and not rows:
        click.echo(f"no dataset type matches {printable(glob)}", err=True)
    if as_json:
        print_json(rows)
        return
    cells = [(row["name"], " ".join(row["dimensions"]), row["storage_class"], _flags(row)) for row in rows]  # type: ignore[arg-type]  # a list of names
    print_table(cells, ("name", "dimensions", "storage class", "more"))


@click.command()
@click.argument("name")
@click.argument("definition", nargs=-1, required=True, metavar="[DIMENSION]... STORAGE_CLASS")
@click.option("--calibration", is_flag=True, help="Its datasets can be certified for ranges of time.")
@click.option(
    "--capture", multiple=True, metavar="NAME=header:KEYWORD", help="A value to read at put. Repeat."
)
@click.pass_obj
def register(
    session: Session, *, name: str, definition: Sequence[str], calibration: bool, capture: Sequence[str]
) -> None:
    """Register the dataset type NAME: its dimensions, and what `get` gives (Image, Table, Dict...)."""
    *dimensions, storage_class = definition
    captured = {key: str(value) for key, value in pairs(capture).items()}
    made = session.repository(writable=True).register(
        name, dimensions, storage_class, calibration=calibration, capture=captured
    )
    click.echo(f"{made.name} ({', '.join(made.group.required)}) {made.storage_class}")


def _change(
    repository: Repository, what: str, change: Mapping[str, object], names: Sequence[str], kind: str | None
) -> None:
    name = str(change[what])
    if what in ("create", "chain"):
        if not names:
            raise click.UsageError(f"--{what}: name the collections")
        _make(repository, what, name, names, kind)
    elif names or kind:
        raise click.UsageError(f"--{what} takes one name")
    elif what != "remove":
        repository.lock(name, locked=what == "lock")
    elif repository.registry.current().collection(name).collection.kind is CollectionKind.RUN:
        repository.remove_run(name, unlink=bool(change["unlink"]))
    else:
        repository.remove_collection(name, unlink=bool(change["unlink"]))


def _make(repository: Repository, what: str, name: str, names: Sequence[str], kind: str | None) -> None:
    if what == "chain":
        repository.chain(name, names)
        return
    wanted = CollectionKind(kind or "RUN")
    if wanted is CollectionKind.CHAINED:
        raise BadArgument("create a CHAINED collection", "a chain has children", "use --chain NAME CHILD...")
    with repository.transaction():
        for one in names:
            repository.create_collection(one, wanted)


def _describe(one: Collection) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": one.kind.value,
        "owner": one.owner,
        "locked": "locked" if one.locked else "",
        "children": " ".join(one.children),
    }


def _flags(row: Mapping[str, object]) -> str:
    captured = row["capture"]
    found = ["calibration"] if row["calibration"] else []
    found += [f"{key}={value}" for key, value in captured.items()] if isinstance(captured, dict) else []
    return " ".join(found)
