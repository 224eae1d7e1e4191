"""Chains that several programs change, and RUNs begun at their heads."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import skyfs
from skyfs.errors import (
    BadArgument,
    BadDefinition,
    Conflict,
    Locked,
    NotAllowed,
    NotFound,
    ReadOnly,
    SkyfsError,
)
from skyfs.repository import Repository

NAME, TIME = "u/me/test", re.compile(r"u/me/test/\d{8}T\d{6}Z(-\d+)?")


def children(repo: Repository, name: str = NAME) -> list[str]:
    (found,) = repo.collections(name)
    return list(found.children)


@pytest.fixture
def inputs(repo: Repository) -> list[str]:
    """Two RUNs with a summary each, and the chain of both."""
    for run in ("in/a", "in/b"):
        repo.put({"from": run}, "summary", run=run)
    repo.chain("in/all", ["in/b", "in/a"])
    return ["in/all"]


# -- chains ----------------------------------------------------------------------------------------------


def test_chains_are_changed_in_place(repo: Repository, inputs: list[str]) -> None:
    for name in "abc":
        repo.create_collection(name, "RUN")
    repo.prepend(NAME, ["a", "b", "a"])
    repo.append(NAME, [*inputs, "c"])
    assert children(repo) == ["a", "b", "in/all", "c"]
    repo.prepend(NAME, ["c"])
    repo.append(NAME, ["a"])
    assert children(repo) == ["c", "b", "in/all", "a"]
    repo.unchain(NAME, ["b", "in/a", "c"])
    assert children(repo) == ["in/all", "a"]
    assert repo.get("summary", collections=NAME) == {"from": "in/b"}


def test_refused_changes_of_chains_change_nothing(repo: Repository, inputs: list[str]) -> None:
    repo.chain(NAME, inputs)
    with pytest.raises(NotFound, match="no collection 'nowhere'"):
        repo.prepend(NAME, ["in/a", "nowhere"])
    with pytest.raises(BadDefinition, match="contains itself"):
        repo.append("in/all", [NAME])
    with pytest.raises(Conflict, match="is RUN, not CHAINED"):
        repo.prepend("in/a", ["in/b"])
    with pytest.raises(NotAllowed, match="it is RUN"):
        repo.unchain("in/a", ["in/b"])
    with pytest.raises(NotFound, match="no collection 'new'"):
        repo.unchain("new", ["in/b"])
    with pytest.raises(NotFound):
        repo.append("new", ["nowhere"])
    assert (children(repo), children(repo, "in/all")) == (inputs, ["in/b", "in/a"])
    assert not repo.collections("new")


_PREPEND = """
import sys, skyfs
with skyfs.open(sys.argv[1], writable=True) as repo:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(10):
        name = f"{sys.argv[2]}/{number}"
        repo.create_collection(name, "RUN")
        repo.prepend("all", [name])
