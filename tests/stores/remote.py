"""Far stores made for tests, and their servers' accounts of what was asked."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skyfs.stores.folders import Folders
from skyfs.stores.remote import RemoteStore
from skyfs.testing.servers import HttpServer, S3Server

_numbers = itertools.count()
_buckets: dict[str, str] = {}


def s3_store(s3: S3Server, folder: Path | None = None, *, prefix: str = "some/prefix") -> RemoteStore:
    """Give a store with a prefix of its own; writable when it has a folder for what is being written."""
    return s3_store_at(f"{bucket_of(s3)}/{prefix}-{next(_numbers)}", s3, folder)


def bucket_of(s3: S3Server) -> str:
    """Give the URL of the bucket that tests share."""
    if s3.endpoint not in _buckets:
        _buckets[s3.endpoint] = s3.bucket("for-stores")
    return _buckets[s3.endpoint]


def s3_store_at(url: str, s3: S3Server, folder: Path | None = None) -> RemoteStore:
    """Give a store at a URL."""
    folders = None if folder is None else Folders(str(folder), shared=False, durable=False)
    return RemoteStore(url, name="far", options=s3.options, folders=folders)


def http_store(http: HttpServer, files: Mapping[str, bytes]) -> RemoteStore:
    """Give a store over a folder of the server, with these files."""
    name = f"folder-{next(_numbers)}"
    for key, data in files.items():
        path = http.root / name / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (http.root / name).mkdir(exist_ok=True)
    return RemoteStore(f"{http.url}/{name}", name="web")


def zip_file(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for key, data in files.items():
            archive.writestr(zipfile.ZipInfo(key), data, method)


@dataclass(frozen=True, slots=True)
class Request:
    """A line of nginx's log."""

    method: str
    path: str
    status: int
    size: int


def log_of(http: HttpServer, after: int = 0) -> list[Request]:
    """Give what the server was asked, but the first lines."""
    lines = http.log.read_text(encoding="utf-8", errors="surrogateescape").splitlines()[after:]
    requests = []
    for line in lines:
        (method, path, _), (status, size) = line.split('"')[1].split(" "), line.split('"')[2].split()[:2]
        requests.append(Request(method, path, int(status), int(size)))
    return requests
