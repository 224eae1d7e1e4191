"""Many processes write to one repository at once: nothing is lost or double, and nobody waits for long."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import pytest

import skyfs
from skyfs.errors import Exists
from skyfs.model.dataset import DatasetRef
from skyfs.repository import Repository

from .checker import Name
from .operations import START
from .worlds import State, World, Worlds, at, name

_spawn = multiprocessing.get_context("spawn")
_PER_RUN = 100
_SECONDS = 600


@dataclass
class Told:
    """What a process has done.

    Attributes
    ----------
    datasets, tags
        What it has left.
    waits_s
        How long each put took.
    """

    datasets: dict[Name, object] = field(default_factory=dict)
    tags: set[Name] = field(default_factory=set)
    waits_s: list[float] = field(default_factory=list)


class Writer:
    """One process among many."""

    def __init__(self, repo: Repository, number: int) -> None:
        self.repo, self.number, self.told = repo, number, Told()
        self.dice = random.Random(number)  # noqa: S311 - not for secrets
        self.kept: dict[Name, DatasetRef] = {}
        self.tagged: dict[str, Name] = {}

    def put(self, count: int) -> None:
        """Put a dataset that nobody else does, and time it."""
        run, detector = f"w{self.number}/{count // _PER_RUN}", count % _PER_RUN
        value = {"count": count, "by": self.number}
        begun = time.monotonic()
        ref = self.repo.put(value, "metrics", run=run, **at(detector))
        self.told.waits_s.append(time.monotonic() - begun)
        self.told.datasets[name(detector, run)], self.kept[name(detector, run)] = value, ref

    def do_more(self) -> None:
        """Do something else now and then."""
        chance = self.dice.random()
        if chance < 0.1:
            self.remove()
        elif chance < 0.2:
            self.tag()
        elif chance < 0.3:
            self.read()
        elif chance < 0.4:
            self.compete()

    def remove(self) -> None:
        """Remove a dataset, which takes its tag away too."""
        found = self.dice.choice(list(self.kept))
        self.repo.remove([self.kept.pop(found)])
        del self.told.datasets[found]
        if self.tagged.get(found[2]) == found:
            del self.tagged[found[2]]

    def tag(self) -> None:
        """Tag one, unless another of its data ID is tagged."""
        found = self.dice.choice(list(self.kept))
        if found[2] not in self.tagged:
            self.repo.tag([self.kept[found]], f"chosen/{self.number}")
            self.tagged[found[2]] = found

    def read(self) -> None:
        """Read what is there."""
        found = self.dice.choice(list(self.kept))
        assert self.repo.get(self.kept[found]) == self.told.datasets[found]
        assert self.repo.query("metrics", collections=found[0]).count()

    def compete(self) -> None:
        """Put what others put at the same time."""
        detector, value = self.dice.randrange(_PER_RUN), {"winner": self.number}
        try:
            self.repo.put(value, "metrics", run="all", **at(detector))
        except Exists:
            return
        self.told.datasets[name(detector, "all")] = value


def _work(root: str, number: int, n_puts: int, start: Barrier, pipe: Connection) -> None:
    with skyfs.open(root, writable=True) as repo:
        writer = Writer(repo, number)
        writer.put(0)
        start.wait(_SECONDS)
        writer.told.waits_s.clear()
        for count in range(1, n_puts):
            writer.put(count)
            writer.do_more()
        writer.told.tags = {(f"chosen/{number}", "metrics", data_id) for data_id in writer.tagged}
        pipe.send(writer.told)


def run_writers(world: World, n_processes: int, n_puts: int) -> Sequence[Told]:
    """Let so many processes write at once, and give what each has done."""
    pipes = [_spawn.Pipe(duplex=False) for _ in range(n_processes)]
    start = _spawn.Barrier(n_processes)
    processes = [
        _spawn.Process(target=_work, args=(str(world.root), number, n_puts, start, sender))
        for number, (_, sender) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    for _, sender in pipes:
        sender.close()
    told = []
    for receiver, _ in pipes:
        assert receiver.poll(_SECONDS), "a process does not answer"
        told.append(receiver.recv())
    for process in processes:
        process.join(_SECONDS)
        assert process.exitcode == 0
    return told


def _play(world: World, n_processes: int, n_puts: int) -> None:
    told = run_writers(world, n_processes, n_puts)
    expected = dict(START.datasets)
    for one in told:
        assert not expected.keys() & one.datasets.keys(), "two have won"
        expected |= one.datasets
    found = world.look()
    assert not found.faults, found.faults[:5]
    assert State(expected, frozenset(tag for one in told for tag in one.tags)).is_in(found)
    waits = sorted(wait for one in told for wait in one.waits_s)
    shown = ", ".join(f"{waits[int(len(waits) * part) - 1] * 1e3:.1f}" for part in (0.5, 0.99, 1))
    print(f"\n{n_processes} processes, {n_puts} puts each: median, 99 %, longest {shown} ms")  # noqa: T201


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_few_processes(worlds: Worlds, database: str) -> None:
    _play(worlds.make("local", database), 3, 40)


@pytest.mark.long
@pytest.mark.parametrize("durability", ["power", "process"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("n_processes", [4, 8])
def test_many_processes(worlds: Worlds, database: str, durability: str, n_processes: int) -> None:
    _play(worlds.make("local", database, durability), n_processes, 500)
