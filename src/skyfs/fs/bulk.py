"""Many files at once, through fsspec: one question to the registry, then one call for each store."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import has_magic
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK, NoOpCallback
from fsspec.implementations.local import LocalFileSystem

from ..errors import BadArgument, BadPath, IsDirectory, NotFound
from ..model.paths import Address, parse
from ..model.selectors import is_pattern, split_selectors
from ..tree import Node, Tree
from ..tree.bulk import copy_nodes, copy_within, read_nodes, require_apart, take_in
from ..tree.globbing import find
from .calls import Pairs, arrivals, calls
from .instance import joined
from .looking import LookingFileSystem

# ruff: noqa: FBT001, FBT002, ANN401 - these signatures are fsspec's


class _Work(threading.local):
    """What a thread is about: the pairs of a copy that are being collected, and the nodes already known."""

    pairs: Pairs | None = None
    known: dict[str, tuple[str, Tree, Node]] | None = None


class BulkFileSystem(LookingFileSystem):
    """What `SkyFileSystem` does with many files in one call.

    fsspec expands patterns and names targets file by file; here the pairs are collected first, then what is
    far away is fetched together. What was found on the way is not looked up again.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._work = _Work()
        super().__init__(*args, **options)

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **options: Any) -> Any:
        """Give the bytes of a file; of several, of a pattern, or of all below a folder, by name.

        Parameters
        ----------
        path
            A path or a list of paths, with wildcards or without.
        recursive
            Whether folders stand for all files below them.
        on_error
            ``raise``, ``omit`` what fails, or ``return`` the exception in its place.
        **options
            ``start`` and ``end``, as for `cat_file`.
        """
        several = isinstance(path, list | tuple | set)
        if not several and not recursive and not is_pattern(self._strip_protocol(path)):
            return self.cat_file(path, **options)
        if options:
            return self._cat_parts(path, recursive, on_error, options)
        found: dict[str, bytes | Exception] = {}
        names: list[str] = []
        nodes: list[Node] = []
        with self._collecting():
            self._remember(path if several else ())
            for one in sorted(path) if several else [path]:
                try:
                    for name, _, node in self._expanded(one, recursive=recursive):
                        _require_file(node)
                        names.append(name)
                        nodes.append(node)
                except Exception as error:  # noqa: BLE001 - as on_error says
                    _settle(found, self._strip_protocol(one), error, on_error)
        for name, data in zip(names, read_nodes(self._home.reading(), nodes, _nothing), strict=True):
            if isinstance(data, bytes):
                found[name] = data
            else:
                _settle(found, name, data, on_error)
        return found

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **options: Any,
    ) -> None:
        """Copy files to local ones: a file, what matches a pattern, or with ``recursive`` a folder.

        A list of paths may go to a list of local ones; in one folder, files and folders of a list keep their
        last names. Files far away are fetched together; each is there when it is whole. The first that fails
        is raised, when all have been tried.

        Raises
        ------
        Exists
            When two files would have one name; nothing is copied then.
        """
        if self._is_part(rpath) and isinstance(lpath, str | os.PathLike):
            self._get_part(rpath, os.fspath(lpath), callback)
            return
        with self._collecting() as pairs:
            self._remember(rpath if isinstance(rpath, list) else ())
            for one, two in calls(self, rpath, lpath, recursive=recursive):
                super().get(one, two, recursive, NoOpCallback(), maxdepth, **options)
            found = [(*self._lookup(remote)[1:], remote, local) for remote, local in dict.fromkeys(pairs)]
        require_apart((remote, local) for _, node, remote, local in found if not node.is_dir)
        self._copy_out(found, callback)

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **options: Any,
    ) -> None:
        """Copy local files, and with ``recursive`` folders, to the paths of datasets: all of it or nothing.

        A local Zarr folder goes to a path ending with ``.zarr`` as one dataset. Options: as `put_file`.
        """
        with self._collecting() as pairs:
            asked = (LocalFileSystem(), lpath, rpath)
            for one, two in calls(*asked, recursive=recursive, is_dataset=self._is_dataset_folder):
                super().put(one, two, recursive, NoOpCallback(), maxdepth, **options)

        def is_dataset(one: str, two: str) -> bool:
            return recursive and os.path.isdir(one) and self._is_dataset_folder(two)

        files = arrivals(pairs, is_dataset=is_dataset, is_dir=os.path.isdir)
        if len(files) == 1 or self._intrans:
            for local, remote in files:
                self.put_file(local, remote, callback=callback, **options)
            return
        replace = self._replacing(options)
        addresses = [(local, parse(self._split(remote)[1])) for local, remote in files]
        take_in(self._home.writing(), addresses, replace=replace)
        callback.set_size(len(files))
        callback.absolute_update(len(files))

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        on_error: str | None = None,
        **options: Any,
    ) -> None:
        """Copy files within the repository, and with ``recursive`` folders: all of it or nothing.

        A Zarr dataset, which is a folder, goes to a path ending with ``.zarr`` as one dataset.
        """
        if self._is_part(path1):
            self.cp_file(path1, path2, **options)
            return

        def is_dataset(one: str, two: str) -> bool:
            return recursive and self._is_dataset_folder(two) and self._lookup(one)[2].is_dataset_folder

        with self._collecting() as pairs:
            self._remember(path1 if isinstance(path1, list) else ())
            for one, two in calls(
                self, path1, path2, recursive=recursive, is_dataset=self._is_dataset_folder
            ):
                super().copy(one, two, recursive, maxdepth, on_error, **options)
            files = arrivals(pairs, is_dataset=is_dataset, is_dir=lambda one: self._lookup(one)[2].is_dir)
            nodes = [self._lookup(one)[2] for one, _ in files]
        if len(files) == 1 or self._intrans:
            for one, two in files:
                self.cp_file(one, two, **options)
            return
        replace, tree = self._replacing(options), self._home.reading()
        nodes = [tree.insides.as_file(node) if node.is_dir else node for node in nodes]
        targets = [parse(self._split(two)[1]) for _, two in files]
        copies = list(zip(nodes, targets, strict=True))
        copy_within(tree, self._home.writing(), copies, _nothing, replace=replace)

    # -- inside: parts of datasets --------------------------------------------------------------------

    def _is_part(self, path: Any) -> bool:
        """Tell whether a path has selectors and no wildcards: fsspec takes the brackets for a pattern."""
        if not isinstance(path, str):
            return False
        base, selectors = split_selectors(self._strip_protocol(path))
        return bool(selectors) and not has_magic(base)

    def _get_part(self, remote: str, local: str, callback: Any) -> None:
        """Copy one part to a local file; into a folder by the last name of its path."""
        if local.endswith("/") or os.path.isdir(local):
            local = os.path.join(local, self._lookup(remote)[2].name)
        self.get_file(remote, local, callback=callback)

    # -- inside ----------------------------------------------------------------------------------------

    def _lookup(self, path: Any) -> tuple[str, Tree, Node]:
        known = self._work.known
        if known is None:
            return super()._lookup(path)
        name = self._strip_protocol(path)
        if name not in known:
            known[name] = super()._lookup(path)
        return known[name]

    def _globbed(self, path: str, maxdepth: int | None = None) -> list[tuple[str, Node]]:
        found = super()._globbed(path, maxdepth)
        if self._work.known is not None:
            prefix, tree = self._split(path)[0], self._home.reading()
            self._work.known |= {name: (prefix, tree, node) for name, node in found if not name.endswith("]")}
        return found

    def _remember(self, paths: Iterable[Any]) -> None:
        """Look many paths up at once, as far as they are plain ones of datasets."""
        names = {self._strip_protocol(path) for path in paths}
        if len(names) < 2 or self._work.known is None:
            return
        asked: dict[Address, list[tuple[str, str]]] = {}
        for name in names:
            prefix, text = self._split(name)
            with suppress(BadPath):  # raised when it is this path's turn
                asked.setdefault(parse(text), []).append((prefix, name))
        tree = self._home.reading()
        for address, node in tree.lookup_many(asked).items():
            self._work.known |= {name: (prefix, tree, node) for prefix, name in asked[address]}

    @contextmanager
    def _collecting(self) -> Iterator[Pairs]:
        """Let `get_file`, `put_file` and `cp_file` only note what they are asked for."""
        pairs: Pairs = []
        self._work.pairs, self._work.known = pairs, {}
        try:
            yield pairs
        finally:
            self._work.pairs, self._work.known = None, None

    def _collects(self, source: str, target: str) -> bool:
        """Note a pair, when pairs are being collected; tell whether they are."""
        if self._work.pairs is None:
            return False
        self._work.pairs.append((source, target))
        return True

    def _copy_out(self, found: Sequence[tuple[Tree, Node, str, str]], callback: Any) -> None:
        for _, node, _, local in found:
            os.makedirs(local if node.is_dir else os.path.dirname(local) or ".", exist_ok=True)
        files = [(node, remote, local) for _, node, remote, local in found if not node.is_dir]
        callback.set_size(len(files))
        if len(files) == 1:
            self._copy_one_out(*files[0], callback)
            return
        failures = copy_nodes(self._home.reading(), [(node, local) for node, _, local in files], _nothing)
        for (node, remote, local), failure in zip(files, failures, strict=True):
            if failure is None:
                with callback.branched(remote, local) as child:
                    child.set_size(node.size)
                    child.absolute_update(node.size)
                callback.relative_update(1)
        for failure in failures:
            if failure is not None:
                raise failure

    def _copy_one_out(self, node: Node, remote: str, local: str, callback: Any) -> None:
        """Copy one file, telling of its bytes. A device or a pipe is written to, not replaced."""
        with callback.branched(remote, local) as child:
            if os.path.exists(local) and not os.path.isfile(local):
                self.get_file(remote, local, callback=child)
            else:
                child.set_size(node.size)
                (failure,) = copy_nodes(self._home.reading(), [(node, local)], child.relative_update)
                if failure is not None:
                    raise failure
        callback.relative_update(1)

    def _is_dataset_folder(self, path: str) -> bool:
        """Tell whether a dataset at a path would be shown as a folder."""
        try:
            return self._home.reading().insides.could_be(parse(self._split(path)[1]))
        except BadPath:
            return False

    def _replacing(self, options: dict[str, Any]) -> bool:
        """Tell whether what is there may be replaced."""
        mode, replace = options.get("mode", "create"), options.get("replace", self._replace)
        unknown = set(options) - {"mode", "replace"}
        if mode not in ("create", "overwrite") or unknown:
            raise BadArgument(f"mode {mode!r}, options {sorted(unknown)}", "unknown", "create, or overwrite")
        return bool(replace) or mode == "overwrite"

    def _cat_parts(self, path: Any, recursive: bool, on_error: str, options: dict[str, Any]) -> Any:
        """Give a range of each of several files."""
        found: dict[str, bytes | Exception] = {}
        for one in sorted(path) if isinstance(path, list | tuple | set) else [path]:
            try:
                names = [name for name, _, _ in self._expanded(one, recursive=recursive)]
            except Exception as error:  # noqa: BLE001 - as on_error says
                _settle(found, self._strip_protocol(one), error, on_error)
                continue
            for name in names:
                try:
                    found[name] = self.cat_file(name, **options)
                except Exception as error:  # noqa: BLE001 - as on_error says
                    _settle(found, name, error, on_error)
        return found

    def _expanded(self, path: str, *, recursive: bool) -> Iterator[tuple[str, Tree, Node]]:
        """Give the files that a path stands for, each with its name: nothing is looked up twice."""
        tree = self._home.reading()
        if is_pattern(self._strip_protocol(path)):
            selectors = split_selectors(self._strip_protocol(path))[1]
            nodes = [
                (name, tree.part(node, selectors) if selectors else node)
                for name, node in self._globbed(path)
                if not (selectors and node.is_dir)
            ]
        else:
            nodes = [(self._strip_protocol(path), self._lookup(path)[2])]
        if not nodes:
            raise NotFound(f"nothing matches {path!r}")
        prefix = self._split(path)[0]
        for name, node in nodes:
            if node.is_dir and recursive:
                below = find(tree, parse(node.path))
                yield from ((joined(prefix, one.path), tree, one) for one in below if not one.is_dir)
            else:
                yield name, tree, node


def _settle(found: dict[str, bytes | Exception], name: str, error: Exception, on_error: str) -> None:
    """Raise an error, give it in the place of the bytes, or leave the file out."""
    if on_error == "raise":
        raise error
    if on_error == "return":
        found[name] = error


def _require_file(node: Node) -> None:
    if node.is_dir:
        raise IsDirectory(f"open {node.path!r}", "it is a directory")


def _nothing(_: int) -> None:
    """Drop what a call tells."""
