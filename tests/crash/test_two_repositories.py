"""One repository, open twice, here and in another process: each sees at once what the other has done."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import skyfs
from skyfs.errors import NotFound, SkyfsError
from skyfs.repository import Repository

from .checker import Folder, look, sqlite_tables
from .worlds import at

RUNS, DETECTORS, TIMES = ("a", "b"), (0, 1, 2), (0, 10, 20)
State = dict[tuple[Any, ...], object]
"""By ``("value", run, detector)``, ``("tag", detector)`` and ``("valid", detector, time)``."""


class Failing(Exception):
    """A failure in the middle of a transaction."""


# -- what can be done


def put(repo: Repository, run: str, detector: int, value: int, *, replace: bool) -> None:
    repo.put({"n": value}, "flat", run=run, replace=replace, **at(detector))


def remove(repo: Repository, run: str, detector: int) -> None:
    repo.remove([repo.find("flat", collections=run, **at(detector))])


def tag(repo: Repository, run: str, detector: int) -> None:
    repo.tag([repo.find("flat", collections=run, **at(detector))], "tagged")


def untag(repo: Repository, run: str, detector: int) -> None:
    repo.untag([repo.find("flat", collections=run, **at(detector))], "tagged")


def certify(repo: Repository, run: str, detector: int, begin: int, end: int) -> None:
    repo.certify([repo.find("flat", collections=run, **at(detector))], "calib", begin, end)


def remove_run(repo: Repository, run: str) -> None:
    repo.remove_run(run)


def fail(repo: Repository, run: str, detector: int, value: int) -> None:
    """Change much in a transaction that fails."""
    with suppress(Failing), repo.transaction():
        put(repo, run, detector, value, replace=True)
        tag(repo, run, detector)
        for ref in repo.query("flat", collections=[one.name for one in repo.collections("?")]):
            if ref.data_id["detector"] != detector:
                repo.remove([ref])
        raise Failing


def read(repo: Repository) -> State:
    """Give all that a repository holds."""
    names = {one.name for one in repo.collections()}
    state: State = {}
    for run in names & set(RUNS):
        for ref in repo.query("flat", collections=run):
            state["value", run, ref.data_id["detector"]] = repo.get(ref)
    if "tagged" in names:
        for ref in repo.query("flat", collections="tagged"):
            state["tag", ref.data_id["detector"]] = ref.run
    for detector in DETECTORS if "calib" in names else ():
        for time in TIMES:
            try:
                found = repo.find("flat", collections="calib", time=time + 5, **at(detector))
            except NotFound:
                continue
            state["valid", detector, time] = found.run
    return state


ACTIONS: dict[str, Callable[..., Any]] = {
    action.__name__: action for action in (put, remove, tag, untag, certify, remove_run, fail, read)
}


# -- who does it


def _answer(repo: Repository, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401
    try:
        return ACTIONS[name](repo, *arguments, **options)
    except SkyfsError as error:
        return error.code


def _serve(pipe: Connection) -> None:
    """Be the other process: each request is a root to open, or what to do."""
    repo: Repository | None = None
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        if isinstance(asked, str):
            if repo is not None:
                repo.close()
            repo = skyfs.open(asked, writable=True) if asked else None
            pipe.send(None)
        else:
            assert repo is not None
            pipe.send(_answer(repo, *asked))


@cache
def _other() -> Connection:
    """Start the other process; it ends with this one."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return ours


def _ask(request: object) -> Any:  # noqa: ANN401
    _other().send(request)
    assert _other().poll(60), "the other process does not answer"
    return _other().recv()


_RUN, _DETECTOR, _VALUE = st.sampled_from(RUNS), st.sampled_from(DETECTORS), st.integers(0, 99)
_SPANS = st.sampled_from([(0, 10), (10, 20), (0, 20), (20, 30)])


