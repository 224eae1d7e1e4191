"""Repositories of other schemas: told of in words, and made new ones."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

import skyfs
from skyfs.errors import Exists, StoreError, VersionError
from skyfs.lifecycle.migrating import migrate
from skyfs.lifecycle.rebuilding import rebuild
from skyfs.registry.schema import SCHEMA_VERSION
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer

from .conftest import Kind, answers

# What schema_2.sql tells of: keys in the store, and their bytes.
FILES = {
    "u/a/metrics/instrument=Cam/day=20250101/visit=1/detector=0.json": '{\n  "seeing": 0.5\n}\n',
    "u/a/metrics/instrument=Cam/day=20250101/visit=1/detector=1.json": '{\n  "seeing": 1.5\n}\n',
    "u/a/note.txt": "hello",
    "calib/1/flat/instrument=Cam/detector=0.json": '{\n  "flat": 1\n}\n',
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A repository whose registry has schema 2."""
    root = tmp_path / "old"
    for key, text in FILES.items():
        path = root / "data" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "skyfs.yaml").write_text("skyfs: 1\nname: old\nauto_register: all\n")
    script = (Path(__file__).parent / "data/schema_2.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(root / "registry.sqlite3")) as connection:
        connection.executescript(script)
    return root


def state(root: Path) -> list[tuple[Path, bytes]]:
    return sorted((path, path.read_bytes()) for path in root.rglob("*") if path.is_file())


def check(repo: Repository) -> None:
    """Ask for all that the old repository held."""
    first = repo.find("metrics", collections="all", instrument="Cam", visit=1, detector=0)
    second = repo.find("metrics", collections="all", instrument="Cam", visit=1, detector=1)
    assert [repo.get(one) for one in (first, second)] == [{"seeing": 0.5}, {"seeing": 1.5}]
    assert repo.get("/u/a/note.txt") == "hello"
    assert list(repo.registry.details.inputs([second.id])) == [(second.id, first.id)]
    assert [one.id for one in repo.query("metrics", collections="best")] == [first.id]
    seen = repo.query("metrics", collections="all", where="seeing > 1 AND quality.q < 1")
    assert [one.id for one in seen] == [second.id]
    declared = repo.resolve("metrics", collections="u/a", instrument="Cam", visit=2, detector=0)
    assert declared.locations == ()
    flat = repo.find("flat", collections="all", instrument="Cam", detector=0, time="2026-01-01")
    assert repo.get(flat) == {"flat": 1}
    assert repo.registry.current().collection("calib/1").collection.locked
    assert [record["exposure_time"] for record in repo.records("visit")] == [30.5, 30.5]


def test_opening_an_old_one_tells_what_to_do(old: Path) -> None:
    with pytest.raises(VersionError) as caught:
        skyfs.open(old)
    assert caught.value.found == f"schema '2', this skyfs knows {SCHEMA_VERSION}"
    assert "skyfs migrate OLD NEW" in caught.value.todo


@pytest.mark.parametrize(
    ("version", "todo"),
    [("99", "newer version"), ("1", "the version of skyfs that made it"), ("x", "that made it")],
)
def test_unknown_versions_are_told(old: Path, tmp_path: Path, version: str, todo: str) -> None:
    with closing(sqlite3.connect(old / "registry.sqlite3")) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [version])
        connection.commit()
    for attempt in (lambda: skyfs.open(old), lambda: migrate(old, tmp_path / "new")):
        with pytest.raises(VersionError) as caught:
            attempt()
        assert f"schema '{version}', this skyfs knows {SCHEMA_VERSION}" in caught.value.found
        assert todo in caught.value.todo
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("copy", [False, True])
def test_an_old_one_becomes_a_new_one(kind: Kind, old: Path, tmp_path: Path, *, copy: bool) -> None:
    before = state(old)
    new = tmp_path / "new"
    where = kind.registry()
    schema = where["options"]["schema"] if where else None
    done = migrate(old, new, copy=copy, registry=where.get("registry"), schema=schema)
    assert (done.datasets, done.types) == (5, 3)
    assert state(old) == before
    with skyfs.open(new, writable=True) as repo:
        assert repo.config.auto_register == "all"
        check(repo)
        repo.put({"seeing": 2.0}, "metrics", run="u/new", instrument="Cam", visit=2, detector=1)
        repo.remove([repo.find("note", collections="u/a")])
    # What the old one owns is not touched.
    assert state(old) == before
    assert (new / "data/u/a/metrics").exists() is copy
    if copy:
        shutil.rmtree(old)
    with skyfs.open(new) as repo:
        assert len(list(repo.query("metrics", collections="u/*", find_first=False))) == 4
        assert repo.get("metrics", collections="u/new", instrument="Cam", visit=2, detector=1) == {
            "seeing": 2.0
        }
    # Its log tells all.
    told = answers_of(new)
    found = rebuild(new)
    assert answers_of(new) == told
    # The file of what was removed is the old repository's.
    assert [key for _, key, _ in found.placed.unplaced] == ([] if copy else ["u/a/note.txt"])


def answers_of(root: Path) -> object:
    with skyfs.open(root) as repo:
        return sorted(map(str, repo.query("*", collections="*", find_first=False)))


def test_one_of_this_schema_can_be_moved_to_another_database(
    root: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    before = answers(root)
    new = tmp_path / f"moved_{uuid4().hex}"
    migrate(root, new, copy=True, registry=postgres.url())
    after = answers(new)
    assert after["files"] == before["files"]
    assert after["queries"] == before["queries"]


def test_nothing_is_written_over(old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/file").write_text("mine")
    with pytest.raises(Exists):
        migrate(old, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_what_fails_leaves_nothing(old: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(old / "registry.sqlite3")) as connection:
        connection.execute("UPDATE dataset_type SET name = 'not a name!' WHERE name = 'note'")
        connection.commit()
    before = state(old)
    with pytest.raises(StoreError, match="not a name"):
        migrate(old, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert state(old) == before
