"""Whatever a user can name says what it is; what a method takes over is said where it was first declared."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType

import skyfs

# Runs when it is imported: the beginning of a program, which holds nothing to be named.
PROGRAM = "skyfs.__main__"


def modules() -> Iterator[ModuleType]:
    """Import the package and all that is below it."""
    yield skyfs
    for found in pkgutil.walk_packages(skyfs.__path__, "skyfs."):
        if found.name != PROGRAM:
            yield import_module(found.name)


def unsaid(found: Iterable[ModuleType]) -> list[str]:
    """Give the public modules, classes, functions and methods that have no docstring."""
    return [name for module in found for name, is_said in _names(module) if not is_said]


def _names(module: ModuleType) -> Iterator[tuple[str, bool]]:
    yield module.__name__, bool(module.__doc__)
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value) or inspect.isroutine(value):
            yield f"{module.__name__}.{name}", bool(value.__doc__)
        if inspect.isclass(value):
            yield from _methods(value)


def _methods(owner: type) -> Iterator[tuple[str, bool]]:
    for name, value in vars(owner).items():
        is_method = inspect.isroutine(value) or isinstance(value, property | classmethod | staticmethod)
        # The tests of a suite are named for what they show.
        if is_method and not name.startswith(("_", "test_")):
            declared = [vars(base)[name] for base in owner.__mro__ if name in vars(base)]
            yield f"{owner.__module__}.{owner.__qualname__}.{name}", any(one.__doc__ for one in declared)


def test_every_public_name_has_a_docstring() -> None:
    found = list(modules())
    assert {skyfs.errors, skyfs} <= set(found)
    assert len(found) > 100
    assert unsaid(found) == []


def test_a_missing_docstring_is_seen() -> None:
    text = """
class Said:
    '''Here.'''
    def said(self): '''Here.'''
    def unsaid(self): pass
    @property
    def value(self): return 1
    def _own(self): pass
class Unsaid(Said):
    def said(self): pass
def function(): pass
from inspect import isclass
"""
    module = ModuleType("a")
    exec(text, vars(module))  # noqa: S102 - written above
    assert unsaid([module]) == ["a", "a.Said.unsaid", "a.Said.value", "a.Unsaid", "a.function"]