"""


def test_programs_that_prepend_at_once_all_end_up_in_the_chain(repo: Repository) -> None:
    arguments = [sys.executable, "-c", _PREPEND, str(repo.root)]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([*arguments, name], stdin=pipe, stdout=pipe, stderr=pipe, text=True) for name in "ab"
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in started:
        _, complaints = one.communicate()
        assert (one.returncode, complaints) == (0, "")
    found = children(repo, "all")
    assert len(found) == 20
    for name in "ab":
        assert [child for child in found if child.startswith(name)] == [
            f"{name}/{n}" for n in range(9, -1, -1)
        ]


# -- begin -----------------------------------------------------------------------------------------------


def test_a_run_begins_at_the_head_of_its_chain(repo: Repository, inputs: list[str]) -> None:
    run = repo.begin_run(NAME, inputs)
    assert TIME.fullmatch(run)
    assert children(repo) == [run, *inputs]
    assert (repo.run, repo.collections_searched) == (None, ())
    assert repo.get("summary", collections=NAME) == {"from": "in/b"}
    repo.put({"from": "me"}, "summary", run=run)
    assert repo.get("summary", collections=NAME) == {"from": "me"}
    assert repo.collections(run)[0].owner == repo.user


def test_runs_of_one_second_are_told_apart_and_the_newest_is_first(
    repo: Repository, inputs: list[str]
) -> None:
    runs = [repo.begin_run(NAME, "in/all") for _ in range(3)]
    assert len(set(runs)) == 3
    assert all(TIME.fullmatch(run) for run in runs)
    assert children(repo) == [*reversed(runs), *inputs]
    assert children(repo) == [*reversed(runs), "in/all"]


def test_extend_gives_the_newest_again(repo: Repository, inputs: list[str]) -> None:
    first = repo.begin_run(NAME, inputs, extend=True)
    second = repo.begin_run(NAME)
    assert repo.begin_run(NAME, extend=True) == second
    assert repo.begin_run(NAME, inputs, extend=True) == second
    assert children(repo) == [second, first, *inputs]
    repo.lock(second)
    with pytest.raises(Locked):
        repo.begin_run(NAME, extend=True)


def test_replace_takes_the_newest_out_of_the_chain(repo: Repository, inputs: list[str]) -> None:
    first, second = (repo.begin_run(NAME, inputs) for _ in range(2))
    repo.put({"from": "second"}, "summary", run=second)
    third = repo.begin_run(NAME, replace=True)
    assert children(repo) == [third, first, *inputs]
    assert repo.get("summary", collections=second) == {"from": "second"}


def test_prune_removes_what_is_replaced(repo: Repository, inputs: list[str]) -> None:
    first, second = (repo.begin_run(NAME, inputs) for _ in range(2))
    ref = repo.put({"from": "second"}, "summary", run=second)
    (place,) = repo.resolve("summary", collections=second).locations
    third = repo.begin_run(NAME, replace=True, prune=True)
    assert children(repo) == [third, first, *inputs]
    assert not repo.collections(second)
    assert not (repo.root / "data" / place.key).exists()
    with pytest.raises(NotFound):
        repo.path(ref)


def test_what_is_in_another_chain_is_not_pruned(repo: Repository, inputs: list[str]) -> None:
    run = repo.begin_run(NAME, inputs)
    repo.chain("also", [run])
    before = children(repo)
    with pytest.raises(NotAllowed, match="it is in the chain 'also'"):
        repo.begin_run(NAME, replace=True, prune=True)
    assert children(repo) == before
    assert [one.name for one in repo.collections(f"{NAME}/*")] == [run]


def test_other_inputs_are_a_conflict(repo: Repository, inputs: list[str]) -> None:
    run = repo.begin_run(NAME, inputs)
    for given in (["in/a"], ["in/all", "in/a"], []):
        with pytest.raises(Conflict, match=r"other inputs: it has in/all, asked for"):
            repo.begin_run(NAME, given)
    for own in (run, NAME):
        with pytest.raises(Conflict, match="part of the chain itself"):
            repo.begin_run(NAME, ["in/all", own])
    assert children(repo) == [run, *inputs]
    assert [one.name for one in repo.collections(f"{NAME}/*")] == [run]


def test_refused_runs_leave_nothing(repo: Repository, inputs: list[str]) -> None:
    before = repo.collections()
    refused: list[tuple[type[SkyfsError], str, dict[str, object]]] = [
        (BadArgument, NAME, {"extend": True, "replace": True}),
        (BadArgument, NAME, {"prune": True}),
        (NotFound, NAME, {"inputs": [*inputs, "nowhere"]}),
        (NotFound, NAME, {"inputs": inputs, "replace": True}),
        (Conflict, "in/a", {}),
        (BadDefinition, "u/=/x", {}),
        (BadDefinition, "", {}),
    ]
    for error, name, options in refused:
        with pytest.raises(error):
            repo.begin_run(name, **options)  # type: ignore[arg-type]
    assert repo.collections() == before


def test_a_run_begins_in_a_transaction_that_may_fail(repo: Repository, inputs: list[str]) -> None:
    with suppress(KeyError), repo.transaction():
        assert repo.begin_run(NAME, inputs)
        raise KeyError
    assert not repo.collections("u/*")


def test_a_repository_opened_for_reading_begins_nothing(repo: Repository) -> None:
    root: Path = repo.root
    with skyfs.open(str(root)) as reader, pytest.raises(ReadOnly):
        reader.begin_run(NAME)
