"""Reading datasets: locations → bytes → objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .abc.source import ByteSource
from .abc.store import Expected, Store
from .errors import NoBytes, NotFound
from .formats.catalog import Formats
from .formats.fits_part import open_part
from .model.dataset import Location, Resolved
from .registry.registry import Registry


class Reader:
    """Opens what was resolved, from the nearest store that has it."""

    def __init__(self, registry: Registry, stores: Mapping[str, Store], formats: Formats) -> None:
        self._registry = registry
        self._stores = stores
        self._formats = formats

    def open(self, resolved: Resolved) -> tuple[Location, ByteSource]:
        """Open the bytes of a dataset; the caller closes the source.

        A location may be stale when the dataset was replaced meanwhile; then it is looked up anew, once.

        Raises
        ------
        NoBytes
            When the dataset is declared only.
        NotFound
            When no store has the bytes.
        """
        try:
            return self._open(resolved)
        except NotFound:
            fresh = self._registry.lookup.by_id(self._registry.current(), [resolved.ref.id])
            found = fresh.get(resolved.ref.id)
            if found is None or found.locations == resolved.locations:
                raise
            return self._open(found)

    def read(self, resolved: Resolved, *, as_: type | str | None = None) -> object:
        """Read a dataset as its storage class, or as another type that it converts to."""
        location, source = self.open(resolved)
        with source:
            return self._formats.read(source, location.extension, resolved.ref.type.storage_class, as_)

    def places(self, resolved: Resolved) -> Sequence[Location]:
        """Give the locations in the order of the stores: the first is what listings show."""
        order = {name: rank for rank, name in enumerate(self._stores)}
        return sorted(resolved.locations, key=lambda place: order.get(place.store, len(order)))

    def _open(self, resolved: Resolved) -> tuple[Location, ByteSource]:
        ref = resolved.ref
        named = f"{ref.type.name} {ref.data_id!r} in {ref.run!r}"
        if not resolved.locations:
            raise NoBytes(f"open {named}", "it is declared, but no store has its bytes", "put or ingest them")
        failures = []
        for place in self.places(resolved):
            store = self._stores.get(place.store)
            if store is None:
                failures.append(f"the repository has no store {place.store!r}")
                continue
            try:
                return place, _opened(store, place)
            except NotFound as error:
                failures.append(str(error))
        raise NotFound(f"open {named}", "; ".join(failures), "check the repository: skyfs check")


def _opened(store: Store, place: Location) -> ByteSource:
    """Open the bytes at a location: the whole file, or one dataset of many in it."""
    part = place.part
    if part is None:
        return store.open(place.key)
    # The digest of a location is that of the part; the store knows whole files only.
    digest = None if part.hdu else place.sha256
    return open_part(store.open(place.key, Expected(part.file_size, digest)), part, place.size, place.sha256)
