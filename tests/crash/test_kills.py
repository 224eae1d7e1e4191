"""Writers killed at any moment: all or nothing, and nothing is left behind."""

from __future__ import annotations

import os
import random
import select
import time
from collections import Counter

import pytest

from skyfs.errors import Exists

from . import tracer
from .operations import OPERATIONS, START, Operation, put
from .tracer import Ended, Work
from .worlds import State, World, Worlds, name

pytestmark = [
    # Python 3.12 warns of forks beside other threads; these children make threads of their own, or none.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("tracing"),
]
# How many kills of each operation `make test` has time for: a kill takes 30 ms, with S3 some hundreds.
_QUICK = {
    ("local", "sqlite"): (10, list(OPERATIONS)),
    ("local", "postgresql"): (8, ["put"]),
    ("s3", "sqlite"): (4, ["put"]),
    ("both", "sqlite"): (4, ["replace"]),
}
_LONG = 1000
_PATIENCE_MS = 50
EVERYWHERE = [
    (stores, database) for stores in ("local", "s3", "both") for database in ("sqlite", "postgresql")
]


class Trial:
    """One operation in one world, killed again and again."""

    def __init__(self, world: World, operation: Operation) -> None:
        self.world, self.operation = world, operation
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0

    def begin(self) -> Work:
        """Open the repository, in the child."""
        repo = self.world.open()

        def work() -> None:
            self.operation.act(repo, self.world.root.parent)

        return work

    def whole(self) -> list[str]:
        """Let it come to its end, take it back, and give its calls."""
        begun = time.monotonic()
        ended = tracer.run(self.begin)
        self.seconds = time.monotonic() - begun
        assert ended.returned
        self.judge(ended, "not at all")
        self.outcomes.clear()
        return ended.calls

    def judge(self, ended: Ended, when: str) -> None:
        """Recover, look, and go back to the start."""
        self.world.open().close()
        found = self.world.look()
        assert not found.faults, f"killed {when}: {found.faults[:5]}"
        done = self.operation.after.is_in(found)
        assert done or (not ended.returned and START.is_in(found)), f"killed {when}: {found}"
        self.outcomes["after" if done else "before"] += 1
        self.restore(done=done)

    def restore(self, *, done: bool) -> None:
        """Go back to the start."""
        if done:
            with self.world.open() as repo:
                self.operation.back(repo)
            assert START.is_in(self.world.look())


@pytest.mark.parametrize(
    ("operation", "stores", "database"),
    [(operation, *where) for where, (_, some) in _QUICK.items() for operation in some],
)
def test_killed_before_some_calls(worlds: Worlds, operation: str, stores: str, database: str) -> None:
    trial = Trial(worlds.make(stores, database), OPERATIONS[operation])
    calls = trial.whole()
    dice = random.Random(f"{operation} {stores} {database}")  # noqa: S311 - not for secrets
    for number in dice.sample(range(1, len(calls) + 1), _QUICK[stores, database][0]):
        trial.judge(tracer.run(trial.begin, number), f"before call {number}, {calls[number - 1]}")
    assert trial.outcomes["before"]


@pytest.mark.long
@pytest.mark.parametrize(("stores", "database"), EVERYWHERE)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_before_every_call(worlds: Worlds, operation: str, stores: str, database: str) -> None:
    """Kill before each call, then at random instants until it was a thousand times in all."""
    trial = Trial(worlds.make(stores, database), OPERATIONS[operation])
    trial.whole()
    number, ended = 0, Ended(killed=True, returned=False)
    while ended.killed:
        number += 1
        ended = tracer.run(trial.begin, number)
        trial.judge(ended, f"before call {number}, {ended.calls[-1]}")
    dice = random.Random(f"{operation} {stores} {database}")  # noqa: S311 - not for secrets
    while trial.outcomes.total() < _LONG:
        seconds = dice.uniform(1e-4, 0.7 * trial.seconds)
        trial.judge(tracer.run_timed(trial.begin, seconds), f"after {seconds} s")
    assert trial.outcomes["before"]
    assert trial.outcomes["after"]
    print(f"\n{operation}, {stores}, {database}: {number} calls, {dict(trial.outcomes)}")  # noqa: T201


