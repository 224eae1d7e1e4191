"""Reading datasets: locations → bytes → objects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from ..abc.source import ByteSource
from ..abc.store import Expected, Store
from ..errors import NoBytes, NotFound, StoreError
from ..formats.catalog import Formats
from ..formats.fits_part import open_part
from ..formats.slicing import sliced
from ..model.dataset import DatasetType, Location, Resolved
from ..registry.registry import Registry
from .fallback import FAILURES, FallbackSource, all_failed, same_bytes

_log = logging.getLogger("skyfs")
_T = TypeVar("_T")


class Reader:
    """Opens what was resolved, from the nearest store that has it."""

    def __init__(self, registry: Registry, stores: Mapping[str, Store], formats: Formats) -> None:
        self._registry = registry
        self._stores = stores
        self._formats = formats
        self._order = {name: rank for rank, name in enumerate(stores)}

    def open(
        self,
        resolved: Resolved,
        extension: str | None = None,
        component: str | None = None,
        *,
        verify: bool = False,
    ) -> tuple[Location, ByteSource]:
        """Open the bytes of a dataset, or of a component that is stored by itself; the caller closes them.

        A location may be stale when the dataset was replaced meanwhile; then it is looked up anew, once.

        Parameters
        ----------
        extension
            The stored format to open; None: that of the nearest store.
        component
            A component that is a file of its own; None: the file with all of the dataset.
        verify
            Whether all of the bytes are held against their digest before any is given.

        Raises
        ------
        NoBytes
            When the dataset is declared only.
        NotFound
            When no store has the bytes.
        StoreError, BadContent
            When no store delivers them.
        """
        extensions = None if extension is None else (extension,)

        def act(one: Resolved) -> tuple[Location, ByteSource]:
            tries = ((group, verify) for group in self._groups(one, extensions, component))
            return self._first(one, tries, lambda place, source: (place, source))

        return self._fresh(resolved, act)

    def use(
        self,
        resolved: Resolved,
        act: Callable[[ByteSource, str], _T],
        *,
        extensions: Collection[str] | None = None,
        component: str | None = None,
        whole: bool,
    ) -> _T:
        """Do something with the bytes of the first place where they are sound, and with their extension.

        Parameters
        ----------
        act
            Is done again with the next place when it raises NotFound, StoreError or BadContent.
        extensions
            Only the places with these formats; None: all.
        component
            A component that is a file of its own; None: the file with all of the dataset.
        whole
            Whether all of the bytes are read: then they are held against their digest before, if there is a
            second place; else only when a part of them could not be read.

        Raises
        ------
        NoBytes, NotFound, StoreError, BadContent
            As `open`; and whatever else ``act`` raises.
        """
        return self._fresh(
            resolved, lambda one: self._use(one, act, self._groups(one, extensions, component), whole=whole)
        )

    def read(self, resolved: Resolved, *, as_: type | str | None = None) -> object:
        """Read a dataset as its storage class, or as another type that it converts to."""
        return self._fresh(resolved, lambda one: self._read(one, as_))

    def read_component(self, resolved: Resolved, component: str) -> object:
        """Read a component alone, where it is stored by itself or its format can; else out of the whole.

        None when the dataset has none.
        """
        return self._fresh(resolved, lambda one: self._either(one, component))

    def read_slices(self, resolved: Resolved, slices: object, *, as_: type | str | None = None) -> object:
        """Read what ``whole[slices]`` is, with little more of the bytes than that needs."""
        if self.is_apart(resolved):
            return self._formats.convert_to(sliced(self.read(resolved), slices), as_)
        return self._fresh(resolved, lambda one: self._slices(one, slices, as_))

    def assembled(self, resolved: Resolved) -> object:
        """Put a dataset together from the components that are stored by themselves."""
        return self._fresh(resolved, self._assembled)

    def places(self, resolved: Resolved) -> Sequence[Location]:
        """Give the locations in the order of the stores, those of the whole dataset before components."""
        return self._sorted(resolved.locations)

    def shown(self, resolved: Resolved) -> Location:
        """Give the place that listings show: the nearest.

        Of a dataset that is stored as components alone it is what they make together: without a store, in
        the format that such datasets have, with the sizes of the components added up.
        """
        return self.shown_of(resolved.ref.type, resolved.locations)

    def shown_of(self, dataset_type: DatasetType, places: Sequence[Location]) -> Location:
        """Give what `shown` does, of the places of a dataset of a type; their keys do not matter."""
        first = self._sorted(places)[0]
        if first.component is None:
            return first
        own = [place for place in places if place.store == first.store]
        extension = self._formats.extension_for(dataset_type.storage_class, dataset_type.name)
        size, mtime_ns = sum(place.size for place in own), max(place.mtime_ns for place in own)
        return Location("", "", extension, size, mtime_ns)

    def is_apart(self, resolved: Resolved) -> bool:
        """Tell whether a dataset is stored as components alone."""
        return bool(resolved.locations) and all(place.component is not None for place in resolved.locations)

    def stored(self, resolved: Resolved, extension: str, component: str | None = None) -> Location | None:
        """Give the nearest place of a dataset, or of a component of it, in a format; None: there is none."""
        wanted = (extension, component)
        found = (place for place in self.places(resolved) if (place.extension, place.component) == wanted)
        return next(found, None)

    # -- inside ----------------------------------------------------------------------------------------

    def _sorted(self, places: Sequence[Location]) -> Sequence[Location]:
        if len(places) == 1:
            return places
        order, last = self._order, len(self._order)
        return sorted(places, key=lambda place: (place.component is not None, order.get(place.store, last)))

    def _fresh(self, resolved: Resolved, act: Callable[[Resolved], _T]) -> _T:
        """Do something with a dataset; again when its locations have changed meanwhile."""
        try:
            return act(resolved)
        except NotFound:
            fresh = self._registry.lookup.by_id(self._registry.current(), [resolved.ref.id])
            found = fresh.get(resolved.ref.id)
            if found is None or found.locations == resolved.locations:
                raise
            return act(found)

    def _read(self, resolved: Resolved, as_: type | str | None) -> object:
        if not self.is_apart(resolved):
            try:
                return self._read_one(resolved, resolved.ref.type.storage_class, None, as_)
            except FAILURES as error:
                if all(place.component is None for place in resolved.locations):
                    raise
                _log.warning("%s; it is put together from its components", error)
        return self._formats.convert_to(self._assembled(resolved), as_)

    def _assembled(self, resolved: Resolved) -> object:
        storage_class = resolved.ref.type.storage_class
        parts = {}
        for component, own_class in self._formats.components(storage_class).items():
            if any(place.component == component for place in resolved.locations):
                parts[component] = self._read_one(resolved, own_class, component, None)
        return self._formats.assemble(storage_class, parts)

    def _slices(self, resolved: Resolved, slices: object, as_: type | str | None) -> object:
        storage_class = resolved.ref.type.storage_class

        def act(source: ByteSource, extension: str) -> object:
            return self._formats.read_slices(source, extension, storage_class, slices, as_)

        return self._use(resolved, act, self._groups(resolved, None, None), whole=False)

    def _either(self, resolved: Resolved, component: str) -> object:
        """Read a component from its own file or out of the whole: the nearer first, then the other."""
        storage_class = resolved.ref.type.storage_class
        own_class = self._formats.component_class(storage_class, component)
        ways: list[Callable[[], object]] = []
        if not self.is_apart(resolved):
            ways.append(lambda: self._component(resolved, component))
        if any(place.component == component for place in resolved.locations):
            first = 0 if self._is_nearest(resolved, component) else len(ways)
            ways.insert(first, lambda: self._read_one(resolved, own_class, component, None))
        for way in ways[:-1]:
            try:
                return way()
            except FAILURES as error:
                _log.warning("%s; another place is read instead", error)
        return ways[-1]() if ways else None

    def _component(self, resolved: Resolved, component: str) -> object:
        storage_class = resolved.ref.type.storage_class

        def act(source: ByteSource, extension: str) -> object:
            return self._formats.read_component(source, extension, storage_class, component)

        return self._use(resolved, act, self._groups(resolved, None, None), whole=False)

    def _read_one(
        self, resolved: Resolved, storage_class: str, component: str | None, as_: type | str | None
    ) -> object:
        def act(source: ByteSource, extension: str) -> object:
            return self._formats.read(source, extension, storage_class, as_)

        return self._use(resolved, act, self._groups(resolved, None, component), whole=True)

    def _use(
        self,
        resolved: Resolved,
        act: Callable[[ByteSource, str], _T],
        found: Iterator[list[Location]],
        *,
        whole: bool,
    ) -> _T:
        groups = list(found)
        several = sum(map(len, groups)) > 1
        tries = [
            (group, verify)
            for group in groups
            for verify in ((several,) if whole else (False, True)[: len(group)])
        ]

        def take(place: Location, source: ByteSource) -> _T:
            with source:
                return act(source, place.extension)

        return self._first(resolved, tries, take)

    def _first(
        self,
        resolved: Resolved,
        tries: Iterable[tuple[list[Location], bool]],
        take: Callable[[Location, ByteSource], _T],
    ) -> _T:
        """Take what the first group of places delivers, verified or not."""
        failures: list[Exception] = []
        for group, verify in tries:
            try:
                taken = take(group[0], self._source(group, verify=verify))
            except FAILURES as error:
                failures.append(error)
                continue
            for failure in failures:
                _log.warning("%s; %r in store %r is read instead", failure, group[0].key, group[0].store)
            return taken
        raise _described(resolved, failures)

    def _is_nearest(self, resolved: Resolved, component: str) -> bool:
        """Tell whether a component is to be had by itself, no farther away than all of the dataset."""
        last = len(self._order)
        apart = [
            self._order.get(place.store, last) for place in resolved.locations if place.component == component
        ]
        whole = [
            self._order.get(place.store, last) for place in resolved.locations if place.component is None
        ]
        return bool(apart) and (not whole or min(apart) <= min(whole))

    def _groups(
        self, resolved: Resolved, extensions: Collection[str] | None, component: str | None
    ) -> Iterator[list[Location]]:
        if not resolved.locations:
            found, todo = "it is declared, but no store has its bytes", "put or ingest them"
            raise NoBytes(f"open {_named(resolved)}", found, todo)
        places = [
            place
            for place in self.places(resolved)
            if place.component == component and (extensions is None or place.extension in extensions)
        ]
        return same_bytes(places)

    def _source(self, group: Sequence[Location], *, verify: bool) -> ByteSource:
        if len(group) == 1 and not verify:
            return self._open_place(group[0])
        return FallbackSource(group, self._open_place, verify=verify)

    def _open_place(self, place: Location) -> ByteSource:
        """Open the bytes at a location: the whole file, or one dataset of many in it."""
        store = self._stores.get(place.store)
        if store is None:
            todo = "add it to its configuration"
            raise NotFound(f"open {place.key!r}", f"the repository has no store {place.store!r}", todo)
        part = place.part
        if part is not None:
            # The digest of a location is that of the part; the store knows whole files only.
            expected = Expected(part.file_size, part.file_sha256 if part.hdu else place.sha256)
            return open_part(store.open(place.key, expected), part, place.size, place.sha256)
        source = store.open(place.key, Expected(place.size, place.sha256))
        if source.size == place.size:
            return source
        found = f"it has {source.size} bytes instead of {place.size}: it was changed"
        source.close()
        raise StoreError(f"open {place.key!r} in store {place.store!r}", found, "skyfs check")


def _named(resolved: Resolved) -> str:
    ref = resolved.ref
    return f"{ref.type.name} {ref.data_id!r} in {ref.run!r}"


def _described(resolved: Resolved, failures: Sequence[Exception]) -> Exception:
    """Give what is to be raised when no place delivers."""
    if not failures:
        return NotFound(f"open {_named(resolved)}", "it is not stored in this format")
    if len(failures) == 1 and not isinstance(failures[0], NotFound):
        return failures[0]
    return all_failed(f"open {_named(resolved)}", failures)
