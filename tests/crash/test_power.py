"""A disk loses power while somebody writes: with `durability: power` nothing is lost that was committed."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from . import tracer
from .checker import Folder
from .disk import MARK, Image, Record, Synced, counts
from .operations import OPERATIONS, START, Operation
from .tracer import Work
from .worlds import World, Worlds

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("tracing"),
]


class Failing:
    """One operation, recorded, on a disk that loses power."""

    def __init__(self, world: World, operation: Operation) -> None:
        self.world, self.operation = world, operation
        past = world.root.parent / "past"
        past.mkdir()
        self.record = Record(world.root, past)
        ended = tracer.run(self._begin, watch=self.record.watch)
        assert ended.returned
        self.outcomes: Counter[str] = Counter()

    def _begin(self) -> Work:
        def work() -> None:
            # Opened here: what it makes is recorded from the first byte.
            with self.world.open() as repo:
                self.operation.act(repo, self.world.root.parent)
                os.mkdir(self.world.root.parent / MARK)

        return work

    def judge(self, image: Image, when: str, *, returned: bool) -> None:
        """Start again from what the disk holds."""
        root = self.world.root.parent / "after"
        image.lay_out(self.record.root, root)
        world = replace(self.world, root=root, places={"local": Folder(root / "data")})
        world.open().close()
        found = world.look()
        assert not found.faults, f"{when}: {found.faults[:5]}"
        done = self.operation.after.is_in(found)
        assert done or (not returned and START.is_in(found)), f"{when}: {found}"
        self.outcomes["after" if done else "before"] += 1
        shutil.rmtree(root)


def _play(worlds: Worlds, operation: str, n_dice: int, *, every: bool) -> Failing:
    """Let the power fail after every event, or at those alone before which most is pending: the syncs."""
    failing = Failing(worlds.make("local", "sqlite"), OPERATIONS[operation])
    events = failing.record.events
    for count, returned in counts(events):
        if every or count == len(events) or isinstance(events[count], Synced):
            for number in range(-2, n_dice):
                when = f"after {count} events, the last {str(events[count - 1 : count])[:100]}, case {number}"
                dice = random.Random(f"{operation} {count} {number}")  # noqa: S311 - not for secrets
                chance = (0.0, 1.0)[number] if number < 0 else dice.choice((0.2, 0.5, 0.8))
                image = failing.record.image(count, dice if chance < 1 else None, chance)
                failing.judge(image, when, returned=returned)
    assert failing.outcomes["before"]
    assert failing.outcomes["after"]
    return failing


@pytest.mark.parametrize("operation", ["put", "replace"])
def test_power_fails(worlds: Worlds, operation: str) -> None:
    _play(worlds, operation, 1, every=False)


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS)
def test_power_fails_in_all_ways(worlds: Worlds, operation: str) -> None:
    failing = _play(worlds, operation, 1 if operation == "ingest" else 10, every=True)
    print(f"\n{operation}: {len(failing.record.events)} events, {dict(failing.outcomes)}")  # noqa: T201
