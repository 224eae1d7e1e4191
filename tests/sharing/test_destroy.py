"""A repository is deleted, but for files that others refer to."""

from __future__ import annotations

from pathlib import Path

import pytest

import skyfs
from skyfs.config import referring
from skyfs.errors import NotAllowed, StoreError
from skyfs.repository import Repository

from .conftest import Empty, contents


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_files_that_a_view_shows_are_kept(source: Repository, tmp_path: Path) -> None:
    skyfs.subset(source, tmp_path / "view", "metrics", view=True).close()
    source.close()
    done = skyfs.destroy(source.root)
    assert (done.kept, done.referring) == (3, (tmp_path / "view",))
    assert len(_files(source.root)) == 3
    with skyfs.open(tmp_path / "view") as view:
        assert len(contents(view)) == 3
    assert skyfs.destroy(tmp_path / "view").kept == 0
    assert not (tmp_path / "view").exists()


def test_links_lead_to_the_same_files(source: Repository, tmp_path: Path) -> None:
    """The view was made by another path, and the data lie on another disk."""
    source.close()
    (source.root / "data").rename(tmp_path / "disk")
    (source.root / "data").symlink_to(tmp_path / "disk")
    (tmp_path / "link").symlink_to(source.root)
    with skyfs.open(tmp_path / "link") as again:
        skyfs.subset(again, tmp_path / "view", "metrics", view=True).close()
    assert skyfs.destroy(tmp_path / "link").kept == 3
    with skyfs.open(tmp_path / "view") as view:
        assert len(contents(view)) == 3


def test_a_view_by_another_path(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source.root)
    with skyfs.open(tmp_path / "link") as again:
        skyfs.subset(again, tmp_path / "view", "metrics", view=True).close()
    source.close()
    assert skyfs.destroy(source.root).kept == 3
    with skyfs.open(tmp_path / "view") as view:
        assert len(contents(view)) == 3


def test_who_insists_deletes_all(source: Repository, tmp_path: Path) -> None:
    skyfs.subset(source, tmp_path / "view", view=True).close()
    source.close()
    assert skyfs.destroy(source.root, force=True).kept == 0
    assert not source.root.exists()
    with skyfs.open(tmp_path / "view") as view, pytest.raises((StoreError, FileNotFoundError)):
        contents(view)


def test_files_that_a_named_repository_has_ingested_are_kept(source: Repository, new: Empty) -> None:
    other = new("other", name="other")
    other.register("note", [], "Text")
    path = next((source.root / "data").rglob("summary.txt"))
    other.ingest([skyfs.IngestFile(path, {})], "note", run="u/other", mode="direct")
    done = skyfs.destroy("source")
    assert (done.kept, done.referring) == (1, (other.root,))
    assert _files(source.root) == {path}
    assert other.get("note", collections="u/other") == "All about it."


def test_views_that_are_gone_keep_nothing(source: Repository, tmp_path: Path) -> None:
    with skyfs.subset(source, tmp_path / "view", view=True) as view:
        root = view.root
    assert referring.views_of(source.root) == [root]
    skyfs.destroy(root)
    assert referring.views_of(source.root) == []
    source.close()
    skyfs.destroy("source")
    assert not source.root.exists()


def test_a_view_that_cannot_be_asked_stops_it(source: Repository, tmp_path: Path) -> None:
    skyfs.subset(source, tmp_path / "view", view=True).close()
    for path in (tmp_path / "view").glob("registry.sqlite3*"):
        path.unlink()
    before = _files(source.root)
    with pytest.raises(NotAllowed, match="cannot be asked"):
        skyfs.destroy(source.root)
    assert _files(source.root) == before
    source.close()
    skyfs.destroy(source.root, force=True)
    assert not source.root.exists()


def test_a_view_that_was_moved_stops_it(source: Repository, tmp_path: Path) -> None:
    """Nobody knows where it is, or whether its disk comes back."""
    skyfs.subset(source, tmp_path / "view", "metrics", view=True).close()
    source.close()
    (tmp_path / "view").rename(tmp_path / "moved")
    before = _files(source.root)
    with pytest.raises(NotAllowed, match=r"its view '.*view' is not there \(when it was moved, .*relocate"):
        skyfs.destroy(source.root)
    assert _files(source.root) == before
    skyfs.relocate(tmp_path / "moved")
    assert skyfs.destroy(source.root).referring == (tmp_path / "moved",)
    with skyfs.open(tmp_path / "moved") as view:
        assert len(contents(view)) == 3


def test_a_view_that_was_moved_and_destroyed_keeps_nothing(source: Repository, tmp_path: Path) -> None:
    skyfs.subset(source, tmp_path / "view", "metrics", view=True).close()
    source.close()
    (tmp_path / "view").rename(tmp_path / "moved")
    skyfs.destroy(tmp_path / "moved")
    assert referring.views_of(source.root) == []
    assert skyfs.destroy(source.root).kept == 0


@pytest.mark.parametrize("between_is_gone", [False, True])
def test_files_that_a_view_of_a_view_shows_are_kept(
    source: Repository, tmp_path: Path, *, between_is_gone: bool
) -> None:
    with skyfs.subset(source, tmp_path / "view", view=True) as view:
        skyfs.subset(view, tmp_path / "second", "metrics", view=True).close()
    source.close()
    if between_is_gone:
        skyfs.destroy(tmp_path / "view")
    done = skyfs.destroy(source.root)
    assert tmp_path / "second" in done.referring
    assert done.kept >= 3
    with skyfs.open(tmp_path / "second") as second:
        assert len(contents(second)) == 3
