"""Where writers die: a folder in memory when there is one, so that what is synced costs nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tracer import why_no_tracing
from .worlds import Worlds


@pytest.fixture(scope="session")
def tracing() -> None:
    """Skip where children cannot be traced; in continuous integration (CI=true) fail instead."""
    reason = why_no_tracing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, but {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture
def worlds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worlds]:
    """Make repositories, in memory where that can be."""
    memory = Path("/dev/shm")
    folder = (
        Path(tempfile.mkdtemp(prefix="skyfs-crash-", dir=memory)) if os.access(memory, os.W_OK) else tmp_path
    )
    yield Worlds(folder, lambda: request.getfixturevalue("s3"), lambda: request.getfixturevalue("postgres"))
    shutil.rmtree(folder)
