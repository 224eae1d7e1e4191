"""The repository behind a filesystem: opened when first needed, for writing when first written to."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from ..assemble import locate, open_repository
from ..config import Environment
from ..config.stores import shown_location
from ..errors import BadArgument, NotFound, ReadOnly, Unsupported
from ..repository import Repository
from ..tree import Tree
from ..tree.editing import Editor


class Home:
    """Opens one repository.

    Parameters
    ----------
    repository
        The repository, or its location or name. One that is open decides by itself whether it can be written.
    name
        The name that URLs of the filesystem carry; the repository's location when nothing else is given.
    writable
        True opens for writing at once, False refuses to write; None: when it is first written to.
    """

    def __init__(
        self,
        repository: Repository | str | os.PathLike[str] | None,
        name: str | None,
        *,
        writable: bool | None,
    ) -> None:
        self._given = isinstance(repository, Repository)
        self._writable = writable
        self._tree: Tree | None = None
        self._names = {name} if repository is None and name is not None else set()
        if isinstance(repository, Repository):
            self._tree = Tree(repository)
            self.root = repository.root
        elif repository is None and name is None:
            todo = "give repo=, or a URL with a name: skyfs://NAME/..."
            raise BadArgument("which repository?", "none is named", todo)
        else:
            location = os.fspath(name if repository is None else repository)  # type: ignore[arg-type]
            self.root = locate(location, Environment.current())
            self._names |= {location} if "/" not in location else set()
        self._reset()

    def reading(self) -> Tree:
        """Give the tree."""
        if self._tree is None:
            with self._lock():
                if self._tree is None:
                    self._tree = Tree(open_repository(self.root, writable=bool(self._writable)))
        return self._tree

    def writing(self) -> Editor:
        """Give what changes the tree.

        Raises
        ------
        ReadOnly
            When the repository was given open for reading, or writing is switched off.
        """
        tree = self.reading()
        if tree.repository.writable:
            return Editor(tree)
        if self._given or self._writable is False:
            todo = "open the repository with writable=True" if self._given else "leave writable=False out"
            raise ReadOnly(f"write to {str(self.root)!r}", "this filesystem is for reading", todo)
        with self._lock():
            if not self._tree or not self._tree.repository.writable:
                # The one for reading may be in use by other threads; it goes with the last of them.
                self._tree = Tree(open_repository(self.root, writable=True))
            return Editor(self._tree)

    def check_name(self, name: str, path: str) -> None:
        """Refuse names of other repositories.

        Raises
        ------
        NotFound
            When the repository has another name.
        """
        if name in self._names:
            return
        own = self.reading().repository.name
        if name != own:
            todo = f"a path begins with '/', or with {own!r}"
            raise NotFound(f"nothing at {path!r}", f"{name!r} is not the repository of this filesystem", todo)
        self._names.add(own)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._opening = threading.Lock()

    def _lock(self) -> threading.Lock:
        # The parent of a forked process may have held it.
        if self._pid != os.getpid():
            self._reset()
        return self._opening


def chained(below: Mapping[str, object]) -> Path | None:
    """Give the folder that the rest of a chained URL names: ``skyfs:///path::file:///repository``.

    Raises
    ------
    Unsupported
        When it is not on the local file system.
    """
    folder, protocol = below.get("fo"), below.get("target_protocol")
    if folder is None:
        return None
    if protocol not in ("file", "local", None):
        url = str(folder) if "://" in str(folder) else f"{protocol}://{folder}"
        asked = f"open the repository {shown_location(url)}"
        todo = "name a folder: skyfs:///path::file:///folder"
        raise Unsupported(asked, f"registries on {protocol}:// are not known", todo)
    return Path(str(folder))
