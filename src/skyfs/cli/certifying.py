"""``certify`` and ``decertify``: when calibrations are valid."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..errors import IsDirectory, NotAllowed
from .arguments import PATH, pairs, together
from .session import Session

_span = together(
    click.option("--begin", metavar="TIME", help="First moment (ISO 8601, TAI). Default: no bound."),
    click.option("--end", metavar="TIME", help="First moment after it. Default: no bound."),
)


@click.command()
@click.argument("collection")
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@_span
@click.pass_obj
def certify(
    session: Session, *, collection: str, paths: Sequence[str], begin: str | None, end: str | None
) -> None:
    """Certify the calibrations at PATH in COLLECTION, which is made when it is new, for a range of time."""
    refs = []
    for node in session.nodes(paths):
        if node.is_dir and not node.is_dataset:
            raise IsDirectory(f"certify {node.path!r}", "it is a folder", "name datasets, with wildcards")
        if node.named is None or node.inner:
            raise NotAllowed(f"certify {node.path!r}", "it is no dataset")
        refs.append(node.named.resolved.ref)
    session.tree(writable=True).repository.certify(refs, collection, begin, end)


@click.command()
@click.argument("collection")
@click.argument("type_name", metavar="TYPE")
@click.argument("data_id", nargs=-1, metavar="[DIMENSION=VALUE]...")
@_span
@click.pass_obj
def decertify(
    session: Session,
    *,
    collection: str,
    type_name: str,
    data_id: Sequence[str],
    begin: str | None,
    end: str | None,
) -> None:
    """Take a range of time out of what COLLECTION certifies of TYPE, for some data IDs or all.

    Ranges that reach beyond it are cut. Datasets stay in their RUNs.
    """
    values = pairs(data_id)
    if not values.keys().isdisjoint(("begin", "end", "collection", "type_name")):
        raise click.UsageError("times are options: --begin TIME --end TIME")
    repository = session.repository(writable=True)
    number = repository.decertify(collection, type_name, begin, end, **values)
    click.echo(f"{number} ranges removed or cut")
