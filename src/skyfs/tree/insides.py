"""Datasets that are folders in paths: what lies inside of them, and opening it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakValueDictionary

from ..abc.contents import Contents, Entry
from ..abc.source import ByteSource
from ..errors import BadPath, IsDirectory, NotFound, Unsupported
from ..formats.buffer import Buffer, HeldContents
from ..model.dataset import Location
from ..model.paths import Address, parse
from ..model.quoting import extension_at_end
from ..reading.converter import Converter
from ..reading.resolver import Named
from ..repository import Repository
from .node import Node

# What is known of so many datasets is kept: a program that reads chunks asks for one after the other.
_KEPT = 64
# And no more data of those that had to be expanded or converted as a whole.
_KEPT_BYTES = 256 << 20
_AS_ONE_FILE = ".zarr.zip"


class Insides:
    """Shows datasets as folders. Safe from several threads."""

    def __init__(self, repository: Repository, converter: Converter) -> None:
        self._repository = repository
        self._reader = repository.reader
        self._formats = repository.formats
        self._converter = converter
        self._kept: OrderedDict[object, Contents] = OrderedDict()
        self._turns: WeakValueDictionary[object, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def split(self, address: Address) -> tuple[Address, tuple[str, ...]] | None:
        """Tell a dataset that may be a folder from the names inside of it; None when there is none."""
        if address.keys:
            if not self._formats.is_folder(address.extension):
                return None
            return replace(address, inner=()), address.inner
        for width, part in enumerate(address.head, 1):
            if self._formats.is_folder(extension_at_end(part)) and self._is_dataset(address, width):
                return replace(address, head=address.head[:width]), address.head[width:]
        return None

    def is_folder(self, named: Named) -> bool:
        """Tell whether a dataset, in the format asked for, is a folder."""
        return named.component is None and self._formats.is_folder(named.extension)

    def could_be(self, address: Address) -> bool:
        """Tell whether a dataset at a path would be a folder, whether or not there is one."""
        if address.inner or address.selectors:
            return False
        last = address.head[-1] if address.head else ""
        return self._formats.is_folder(address.extension if address.keys else extension_at_end(last))

    def can(self, named: Named) -> bool:
        """Tell whether the dataset can be shown as the folder that is asked for."""
        if self._reader.stored(named.resolved, named.extension) is not None:
            return True
        shown = self._reader.shown(named.resolved).extension
        if not self._reader.is_apart(named.resolved) and self._formats.shows(shown, named.extension):
            return True
        return self._converter.can(named.resolved, None, _AS_ONE_FILE)

    def node(self, leaf: Node, inner: tuple[str, ...]) -> Node:
        """Give what lies inside of a dataset's folder.

        Raises
        ------
        NotFound
            When nothing does.
        """
        try:
            entry = self._contents(leaf).entry("/".join(inner))
        except NotFound as error:
            raise NotFound(f"nothing at {leaf.path}/{'/'.join(inner)}", error.asked, error.todo) from None
        return _node(leaf, entry)

    def as_file(self, node: Node) -> Node:
        """Give a dataset that is a folder as the one file that makes such a dataset.

        Raises
        ------
        IsDirectory
            When it is a folder inside of one.
        """
        named = _named(node)
        if node.inner:
            todo = "copy it to a local folder, then that into the repository"
            raise IsDirectory(f"copy {node.path!r} as a dataset", "it is a part of one", todo)
        place = self._reader.stored(named.resolved, named.extension)
        extension, size = (_AS_ONE_FILE, 0) if place is None else (place.extension, place.size)
        return replace(node, is_dir=False, stored_bytes=size, named=replace(named, extension=extension))

    def children(self, node: Node) -> Iterator[Node]:
        """List a folder: a dataset's, or one inside of it."""
        for entry in self._contents(node).children("/".join(node.inner)):
            child = _node(_leaf(node), entry)
            if _has_path(child):
                yield child

    def below(self, node: Node, max_depth: int | None = None) -> Iterator[Node]:
        """Give all folders and files below a folder, which may be so many parts longer than its path."""
        if max_depth is not None and max_depth < 1:
            return
        for child in self.children(node):
            yield child
            if child.is_dir:
                yield from self.below(child, None if max_depth is None else max_depth - 1)

    def open(self, node: Node) -> ByteSource:
        """Open a file inside; of the dataset little more is read than the file."""
        named = _named(node)
        place, source = self._open(named)
        try:
            return self._kept_or_read(named, place, source).open(source, "/".join(node.inner))
        except BaseException:
            source.close()
            raise

    # -- inside ----------------------------------------------------------------------------------------

    def _is_dataset(self, address: Address, width: int) -> bool:
        if address.service == (".by-id",):
            return width == 1
        leaf = replace(address, head=address.head[:width], selectors=())
        snapshot = self._repository.registry.current()
        return self._repository.resolver.split(snapshot, leaf) is not None

    def _open(self, named: Named) -> tuple[Location, ByteSource]:
        """Open the bytes that are shown as a folder: those stored so, else the nearest."""
        if self._reader.stored(named.resolved, named.extension) is not None:
            return self._reader.open(named.resolved, named.extension)
        if self._reader.is_apart(named.resolved):
            source = self._converter.open(named.resolved, None, _AS_ONE_FILE)
            return Location("", "", _AS_ONE_FILE, source.size, 0), source
        return self._reader.open(named.resolved)

    def _contents(self, node: Node) -> Contents:
        named = _named(node)
        place, source = self._open(named)
        with source:
            return self._kept_or_read(named, place, source)

    def _kept_or_read(self, named: Named, place: Location, source: ByteSource) -> Contents:
        # Another place may hold other bytes of the same dataset, written with another store's options.
        key = (named.resolved.ref.id, named.extension, place.store, place.key)
        # zarr asks for several files of a dataset at once: one of them reads, the others wait for it.
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                found = self._kept.get(key)
                if found is not None:
                    self._kept.move_to_end(key)
                    return found
            found = self._read(named, place, source)
            with self._lock:
                if named.resolved.ref.type.immutable:
                    self._kept[key] = found
                    self._forget()
            return found

    def _read(self, named: Named, place: Location, source: ByteSource) -> Contents:
        if self._formats.shows(place.extension, named.extension):
            try:
                return self._formats.contents(source, place.extension, named.extension)
            except Unsupported:
                pass
        converted = self._converter.open(named.resolved, None, _AS_ONE_FILE).read_all()
        contents = self._formats.contents(Buffer(converted), _AS_ONE_FILE, named.extension)
        return HeldContents(contents, converted)

    def _forget(self) -> None:
        """Forget what was not asked for longest, never the latest."""

        def size() -> int:
            return sum(contents.held_bytes for contents in self._kept.values())

        while len(self._kept) > 1 and (len(self._kept) > _KEPT or size() > _KEPT_BYTES):
            self._kept.popitem(last=False)


def _named(node: Node) -> Named:
    if node.named is None:
        raise NotFound(f"nothing inside of {node.path!r}", "it is no dataset")
    return node.named


def _leaf(node: Node) -> Node:
    """Give the dataset's folder that a node is, or lies in."""
    path = node.path if not node.inner else node.path.removesuffix("/" + "/".join(node.inner))
    return replace(node, path=path, is_dir=True, inner=())


def _node(leaf: Node, entry: Entry) -> Node:
    parts = tuple(entry.path.split("/")) if entry.path else ()
    path = "/".join((leaf.path, *parts))
    return Node(path, entry.is_dir, entry.size, leaf.stored_ns, leaf.named, inner=parts)


def _has_path(node: Node) -> bool:
    """Tell whether a path can name it: a name inside may hold what a path may not."""
    try:
        return str(parse(node.path)) == node.path
    except BadPath:
        return False
