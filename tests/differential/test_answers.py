"""Equal answers on equal repositories, beside the peer itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import asked_others, asked_refusals, asked_searches, asked_sky, asked_values
from .generated import calibrations, expressions, joins
from .question import Question

BY_HAND = {
    str(one): one
    for some in (
        asked_values.VALUES,
        asked_values.COLUMNS,
        asked_sky.TIMES,
        asked_values.BOUND,
        asked_sky.REGIONS,
        asked_sky.JOINS,
        asked_searches.ORDERS,
        asked_searches.LIMITS,
        asked_searches.DATASETS,
        asked_searches.CALIBRATIONS,
        asked_others.OTHERS,
    )
    for one in some
}
GENERATED = [*expressions(150), *joins(80), *calibrations(40)]
REFUSED = {str(one): one for one in asked_refusals.REFUSED}


@pytest.mark.parametrize("question", BY_HAND.values(), ids=BY_HAND)
def test_a_question_has_the_same_answer(question: Question, agree: Callable[[Question], None]) -> None:
    agree(question)


@pytest.mark.parametrize("question", GENERATED, ids=range(len(GENERATED)))
def test_a_question_made_by_chance_has_the_same_answer(
    question: Question, agree: Callable[[Question], None]
) -> None:
    agree(question)


@pytest.mark.parametrize("question", REFUSED.values(), ids=REFUSED)
def test_what_the_peer_refuses_is_refused(question: Question, refuse: Callable[[Question], None]) -> None:
    refuse(question)


def test_questions_made_by_chance_do_not_only_agree_in_finding_nothing(
    answered: Callable[[Question], int],
) -> None:
    found = [answered(question) > 0 for question in GENERATED]
    assert sum(found) / len(found) > 0.7
