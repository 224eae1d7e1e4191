"""A repository that is moved opens, and every path works; the index and views are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import skyfs
from skyfs.config import Environment, index, referring
from skyfs.errors import NotFound
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import Empty, contents


@pytest.fixture
def moved(source: Repository, tmp_path: Path) -> Path:
    """The full repository, with a file in its folder that was taken in where it lies, moved."""
    (source.root / "own").mkdir()
    (source.root / "own" / "note.txt").write_text("In place.")
    source.register("note", [], "Text")
    source.ingest([skyfs.IngestFile(source.root / "own" / "note.txt", {})], "note", run="u/notes")
    (tmp_path / "expected").write_text(repr(sorted(contents(source))))
    skyfs.subset(source, tmp_path / "view", view=True).close()
    source.close()
    return source.root.rename(tmp_path / "moved")


def _paths(tmp_path: Path) -> str:
    return (tmp_path / "expected").read_text()


@pytest.mark.parametrize("writable", [False, True])
def test_a_folder_that_was_moved_opens(moved: Path, tmp_path: Path, *, writable: bool) -> None:
    before = snapshot(moved)
    with skyfs.open(moved, writable=writable) as repo:
        assert repr(sorted(contents(repo))) == _paths(tmp_path)
        assert repo.get("note", collections="u/notes") == "In place."
    if not writable:
        assert snapshot(moved) == before


def test_a_folder_that_was_moved_twice(moved: Path, tmp_path: Path) -> None:
    with skyfs.open(moved, writable=True):
        pass
    again = moved.rename(tmp_path / "again")
    with skyfs.open(again) as repo:
        assert repo.get("note", collections="u/notes") == "In place."


def test_a_copy_reads_its_own_files(moved: Path, tmp_path: Path) -> None:
    shutil.copytree(moved, tmp_path / "copy")
    (moved / "own" / "note.txt").write_text("Changed...")
    with skyfs.open(tmp_path / "copy") as repo:
        assert repo.get("note", collections="u/notes") == "In place."


def test_index_and_views_are_told(moved: Path, tmp_path: Path) -> None:
    with skyfs.open(tmp_path / "view") as view, pytest.raises(OSError, match=r".+"):
        contents(view)
    done = skyfs.relocate(moved)
    assert (done.views, done.lost) == ((tmp_path / "view",), ())
    assert index.find(Environment.current(), "source") == str(moved)
    with skyfs.open(tmp_path / "view") as view:
        assert repr(sorted(contents(view))) == _paths(tmp_path)
        assert view.get("note", collections="u/notes") == "In place."
    assert referring.origin_of(tmp_path / "view") == moved
    skyfs.open("source").close()


def test_a_view_that_was_moved_is_found_by_its_origin(source: Repository, tmp_path: Path) -> None:
    skyfs.subset(source, tmp_path / "view", view=True).close()
    (tmp_path / "view").rename(tmp_path / "elsewhere")
    skyfs.relocate(tmp_path / "elsewhere")
    assert referring.views_of(source.root) == [tmp_path / "elsewhere"]
    source.close()
    assert skyfs.destroy(source.root).referring == (tmp_path / "elsewhere",)


def test_a_view_of_a_view_is_told(source: Repository, tmp_path: Path) -> None:
    inside = source.root / "note.txt"
    inside.write_text("In place.")
    source.register("note", [], "Text")
    source.ingest([skyfs.IngestFile(inside, {})], "note", run="u/notes", mode="direct")
    with skyfs.subset(source, tmp_path / "view", view=True) as view:
        skyfs.subset(view, tmp_path / "second", view=True).close()
    source.close()
    moved = source.root.rename(tmp_path / "moved")
    assert set(skyfs.relocate(moved).views) == {tmp_path / "view", tmp_path / "second"}
    (tmp_path / "view").rename(tmp_path / "other")
    skyfs.relocate(tmp_path / "other")
    with skyfs.open(moved) as again, skyfs.open(tmp_path / "second") as second:
        assert contents(second) == contents(again)
        assert second.get("note", collections="u/notes") == "In place."
    assert referring.origin_of(tmp_path / "second") == tmp_path / "other"


def test_a_store_elsewhere(new: Empty, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    repo = new("sky", stores=[{"name": "disk", "url": str(tmp_path / "disk")}])
    repo.register("note", [], "Text")
    repo.put("Here.", "note", run="u/a")
    config = repo.root / "skyfs.yaml"
    text = config.read_text()
    config.write_text(f"# Mine.\n{text}")
    skyfs.subset(repo, tmp_path / "view", view=True).close()
    repo.close()
    (tmp_path / "disk").rename(tmp_path / "larger")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="none of 1 files"):
        skyfs.relocate(repo.root, {"disk": str(tmp_path / "empty")})
    with pytest.raises(NotFound, match="there are disk"):
        skyfs.relocate(repo.root, {"disc": str(tmp_path / "larger")})
    assert config.read_text() == f"# Mine.\n{text}"
    skyfs.relocate(repo.root, {"disk": str(tmp_path / "larger")})
    assert config.read_text() == f"# Mine.\n{text}".replace("/disk", "/larger")
    for folder in (repo.root, tmp_path / "view"):
        with skyfs.open(folder) as opened:
            assert opened.get("note", collections="u/a") == "Here."
