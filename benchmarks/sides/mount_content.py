"""The files that are mounted: the same tree in a plain folder, in repositories, and in a bucket.

``big/instrument=C`` is one huge file; all others are ``TYPE/instrument=C/detector=N``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

import yaml

import skyfs
from skyfs.testing.servers import free_port, s3_server
from skyfs.writing.ingester import IngestFile

BUCKET, FAR_BUCKET = "bench", "far"
MIB = 1 << 20
# In the run's folder of each tree.
BIG = "big/instrument=C"
CHUNK = 100_000
DETECTORS = 200
_TYPES = ("few", "many", "small", "copy")
# moto, a server in Python, would be what is measured: only what nginx cannot know is asked of it.
_NGINX = """
worker_processes 1;
daemon off;
{user}
pid {scratch}/pid;
error_log {scratch}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fcgi;
    uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
    keepalive_requests 1000000;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port} backlog=511;
        root {root};
        location / {{
            error_page 418 = @moto;
            if ($request_method !~ "^(GET|HEAD)$") {{ return 418; }}
            if ($args) {{ return 418; }}
            try_files $uri @moto;
        }}
        location @moto {{
            proxy_pass {moto};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


@dataclass
class Content:
    """All that is mounted, made when it is first needed.

    Attributes
    ----------
    folder
        Where all of it lies.
    endpoint
        Of the S3 server: nginx answers GET, moto all else.
    no_server
        Why there is no S3 server; empty when there is.
    """

    folder: Path
    scale: float = 1.0
    endpoint: str = ""
    no_server: str = ""
    _made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in (self.files, self._served / "far"):
            path.mkdir(parents=True)
        (self._served / BUCKET).symlink_to(self.files)
        for root, stores in (
            (self.near, None),
            (self.far, [{"name": "far", "url": str(self._served / "far")}]),
        ):
            with skyfs.create(root, stores=stores) if stores else skyfs.create(root) as repo:
                repo.insert("instrument", [{"name": "C"}])
                repo.insert("detector", [{"instrument": "C", "id": n} for n in range(self.count(100_000))])
                repo.register("big", ["instrument"], "Bytes")
                for name in _TYPES:
                    repo.register(name, ["detector"], "Bytes")

    @property
    def files(self) -> Path:
        """The plain folder."""
        return self.folder / "files"

    @property
    def near(self) -> Path:
        """The repository whose datasets are the files of that folder, in place."""
        return self.folder / "near"

    @property
    def far(self) -> Path:
        """The repository whose datasets are on S3."""
        return self.folder / "far"

    @property
    def _served(self) -> Path:
        return self.folder / "served"

    @property
    def options(self) -> Mapping[str, Any]:
        """For s3fs."""
        return {"endpoint_url": self.endpoint, "key": "testing", "secret": "testing"}

    def count(self, whole: int) -> int:
        """Give a number of files at this scale."""
        return max(8, int(whole * self.scale))

    # -- making it -------------------------------------------------------------------------------------

    def need_big(self) -> int:
        """Have the huge file everywhere; give its size."""
        path = self.files / BIG
        if "big" not in self._made:
            path.parent.mkdir()
            with path.open("wb") as out:
                for _ in range(self.count(1024)):
                    out.write(os.urandom(MIB))
            self._take_in([path], "big", far=True)
        return path.stat().st_size

    def need(self, name: str, whole: int, size: int, *, far: bool = False, taken: bool = True) -> int:
        """Have the files of a type in the folder, in repositories and on S3 as asked; give their number."""
        count = self.count(whole)
        if name not in self._made:
            folder = self.files / name / "instrument=C"
            folder.mkdir(parents=True)
            paths = [folder / f"detector={number}" for number in range(count)]
            for path in paths:
                path.write_bytes(os.urandom(size))
            if taken:
                self._take_in(paths, name, far=far)
            self._made.add(name)
        return count

    def _take_in(self, paths: list[Path], name: str, *, far: bool) -> None:
        with skyfs.open(self.near, writable=True) as repo:
            repo.ingest([_arrival(path) for path in paths], name, run="r", mode="direct")
        if far and not self.no_server:
            self._be_local()
            with skyfs.open(self.far, writable=True) as repo:
                repo.ingest([_arrival(path) for path in paths], name, run="r", mode="link")
            self.be_remote()
            self._list(paths)
        self._made.add(name)

    def _list(self, paths: list[Path]) -> None:
        """Let moto know the files, which it lists."""
        import s3fs

        fs = s3fs.S3FileSystem(**self.options, skip_instance_cache=True)
        keys = [f"{BUCKET}/{path.relative_to(self.files)}" for path in paths]
        fs.put([str(path) for path in paths], keys)

    # -- the configuration of the far repository ---------------------------------------------------------

    def _be_local(self) -> None:
        self._configure({"name": "far", "url": str(self._served / "far")})

    def be_remote(self) -> None:
        """Let the far repository be on S3, if there is a server."""
        if not self.no_server:
            self._configure({"name": "far", "url": f"s3://{FAR_BUCKET}", "options": dict(self.options)})

    def _configure(self, store: Mapping[str, object]) -> None:
        path = self.far / "skyfs.yaml"
        config = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(config | {"stores": [store], "cache": {"folder": str(self._cache)}}))

    @property
    def _cache(self) -> Path:
        return self.folder / "cache"

    def empty_cache(self) -> None:
        """Forget what was fetched from S3."""
        shutil.rmtree(self._cache, ignore_errors=True)


def _arrival(path: Path) -> IngestFile:
    own = dict(part.split("=") for part in path.parts if "=" in part)
    return IngestFile(path, own, "")


def make_large(root: Path, file: Path, count: int) -> int:
    """Make a repository of many datasets, 200 in a folder, which are all the same file."""
    visits = max(1, count // DETECTORS)
    with skyfs.create(root) as repo:
        repo.insert("instrument", [{"name": "C"}])
        repo.insert("physical_filter", [{"instrument": "C", "name": "i", "band": "i"}])
        repo.insert(
            "day_obs", [{"instrument": "C", "id": day} for day in {_day(visit) for visit in range(visits)}]
        )
        repo.insert("detector", [{"instrument": "C", "id": n} for n in range(DETECTORS)])
        one = {"instrument": "C", "physical_filter": "i"}
        repo.insert("visit", [one | {"id": visit, "day_obs": _day(visit)} for visit in range(visits)])
        repo.register("blob", ["visit", "detector"], "Bytes")
        for first in range(0, visits, CHUNK // DETECTORS):
            some = range(first, min(first + CHUNK // DETECTORS, visits))
            ids = [
                {"instrument": "C", "visit": visit, "detector": n} for visit in some for n in range(DETECTORS)
            ]
            repo.ingest([IngestFile(file, own, "") for own in ids], "blob", run="r", mode="direct")
    return visits * DETECTORS


def _day(visit: int) -> int:
    return 20250101 + visit // 100


@contextmanager
def served(content: Content) -> Iterator[None]:
    """Run the S3 server of the content meanwhile, if that is possible."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        content.no_server = "nginx is not installed (apt-get install nginx-light)"
        yield
        return
    with s3_server() as moto:
        moto.bucket(BUCKET)
        moto.bucket(FAR_BUCKET)
        with _nginx(program, content.folder / "nginx", content.folder / "served", moto.endpoint) as endpoint:
            content.endpoint = endpoint
            yield


@contextmanager
def _nginx(program: str, scratch: Path, root: Path, moto: str) -> Iterator[str]:
    scratch.mkdir()
    port = free_port()
    # Workers drop root's rights, and must get at the files all the same.
    user = "user root;" if os.geteuid() == 0 else ""
    text = _NGINX.format(user=user, scratch=scratch, root=root, port=port, moto=moto)
    (scratch / "nginx.conf").write_text(text, encoding="utf-8")
    command = [program, "-p", scratch, "-c", scratch / "nginx.conf", "-e", scratch / "error.log"]
    with Popen(command, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
