"""Many files at once: out of the tree and into it, one call for each store."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .editing import target_of
from .fetching import Done, Fetcher, Wanted, try_read, try_save
from .ingesting import IngestFile
from .model.dataset import DatasetRef
from .model.paths import Address
from .repository import Repository
from .tree import Node, Tree


def read_nodes(tree: Tree, nodes: Sequence[Node], done: Done) -> list[bytes | Exception]:
    """Give the bytes of each file, or what went wrong with it; ``done`` is told of bytes that came."""
    stored = _stored(tree, nodes)
    fetched = dict(zip(stored, _fetcher(tree).read(list(stored.values()), done), strict=True))
    return [
        fetched[index] if index in fetched else try_read(partial(tree.open_node, node), done)
        for index, node in enumerate(nodes)
    ]


def copy_nodes(tree: Tree, pairs: Sequence[tuple[Node, str]], done: Done) -> list[Exception | None]:
    """Copy each file to a local one, whose folder exists; give what went wrong with it, or None."""
    stored = _stored(tree, [node for node, _ in pairs])
    files = [(wanted, pairs[index][1]) for index, wanted in stored.items()]
    fetched = dict(zip(stored, _fetcher(tree).copy(files, done), strict=True))
    return [
        fetched[index] if index in fetched else try_save(partial(tree.open_node, node), path, done)
        for index, (node, path) in enumerate(pairs)
    ]


def take_in(
    repository: Repository, pairs: Sequence[tuple[str, Address]], *, mode: str = "copy", replace: bool = False
) -> list[DatasetRef]:
    """Take local files in as the datasets at paths, all or none; raises as `Repository.ingest`."""
    by_run: dict[tuple[str, str], list[IngestFile]] = {}
    for path, address in pairs:
        target = target_of(address)
        file = IngestFile(path, target.data_id, target.extension)
        by_run.setdefault((target.type_name, target.run), []).append(file)
    found = []
    with repository.transaction():
        for (type_name, run), files in by_run.items():
            found += repository.ingest(files, type_name, run=run, mode=mode, replace=replace)
    return found


def _fetcher(tree: Tree) -> Fetcher:
    repository = tree.repository
    return Fetcher(repository.reader, repository.opener, repository.stores)


def _stored(tree: Tree, nodes: Sequence[Node]) -> dict[int, Wanted]:
    """Give, by position, the files whose bytes are stored as they are."""
    found = {}
    for index, node in enumerate(nodes):
        if node.named is not None and tree.is_stored(node):
            found[index] = Wanted(node.named.resolved, node.named.extension, node.named.component)
    return found
