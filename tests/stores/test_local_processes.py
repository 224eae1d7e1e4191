"""Many processes write, delete, recover and die in one local store at once."""

from __future__ import annotations

import os
import random
from collections import deque
from functools import partial
from pathlib import Path

import pytest

from skyfs.errors import Exists
from skyfs.stores.local import LocalStore
from skyfs.testing.store_suite import fill, held, put

from .conftest import paths
from .crash import die_at, killed, start_child

# Python 3.12 warns of forks beside pytest-timeout's thread; these children only touch files, then exit.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

AT_ONCE = 4


class Registry:
    """A folder of one empty file per committed key, with the token that its bytes are in the name."""

    _unlink = staticmethod(os.unlink)  # no step at which a writer dies

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, key: str, token: str) -> None:
        self._path(key, token).touch()

    def remove(self, key: str, token: str) -> None:
        """Remove this dataset of the key, never one that came since; FileNotFoundError when it is gone."""
        self._unlink(self._path(key, token))

    def tokens(self) -> dict[str, str]:
        names = (path.name.replace("|", "/").partition("@") for path in self.folder.iterdir())
        return {key: token for key, _, token in names}

    def __contains__(self, key: str) -> bool:
        return key in self.tokens()

    def _path(self, key: str, token: str) -> Path:
        return self.folder / f"{key.replace('/', '|')}@{token}"


def live_and_die(root: Path, registry: Registry, seed: int) -> None:
    """Work until the chosen system call."""
    choose = random.Random(seed)  # noqa: S311 - test data
    die_at(choose.randrange(5, 400))
    store = LocalStore(root, name="disk", durability="process")
    store.recover(registry.__contains__)
    for number in range(100):
        act = choose.choice([write, write, write, remove, recover])
        act(store, registry, choose, f"{seed}-{number}")


def write(store: LocalStore, registry: Registry, choose: random.Random, token: str) -> None:
    key = choose.choice([f"a/{token}/k", f"hot/{choose.randrange(3)}/k", f"a/b/{choose.randrange(3)}"])
    batch = store.begin()
    try:
        fill(batch, {key: token.encode()}).publish()
    except Exists:
        batch.undo()
        return
    registry.add(key, token)
    batch.settle()


def remove(store: LocalStore, registry: Registry, choose: random.Random, _: str) -> None:
    tokens = sorted(registry.tokens().items())
    if not tokens:
        return
    key, token = choose.choice(tokens)
    batch = store.begin()
    batch.delete(key)
    batch.publish()
    try:
        registry.remove(key, token)
    except FileNotFoundError:
        batch.undo()
        return
    batch.settle()


def recover(store: LocalStore, registry: Registry, _: random.Random, __: str) -> None:
    store.recover(registry.__contains__)


def campaign(folder: Path, seeds: range) -> None:
    """Let many writers die, some at a time, then see that the store holds what the registry names."""
    root = folder / "root"
    root.mkdir()
    registry = Registry(folder / "registry")
    deaths = 0
    running: deque[int] = deque()
    for seed in seeds:
        running.append(start_child(partial(live_and_die, root, registry, seed)))
        if len(running) == AT_ONCE:
            deaths += _died(running.popleft())
    deaths += sum(map(_died, running))
    store = LocalStore(root, name="disk")
    store.recover(registry.__contains__)
    assert deaths > len(seeds) / 2
    assert held(store) == {key: token.encode() for key, token in registry.tokens().items()}
    assert not (root / ".skyfs").exists()
    _nothing_else(root, registry)
    put(store, {"after/all": b"it can be written"})
    store.close()


def _died(child: int) -> bool:
    return killed(os.waitpid(child, 0)[1])


def _nothing_else(root: Path, registry: Registry) -> None:
    folders = {str(above) for key in registry.tokens() for above in Path(key).parents if str(above) != "."}
    assert set(paths(root)) == set(registry.tokens()) | folders


def test_writers_that_die(tmp_path: Path) -> None:
    campaign(tmp_path, range(40))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_many_writers_that_die(tmp_path: Path) -> None:
    for part in range(20):
        (tmp_path / str(part)).mkdir()
        campaign(tmp_path / str(part), range(1000 + part * 100, 1100 + part * 100))
