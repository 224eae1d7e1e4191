"""Many files at once: out of the tree and into it, one call for each store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial

from ..errors import Exists
from ..formats.zip_writing import folder_members, pack
from ..model.dataset import DatasetRef
from ..model.paths import Address
from ..reading.fetcher import Done, Fetcher, Wanted, try_read, try_save
from ..repository import Repository
from ..writing.ingester import IngestFile
from . import Node, Tree
from .editing import Editor


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
    editor: Editor, pairs: Sequence[tuple[str, Address]], *, mode: str = "copy", replace: bool = False
) -> list[DatasetRef]:
    """Take local files in as the datasets at paths, all or none; a local folder is packed as one dataset.

    Raises
    ------
    Exists
        When two of them have one path; else as `Editor.draft` and `Repository.ingest`.
    """
    require_apart((path, str(address)) for path, address in pairs)
    groups: dict[tuple[str, str], list[tuple[Repository, IngestFile]]] = {}
    folders = []
    for path, address in pairs:
        target = editor.target(address, replace=replace)
        if os.path.isdir(path):
            folders.append((path, address))
            continue
        file = IngestFile(path, target.data_id, target.extension)
        groups.setdefault((target.type_name, target.run), []).append((editor.holder(target), file))
    found = []
    with editor.repository.transaction():
        for (type_name, run), some in groups.items():
            files = [file for _, file in some]
            found += some[0][0].ingest(files, type_name, run=run, mode=mode, replace=replace)
        for path, address in folders:
            found.append(pack_in(editor, path, address, replace=replace))
    return found


def pack_in(editor: Editor, folder: str, address: Address, *, replace: bool = False) -> DatasetRef:
    """Take a local folder in as one dataset."""
    draft = editor.draft(address, replace=replace)
    try:
        pack(folder_members(folder), draft.file)
    except BaseException:
        draft.discard()
        raise
    return draft.commit()


def copy_within(
    tree: Tree, editor: Editor, pairs: Sequence[tuple[Node, Address]], done: Done, *, replace: bool = False
) -> None:
    """Copy the bytes of files to other paths, all or none; see `take_in`."""
    require_apart((node.path, str(address)) for node, address in pairs)
    with tempfile.TemporaryDirectory(prefix="skyfs-copy-") as folder:
        paths = [os.path.join(folder, str(number)) for number in range(len(pairs))]
        files = [(node, path) for path, (node, _) in zip(paths, pairs, strict=True)]
        for error in copy_nodes(tree, files, done):
            if error is not None:
                raise error
        taken = [(path, address) for path, (_, address) in zip(paths, pairs, strict=True)]
        take_in(editor, taken, mode="move", replace=replace)


def require_apart(pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse pairs of source and target of which two have one target.

    Raises
    ------
    Exists
        When they do.
    """
    sources: dict[str, str] = {}
    for source, target in pairs:
        if target in sources:
            what, found = f"write {target!r}", f"{sources[target]!r} and {source!r} would both have that name"
            raise Exists(what, found, "copy them into two folders")
        sources[target] = source


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
