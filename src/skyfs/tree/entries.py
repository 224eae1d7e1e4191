"""What listings tell of datasets, made of rows without a reference or a node for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat
from operator import itemgetter

from ..model.collection import CollectionKind
from ..model.dataid import Value
from ..model.dataset import Location
from ..model.quoting import encode_value
from ..registry.catalogue import Snapshot
from ..registry.leaves import COMPONENT, DATASET, EXTENSION, MTIME, SIZE, STORE, UUID, VALUE, Row
from ..repository import Repository
from .folders import Folder
from .node import Listed, inode_of
from .shown import Shown


class Entries:
    """Lists folders at or below a dataset type."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._leaves = repository.registry.leaves

    def can(self, snapshot: Snapshot, folder: Folder) -> bool:
        """Tell whether a folder holds nothing but datasets by the values of the last level."""
        if folder.in_hive or folder.depth != len(folder.entry.group.levels) - 1:
            return False
        if folder.canonical.keys and folder.canonical.component is not None:
            return False
        members = snapshot.flatten([folder.collection.collection.name])
        timed = any(one.collection.kind is CollectionKind.CALIBRATION for one in members)
        return not (timed and folder.entry.type.calibration)

    def datasets(self, shown: Shown, snapshot: Snapshot, folder: Folder) -> Iterator[Listed]:
        """List such a folder."""
        for rows in shown.leaves(snapshot, folder):
            if rows:
                yield from self._page(folder, rows)

    def folders(self, folder: Folder, values: Iterable[Value], born_ns: int) -> Iterator[Listed]:
        """List the folders of the next level, by its values."""
        base, level = str(folder.canonical), folder.entry.group.levels[folder.depth]
        return listed_folders(base, (f"{level}={encode_value(str(value))}" for value in values), born_ns)

    # -- inside ----------------------------------------------------------------------------------------

    def _page(self, folder: Folder, rows: Sequence[Row]) -> Iterator[Listed]:
        _, values, datasets, uuids, _, extensions, sizes, times, components = zip(*rows, strict=True)
        if len(set(datasets)) < len(rows) or any(components):
            places = [self._place(folder, list(same)) for _, same in groupby(rows, itemgetter(DATASET))]
            values, uuids, extensions, sizes, times = zip(*places, strict=True)
        else:
            texts = {symbol: self._leaves.text(symbol) for symbol in set(extensions)}
            extensions = tuple([texts[symbol] for symbol in extensions])
        names = _names(folder, values, extensions)
        inodes = [inode_of(uuid + name.encode()) for uuid, name in zip(uuids, names, strict=True)]
        are_folders = {one: self._repository.formats.is_folder(one) for one in set(extensions)}
        if any(are_folders.values()):
            kinds = [are_folders[one] for one in extensions]
            sizes = tuple([0 if is_dir else size for is_dir, size in zip(kinds, sizes, strict=True)])
            return map(Listed, names, kinds, inodes, sizes, times)
        return map(Listed, names, repeat(False), inodes, sizes, times)  # noqa: FBT003

    def _place(self, folder: Folder, rows: Sequence[Row]) -> tuple[Value, bytes, str, int, int]:
        """Give what is shown of a dataset that has several places, or components."""
        text, first = self._leaves.text, rows[0]
        places = [
            Location(
                text(row[STORE]),
                "",
                text(row[EXTENSION]),
                row[SIZE],
                row[MTIME],
                component=None if row[COMPONENT] is None else text(row[COMPONENT]),
            )
            for row in rows
        ]
        place = self._repository.reader.shown_of(folder.entry.type, places)
        return first[VALUE], first[UUID], place.extension, place.size, place.mtime_ns


def listed_folders(base: str, names: Iterable[str], born_ns: int) -> Iterator[Listed]:
    """List folders that are known to exist, by their encoded names; ``base`` is the path of the folder."""
    top = base.rstrip("/")
    for name in names:
        yield Listed(name, is_dir=True, inode=inode_of(f"{top}/{name}".encode()), size=0, mtime_ns=born_ns)


def _names(folder: Folder, values: Sequence[Value], extensions: Sequence[str]) -> list[str]:
    level, pairs = folder.entry.group.levels[-1], zip(values, extensions, strict=True)
    if folder.entry.group.types[-1] is int:
        return [f"{level}={value}{extension}" for value, extension in pairs]
    return [f"{level}={encode_value(str(value))}{extension}" for value, extension in pairs]
