"""Backups are of one moment, verified, and restored to either kind of database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import skyfs
from skyfs.errors import Exists, NotFound, StoreError, VersionError, WrongBytes
from skyfs.lifecycle.backup import NOTE, backup, restore, verify
from skyfs.lifecycle.rebuilding import rebuild
from skyfs.registry.changelog import FOLDER
from skyfs.registry.manifest.blocks import WHOLE
from skyfs.testing.postgres_server import PostgresServer

from .conftest import Kind, answers, data_id

Drop = Callable[[Path], None]


def test_what_was_lost_is_restored(root: Path, dropped: Drop, tmp_path: Path, kind: Kind) -> None:
    before = answers(root)
    made = backup(root, tmp_path / "kept")
    assert ("registry.sqlite3" in made.files) is (kind.name == "sqlite")
    assert verify(tmp_path / "kept") == made
    dropped(root)
    (root / "skyfs.yaml").unlink()
    shutil.rmtree(root / FOLDER)
    assert restore(tmp_path / "kept", root) == root
    assert answers(root) == before
    # What is written later is in the log, after the description.
    with skyfs.open(root, writable=True) as repo:
        repo.put({"more": 1}, "metrics", run="u/c", **data_id())
    later = answers(root)
    dropped(root)
    rebuild(root)
    assert answers(root) == later


def test_a_backup_begins_the_log_anew(root: Path, dropped: Drop, tmp_path: Path) -> None:
    backup(root, tmp_path / "one")
    assert [path.name for path in (root / FOLDER).glob("*.jsonl")] == [WHOLE]
    with skyfs.open(root, writable=True) as repo:
        repo.put({"more": 1}, "metrics", run="u/c", **data_id())
    backup(root, tmp_path / "two")
    assert [path.name for path in (root / FOLDER).glob("*.jsonl")] == [WHOLE]
    before = answers(root)
    dropped(root)
    found = rebuild(root)
    assert (found.unknown, found.placed.datasets) == ([], 0)
    assert answers(root) == before


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_restored_to_either_database(root: Path, to: str, postgres: PostgresServer, tmp_path: Path) -> None:
    before = answers(root)
    backup(root, tmp_path / "kept")
    where = Kind(to, postgres if to == "postgresql" else None).registry()
    schema = where["options"]["schema"] if where else None
    other = tmp_path / "elsewhere"
    restore(tmp_path / "kept", other, registry=where.get("registry", "registry.sqlite3"), schema=schema)
    config = yaml.safe_load((other / "skyfs.yaml").read_text())
    assert config.get("schema") == schema
    for name in ("data", "copy"):
        shutil.copytree(root / name, other / name)
    assert answers(other) == before
    # Neither has changed the other.
    with skyfs.open(other, writable=True) as repo:
        repo.remove_run("u/b", unlink=True)
    assert answers(root) == before


def test_nothing_is_restored_over_a_repository(root: Path, tmp_path: Path, kind: Kind) -> None:
    backup(root, tmp_path / "kept")
    with skyfs.open(root, writable=True) as repo:
        repo.put({"more": 1}, "metrics", run="u/c", **data_id())
    before = answers(root)
    with pytest.raises(Exists, match="a repository is there") as caught:
        restore(tmp_path / "kept", root)
    assert "replace" in caught.value.todo
    (root / "skyfs.yaml").rename(root / "renamed")
    with pytest.raises(Exists, match="a registry is there"):
        restore(tmp_path / "kept", root)
    (root / "renamed").rename(root / "skyfs.yaml")
    assert answers(root) == before
    restore(tmp_path / "kept", root, replace=True)
    with skyfs.open(root) as repo:
        assert "u/c" not in [collection.name for collection in repo.collections("*")]
    if kind.name == "sqlite":
        assert len(list(root.glob("registry.sqlite3.old_*"))) == 1
    # What happened after the backup is set aside, too, and not told again.
    assert [path.name for path in (root / FOLDER).glob("*.jsonl")] == [WHOLE]
    (aside,) = (root / FOLDER).glob("old_*")
    assert len(list(aside.iterdir())) == 2


@pytest.mark.parametrize("name", ["skyfs.yaml", f"{FOLDER}/{WHOLE}"])
def test_a_changed_backup_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    backup(root, tmp_path / "kept")
    data = bytearray((tmp_path / "kept" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "kept" / name).write_bytes(data)
    with pytest.raises(WrongBytes, match=f"{name} was changed"):
        restore(tmp_path / "kept", tmp_path / "new")
    (tmp_path / "kept" / name).unlink()
    with pytest.raises(WrongBytes, match=f"{name} is gone"):
        restore(tmp_path / "kept", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_no_backup_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="skyfs backup"):
        restore(tmp_path / "nowhere", tmp_path / "new")
    backup(root, tmp_path / "kept")
    note = json.loads((tmp_path / "kept" / NOTE).read_text())
    note["skyfs"]["backup"] = 99
    (tmp_path / "kept" / NOTE).write_text(json.dumps(note))
    with pytest.raises(VersionError, match=r"99.*this skyfs knows 1"):
        restore(tmp_path / "kept", tmp_path / "new")
    (tmp_path / "kept" / NOTE).write_text("[]")
    with pytest.raises(WrongBytes):
        verify(tmp_path / "kept")


def test_a_backup_that_fails_leaves_nothing(root: Path, tmp_path: Path) -> None:
    before = answers(root)
    with pytest.raises(Exists, match="there already"):
        backup(root, root)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="directory"):
        backup(root, tmp_path / "file" / "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.fits", "camera.fits", "file", "sky"]
    assert answers(root) == before


WRITER = """
import sys
import skyfs

with skyfs.open(sys.argv[1], writable=True) as repo:
    print("ready", flush=True)
    for number in range(1_000_000):
        # Two that belong together: a backup has both, or neither.
        with repo.transaction():
            repo.put({"n": number}, "summary", run=f"pair/{number}/a")
            repo.put({"n": number}, "summary", run=f"pair/{number}/b")
"""


def test_a_backup_is_of_one_moment_while_others_write(root: Path, dropped: Drop, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for name in ("one", "two"):
            backup(root, tmp_path / name)
    finally:
        writer.kill()
        writer.communicate()
    # What was in flight is undone: its files would tell of it.
    skyfs.open(root, writable=True).close()
    wanted = _pairs(root)
    for name in ("one", "two"):
        restore(tmp_path / name, tmp_path / f"new {name}", registry="registry.sqlite3")
        found = _pairs(tmp_path / f"new {name}")
        assert found == wanted[: len(found)]
    # Description and log together tell all: nothing is lost between them, nothing told twice.
    dropped(root)
    told = rebuild(root)
    assert told.refused == []
    assert _pairs(root) == wanted


def _pairs(root: Path) -> list[int]:
    """Give the numbers of the pairs of datasets, each of which is whole."""
    with skyfs.open(root) as repo:
        refs: list[Any] = list(repo.query("summary", collections="pair/*", find_first=False))
    numbers = sorted(int(ref.run.split("/")[1]) for ref in refs)
    assert numbers == sorted([*set(numbers)] * 2)
    return numbers[::2]