class TwoRepositories(RuleBasedStateMachine):
    """A dict says what both must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="skyfs-crash-"))
        self.root = self.folder / "sky"
        options = {"durability": "process"}
        with skyfs.create(self.root, name="sky", options=options) as repo:
            repo.insert("instrument", [{"name": "Cam"}])
            repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in DETECTORS])
            repo.register("flat", ["detector"], "Dict", calibration=True)
        self.state: State = {}
        self.runs: set[str] = set()
        self.repo = skyfs.open(self.root, writable=True)
        _ask(str(self.root))

    def do(self, here: bool, name: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401, FBT001
        """Do it in this process or in the other; give the code of what was refused."""
        if here:
            return _answer(self.repo, name, arguments, options)
        return _ask((name, arguments, options))

    def ids(self, run: str, detector: int) -> set[tuple[Any, ...]]:
        """Give the keys that a dataset has when it is tagged and certified."""
        named: set[tuple[Any, ...]] = {("tag", detector), *(("valid", detector, time) for time in TIMES)}
        return {key for key in named if self.state.get(key) == run}

    def forget(self, run: str, detector: int) -> None:
        """Take a dataset away, and with it tags and validity."""
        for key in [("value", run, detector), *self.ids(run, detector)]:
            self.state.pop(key, None)

    @rule(here=st.booleans(), run=_RUN, detector=_DETECTOR, value=_VALUE, replace=st.booleans())
    def put(self, *, here: bool, run: str, detector: int, value: int, replace: bool) -> None:
        key = ("value", run, detector)
        refused = key in self.state and not replace
        assert self.do(here, "put", run, detector, value, replace=replace) == ("exists" if refused else None)
        if not refused:
            self.forget(run, detector)
            self.state[key] = {"n": value}
            self.runs.add(run)

    @rule(here=st.booleans(), run=_RUN, detector=_DETECTOR)
    def remove(self, *, here: bool, run: str, detector: int) -> None:
        known = ("value", run, detector) in self.state
        assert self.do(here, "remove", run, detector) == (None if known else "not-found")
        self.forget(run, detector)

    @rule(here=st.booleans(), run=_RUN, detector=_DETECTOR)
    def tag(self, *, here: bool, run: str, detector: int) -> None:
        known = ("value", run, detector) in self.state
        other = self.state.get(("tag", detector), run) != run
        expected = "not-found" if not known else "conflict" if other else None
        assert self.do(here, "tag", run, detector) == expected
        if expected is None:
            self.state["tag", detector] = run

    @precondition(lambda self: any(key[0] == "tag" for key in self.state))
    @rule(here=st.booleans(), data=st.data())
    def untag(self, *, here: bool, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(key for key in self.state if key[0] == "tag")))
        assert self.do(here, "untag", self.state.pop(key), key[1]) is None

    @rule(here=st.booleans(), run=_RUN, detector=_DETECTOR, span=_SPANS)
    def certify(self, *, here: bool, run: str, detector: int, span: tuple[int, int]) -> None:
        times = [("valid", detector, time) for time in TIMES if span[0] <= time < span[1]]
        known = ("value", run, detector) in self.state
        taken = any(key in self.state for key in times)
        answer = self.do(here, "certify", run, detector, *span)
        if known and taken and answer is None:
            assert all(self.state.get(key) == run for key in times), "only the same again is no change"
        else:
            assert answer == ("not-found" if not known else "conflict" if taken else None)
        if answer is None:
            self.state.update(dict.fromkeys(times, run))

    @rule(here=st.booleans(), run=_RUN)
    def remove_run(self, *, here: bool, run: str) -> None:
        assert self.do(here, "remove_run", run) == (None if run in self.runs else "not-found")
        self.runs.discard(run)
        for detector in DETECTORS:
            self.forget(run, detector)

    @rule(here=st.booleans(), run=_RUN, detector=_DETECTOR, value=_VALUE)
    def fail(self, *, here: bool, run: str, detector: int, value: int) -> None:
        # Nothing of it stays, whether it came to its end or a tag stood in its way.
        assert self.do(here, "fail", run, detector, value) in (None, "conflict")

    @rule(here=st.booleans())
    def reopen(self, *, here: bool) -> None:
        if here:
            self.repo.close()
            self.repo = skyfs.open(self.root, writable=True)
        else:
            _ask(str(self.root))

    @invariant()
    def both_hold_it(self) -> None:
        assert self.do(True, "read") == self.state  # noqa: FBT003
        assert self.do(False, "read") == self.state  # noqa: FBT003

    def teardown(self) -> None:
        self.repo.close()
        _ask("")
        found = look(sqlite_tables(self.root / "registry.sqlite3"), {"local": Folder(self.root / "data")})
        shutil.rmtree(self.folder)
        assert not found.faults
        values = {
            (key[1], f'"Cam",{key[2]}'): value for key, value in self.state.items() if key[0] == "value"
        }
        assert {(run, data_id): value for (run, _, data_id), value in found.datasets.items()} == values


def test_two_repositories() -> None:
    # Steps are slow: what fails is shown as it was found.
    few = settings(max_examples=3, stateful_step_count=25, phases=[Phase.generate])
    run_state_machine_as_test(TwoRepositories, settings=few)


@pytest.mark.long
def test_two_repositories_for_long() -> None:
    many = settings(max_examples=300, stateful_step_count=60)
    run_state_machine_as_test(TwoRepositories, settings=many)
