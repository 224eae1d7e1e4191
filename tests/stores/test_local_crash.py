"""A local writer that dies at any system call leaves all or nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from skyfs.abc.store import Adoption, Batch
from skyfs.errors import Exists, StoreError
from skyfs.stores.intent import Intent, Mark, unfinished
from skyfs.stores.local import LocalStore
from skyfs.testing.store_suite import fill, held, put

from .crash import die_at, killed, run_child

# Python 3.12 warns of forks beside pytest-timeout's thread; these children only touch files, then exit.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

Scenario = Callable[[Batch, Path], None]
State = dict[str, bytes | None]

NEW = {"a/b/new": b"new" * 10, "a/new": b"", "c/d/e/new": b"x" * 100_000}


def creating(batch: Batch, _: Path) -> None:
    fill(batch, NEW)


def seeking(batch: Batch, _: Path) -> None:
    with batch.create("a/b/new") as file:
        file.write(b"xxxnew")
        file.flush()
        file.seek(0)
        file.write(b"new")


def deleting(batch: Batch, _: Path) -> None:
    batch.delete("old/one/k")
    batch.delete("old/k")


def replacing(batch: Batch, _: Path) -> None:
    fill(batch, {"old/one/new": b"replacement"})
    batch.delete("old/one/k")


def adopting(how: Adoption) -> Scenario:
    def fill_batch(batch: Batch, incoming: Path) -> None:
        batch.adopt("a/b/one", str(incoming / "one"), how)
        batch.adopt("a/two", str(incoming / "two"), how)

    fill_batch.__name__ = how.value
    return fill_batch


SCENARIOS = [creating, seeking, deleting, replacing, *map(adopting, Adoption)]


class World:
    """A store with a past, files to adopt beside it, and a marker that stands for the registry's commit."""

    def __init__(self, folder: Path, durability: str = "process") -> None:
        self.root, self.incoming, self.marker = folder / "root", folder / "incoming", folder / "committed"
        self.root.mkdir(parents=True)
        self.incoming.mkdir()
        for name in ("one", "two"):
            (self.incoming / name).write_bytes(name.encode())
        self.durability = durability
        (self.root / "old/one").mkdir(parents=True)
        for key, data in {"old/one/k": b"old one", "old/k": b"old", "old/kept": b"kept"}.items():
            (self.root / key).write_bytes(data)

    def store(self) -> LocalStore:
        return LocalStore(self.root, name="disk", durability=self.durability)  # type: ignore[arg-type]

    def write(self, scenario: Scenario) -> None:
        """Do all that a put does."""
        store = self.store()
        batch = store.begin()
        scenario(batch, self.incoming)
        batch.publish()
        self._commit()
        batch.settle()
        store.close()

    def state(self) -> State:
        """Give every path and its bytes, private ones too."""
        paths = (path for top in (self.root, self.incoming) for path in top.rglob("*"))
        return {str(path.relative_to(self.root.parent)): _content(path) for path in paths}

    _commit_open = staticmethod(os.open)  # not a step at which the process may die

    def _commit(self) -> None:
        self._commit_open(self.marker, os.O_CREAT | os.O_WRONLY)


def registry(state: State) -> Callable[[str], bool]:
    """Give the answer of a registry that names the keys of this state."""
    return lambda key: f"root/{key}" in state


def _content(path: Path) -> bytes | None:
    if path.is_symlink():
        return str(path.readlink()).rpartition("/")[2].encode()
    return path.read_bytes() if path.is_file() else None


@pytest.fixture(params=[3, pytest.param(1, marks=pytest.mark.long)], ids=["some", "every"])
def stride(request: pytest.FixtureRequest) -> int:
    """Give how many steps to go on after each death."""
    return int(request.param)


@pytest.mark.parametrize(
    ("scenario", "durability"),
    [*((scenario, "process") for scenario in SCENARIOS), (creating, "power")],
)
def test_death_at_every_step(tmp_path: Path, scenario: Scenario, durability: str, stride: int) -> None:
    whole = World(tmp_path / "whole", durability)
    before = whole.state()
    whole.write(scenario)
    after = whole.state()
    assert before != after

    outcomes = set()
    for step in range(1, 1000, stride):
        world = World(tmp_path / str(step), durability)

        def work(world: World = world, step: int = step) -> None:
            die_at(step)
            world.write(scenario)

        if not killed(run_child(work)):
            break
        committed = world.marker.exists()
        expected = after if committed else before
        store = world.store()
        undone = store.recover(registry(expected))
        outcomes.add((committed, undone))
        assert world.state() == expected, f"killed before call {step}"
        assert store.recover(lambda _: pytest.fail("nothing was left to ask about")) == 0
    else:
        pytest.fail("the writer never came to its end")
    assert world.state() == after
    written = sum(content is not None for path, content in after.items() if path not in before)
    possible = {(False, 0), (False, written), (True, 0)}
    assert outcomes == possible if stride == 1 else outcomes <= possible


