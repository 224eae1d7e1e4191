"""Real servers for tests and benchmarks, on free ports of the loopback interface: S3 (moto), HTTP (nginx).

Each is a process of its own, started by a context manager that waits until it answers and ends it after.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_START_S = 30.0
_POLL_S = 0.02
# The first line says which port it got.
_MOTO = """
import sys, threading
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler

# Real servers decide about conditions (If-None-Match) atomically; moto asks first and writes later.
one_at_a_time = threading.Lock()


def alone(method):
    def call(*arguments, **options):
        with one_at_a_time:
            return method(*arguments, **options)

    return call


for name in ("put_object", "_key_response_post", "delete_object"):
    setattr(S3Response, name, alone(getattr(S3Response, name)))
log = open(sys.argv[1], "a", buffering=1)


def note(request, code="-", size="-"):
    log.write(f"{request.command} {request.path} {code}\\n")


WSGIRequestHandler.log_request = note
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
_NGINX = """
worker_processes 1;
daemon off;
pid {scratch}/pid;
error_log {scratch}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {scratch}/access.log;
    client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fcgi;
    uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
    keepalive_requests 1000000;
    server {{ listen 127.0.0.1:{port} backlog=511; root {root}; autoindex on; }}
}}
"""


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 server, which keeps all in memory.

    Attributes
    ----------
    endpoint
        Its URL.
    options
        For ``fsspec.filesystem("s3", **options)``, and for ``options:`` of a store in a repository's YAML.
    log
        A line for each request: method, path, status.
    """

    endpoint: str
    log: Path
    options: Mapping[str, object] = field(default_factory=dict)

    def requests(self) -> list[str]:
        """Give what it was asked so far."""
        return self.log.read_text(encoding="utf-8", errors="surrogateescape").splitlines()

    def bucket(self, name: str) -> str:
        """Make a bucket, and give its URL."""
        import fsspec

        fsspec.filesystem("s3", **self.options, skip_instance_cache=True).mkdir(name)
        return f"s3://{name}"


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A running HTTP server with byte ranges; ``url`` serves the files of ``root``."""

    url: str
    root: Path
    log: Path


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run moto's S3 server."""
    descriptor, log = tempfile.mkstemp(prefix="skyfs-s3-", suffix=".log")
    os.close(descriptor)
    command = [sys.executable, "-W", "ignore", "-c", _MOTO, log]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            endpoint = f"http://127.0.0.1:{port}"
            options = {"endpoint_url": endpoint, "key": "testing", "secret": "testing"}
            yield S3Server(endpoint, Path(log), options)
        finally:
            process.kill()
            os.unlink(log)


@contextmanager
def http_server(root: Path) -> Iterator[HttpServer]:
    """Run nginx over a folder, read-only."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise FileNotFoundError("nginx is not installed (Debian package nginx-light)")
    with tempfile.TemporaryDirectory(prefix="skyfs-nginx-") as name:
        scratch = Path(name)
        # Workers drop root's rights, and must get at the files all the same.
        user = "user root;\n" if os.geteuid() == 0 else ""
        port = free_port()
        text = user + _NGINX.format(scratch=scratch, root=root, port=port)
        (scratch / "nginx.conf").write_text(text, encoding="utf-8")
        command = [program, "-p", name, "-c", str(scratch / "nginx.conf"), "-e", str(scratch / "error.log")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port, process)
                yield HttpServer(f"http://127.0.0.1:{port}", root, scratch / "access.log")
            finally:
                process.terminate()
                process.wait()


def free_port() -> int:
    """Give a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(_POLL_S)
    raise TimeoutError(f"the server on port {port} did not start")
