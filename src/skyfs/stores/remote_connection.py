"""The way to a far store: the requests that its URL means, new in each process; what must not be shown."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from skyfs.errors import BadConfig, MissingPackage, NotFound, StoreError

from . import remote_loop
from .remote_failure import asking
from .remote_requests import FsspecRequests, Requests

_S3, _HTTP = ("s3", "s3a"), ("http", "https")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "http": "aiohttp", "https": "aiohttp"}
_EXTRAS = {"s3fs": "s3", "aiohttp": "http"}
_HARMLESS = frozenset(
    {
        "endpoint_url",
        "region_name",
        "default_cache_type",
        "target_protocol",
        "remote_protocol",
        "signature_version",
    }
)
_SECRET_LENGTH_MIN = 4  # shorter ones would blot out ordinary words


class Connection:
    """The requests of one store in this process; safe from several threads and after a fork."""

    def __init__(self, url: str, options: Mapping[str, Any], name: str) -> None:
        self.name = name
        self.protocol = url.partition("://")[0]
        self.secrets = (*_secrets(options), *_password(url))
        _require_package(self.protocol, url, name)
        self._url, self._options = url, options
        self._lock = threading.Lock()
        self._found: tuple[int, Requests] | None = None

    @property
    def conditional(self) -> bool:
        """Tell whether the store can be written without overwriting what others write."""
        return self.protocol in _S3

    def requests(self) -> Requests:
        """Give the requests of this process; called in the event loop or outside."""
        pid = os.getpid()
        found = self._found
        if found is None or found[0] != pid:
            found = self._make(pid)
        return found[1]

    def asking(self, verb: str, key: str) -> asking:
        """Give the context in which foreign errors leave as ours."""
        # What is written need not be there before: that the server misses something means another fault.
        missing = StoreError if verb == "write" else NotFound
        return asking(f"{verb} {key!r} in store {self.name!r}", self.secrets, missing)

    def close(self) -> None:
        """Let go of sockets; the next question opens new ones."""
        found, self._found = self._found, None
        if found is not None and found[0] == os.getpid():
            remote_loop.run(found[1].close())
        elif found is not None:
            remote_loop.leave_to_parent(found)

    def _make(self, pid: int) -> tuple[int, Requests]:
        if self._found is not None and self._found[0] != pid:
            # Another thread of the parent may have held the lock when it forked.
            remote_loop.leave_to_parent(self._found)
            self._lock, self._found = threading.Lock(), None
        with self._lock:
            if self._found is None:
                with self.asking("connection for", ""):
                    requests = self._requests()
                self._found = (pid, requests)
                remote_loop.close_at_end(requests)
                weakref.finalize(self, _let_go, pid, requests).atexit = False
            return self._found

    def _requests(self) -> Requests:
        place = self._url.partition("://")[2]
        if self.protocol in _S3:
            from .remote_s3 import S3Requests

            return S3Requests(place, self._options)
        if self.protocol in _HTTP:
            from .remote_http import HttpRequests

            return HttpRequests(self._url, self._options)
        return FsspecRequests(self._url, self._options)


def _let_go(pid: int, requests: Requests) -> None:
    if pid == os.getpid():
        remote_loop.close_later(requests)
    else:
        remote_loop.leave_to_parent(requests)


def _require_package(protocol: str, url: str, name: str) -> None:
    from fsspec.registry import known_implementations, registry

    asked = f"store {name!r} at {protocol}://"
    for one in {part.partition("://")[0] for part in url.split("::")} | {protocol}:
        package = _PACKAGES.get(one)
        if package is not None and find_spec(package) is None:
            todo = f"pip install 'skyfs[{_EXTRAS[package]}]'"
            raise MissingPackage(asked, f"the package {package} is not installed", todo)
    if protocol not in known_implementations and protocol not in registry:
        raise BadConfig(asked, "fsspec knows no such protocol", "s3, http, https, zip, memory, or a folder")


def _secrets(options: object) -> Iterator[str]:
    """Give every text among the options that might be a credential."""
    if isinstance(options, Mapping):
        for key, value in options.items():
            if key not in _HARMLESS:
                yield from _secrets(value)
    elif isinstance(options, list | tuple):
        for value in options:
            yield from _secrets(value)
    elif isinstance(options, str) and len(options) >= _SECRET_LENGTH_MIN:
        yield options


def _password(url: str) -> Iterator[str]:
    """Give user name and password of a URL."""
    before, found, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    if found:
        yield from (before, *(part for part in before.split(":") if len(part) >= _SECRET_LENGTH_MIN))
