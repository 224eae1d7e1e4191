"""Looking at a repository: what is there, without opening it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from glob import has_magic
from hashlib import sha256
from typing import Any

from fsspec.utils import stringify_path

from ..errors import NotDirectory, NotFound
from ..model.paths import parse
from ..model.selectors import split_selectors
from ..tree import Node, Tree, globbing
from .instance import NamedFileSystem, joined

Info = dict[str, object]
_Below = dict[str, tuple[dict[str, Info], dict[str, Info]]]

# ruff: noqa: FBT001, FBT002, ANN401 - these signatures are fsspec's; what they give depends on `detail`


class LookingFileSystem(NamedFileSystem):
    """What `SkyFileSystem` tells without opening a file."""

    def info(self, path: str, **_options: object) -> Info:
        """Give all that is known of a file or folder.

        ``name`` is the canonical spelling. Datasets have their ``id``, ``run``, ``dataset_type``, ``sha256``,
        ``filename``, values of dimensions and columns of records besides; `ls`, `find` and `glob` leave out
        the latter.

        Raises
        ------
        NotFound
            When there is nothing.
        """
        prefix, tree, node = self._lookup(path)
        return self._info(tree, node, prefix, records=True)

    def exists(self, path: str, **_options: object) -> bool:
        """Tell whether there is a file or folder."""
        return self._is_folder(path) is not None

    def isfile(self, path: str) -> bool:
        """Tell whether there is a file."""
        return self._is_folder(path) is False

    def isdir(self, path: str) -> bool:
        """Tell whether there is a folder."""
        return self._is_folder(path) is True

    def ls(self, path: str, detail: bool = True, **_options: object) -> Any:
        """List a folder, sorted; a file gives itself.

        Raises
        ------
        NotFound
            When there is nothing.
        """
        prefix, text = self._split(path)
        tree = self._home.reading()
        try:
            nodes = tree.children(parse(text))
        except NotDirectory:
            nodes = [tree.lookup(parse(text))]
        if detail:
            return [self._info(tree, node, prefix) for node in nodes]
        return [joined(prefix, node.path) for node in nodes]

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **_options: object,
    ) -> Any:
        """Give all files below a folder, sorted: one statement for each dimension group."""
        _check_depth(maxdepth)
        prefix, text = self._split(path)
        tree = self._home.reading()
        nodes = globbing.find(tree, parse(text), max_depth=maxdepth)
        bare = not self._strip_protocol(path)
        kept = [node for node in nodes if not node.is_dir or (withdirs and not (bare and node.path == "/"))]
        if not detail:
            return [joined(prefix, node.path) for node in kept]
        return {joined(prefix, node.path): self._info(tree, node, prefix) for node in kept}

    def glob(self, path: str, maxdepth: int | None = None, **options: Any) -> Any:
        """Give what matches a pattern, sorted: one statement for each dimension group, as a rule.

        Collections that lie at different depths, and that one pattern matches, are asked about one by one.
        Selectors at the end (``.fits[1]``) are never a pattern.
        """
        _check_depth(maxdepth)
        detail, withdirs = bool(options.get("detail", False)), bool(options.get("withdirs", True))
        typed = self._strip_protocol(path)
        base, _ = split_selectors(typed)
        if not has_magic(base):
            found = [typed] if self._is_folder(base) is not None else []
            return {name: {**self.info(base), "name": name} for name in found} if detail else found
        nodes = [(name, node) for name, node in self._globbed(path, maxdepth) if withdirs or not node.is_dir]
        if not detail:
            return [name for name, _ in nodes]
        tree = self._home.reading()
        return {name: {**self._info(tree, node, ""), "name": name} for name, node in nodes}

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: str | Callable[[OSError], object] = "omit",
        **options: object,
    ) -> Iterator[tuple[str, Any, Any]]:
        """Walk a folder as ``os.walk`` does, from one `find`."""
        found = self.find(path, maxdepth=maxdepth, withdirs=True, detail=True)
        if not found:
            _tell(NotFound(f"nothing at {path!r}"), on_error)
            return
        top = min(found, key=len) if self._strip_protocol(path) else "/"
        below: _Below = {top: ({}, {})}
        for name, info in found.items():
            is_file = info["type"] == "file"
            if name != top:
                below.setdefault(self._parent(name), ({}, {}))[is_file][name.rpartition("/")[2]] = info
            elif is_file:
                below[top][1][""] = info
        yield from _walk(top, below, topdown=topdown, detail=bool(options.get("detail", False)))

    def du(
        self,
        path: str,
        total: bool = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        **_options: object,
    ) -> Any:
        """Add up sizes in bytes; with ``total=False``, give them for each path."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        sizes = {name: int(info["size"]) for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    def expand_path(
        self,
        path: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        assume_literal: bool = False,
        **options: object,
    ) -> list[str]:
        """Give all that patterns and, with ``recursive``, folders stand for."""
        if recursive and isinstance(path, str) and self.isdir(path):
            # What lies below has canonical names; so must the folder, or targets were named wrongly.
            prefix, _, node = self._lookup(path)
            path = joined(prefix, node.path)
        found: list[str] = super().expand_path(path, recursive, maxdepth, assume_literal, **options)
        return found

    def ukey(self, path: str) -> str:
        """Give a text that changes when, and only when, the dataset at the path is replaced."""
        _, _, node = self._lookup(path)
        parts: list[object] = [node.path, node.size, node.content and node.content.data]
        if node.named is not None:
            resolved = node.named.resolved
            parts = [resolved.ref.id, node.named.component, node.named.extension, *map(str, node.selectors)]
            parts += [place.sha256 for place in resolved.locations[:1]]
            parts += node.inner
        return sha256(repr(parts).encode()).hexdigest()

    def checksum(self, path: str) -> int:
        """Give `ukey` as a number."""
        return int(self.ukey(path), 16)

    def modified(self, path: str) -> datetime:
        """Give the time when the bytes were made."""
        return datetime.fromtimestamp(self._lookup(path)[2].mtime_ns / 1e9, tz=UTC)

    def created(self, path: str) -> datetime:
        """Give the same as `modified`: datasets do not change."""
        return self.modified(path)

    # -- inside ----------------------------------------------------------------------------------------

    def _lookup(self, path: Any) -> tuple[str, Tree, Node]:
        prefix, text = self._split(path)
        tree = self._home.reading()
        return prefix, tree, tree.lookup(parse(text))

    def _is_folder(self, path: str) -> bool | None:
        """Tell whether a path is a folder; None when there is nothing, and when it can be no path."""
        try:
            return self._lookup(path)[2].is_dir
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _info(self, tree: Tree, node: Node, prefix: str, *, records: bool = False) -> Info:
        seconds = node.mtime_ns / 1e9
        kind = "directory" if node.is_dir else "file"
        info: Info = {"name": joined(prefix, node.path), "size": node.size, "type": kind}
        info |= {"mtime": seconds, "created": seconds, "ino": node.inode}
        # First what every filesystem has; a dimension may be called "size".
        return {**info, **tree.attributes(node, records=records), **info}

    def _globbed(self, path: str, maxdepth: int | None = None) -> list[tuple[str, Node]]:
        """Give what matches a pattern; selectors at its end are put after each name."""
        typed = self._strip_protocol(path)
        base, _ = split_selectors(typed)
        prefix, text = self._split(base)
        text += "/" if str(stringify_path(path)).endswith("/") else ""
        nodes = globbing.glob(self._home.reading(), text, globbing.translate(text), max_depth=maxdepth)
        return [(joined(prefix, node.path) + typed[len(base) :], node) for node in nodes]


def _walk(top: str, below: _Below, *, topdown: bool, detail: bool) -> Iterator[tuple[str, Any, Any]]:
    folders, files = below.get(top, ({}, {}))
    names = {name: str(info["name"]) for name, info in folders.items()}
    here: tuple[str, Any, Any] = (top, folders, files) if detail else (top, list(folders), list(files))
    if topdown:
        yield here
    # The caller may have taken folders out.
    for name in list(here[1]):
        if names[name] in below:
            yield from _walk(names[name], below, topdown=topdown, detail=detail)
    if not topdown:
        yield here


def _tell(error: OSError, on_error: str | Callable[[OSError], object]) -> None:
    if on_error == "raise":
        raise error
    if callable(on_error):
        on_error(error)


def _check_depth(maxdepth: int | None) -> None:
    if maxdepth is not None and maxdepth < 1:
        raise ValueError("maxdepth must be at least 1")
