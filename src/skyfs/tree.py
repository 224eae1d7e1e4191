"""The repository as folders and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from .abc.source import ByteSource
from .converting import Converter
from .errors import Ambiguous, BadDataId, IsDirectory, NoBytes, NotDirectory, NotFound, Unsupported
from .formats.buffer import Buffer
from .model.collection import CollectionKind
from .model.dataset import Resolved
from .model.paths import SERVICES, Address, split_type
from .model.quoting import encode_name, encode_value
from .registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from .registry.levels import LevelFilter
from .registry.lookup import Found, by_group
from .repository import Repository
from .resolving import Named


@dataclass(frozen=True, slots=True)
class Node:
    """A folder or a file of the tree.

    Attributes
    ----------
    path
        The canonical path.
    is_dir
        Folder or file.
    size
        In bytes; 0 for folders.
    mtime_ns
        When the bytes were made.
    named
        The dataset of a file.
    content
        The bytes of a file that is no dataset, such as ``/.repo/version``.
    """

    path: str
    is_dir: bool
    size: int = 0
    mtime_ns: int = 0
    named: Named | None = None
    content: bytes | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def inode(self) -> int:
        """A number that stays the same for this dataset or path, on every machine."""
        identity = (
            self.path.encode()
            if self.named is None
            else self.named.resolved.ref.id.bytes + self.name.encode()
        )
        # 63 bits: some programs keep inodes in a signed number. 0 and 1 have a meaning of their own.
        return (int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest(), "big") >> 1) | 2


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder at or below a dataset type: which type in which collection, and the levels given."""

    address: Address
    collection: CollectionEntry
    entry: TypeEntry
    component: str | None
    levels: Mapping[str, int | str]

    @property
    def depth(self) -> int:
        return len(self.levels)


