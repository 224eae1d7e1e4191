"""``cp``: files into the repository, datasets out of it.

One side of a copy is the repository, the other this machine. Which is which:

- ``:PATH``, ``skyfs:PATH`` and ``skyfs://NAME/PATH`` are in the repository;
- a path that does not begin with ``/`` (``out.fits``, ``~/out.fits``) and ``file:PATH`` are local;
- one marked side decides about the other; where none is marked, the sources decide: by where they exist. A
  source that exists on both sides, or on none, is an error; a destination is never guessed at by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import Enum

import click

from ..bulk import copy_nodes, take_in
from ..errors import Ambiguous, IsDirectory, NotDirectory, NotFound, SkyfsError
from ..model.paths import parse
from ..tree import Node
from .arguments import COPY, plain_path
from .contents import destination, require_free
from .converting import as_option, with_extension
from .printing import progress
from .session import Session


class Side(Enum):
    """Where a path lies."""

    REPOSITORY = "in the repository"
    LOCAL = "on this machine"
    OPEN = "undecided"


@click.command()
@click.argument("arguments", nargs=-1, required=True, type=COPY, metavar="SOURCE... DESTINATION")
@click.option("-r", "--recursive", is_flag=True, help="Copy folders with all that is in them.")
@click.option("--replace", "replacing", is_flag=True, help="Replace what is there.")
@as_option
@click.pass_obj
def cp(
    session: Session, *, arguments: Sequence[str], recursive: bool, replacing: bool, wanted: str | None
) -> None:
    """Copy files into the repository, or out of it.

    One side is the repository. A relative path is local; :/PATH is in the repository, file:/PATH is local. A
    bare /PATH is on the side that the other argument leaves, or else where the source exists. Sources in the
    repository may have wildcards: quote them. Files taken in together are stored together, or none.
    """
    *sources, target = arguments
    if not sources:
        raise click.UsageError("give SOURCE... and DESTINATION")
    if _inward(session, sources, target):
        if wanted is not None:
            raise click.UsageError("--as converts what is copied out; files go in as they are")
        _copy_in(session, [_local(one) for one in sources], target, recursive=recursive, replacing=replacing)
    else:
        _copy_out(session, sources, _local(target), recursive=recursive, replacing=replacing, wanted=wanted)


# -- which side ----------------------------------------------------------------------------------------


def side_of(argument: str) -> Side:
    """Tell the side of one argument from its spelling alone."""
    if argument.startswith((":", "skyfs:")):
        return Side.REPOSITORY
    if argument.startswith("file:") or not argument.startswith("/"):
        return Side.LOCAL
    return Side.OPEN


def _inward(session: Session, sources: Sequence[str], target: str) -> bool:
    """Tell whether the copy goes into the repository."""
    sides = {side_of(source) for source in sources} - {Side.OPEN}
    to = side_of(target)
    if len(sides) > 1:
        raise click.UsageError(
            "some sources are local and some are in the repository; copy them one after the other"
        )
    if to is not Side.OPEN and to in sides:
        if to is Side.LOCAL:
            raise click.UsageError(
                f"both sides are local; a path in the repository is written :/{target.strip('./')}"
            )
        raise click.UsageError(
            "both sides are in the repository; to show a dataset in another collection: skyfs ln"
        )
    if to is not Side.OPEN:
        return to is Side.REPOSITORY
    if sides:
        return sides == {Side.LOCAL}
    return _by_existence(session, sources[0])


def _by_existence(session: Session, source: str) -> bool:
    here, there = os.path.exists(source), _is_in_repository(session, source)
    if here and there:
        what = f"{source!r} is a local file and a path in the repository"
        raise Ambiguous(what, todo=f"write :{source} for the repository, file:{source} for the file")
    if not (here or there):
        raise NotFound(f"no {source!r}", "neither on this machine nor in the repository")
    return here


def _is_in_repository(session: Session, source: str) -> bool:
    try:
        return any(True for _ in session.nodes([source]))
    except SkyfsError:
        return False


def _local(argument: str) -> str:
    path = argument.removeprefix("file:")
    return os.path.expanduser("/" + path.lstrip("/") if path.startswith("//") else path)


# -- out -----------------------------------------------------------------------------------------------


def _copy_out(
    session: Session,
    sources: Sequence[str],
    target: str,
    *,
    recursive: bool,
    replacing: bool,
    wanted: str | None,
) -> None:
    nodes = list(session.nodes([plain_path(source, session) for source in sources]))
    if len(nodes) > 1 and not os.path.isdir(target):
        raise NotDirectory(
            f"copy {len(nodes)} things to {target!r}", "no such folder", f"make it: mkdir -p {target}"
        )
    for node in nodes:
        if node.is_dir and not recursive:
            raise IsDirectory(f"copy {node.path!r}", "it is a folder", "copy it with -r")
    pairs: list[tuple[Node, str]] = []
    taken: set[str] = set()
    for node in nodes:
        for file, path in _pairs_out(session, node, target, wanted):
            require_free(path, replacing=replacing, taken=taken, make_folder=node.is_dir)
            pairs.append((file, path))
    with progress("copy", sum(file.size for file, _ in pairs)) as advance:
        for error in copy_nodes(session.tree(), pairs, advance):
            if error is not None:
                raise error


def _pairs_out(session: Session, node: Node, target: str, wanted: str | None) -> Iterator[tuple[Node, str]]:
    if not node.is_dir:
        (shown,) = with_extension(session.tree(), [node], wanted)
        yield shown, destination(target, shown, flat=False)
        return
    # As cp -r: into an existing folder the folder itself goes, else its content gets the new name.
    base = os.path.join(target, node.name) if os.path.isdir(target) else target
    tree = session.tree()
    for found in with_extension(tree, tree.files(parse(node.path)), wanted):
        inside = (one for one in tree.insides.below(found) if not one.is_dir)
        for file in inside if found.is_dir else (found,):
            yield file, os.path.join(base, file.path.removeprefix(node.path).lstrip("/"))


# -- in ------------------------------------------------------------------------------------------------


def _copy_in(
    session: Session, sources: Sequence[str], target: str, *, recursive: bool, replacing: bool
) -> None:
    path = plain_path(target, session)
    into = path.endswith("/") or len(sources) > 1 or _is_folder(session, path)
    files = [
        pair
        for source in sources
        for pair in _pairs_in(source, path.rstrip("/"), into=into, recursive=recursive)
    ]
    if not files:
        raise NotFound(f"nothing to copy in {', '.join(map(repr, sources))}", "no files")
    repository = session.tree(writable=True).repository
    take_in(repository, [(file, parse(name)) for file, name in files], replace=replacing)


def _is_folder(session: Session, path: str) -> bool:
    try:
        return session.tree().lookup(parse(path)).is_dir
    except NotFound:
        return False


def _pairs_in(source: str, target: str, *, into: bool, recursive: bool) -> Iterator[tuple[str, str]]:
    if not os.path.lexists(source):
        raise NotFound(f"no local file {source!r}", todo=f"for a path in the repository write :{source}")
    name = f"{target}/{os.path.basename(source.rstrip('/'))}" if into else target
    if not os.path.isdir(source):
        yield source, name
        return
    if not recursive:
        raise IsDirectory(f"copy {source!r}", "it is a folder", "copy it with -r")
    for above, folders, files in os.walk(source):
        folders.sort()
        for file in sorted(files):
            local = os.path.join(above, file)
            yield local, f"{name}/{os.path.relpath(local, source)}"
