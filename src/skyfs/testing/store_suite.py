"""The conformance suite of stores: every promise of `skyfs.abc.store`, through its methods alone.

The test file of a store that can be written subclasses `StoreSuite` and gives a ``store`` fixture::

    class TestMyStore(StoreSuite):
        store = pytest.fixture(lambda self, tmp_path: MyStore(tmp_path))

That of a read-only store subclasses `ReadingSuite` and gives ``stocked``, a function that fills the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from skyfs.abc.store import Store

from .store_files import BAD_KEYS, ODD_KEYS, delete, fill, get, held, put
from .store_suite_adopting import AdoptingSuite
from .store_suite_reading import ReadingSuite, Stock
from .store_suite_writing import WritingSuite

__all__ = [
    "BAD_KEYS",
    "ODD_KEYS",
    "AdoptingSuite",
    "ReadingSuite",
    "Stock",
    "StoreSuite",
    "WritingSuite",
    "delete",
    "fill",
    "get",
    "held",
    "put",
]


class StoreSuite(ReadingSuite, WritingSuite, AdoptingSuite):
    """What every store does that can be read and written."""

    refused: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def stocked(self, store: Store) -> Stock:
        """Fill the store through its own batches."""

        def stock(files: Mapping[str, bytes]) -> Store:
            put(store, files)
            return store

        return stock
