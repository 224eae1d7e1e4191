"""What far stores ask, counted at the server; and servers that do not give what was asked for."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from skyfs.abc.store import Expected
from skyfs.errors import NotFound, StoreError, Transient, WrongBytes
from skyfs.stores.folders import Folders
from skyfs.stores.remote import RemoteStore
from skyfs.stores.remote_reading import PART_BYTES
from skyfs.stores.retrying import Patience, RetryingStore
from skyfs.testing.servers import HttpServer, S3Server

from .remote import Request, http_store, log_of

DATA = bytes(range(256)) * 400
EXPECTED = Expected(len(DATA), hashlib.sha256(DATA).digest())


def asked_of(http: HttpServer, act: Callable[[], object]) -> list[Request]:
    """Give what a call asks of the server."""
    before = len(log_of(http))
    act()
    return log_of(http, before)


def test_opening_a_known_key_asks_nothing_and_reading_asks_once(http: HttpServer) -> None:
    store = http_store(http, {"k": DATA})
    source = store.open("k", EXPECTED)
    assert asked_of(http, lambda: store.open("k", EXPECTED)) == []
    (request,) = asked_of(http, lambda: source.read(100, 5100))
    assert (request.method, request.status, request.size) == ("GET", 206, 5000)
    (request,) = asked_of(http, source.read_all)
    assert (request.method, request.status, request.size) == ("GET", 200, len(DATA))
    assert asked_of(http, lambda: source.read(5, 5)) == []
    assert asked_of(http, lambda: source.read_many([])) == []
    assert [one.method for one in asked_of(http, lambda: store.open("k"))] == ["HEAD"]
    assert [one.method for one in asked_of(http, lambda: store.stat("k"))] == ["HEAD"]


def test_many_ranges_ask_for_exactly_their_bytes(http: HttpServer) -> None:
    store = http_store(http, {"k": DATA})
    source = store.open("k", EXPECTED)
    ranges = [(start, start + 10 + start % 7) for start in range(0, 50_000, 1000)]
    found = asked_of(http, lambda: source.read_many(ranges))
    assert len(found) == 50
    assert sorted(one.size for one in found) == sorted(stop - start for start, stop in ranges)


def test_many_keys_are_one_get_each(http: HttpServer, tmp_path: Path) -> None:
    files = {f"{number}": b"%d" % number * 1000 for number in range(100)}
    store = http_store(http, files)
    known = {key: Expected(len(data), hashlib.sha256(data).digest()) for key, data in files.items()}
    items = [(key, known[key], str(tmp_path / key)) for key in files]
    for act in (
        lambda: store.copy_many(items, lambda _: None),
        lambda: store.read_many([item[:2] for item in items], lambda _: None),
        lambda: store.read_many([(key, None) for key in files], lambda _: None),
    ):
        found = asked_of(http, act)
        assert [one.method for one in found] == ["GET"] * 100
        assert sum(one.size for one in found) == sum(map(len, files.values()))


def test_many_requests_are_on_their_way_at_once() -> None:
    meeting = threading.Barrier(50)

    def answer(handler: Handler) -> None:
        meeting.wait(30)  # until all fifty have come: it breaks when they come one after another
        handler.give(206, DATA[:1], {"Content-Range": f"bytes 0-0/{len(DATA)}"})

    with served(answer) as url:
        source = RemoteStore(url, name="web").open("k", EXPECTED)
        assert source.read_many([(0, 1)] * 50) == [DATA[:1]] * 50


def test_one_huge_file_comes_in_parts(http: HttpServer, tmp_path: Path) -> None:
    data = bytes(range(251)) * (3 * PART_BYTES // 251 + 100)
    expected = Expected(len(data), hashlib.sha256(data).digest())
    store = http_store(http, {"huge": data})
    heard: list[int] = []
    target = tmp_path / "copy"
    found = asked_of(http, lambda: store.copy_many([("huge", expected, str(target))], heard.append))
    assert target.read_bytes() == data
    assert [one.status for one in found] == [206] * 4
    assert sum(one.size for one in found) == sum(heard) == len(data)
    (error,) = store.copy_many([("huge", Expected(len(data), bytes(32)), str(target))], heard.append)
    assert isinstance(error, WrongBytes)
    assert target.read_bytes() == data  # what was there before stays
    assert list(tmp_path.iterdir()) == [target]
    assert sum(heard) == len(data)


# -- servers that do not give what was asked for


class Handler(BaseHTTPRequestHandler):
    """Answers as a test says."""

    answer: Callable[[Handler], None]

    def do_GET(self) -> None:
        type(self).answer(self)

    do_HEAD = do_PUT = do_GET  # noqa: N815 - names of the base class

    def give(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(answer: Callable[[Handler], None]) -> Iterator[str]:
    """Run a server that answers so."""
    handler = type("Answering", (Handler,), {"answer": staticmethod(answer)})

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            pass  # clients that go away early

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/files"
        finally:
            server.shutdown()
            thread.join()


def no_ranges(handler: Handler) -> None:
    handler.give(200, DATA)


def test_a_server_without_ranges_gives_the_right_bytes() -> None:
    with served(no_ranges) as url:
        store = RemoteStore(url, name="web")
        source = store.open("k", EXPECTED)
        assert source.read(1000, 1010) == DATA[1000:1010]
        assert source.read_many([(0, 3), (len(DATA) - 2, len(DATA))]) == [DATA[:3], DATA[-2:]]
        assert source.read_all() == DATA
        store.close()


def cut(handler: Handler) -> None:
    handler.give(200, DATA[:1000], {"Content-Length": str(len(DATA))})
    handler.close_connection = True


def short(handler: Handler) -> None:
    start, stop = map(int, handler.headers["Range"].partition("=")[2].split("-"))
    body = DATA[start : stop + 1][:-1]
    handler.give(206, body, {"Content-Range": f"bytes {start}-{stop}/{len(DATA)}"})


def elsewhere(handler: Handler) -> None:
    handler.give(206, DATA[4:9], {"Content-Range": f"bytes 4-8/{len(DATA)}"})


def of_another_size(handler: Handler) -> None:
    handler.give(206, DATA[:5], {"Content-Range": f"bytes 0-4/{len(DATA) + 1}"})


def silent(handler: Handler) -> None:
    handler.connection.close()


def failing(status: int) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.give(status, b"<html>no</html>", {"Content-Type": "text/html"})

    answer.__name__ = f"status {status}"
    return answer


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (short, Transient),
        (elsewhere, Transient),
        (of_another_size, WrongBytes),
        (silent, Transient),
        *((failing(status), Transient) for status in (408, 429, 500, 502, 503, 504)),
        *((failing(status), StoreError) for status in (400, 401, 403, 405, 416)),
        *((failing(status), NotFound) for status in (404, 410)),
    ],
)
def test_bad_answers_to_a_range(answer: Callable[[Handler], None], kind: type[Exception]) -> None:
    with served(answer) as url:
        store = RemoteStore(url, name="web")
        with pytest.raises(StoreError if kind is not NotFound else NotFound) as caught:
            store.open("k", EXPECTED).read(0, 5)
        store.close()
    assert caught.type is kind
    assert "'k'" in str(caught.value)
    assert "'web'" in str(caught.value)


def test_a_cut_answer_leaves_nothing(tmp_path: Path) -> None:
    with served(cut) as url:
        store = RemoteStore(url, name="web")
        heard: list[int] = []
        target = str(tmp_path / "copy")
        for expected in (EXPECTED, None, Expected(3 << 20)):
            (error,) = store.copy_many([("k", expected, target)], heard.append)
            assert isinstance(error, StoreError)
            (error,) = store.read_many([("k", expected)], heard.append)  # type: ignore[assignment]
            assert isinstance(error, StoreError)
        store.close()
    assert list(tmp_path.iterdir()) == []
    assert sum(heard) == 0


def test_a_server_that_fails_now_and_then(tmp_path: Path) -> None:
    count = 0
    lock = threading.Lock()

    def answer(handler: Handler) -> None:
        nonlocal count
        with lock:
            count += 1
            turn = count % 4
        (no_ranges, cut, silent, failing(503))[turn](handler)

    with served(answer) as url:
        store = RetryingStore(RemoteStore(url, name="web"), Patience(40, pause=lambda _: None))
        source = store.open("k", EXPECTED)
        for _ in range(5):
            assert source.read(1000, 1010) == DATA[1000:1010]
            assert source.read_all() == DATA
        assert source.read_many([(start, start + 2) for start in range(40)]) == [
            DATA[start : start + 2] for start in range(40)
        ]
        items = [("k", EXPECTED, str(tmp_path / f"{number}")) for number in range(20)]
        assert store.copy_many(items, lambda _: None) == [None] * 20
        assert {path.read_bytes() for path in tmp_path.iterdir()} == {DATA}
        assert len(list(tmp_path.iterdir())) == 20
        store.close()


def test_s3_asks_once_and_does_not_try_again_by_itself(s3: S3Server, tmp_path: Path) -> None:
    asked: list[tuple[str, str, str | None]] = []
    status = 503

    def answer(handler: Handler) -> None:
        asked.append((handler.command, handler.path, handler.headers.get("Range")))
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if status == 206:
            handler.give(206, DATA[7:10], {"Content-Range": f"bytes 7-9/{len(DATA)}"})
        else:
            handler.give(status, b"")

    with served(answer) as url:
        options = {**s3.options, "endpoint_url": url.rpartition("/")[0]}
        folders = Folders(str(tmp_path / "w"), shared=False, durable=False)
        store = RemoteStore("s3://bucket/x", name="far", options=options, folders=folders)
        source = store.open("a/k", EXPECTED)
        assert asked == []
        for act in (
            lambda: source.read(7, 10),
            source.read_all,
            lambda: store.stat("a/k"),
            lambda: next(iter(store.scan())),
            lambda: store.begin().create("k"),
        ):
            asked.clear()
            with pytest.raises(Transient):
                act()
            assert len(asked) == 1
        status = 206
        asked.clear()
        assert source.read(7, 10) == DATA[7:10]
        assert asked == [("GET", "/bucket/x/a/k", "bytes=7-9")]
        store.close()
