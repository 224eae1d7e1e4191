"""What the commands of one call share: the repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import click

from ..config import Environment
from ..errors import IsDirectory, NotFound
from ..model.paths import parse
from ..model.selectors import is_pattern, split_selectors

if TYPE_CHECKING:
    from ..repository import Repository
    from ..tree import Node, Tree


class Session:
    """Opens the repository when a command needs it, and closes it when the command is done.

    Attributes
    ----------
    quiet
        Whether progress is not to be shown.
    """

    def __init__(self, location: str | None, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.environment = Environment.current()
        self._location = location
        self._closing = ExitStack()
        self._tree: Tree | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.close()

    @property
    def is_named(self) -> bool:
        """Whether a repository is named, here or by the environment."""
        return bool(self._location or self.environment.default_repository)

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
        from ..config.index import all_names

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
            skyfs.open(self.location, writable=writable, environment=self.environment)
        )

    def other(self, location: str) -> Repository:
        """Open another repository, for reading; it is closed when the command ends."""
        import skyfs

        return self._closing.enter_context(skyfs.open(location, environment=self.environment))

    def tree(self, *, writable: bool = False) -> Tree:
        """Give the repository as a tree; one that can be written takes the place of one for reading."""
        if self._tree is None or (writable and not self._tree.repository.writable):
            from ..tree import Tree

            if self._tree is not None:
                # A process that has other writers' log open for reading cannot write to it.
                self._tree.repository.close()
            self._tree = Tree(self.repository(writable=writable))
        return self._tree

    def nodes(self, paths: Iterable[str]) -> Iterator[Node]:
        """Give the nodes that paths and globs name, in order; a glob that matches nothing is an error."""
        for path in paths:
            if not is_pattern(path):
                yield self.tree().lookup(parse(path))
                continue
            selectors = split_selectors(path)[1]
            for node in self._matching(path):
                yield self.tree().part(node, selectors) if selectors else node

    def files(self, paths: Iterable[str], verb: str = "", *, recursive: bool = True) -> Iterator[Node]:
        """Give the files that paths and globs name; of folders all that is below, or an error."""
        for node in self.nodes(paths):
            if not node.is_dir:
                yield node
            elif recursive or node.is_dataset:
                yield from self.tree().files(parse(node.path))
            else:
                todo = f"{verb} all that is in it with -r"
                raise IsDirectory(f"{verb} {node.path!r}", "it is a folder", todo)

    def expand(self, paths: Iterable[str]) -> Iterator[str]:
        """Give the paths as they are, and for each glob the paths that match it."""
        for path in paths:
            if is_pattern(path):
                selectors = "".join(map(str, split_selectors(path)[1]))
                yield from (node.path + selectors for node in self._matching(path))
            else:
                yield path

    def _matching(self, pattern: str) -> list[Node]:
        from ..tree.globbing import glob, translate

        base, selectors = split_selectors(pattern)
        found = glob(self.tree(), base, translate(base))
        if not found:
            raise NotFound(f"nothing matches {pattern!r}")
        return [node for node in found if not (selectors and node.is_dir)]
