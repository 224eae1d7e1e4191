"""Ranges that lie near each other are read as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.formats.buffer import Buffer
from skyfs.fs.system import read_merged

DATA = bytes(range(256))


class Counting(Buffer):
    """Bytes in memory that remember what was asked for."""

    asked: list[tuple[int, int]]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        self.asked = list(ranges)
        return super().read_many(ranges)


@pytest.mark.parametrize(
    ("max_gap_bytes", "asked"),
    [
        (0, [(0, 20), (23, 30), (34, 40)]),
        (3, [(0, 30), (34, 40)]),
        (4, [(0, 40)]),
    ],
)
def test_gaps(max_gap_bytes: int, asked: list[tuple[int, int]]) -> None:
    source = Counting(DATA)
    ranges = [(34, 40), (0, 10), (23, 30), (10, 20), (2, 5)]
    assert read_merged(source, ranges, max_gap_bytes) == [DATA[start:stop] for start, stop in ranges]
    assert source.asked == asked


@given(
    st.lists(st.tuples(st.integers(0, 256), st.integers(0, 256)), max_size=12),
    st.integers(0, 40),
)
def test_any_ranges(ranges: list[tuple[int, int]], max_gap_bytes: int) -> None:
    source = Counting(DATA)
    assert read_merged(source, ranges, max_gap_bytes) == [DATA[start:stop] for start, stop in ranges]
    edges = sorted(source.asked)
    assert all(after[0] - before[1] > max_gap_bytes for before, after in pairwise(edges))
