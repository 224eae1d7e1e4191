"""What writers do when they die: the states before and after, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skyfs.model.dataset import DatasetRef
from skyfs.repository import Repository
from skyfs.writing.ingester import IngestFile

from .worlds import N_FILES, State, at, name

START = State({name(1): {"old": 1}, name(2): {"old": 2}})
_MANY = range(20, 40)


@dataclass(frozen=True)
class Operation:
    """A change from `START` to ``after``, and what takes it back."""

    after: State
    act: Callable[[Repository, Path], None]
    back: Callable[[Repository], None]


def put(
    repo: Repository, detector: int, value: object, run: str = "r", *, replace: bool = False
) -> DatasetRef:
    """Put a dataset."""
    return repo.put(value, "metrics", run=run, replace=replace, **at(detector))


def _found(repo: Repository, *detectors: int) -> list[DatasetRef]:
    return [repo.find("metrics", collections="r", **at(detector)) for detector in detectors]


def _put(repo: Repository, _: Path) -> None:
    put(repo, 5, {"new": 5})


def _put_back(repo: Repository) -> None:
    repo.remove(_found(repo, 5))


def _ingest(repo: Repository, folder: Path) -> None:
    files = [IngestFile(folder / f"{n}.json", at(n)) for n in range(N_FILES)]
    repo.ingest(files, "metrics", run="many", mode="copy")


def _ingest_back(repo: Repository) -> None:
    repo.remove_run("many")


def _replace(repo: Repository, _: Path) -> None:
    put(repo, 1, {"new": 1}, replace=True)


def _replace_back(repo: Repository) -> None:
    put(repo, 1, {"old": 1}, replace=True)


def _remove(repo: Repository, _: Path) -> None:
    repo.remove(_found(repo, 1, 2))


def _remove_back(repo: Repository) -> None:
    for detector in (1, 2):
        put(repo, detector, {"old": detector})


def _transaction(repo: Repository, _: Path) -> None:
    with repo.transaction():
        refs = [put(repo, n, {"new": n}, "t") for n in _MANY]
        repo.tag(refs[:3], "chosen")
        repo.remove(_found(repo, 2))
        put(repo, 1, {"new": 1}, replace=True)


def _transaction_back(repo: Repository) -> None:
    with repo.transaction():
        repo.remove_collection("chosen")
        repo.remove_run("t")
        put(repo, 2, {"old": 2})
        put(repo, 1, {"old": 1}, replace=True)


_OLD = START.datasets
OPERATIONS = {
    "put": Operation(State({**_OLD, name(5): {"new": 5}}), _put, _put_back),
    "ingest": Operation(
        State({**_OLD, **{name(n, "many"): {"file": n} for n in range(N_FILES)}}), _ingest, _ingest_back
    ),
    "replace": Operation(State({**_OLD, name(1): {"new": 1}}), _replace, _replace_back),
    "remove": Operation(State({}), _remove, _remove_back),
    "transaction": Operation(
        State(
            {name(1): {"new": 1}, **{name(n, "t"): {"new": n} for n in _MANY}},
            frozenset(name(n, "chosen") for n in _MANY[:3]),
        ),
        _transaction,
        _transaction_back,
    ),
}
