"""``show``: a dataset as a person wants to see it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadArgument, IsDirectory, Unsupported, printable
from ..model.paths import parse
from ..tree import Node, Tree
from .arguments import PATH
from .pictures import deliver, local_file, out_option, replace_option
from .printing import print_json, print_table, progress, to_person
from .session import Session

if TYPE_CHECKING:
    from astropy.io.fits import HDUList
    from astropy.table import Table

_PNG = (".png",)
_ROWS = 20


@click.command()
@click.argument("path", type=PATH)
@out_option
@replace_option
@click.option(
    "--rows", type=click.IntRange(min=1), default=_ROWS, metavar="N", help=f"Of a table. Default: {_ROWS}."
)
@click.pass_obj
def show(session: Session, *, path: str, out: str | None, replacing: bool, rows: int) -> None:
    """Show a dataset: the picture of an image, the first rows of a table, the text of a document.

    PATH may name a part: 'detector=20.fits[1:500,1:500]'. A picture is shown by terminals that can (kitty,
    iTerm2, sixel), by others in half blocks; SKYFS_PICTURES=kitty, iterm, sixel or blocks decides. Where
    standard output is no terminal, it gets the PNG. What is no image is printed as text.
    """
    to = None if out in (None, "-") else local_file(str(out), _PNG, replacing=replacing)
    tree = session.tree()
    node = _node(tree, path)
    png = _picture(tree, node)
    if png is None and out is not None:
        raise Unsupported(f"a picture of {node.path!r}", "it is no image", "leave --out out, or: skyfs get")
    if png is None:
        _print(tree, node, path, rows)
    elif to is None:
        deliver(lambda _: png, to_file=out is not None)
    else:
        with open(to, "wb") as file:
            file.write(png)
        click.echo(to)


def _node(tree: Tree, path: str) -> Node:
    node = tree.lookup(parse(path))
    if node.is_dir and not node.is_dataset:
        raise IsDirectory(f"show {node.path!r}", "it is a folder", f"look into it: skyfs ls {node.path}")
    return node


# -- pictures ------------------------------------------------------------------------------------------


def _picture(tree: Tree, node: Node) -> bytes | None:
    """Give the PNG of a dataset or a part; None when it is no image."""
    named, pictures = node.named, tree.repository.pictures
    if named is None or node.inner or not pictures.can(named.resolved, named.component):
        return None
    try:
        with progress("read", None):
            return pictures.png(named.resolved, named.component, node.selectors)
    except (BadArgument, Unsupported):
        # That the format converts does not say that there is an image in this file, or one of two axes. What
        # is wrong with the part that was asked for is said when the text is made of it.
        return None


# -- text ----------------------------------------------------------------------------------------------


def _print(tree: Tree, node: Node, path: str, rows: int) -> None:
    if node.named is None or node.inner:
        with tree.open_node(node) as source:
            _print_bytes(source.read_all(), node)
        return
    with progress("read", None):
        value = _value(tree, node, path, rows)
    _print_value(value, node, rows)


def _value(tree: Tree, node: Node, path: str, rows: int) -> object:
    import numpy as np

    repository, named = tree.repository, node.named
    is_table = named is not None and _is_table(tree, named.resolved.ref.type.storage_class)
    if is_table and not node.selectors and named is not None and named.component is None:
        # One more tells whether there are more.
        return repository.get(path, slices=np.s_[: rows + 1])
    return repository.get(path)


def _is_table(tree: Tree, storage_class: str) -> bool:
    return tree.repository.formats.storage_class(storage_class).python_type == "astropy.table.Table"


def _print_value(value: object, node: Node, rows: int) -> None:
    from astropy.io.fits import HDUList, Header
    from astropy.table import Table

    match value:
        case Table():
            _print_astropy(value, rows)
        case HDUList():
            _print_hdus(value, rows)
        case Header():
            _print_text(value.tostring(sep="\n"))
        case dict() | list():
            _print_document(value)
        case str():
            _print_text(value)
        case bytes():
            _print_bytes(value, node)
        case _:
            _print_text(repr(value))


def _print_astropy(table: Table, rows: int) -> None:
    names = list(table.colnames)
    heads = [f"{name} ({table[name].unit})" if table[name].unit else name for name in names]
    listed = ([row[name] for name in names] for row in table[:rows])
    print_table(
        [list(map(_short, row)) for row in listed] if to_person() else list(listed), heads, named=True
    )
    if len(table) > rows:
        click.echo(
            f"The first {rows:,} rows are shown: --rows N shows more, skyfs get has them all.", err=True
        )


def _short(value: object) -> object:
    # Ten digits tell a thousandth of an arcsecond; all of them are in the pipe and in the file.
    return f"{value:.10g}" if isinstance(value, float) else value


def _print_hdus(hdus: HDUList, rows: int) -> None:
    """Print the one table of a file, or what HDUs there are."""
    from astropy.table import Table

    tables = [hdu for hdu in hdus if not hdu.is_image]
    if len(tables) == 1 and all(hdu.data is None for hdu in hdus if hdu.is_image):
        _print_astropy(Table(tables[0].data), rows)
        return
    listed = [(number, hdu.name, _kind(hdu), _shape(hdu)) for number, hdu in enumerate(hdus)]
    print_table(listed, ("hdu", "name", "kind", "shape"), named=True)


def _kind(hdu: Any) -> str:  # noqa: ANN401 - astropy has no types
    return "image" if hdu.is_image else "table"


def _shape(hdu: Any) -> str:  # noqa: ANN401 - astropy has no types
    if hdu.is_image:
        return " x ".join(map(str, reversed(hdu.shape))) or "empty"
    return f"{len(hdu.data)} rows, {len(hdu.columns)} columns"


def _print_document(value: dict[str, object] | list[object]) -> None:
    if not to_person():
        print_json(value)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    text = json.dumps(value, indent=2, default=str, ensure_ascii=True)
    Console().print(Syntax(text, "json", background_color="default", word_wrap=True))


def _print_text(text: str) -> None:
    sys.stdout.writelines(f"{printable(line.expandtabs())}\n" for line in text.splitlines())


def _print_bytes(data: bytes, node: Node) -> None:
    try:
        _print_text(data.decode())
    except UnicodeDecodeError:
        todo = f"write it to a file: skyfs get '{node.path}' -o FILE"
        raise Unsupported(f"show {node.path!r}", "bytes that are no image, table or text", todo) from None
