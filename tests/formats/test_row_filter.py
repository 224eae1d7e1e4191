"""Row filters evaluated: the same as numpy on the same columns."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadArgument
from skyfs.formats.row_evaluation import select
from skyfs.formats.row_values import Value, array, constant
from skyfs.model.row_filter import parse

COUNT = 50
RNG = np.random.default_rng(7)
COLUMNS = {
    "i": RNG.integers(-9, 9, COUNT).astype("i4"),
    "j": RNG.integers(1, 9, COUNT).astype("i2"),
    "x": RNG.normal(0, 5, COUNT),
    "y": RNG.normal(0, 5, COUNT),
    "v": RNG.normal(0, 1, (COUNT, 3)),
    "big": RNG.integers(2**60, 2**60 + 9, COUNT),
    "s": np.array([f"n{number % 5}" for number in range(COUNT)]),
    "b": RNG.random(COUNT) < 0.5,
}


@dataclass
class Table:
    """Columns in memory."""

    first: int = 1
    count: int = COUNT

    def column(self, name: str) -> Value | None:
        return array(COLUMNS[name.lower()]) if name.lower() in COLUMNS else None

    def keyword(self, name: str) -> Value | None:
        return constant(3) if name == "THREE" else None

    def columns(self) -> tuple[str, ...]:
        return tuple(COLUMNS)


def selected(text: str) -> np.ndarray:
    return select(parse(text), Table())


NUMBERS = st.one_of(
    st.sampled_from(["i", "j", "x", "y"]).map(lambda name: (name, COLUMNS[name].astype(float))),
    st.floats(-9, 9).map(lambda value: (f"({value!r})", np.full(COUNT, value))),
)
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
Pair = tuple[str, np.ndarray]


def combined(parts: tuple[str, Pair, Pair]) -> Pair:
    sign, (left, one), (right, other) = parts
    return f"({left} {sign} {right})", OPERATIONS[sign](one, other)


ARITHMETIC = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(st.sampled_from(sorted(OPERATIONS)), inner, inner).map(combined),
    max_leaves=6,
)


def compared(parts: tuple[str, Pair, Pair]) -> Pair:
    sign, (left, one), (right, other) = parts
    return f"{left} {sign} {right}", COMPARISONS[sign](one, other)


CONDITION = st.tuples(st.sampled_from(sorted(COMPARISONS)), ARITHMETIC, ARITHMETIC).map(compared)


def joined(parts: tuple[str, Pair, Pair]) -> Pair:
    sign, (left, one), (right, other) = parts
    if sign == "!":
        return f"!({left})", ~one
    return f"({left}) {sign} ({right})", (one & other) if sign == "&&" else (one | other)


@given(
    st.recursive(
        CONDITION,
        lambda inner: st.tuples(st.sampled_from(["&&", "||", "!"]), inner, inner).map(joined),
        max_leaves=5,
    )
)
def test_same_as_numpy(pair: Pair) -> None:
    text, expected = pair
    assert np.array_equal(selected(text), expected), text


def test_wide_integers_are_compared_exactly() -> None:
    assert np.array_equal(selected(f"big == {2**60 + 1}"), COLUMNS["big"] == 2**60 + 1)


def test_keywords_and_rows() -> None:
    assert selected("#row <= THREE").sum() == 3
    assert selected("#THREE == 3").all()


def test_vectors() -> None:
    assert np.array_equal(selected("v[2] > 0"), COLUMNS["v"][:, 1] > 0)
    assert np.array_equal(
        selected("sum(v > x) == 3"), (COLUMNS["v"] > COLUMNS["x"][:, None]).sum(axis=1) == 3
    )


def test_what_is_undefined_is_not_selected() -> None:
    assert not selected("x / 0 > 1").any()
    assert not selected("!(x / 0 > 1)").any()
    assert selected("isnull(x / 0)").all()
    assert selected("x / 0 > 1 || T").all()
    assert np.array_equal(selected("x / 0 > 1 || b"), COLUMNS["b"])
    assert not selected("sqrt(-1) == 0 || #null == 1").any()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("i + s > 1", "integers and text"),
        ("b > F", "truth values"),
        ("i && b", "integers"),
        ("x & 1 == 1", "integers"),
        ("i ? 1 : 2 > 1", "before the"),
        ("s < 1", "text and integers"),
        ("sin(s) > 1", "numbers, not text"),
        ("v[4] > 1", "3"),
        ("v > 1", "vector"),
        ("x", "numbers"),
        ("nope == 1", "i, j, x, y"),
    ],
)
def test_refusals(text: str, found: str) -> None:
    with pytest.raises(BadArgument, match=found):
        selected(text)
