"""Repositories merged into one: all that both hold, or nothing when they contradict each other."""

from __future__ import annotations

import pytest

import skyfs
from skyfs.errors import BadArgument, Locked, SkyfsError
from skyfs.repository import Repository

from .conftest import CAMERA, Empty, contents, define, state


@pytest.fixture
def other(new: Empty) -> Repository:
    """A repository with another summary, made later, and something that the source has not."""
    repo = new("other")
    define(repo)
    repo.put("Another story.", "summary", run="HSC/runs/a")
    repo.put({"seeing": 3.0}, "metrics", run="HSC/runs/b", **CAMERA, visit=2, detector=2)
    return repo


def test_what_both_hold_is_in_one(source: Repository, new: Empty, empty: Repository) -> None:
    other = new("other")
    define(other)
    other.put({"seeing": 3.0}, "metrics", run="HSC/runs/b", **CAMERA, visit=2, detector=2)
    done = skyfs.merge([source, other], empty)
    assert [one.datasets for one in done] == [13, 1]
    assert contents(empty) == {**contents(source), **contents(other)}
    with skyfs.open(source.root) as again:
        assert set(state(again)) <= set(state(empty))


def test_contradictions_change_nothing(source: Repository, other: Repository, empty: Repository) -> None:
    before = state(empty)
    with pytest.raises(SkyfsError, match="summary"):
        skyfs.merge([source, other], empty)
    assert state(empty) == before
    assert not [
        path for path in (empty.root / "data").rglob("*") if path.is_file() and ".skyfs" not in path.parts
    ]


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ("skip", "All about it."),
        ("newest", "Another story."),
        ("prefer=source", "All about it."),
        ("prefer=other", "Another story."),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_what_wins(
    source: Repository, other: Repository, empty: Repository, choice: str, text: str, *, backwards: bool
) -> None:
    both = [other, source] if backwards else [source, other]
    if choice == "skip" and backwards:
        text = "Another story."
    skyfs.merge(both, empty, on_conflict=choice)
    assert empty.get("summary", collections="HSC/runs/a") == text
    assert empty.query("metrics", collections="HSC/runs/*", find_first=False).count() == 5
    files = [
        path for path in (empty.root / "data").rglob("*") if path.is_file() and ".skyfs" not in path.parts
    ]
    assert len(files) == 10


def test_runs_that_are_locked(source: Repository, other: Repository, empty: Repository) -> None:
    """The first brings its RUN locked, and the second more of it."""
    source.lock("HSC/runs/a")
    skyfs.merge([source, other], empty, on_conflict="newest")
    assert empty.get("summary", collections="HSC/runs/a") == "Another story."
    assert [one.name for one in empty.collections() if one.locked] == ["HSC/runs/a"]
    before = contents(empty)
    with pytest.raises(Locked, match=r"'HSC/runs/a': it is locked"):
        skyfs.merge([source], empty, on_conflict="prefer=source")
    assert contents(empty) == before


def test_a_choice_that_there_is_not(source: Repository, other: Repository, empty: Repository) -> None:
    for choice in ("oldest", "prefer=nobody"):
        with pytest.raises(BadArgument, match="prefer=source or prefer=other"):
            skyfs.merge([source, other], empty, on_conflict=choice)