@pytest.mark.parametrize("scenario", [replacing, adopting(Adoption.MOVE), adopting(Adoption.LINK)])
def test_death_at_every_step_of_the_recovery(tmp_path: Path, scenario: Scenario, stride: int) -> None:
    for committed in (False, True):
        whole = World(tmp_path / f"whole-{committed}")
        before = whole.state()
        whole.write(scenario)
        expected = whole.state() if committed else before
        for step in range(1, 1000, stride):
            world = World(tmp_path / f"{committed}-{step}")
            _die_before_settle(world, scenario)

            def recover(world: World = world, step: int = step, state: State = expected) -> None:
                die_at(step)
                world.store().recover(registry(state))

            ended = not killed(run_child(recover))
            world.store().recover(registry(expected))
            assert world.state() == expected, f"recovery killed before call {step}"
            if ended:
                break
        assert step > 10


def _die_before_settle(world: World, scenario: Scenario) -> None:
    def work() -> None:
        batch = world.store().begin()
        scenario(batch, world.incoming)
        batch.publish()
        os.kill(os.getpid(), signal.SIGKILL)

    assert killed(run_child(work))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_death_at_every_step_of_an_undo(tmp_path: Path, scenario: Scenario, stride: int) -> None:
    for step in range(1, 1000, stride):
        world = World(tmp_path / str(step))
        before = world.state()

        def work(world: World = world, step: int = step) -> None:
            batch = world.store().begin()
            scenario(batch, world.incoming)
            batch.publish()
            die_at(step)
            batch.undo()

        ended = not killed(run_child(work))
        world.store().recover(registry(before))
        assert world.state() == before, f"undo killed before call {step}"
        if ended:
            return
    pytest.fail("the undo never came to its end")


def test_only_the_committed_keys_of_a_dead_batch_are_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    _die_before_settle(world, creating)
    assert world.store().recover(lambda key: key == "a/new") == 2
    assert {"root/a/new", "root/a/b/new"} & set(world.state()) == {"root/a/new"}


def test_a_dead_writers_key_that_another_wrote_is_spared(tmp_path: Path) -> None:
    world = World(tmp_path)
    _die_before_settle(world, creating)
    (world.root / "a/new").unlink()
    (world.root / "a/new").write_bytes(b"another's")
    world.store().recover(lambda _: False)
    assert world.state()["root/a/new"] == b"another's"


@pytest.mark.parametrize("fast", ["another", "itself"])
def test_a_file_that_was_to_be_moved_stays_unless_its_bytes_are_those_of_the_key(
    tmp_path: Path, fast: str
) -> None:
    """That the registry names the key may be another writer's doing, who came while this one died."""
    world = World(tmp_path)
    _die_before_settle(world, adopting(Adoption.MOVE))
    if fast == "another":
        (world.root / "a/two").unlink()
        (world.root / "a/two").write_bytes(b"another's")
    assert world.store().recover(lambda key: key.startswith("a/")) == 0
    state = world.state()
    assert "incoming/one" not in state
    assert state.get("incoming/two") == (b"two" if fast == "another" else None)
    assert state["root/a/two"] == (b"another's" if fast == "another" else b"two")
    assert not (world.root / ".skyfs").exists()


def test_a_live_writer_of_the_same_hard_link_is_spared(tmp_path: Path) -> None:
    """Both link one inode to one key: whose link it is, the inode cannot tell."""
    world = World(tmp_path)
    _die_before_settle(world, adopting(Adoption.LINK))
    for key in ("a/b/one", "a/two"):
        (world.root / key).unlink()
    store = world.store()
    batch = store.begin()
    adopting(Adoption.LINK)(batch, world.incoming)
    batch.publish()
    assert world.store().recover(lambda _: False) == 0
    assert world.state()["root/a/two"] == b"two"
    batch.settle()
    assert world.store().recover(lambda key: key.startswith("a/")) == 0
    store.close()
    assert world.state()["root/a/two"] == b"two"
    assert not (world.root / ".skyfs").exists()


