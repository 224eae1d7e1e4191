"""The sample repository, and a look at all that a hostile input might have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.filesystem_sample import Sample, fill
from skyfs.testing.snapshot import snapshot

CANARY = b"nothing writes here"


@dataclass
class Target:
    """What is attacked.

    Attributes
    ----------
    folder
        Holds the repository in ``sky``, and beside it files that nothing may touch.
    """

    folder: Path
    repository: Repository
    filesystem: SkyFileSystem
    sample: Sample

    @property
    def state(self) -> object:
        """All that is there: the repository's files and rows, and what lies around it."""
        around = {
            str(path): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and self.repository.root not in path.parents
        }
        return snapshot(self.repository.root), around, sorted(Path.cwd().iterdir())


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A filled repository, open for writing; the test must leave every byte and row as it was."""
    folder = tmp_path / "place"
    (folder / "beside").mkdir(parents=True)
    (folder / "beside" / "canary").write_bytes(CANARY)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with skyfs.create(folder / "sky", options={"durability": "process"}) as repository:
        sample = fill(repository)
        target = Target(folder, repository, skyfs.filesystem(repository), sample)
        before = target.state
        yield target
        assert target.state == before, "something was written"
