"""How many different hostile inputs there are."""

from __future__ import annotations

from .contents import bombs, broken, mutants
from .paths import EXPRESSIONS, MISSING
from .test_configurations import configurations, recipes
from .texts import NAMES
from .yamls import DOCUMENTS, VALUES


def test_there_are_at_least_two_thousand_inputs() -> None:
    texts = {*MISSING, *EXPRESSIONS, *NAMES, *DOCUMENTS, *VALUES}
    texts |= {text for _, text in (*configurations(), *recipes())}
    files = {(extension, data) for _, extension, data in (*bombs(), *broken(), *mutants())}
    assert len(texts) + len(files) >= 2000
    assert len(files) >= 600
