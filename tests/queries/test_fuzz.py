"""Expressions put together by chance: an answer or InvalidQuery, nothing else, and no value in the SQL."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from skyfs.errors import InvalidQuery
from skyfs.testing.statements import statements_run

from .conftest import Survey

_NAMES = """
visit detector instrument exposure band physical_filter day_obs tract patch skymap htm7 healpix3
group visit.exposure_time visit.target_name visit.region visit.timespan visit.timespan.begin
visit.timespan.end visit.id exposure.has_simulated exposure.timespan exposure.obs_id
detector.purpose detector.full_name detector.raft tract.region patch.cell_x patch.region
visit_detector_region.region visit_detector_region visit_definition htm7.region healpix3.region
skymap.hash instrument.detector_max exposure_time region timespan timespan.begin name id nothing
visit.nothing a.b.c.d calexp.run calexp.dataset_id calexp.ingest_date calexp.collection
calexp.timespan run collection seq_num
""".split()  # noqa: SIM905 - a list of them would be a page long
# Found in no statement, since values are bound.
_MARK = 918273
_VALUES = [
    str(_MARK),
    "9182.73e2",
    "'918273'",
    "'it''s 918273'",
    "0",
    "-1",
    "1e308",
    "9223372036854775807",
    "T'2014-05-13T16:53:20'",
    "T'mjd/56790.5'",
    "(T'2014-05-13', T'2014-06-13')",
    "(NULL, T'2014-05-13')",
    "POINT(0, 0)",
    "CIRCLE(10, 89, 2)",
    "BOX(0, 0, 2, 2)",
    "POLYGON(0,0, 1,0, 0,1)",
    "REGION('CIRCLE 1 2 3')",
    "UUID('91827300-0000-0000-0000-000000000000')",
    "true",
    "NULL",
    ":a",
]
_SIGNS = ["=", "!=", "<", "<=", ">", ">=", "OVERLAPS", "+", "-", "*", "/", "%", "AND", "OR"]


def expression(rng: random.Random, depth: int) -> str:
    """Give something that is often well-formed, and seldom makes sense."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(_NAMES if rng.random() < 0.6 else _VALUES)
    kind = rng.randrange(9)
    below = expression(rng, depth - 1)
    if kind < 4:
        text = f"{below} {rng.choice(_SIGNS)} {expression(rng, depth - 1)}"
        return f"({text})" if rng.random() < 0.7 else text
    if kind == 4:
        return f"NOT {below}"
    if kind == 5:
        return f"{below} IS {rng.choice(['', 'NOT '])}NULL"
    if kind == 6:
        items = [
            rng.choice([*_VALUES, "1..5", "2..9:3", "visit", "visit.timespan"])
            for _ in range(rng.randint(1, 10))
        ]
        return f"{below} {rng.choice(['', 'NOT '])}IN ({', '.join(items)})"
    if kind == 7:
        return f"GLOB({below}, '*918273?[')"
    return f"-{below}"


def _ask(survey: Survey, rng: random.Random, text: str) -> Iterator[object]:
    bind = {"a": rng.choice([1, "x", 2.5])}
    kind = rng.randrange(3)
    if kind == 0:
        query = survey.repo.data_ids(
            rng.choice([["visit"], ["detector"], ["patch"], ["visit", "detector"], []]), where=text, bind=bind
        )
        yield query.count()
        yield list(query.limit(3))
    elif kind == 1:
        yield list(survey.repo.query("calexp", collections="runs/both", where=text, bind=bind).limit(3))
        yield survey.repo.query("calexp", collections="runs/all", where=text, bind=bind).count()
    else:
        yield list(
            survey.repo.records(
                rng.choice(["visit", "detector", "visit_definition"]), where=text, bind=bind
            ).limit(3)
        )


def _try_all(survey: Survey, seed: int, n: int) -> int:
    rng, answered = random.Random(seed), 0  # noqa: S311 - no secret
    for _ in range(n):
        text = expression(rng, rng.randint(1, 4))
        with statements_run() as statements:
            try:
                for _answer in _ask(survey, rng, text):
                    answered += 1
            except InvalidQuery as error:
                shown = str(error)
                if "\n" in shown:
                    raise AssertionError(shown) from error
        assert not any("918273" in statement or "9182.73" in statement for statement in statements), text
    return answered


def test_expressions_by_chance(survey: Survey) -> None:
    """Some of each kind; and not all of them are refused."""
    assert _try_all(survey, 1, 500) > 50


@pytest.mark.long
def test_very_many_expressions_by_chance(survey: Survey) -> None:
    """The same for as long as it takes."""
    for seed in range(2, 202):
        assert _try_all(survey, seed, 500) > 20
