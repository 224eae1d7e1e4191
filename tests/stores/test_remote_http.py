"""A store behind an HTTP server: the read half of the suite, and what is peculiar to it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from skyfs.abc.store import Store
from skyfs.testing.servers import HttpServer
from skyfs.testing.store_suite import ReadingSuite, Stock

from .remote import http_store


class TestHttp(ReadingSuite):
    refused = frozenset({"\udcff"})

    @pytest.fixture
    def stocked(self, http: HttpServer) -> Stock:
        def stock(files: Mapping[str, bytes]) -> Store:
            return http_store(http, files)

        return stock
