"""``info`` and ``config``."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..config.stores import without_password
from ..model.paths import parse
from .arguments import PATH
from .printing import human, print_json, print_table, utc
from .session import Session

if TYPE_CHECKING:
    from ..repository import Repository

# Counting reads a row per dataset (10 µs); this many are counted within a second.
MAX_COUNTED = 100_000


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("path", required=False, type=PATH)
@click.pass_obj
def info(session: Session, *, path: str | None, as_json: bool) -> None:
    """Tell all that is known of PATH without opening it; without PATH, tell about the repository."""
    found = _of_path(session, path) if path is not None else _of_repository(session.tree().repository)
    if as_json:
        print_json(found)
    else:
        print_table(list(found.items()), ("what", "value"))


@click.command()
@click.pass_obj
def config(session: Session) -> None:
    """Print the active configuration as YAML, each value with where it is from."""
    click.echo(session.repository().config.annotated(), nl=False)


def _of_path(session: Session, path: str) -> dict[str, object]:
    tree = session.tree()
    node = tree.lookup(parse(path))
    found: dict[str, object] = {"path": node.path, "kind": "folder" if node.is_dir else "file"}
    if node.is_dir:
        found["entries"] = len(tree.children(parse(node.path)))
        return found | tree.attributes(node)
    return found | {"size": node.size, "mtime": utc(node.mtime_ns)} | tree.attributes(node)


def _of_repository(repository: Repository) -> dict[str, object]:
    universe = repository.registry.universe
    kinds = Counter(one.kind.value for one in repository.collections())
    counted, size, more = _count(repository)
    return {
        "name": repository.name,
        "root": str(repository.root),
        "skyfs": __version__,
        "universe": f"{universe.name} {universe.version} ({universe.namespace})",
        "registry": f"{repository.config.registry_shown}, {human(repository.registry.size_bytes())}",
        "stores": ", ".join(
            f"{store.name}: {without_password(store.url)}" for store in repository.config.stores
        ),
        "collections": sum(kinds.values()),
        **{f"  {kind}": number for kind, number in sorted(kinds.items())},
        "types": len(repository.types()),
        "datasets": f"more than {counted}" if more else counted,
        "bytes": f"more than {size}" if more else size,
    }


def _count(repository: Repository) -> tuple[int, int, bool]:
    """Count the datasets of all RUNs and their bytes, up to a limit; tell whether there are more."""
    found = repository.registry.lookup.everything(repository.registry.current())
    number = size = 0
    for one in islice(found, MAX_COUNTED):
        number += 1
        size += one.locations[0].size if one.locations else 0
    return number, size, next(found, None) is not None