class Tree:
    """Looks up, lists and opens what a repository holds, by address.

    Parameters
    ----------
    repository
        What is shown.
    collections
        Show only these collections, and those below them; default: all.
    """

    def __init__(self, repository: Repository, collections: Sequence[str] | None = None) -> None:
        self.repository = repository
        self._visible = tuple(collections) if collections is not None else None
        self._registry = repository.registry
        self._converter = Converter(repository.reader, repository.formats)
        self.born_ns = (repository.root / "skyfs.yaml").stat().st_mtime_ns

    # -- one -------------------------------------------------------------------------------------------

    def lookup(self, address: Address) -> Node:
        """Give the node at an address.

        Raises
        ------
        NotFound
            When there is nothing.
        NoBytes
            When the dataset is declared only.
        """
        if address.service[:1] in _VIRTUAL:
            return self._virtual(address)
        if not address.head:
            return self._directory(address)
        try:
            named = self.repository.resolver.dataset(address)
            self._require_visible(named.collection, address)
            return self._file(address, named)
        except NoBytes:
            raise
        except (NotFound, IsDirectory, Ambiguous):
            if address.extension and address.keys:
                raise
        except BadDataId as error:
            raise NotFound(f"nothing at {str(address)!r}", str(error)) from None
        return self._existing_directory(address)

    def open(self, address: Address) -> tuple[Node, ByteSource]:
        """Open a file for reading; the caller closes the source.

        Raises
        ------
        IsDirectory, NotFound, NoBytes
            When there is no file with bytes.
        """
        node = self.lookup(address)
        return node, self.open_node(node)

    def open_node(self, node: Node) -> ByteSource:
        """Open a file that was looked up; no statement is run."""
        if node.is_dir:
            raise IsDirectory(f"open {node.path!r}", "it is a directory")
        if node.named is None:
            return Buffer(node.content or b"")
        named = node.named
        if self._is_stored(named):
            return self.repository.open_bytes(named.resolved)[1]
        return self._converter.open(named.resolved, named.component, named.extension)

    def children(self, address: Address) -> list[Node]:
        """List a folder, sorted by name.

        Raises
        ------
        NotFound
            When there is none.
        NotDirectory
            When it is a file.
        """
        if address.service[:1] in _VIRTUAL:
            found = list(_virtual_children(self, address))
        else:
            found = list(self._children(self._registry.current(), address))
        if not found and (address.head or address.keys) and not self.lookup(address).is_dir:
            raise NotDirectory(f"list {str(address)!r}", "it is a file")
        return sorted(found, key=lambda node: node.name)

    def attributes(self, node: Node, *, records: bool = True) -> dict[str, object]:
        """Give all that is known of a dataset without opening it: ids, digest, values and record columns.

        Without ``records`` no statement is run.
        """
        if node.named is None:
            return {}
        resolved = node.named.resolved
        ref = resolved.ref
        place = self.repository.reader.places(resolved)[0]
        found: dict[str, object] = {"id": str(ref.id), "dataset_type": ref.type.name, "run": ref.run}
        found |= {"storage_class": ref.type.storage_class, "filename": filename(node.named, place.extension)}
        found["sha256"] = place.sha256.hex() if place.sha256 and self._is_stored(node.named) else None
        if ref.valid is not None:
            found["valid"] = str(ref.valid)
        columns = self._record_values(resolved) if records else {}
        return {**columns, **found, **dict(ref.data_id.levels)}

    # -- many ------------------------------------------------------------------------------------------

    def files(self, address: Address, filters: LevelFilter | None = None) -> Iterator[Node]:
        """Give all files below a folder: one statement for each dimension group."""
        snapshot = self._registry.current()
        folder = self._folder(snapshot, address)
        if folder is not None:
            exact = LevelFilter(folder.levels, {})
            yield from self._leaves(snapshot, [folder.collection], [folder.entry], exact, address)
        else:
            below = self._below(snapshot, address.head)
            types = self.types_in(snapshot, below)
            yield from self._leaves(snapshot, below, types, filters or LevelFilter({}, {}), address)
        if address.head and not address.keys:
            yield from self._own_leaf(snapshot, address)

    def collections(self, snapshot: Snapshot) -> list[CollectionEntry]:
        """Give the collections that are shown."""
        entries = snapshot.collections.values()
        if self._visible is None:
            return list(entries)
        return [one for one in entries if any(_is_below(one.collection.name, name) for name in self._visible)]

    def held(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> dict[str, set[str]]:
        """Give, for each collection that holds stored datasets, the names of their types."""
        listed = list(collections)
        flat = {one.collection.name: snapshot.flatten([one.collection.name]) for one in listed}
        needed = {entry.id: entry for entries in flat.values() for entry in entries}
        types = list(snapshot.types.values())
        summary = self._registry.holdings.stored(snapshot, needed.values()) if types else {}
        held = {
            name: {type_name for entry in entries for type_name in summary.get(entry.collection.name, ())}
            for name, entries in flat.items()
        }
        return {name: types for name, types in held.items() if types}

    def types_in(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> list[TypeEntry]:
        """Give the types of which the collections, chains followed, hold stored datasets."""
        held = self.held(snapshot, collections)
        names = {name for types in held.values() for name in types}
        return [snapshot.types[name] for name in sorted(names)]

    def select(
        self,
        snapshot: Snapshot,
        shown: Sequence[CollectionEntry],
        types: Sequence[TypeEntry],
        filters: LevelFilter,
    ) -> Iterator[tuple[CollectionEntry, Resolved]]:
        """Give datasets of types of one group as each collection shows them: the first of a chain wins."""
        needed = {entry.id: entry for one in shown for entry in snapshot.flatten([one.collection.name])}
        if not any(entry.type.calibration for entry in types):
            needed = {
                key: one
                for key, one in needed.items()
                if one.collection.kind is not CollectionKind.CALIBRATION
            }
        by_collection: dict[str, list[Found]] = {}
        for found in self._registry.lookup.datasets(snapshot, types, needed.values(), filters):
            by_collection.setdefault(found.collection, []).append(found)
        for one in shown:
            seen: set[object] = set()
            members = snapshot.flatten([one.collection.name])
            for member in members:
                for found in by_collection.get(member.collection.name, ()):
                    ref = found.resolved.ref
                    identity = (ref.type.name, ref.data_id.row, ref.valid)
                    if len(members) == 1 or identity not in seen:
                        seen.add(identity)
                        yield one, found.resolved

    def type_folder(self, address: Address) -> Node | None:
        """Give the folder at or below a dataset type that an address names; None when it is empty."""
        snapshot = self._registry.current()
        folder = self._folder(snapshot, address)
        found = folder is not None and self._has_content(snapshot, folder)
        return self._directory(_canonical(folder)) if folder is not None and found else None

    def collection_folder(self, address: Address) -> Node | None:
        """Give the folder of collections that an address names; None when nothing is stored there."""
        snapshot = self._registry.current()
        found = not address.keys and self.held(snapshot, self._below(snapshot, address.head))
        return self._directory(address) if found else None

    def folder(self, path: str) -> Node:
        """Give a folder that is known to exist, by its canonical path."""
        return Node(path, is_dir=True, mtime_ns=self.born_ns)

    def node(self, collection: str, resolved: Resolved, like: Address) -> Node:
        """Give the file of a dataset in a collection, in the tree that ``like`` is of."""
        place = self.repository.reader.places(resolved)[0]
        component = like.component if like.keys else None
        named = Named(resolved, collection, component, place.extension)
        path = dataset_path(named, hive=like.service == (".hive",))
        return Node(path, is_dir=False, size=place.size, mtime_ns=place.mtime_ns, named=named)

    # -- inside: files ---------------------------------------------------------------------------------

    def _is_stored(self, named: Named) -> bool:
        places = self.repository.reader.places(named.resolved)
        return named.component is None and places[0].extension == named.extension

    def _require_visible(self, collection: str, address: Address) -> None:
        if self._visible is not None and not any(_is_below(collection, name) for name in self._visible):
            raise NotFound(f"nothing at {str(address)!r}", "only some collections are shown here")

    def _file(self, address: Address, named: Named) -> Node:
        ref = named.resolved.ref
        if not named.resolved.locations:
            raise NoBytes(
                f"open {str(address)!r}", "it is declared, but no store has its bytes", "put or ingest them"
            )
        if address.selectors:
            todo = "leave the selector out, and take the part of what get() gives"
            raise Unsupported(f"open {str(address)!r}", "this version serves whole datasets", todo)
        if address.inner:
            raise NotFound(f"nothing at {str(address)!r}", "the dataset is one file")
        hive = address.service == (".hive",)
        if ref.valid is not None and "valid" not in dict(address.keys) and not address.extension:
            raise NotFound(f"no file {str(address)!r}")
        if hive and not address.extension and ref.type.group.required:
            raise NotFound(f"no file {str(address)!r}")
        place = self.repository.reader.places(named.resolved)[0]
        if address.service != (".by-id",):
            path = dataset_path(named, hive=hive)
        else:
            path = f"/.by-id/{ref.id}{named.extension}"
        if self._is_stored(named):
            return Node(path, is_dir=False, size=place.size, mtime_ns=place.mtime_ns, named=named)
        if not self._converter.can(named.resolved, named.component, named.extension):
            found = f"it is stored as {place.extension!r}, which does not convert to {named.extension!r}"
            raise NotFound(f"no file {str(address)!r}", found)
        with self._converter.open(named.resolved, named.component, named.extension) as source:
            return Node(path, is_dir=False, size=source.size, mtime_ns=place.mtime_ns, named=named)

    def _own_leaf(self, snapshot: Snapshot, address: Address) -> Iterator[Node]:
        """Give the file that the address itself is, when it is one."""
        if self.repository.resolver.split(snapshot, address) is not None:
            try:
                node = self.lookup(address)
            except NotFound:
                return
            if not node.is_dir:
                yield node

    def _record_values(self, resolved: Resolved) -> dict[str, object]:
        universe = self._registry.universe
        values: dict[str, object] = dict(resolved.ref.data_id.levels)
        found: dict[str, object] = {}
        waiting = list(resolved.ref.data_id)
        for name in waiting:
            element = universe.element(name)
            if not element.has_records or any(part not in values for part in element.identity):
                continue
            same = {part: values[part] for part in element.identity}
            for record in self._registry.records.select(name, same):
                found |= {
                    f"{name}.{key}": value
                    for key, value in record.items()
                    if _is_plain(value) and key not in same
                }
                new = [
                    part for part in element.implies if record.get(part) is not None and part not in values
                ]
                values |= {part: record[part] for part in new}
                waiting += new
        return found | {name: value for name, value in values.items() if _is_plain(value)}

    # -- inside: folders -------------------------------------------------------------------------------

    def _directory(self, address: Address) -> Node:
        return self.folder(str(address))

    def _existing_directory(self, address: Address) -> Node:
        node = self.type_folder(address) or self.collection_folder(address)
        if node is None:
            raise NotFound(f"nothing at {str(address)!r}")
        return node

    def _has_content(self, snapshot: Snapshot, folder: _Folder) -> bool:
        order = snapshot.flatten([folder.collection.collection.name])
        full = folder.depth == len(folder.entry.group.levels)
        if full and folder.address.service != (".hive",):
            order = tuple(one for one in order if one.collection.kind is CollectionKind.CALIBRATION)
        filters = LevelFilter(folder.levels, {})
        found = self._registry.lookup.directories(snapshot, [folder.entry], order, filters, folder.depth)
        return any(True for _ in found)

    def _folder(self, snapshot: Snapshot, address: Address) -> _Folder | None:
        """Read an address as a folder at or below a dataset type."""
        if len(address.head) < 2 or address.extension:
            return None
        named = split_type(address.head[-1])
        collection = snapshot.collections.get("/".join(address.head[:-1]))
        entry = snapshot.types.get(named[0]) if named else None
        if named is None or collection is None or entry is None or not entry.group.required:
            return None
        if collection not in self.collections(snapshot):
            return None
        try:
            wanted = self.repository.finder.wanted(entry, dict(address.keys))
        except (BadDataId, NotFound):
            return None
        levels = wanted.filters.exact
        if set(levels) != set(entry.group.levels[: len(levels)]):
            return None
        return _Folder(address, collection, entry, named[1], levels)

    def _below(self, snapshot: Snapshot, head: Sequence[str]) -> list[CollectionEntry]:
        """Give the collections whose names are, or lie below, a folder."""
        shown = self.collections(snapshot)
        return [one for one in shown if not head or _is_below(one.collection.name, "/".join(head))]

    def _children(self, snapshot: Snapshot, address: Address) -> Iterator[Node]:
        held = self.held(snapshot, self._below(snapshot, address.head)) if not address.keys else {}
        width = len(address.head)
        own = "/".join(address.head)
        names = {name.split("/")[width] for name in held if name != own}
        types = [snapshot.types[name] for name in held.get(own, ())]
        names |= {entry.type.name for entry in types if entry.group.required}
        for name in names:
            yield self._directory(replace(address, head=(*address.head, name)))
        for entry in types:
            if not entry.group.required:
                yield from self._leaves(
                    snapshot, [snapshot.collections[own]], [entry], LevelFilter({}, {}), address
                )
        folder = self._folder(snapshot, address)
        if folder is not None:
            yield from self._level(snapshot, folder)

    def _level(self, snapshot: Snapshot, folder: _Folder) -> Iterator[Node]:
        """List a folder below a type: the next level, or the datasets."""
        levels = folder.entry.group.levels
        hive = folder.address.service == (".hive",)
        order = snapshot.flatten([folder.collection.collection.name])
        filters = LevelFilter(folder.levels, {})
        last = folder.depth >= len(levels) - 1
        if last and not (hive and folder.depth < len(levels)):
            files = self._leaves(snapshot, [folder.collection], [folder.entry], filters, _canonical(folder))
            deep = folder.depth == len(levels)
            yield from (
                node for node in files if hive or deep == (node.named is not None and _is_valid(node.named))
            )
        if folder.depth < len(levels):
            if last and not hive:
                order = tuple(one for one in order if one.collection.kind is CollectionKind.CALIBRATION)
            depth = folder.depth + 1
            found = self._registry.lookup.directories(snapshot, [folder.entry], order, filters, depth)
            level = levels[folder.depth]
            above = _canonical(folder)
            for value in {directory.values[-1] for directory in found}:
                yield self._directory(replace(above, keys=(*above.keys, (level, str(value)))))

    def _leaves(
        self,
        snapshot: Snapshot,
        shown: Sequence[CollectionEntry],
        types: Sequence[TypeEntry],
        filters: LevelFilter,
        like: Address,
    ) -> Iterator[Node]:
        for some in by_group(types).values():
            for collection, resolved in self.select(snapshot, shown, some, filters):
                yield self.node(collection.collection.name, resolved, like)

    # -- inside: service directories -------------------------------------------------------------------

    def _virtual(self, address: Address) -> Node:
        if address.service == (".by-id",) and address.head:
            return self._file(address, self.repository.resolver.dataset(address))
        if not address.head and address.service[0] in SERVICES:
            return self._directory(address)
        for node in _virtual_children(self, address):
            if node.path == str(address):
                return node
        raise NotFound(f"nothing at {str(address)!r}")


_VIRTUAL = ((".repo",), (".by-id",), (".records",), (".where",))


def _virtual_children(tree: Tree, address: Address) -> Iterator[Node]:
    if address.service != (".repo",):
        return
    repository = tree.repository
    status = {"name": repository.name, "root": str(repository.root), "writable": repository.writable}
    contents = {
        "config.yaml": repository.config.annotated().encode(),
        "version": f"{version('skyfs')}\n".encode(),
        "status.json": (json.dumps(status, indent=1) + "\n").encode(),
    }
    for name, content in contents.items():
        yield Node(f"/.repo/{name}", is_dir=False, size=len(content), mtime_ns=tree.born_ns, content=content)


def dataset_path(named: Named, *, hive: bool = False) -> str:
    """Give the canonical path of a dataset in the collection it was looked for in."""
    ref = named.resolved.ref
    collection = "/".join(map(encode_name, named.collection.split("/")))
    type_name = ref.type.name if named.component is None else f"{ref.type.name}.{named.component}"
    levels = [f"/{name}={encode_value(str(value))}" for name, value in ref.data_id.levels]
    if ref.valid is not None:
        levels.append(f"/valid={ref.valid}")
    leaf = f"/{ref.type.name}{named.extension}"
    if hive and not levels:
        return (
            f"/.hive/{collection}{leaf}"
            if named.component is None
            else f"/.hive/{collection}/{type_name}{leaf}"
        )
    if hive:
        return f"/.hive/{collection}/{type_name}{''.join(levels)}{leaf}"
    if not levels:
        return f"/{collection}{leaf}" if named.component is None else f"/{collection}/{type_name}{leaf}"
    return f"/{collection}/{type_name}{''.join(levels)}{named.extension}"


def filename(named: Named, extension: str) -> str:
    """Give the file name of a dataset outside of the tree, unique among those of its type and collection.

    Only the first text value may hold ``_``, which also stands between the values, so that no two data IDs
    give one name.
    """
    ref = named.resolved.ref
    values = [encode_value(str(value)) for value in ref.data_id.values_required]
    texts = [index for index, value in enumerate(ref.data_id.values_required) if isinstance(value, str)]
    for index in texts[1:]:
        values[index] = values[index].replace("_", "%5F")
    if ref.valid is not None:
        values.append(str(ref.valid))
    return "_".join((ref.type.name, *values)) + (named.extension or extension)


def _canonical(folder: _Folder) -> Address:
    keys = tuple((name, str(folder.levels[name])) for name in folder.entry.group.levels[: folder.depth])
    return replace(folder.address, keys=keys, extension="", selectors=(), inner=())


def _is_below(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")


def _is_valid(named: Named) -> bool:
    return named.resolved.ref.valid is not None


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
