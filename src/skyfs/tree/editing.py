"""Changing a repository by path: what a path to be written to means, and what removing it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from uuid import UUID

from ..errors import (
    BadDataId,
    BadPath,
    IsDirectory,
    NotAllowed,
    NotDirectory,
    NotFound,
    ReadOnly,
)
from ..model.collection import CollectionKind
from ..model.dataset import DatasetRef, Resolved
from ..model.paths import Address, split_leaf
from ..model.quoting import extension_at_end
from ..repository import Repository
from ..writing.planner import Target
from ..writing.writer import Draft
from . import Node, Tree
from .globbing import find

Doomed = dict[tuple[str | None, UUID], DatasetRef]
"""What is to be untagged from a collection, or deleted (None)."""


class Editor:
    """Writes and removes datasets by path."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.repository = tree.repository

    def draft(self, address: Address, *, replace: bool = False) -> Draft:
        """Begin the dataset at a path; all that can be refused before its bytes are known is refused here.

        Raises
        ------
        Exists
            When there is one and ``replace`` is False.
        IsDirectory, NotDirectory
            When a folder is there, or a file is in the way.
        NotAllowed, ReadOnly, Locked
            When the path is not that of a dataset in a RUN.
        BadPath, BadDataId, NotFound, UnknownFormat, Unsupported
            When the path names nothing that could exist.
        """
        target = self.target(address, replace=replace)
        draft = self.holder(target).writer.draft(target, check=True)
        if draft.plan.old is not None:
            try:
                self._require_spelling(address, target, draft.plan.old)
            except NotAllowed:
                draft.discard()
                raise
        return draft

    def remove(
        self, addresses: Iterable[Address], *, recursive: bool = False, max_depth: int | None = None
    ) -> None:
        """Remove files, and with ``recursive`` all below folders: all of it or nothing.

        Through a RUN datasets are deleted; through a TAGGED collection they are untagged.

        Raises
        ------
        NotFound
            When there is nothing.
        IsDirectory
            When it is a folder and ``recursive`` is False.
        NotAllowed, ReadOnly, Locked
            When it is not the stored spelling, shown through another collection, or somebody else's.
        """
        self.take_away(self.doomed(addresses, recursive=recursive, max_depth=max_depth))

    def doomed(
        self, addresses: Iterable[Address], *, recursive: bool = False, max_depth: int | None = None
    ) -> Doomed:
        """Find what `remove` would take away."""
        nodes = {
            node.path: node for address in addresses for node in self._doomed(address, recursive, max_depth)
        }
        return {(name, ref.id): ref for name, refs in self._by_collection(nodes.values()) for ref in refs}

    def take_away(self, doomed: Doomed) -> None:
        """Untag and delete what `doomed` found: all of it or nothing; raises as `remove`."""
        by_collection: dict[str | None, list[DatasetRef]] = {}
        for (name, _), ref in doomed.items():
            by_collection.setdefault(name, []).append(ref)
        with self.repository.transaction():
            for collection, refs in by_collection.items():
                if collection is None:
                    self.repository.remove(refs)
                else:
                    self.repository.untag(refs, collection)

    def retime(self, address: Address, mtime_ns: int) -> None:
        """Say when the bytes of a dataset were made.

        Raises
        ------
        NotFound
            When there is none.
        NotAllowed, ReadOnly, Locked
            When it is no file of its own that skyfs keeps, or somebody else's.
        """
        node = self._tree.lookup(address)
        self._require_whole("change the time of", address, node)
        if node.named is not None:
            self.repository.retime(node.named.resolved.ref, mtime_ns)

    def link(self, node: Node, target: Address) -> None:
        """Show a dataset in a TAGGED collection too, by the path that it has there.

        Raises
        ------
        NotAllowed
            When it is none, or that is not its path in a TAGGED collection.
        Conflict
            When the collection holds another dataset of that data ID.
        """
        name = target.collection if target.keys else "/".join(target.head[:-1])
        found = self.repository.registry.current().collections.get(name)
        what = f"link {node.path!r} to {str(target)!r}"
        if node.named is None or not node.is_dataset:
            raise NotAllowed(what, "it is no dataset", "link whole datasets")
        if found is None or found.collection.kind is not CollectionKind.TAGGED:
            raise NotAllowed(what, f"{name!r} is no TAGGED collection", "skyfs ln makes one")
        stored = self._tree.node(name, node.named.resolved, Address()).path
        if stored != str(target):
            raise NotAllowed(what, "a dataset has its own path in each collection", f"it is {stored!r}")
        self.repository.tag([node.named.resolved.ref], name)

    def require_folder(self, address: Address) -> None:
        """Refuse folders that could never hold a dataset.

        Raises
        ------
        NotAllowed, ReadOnly
            When it is in a service directory, is a dataset, or lies in one.
        """
        if address.service:
            raise _service("make", address)
        is_folder = self.repository.formats.is_folder
        if address.inner or any(is_folder(extension_at_end(part)) for part in _leaves(address)):
            raise _piece(address)

    def require_stored(self, address: Address, node: Node) -> None:
        """Refuse all but the path of a dataset in its RUN, as it is stored.

        Raises
        ------
        NotAllowed, ReadOnly
            When it is a part of one, another spelling, or in another collection.
        """
        self._require_whole("rename", address, node)
        self._stored(address, node)
        if node.named is not None and node.named.collection != node.named.resolved.ref.run:
            run = node.named.resolved.ref.run
            raise NotAllowed(f"rename {str(address)!r}", "it is shown there only", f"its RUN is {run!r}")

    # -- writing ---------------------------------------------------------------------------------------

    def _require_whole(self, verb: str, address: Address, node: Node) -> None:
        if address.service:
            raise _service(verb, address)
        if not node.is_dataset:
            raise NotAllowed(f"{verb} {str(address)!r}", "it is no dataset")

    def target(self, address: Address, *, replace: bool = False) -> Target:
        """Read a path as what is to be written; what the tree has in its way is refused, as in `draft`."""
        target = target_of(address, replace=replace)
        self._tree.require_among(f"write {str(address)!r}", target.run)
        self._refuse_insides(address)
        self._refuse_folders(address, target)
        if replace:
            with suppress(NotFound, BadDataId):  # nothing is there that could be replaced
                self._require_spelling(address, target, self.repository.resolver.dataset(address).resolved)
        return target

    def _require_spelling(self, address: Address, target: Target, old: Resolved) -> None:
        stored = self._tree.node(target.run, old, Address()).path if old.locations else str(address)
        if stored != str(address):
            raise _other_spelling("replace", address, stored)

    def holder(self, target: Target) -> Repository:
        """Give the repository that takes a dataset: of types that are kept in memory, the one there.

        Raises
        ------
        NotFound, BadDataId
            When the type, or a value of the data ID, is not recorded; where they are kept in memory only.
        """
        elided = self.repository.elided
        if elided is None or not elided.takes(target.type_name):
            return self.repository
        elided.prepare(target.type_name, target.data_id)
        return elided.repository

    def _refuse_folders(self, address: Address, target: Target) -> None:
        """Refuse a file where a folder is, and a folder where a file is."""
        if not address.extension:
            folder = self._tree.type_folder(address) or self._tree.collection_folder(address)
            if folder is not None:
                raise IsDirectory(f"write {str(address)!r}", "it is a directory", "write to a path below it")
        if target.run in self.repository.registry.current().collections:
            return
        parts = target.run.split("/")
        for width in range(2, len(parts) + 1):
            above = Address(head=tuple(parts[:width]))
            if self._is_file(above):
                raise NotDirectory(f"write {str(address)!r}", f"{str(above)!r} is a file")

    def _refuse_insides(self, address: Address) -> None:
        """Refuse files in what would be a dataset: ``/run/cube.zarr/zarr.json``."""
        is_folder = self.repository.formats.is_folder
        above = next((part for part in address.head[:-1] if is_folder(extension_at_end(part))), None)
        if above is not None:
            raise _piece(address)

    def _is_file(self, address: Address) -> bool:
        if self.repository.resolver.split(self.repository.registry.current(), address) is None:
            return False
        found = find(self._tree, address, max_depth=1, inside=False)
        return any((not node.is_dir or node.is_dataset) and node.path == str(address) for node in found)

    # -- removing --------------------------------------------------------------------------------------

    def _doomed(self, address: Address, recursive: bool, max_depth: int | None) -> Iterator[Node]:  # noqa: FBT001
        if address.service:
            raise _service("remove", address)
        node = self._tree.lookup(address)
        if node.inner:
            raise NotAllowed(
                f"remove {str(address)!r}", "it is a part of a dataset", "remove the whole dataset"
            )
        if node.is_dataset_folder and recursive:
            # Zarr's libraries do so before they write anew, which is then refused: the dataset would be lost.
            todo = "remove it without recursive=True: rm, not rm -r"
            raise NotAllowed(f"remove {str(address)!r} with all in it", "it is one dataset", todo)
        if not node.is_dir or node.is_dataset:
            yield self._stored(address, node)
            return
        if not recursive:
            raise IsDirectory(
                f"remove {str(address)!r}", "it is a directory", "recursive=True removes all below it"
            )
        if node.path != str(address):
            raise _other_spelling("remove", address, node.path)
        if not address.head:
            raise NotAllowed(
                "remove '/'", "it is the whole repository", "remove RUNs, or destroy the repository"
            )
        if self._tree.type_folder(address) is not None and self._tree.collection_folder(address) is not None:
            found = "it is both a collection and a dataset type of the one above"
            raise NotAllowed(f"remove {str(address)!r}", found, "remove what is in it by itself")
        below = find(self._tree, address, max_depth=max_depth, inside=False)
        yield from (one for one in below if one.is_dataset)

    def _stored(self, address: Address, node: Node) -> Node:
        """Give the node back when the address is how the dataset is stored."""
        if node.named is None:
            raise _service("remove", address)
        stored = self._tree.node(node.named.collection, node.named.resolved, Address())
        if stored.path != str(address):
            raise _other_spelling("remove", address, stored.path)
        return stored

    def _by_collection(self, nodes: Iterable[Node]) -> Iterator[tuple[str | None, list[DatasetRef]]]:
        """Give what is to be untagged from each collection, then what is to be deleted (None)."""
        snapshot, elided = self.repository.registry.current(), self.repository.elided
        tagged: dict[str, list[DatasetRef]] = {}
        deleted: list[DatasetRef] = []
        for node in nodes:
            if node.named is None:
                continue
            ref, name = node.named.resolved.ref, node.named.collection
            in_memory = elided is not None and elided.takes(ref.type.name)
            kind = CollectionKind.RUN if in_memory else snapshot.collection(name).collection.kind
            if kind is CollectionKind.RUN:
                deleted.append(ref)
            elif kind is CollectionKind.TAGGED:
                tagged.setdefault(name, []).append(ref)
            else:
                todo = f"remove it from its RUN, {ref.run!r}"
                raise NotAllowed(f"remove {node.path!r}", f"the collection {name!r} is {kind}", todo)
        yield from tagged.items()
        if deleted:
            yield None, deleted


