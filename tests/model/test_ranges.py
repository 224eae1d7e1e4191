"""The planner of byte ranges: every wanted byte, few others, few requests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyfs.model.ranges import LOCAL, REMOTE, Cost, Range, plan

COSTS = st.builds(
    Cost, st.floats(0, 1), st.floats(1, 1e9), st.integers(1, 100)
) | st.sampled_from([LOCAL, REMOTE])  # fmt: skip
SOURCE = bytes(range(256)) * 64
RANGES = st.lists(
    st.tuples(st.integers(0, len(SOURCE)), st.integers(0, 700)).map(
        lambda one: (one[0], min(one[0] + one[1], len(SOURCE)))
    ),
    max_size=30,
)


def wanted_bytes(ranges: list[Range]) -> int:
    return len({byte for start, stop in ranges for byte in range(start, stop)})


@given(RANGES, COSTS)
def test_every_wanted_byte_is_given(ranges: list[Range], cost: Cost) -> None:
    found = plan(ranges, cost)
    given_back = found.cut([SOURCE[start:stop] for start, stop in found.fetches])
    assert [bytes(one) for one in given_back] == [SOURCE[start:stop] for start, stop in ranges]


@given(RANGES, COSTS)
def test_fetches_are_sorted_disjoint_and_within_what_is_wanted(ranges: list[Range], cost: Cost) -> None:
    fetches = plan(ranges, cost).fetches
    assert all(start < stop for start, stop in fetches)
    assert all(before[1] < after[0] for before, after in pairwise(fetches))
    filled = [one for one in ranges if one[1] > one[0]]
    assert {start for start, _ in fetches} <= {start for start, _ in filled}
    assert {stop for _, stop in fetches} <= {stop for _, stop in filled}


@given(RANGES, COSTS)
def test_little_else_is_read(ranges: list[Range], cost: Cost) -> None:
    fetched = sum(stop - start for start, stop in plan(ranges, cost).fetches)
    needed = wanted_bytes(ranges)
    assert needed <= fetched <= needed + needed // 8 + 1024


@given(RANGES, COSTS)
def test_the_order_of_asking_changes_nothing(ranges: list[Range], cost: Cost) -> None:
    assert plan(ranges, cost).fetches == plan([*reversed(ranges), *ranges], cost).fetches


def test_gaps_are_bridged_where_that_is_faster() -> None:
    pairs = [(0, 1000), (1100, 2000)]
    assert plan(pairs, REMOTE).fetches == ((0, 2000),)
    assert plan(pairs, Cost(0.0, 1e9)).fetches == ((0, 1000), (1100, 2000))
    assert plan(pairs, Cost(1e-6, 1e6)).fetches == ((0, 1000), (1100, 2000))


def test_the_smallest_gaps_are_bridged_first() -> None:
    spread = [(0, 10), (610, 620), (700, 710), (1500, 1510)]
    assert plan(spread, REMOTE).fetches == ((0, 710), (1500, 1510))


def test_rows_of_a_cutout_stay_apart() -> None:
    """64 x 64 float32 of a row of 4096: bridging would read everything between."""
    rows = [(start, start + 256) for start in range(0, 64 * 16384, 16384)]
    assert plan(rows, REMOTE).fetches == tuple(rows)


def test_a_column_takes_no_thousands_of_requests() -> None:
    column = [(start, start + 4) for start in range(0, 4096 * 16384, 16384)]
    assert len(plan(column, REMOTE).fetches) == 1024
    # Where bandwidth is dear they are asked for one by one.
    assert len(plan(column, Cost(0.01, 1e6, 64)).fetches) == 4096


def test_nothing_wanted() -> None:
    assert plan([], REMOTE).fetches == ()
    empty = plan([(5, 5), (9, 9)], REMOTE)
    assert empty.fetches == ()
    assert [bytes(one) for one in empty.cut([])] == [b"", b""]


@given(st.integers(0, 10**9), st.integers(1030, 3000), COSTS)
def test_many_pieces(seed: int, count: int, cost: Cost) -> None:
    """Above the bound of fetches, each further gap takes less time than a request."""
    random = np.random.default_rng(seed)
    starts, sizes = random.integers(0, 10**6, count).tolist(), random.integers(1, 9, count).tolist()
    ranges = [(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    fetches = plan(ranges, cost).fetches
    runs = plan(ranges, Cost(0.0, 1.0)).fetches
    fetched, needed = (sum(stop - start for start, stop in one) for one in (fetches, runs))
    dear = (len(runs) - len(fetches)) * (cost.bytes_in_latency // cost.connections)
    assert fetched <= needed + needed // 8 + 1024 + dear
