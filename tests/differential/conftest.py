"""Both sides with the same repositories."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.repository import Repository

from . import ours, survey
from .question import Question

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
# The samples that the peer's package ships, in the combinations that belong together; "*": with our own.
WORLDS = {
    "cam": ("base.yaml", "spatial.yaml", "*datasets.yaml"),
    "rc2": ("hsc-rc2-subset-v0.yaml",),
    "lsstcam": ("lsstcam-subset.yaml",),
    "ci_hsc": ("ci_hsc-subset.yaml", "ci_hsc-subset-skymap.yaml"),
}


class Peer:
    """The peer's process."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(HERE / "peer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def ask(self, line: Any) -> Any:  # noqa: ANN401 - JSON
        """Give what it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(line), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"the peer ended with status {self._process.wait()}"
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


class Sides:
    """Both sides; repositories are made when first asked."""

    def __init__(self, peer: Peer, samples: Path, folder: Path) -> None:
        self._peer, self._samples, self._folder = peer, samples, folder
        self._repos: dict[str, Repository] = {}

    def repo(self, world: str) -> Repository:
        """Give our repository."""
        if world not in self._repos:
            self._make(world)
        return self._repos[world]

    def ask(self, question: Question) -> tuple[Any, Any]:
        """Give our answer and theirs."""
        repo = self.repo(question.world)
        return ours.answer(repo, question), self._peer.ask(asdict(question))

    def _make(self, world: str) -> None:
        exports = [self._export(name) for name in WORLDS[world]]
        assert "error" not in self._peer.ask({"world": world, "exports": [str(one) for one in exports]})
        repo = skyfs.create(self._folder / world, name=None, options={"durability": "process"})
        for export in exports:
            repo.import_export(export, files="ignore")
        self._repos[world] = repo

    def _export(self, name: str) -> Path:
        if not name.startswith("*"):
            return self._samples / name
        path = self._folder / "survey.yaml"
        sample = self._samples / name.removeprefix("*")
        path.write_text(survey.export(sample.read_text("utf-8")), "utf-8")
        return path

    def close(self) -> None:
        """Close all."""
        self._peer.close()
        for repo in self._repos.values():
            repo.close()


def _python() -> tuple[str, str]:
    """Give the peer's Python, or why there is none."""
    given = os.environ.get("SKYFS_PEER_PYTHON")
    python = Path(given) if given else CHECKOUT / ".venv-peer" / "bin" / "python"
    todo = "`make peer` installs it, or SKYFS_PEER_PYTHON names a Python that has it"
    return (str(python), "") if python.exists() else ("", f"no lsst-daf-butler at {python}: {todo}")


@pytest.fixture(scope="session")
def peer_python() -> str:
    """The peer's Python; in continuous integration (CI=true) it must be there."""
    python, reason = _python()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, but {reason}")
    if reason:
        pytest.skip(reason)
    return python


@pytest.fixture(scope="session")
def sides(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both sides."""
    where = "from importlib.resources import files; print(files('lsst.daf.butler.tests.registry_data'))"
    samples = subprocess.run([peer_python, "-c", where], capture_output=True, text=True, check=True).stdout
    both = Sides(Peer(peer_python), Path(samples.strip()), tmp_path_factory.mktemp("differential"))
    yield both
    both.close()


@pytest.fixture
def agree(sides: Sides) -> Callable[[Question], None]:
    """Demand equal answers."""

    def check(question: Question) -> None:
        found = ours.same(*sides.ask(question), question)
        assert not found, f"{question}\n{found}"

    return check


@pytest.fixture
def refuse(sides: Sides) -> Callable[[Question], None]:
    """Demand that both refuse."""

    def check(question: Question) -> None:
        mine, theirs = sides.ask(question)
        assert "error" in mine, f"{question}\n{mine}"
        assert "error" in theirs, f"{question}\n{theirs}"

    return check


@pytest.fixture
def answered(sides: Sides) -> Callable[[Question], int]:
    """Count the rows of our answer."""
    return lambda question: len(ours.answer(sides.repo(question.world), question).get("rows", ()))
