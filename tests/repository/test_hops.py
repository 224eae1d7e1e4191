"""One read is one resolve, one open and one format's read; and a dead writer leaves nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import skyfs
from skyfs.abc.source import ByteSource
from skyfs.formats.catalog import Formats
from skyfs.registry.database import Database
from skyfs.registry.lookup import Lookup
from skyfs.registry.session import Session
from skyfs.repository import Repository
from skyfs.stores.local import LocalStore
from skyfs.testing.snapshot import snapshot
from skyfs.testing.statements import statements_run

from .conftest import data_id


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Count statements, lookups, opens and reads."""
    counts = {"sql": 0, "resolve": 0, "open": 0, "read": 0}

    def count(owner: type, name: str, counter: str) -> None:
        original = getattr(owner, name)

        def counted(*args: object, **kwargs: object) -> object:
            counts[counter] += 1
            return original(*args, **kwargs)

        patch.setattr(owner, name, counted)

    with monkeypatch.context() as patch:
        count(Lookup, "datasets", "resolve")
        count(LocalStore, "open", "open")
        count(Formats, "read", "read")
        with statements_run() as statements:
            yield counts
            counts["sql"] = len(statements)


def test_a_read_takes_one_hop_through_each_room(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    repo.get("metrics", collections="u/a", **data_id())
    with counting(monkeypatch) as counts:
        assert repo.get("metrics", collections="u/a", **data_id()) == {"n": 1}
    assert counts == {"sql": 1, "resolve": 1, "open": 1, "read": 1}


def test_what_is_resolved_is_read_without_sql(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    resolved = repo.resolve("metrics", collections="u/a", **data_id())
    with counting(monkeypatch) as counts:
        assert repo.get(resolved) == {"n": 1}
    assert counts == {"sql": 0, "resolve": 0, "open": 1, "read": 1}


def test_a_stale_location_is_looked_up_once(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    resolved = repo.resolve("metrics", collections="u/a", **data_id())
    place = repo.root / "data" / resolved.locations[0].key
    place.unlink()
    with counting(monkeypatch) as counts, pytest.raises(FileNotFoundError, match="skyfs check"):
        repo.get(resolved)
    assert counts["open"] == 1
    assert counts["sql"] == 1
    assert ref == resolved.ref


def _put_and_die(root: Path, method: str) -> None:
    with skyfs.open(root, writable=True) as repo:

        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        owner = type(repo.registry.datasets) if method == "insert" else repo.stores["local"].begin().__class__
        setattr(owner, method, die)
        repo.put({"n": 2}, "metrics", run="u/a", **data_id(detector=1))


@pytest.mark.parametrize(("method", "committed"), [("publish", False), ("insert", False), ("settle", True)])
def test_a_killed_writer_leaves_a_whole_dataset_or_none(
    repo: Repository, method: str, *, committed: bool
) -> None:
    repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    before = snapshot(repo.root)
    repo.close()
    process = multiprocessing.get_context("spawn").Process(target=_put_and_die, args=(repo.root, method))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with skyfs.open(repo.root, writable=True) as again:
        if committed:
            assert again.get("metrics", collections="u/a", **data_id(detector=1)) == {"n": 2}
            again.remove([again.find("metrics", collections="u/a", **data_id(detector=1))])
        assert snapshot(repo.root) == before
        assert again.get("metrics", collections="u/a", **data_id()) == {"n": 1}


def test_a_source_outlives_the_removal_of_its_dataset(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    _, source = repo.open_bytes(repo.resolve("metrics", collections="u/a", **data_id()))
    assert isinstance(source, ByteSource)
    with source:
        repo.remove([ref])
        assert source.read_all().strip().startswith(b"{")


def test_a_put_asks_the_registry_little(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.put({"n": 1}, "metrics", run="u/a", **data_id(detector=0))
    repo.put({"n": 1}, "metrics", run="u/b", **data_id(detector=1))
    savepoints: list[str] = []
    original = Database._savepoint  # noqa: SLF001 - there is no other door to it

    def noting(database: Database, session: Session) -> AbstractContextManager[None]:
        savepoints.append(database.name)
        return original(database, session)

    with statements_run() as statements, monkeypatch.context() as patch:
        patch.setattr(Database, "_savepoint", noting)
        repo.put({"n": 1}, "metrics", run="u/a", **data_id(detector=1))
        assert savepoints == []
        # What is there already, and the next numbers of rows.
        assert len(statements) == 2
        with repo.transaction():
            repo.put({"n": 1}, "metrics", run="u/b", **data_id(detector=0))
    assert len(savepoints) == 1
