"""``rm`` and ``ln``: what collections hold."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..errors import BadPath, IsDirectory, NotAllowed
from ..model.paths import parse
from .arguments import PATH
from .printing import busy
from .session import Session


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option("-r", "--recursive", is_flag=True, help="Remove folders with all that is in them.")
@click.pass_obj
def rm(session: Session, *, paths: Sequence[str], recursive: bool) -> None:
    """Remove datasets: all that are named, or none.

    Through a RUN a dataset is deleted (of a file ingested in place only the entry goes), through a TAGGED
    collection it is untagged. Chains, calibrations and service directories refuse. Wildcards: quote them.
    """
    from ..tree.editing import Editor

    addresses = [parse(path) for path in session.expand(paths)]
    if not recursive:
        for address in addresses:
            node = session.tree().lookup(address)
            if node.is_dir and not node.is_dataset:
                raise IsDirectory(f"remove {str(address)!r}", "it is a folder", "remove it with -r")
    editor = Editor(session.tree(writable=True))
    with busy("remove"):
        editor.remove(addresses, recursive=recursive)


@click.command()
@click.argument("arguments", nargs=-1, required=True, type=PATH, metavar="PATH... COLLECTION/")
@click.option("-r", "--recursive", is_flag=True, help="Tag all that is in folders.")
@click.pass_obj
def ln(session: Session, *, arguments: Sequence[str], recursive: bool) -> None:
    """Tag datasets: show them in a TAGGED collection, which is made when it is new. Nothing is copied."""
    *paths, target = arguments
    if not paths:
        raise click.UsageError("give PATH... and COLLECTION/")
    address = parse(target)
    if address.keys or address.service or not address.head:
        raise BadPath(f"tag into {target!r}", "it is no collection", "/COLLECTION/")
    files = list(session.files(paths, "tag", recursive=recursive))
    refs = [file.named.resolved.ref for file in files if file.named is not None and not file.inner]
    if len(refs) < len(files):
        raise NotAllowed("tag", "some of these are no datasets")
    repository = session.tree(writable=True).repository
    with busy("tag"):
        repository.tag(refs, "/".join(address.head))