def _kill_recovery(trial: Trial, number: int, step: int) -> int:
    """Kill a writer before a call, then who recovers, before every so many calls; give how often."""
    tracer.run(trial.begin, number)
    killed = 0
    while True:
        ended = tracer.run(lambda: lambda: trial.world.open().close(), 1 + killed * step)
        ended.returned = False  # the recovery did, the operation had not
        trial.judge(ended, f"before call {number}, and its recovery {killed} times")
        if not ended.killed:
            return killed
        killed += 1
        tracer.run(trial.begin, number)


@pytest.mark.parametrize("operation", ["put", "replace"])
def test_killed_while_recovering(worlds: Worlds, operation: str) -> None:
    trial = Trial(worlds.make("local", "sqlite"), OPERATIONS[operation])
    trial.whole()
    calls = trial.whole()  # the first time more is made
    linked = max(number for number, name in enumerate(calls, 1) if name.startswith("link"))
    assert _kill_recovery(trial, linked + 1, 3)
    assert _kill_recovery(trial, len(calls) - 1, 3)
    assert set(trial.outcomes) == {"before", "after"}


@pytest.mark.long
@pytest.mark.parametrize("operation", ["put", "replace", "remove", "transaction"])
def test_killed_while_recovering_at_every_call(worlds: Worlds, operation: str) -> None:
    trial = Trial(worlds.make("local", "sqlite"), OPERATIONS[operation])
    n_calls = len(trial.whole())
    kills = [_kill_recovery(trial, number, 1) for number in range(1, n_calls, max(1, n_calls // 20))]
    assert min(kills)
    assert set(trial.outcomes) == {"before", "after"}
    print(f"\nrecovery of {operation}: {dict(trial.outcomes)}")  # noqa: T201


class Race(Trial):
    """Two writers of one data ID: one stands before a call while the other tries, and is killed then."""

    def __init__(self, world: World) -> None:
        super().__init__(world, OPERATIONS["put"])
        self._other = 0

    def race(self, number: int) -> None:
        """Let two race, and kill the first."""
        ended = tracer.run(self.begin, number, self._begin_other)
        if not ended.killed:  # it has fewer calls now and then
            self.judge(ended, "not at all")
            return
        was_refused = os.waitstatus_to_exitcode(os.waitpid(self._other, 0)[1])
        self.world.open().close()
        found = self.world.look()
        when = f"killed before call {number}, {ended.calls[-1]}; the other ended with {was_refused}"
        assert not found.faults, f"{when}: {found.faults[:5]}"
        assert was_refused in (0, 1), when
        theirs = State({**START.datasets, name(5): {"other": 5}})
        expected = [self.operation.after, START] if was_refused else [theirs]
        assert any(state.is_in(found) for state in expected), f"{when}: {found}"
        self.outcomes["refused" if was_refused else "stored"] += 1
        self.restore(done=not START.is_in(found))

    def _begin_other(self) -> None:
        self._other = os.fork()
        if self._other == 0:
            self._be_other()
        # It may have to wait for the one that stands.
        descriptor = os.pidfd_open(self._other)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(_PATIENCE_MS)
        os.close(descriptor)

    def _be_other(self) -> None:
        code = 2
        try:
            with self.world.open() as repo:
                put(repo, 5, {"other": 5})
            code = 0
        except Exists:
            code = 1
        finally:
            os._exit(code)


def _race(worlds: Worlds, stores: str, database: str, step: int) -> Race:
    race = Race(worlds.make(stores, database))
    last = len(race.whole())  # which comes after the commit
    for number in [*range(1, last, step), last]:
        race.race(number)
    assert race.outcomes["stored"]
    return race


@pytest.mark.parametrize(("database", "step"), [("sqlite", 7), ("postgresql", 13)])
def test_two_writers_of_one_data_id(worlds: Worlds, database: str, step: int) -> None:
    _race(worlds, "local", database, step)


@pytest.mark.long
@pytest.mark.parametrize(("stores", "database"), EVERYWHERE)
def test_two_writers_of_one_data_id_at_every_call(worlds: Worlds, stores: str, database: str) -> None:
    race = _race(worlds, stores, database, 1)
    assert race.outcomes["refused"]
    print(f"\ntwo writers, {stores}, {database}: {dict(race.outcomes)}")  # noqa: T201
