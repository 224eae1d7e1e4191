"""Batches in any order against a dict, on disk and in memory."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from skyfs.abc.store import Adoption, Batch
from skyfs.errors import Exists
from skyfs.stores.local import LocalStore
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import held

from .test_local import tree

KEYS = st.sampled_from(["a/x", "a/y", "a/b/x", "c/d/e/x", "top"])
DATA = st.binary(max_size=20)


@dataclass(eq=False)
class Model:
    """A batch, and what it should do."""

    batch: Batch
    writes: dict[str, bytes] = field(default_factory=dict)
    moved: list[Path] = field(default_factory=list)
    deletions: dict[str, object] = field(default_factory=dict)


class Batches(RuleBasedStateMachine):
    """The machine on a disk. An item of the model is a one-element list: its identity is the bytes' own."""

    filling = Bundle("filling")
    published = Bundle("published")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="skyfs-test-"))
        (self.folder / "root").mkdir()
        self.store = self.build()
        self.items: dict[str, list[bytes]] = {}
        self.live: list[Model] = []
        self.sources = 0

    def build(self) -> LocalStore | MemoryStore:
        return LocalStore(self.folder / "root", name="disk", durability="process")

    @rule(target=filling)
    def begin(self) -> Model:
        self.live.append(Model(self.store.begin()))
        return self.live[-1]

    @rule(model=filling, key=KEYS, data=DATA, head=DATA)
    def create(self, model: Model, key: str, data: bytes, head: bytes) -> None:
        if key in self.items or key in model.writes:
            with pytest.raises(Exists):
                model.batch.create(key)
            return
        with model.batch.create(key) as file:
            file.write(data)
            file.seek(0)
            file.write(head)
        model.writes[key] = head + data[len(head) :]

    @rule(model=filling, key=KEYS, data=DATA, how=st.sampled_from([Adoption.COPY, Adoption.MOVE]))
    def adopt(self, model: Model, key: str, data: bytes, how: Adoption) -> None:
        self.sources += 1
        source = self.folder / f"source{self.sources}"
        source.write_bytes(data)
        if key in self.items or key in model.writes:
            with pytest.raises(Exists):
                model.batch.adopt(key, str(source), how)
            return
        model.batch.adopt(key, str(source), how)
        model.writes[key] = data
        if how is Adoption.MOVE:
            model.moved.append(source)

    @rule(model=filling, key=KEYS)
    def delete(self, model: Model, key: str) -> None:
        model.batch.delete(key)
        if key in self.items:
            model.deletions[key] = self.items[key]

    @rule(target=published, model=consumes(filling))
    def publish(self, model: Model) -> Model:
        if self.items.keys() & model.writes.keys():
            with pytest.raises(Exists):
                model.batch.publish()
            model.batch.undo()
            self.live.remove(model)
            model = Model(self.store.begin())
            self.live.append(model)
        contents = model.batch.publish()
        assert {key: content.sha256 for key, content in contents.items()} == {
            key: hashlib.sha256(data).digest() for key, data in model.writes.items()
        }
        self.items.update({key: [data] for key, data in model.writes.items()})
        return model

    @rule(model=consumes(published))
    def settle(self, model: Model) -> None:
        model.batch.settle()
        self.live.remove(model)
        for key, item in model.deletions.items():
            if self.items.get(key) is item:
                del self.items[key]
        assert not any(source.exists() for source in model.moved)

    @rule(model=consumes(published))
    def undo_published(self, model: Model) -> None:
        model.batch.undo()
        self.live.remove(model)
        for key in model.writes:
            self.items.pop(key, None)
        assert all(source.exists() for source in model.moved)

    @rule(model=consumes(filling))
    def undo(self, model: Model) -> None:
        model.batch.undo()
        self.live.remove(model)
        assert all(source.exists() for source in model.moved)

    @rule()
    def recover(self) -> None:
        assert self.store.recover(lambda _: False) == 0

    @invariant()
    def same(self) -> None:
        assert held(self.store) == {key: item[0] for key, item in self.items.items()}

    def teardown(self) -> None:
        for model in self.live:
            model.batch.undo()
        self.store.close()
        try:
            assert not (self.folder / "root/.skyfs").exists()
            assert all(
                data is not None or list((self.folder / "root" / key).iterdir())
                for key, data in tree(self.folder / "root").items()
            ), "an empty folder"
        finally:
            shutil.rmtree(self.folder)


class MemoryBatches(Batches):
    """The same in memory."""

    def build(self) -> LocalStore | MemoryStore:
        return MemoryStore("mem")


TestBatches = Batches.TestCase
TestBatches.settings = settings(max_examples=60, stateful_step_count=30)
TestMemoryBatches = MemoryBatches.TestCase
TestMemoryBatches.settings = settings(max_examples=40, stateful_step_count=30)