def target_of(address: Address, *, replace: bool = False) -> Target:
    """Read a path as what is to be written.

    Raises
    ------
    NotAllowed, ReadOnly
        When it names a part of a dataset, a validity range, or is in a service directory.
    BadPath
        When it names no collection and type.
    """
    what = f"write {str(address)!r}"
    if address.service:
        raise _service("write", address)
    if address.inner:
        raise _piece(address)
    if address.selectors:
        raise NotAllowed(what, "it names a part of a dataset", "write the whole dataset")
    if address.keys:
        name, component, extension = address.type_name, address.component, address.extension
        run = address.collection
    else:
        name, component, extension = _leaf(address)
        run = "/".join(address.head[:-1])
    if component is not None:
        raise NotAllowed(what, f"{component!r} is a component of {name!r}", "write the whole dataset")
    data_id = dict(address.keys)
    if "valid" in data_id:
        raise NotAllowed(
            what, "a path with valid= is in a CALIBRATION collection", "write to a RUN, then certify"
        )
    return Target(name, run, data_id, extension, (), replace)


def _leaf(address: Address) -> tuple[str, str | None, str]:
    leaf = split_leaf(address.head[-1]) if len(address.head) > 1 else None
    if leaf is None:
        found = (
            f"{address.head[-1]!r} can be no dataset" if len(address.head) > 1 else "no collection is named"
        )
        raise BadPath(f"write {str(address)!r}", found, "/<collection>/<type>/<dim>=<value>...<ext>")
    return leaf


def _leaves(address: Address) -> tuple[str, ...]:
    """Give the parts of an address whose endings may be extensions."""
    return address.head if not address.keys else (*address.head, address.extension)


def _piece(address: Address) -> NotAllowed:
    todo = "write the whole at once: repo.put(group, ...), or fs.put(folder, path, recursive=True)"
    return NotAllowed(f"write {str(address)!r}", "it names a file inside of a dataset", todo)


def _service(verb: str, address: Address) -> ReadOnly:
    found = f"/{address.service[0]}/ shows what lies elsewhere"
    return ReadOnly(f"{verb} {str(address)!r}", found, "use the dataset's own path")


def _other_spelling(verb: str, address: Address, stored: str) -> NotAllowed:
    return NotAllowed(
        f"{verb} {str(address)!r}", "only the stored spelling can be changed", f"it is {stored!r}"
    )
