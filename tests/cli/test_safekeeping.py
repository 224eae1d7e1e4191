"""``backup``, ``restore``, ``rebuild`` and ``migrate`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Command


@pytest.fixture
def sky(run: Command, tmp_path: Path) -> Path:
    run.lines("init", tmp_path / "sky")
    note = tmp_path / "note.txt"
    note.write_text("it's here")
    run.lines("-r", tmp_path / "sky", "cp", note, "/u/me/note.txt")
    return tmp_path / "sky"


def test_from_backup_to_restore(run: Command, sky: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (line,) = run.lines("backup", sky, kept)
    assert line.startswith(f"{kept}: backup of 'sky' at ")
    (line,) = run.lines("restore", "--verify", kept)
    assert line.endswith(", whole")
    assert "there already" in run.fails("backup", sky, kept)
    assert "a repository is there" in run.fails("restore", kept, sky)
    assert run.lines("restore", kept, sky, "--replace") == [f"{sky}: restored"]
    assert run.lines("-r", sky, "cat", "/u/me/note.txt") == ["it's here"]


def test_rebuild_tells_what_it_cannot_know(run: Command, sky: Path) -> None:
    (sky / "registry.sqlite3").unlink()
    assert "skyfs rebuild REPO" in run.fails("-r", sky, "ls")
    assert run.lines("rebuild", sky, "--dry-run") == [
        "the registry would have 1 datasets, and 0 without bytes"
    ]
    told = run.json("rebuild", sky, "--json")
    assert isinstance(told, dict)
    assert (told["datasets"], told["unknown"], told["lost"]) == (1, [], [])
    assert run.lines("-r", sky, "cat", "/u/me/note.txt") == ["it's here"]


def test_migrate(run: Command, sky: Path, tmp_path: Path) -> None:
    (line,) = run.lines("migrate", sky, tmp_path / "new", "--copy")
    assert line.startswith(f"{tmp_path / 'new'}: 1 datasets")
    assert run.lines("-r", tmp_path / "new", "cat", "/u/me/note.txt") == ["it's here"]
