"""From an address to the dataset it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ..errors import BadDataId, IsDirectory, NotFound
from ..model.dataset import Resolved
from ..model.paths import Address, split_leaf
from ..model.timespan import Timespan
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.levels import LevelFilter
from ..registry.registry import Registry
from .finder import Finder, Wanted


@dataclass(frozen=True, slots=True)
class Named:
    """A dataset that an address names, and how the address names it.

    Attributes
    ----------
    collection
        The collection of the address: where it was looked for, not the RUN.
    extension
        The one written, which may ask for a conversion.
    """

    resolved: Resolved
    collection: str
    component: str | None
    extension: str


@dataclass(frozen=True, slots=True)
class Split:
    """An address whose collection, type and data ID are told apart."""

    collection: CollectionEntry
    entry: TypeEntry
    component: str | None
    keys: Mapping[str, str]
    extension: str


class Resolver:
    """Resolves addresses of datasets: one statement when the path is canonical."""

    def __init__(self, registry: Registry, finder: Finder) -> None:
        self._registry = registry
        self._finder = finder

    def dataset(self, address: Address) -> Named:
        """Give the dataset that an address names.

        Raises
        ------
        NotFound
            When there is none.
        IsDirectory
            When the address leaves required dimensions out.
        BadDataId
            When a value is ill-typed, or values contradict each other.
        """
        if address.service == (".by-id",):
            return self._by_id(address)
        snapshot = self._registry.current()
        split = self.split(snapshot, address)
        if split is None:
            raise NotFound(f"no dataset {str(address)!r}")
        keys = dict(split.keys)
        valid = keys.pop("valid", None)
        wanted = self._wanted(split.entry, keys, address)
        missing = [name for name in split.entry.group.levels if name not in wanted.filters.exact]
        if missing:
            raise IsDirectory(f"open {str(address)!r}", "it is a directory", f"{missing[0]}=... comes next")
        order = snapshot.flatten([split.collection.collection.name])
        found = self._registry.lookup.datasets(snapshot, [split.entry], order, wanted.filters, declared=True)
        if valid is not None:
            span = Timespan.parse(valid)
            found = (one for one in found if one.resolved.ref.valid == span)
        resolved = self._finder.first(order, found, wanted)
        if resolved is None:
            raise NotFound(f"no dataset {str(address)!r}")
        return Named(resolved, split.collection.collection.name, split.component, split.extension)

    def split(self, snapshot: Snapshot, address: Address) -> Split | None:
        """Tell collection, type and data ID of an address apart; None when they do not exist."""
        if address.keys:
            collection = snapshot.collections.get(address.collection)
            entry = snapshot.types.get(address.type_name)
            if collection is None or entry is None:
                return None
            keys = dict(address.keys)
            return Split(collection, entry, address.component, keys, address.extension)
        return self._split_leaf(snapshot, address.head)

    def _split_leaf(self, snapshot: Snapshot, head: Sequence[str]) -> Split | None:
        """Read the head of an address without keys as a dataset of a type without dimensions."""
        leaf = split_leaf(head[-1]) if head else None
        if leaf is None or leaf[0] not in snapshot.types:
            return None
        name, component, extension = leaf
        collection = snapshot.collections.get("/".join(head[:-1]))
        if collection is None and len(head) > 1 and head[-2].partition(".")[0] == name:
            component = head[-2].partition(".")[2] or None
            collection = snapshot.collections.get("/".join(head[:-2]))
            if component is None:
                return None
        entry = snapshot.types[name]
        if collection is None or entry.group.required:
            return None
        return Split(collection, entry, component, {}, extension)

    def _wanted(self, entry: TypeEntry, keys: Mapping[str, str], address: Address) -> Wanted:
        own = {name: value for name, value in keys.items() if name in entry.group.levels}
        try:
            levels, _ = self._registry.data_ids.split(entry.group, own)
        except BadDataId as error:
            raise NotFound(f"no dataset {str(address)!r}", str(error)) from None
        if len(levels) == len(keys) == len(entry.group.levels):
            # A canonical path: nothing is to be completed.
            return Wanted(entry, LevelFilter(levels), {}, None)
        return self._finder.wanted(entry, keys)

    def _by_id(self, address: Address) -> Named:
        name = address.head[0] if len(address.head) == 1 else ""
        text, dot, extension = name.partition(".")
        try:
            uuid = UUID(text)
        except ValueError:
            raise NotFound(
                f"no dataset {str(address)!r}", f"{name!r} is no UUID", "/.by-id/<uuid><ext>"
            ) from None
        found = self._registry.lookup.by_id(self._registry.current(), [uuid]).get(uuid)
        if found is None:
            raise NotFound(f"no dataset {str(address)!r}")
        return Named(found, found.ref.run, None, dot + extension)
