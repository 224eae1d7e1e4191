"""Runs pieces of Python one after the other, and tells as JSON what each gives: by either side's Python.

Reads a list of texts. Of each it tells what the last expression gives, in plain values: a dataset is type,
RUN and data ID. ``null``: nothing that could be compared. The first that fails ends it.
"""

# ruff: noqa: ANN401 - objects of either side

from __future__ import annotations

import ast
import json
import logging
import sys
from collections.abc import Mapping
from typing import Any


def run(text: str, names: dict[str, object]) -> object:
    """Run a text; give what its last expression gives."""
    tree = ast.parse(text)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, text, "exec"), names)  # noqa: S102 - running it is the task
        return None
    exec(compile(ast.Module(tree.body[:-1], []), text, "exec"), names)  # noqa: S102
    return eval(compile(ast.Expression(last.value), text, "eval"), names)  # noqa: S307


def plain(value: Any) -> object:
    """Give a value that JSON has and that both sides have in common."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "run") and hasattr(value, "id"):
        name = value.datasetType.name if hasattr(value, "datasetType") else value.type.name
        return [name, value.run, plain(getattr(value, "dataId", None) or value.data_id)]
    if hasattr(value, "required"):
        return plain(dict(value.required))
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        return sorted(map(plain, value), key=repr) if value and not isinstance(value[0], str) else list(value)
    return None


def main() -> None:
    """Answer what is asked on standard input."""
    logging.disable(logging.CRITICAL)
    names: dict[str, object] = {}
    answers = []
    for text in json.load(sys.stdin):
        try:
            answers.append({"gives": plain(run(text, names))})
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            answers.append({"error": f"{type(error).__name__}: {error}"})
            break
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
