"""The suite of stores about files that exist already, and are adopted."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import ClassVar

import pytest

from skyfs.abc.store import Adoption, Content, Store
from skyfs.errors import Exists, NotFound, StoreError

from .store_files import delete, get, held, put


class AdoptingSuite:
    """What every store does that can be written with files that exist already.

    Attributes
    ----------
    adoptions
        How the store can adopt; the other ways must be refused with StoreError.
    """

    adoptions: ClassVar[frozenset[Adoption]] = frozenset(Adoption)

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty, writable store."""
        raise NotImplementedError

    def footprint(self, store: Store) -> object:
        """Give all that lies behind the store; a subclass that sees more than keys says so here."""
        return held(store)

    @pytest.mark.parametrize("how", list(Adoption))
    def test_adopting(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        batch.adopt("a/k.fits", str(source), how)
        assert held(store) == {}
        content = batch.publish()["a/k.fits"]
        unread = how in (Adoption.LINK, Adoption.SYMLINK)
        expected = None if unread else hashlib.sha256(b"adopted").digest()
        assert content == Content(7, expected, 1_600_000_000_123_456_789)
        assert get(store, "a/k.fits") == b"adopted"
        assert source.read_bytes() == b"adopted"
        batch.settle()
        assert held(store) == {"a/k.fits": b"adopted"}
        assert store.stat("a/k.fits").mtime_ns == content.mtime_ns
        assert source.exists() == (how is not Adoption.MOVE)

    @pytest.mark.parametrize("how", list(Adoption))
    def test_undoing_an_adoption(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        before = self.footprint(store)
        source = self._source(tmp_path, b"adopted")
        for publish in (False, True):
            batch = store.begin()
            batch.adopt("a/k", str(source), how)
            if publish:
                batch.publish()
            batch.undo()
            assert source.read_bytes() == b"adopted"
            assert self.footprint(store) == before

    @pytest.mark.parametrize("how", list(Adoption))
    def test_deleting_an_adopted_key(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        batch.adopt("a/k", str(source), how)
        batch.publish()
        batch.settle()
        delete(store, "a/k")
        assert held(store) == {}
        assert source.exists() == (how is not Adoption.MOVE)

    @pytest.mark.parametrize("how", list(Adoption))
    def test_a_race_of_adoptions_of_one_file(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        source = str(self._source(tmp_path, b"adopted"))
        first, second = store.begin(), store.begin()
        first.adopt("a/k", source, how)
        second.adopt("a/k", source, how)
        first.publish()
        with pytest.raises(Exists):
            second.publish()
        second.undo()
        assert held(store) == {"a/k": b"adopted"}
        first.settle()
        assert held(store) == {"a/k": b"adopted"}

    @pytest.mark.parametrize("how", list(Adoption))
    def test_what_cannot_be_adopted(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        (tmp_path / "folder").mkdir()
        before = self.footprint(store)
        batch = store.begin()
        for path in ("fifo", "dangling", "folder", "nowhere", "nul\0"):
            with pytest.raises(StoreError) as caught:
                batch.adopt("k", str(tmp_path / path), how)
            assert not isinstance(caught.value, NotFound)
            assert "'k'" in str(caught.value) or repr(str(tmp_path / path)) in str(caught.value)
        with pytest.raises(StoreError, match=r"device|link"):
            batch.adopt("k", "/dev/null", how)
        batch.undo()
        assert self.footprint(store) == before

    @pytest.mark.parametrize("how", list(Adoption))
    def test_adopting_over_a_key_is_refused(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        put(store, {"k": b"first"})
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        with pytest.raises(Exists):
            batch.adopt("k", str(source), how)
        batch.undo()
        assert held(store) == {"k": b"first"}
        assert source.read_bytes() == b"adopted"

    @pytest.mark.parametrize("change", ["rewritten", "replaced", "gone"])
    def test_move_spares_a_source_that_changed(self, store: Store, tmp_path: Path, change: str) -> None:
        if not self._adopts(store, Adoption.MOVE, tmp_path):
            return
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        batch.adopt("k", str(source), Adoption.MOVE)
        batch.publish()
        if change != "rewritten":
            source.unlink()
        if change != "gone":
            source.write_bytes(b"something newer")
        batch.settle()
        assert source.exists() == (change != "gone")

    def _adopts(self, store: Store, how: Adoption, folder: Path) -> bool:
        """Tell whether the store adopts so; one that does not must say it, and what to do."""
        if how not in self.adoptions:
            batch = store.begin()
            with pytest.raises(StoreError, match="copy"):
                batch.adopt("k", str(self._source(folder, b"x")), how)
            batch.undo()
        return how in self.adoptions

    @staticmethod
    def _source(folder: Path, data: bytes) -> Path:
        source = folder / "incoming" / "source.fits"
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        os.utime(source, ns=(0, 1_600_000_000_123_456_789))
        return source
