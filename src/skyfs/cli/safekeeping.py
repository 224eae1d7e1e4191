"""``backup``, ``restore``, ``rebuild`` and ``migrate``: the registry kept, and made anew."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .printing import busy, human, print_json
from .session import Session

if TYPE_CHECKING:
    from ..lifecycle.rebuilding import Rebuilt

_SHOWN = 20


@click.command()
@click.argument("location", metavar="REPO")
@click.option("--universe", metavar="FILE", help="YAML of dimensions, when no manifest tells them.")
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would come of it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def rebuild(session: Session, *, location: str, universe: str | None, dry_run: bool, as_json: bool) -> None:
    """Make the registry of the repository REPO anew, when it is lost or damaged.

    All that the folder manifests/ tells is done again; files that it does not name are registered by their
    paths. The old registry and manifests are set aside. Nobody may write to the repository meanwhile.
    """
    from pathlib import Path

    from ..config.yamlfile import read_yaml
    from ..lifecycle.rebuilding import rebuild as make

    dimensions = None if universe is None else read_yaml(Path(universe))
    with busy("rebuild"):
        found = make(location, universe=dimensions, dry_run=dry_run, environment=session.environment)
    if as_json:
        print_json(asdict(found))
    else:
        _print(found, dry_run=dry_run)


@click.command()
@click.argument("location", metavar="REPO")
@click.argument("destination", metavar="DIR")
@click.pass_obj
def backup(session: Session, *, location: str, destination: str) -> None:
    """Write all that the registry of the repository REPO holds into the new folder DIR.

    Others may write meanwhile. The bytes of datasets are not in it. Restore it with: skyfs restore DIR REPO
    """
    from ..lifecycle.backup import backup as make

    with busy("backup"):
        made = make(location, destination, environment=session.environment)
    size = sum(size for size, _ in made.files.values())
    click.echo(f"{destination}: backup of {made.repository!r} at {made.at}, {human(size)}")


@click.command()
@click.argument("source", metavar="DIR")
@click.argument("root", metavar="[FOLDER]", required=False)
@click.option("--registry", metavar="URL", help="Another database: a file name, or postgresql://...")
@click.option("--schema", help="Schema of that database. Default: the repository's name.")
@click.option("--replace", is_flag=True, help="Set aside the registry and the manifests that are there.")
@click.option("--verify", "only_verify", is_flag=True, help="Only tell whether the backup is whole.")
def restore(
    *,
    source: str,
    root: str | None,
    registry: str | None,
    schema: str | None,
    replace: bool,
    only_verify: bool,
) -> None:
    """Restore the registry of a repository in FOLDER from the backup DIR.

    FOLDER is where the repository was, or another one. Files of datasets are not touched.
    """
    from ..lifecycle.backup import restore as put_back
    from ..lifecycle.backup import verify

    if only_verify:
        with busy("verify"):
            found = verify(source)
        click.echo(f"{source}: backup of {found.repository!r} at {found.at}, whole")
        return
    if root is None:
        raise click.UsageError("restore to which FOLDER?")
    with busy("restore"):
        folder = put_back(source, root, registry=registry, schema=schema, replace=replace)
    click.echo(f"{folder}: restored")


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--copy", is_flag=True, help="Copy the files of the repository's own folders.")
@click.option("--registry", metavar="URL", help="PostgreSQL database of the new registry.")
@click.option("--schema", help="Schema of that database. Default: the new repository's name.")
@click.pass_obj
def migrate(
    session: Session, *, old: str, new: str, copy: bool, registry: str | None, schema: str | None
) -> None:
    """Make a repository NEW of the repository OLD, whose registry is of an older schema.

    OLD stays as it is. Files are referred to where they are, unless they are copied.
    """
    from ..lifecycle.migrating import migrate as make

    environment = session.environment
    with busy("migrate"):
        found = make(old, new, copy=copy, registry=registry, schema=schema, environment=environment)
    click.echo(f"{new}: {found.datasets} datasets, {found.records} records, {found.collections} collections")


def _print(found: Rebuilt, *, dry_run: bool) -> None:
    verb = "would have" if dry_run else "has"
    click.echo(f"the registry {verb} {found.datasets} datasets, and {found.declared} without bytes")
    if found.placed.datasets:
        click.echo(f"{found.placed.datasets} of them are known by the paths of their files only")
    for name, count in found.placed.records.items():
        click.echo(f"{count} {name} records were made of nothing but their keys", err=True)
    for name in found.placed.types:
        click.echo(f"type {name}: its storage class was guessed from an extension", err=True)
    for column in sorted(found.placed.made_up):
        click.echo(f"{column}: it must not be empty; 0 or nothing stands in its place", err=True)
    _list("lost", [f"{name}: {store} {key}" for name, store, key in found.lost])
    _list("of another size", [f"{name}: {store} {key}" for name, store, key in found.changed])
    _list("no dataset", [f"{store} {key}: {why}" for store, key, why in found.placed.unplaced])
    _list("not done again", found.refused)
    if found.doubtful:
        why = "their writers never said that they were done, and the files say otherwise"
        click.echo(f"{found.doubtful} changes were not taken: {why}", err=True)
    _list("not known", found.unknown)
    for place in found.aside:
        click.echo(f"set aside: {place}")


def _list(what: str, lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        click.echo(f"{what}: {line}", err=True)
    if len(lines) > _SHOWN:
        click.echo(f"{what}: and {len(lines) - _SHOWN} more (--json has them all)", err=True)
