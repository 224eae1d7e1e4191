"""No module needs, by whatever detour, itself: imports inside functions and for types alone are counted."""

from __future__ import annotations

import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest


def needs(package: str) -> dict[str, set[str]]:
    """Give each module with the modules that it imports anywhere in its text."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False, cache_dir=None)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Give the modules of one cycle, the first of them again at the end, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_is_no_cycle() -> None:
    assert cycle(needs("skyfs")) == []


@pytest.mark.parametrize(
    "text", ["from . import a", "def f():\n    from .a import x", "if TYPE_CHECKING:\n    from .a import x"]
)
def test_a_cycle_is_seen(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "round_about"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from .b import y\n")
    (package / "b.py").write_text("from . import c\n")
    (package / "c.py").write_text(f"from typing import TYPE_CHECKING\n{text}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    names = {f"round_about.{name}" for name in "abc"}
    assert set(cycle(needs("round_about"))) == names
