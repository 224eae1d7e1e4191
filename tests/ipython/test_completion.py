"""Completion of names and values inside of calls, in IPython and Jupyter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import skyfs
from skyfs.ipython import read_call, suggest
from skyfs.repository import Repository
from skyfs.testing.filesystem_sample import fill


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The sample; nobody changes it."""
    root = tmp_path_factory.mktemp("typed") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        yield fill(repository).repository


# ruff: noqa: ANN401 - IPython's shell: it may not be installed

CASES: dict[str, list[str]] = {
    'repo.query("cal': ["calexp"],
    "repo.query('cal": ["calexp"],
    'ids = [ref.id for ref in repo.query("visit_': ["visit_summary"],
    'repo.query(["raw", "cal': ["calexp"],
    'repo.get("sum': ["summary"],
    'repo.find(\n    "met': ["metrics"],
    'repo.records("det': ["detector"],
    'repo.data_ids(["visit", "dete': ["detector"],
    'repo.data_ids("visit", "dete': ["detector"],
    'repo.query("calexp", collections="Cam/r': ["Cam/raw", "Cam/runs/a", "Cam/runs/b"],
    'repo.query("calexp", collections=["best", "Cam/runs/': ["Cam/runs/a", "Cam/runs/b"],
    'repo.query("calexp", det': ["detector="],
    'repo.query("calexp", instrument="Cam", ins': [],
    'repo.query("coadd", ': ["skymap=", "tract=", "band="],
    'repo.query("calexp", visit=': ["101", "102", "103", "111"],
    'repo.query("calexp", instrument="Cam", visit=10': ["101", "102", "103"],
    'repo.query("calexp", instrument="None", visit=': [],
    'repo.query("calexp", physical_filter="i': ["i.MP9702"],
    'repo.query("calexp", visit="1': [],
    'repo.query("calexp", tract=': ["7"],
    'repo.records("detector", full': ["full_name="],
    'box.repo.query("cal': ["calexp"],
    # Not of a repository, not inside of a call, or not a name that is known.
    'other.query("cal': [],
    'unknown.query("cal': [],
    'box.trap.query("cal': [],
    'repo.query("calexp").limit("cal': [],
    'repo.query("calexp") + "cal': [],
    'print("cal': [],
    'repo.query("calexp", where="vis': [],
    'repo.query("calexp", nothing=': [],
    'repo.records("nothing", i': [],
    '"repo.query(": cal': [],
    "": [],
    ")": [],
}


@pytest.mark.parametrize(("source", "words"), CASES.items(), ids=range(len(CASES)))
def test_words(repo: Repository, source: str, words: list[str]) -> None:
    class Trap:
        @property
        def trap(self) -> object:
            raise AssertionError("completion ran what was typed")

    box = Trap()
    vars(box)["repo"] = repo
    names: dict[str, object] = {"repo": repo, "other": SimpleNamespace(query=repo.query), "box": box}
    call = read_call(source)
    assert (suggest(call, names) if call is not None else []) == words


@pytest.fixture
def shell(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    made = interactive.InteractiveShell()
    made.user_ns["repo"] = repo
    made.run_line_magic("load_ext", "skyfs")
    yield made
    made.history_manager.end_session()


def _completed(shell: Any, source: str) -> set[str]:
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        found = list(shell.Completer.completions(source, len(source)))
    return {source[: one.start] + one.text + source[one.end :] for one in found}


def test_ipython_completes(shell: Any) -> None:
    assert _completed(shell, 'repo.query("cal') == {'repo.query("calexp'}
    assert 'repo.query("calexp", detector=' in _completed(shell, 'repo.query("calexp", det')
    assert _completed(shell, 'x = 1\nrepo.query("calexp",\n  collections="Cam/runs/') == {
        f'x = 1\nrepo.query("calexp",\n  collections="Cam/runs/{name}' for name in "ab"
    }
    assert 'repo.query("calexp", visit=101' in _completed(shell, 'repo.query("calexp", visit=10')
    assert "repo.query" in _completed(shell, "repo.que")


def test_loading_again_changes_nothing(shell: Any) -> None:
    before = list(shell.Completer.custom_matchers)
    shell.run_line_magic("reload_ext", "skyfs")
    assert shell.Completer.custom_matchers == before
