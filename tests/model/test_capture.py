"""Where a captured value stands: pointers into documents, keywords of headers."""

from __future__ import annotations

import pytest

from skyfs.errors import BadDefinition
from skyfs.model.capture import Source

DOCUMENT = {"a/b": {"c~d": [10, {"e": "found"}]}, "~1": True, "": 7}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("json:/a~1b/c~0d/0", 10),
        ("json:/a~1b/c~0d/1/e", "found"),
        ("json:/~01", True),
        ("json:/", 7),
        ("json:/a~1b", None),  # no plain value
        ("json:/a~1b/c~0d/2", None),
        ("json:/a~1b/c~0d/01", None),
        ("json:/a~1b/c~0d/-1", None),
        ("json:/a~1b/c~0d/e", None),
        ("json:/nothing/e", None),
    ],
)
def test_a_pointer_finds_a_value(text: str, value: object) -> None:
    assert Source.parse(text).find(DOCUMENT) == value


@pytest.mark.parametrize("text", ["header:SEEING", "header: SEEING ", "header:seeing"])
def test_a_keyword_finds_a_value(text: str) -> None:
    assert Source.parse(text).find({"SEEING": 0.7}) == 0.7
    assert Source.parse(text).find(["SEEING"]) is None


@pytest.mark.parametrize(
    "text",
    ["json:", "json:a", "json:a/b", "json:/a~2b", "json:/a~", "header:", "header: ", "xml:/a", "SEEING"],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadDefinition, match="no keyword and no pointer"):
        Source.parse(text)
