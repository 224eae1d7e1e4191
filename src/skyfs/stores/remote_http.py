"""The requests of a store behind an HTTP server: GET with ranges, HEAD, and folders listed as pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urljoin

from skyfs.abc.store import Stat
from skyfs.errors import StoreError

from .keys import folder_of
from .remote_loop import AT_ONCE, each
from .remote_requests import CHUNK_BYTES, Requests, Take

_CONNECT_S, _SILENCE_S = 10.0, 60.0
_NO_HEAD = (405, 501)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class HttpRequests(Requests):
    """Files below one URL; redirects are followed, as any client does."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        import aiohttp
        from fsspec.implementations.http import HTTPFileSystem

        waiting = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        # What a server packed for the way is not unpacked: ranges and digests are of the bytes that it sends.
        client = {"timeout": waiting, "auto_decompress": False, **options.get("client_kwargs", {})}
        chosen = {**options, "client_kwargs": client}
        self._fs = HTTPFileSystem(**chosen, asynchronous=True, skip_instance_cache=True)
        self._url = url.rstrip("/") + "/"

    async def stat(self, key: str) -> Stat:
        async with await self._ask("head", key, {}) as answer:
            if answer.status not in _NO_HEAD:
                answer.raise_for_status()
                if "Content-Length" in answer.headers:
                    return Stat(int(answer.headers["Content-Length"]), _mtime_ns(answer.headers))
        async with await self._ask("get", key, {"Range": "bytes=0-0"}) as answer:
            answer.raise_for_status()
            total = _total(answer)
            if total is None:
                raise StoreError(
                    f"stat {key!r}", "the server does not tell its size", "it must, for reading parts"
                )
            return Stat(total, _mtime_ns(answer.headers))

    async def fetch(self, key: str, ends: tuple[int, int] | None, take: Take) -> int | None:
        headers = {"Range": f"bytes={ends[0]}-{ends[1] - 1}"} if ends is not None else {}
        async with await self._ask("get", key, headers) as answer:
            answer.raise_for_status()
            position = _start(answer)
            start, stop = ends if ends is not None else (0, None)
            # A server that does not know ranges sends the file from its beginning: leave out what is before.
            while (stop is None or position < stop) and (chunk := await answer.content.read(CHUNK_BYTES)):
                wanted = chunk[max(0, start - position) : None if stop is None else max(0, stop - position)]
                position += len(chunk)
                if wanted:
                    take(wanted)
            return _total(answer)

    async def pages(self, prefix: str) -> AsyncIterator[list[tuple[str, Stat]]]:
        folders = [folder_of(prefix)]
        while folders:
            folder = folders.pop()
            files = []
            for name in await self._names(folder):
                key = f"{folder}/{name}" if folder else name
                if not key.endswith("/"):
                    if key.startswith(prefix):
                        files.append(key)
                elif key.startswith(prefix) or prefix.startswith(key):
                    folders.append(key.rstrip("/"))
            stats = await each(self.stat, files, AT_ONCE)
            yield list(zip(files, stats, strict=True))

    async def close(self) -> None:
        session = getattr(self._fs, "_session", None)
        if session is not None:
            self._fs._session = None  # noqa: SLF001 - fsspec closes it only in a loop of its own
            await session.close()

    async def _names(self, folder: str) -> list[str]:
        """Give the names in a folder that the server's page about it links to; folders end with a slash."""
        async with await self._ask("get", f"{folder}/" if folder else "", {}) as answer:
            if answer.status == 404 and folder:
                return []
            answer.raise_for_status()
            if not answer.headers.get("Content-Type", "").startswith("text/html"):
                raise StoreError(f"scan of folder {folder!r}", "the server does not list it", "name the keys")
            here = str(answer.url)
            links = _Links()
            links.feed((await answer.read()).decode("utf-8", "surrogateescape"))
        names = {urljoin(here, link) for link in links.found}
        below = (url[len(here) :] for url in names if url.startswith(here))
        plain = (unquote(name, errors="surrogateescape") for name in below if not re.search(r"[?#]", name))
        return sorted(name for name in plain if name and "/" not in name[:-1])

    async def _ask(self, method: str, key: str, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - of aiohttp
        import yarl

        session = await self._fs.set_session()
        given = dict(self._fs.kwargs)
        sent = {**given.pop("headers", {}), "Accept-Encoding": "identity", **headers}
        url = yarl.URL(self._url + quote(key.encode("utf-8", "surrogateescape"), safe="/"), encoded=True)
        answer = await session.request(method, url, headers=sent, **{"allow_redirects": True, **given})
        if answer.url.path.endswith("/") and key and not key.endswith("/"):
            answer.close()
            raise FileNotFoundError(f"{key}: it is a folder")
        return answer


class _Links(HTMLParser):
    """The targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _start(answer: Any) -> int:  # noqa: ANN401 - of aiohttp
    """Give the position of the first byte that comes."""
    found = _RANGE.match(answer.headers.get("Content-Range", "")) if answer.status == 206 else None
    return int(found[1]) if found else 0


def _total(answer: Any) -> int | None:  # noqa: ANN401 - of aiohttp
    """Give the size of the whole file."""
    if answer.status == 206:
        found = _RANGE.match(answer.headers.get("Content-Range", ""))
        return int(found[2]) if found and found[2] != "*" else None
    length = answer.headers.get("Content-Length")
    return int(length) if length is not None else None


def _mtime_ns(headers: Mapping[str, str]) -> int:
    try:
        return int(parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp() * 1e9)
    except ValueError:
        return 0
