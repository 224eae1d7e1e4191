"""``cp``: files into the repository, datasets out of it, and within it.

Of a copy one side, or both, is the repository; the other is this machine. Which is which:

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

from ..errors import Ambiguous, IsDirectory, NotDirectory, NotFound, SkyfsError, look_for
from ..model.paths import parse
from ..tree import Node, Tree
from ..tree.bulk import copy_nodes, copy_within, take_in
from ..tree.editing import Editor
from .arguments import COPY, plain_path
from .contents import destination, require_free
from .converting import as_option, with_extension
from .printing import busy, progress
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
    """Copy files into the repository, out of it, or within it.

    A relative path is local; :/PATH is in the repository, file:/PATH is local. A bare /PATH is on the side
    that the other argument leaves, or else where the source exists. Sources in the repository may have
    wildcards: quote them. A Zarr dataset is a folder: -r. What goes into the repository together is stored
    together, or nothing is. To show a dataset in another collection without copying it: skyfs ln.
    """
    *sources, target = arguments
    if not sources:
        raise click.UsageError("give SOURCE... and DESTINATION")
    origin, goal = _sides(session, sources, target)
    if goal is Side.REPOSITORY:
        session.tree(writable=True)
    if origin is Side.LOCAL:
        if wanted is not None:
            raise click.UsageError("--as converts datasets; local files go in as they are")
        _copy_in(session, [_local(one) for one in sources], target, recursive=recursive, replacing=replacing)
        return
    nodes = _named(session, sources, wanted=wanted, recursive=recursive)
    copy = _copy_out if goal is Side.LOCAL else _copy_within
    copy(session, nodes, target, replacing=replacing, wanted=wanted)


# -- which side ----------------------------------------------------------------------------------------


def side_of(argument: str) -> Side:
    """Tell the side of one argument from its spelling alone."""
    if argument.startswith((":", "skyfs:")):
        return Side.REPOSITORY
    if argument.startswith("file:") or not argument.startswith("/"):
        return Side.LOCAL
    return Side.OPEN


def _sides(session: Session, sources: Sequence[str], target: str) -> tuple[Side, Side]:
    """Tell from which side a copy goes to which."""
    marked = {side_of(source) for source in sources} - {Side.OPEN}
    goal = side_of(target)
    if len(marked) > 1:
        found = "some sources are local and some are in the repository"
        raise click.UsageError(f"{found}; copy them one after the other")
    if marked:
        (origin,) = marked
    elif goal is not Side.OPEN:
        origin = _other(goal)
    else:
        origin = _by_existence(session, sources[0])
    if origin is goal is Side.LOCAL:
        named = target.strip("./")
        raise click.UsageError(f"both sides are local; a path in the repository is written :/{named}")
    return origin, _other(origin) if goal is Side.OPEN else goal


def _other(side: Side) -> Side:
    return Side.LOCAL if side is Side.REPOSITORY else Side.REPOSITORY


def _by_existence(session: Session, source: str) -> Side:
    here, there = os.path.exists(source), _is_in_repository(session, source)
    if here and there:
        what = f"{source!r} is a local file and a path in the repository"
        raise Ambiguous(what, todo=f"write :{source} for the repository, file:{source} for the file")
    if not (here or there):
        todo = f"{look_for(source)}; or skyfs ls"
        raise NotFound(f"no {source!r}", "neither on this machine nor in the repository", todo)
    return Side.LOCAL if here else Side.REPOSITORY


def _is_in_repository(session: Session, source: str) -> bool:
    try:
        return any(True for _ in session.nodes([source]))
    except SkyfsError:
        return False


def _local(argument: str) -> str:
    path = argument.removeprefix("file:")
    return os.path.expanduser("/" + path.lstrip("/") if path.startswith("//") else path)


# -- out, and within -----------------------------------------------------------------------------------


def _named(session: Session, sources: Sequence[str], *, wanted: str | None, recursive: bool) -> list[Node]:
    """Give what is to be copied; datasets that are named themselves in the format that is wanted."""
    tree = session.tree()
    nodes: list[Node] = []
    for node in session.nodes([plain_path(source, session) for source in sources]):
        is_folder = node.is_dir and not node.is_dataset
        nodes += [node] if is_folder else with_extension(tree, [node], wanted)
    for node in nodes:
        if node.is_dir and not recursive:
            raise IsDirectory(f"copy {node.path!r}", "it is a folder", "copy it with -r")
    return nodes


def _copy_out(
    session: Session, nodes: Sequence[Node], target: str, *, replacing: bool, wanted: str | None
) -> None:
    target = _local(target)
    if len(nodes) > 1 and not os.path.isdir(target):
        raise NotDirectory(
            f"copy {len(nodes)} things to {target!r}", "no such folder", f"make it: mkdir -p {target}"
        )
    pairs: list[tuple[Node, str]] = []
    taken: set[str] = set()
    for node in nodes:
        for file, path in _pairs_out(session.tree(), node, target, wanted):
            require_free(path, replacing=replacing, taken=taken, make_folder=node.is_dir)
            pairs.append((file, path))
    with progress("copy", sum(file.size for file, _ in pairs)) as advance:
        for error in copy_nodes(session.tree(), pairs, advance):
            if error is not None:
                raise error


def _pairs_out(tree: Tree, node: Node, target: str, wanted: str | None) -> Iterator[tuple[Node, str]]:
    if not node.is_dir:
        yield node, destination(target, node, flat=False)
        return
    # As cp -r: into an existing folder the folder itself goes, else its content gets the new name.
    base = os.path.join(target, node.name) if os.path.isdir(target) else target
    for found in with_extension(tree, tree.files(parse(node.path)), wanted):
        inside = (one for one in tree.insides.below(found) if not one.is_dir)
        for file in inside if found.is_dir else (found,):
            yield file, os.path.join(base, file.path.removeprefix(node.path).lstrip("/"))


def _copy_within(
    session: Session, nodes: Sequence[Node], target: str, *, replacing: bool, wanted: str | None
) -> None:
    tree, path = session.tree(), plain_path(target, session)
    into = path.endswith("/") or len(nodes) > 1 or _is_folder(tree, path)
    pairs = [
        (file, parse(name))
        for node in nodes
        for file, name in _pairs_within(tree, node, path.rstrip("/"), wanted, into=into)
    ]
    with progress("copy", sum(file.size for file, _ in pairs)) as advance:
        copy_within(tree, Editor(tree), pairs, advance, replace=replacing)


def _pairs_within(
    tree: Tree, node: Node, target: str, wanted: str | None, *, into: bool
) -> Iterator[tuple[Node, str]]:
    name = f"{target}/{node.name}" if into else target
    if not node.is_dir:
        yield node, name
        return
    for found in with_extension(tree, tree.files(parse(node.path)), wanted):
        file = tree.insides.as_file(found) if found.is_dir else found
        yield file, name + found.path.removeprefix(node.path)


# -- in ------------------------------------------------------------------------------------------------


def _copy_in(
    session: Session, sources: Sequence[str], target: str, *, recursive: bool, replacing: bool
) -> None:
    tree, path = session.tree(), plain_path(target, session)
    into = path.endswith("/") or len(sources) > 1 or _is_folder(tree, path)
    files = [
        (file, parse(name))
        for source in sources
        for file, name in _pairs_in(tree, source, path.rstrip("/"), into=into, recursive=recursive)
    ]
    if not files:
        raise NotFound(f"nothing to copy in {', '.join(map(repr, sources))}", "no files")
    editor = Editor(tree)
    with busy("copy"):
        take_in(editor, files, replace=replacing)


def _is_folder(tree: Tree, path: str) -> bool:
    """Tell whether a path is a folder that things can be copied into: a dataset is none."""
    try:
        node = tree.lookup(parse(path))
    except NotFound:
        return False
    return node.is_dir and not node.is_dataset


def _pairs_in(
    tree: Tree, source: str, target: str, *, into: bool, recursive: bool
) -> Iterator[tuple[str, str]]:
    if not os.path.lexists(source):
        raise NotFound(f"no local file {source!r}", todo=f"for a path in the repository write :{source}")
    name = f"{target}/{os.path.basename(source.rstrip('/'))}" if into else target
    if os.path.isdir(source) and not recursive:
        raise IsDirectory(f"copy {source!r}", "it is a folder", "copy it with -r")
    yield from _below(tree, source, name)


def _below(tree: Tree, source: str, name: str) -> Iterator[tuple[str, str]]:
    """Give the files at or below a local path; a folder that goes to a Zarr dataset's path is one."""
    if not os.path.isdir(source) or tree.insides.could_be(parse(name)):
        yield source, name
        return
    for child in sorted(os.listdir(source)):
        path = os.path.join(source, child)
        if not (os.path.islink(path) and os.path.isdir(path)):
            yield from _below(tree, path, f"{name}/{child}")
