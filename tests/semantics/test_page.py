"""docs/semantics.md and the tests here say the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from . import test_changing, test_reading

PAGE = Path(__file__).resolve().parents[2] / "docs" / "semantics.md"


def test_the_page_and_the_tests_say_the_same() -> None:
    page = PAGE.read_text().partition("## Writing through a mount")[0]  # whose tests need mounts of their own
    sentences = re.findall(r"^- (.*)$", page, re.MULTILINE)
    values = [value for module in (test_changing, test_reading) for value in vars(module).items()]
    tests = [value for name, value in values if name.startswith("test_") and value.__doc__]
    assert sorted(sentences) == sorted(" ".join(inspect.getdoc(test).split()) for test in tests)  # type: ignore[union-attr]
