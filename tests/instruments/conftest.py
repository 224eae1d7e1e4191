"""An empty repository for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.repository import Repository


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the repository that each test gets a copy of: to make one takes ten times as long."""
    root = tmp_path_factory.mktemp("template") / "sky"
    skyfs.create(root, options={"durability": "process"}).close()
    return root


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Iterator[Repository]:
    """Give an empty repository, open for writing."""
    shutil.copytree(template, tmp_path / "sky")
    with skyfs.open(tmp_path / "sky", writable=True) as repository:
        yield repository
