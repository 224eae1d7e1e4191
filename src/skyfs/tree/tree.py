"""Looking up, listing and opening by address."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..abc.source import ByteSource
from ..errors import Ambiguous, BadDataId, IsDirectory, NoBytes, NotAllowed, NotDirectory, NotFound
from ..formats.buffer import Buffer
from ..model.collection import CollectionKind
from ..model.dataid import Value
from ..model.dataset import Resolved
from ..model.paths import Address
from ..model.quoting import encode_name
from ..model.selectors import Selector
from ..reading.resolver import Named
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.levels import LevelFilter
from ..registry.lookup import by_group
from ..repository import Repository
from .attributes import attributes
from .entries import Entries, listed_folders
from .everything import Everything
from .folders import Folder, is_below, read_folder
from .insides import Insides
from .matching import Matching
from .naming import dataset_path
from .node import Listed, Node
from .services import PLAIN, Services
from .shown import Shown

# Expressions are kept with what is known of them; a mount is asked about one path of a tree after another.
_MAX_EXPRESSIONS = 64


class Tree:
    """Looks up, lists and opens what a repository holds, by address.

    Parameters
    ----------
    repository
        What is shown.
    collections
        Show only these collections, and those below them; default: all.
    status
        Gives what ``/.repo/status.json`` tells besides the repository: of the mount, say.
    """

    def __init__(
        self,
        repository: Repository,
        collections: Sequence[str] | None = None,
        *,
        status: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self.repository = repository
        self._visible = tuple(collections) if collections is not None else None
        self._registry = repository.registry
        self.insides = Insides(repository, repository.converter)
        self.born_ns = (repository.root / "skyfs.yaml").stat().st_mtime_ns
        self._services = Services(repository, self.born_ns, status)
        self._everything = Everything(repository.registry)
        self._lists = Entries(repository)
        self._matching: OrderedDict[str, Matching] = OrderedDict()
        self._lock = threading.Lock()
        elided = repository.elided
        # What is kept in memory is a tree of its own, laid over this one.
        self.over = None if elided is None else Tree(elided.repository, collections)

    # -- one -------------------------------------------------------------------------------------------

    def lookup(self, address: Address) -> Node:
        """Give the node at an address.

        Raises
        ------
        NotFound
            When there is nothing.
        NoBytes
            When the dataset is declared only.
        InvalidQuery
            When the expression of ``/.where/<expression>`` means nothing.
        """
        if self.over is not None and address.head and address.service not in PLAIN:
            try:
                return self.over.lookup(address)
            except NotFound:
                pass
        inside = self.insides.split(address)
        if inside is not None and inside[1]:
            return self._inside(*inside)
        if address.service in PLAIN:
            return self._virtual(address)
        shown = self.shown(address.service)
        if not address.head:
            return self._directory(address)
        try:
            named = self.repository.resolver.dataset(address)
            self._require_visible(named.collection, address)
            self._require_shown(shown, named, address)
            return self._file(address, named)
        except NoBytes:
            raise
        except (NotFound, IsDirectory, Ambiguous):
            if address.extension and address.keys:
                raise
        except BadDataId as error:
            raise NotFound(f"nothing at {str(address)!r}", str(error)) from None
        return self._existing_directory(address)

    def lookup_many(self, addresses: Iterable[Address]) -> dict[Address, Node]:
        """Give the nodes of many datasets in RUNs, by their canonical paths; other addresses are left out.

        One question for each RUN and type, and some hundred datasets.
        """
        snapshot = self._registry.current()
        groups: dict[tuple[str, str], dict[tuple[Value, ...], Address]] = {}
        for address in addresses if self.over is None else ():
            row = self._row(snapshot, address)
            if row is not None:
                groups.setdefault((address.collection, address.type_name), {})[row] = address
        found: dict[Address, Node] = {}
        for (collection, type_name), rows in groups.items():
            run, entry = snapshot.collections[collection], snapshot.types[type_name]
            members = self._registry.lookup.members(snapshot, entry, run, list(rows))
            for row, resolved in members.items():
                named = Named(resolved, collection, None, rows[row].extension)
                if resolved.locations and self._is_stored(named) and not self.insides.is_folder(named):
                    found[rows[row]] = self._file(rows[row], named)
        return found

    def _row(self, snapshot: Snapshot, address: Address) -> tuple[Value, ...] | None:
        """Give the values of a canonical path of a dataset in a RUN; None for others."""
        plain = not (address.service or address.selectors or address.inner) and address.keys
        if not plain or address.component is not None:
            return None
        run, entry = snapshot.collections.get(address.collection), snapshot.types.get(address.type_name)
        if run is None or entry is None or run.collection.kind is not CollectionKind.RUN:
            return None
        if tuple(name for name, _ in address.keys) != entry.group.levels:
            return None
        try:
            self._require_visible(address.collection, address)
            levels, _ = self._registry.data_ids.split(entry.group, dict(address.keys))
        except (NotFound, BadDataId):
            return None  # looking it up by itself tells what is wrong
        return tuple(levels[name] for name in entry.group.levels)

    def open(self, address: Address) -> tuple[Node, ByteSource]:
        """Open a file for reading; the caller closes the source.

        Raises
        ------
        IsDirectory, NotFound, NoBytes
            When there is no file with bytes.
        """
        node = self.lookup(address)
        return node, self.open_node(node)

    def open_node(self, node: Node, *, whole: bool = False, as_stored: bool = False) -> ByteSource:
        """Open a file that was looked up; of a dataset no statement is run.

        Parameters
        ----------
        whole, as_stored
            As `Opener.open`.
        """
        if node.is_dir:
            raise IsDirectory(f"open {node.path!r}", "it is a directory")
        if node.content is not None:
            return Buffer(node.content.data)
        if node.named is None:
            return Buffer(b"")
        if node.inner:
            return self.insides.open(node)
        named = node.named
        if node.selectors:
            parter = self.repository.parter
            return parter.open(named.resolved, named.component, named.extension, node.selectors)
        opener = self.repository.opener
        asked = (named.resolved, named.component, named.extension)
        return opener.open(*asked, whole=whole, as_stored=as_stored)

    def is_stored(self, node: Node) -> bool:
        """Tell whether a file is the bytes of a dataset, or of a component, as some store has them."""
        return node.named is not None and node.is_dataset and self._is_stored(node.named)

    def children(self, address: Address) -> list[Node]:
        """List a folder, sorted by name.

        Raises
        ------
        NotFound
            When there is none.
        NotDirectory
            When it is a file.
        InvalidQuery
            When the expression of ``/.where/<expression>`` means nothing.
        """
        apart = self._apart(address)
        if apart is not None:
            found = list(apart)
        else:
            found = list(self._children(address))
            found += () if self.over is None else self._only_over(address, found)
        if not found:
            self._require_folder(address)
        return sorted(found, key=lambda node: node.name)

    def entries(self, address: Address) -> Iterator[Listed]:
        """List a folder as `children` does, without a node for each, and in no order.

        Of a folder with many datasets, those of each statement (20 000 rows) are made while they are iterated
        over. The errors are those of `children`.
        """
        apart, empty = self._apart(address), True
        over: dict[str, Node] = {}
        listed: Iterator[Listed]
        if apart is not None:
            listed = (node.listed for node in apart)
        else:
            listed = self._entries(self._registry.current(), address)
            over = {} if self.over is None else {node.name: node for node in self.over.contents(address)}
        for one in listed:
            empty = False
            over.pop(one.name, None)
            yield one
        # What is in memory alone.
        yield from (node.listed for node in over.values())
        if empty and not over:
            self._require_folder(address)

    def _apart(self, address: Address) -> Iterator[Node] | None:
        """List a folder that is no part of the tree of collections: of a service, or within a dataset."""
        dataset = self._dataset_folder(address)
        if dataset is not None:
            return self.insides.children(dataset)
        return self._services.files(address) if address.service in PLAIN else None

    def _require_folder(self, address: Address) -> None:
        """Refuse what is no folder, though it may have nothing in it."""
        if (address.head or address.keys) and not self.lookup(address).is_dir:
            raise NotDirectory(f"list {str(address)!r}", "it is a file")

    def _only_over(self, address: Address, found: Sequence[Node]) -> list[Node]:
        """Give the children that are in memory alone."""
        names = {node.name for node in found}
        over = self.over
        return [] if over is None else [node for node in over.contents(address) if node.name not in names]

    def split_inside(self, address: Address) -> tuple[Address, tuple[str, ...]] | None:
        """Tell a dataset that may be a folder from the names inside of it; None when there is none."""
        found = self.insides.split(address)
        return self.over.split_inside(address) if found is None and self.over is not None else found

    def contents(self, address: Address) -> list[Node]:
        """List a folder of the tree of datasets; empty when there is none."""
        return list(self._children(address))

    def attributes(self, node: Node, *, records: bool = True) -> dict[str, object]:
        """Give all that is known of a dataset without opening it: ids, digest, values, records, captures.

        Without ``records`` no statement is run.
        """
        return attributes(self.repository, node, records=records)

    # -- many ------------------------------------------------------------------------------------------

    def shown(self, service: tuple[str, ...]) -> Shown:
        """Give which datasets a service directory shows; ``()`` is the tree itself.

        Raises
        ------
        InvalidQuery
            When its expression means nothing.
        """
        if service[:1] != (".where",):
            return self._everything
        expression = service[1]
        with self._lock:
            found = self._matching.setdefault(expression, Matching(self._registry, expression))
            self._matching.move_to_end(expression)
            if len(self._matching) > _MAX_EXPRESSIONS:
                self._matching.popitem(last=False)
        found.check(self._registry.current())
        return found

    def files(self, address: Address) -> Iterator[Node]:
        """Give all datasets below a folder, files and folders: one statement for each dimension group."""
        dataset = self._dataset_folder(address)
        if dataset is not None:
            yield dataset
            return
        if address.service in PLAIN:
            yield from self._services.files(address)
            return
        if self.over is not None:
            yield from self.over.files(address)
        snapshot = self._registry.current()
        folder = self._folder(snapshot, address)
        if folder is not None:
            yield from self._leaves(snapshot, [folder.collection], [folder.entry], folder.filters, address)
        else:
            below = self._below(snapshot, address.head)
            held = self.shown(address.service).held(snapshot, below)
            names = {name for types in held.values() for name in types}
            types = [snapshot.types[name] for name in sorted(names)]
            yield from self._leaves(snapshot, below, types, LevelFilter(), address)
        if address.head and not address.keys:
            yield from self._own_leaf(snapshot, address)

    def collections(self, snapshot: Snapshot) -> list[CollectionEntry]:
        """Give the collections that are shown."""
        entries = snapshot.collections.values()
        return [one for one in entries if self._is_visible(one.collection.name)]

    def require_among(self, what: str, collection: str) -> None:
        """Refuse what is done to a collection that is not shown.

        Raises
        ------
        NotAllowed
            When only others are shown here.
        """
        if not self._is_visible(collection):
            names = ", ".join(self._visible or ())
            raise NotAllowed(what, f"only {names} and what is below is shown here", "use a path there")

    def type_folder(self, address: Address) -> Node | None:
        """Give the folder at or below a dataset type that an address names; None when it is empty."""
        snapshot = self._registry.current()
        folder = self._folder(snapshot, address)
        found = folder is not None and self._has_content(snapshot, folder)
        return self._directory(folder.canonical) if folder is not None and found else None

    def collection_folder(self, address: Address) -> Node | None:
        """Give the folder of collections that an address names; None when nothing is stored there."""
        snapshot = self._registry.current()
        shown = self.shown(address.service)
        found = not address.keys and shown.held(snapshot, self._below(snapshot, address.head))
        return self._directory(address) if found else None

    def folder(self, path: str) -> Node:
        """Give a folder that is known to exist, by its canonical path."""
        return Node(path, is_dir=True, stored_ns=self.born_ns)

    def node(self, collection: str, resolved: Resolved, like: Address) -> Node:
        """Give the file of a dataset in a collection, in the tree that ``like`` is of."""
        place = self.repository.reader.shown(resolved)
        component = like.component if like.keys else None
        named = Named(resolved, collection, component, place.extension)
        path = dataset_path(named, like.service)
        if self.insides.is_folder(named):
            return Node(path, is_dir=True, stored_ns=place.mtime_ns, named=named)
        return Node(path, is_dir=False, stored_bytes=place.size, stored_ns=place.mtime_ns, named=named)

    def part(self, node: Node, selectors: Sequence[Selector]) -> Node:
        """Give the part of a dataset's file that selectors name; it is made, to know its size.

        Raises
        ------
        NotFound
            When the node is no dataset.
        BadArgument
            When the selectors do not fit the dataset; the message says what is there.
        Unsupported
            When no selectors, or not these, cut its format.
        """
        if node.named is None:
            found = "it is a folder" if node.is_dir else "it is no dataset"
            raise NotFound(f"the part {''.join(map(str, selectors))} of {node.path!r}", found)
        path = node.path + "".join(map(str, selectors))
        part = replace(node, path=path, selectors=tuple(selectors))
        with self.open_node(part) as source:
            return replace(part, stored_bytes=source.size)

    # -- inside: files ---------------------------------------------------------------------------------

    def _is_stored(self, named: Named) -> bool:
        return self.repository.reader.stored(named.resolved, named.extension, named.component) is not None

    def _require_visible(self, collection: str, address: Address) -> None:
        if not self._is_visible(collection):
            raise NotFound(f"nothing at {str(address)!r}", "only some collections are shown here")

    def _is_visible(self, collection: str) -> bool:
        return self._visible is None or any(is_below(collection, name) for name in self._visible)

    def _require_shown(self, shown: Shown, named: Named, address: Address) -> None:
        if shown is self._everything:
            return
        if not shown.admits(self._registry.current(), named.collection, named.resolved):
            raise NotFound(
                f"no dataset {str(address)!r}", "there is one, but it does not match the expression"
            )

    def _file(self, address: Address, named: Named) -> Node:
        ref = named.resolved.ref
        if not named.resolved.locations:
            raise NoBytes(
                f"open {str(address)!r}", "it is declared, but no store has its bytes", "put or ingest them"
            )
        if address.inner:
            raise NotFound(f"nothing at {str(address)!r}", "the dataset is one file")
        if ref.valid is not None and "valid" not in dict(address.keys) and not address.extension:
            raise NotFound(f"no file {str(address)!r}")
        if address.service == (".hive",) and not address.extension and ref.type.group.required:
            raise NotFound(f"no file {str(address)!r}")
        reader = self.repository.reader
        place = reader.stored(named.resolved, named.extension, named.component) or reader.shown(
            named.resolved
        )
        if address.service != (".by-id",):
            path = dataset_path(named, address.service)
        else:
            path = f"/.by-id/{ref.id}{named.extension}"
        node = Node(path, False, place.size, place.mtime_ns, named)  # noqa: FBT003
        return self.part(node, address.selectors) if address.selectors else self._sized(node, address)

    def _sized(self, node: Node, address: Address) -> Node:
        """Give a file the size that it has in the format asked for."""
        named = node.named
        if named is not None and self.insides.is_folder(named) and self.insides.can(named):
            return replace(node, is_dir=True, stored_bytes=0)
        if named is None or self._is_stored(named):
            return node
        converter = self.repository.converter
        if not converter.can(named.resolved, named.component, named.extension):
            stored = self.repository.reader.shown(named.resolved).extension
            found = f"it is stored as {stored!r}, which does not convert to {named.extension!r}"
            raise NotFound(f"no file {str(address)!r}", found)
        with converter.open(named.resolved, named.component, named.extension) as source:
            return replace(node, stored_bytes=source.size)

    def _inside(self, address: Address, inner: tuple[str, ...]) -> Node:
        """Give what lies inside of a dataset."""
        leaf = self.lookup(address)
        if not leaf.is_dir or leaf.named is None:
            raise NotFound(f"nothing at {address!s}/{'/'.join(inner)}", "no dataset is a folder there")
        return self.insides.node(leaf, inner)

    def _dataset_folder(self, address: Address) -> Node | None:
        """Give the folder that an address names, when it is a dataset or lies inside of one."""
        if self.split_inside(address) is None:
            return None
        node = self.lookup(address)
        return node if node.is_dir and node.named is not None else None

    def _own_leaf(self, snapshot: Snapshot, address: Address) -> Iterator[Node]:
        """Give the file that the address itself is, when it is one."""
        if self.repository.resolver.split(snapshot, address) is not None:
            try:
                node = self.lookup(address)
            except NotFound:
                return
            if node.is_dataset:
                yield node

    # -- inside: folders -------------------------------------------------------------------------------

    def _directory(self, address: Address) -> Node:
        return self.folder(str(address))

    def _existing_directory(self, address: Address) -> Node:
        node = self.type_folder(address) or self.collection_folder(address)
        if node is None:
            found = "nothing there matches the expression" if address.service[:1] == (".where",) else ""
            raise NotFound(f"nothing at {str(address)!r}", found)
        return node

    def _has_content(self, snapshot: Snapshot, folder: Folder) -> bool:
        found = self.shown(folder.address.service).directories(
            snapshot,
            [folder.entry],
            [folder.collection],
            folder.filters,
            folder.depth,
            ranges=folder.is_full and not folder.in_hive,
        )
        return any(True for _ in found)

    def _folder(self, snapshot: Snapshot, address: Address) -> Folder | None:
        """Read an address as a folder at or below a dataset type, of a collection that is shown."""
        found = read_folder(self.repository.finder, snapshot, address)
        return found if found is not None and found.collection in self.collections(snapshot) else None

    def _below(self, snapshot: Snapshot, head: Sequence[str]) -> list[CollectionEntry]:
        """Give the collections whose names are, or lie below, a folder."""
        shown = self.collections(snapshot)
        return [one for one in shown if not head or is_below(one.collection.name, "/".join(head))]

    def _children(self, address: Address) -> Iterator[Node]:
        snapshot = self._registry.current()
        names, types = self._names(snapshot, address)
        for name in names:
            yield self._directory(replace(address, head=(*address.head, name)))
        yield from self._files(snapshot, address, types)
        folder = self._folder(snapshot, address)
        if folder is not None:
            yield from self._last_level(snapshot, folder)
            for value in self._next_level(snapshot, folder):
                yield self._directory(folder.below(value))

    def _entries(self, snapshot: Snapshot, address: Address) -> Iterator[Listed]:
        names, types = self._names(snapshot, address)
        yield from listed_folders(str(address), map(encode_name, names), self.born_ns)
        yield from (node.listed for node in self._files(snapshot, address, types))
        folder = self._folder(snapshot, address)
        if folder is None:
            return
        if self._lists.can(snapshot, folder):
            yield from self._lists.datasets(self.shown(address.service), snapshot, folder)
            return
        yield from (node.listed for node in self._last_level(snapshot, folder))
        if not folder.is_full:
            yield from self._lists.folders(folder, self._next_level(snapshot, folder), self.born_ns)

    def _names(self, snapshot: Snapshot, address: Address) -> tuple[list[str], list[TypeEntry]]:
        """Give the names of collections and types in a folder, and the types whose datasets lie in it."""
        if address.keys:
            return [], []
        held = self.shown(address.service).held(snapshot, self._below(snapshot, address.head))
        width = len(address.head)
        own = "/".join(address.head)
        names = {name.split("/")[width] for name in held if name != own}
        types = [snapshot.types[name] for name in held.get(own, ())]
        names |= {entry.type.name for entry in types if entry.group.required}
        return sorted(names), [entry for entry in types if not entry.group.required]

    def _files(self, snapshot: Snapshot, address: Address, types: Sequence[TypeEntry]) -> Iterator[Node]:
        """Give the datasets without dimensions in a collection."""
        own = [snapshot.collections["/".join(address.head)]] if types else []
        return self._leaves(snapshot, own, types, LevelFilter(), address)

    def _last_level(self, snapshot: Snapshot, folder: Folder) -> Iterator[Node]:
        """Give the datasets in a folder below a type."""
        hive = folder.in_hive
        if folder.is_full or (not hive and folder.depth == len(folder.entry.group.levels) - 1):
            files = self._leaves(
                snapshot, [folder.collection], [folder.entry], folder.filters, folder.canonical
            )
            yield from (node for node in files if hive or folder.is_full == _is_valid(node))

    def _next_level(self, snapshot: Snapshot, folder: Folder) -> list[Value]:
        """Give the values whose folders lie in a folder below a type."""
        if folder.is_full:
            return []
        found = self.shown(folder.address.service).directories(
            snapshot,
            [folder.entry],
            [folder.collection],
            folder.filters,
            folder.depth + 1,
            ranges=folder.depth == len(folder.entry.group.levels) - 1 and not folder.in_hive,
        )
        return list(dict.fromkeys(directory.values[-1] for directory in found))

    def _leaves(
        self,
        snapshot: Snapshot,
        collections: Sequence[CollectionEntry],
        types: Sequence[TypeEntry],
        filters: LevelFilter,
        like: Address,
    ) -> Iterator[Node]:
        shown = self.shown(like.service)
        for some in by_group(types).values():
            for collection, resolved in shown.datasets(snapshot, collections, some, filters):
                yield self.node(collection.collection.name, resolved, like)

    # -- inside: service directories -------------------------------------------------------------------

    def _virtual(self, address: Address) -> Node:
        if address.service == (".by-id",) and address.head:
            return self._file(address, self.repository.resolver.dataset(address))
        if not address.head:
            return self._directory(address)
        node = self._services.file(address)
        if node is None:
            raise NotFound(f"nothing at {str(address)!r}", *self._services.known(address))
        return node


def _is_valid(node: Node) -> bool:
    return node.named is not None and node.named.resolved.ref.valid is not None
