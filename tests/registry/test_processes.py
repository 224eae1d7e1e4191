"""Several processes with one registry: nothing is lost, nothing is half seen, nothing waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from skyfs.errors import Conflict, Exists, SkyfsError, StoreError
from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataset import DatasetType
from skyfs.registry.levels import LevelFilter
from skyfs.testing.registry_rows import violations
from skyfs.testing.registry_sky import CAMERA, RUNS, Sky, visit_record

from .conftest import Spot

_SECONDS = 60
_spawn = multiprocessing.get_context("spawn")
_fork = multiprocessing.get_context("fork")


@pytest.fixture
def sky(spot: Spot) -> Iterator[Sky]:
    registry = spot.open()
    yield Sky.fill(registry)
    registry.close()


def _open(spot: Spot, *, writable: bool = True) -> Sky:
    return Sky(spot.open(writable=writable))


def _run(work: Callable[..., None], arguments: Sequence[tuple[object, ...]]) -> list[Any]:
    """Run processes at once, and give what each has sent."""
    pipes = [_spawn.Pipe(duplex=False) for _ in arguments]
    processes = [
        _spawn.Process(target=work, args=(*given, sender))
        for given, (_, sender) in zip(arguments, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    answers = []
    for receiver, _ in pipes:
        assert receiver.poll(_SECONDS), "a process does not answer"
        answers.append(receiver.recv())
    for process in processes:
        process.join(_SECONDS)
        assert process.exitcode == 0
    return answers


def _register_all(spot: Spot, number: int, start: float, pipe: Connection) -> None:
    """Register the same things as others at the same moment."""
    sky = _open(spot)
    errors = []
    time.sleep(max(0, start - time.time()))
    for count in range(15):
        try:
            group = sky.registry.universe.group(["visit", "band"] if count % 3 else ["detector", "band"])
            sky.registry.collections.register(DatasetType(f"t{count}", group, "Table"))
            sky.registry.collections.create(Collection(f"c/{count}", CollectionKind.RUN))
            sky.registry.collections.set_chain(f"chain/{count}", [f"c/{count}"])
            sky.registry.records.insert("visit", [visit_record(100 + count, day_obs=20250200 + count)])
            sky.put("bias", f"c/{count}", detector=number)
            other = Collection(f"k/{count}", [CollectionKind.RUN, CollectionKind.TAGGED][number % 2])
            sky.registry.collections.create(other)
        except Conflict as error:
            errors.append(str(error))
    sky.registry.close()
    pipe.send((errors, sorted(_open(spot, writable=False).registry.current().collections)))


def test_the_same_is_registered_by_many(sky: Sky, spot: Spot) -> None:
    sky.registry.records.insert("detector", [{"instrument": CAMERA, "id": 2}])
    start = time.time() + 3
    answers = _run(_register_all, [(spot, number, start) for number in range(3)])
    refused = [error for errors, _ in answers for error in errors]
    # One kind wins for each; who asked for the other is told.
    assert all(error.startswith("collection 'k/") for error in refused)
    assert 15 <= len(refused) <= 30
    current = sky.registry.current()
    assert {f"t{count}" for count in range(15)} <= set(current.types)
    assert {f"{kind}/{count}" for kind in ("c", "k", "chain") for count in range(15)} <= set(
        current.collections
    )
    assert len(list(sky.everything())) == 45
    assert not violations(spot.read, sky.registry.universe)


def _write(spot: Spot, seed: int, n_pairs: int, pipe: Connection) -> None:
    """Insert and remove pairs of datasets, always both in one transaction."""
    sky, rng, made = _open(spot), random.Random(seed), 0  # noqa: S311 - not for secrets
    while made < n_pairs:
        run = f"pair/{seed}/{rng.randrange(5)}"
        try:
            with sky.registry.transaction():
                sky.registry.collections.create(Collection(run, CollectionKind.RUN))
                refs = [sky.put("bias", run, detector=number) for number in (0, 1)]
                sky.registry.datasets.tag(refs, sky.registry.collections.create(_tagged(run)).collection.name)
                made += 1
                if rng.random() < 0.2:
                    raise KeyError  # noqa: TRY301 - a failure in between
        except Exists:
            with sky.registry.transaction():
                sky.registry.datasets.remove([one.resolved.ref for one in sky.found("bias", [run])])
                sky.registry.collections.remove(f"{run}/tagged")
                sky.registry.collections.remove(run)
        except KeyError:
            pass
        if rng.random() < 0.1:
            # The last one that closes takes the log into the file: readers go over to other ways of reading.
            sky.registry.close()
    sky.registry.close()
    _done(spot, seed).touch()
    pipe.send(made)


def _tagged(run: str) -> Collection:
    return Collection(f"{run}/tagged", CollectionKind.TAGGED)


def _done(spot: Spot, seed: int) -> Path:
    return spot.folder / f"writer-{seed}-is-done"


def _watch(spot: Spot, seeds: Sequence[int], pipe: Connection) -> None:
    """Read until all writers are done; tell what was wrong."""
    sky, wrong, reads = _open(spot, writable=False), [], 0
    while not reads or not all(_done(spot, seed).exists() for seed in seeds):
        try:
            snapshot = sky.registry.current()
            where = [entry for name, entry in snapshot.collections.items() if name.startswith("pair/")]
            types, everything = [snapshot.type("bias")], LevelFilter()
            found = sky.registry.lookup.datasets(snapshot, types, where, everything)
            counts: dict[str, int] = {}
            for one in found:
                counts[one.collection] = counts.get(one.collection, 0) + 1
            wrong += [f"{name}: {count}" for name, count in counts.items() if count != 2]
            reads += 1
        except SkyfsError as error:
            wrong.append(repr(error))
    sky.registry.close()
    pipe.send((reads, wrong))


def _play(spot: Spot, work: Callable[..., None], arguments: tuple[object, ...], pipe: Connection) -> None:
    work(spot, *arguments, pipe)


def test_readers_beside_writers_see_whole_transactions(sky: Sky, spot: Spot) -> None:
    sky.registry.close()
    n_pairs = 40
    parts = [(_write, (1, n_pairs)), (_write, (2, n_pairs)), (_watch, ((1, 2),)), (_watch, ((1, 2),))]
    answers = _run(_play, [(spot, work, arguments) for work, arguments in parts])
    assert answers[:2] == [n_pairs, n_pairs]
    for reads, wrong in answers[2:]:
        assert wrong == []
        assert reads > 0
    assert not violations(spot.read, sky.registry.universe)


def test_a_child_has_connections_of_its_own(sky: Sky, spot: Spot) -> None:
    ref = sky.put("bias", detector=0)
    reader = _open(spot, writable=False)
    assert reader.found("bias", RUNS)
    receiver, sender = _fork.Pipe(duplex=False)

    def child() -> None:
        grandchild = _fork.Process(target=lambda: _use(sky, 20))
        _use(sky, 1)
        grandchild.start()
        grandchild.join(_SECONDS)
        sender.send((grandchild.exitcode, len(reader.found("bias", RUNS))))

    process = _fork.Process(target=child)
    process.start()
    assert receiver.poll(_SECONDS)
    assert receiver.recv() == (0, 3)
    process.join(_SECONDS)
    assert process.exitcode == 0
    sky.registry.datasets.remove([ref])
    assert len(sky.found("bias", RUNS)) == len(reader.found("bias", RUNS)) == 2
    assert not violations(spot.read, sky.registry.universe)
    reader.registry.close()


def _use(sky: Sky, detector: int) -> None:
    assert sky.found("bias", RUNS)
    sky.put("bias", detector=detector)
    sky.registry.close()


def test_a_fork_inside_of_a_transaction(sky: Sky) -> None:
    """The child is in no transaction; what it does changes nothing for the parent."""
    with sky.registry.transaction():
        sky.put("bias", detector=0)
        pid = os.fork()
        if pid == 0:
            os._exit(_in_child(sky))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        sky.put("bias", detector=1)
    assert len(sky.found("bias", RUNS)) == 2


def _in_child(sky: Sky) -> int:
    """Do in the child what the parent's block would do at its end."""
    if sky.registry.in_transaction or sky.found("bias", RUNS):
        return 1
    return 0


