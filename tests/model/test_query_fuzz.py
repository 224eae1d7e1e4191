"""Any string whatever is an expression or an InvalidQuery."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from skyfs.errors import InvalidQuery
from skyfs.model.query import Expression
from skyfs.model.query_bind import prepare
from skyfs.model.query_text import parse

WELL_FORMED = (
    "visit.exposure_time > 30 AND band IN ('g', 'r') OR NOT instrument = 'LSSTCam'",
    "visit IN (1..100:5, 7, :visits) AND detector NOT IN (1)",
    "visit.timespan OVERLAPS (T'2020-01-01T00:00:00', NULL)",
    "calexp.ingest_date IN (T'58849.5', T'jyear/2021.5/tt')",
    "patch.region OVERLAPS CIRCLE(:ra, -4.5, 1e-3) OR POINT(1, 2) OVERLAPS tract.region",
    "BOX(1, 2, 3, 4) OVERLAPS POLYGON(0, 0, 10, 0, 0, 10) AND REGION('CIRCLE 1 2 3') OVERLAPS skymap",
    "GLOB(visit.target_name, 'a*''?') AND dataset_id = UUID('0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b')",
    "(-visit.id % 2 + 3.5) * 4 / 2 - 1 != +5 AND visit.name IS NOT NULL",
)
PIECES = (
    *(
        "AND",
        "or",
        "NOT",
        "in",
        "IS",
        "NULL",
        "OVERLAPS",
        "true",
        "visit",
        "a.b.c",
        ".",
        "..",
        ":",
        ":x",
        ",",
    ),
    *(
        "(",
        ")",
        "((",
        "))",
        "=",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "1",
        "-5",
        "1.5",
        "1e999",
        "9" * 30,
    ),
    *(
        "1..5",
        "5..1:2",
        "1\xa0..2",
        "'",
        "''",
        "'x'",
        "T'",
        "T'2020-01-01'",
        "t'58849'",
        "T'mjd/nan'",
        "POINT(",
    ),
    *(
        "glob(",
        "UUID('x')",
        "\0",
        "\n",
        "\t",
        "\ud800",
        "\N{LATIN SMALL LETTER LONG S}",
        "é",
        "\U0001f52d",
        "٣",
    ),
)
VALUES = {"x": 5, "visits": [1, 2], "ra": 10.5}


def random_characters(rng: random.Random) -> str:
    highest = rng.choice((0x7F, 0xFF, 0x10FFFF))
    return "".join(chr(rng.randint(0, highest)) for _ in range(rng.randint(0, 60)))


def random_pieces(rng: random.Random) -> str:
    return rng.choice(("", " ")).join(rng.choices(PIECES, k=rng.randint(1, 25)))


def mutated(rng: random.Random) -> str:
    text = rng.choice(WELL_FORMED)
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice((0, 0, 1, 1, 2, 10)))
        text = text[:start] + rng.choice(("", rng.choice(PIECES), chr(rng.randint(0, 0x2FF)))) + text[end:]
    return text


def repeated(rng: random.Random) -> str:
    """Deep, or long: now and then beyond the limits."""
    count = rng.choice((5, 50, 99, 100, 101, 300)) if rng.random() < 0.98 else rng.choice((6_000, 60_000))
    middle = rng.choice(("a", "1", "a = 1", ""))
    piece = rng.choice((*PIECES, "a AND ", "a+", "NOT ", "(a, "))
    return piece * count + middle + rng.choice((")", "")) * count


KINDS = (random_characters, random_pieces, mutated, mutated, repeated)


def strings(seed: int, count: int) -> Iterator[str]:
    rng = random.Random(seed)  # noqa: S311 - the same strings in each run
    for index in range(count):
        yield KINDS[index % len(KINDS)](rng)


def accepted(text: str) -> Expression | None:
    try:
        return prepare(parse(text), VALUES, text)
    except InvalidQuery as error:
        message = str(error)
    assert message.startswith("invalid query at character ")
    assert "\n" not in message
    assert len(message) < 1_000
    return None


@pytest.mark.parametrize("text", WELL_FORMED)
def test_what_is_mutated_is_well_formed(text: str) -> None:
    assert accepted(text) is not None


def test_2000_strings() -> None:
    outcomes = [accepted(text) is not None for text in strings(20260101, 2_000)]
    # Both happen often, or the strings test nothing.
    assert sum(outcomes) > 100
    assert outcomes.count(False) > 1_000


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(10))
def test_100_000_strings(seed: int) -> None:
    for text in strings(seed, 10_000):
        accepted(text)
