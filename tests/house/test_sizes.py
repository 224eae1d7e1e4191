"""The measures of the source: one person can hold it in mind."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

import skyfs

from .sources import Source, lines_of_functions, sources, written_twice

MOST_LINES_OF_FUNCTION = 60
MOST_LINES_OF_HALF_THE_FUNCTIONS = 10
MOST_LINES_OF_FILE = 600

PACKAGE = Path(skyfs.__file__).parent
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def package() -> list[Source]:
    """Give the modules of skyfs."""
    return sources(PACKAGE)


@pytest.fixture(scope="module")
def everything(package: list[Source]) -> list[Source]:
    """Give the modules of skyfs and of its tests."""
    return [*package, *sources(TESTS)]


def too_long(found: list[Source]) -> list[str]:
    """Give the functions and files that are too long."""
    functions = [one for source in found for one in lines_of_functions(source)]
    files = [(source.name, source.text.count("\n")) for source in found]
    return [
        *(f"{name}: {lines} lines" for name, lines in functions if lines > MOST_LINES_OF_FUNCTION),
        *(f"{name}: {lines} lines" for name, lines in files if lines > MOST_LINES_OF_FILE),
    ]


def test_no_function_and_no_file_is_long(everything: list[Source]) -> None:
    assert too_long(everything) == []


def test_half_the_functions_are_short(package: list[Source]) -> None:
    lines = [lines for source in package for _, lines in lines_of_functions(source)]
    assert len(lines) > 1000
    assert median(lines) <= MOST_LINES_OF_HALF_THE_FUNCTIONS


def test_no_statements_are_written_twice(package: list[Source]) -> None:
    assert written_twice(package) == []


# -- that these see what they look for

STATEMENTS = "\n".join(
    f"    total_{n} = first_{n} + second_{n} if first_{n} > {n} else call_{n}(first_{n}, other=second_{n})"
    for n in range(5)
)


def test_a_long_function_is_seen() -> None:
    body = "    x = 1\n" * MOST_LINES_OF_FUNCTION
    assert too_long([Source.of(f"def f() -> None:\n{body}")]) == ["a.py:1 f: 61 lines"]
    assert too_long([Source.of(f"class C:\n async def f() -> None:\n{body}")]) == ["a.py:2 f: 61 lines"]


def test_a_long_file_is_seen() -> None:
    assert too_long([Source.of("x = 1\n" * 601)]) == ["a.py: 601 lines"]
    assert too_long([Source.of("x = 1\n" * 600)]) == []


@pytest.mark.parametrize(
    "again",
    [
        f"def other(x: int) -> int:\n    '''Another.'''\n    before()\n{STATEMENTS}\n",
        f"class C:\n  async def other(self):\n    import x\n{STATEMENTS}\n    return 3\n",
        f"try:\n  pass\nfinally:\n{STATEMENTS}\n",
    ],
)
def test_statements_written_twice_are_seen(again: str) -> None:
    one = Source.of(f"def one() -> None:\n{STATEMENTS}\n")
    (found,) = written_twice([one, Source.of(again, "b.py")])
    assert found.startswith("b.py:")
    assert found.endswith(" is a.py:2")


def test_statements_that_differ_are_not_the_same() -> None:
    one = Source.of(f"def one() -> None:\n{STATEMENTS}\n")
    assert written_twice([one, Source.of(one.text.replace("+", "-"), "b.py")]) == []