def test_the_end_of_a_block_in_a_child(sky: Sky) -> None:
    transaction = sky.registry.transaction()
    transaction.__enter__()
    sky.put("bias", detector=0)
    pid = os.fork()
    if pid == 0:
        try:
            transaction.__exit__(None, None, None)
        except StoreError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    transaction.__exit__(None, None, None)
    assert len(sky.found("bias", RUNS)) == 1


def test_a_fork_while_another_thread_writes(sky: Sky) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with sky.registry.transaction():
            sky.put("bias", detector=0)
            inside.set()
            go_on.wait(_SECONDS)

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(_SECONDS)
    process = _fork.Process(target=lambda: os._exit(len(sky.found("bias", RUNS))))
    process.start()
    process.join(_SECONDS)
    assert process.exitcode == 0
    go_on.set()
    thread.join()
    assert len(sky.found("bias", RUNS)) == 1


@pytest.mark.parametrize("count", [3])
def test_threads_wait_for_one_another(sky: Sky, count: int) -> None:
    """Writers of one process take turns: none fails because the database is locked."""
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                sky.registry.collections.create(Collection(f"w/{number}/{turn}", CollectionKind.RUN))
        except BaseException as error:  # noqa: BLE001 - given to the test
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sum(name.startswith("w/") for name in sky.registry.current().collections) == count * 10
