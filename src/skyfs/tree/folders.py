"""Reading addresses as folders at or below a dataset type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import BadDataId, NotFound
from ..model.paths import Address, split_type
from ..reading.finder import Finder
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.levels import LevelFilter


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder at or below a dataset type: which type in which collection, and the levels given."""

    address: Address
    collection: CollectionEntry
    entry: TypeEntry
    levels: Mapping[str, int | str]

    @property
    def depth(self) -> int:
        """How many levels are given."""
        return len(self.levels)

    @property
    def is_full(self) -> bool:
        """Whether all levels are given."""
        return self.depth == len(self.entry.group.levels)

    @property
    def filters(self) -> LevelFilter:
        """What it says about datasets."""
        return LevelFilter(self.levels, {})

    @property
    def in_hive(self) -> bool:
        """Whether it is in the tree whose leaves are named for the type."""
        return self.address.service == (".hive",)

    @property
    def canonical(self) -> Address:
        """Its address with the keys in order."""
        keys = tuple((name, str(self.levels[name])) for name in self.entry.group.levels[: self.depth])
        return replace(self.address, keys=keys, extension="", selectors=(), inner=())

    def below(self, value: int | str) -> Address:
        """Give the address of a folder in it, by the value of the next level."""
        above = self.canonical
        return replace(above, keys=(*above.keys, (self.entry.group.levels[self.depth], str(value))))


def read_folder(finder: Finder, snapshot: Snapshot, address: Address) -> Folder | None:
    """Read an address as a folder; None when it cannot be one. Whether something is in it is not asked."""
    if len(address.head) < 2 or address.extension:
        return None
    named = split_type(address.head[-1])
    collection = snapshot.collections.get("/".join(address.head[:-1]))
    entry = snapshot.types.get(named[0]) if named else None
    if named is None or collection is None or entry is None or not entry.group.required:
        return None
    try:
        levels = finder.wanted(entry, dict(address.keys)).filters.exact
    except (BadDataId, NotFound):
        return None
    if set(levels) != set(entry.group.levels[: len(levels)]):
        return None
    return Folder(address, collection, entry, levels)


def is_below(name: str, folder: str) -> bool:
    """Tell whether a collection's name is that of a folder, or lies below it."""
    return name == folder or name.startswith(f"{folder}/")
