"""What the commands of one call share: the repository, and where output goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import click

from ..config import Environment
from ..errors import NotFound
from ..model.paths import parse
from ..model.selectors import split_selectors

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..repository import Repository
    from ..tree import Node, Tree

_WILD = frozenset("*?[")


class Session:
    """Opens the repository when a command needs it, and closes it when the command is done."""

    def __init__(self, location: str | None) -> None:
        self.environment = Environment.current()
        self._location = location
        self._closing = ExitStack()
        self._tree: Tree | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.close()

    @property
    def location(self) -> str:
        """The name, folder or URL of the repository.

        Raises
        ------
        click.UsageError
            When none is named.
        """
        location = self._location or self.environment.default_repository
        if location:
            return location
        from ..index import all_names

        known = ", ".join(sorted(all_names(self.environment)))
        found = f"known are {known}" if known else "make one: skyfs init DIR"
        raise click.UsageError(f"which repository? Give -r REPO or set SKYFS_REPO; {found}")

    def name(self, location: str) -> None:
        """Take the repository's name out of a ``skyfs://NAME/`` argument.

        Raises
        ------
        click.UsageError
            When the command line names two.
        """
        if self._location is not None and self._location != location:
            raise click.UsageError(f"two repositories: {self._location!r} and {location!r}; name one")
        self._location = location

    def repository(self, *, writable: bool = False) -> Repository:
        """Open the repository; it is closed when the command ends."""
        import skyfs

        return self._closing.enter_context(
            skyfs.open(self.location, writable=writable, environment=self.environment)  # type: ignore[call-arg]
        )

    def tree(self) -> Tree:
        """Give the repository as a tree, open for reading."""
        if self._tree is None:
            from ..tree import Tree

            self._tree = Tree(self.repository())
        return self._tree

    def nodes(self, paths: Iterable[str]) -> Iterator[Node]:
        """Give the nodes that paths and globs name, in order; a glob that matches nothing is an error."""
        for path in paths:
            if not is_glob(path):
                yield self.tree().lookup(parse(path))
                continue
            yield from self._matching(path)

    def expand(self, paths: Iterable[str]) -> Iterator[str]:
        """Give the paths as they are, and for each glob the paths that match it."""
        for path in paths:
            if is_glob(path):
                yield from (node.path for node in self._matching(path))
            else:
                yield path

    def _matching(self, pattern: str) -> list[Node]:
        from fsspec.utils import glob_translate

        from ..globbing import glob

        found = glob(self.tree(), pattern, glob_translate(pattern))
        if not found:
            raise NotFound(f"nothing matches {pattern!r}")
        return found


class PathType(click.ParamType):
    """A path in a repository: ``/PATH``, ``:/PATH``, ``skyfs:/PATH`` or ``skyfs://NAME/PATH``."""

    name = "path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Give the path within the repository, and tell the session the repository's name."""
        session = ctx.find_object(Session) if ctx is not None else None
        return plain_path(value, session)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Give the paths that begin with what is typed."""
        from .completing import complete_path

        return list(complete_path(ctx, incomplete))


class CopyType(click.ParamType):
    """A path on either side of a copy."""

    name = "path"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Give the paths in the repository, and let the shell add local files."""
        from click.shell_completion import CompletionItem

        from .completing import complete_path

        return [*complete_path(ctx, incomplete), CompletionItem(incomplete, type="file")]


COPY = CopyType()
PATH = PathType()


def plain_path(value: str, session: Session | None) -> str:
    """Take the scheme off a path in a repository."""
    if value.startswith("skyfs://"):
        name, slash, rest = value.removeprefix("skyfs://").partition("/")
        if session is not None and name:
            session.name(name)
        return slash + rest or "/"
    path = value.removeprefix("skyfs:").removeprefix(":")
    return path if path.startswith("/") else f"/{path}"


def is_glob(path: str) -> bool:
    """Tell whether a path has wildcards; brackets of a selector are none."""
    return bool(_WILD.intersection(split_selectors(path)[0]))


def pairs(arguments: Iterable[str]) -> dict[str, object]:
    """Read ``key=value`` arguments.

    Raises
    ------
    click.UsageError
        When one is not of that form, or a key stands twice.
    """
    found: dict[str, object] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not (key and equals and value):
            raise click.UsageError(f"{argument!r} is no KEY=VALUE")
        if key in found:
            raise click.UsageError(f"{key!r} is given twice")
        found[key] = value
    return found


def to_person() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()


def print_table(rows: Sequence[Sequence[object]], header: Sequence[str], *, named: bool = False) -> None:
    """Print a table: with a heading and colours for a person, tab-separated lines for a program.

    With ``named``, programs get the heading too.
    """
    if not to_person():
        for row in [header, *rows] if named else rows:
            click.echo("\t".join(map(_cell, row)))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(value).replace("[", r"\[") for value in row))
    Console().print(table)


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1, default=str, ensure_ascii=False))


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")