def test_a_key_that_a_live_writer_wants_too_is_decided_when_that_one_has_ended(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.state()
    store = world.store()
    batch = store.begin()
    adopting(Adoption.LINK)(batch, world.incoming)
    _die_before_settle(world, adopting(Adoption.LINK))
    with pytest.raises(Exists):
        batch.publish()
    assert store.recover(lambda _: False) == 0
    batch.undo()
    assert store.recover(lambda _: False) == 2
    store.close()
    assert world.state() == before


def test_a_live_writer_that_links_during_recovery_gets_its_link_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    _die_before_settle(world, adopting(Adoption.LINK))
    store = world.store()
    batch = store.begin()
    real_unlink = os.unlink

    def committed(key: str) -> bool:
        """Let the live writer come in after recovery looked for live ones."""
        if key == "a/b/one":
            (world.root / "a/b/one").unlink()
            (world.root / "a/two").unlink()
            adopting(Adoption.LINK)(batch, world.incoming)
            batch.publish()
        return False

    world.store().recover(committed)
    assert os.unlink is real_unlink
    assert world.state()["root/a/two"] == b"two"
    assert world.state()["root/a/b/one"] == b"one"
    batch.settle()
    assert world.store().recover(lambda key: key.startswith("a/")) == 0
    store.close()
    assert not (world.root / ".skyfs").exists()


def test_a_late_deletion_of_a_dead_writer_spares_what_came_since(tmp_path: Path) -> None:
    world = World(tmp_path)
    _die_before_settle(world, deleting)
    store = world.store()
    batch = store.begin()
    batch.delete("old/k")
    batch.publish()
    batch.settle()
    newer = fill(store.begin(), {"old/k": b"newer bytes"})
    newer.publish()
    world.store().recover(lambda _: False)
    assert held(store) == {"old/k": b"newer bytes", "old/kept": b"kept"}
    newer.settle()
    store.close()


def test_what_writers_are_about_to_do_and_what_the_dead_left_are_told_apart(tmp_path: Path) -> None:
    world = World(tmp_path)
    _die_before_settle(world, replacing)
    store = world.store()
    batch = fill(store.begin(), {"live": b"new"})
    batch.delete("old/k")
    batch.publish()
    claims = store.claims()
    assert claims.live == {"live", "old/k"}
    assert claims.dead == {"old/one/new", "old/one/k"}
    assert claims.dead_writers == 1
    batch.undo()
    store.close()
    assert store.claims().dead_writers == 1


@pytest.mark.parametrize(
    "tail", [b'{"batch":9,"fil', b"\0" * 9, b"{}\n[]\n7\n", b'{"batch":9,"files":[["x"]]}\n']
)
def test_a_torn_journal_is_read_as_far_as_it_goes(tmp_path: Path, tail: bytes) -> None:
    world = World(tmp_path)
    before = world.state()
    _die_before_settle(world, creating)
    (journal,) = (world.root / ".skyfs/journal").iterdir()
    with journal.open("ab") as file:
        file.write(tail)
    assert world.store().recover(lambda _: False) == 3
    assert world.state() == before


def test_staging_files_without_a_journal_are_swept(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.state()
    lost = world.root / ".skyfs/staging/1-abc/7"
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"x")
    assert world.store().recover(lambda _: True) == 0
    assert world.state() == before


def test_recovery_while_the_question_fails_leaves_all_for_the_next(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.state()
    _die_before_settle(world, creating)
    with pytest.raises(ZeroDivisionError):
        world.store().recover(lambda _: bool(1 / 0))
    assert world.store().recover(lambda _: False) == 3
    assert world.state() == before


def test_a_child_has_a_journal_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path)
    store = world.store()
    mine = fill(store.begin(), {"parent": b"1"})
    file = mine.create("open")
    file.write(b"buffered")

    def work() -> None:
        with pytest.raises(StoreError, match="fork"):
            mine.publish()
        with pytest.raises(StoreError, match="fork"):
            mine.undo()
        with pytest.raises(StoreError, match="fork"):
            file.flush()
        put(store, {"child": b"2"})
        fill(store.begin(), {"lost": b"3"}).publish()

    assert not killed(run_child(work))
    assert len(list((world.root / ".skyfs/journal").iterdir())) == 2
    assert store.recover(lambda _: False) == 1
    file.write(b" and more")
    contents = mine.publish()
    mine.settle()
    assert contents["open"].size == len(b"buffered and more")
    assert held(store)["open"] == b"buffered and more"
    assert {"child", "parent"} < set(held(store))
    assert "lost" not in held(store)
    store.close()


def test_the_lock_dies_with_the_parent_though_a_child_lives_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    hold, let_go = os.pipe()
    ready, tell = os.pipe()

    def work() -> None:
        batch = fill(world.store().begin(), {"lost": b"x"})
        batch.publish()
        if os.fork() == 0:
            os.close(let_go)
            os.write(tell, b"x")
            os.read(hold, 1)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        assert killed(run_child(work))
        assert os.read(ready, 1) == b"x"  # the grandchild runs, and has let go of the lock
        assert world.store().recover(lambda _: False) == 1
    finally:
        for descriptor in (hold, let_go, ready, tell):
            os.close(descriptor)


def test_a_line_that_goes_on_as_an_older_one_is_none() -> None:
    mark = Mark(1, 2, 3)
    older = Intent((("s/1", "a/old"),), (("a/old", "/home/old", mark),)).line(1)
    files = (("s/2", "a/new"),)
    others = (Intent(files, (("a/new", f"/home/ne{end}", mark),)).line(2) for end in ("w", "", "xt", "wer"))
    newer = next(line for line in others if len(line) == len(older))  # checksums have 9 or 10 digits
    assert [len(unfinished(line)) for line in (older, newer, newer + older)] == [1, 1, 2]
    for cut in range(len(newer)):
        mixed = newer[:cut] + older[cut:]
        assert mixed in (older, newer) or unfinished(mixed) == []


def written(journal: Path) -> bytes:
    """Give what a journal says; the rest of it is zeros."""
    return journal.read_bytes().strip(b"\0")


def test_the_journal_names_what_is_in_flight_and_stays_small(tmp_path: Path) -> None:
    world = World(tmp_path)
    store = world.store()
    first, second = fill(store.begin(), {"a/1": b"1"}), fill(store.begin(), {"a/2": b"2"})
    first.publish()
    (journal,) = (world.root / ".skyfs/journal").iterdir()
    assert [key for _, key in json.loads(written(journal))["files"]] == ["a/1"]
    second.publish()
    first.settle()
    assert len(written(journal).split()) == 3
    second.settle()
    assert written(journal) == b""
    size = journal.stat().st_size
    third = fill(store.begin(), {"a/3": b"3"} | {f"a/{'x' * 100}{number}": b"" for number in range(200)})
    third.publish()
    assert written(journal).startswith(b"\n{")
    assert journal.stat().st_size > size
    third.settle()
    assert (written(journal), journal.stat().st_size) == (b"", size)
    store.close()


def test_close_leaves_batches_in_flight_to_recovery(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.state()
    store = world.store()
    batch = fill(store.begin(), {"a/1": b"1"})
    batch.publish()
    store.close()
    store.close()
    for act in (batch.settle, batch.undo):
        with pytest.raises(StoreError, match="closed"):
            act()
    assert store.recover(lambda _: False) == 1
    assert world.state() == before
    put(store, {"a/1": b"again"})  # a closed store can be used again
    store.close()


def test_close_leaves_deletions_in_flight_to_recovery(tmp_path: Path) -> None:
    world = World(tmp_path)
    store = world.store()
    batch = store.begin()
    deleting(batch, world.incoming)
    batch.publish()
    store.close()
    assert held(store) == {"old/one/k": b"old one", "old/k": b"old", "old/kept": b"kept"}
    store.recover(lambda key: key == "old/kept")
    assert held(store) == {"old/kept": b"kept"}


def test_the_journal_goes_with_the_store(tmp_path: Path) -> None:
    world = World(tmp_path)
    store = world.store()
    put(store, {"k": b"x"})
    assert list((world.root / ".skyfs/journal").iterdir())
    del store
    assert not (world.root / ".skyfs").exists()


def test_a_failed_publish_can_be_undone_only(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.state()
    store = world.store()
    batch = fill(store.begin(), {"a/1": b"1", "old/fresh": b"2"})
    put(store, {"a/1": b"other"})
    with pytest.raises(Exists):
        batch.publish()
    with pytest.raises(StoreError, match="order"):
        batch.settle()
    batch.undo()
    assert held(store)["a/1"] == b"other"
    final = store.begin()
    final.delete("a/1")
    final.publish()
    final.settle()
    store.close()
    assert world.state() == before
