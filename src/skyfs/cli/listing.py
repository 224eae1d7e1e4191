"""``ls`` and ``find``."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from ..model.paths import parse
from ..tree import Node
from .arguments import PATH
from .printing import print_json, utc
from .session import Session


@click.command()
@click.option("-l", "long", is_flag=True, help="Size in bytes, time (UTC), dataset type and name.")
@click.option("-d", "itself", is_flag=True, help="List folders themselves, not what is in them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: path, type, size, mtime.")
@click.argument("paths", nargs=-1, type=PATH, metavar="[PATH]...")
@click.pass_obj
def ls(session: Session, *, paths: Sequence[str], long: bool, itself: bool, as_json: bool) -> None:
    """List folders; names that end in / are folders.

    A PATH may have wildcards: quote them. The default is /.
    """
    nodes = list(session.nodes(paths or ["/"]))
    folders = [] if itself else [node for node in nodes if node.is_dir]
    files = [node for node in nodes if node not in folders]
    listed = [(None, files)] if files else []
    tree = session.tree()
    groups = [*listed, *((folder, tree.children(parse(folder.path))) for folder in folders)]
    if as_json:
        print_json([_row(node) for _, found in groups for node in found])
        return
    for index, (folder, found) in enumerate(groups):
        if len(groups) > 1 and folder is not None:
            click.echo(("\n" if index else "") + f"{folder.path}:")
        _print(found, long=long, full=folder is None)


@click.command()
@click.option("--name", "pattern", metavar="GLOB", help="Only files whose name (the last part) matches.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: path, type, size, mtime.")
@click.argument("paths", nargs=-1, type=PATH, metavar="[PATH]...")
@click.pass_obj
def find(session: Session, *, paths: Sequence[str], pattern: str | None, as_json: bool) -> None:
    """Print the full paths of all datasets below PATH, one on a line. The default is /."""
    found = session.files(paths or ["/"])
    wanted = (node for node in found if pattern is None or fnmatchcase(node.name, pattern))
    if as_json:
        print_json([_row(node) for node in wanted])
        return
    for node in wanted:
        click.echo(node.path)


def _print(nodes: Sequence[Node], *, long: bool, full: bool) -> None:
    names = [
        (node.path if full else node.name) + ("/" if node.is_dir and node.path != "/" else "")
        for node in nodes
    ]
    if not long:
        for name in names:
            click.echo(name)
        return
    width = max((len(str(node.size)) for node in nodes), default=0)
    kinds = [_kind(node) for node in nodes]
    wide = max(map(len, kinds), default=0)
    for node, kind, name in zip(nodes, kinds, names, strict=True):
        click.echo(f"{node.size:>{width}}  {utc(node.mtime_ns)}  {kind:<{wide}}  {name}")


def _kind(node: Node) -> str:
    if node.is_dir:
        return "folder"
    return "file" if node.named is None else node.named.resolved.ref.type.name


def _row(node: Node) -> dict[str, object]:
    kind = "directory" if node.is_dir else "file"
    return {"path": node.path, "type": kind, "size": node.size, "mtime": utc(node.mtime_ns)}
