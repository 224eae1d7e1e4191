"""The cached store over real servers: S3 through the suite, HTTP with what the server was asked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from skyfs.abc.store import Expected, Store
from skyfs.stores.cache import CachedStore, DiskCache, verify
from skyfs.testing.servers import HttpServer, S3Server
from skyfs.testing.store_suite import ReadingSuite, Stock, put

from .crash import start_child
from .remote import Request, http_store, log_of, s3_store


class TestCachedS3(ReadingSuite):
    refused = frozenset({"\udcff"})
    scans_times = False

    @pytest.fixture
    def stocked(self, s3: S3Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stock]:
        if "newline" in request.node.name:
            pytest.skip("moto finds no route for a newline")
        below = s3_store(s3, tmp_path / "writing")
        cache = DiskCache(tmp_path / "cache")

        def stock(files: Mapping[str, bytes]) -> Store:
            put(below, files)
            return CachedStore(below, cache, identity="s3://")

        yield stock
        assert verify(cache) == {}
        cache.close()
        below.close()


class Web:
    """Files on a web server, a cache of them, and what the server was asked."""

    def __init__(self, http: HttpServer, folder: Path, files: dict[str, bytes]) -> None:
        self.http, self.files, self.folder = http, files, folder
        self.below = http_store(http, files)
        self.cache = DiskCache(folder / "cache")
        self.store = CachedStore(self.below, self.cache, identity=http.url)
        self.before = len(log_of(http))

    def expected(self, key: str) -> Expected:
        return Expected(len(self.files[key]), hashlib.sha256(self.files[key]).digest())

    def asked(self) -> list[Request]:
        return log_of(self.http, self.before)


@pytest.fixture
def web(http: HttpServer, tmp_path: Path) -> Iterator[Web]:
    web = Web(http, tmp_path, {f"k{number}": os.urandom(200_000 + number) for number in range(10)})
    yield web
    web.store.close()


def test_ranges_then_the_rest_then_nothing(web: Web) -> None:
    data, expected = web.files["k1"], web.expected("k1")
    with web.store.open("k1", expected) as source:
        assert source.read_many([(10, 20), (150_000, 150_100)]) == [data[10:20], data[150_000:150_100]]
        assert source.read(5, 25) == data[5:25]
    assert sorted(one.size for one in web.asked()) == [5, 5, 10, 100]
    with web.store.open("k1", expected) as source:
        assert source.read_all() == data
    assert sum(one.size for one in web.asked()) == len(data)
    count = len(web.asked())
    with web.store.open("k1", expected) as source:
        assert source.read_all() == data
    assert len(web.asked()) == count


def test_many_come_each_once_and_are_copied_from_here(web: Web) -> None:
    items = [(key, web.expected(key)) for key in web.files]
    assert web.store.read_many(items[:5], lambda _: None) == list(web.files.values())[:5]
    (web.folder / "out").mkdir()
    wanted = [(key, expected, str(web.folder / "out" / key)) for key, expected in items]
    assert web.store.copy_many(wanted, lambda _: None) == [None] * 10
    assert {path.name: path.read_bytes() for path in (web.folder / "out").iterdir()} == web.files
    assert sorted(one.path.rpartition("/")[2] for one in web.asked()) == sorted(web.files)
    assert verify(web.cache) == {}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_at_once_ask_the_server_once(web: Web) -> None:
    def work() -> None:
        for key in web.files:
            with web.store.open(key, web.expected(key)) as source:
                assert source.read_all() == web.files[key]

    children = [start_child(work) for _ in range(6)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert sorted(one.path.rpartition("/")[2] for one in web.asked()) == sorted(web.files)
