"""Which files the stores of a repository hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..abc.store import Stat, Store
from ..errors import NotFound, SkyfsError
from ..model.dataset import Location
from ..writing.ingester import IN_PLACE


class Files:
    """All files of all stores, each as a number: 10^6 take about 100 MB.

    Attributes
    ----------
    unseen
        The stores that could not be listed, with the reason: all that is said to be there is believed.
    """

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = stores
        self._sizes: dict[str, dict[int, int]] = {}
        self.unseen: dict[str, str] = {}
        for name, store in stores.items():
            if name == IN_PLACE:
                continue
            try:
                self._sizes[name] = {hash(key): stat.size for key, stat in store.scan()}
            except SkyfsError as error:
                self.unseen[name] = str(error)

    def holds(self, place: Location) -> bool:
        """Tell whether a file is there, or cannot be looked for."""
        if place.store in self.unseen:
            return True
        if place.store == IN_PLACE:
            try:
                self._stores[IN_PLACE].stat(place.key)
            except NotFound:
                return False
            return True
        return hash(place.key) in self._sizes.get(place.store, {})

    def take(self, place: Location) -> int | None:
        """Give the size of a file, and take it off the list; None when it is not on it (any more)."""
        return self._sizes.get(place.store, {}).pop(hash(place.key), None)

    def left(self) -> Iterator[tuple[str, str, Stat]]:
        """Give (store, key, stat) of the files that nobody has taken."""
        for name, sizes in self._sizes.items():
            if sizes:
                for key, stat in self._stores[name].scan():
                    if hash(key) in sizes:
                        yield name, key, stat
