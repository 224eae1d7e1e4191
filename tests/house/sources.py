"""Modules as text and as syntax trees, and what is measured of them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Statements written twice are a fault from this many nodes of the syntax tree on: some eight lines. With
# less, what is found are loops and signatures that are alike by chance.
MOST_NODES_TWICE = 80


@dataclass(frozen=True)
class Source:
    """One module.

    Attributes
    ----------
    name
        Its path, as messages show it.
    text
        What it holds.
    tree
        The same, parsed.
    """

    name: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, text: str, name: str = "a.py") -> Source:
        """Parse text."""
        return cls(name, text, ast.parse(text))


def sources(folder: Path) -> list[Source]:
    """Read all modules below a folder, in the order of their names."""
    return [
        Source.of(path.read_text(), str(path.relative_to(folder.parent)))
        for path in sorted(folder.rglob("*.py"))
    ]


def lines_of_functions(source: Source) -> Iterator[tuple[str, int]]:
    """Give each function, as messages show it, with the number of its lines, its docstring among them."""
    for node in ast.walk(source.tree):
        if isinstance(node, Function) and node.end_lineno is not None:
            yield f"{source.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def written_twice(found: Iterable[Source]) -> list[str]:
    """Give the places where the same statements stand again, as long as they are more than a few."""
    first: dict[tuple[str, ...], str] = {}
    twice: list[str] = []
    for source in found:
        for body in _bodies(source.tree):
            twice += _again(source, body, first)
    return twice


def _again(source: Source, body: list[ast.stmt], first: dict[tuple[str, ...], str]) -> Iterator[str]:
    """Look at each run of statements that is just large enough; of one place only the first is told."""
    texts = [list(_nodes(statement)) for statement in body]
    reported = False
    for begin in range(len(body)):
        run = _run(texts[begin:])
        if run is None:
            return
        place = f"{source.name}:{body[begin].lineno}"
        other = first.setdefault(tuple(run), place)
        if other != place and not reported:
            yield f"{place} is {other}"
        reported = other != place


def _run(texts: list[list[str]]) -> list[str] | None:
    run: list[str] = []
    for text in texts:
        run += text
        if len(run) >= MOST_NODES_TWICE:
            return run
    return None


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """Give all lists of statements, without docstrings and imports."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                yield [statement for statement in body if not _is_no_code(statement)]


def _is_no_code(statement: ast.stmt) -> bool:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Import | ast.ImportFrom)


def _nodes(node: object) -> Iterator[str]:
    """Give what a piece of code does as words: without types, which change nothing."""
    if isinstance(node, list):
        yield f"[{len(node)}]"
        for one in node:
            if not (isinstance(one, ast.stmt) and _is_no_code(one)):
                yield from _nodes(one)
    elif isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            if name not in {"ctx", "annotation", "returns", "type_comment"} and value is not None:
                yield from _nodes(value)
    else:
        yield repr(node)
