"""``--as``: datasets in another format, on their way out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import click
from click.shell_completion import CompletionItem

from ..errors import Unsupported
from ..formats import Formats
from ..model.paths import parse
from ..tree import Node, Tree


class ExtensionType(click.ParamType):  # type: ignore[type-arg] # generic in new versions only
    """An extension with or without its first dot: ``.csv``, ``csv``, ``fits.fz``."""

    name = "ext"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Give the extension with its dot."""
        return f".{value.lower().removeprefix('.')}"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - the same
        incomplete: str,
    ) -> list[CompletionItem]:
        """Give the extensions that skyfs itself knows."""
        begun = f".{incomplete.removeprefix('.')}"
        found = [one for one in Formats.load().extensions if one.startswith(begun)]
        return [CompletionItem(one if incomplete.startswith(".") else one[1:]) for one in found if one]


as_option = click.option(
    "--as",
    "wanted",
    type=ExtensionType(),
    metavar="EXT",
    help="Convert to the format of an extension: csv, parquet, png, fits.fz...",
)


def with_extension(tree: Tree, nodes: Iterable[Node], wanted: str | None) -> Iterator[Node]:
    """Give the same datasets in the format of an extension; as they are stored when None.

    Raises
    ------
    UnknownFormat
        When no format has the extension.
    NotFound
        When a dataset does not convert to it.
    Unsupported
        When a file is no dataset.
    """
    if wanted is not None:
        tree.repository.formats.format(wanted)
    for node in nodes:
        yield node if wanted is None else _converted(tree, node, wanted)


def _converted(tree: Tree, node: Node, wanted: str) -> Node:
    if node.named is None:
        raise Unsupported(f"convert {node.path!r} to {wanted!r}", "it is no dataset", "leave --as out")
    if wanted == node.named.extension:
        return node
    path = parse(node.path)
    if path.keys:
        return tree.lookup(replace(path, extension=wanted))
    # Of a type without dimensions the extension is a part of the name.
    return tree.lookup(parse(node.path.removesuffix(node.named.extension) + wanted))
