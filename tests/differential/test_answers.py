"""Equal answers on equal repositories, beside the peer itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import questions
from .generated import questions as generated
from .question import Question

BY_HAND = {
    str(one): one
    for some in (
        questions.VALUES,
        questions.COLUMNS,
        questions.TIMES,
        questions.BOUND,
        questions.REGIONS,
        questions.JOINS,
        questions.ORDERS,
        questions.LIMITS,
        questions.DATASETS,
        questions.CALIBRATIONS,
        questions.OTHERS,
    )
    for one in some
}
# More of them (900 were tried) find nothing else.
GENERATED = list(generated(250))
REFUSED = {str(one): one for one in questions.REFUSED}


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


def test_the_questions_do_not_only_agree_in_finding_nothing(
    answered: Callable[[Question], int],
) -> None:
    found = [answered(question) > 0 for question in (*BY_HAND.values(), *GENERATED)]
    assert sum(found) / len(found) > 0.7
