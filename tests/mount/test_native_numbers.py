"""Node numbers: unique, stable, packed, and gone when the kernel forgets them."""

from __future__ import annotations

import errno
import tracemalloc
from array import array
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from skyfs.mount.failures import Refusal
from skyfs.mount.native.numbers import Numbers, Table
from skyfs.mount.native.protocol import ROOT

NAMES = st.sampled_from(["a", "b", "detector=1.fits", "é", "\udcff\udcfe", "x" * 255])
INODES = st.integers(2, (1 << 63) - 1) | st.sampled_from([2, 3, 6, 10])


def encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


Packed = tuple[bytes, "array[int]", "array[int]"]


def packed(names: Sequence[bytes], inodes: Sequence[int]) -> Packed:
    return b"".join(names), array("I", accumulate(map(len, names))), array("Q", inodes)


def test_the_root_is_there_from_the_start() -> None:
    numbers = Numbers()
    assert numbers.path(ROOT) == "/"
    assert numbers.below(ROOT, "a") == "/a"
    assert numbers.inode(ROOT) is None


@pytest.mark.parametrize("node", [0, 2, 1 << 32, (1 << 32) + 5, (1 << 64) - 1])
def test_a_number_that_was_never_given(node: int) -> None:
    numbers = Numbers()
    for ask in (numbers.path, numbers.inode, lambda node: numbers.below(node, "a")):
        with pytest.raises(Refusal) as caught:
            ask(node)
        assert caught.value.errno == errno.ESTALE


def test_another_content_gets_another_number() -> None:
    numbers = Numbers()
    old, new = numbers.give(ROOT, "a", 10), numbers.give(ROOT, "a", 12)
    assert old != new
    assert numbers.path(old) == numbers.path(new) == "/a"
    assert (numbers.inode(old), numbers.inode(new)) == (10, 12)
    assert numbers.give(ROOT, "a", 10) == old


def test_numbers_are_not_used_again() -> None:
    numbers = Numbers()
    first = numbers.give(ROOT, "a", 10)
    numbers.forget(first, 1)
    assert len(numbers) == 0
    with pytest.raises(Refusal):
        numbers.path(first)
    assert numbers.give(ROOT, "a", 10) != first


def test_a_listing_and_looking_up_agree() -> None:
    numbers = Numbers()
    names = [f"detector={index}.fits".encode() for index in range(2000)]
    inodes = [index * 2654435761 + 2 for index in range(2000)]
    looked_up = numbers.give(ROOT, "detector=7.fits", inodes[7])
    number, indexes = numbers.give_all(ROOT, *packed(names, inodes))
    assert number | indexes[7] == looked_up
    assert numbers.give_all(ROOT, *packed(names, inodes)) == (number, indexes)
    assert [numbers.path(number | index) for index in indexes] == [f"/{name.decode()}" for name in names]
    changed = [*inodes[:5], 99, *inodes[6:]]
    _, again = numbers.give_all(ROOT, *packed(names, changed))
    assert [one == other for one, other in zip(indexes, again, strict=True)].count(False) == 1
    assert numbers.inode(number | again[5]) == 99


def test_entries_are_packed() -> None:
    table = Table()
    count = 100_000
    names = [f"detector={index}.fits".encode() for index in range(count)]
    inodes = [(index * 0x9E3779B97F4A7C15) & ((1 << 63) - 1) | 2 for index in range(count)]
    tracemalloc.start()
    try:
        table.indexes(*packed(names, inodes))
        assert table.index(names[77], inodes[77]) == 77
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / count < len(names[-1]) + 8 + 4 + 4 * 4 + 1


class Machine(RuleBasedStateMachine):
    """Gives and takes back numbers as a kernel does, beside a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = Numbers()
        self.known: dict[int, tuple[str, int]] = {}
        self.counts: dict[int, int] = {}

    def _parents(self) -> list[int]:
        return [ROOT, *(node for node in self.known if self.counts.get(node))]

    @rule(data=st.data(), name=NAMES, inode=INODES)
    def look_up(self, data: st.DataObject, name: str, inode: int) -> None:
        parent = data.draw(st.sampled_from(self._parents()))
        path = self.numbers.below(parent, name)
        node = self.numbers.give(parent, name, inode)
        assert self.known.setdefault(node, (path, inode)) == (path, inode)
        self.counts[node] = self.counts.get(node, 0) + 1

    @rule(data=st.data(), entries=st.dictionaries(NAMES, INODES))
    def list_all(self, data: st.DataObject, entries: dict[str, int]) -> None:
        parent = data.draw(st.sampled_from(self._parents()))
        names = [encoded(name) for name in entries]
        number, indexes = self.numbers.give_all(parent, *packed(names, list(entries.values())))
        for (name, inode), index in zip(entries.items(), indexes, strict=True):
            path = self.numbers.below(parent, name)
            assert self.known.setdefault(number | index, (path, inode)) == (path, inode)
            self.counts[number | index] = self.counts.get(number | index, 0) + 1
        self.numbers.note(number, len(entries))
        self.numbers.forget(number, 1)

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        paths = {path for path, _ in self.known.values()}
        leaves = [
            node
            for node, (path, _) in self.known.items()
            if self.counts[node] and not any(other.startswith(f"{path}/") for other in paths)
        ]
        if leaves:
            node = data.draw(st.sampled_from(leaves))
            self.numbers.forget(node, self.counts.pop(node))
            del self.known[node]

    @invariant()
    def what_the_kernel_knows_is_known(self) -> None:
        for node, (path, inode) in self.known.items():
            assert (self.numbers.path(node), self.numbers.inode(node)) == (path, inode)

    @invariant()
    def nothing_else_is_kept(self) -> None:
        if not any(self.counts.values()):
            assert len(self.numbers) == 0


TestMachine = Machine.TestCase
