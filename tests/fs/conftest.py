"""A repository that can be written to, and what it holds to the last byte."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.filesystem_sample import Sample, fill
from skyfs.testing.snapshot import snapshot


def staged(repo: Repository) -> set[str]:
    """Give the files that are on their way into a store, or were left there."""
    return {str(path) for path in (repo.root / "data/.skyfs/staging").rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The sample, for tests that change nothing."""
    root = tmp_path_factory.mktemp("standing") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        yield fill(repository)


@pytest.fixture(scope="module")
def kept_sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The sample, for the tests of a module that leave it as it was."""
    with skyfs.create(
        tmp_path_factory.mktemp("kept") / "sky", options={"durability": "process"}
    ) as repository:
        yield fill(repository)


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """The sample, this test's own."""
    with skyfs.create(tmp_path / "sky", name="sky", options={"durability": "process"}) as repository:
        yield fill(repository)


@pytest.fixture
def repo(sample: Sample) -> Repository:
    return sample.repository


@pytest.fixture
def fs(repo: Repository) -> SkyFileSystem:
    return skyfs.filesystem(repo)


@pytest.fixture
def unchanged(repo: Repository) -> Iterator[Callable[[], None]]:
    """Checks, when called and at the end of the test, that no byte of files and registry has changed."""
    # What is left over in staging is no change of the repository, and must go all the same.
    before = snapshot(repo.root), staged(repo)

    def check() -> None:
        if staged(repo) != before[1]:
            gc.collect()  # what a failure has kept alive until now
        assert (snapshot(repo.root), staged(repo)) == before

    yield check
    check()
