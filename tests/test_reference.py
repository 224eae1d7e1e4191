"""The reference of docs/ has a place for every public name; Sphinx finds what it names that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import skyfs

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def documented(kind: str) -> set[str]:
    """Give what a kind of directive names, on all pages."""
    pages = "".join(page.read_text("utf-8") for page in sorted(REFERENCE.glob("*.md")))
    return set(re.findall(rf"^\.\. {kind}:: (\S+)$", pages, re.MULTILINE))


def test_every_method_of_a_repository_has_its_place() -> None:
    public = {name for name in dir(skyfs.Repository) if not name.startswith("_")}
    assert public == {
        name.removeprefix("Repository.") for name in documented("automethod") | documented("autoattribute")
    }


@pytest.mark.parametrize("name", skyfs.__all__)
def test_every_name_of_the_package_has_its_place(name: str) -> None:
    value = getattr(skyfs, name)
    modules = documented("automodule")
    singly = documented("autofunction") | documented("autoclass")
    assert {name, f"skyfs.{name}"} & singly or getattr(value, "__module__", value.__name__) in modules
