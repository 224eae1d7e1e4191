"""``cat`` and ``get``: the bytes of datasets."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import BinaryIO

import click

from ..abc.source import ByteSource
from ..errors import Exists, IsDirectory, NotFound
from ..model.paths import parse
from ..tree import Node, Tree, filename
from ..tree.bulk import copy_nodes
from .arguments import COPY, PATH, pairs, plain_path
from .converting import as_option, with_extension
from .printing import progress
from .session import Session

_CHUNK_BYTES = 1 << 20


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@as_option
@click.pass_obj
def cat(session: Session, *, paths: Sequence[str], wanted: str | None) -> None:
    """Write the bytes of datasets to standard output, one after another."""
    # All are looked up first: nothing is written when one of them is missing.
    nodes = list(session.nodes(paths))
    for node in nodes:
        _refuse_folder(node)
    nodes = list(with_extension(session.tree(), nodes, wanted))
    out = sys.stdout.buffer
    for node in nodes:
        with session.tree().open_node(node, whole=True) as source:
            pour(source, out)
    out.flush()


@click.command()
@click.argument("dataset", type=COPY, metavar="PATH|TYPE")
@click.argument("data_id", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "-c", "--collections", metavar="NAME[,NAME]...", help="Where to look, in this order; needed with TYPE."
)
@click.option("--time", help="For a calibration: a moment (TAI) at which it is valid.")
@click.option("-o", "--output", required=True, metavar="OUT", help="File, folder, or - for standard output.")
@click.option(
    "--flat", is_flag=True, help="OUT is a folder; name the file uniquely, as src_SkyCam_901002_0.parquet."
)
@click.option("--replace", "replacing", is_flag=True, help="Overwrite OUT.")
@as_option
@click.pass_obj
def get(
    session: Session, /, *, dataset: str, output: str, flat: bool, replacing: bool, **asked: object
) -> None:
    """Write a dataset to a file.

    The dataset is a path, or a TYPE with a data ID, as: get src instrument=SkyCam visit=901002 detector=0
    -c SkyCam/defaults -o src.csv. With a TYPE, another extension of OUT converts; --as converts always.
    """
    by_path = "/" in dataset or dataset.startswith((":", "skyfs:"))
    if by_path and (asked["data_id"] or asked["collections"] or asked["time"]):
        raise click.UsageError("a PATH names the dataset: leave data ID, -c and --time out")
    tree = session.tree()
    node = (
        tree.lookup(parse(plain_path(dataset, session)))
        if by_path
        else _by_data_id(tree, dataset, output, asked)
    )
    _refuse_folder(node)
    (node,) = with_extension(tree, [node], asked["wanted"])  # type: ignore[arg-type]  # click gives text
    if output == "-":
        with tree.open_node(node, whole=True) as source:
            pour(source, sys.stdout.buffer)
        return
    to = destination(output, node, flat=flat)
    require_free(to, replacing=replacing, taken=set())
    with progress("get", node.size) as advance:
        (error,) = copy_nodes(tree, [(node, to)], advance)
    if error is not None:
        raise error
    click.echo(to)


def _by_data_id(tree: Tree, type_name: str, output: str, asked: dict[str, object]) -> Node:
    from ..writing.ingester import extension_of

    repository = tree.repository
    names = str(asked["collections"] or "").split(",") if asked["collections"] else []
    if not names:
        known = ", ".join(one.name for one in repository.collections()[:8])
        raise click.UsageError(f"in which collections? Give -c NAME; there are {known}")
    data_id = pairs(asked["data_id"])  # type: ignore[arg-type]  # click gives a tuple of texts
    found = repository.resolve(type_name, collections=names, time=asked["time"], **data_id)
    node = tree.node(found.ref.run, found, parse("/"))
    wanted = asked["wanted"] or extension_of(os.path.basename(output), repository.formats)
    (shown,) = with_extension(tree, [node], str(wanted) if wanted and node.named is not None else None)
    return shown


def _refuse_folder(node: Node) -> None:
    if node.is_dir:
        copied = "copy it with cp -r, or get it as one file, .zarr.zip"
        todo = copied if node.is_dataset else f"look into it: skyfs ls {node.path}"
        raise IsDirectory(f"read {node.path!r}", "it is a folder", todo)


def pour(source: ByteSource, out: BinaryIO) -> None:
    """Copy all bytes of a source."""
    out.writelines(source.read(start, start + _CHUNK_BYTES) for start in range(0, source.size, _CHUNK_BYTES))


def destination(output: str, node: Node, *, flat: bool) -> str:
    """Give the local file that a dataset goes to: OUT itself, or a name within the folder OUT."""
    path = os.path.expanduser(output)
    if not (flat or os.path.isdir(path) or path.endswith("/")):
        return path
    named = node.named
    name = node.name if not flat or named is None else filename(named, named.extension, node.selectors)
    return os.path.join(path, name)


def require_free(path: str, *, replacing: bool, taken: set[str], make_folder: bool = False) -> None:
    """Refuse a local path where something is, or that another file of the same command gets.

    Raises
    ------
    Exists
        When it is there and ``replacing`` is False, or it is in ``taken``, to which it is added.
    NotFound
        When its folder is not there and is not to be made.
    """
    if path in taken:
        raise Exists(f"write {path!r}", "two sources would have that name", "copy them into two folders")
    if os.path.lexists(path) and not replacing:
        raise Exists(f"write {path!r}", "it exists", "overwrite it with --replace")
    taken.add(path)
    folder = os.path.dirname(os.path.abspath(path))
    if make_folder:
        os.makedirs(folder, exist_ok=True)
    elif not os.path.isdir(folder):
        raise NotFound(f"write {path!r}", f"no folder {folder!r}", f"make it: mkdir -p {folder}")
