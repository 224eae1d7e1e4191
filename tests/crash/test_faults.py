"""Disks that are full, broken or forbidden at any call: an error means that nothing has changed."""

from __future__ import annotations

import errno
import mmap
import os
from collections import Counter
from collections.abc import Iterable

import pytest

from skyfs.errors import InDoubt, SkyfsError

from . import tracer
from .operations import OPERATIONS, START, Operation
from .tracer import Fault, Work, why_no_faults
from .worlds import World, Worlds

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
# What takes room on a disk, and may say so.
_TAKE_ROOM = "write pwrite64 openat open mkdir mkdirat link linkat fallocate fdatasync fsync"
_ALONE = frozenset[str]()
# The error of one call, and which later ones have it too.
FAULTS = {
    "full": (errno.ENOSPC, frozenset(_TAKE_ROOM.split(" "))),
    "broken": (errno.EIO, _ALONE),
    "forbidden": (errno.EACCES, _ALONE),
}
_NEVER = 10**9
_DONE, _REFUSED, _IN_DOUBT = 1, 2, 3


@pytest.fixture(autouse=True)
def faults() -> None:
    reason = why_no_faults()
    if reason:
        pytest.skip(reason)


class Trial:
    """One operation in one world, with a call that fails."""

    def __init__(self, world: World, operation: Operation) -> None:
        self.world, self.operation = world, operation
        self.told = mmap.mmap(-1, 1)
        self.outcomes: Counter[str] = Counter()

    def begin(self, *, dies: bool) -> Work:
        """Open the repository, in the child; afterwards it is closed, or its process dies."""
        repo = self.world.open()

        def work() -> None:
            try:
                self.operation.act(repo, self.world.root.parent)
                self.told[0] = _DONE
            except InDoubt:
                self.told[0] = _IN_DOUBT
            except SkyfsError:
                self.told[0] = _REFUSED
            if not dies:
                repo.close()

        return work

    def play(self, fault: Fault, *, dies: bool) -> list[str]:
        """Let one call fail, and look at what is there."""
        self.told[0] = 0
        ended = tracer.run_failing(lambda: self.begin(dies=dies), fault)
        which = f"call {fault.number} of {len(ended.calls)}, {ended.calls[fault.number - 1 : fault.number]}"
        when = f"{os.strerror(fault.errno)} at {which}, {dies=}"
        assert self.told[0], f"{when}: neither done nor refused"
        self.world.open().close()
        found = self.world.look()
        # A folder that could not be removed is empty, and does no harm.
        wrong = [fault for fault in found.faults if not os.path.isdir(fault)]
        assert not wrong, f"{when}: {wrong[:5]}"
        done = self.operation.after.is_in(found)
        assert done or START.is_in(found), f"{when}: {found}"
        expected = {_DONE: (True,), _REFUSED: (False,), _IN_DOUBT: (True, False)}[self.told[0]]
        assert done in expected, f"{when}: told {self.told[0]}, {done=}"
        self.outcomes[("", "done", "refused", "in doubt")[self.told[0]]] += 1
        if done:
            with self.world.open() as repo:
                self.operation.back(repo)
        return ended.calls

    def whole(self) -> list[str]:
        """Give the calls when none fails."""
        return self.play(Fault(_NEVER, 0), dies=False)


def _play(trial: Trial, fault: str, numbers: Iterable[int]) -> Counter[str]:
    trial.outcomes.clear()
    for number in numbers:
        for dies in (False, True):
            trial.play(Fault(number, *FAULTS[fault]), dies=dies)
    return trial.outcomes


@pytest.mark.parametrize(
    ("operation", "fault"), [("put", "broken"), ("replace", "full"), ("remove", "forbidden")]
)
def test_some_calls_fail(worlds: Worlds, operation: str, fault: str) -> None:
    """Fail the last call of each kind: among them are those of the commit."""
    trial = Trial(worlds.make("local", "sqlite"), OPERATIONS[operation])
    last = {name: number for number, name in enumerate(trial.whole(), 1)}
    outcomes = _play(trial, fault, last.values())
    assert outcomes["refused"]
    assert outcomes["done"]


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_call_fails(worlds: Worlds, operation: str, fault: str) -> None:
    trial = Trial(worlds.make("local", "sqlite"), OPERATIONS[operation])
    numbers = range(1, len(trial.whole()) + 1)
    print(f"\n{operation}, {fault}: {dict(_play(trial, fault, numbers))}")  # noqa: T201
