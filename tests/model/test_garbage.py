"""The garbage collector comes seldom while many objects are made, and as before after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import repeat

import pytest

from skyfs.model.garbage import many_objects


@pytest.fixture(autouse=True)
def usual() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield gc.get_threshold()
    gc.set_threshold(*before)


def test_it_comes_seldom_until_the_last_is_done(usual: tuple[int, int, int]) -> None:
    first, second = many_objects(), many_objects()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold()[0] > 10 * usual[0]
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] > 10 * usual[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == usual


def test_it_comes_again_after_an_error(usual: tuple[int, int, int]) -> None:
    with pytest.raises(KeyError), many_objects():
        raise KeyError
    assert gc.get_threshold() == usual


@pytest.mark.parametrize("chosen", [0, 10**6])
def test_who_has_it_come_never_or_more_seldom_is_left_alone(chosen: int) -> None:
    gc.set_threshold(chosen)
    for _ in repeat(None, 2):
        with many_objects():
            assert gc.get_threshold()[0] == chosen
    assert gc.get_threshold()[0] == chosen


def test_what_was_set_meanwhile_stays() -> None:
    with many_objects():
        gc.set_threshold(3)
    assert gc.get_threshold()[0] == 3
