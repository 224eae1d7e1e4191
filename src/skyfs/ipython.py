"""Completion in IPython and Jupyter: ``%load_ext skyfs``.

Inside of calls such as ``repo.query("cal<TAB>`` it offers dataset types, collections, dimensions and values
of the repository that ``repo`` is. Nothing of what is typed is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from .errors import SkyfsError
from .repository import Repository, suggesting

_CALL = re.compile(r"([A-Za-z_][\w.]*)\.(\w+)\s*$", re.ASCII)
_KEYWORD = re.compile(r"\s*(\w+)\s*=(?!=)\s*(.*)", re.ASCII | re.DOTALL)
_TEXT = re.compile(r"""\s*(['"])([^'"]*)\1\s*""")
_MOST_ANSWERS = 1_000

# What the first argument of a method is.
_FIRST: Mapping[str, Callable[[Repository], list[str]]] = {
    "query": suggesting.type_names,
    "get": suggesting.type_names,
    "find": suggesting.type_names,
    "resolve": suggesting.type_names,
    "types": suggesting.type_names,
    "data_ids": suggesting.dimension_names,
    "records": suggesting.element_names,
    "collections": suggesting.collection_names,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is being typed.

    Attributes
    ----------
    owner, method
        ``repo`` and ``query``.
    arguments
        The source of each; the last one is not finished.
    quoted
        Whether the cursor is inside of a text.
    typed
        What is typed of the word at the cursor.
    """

    owner: str
    method: str
    arguments: tuple[str, ...]
    quoted: bool
    typed: str


def install(shell: Any) -> None:  # noqa: ANN401 - IPython is not a dependency
    """Add the completion to a running IPython, once."""
    matchers = shell.Completer.custom_matchers
    if not any(getattr(one, "skyfs", False) for one in matchers):
        matchers.append(_matcher(shell))


def _matcher(shell: Any) -> Callable[[Any], dict[str, object]]:  # noqa: ANN401
    from IPython.core.completer import SimpleCompletion, context_matcher

    def skyfs_matcher(context: Any) -> dict[str, object]:  # noqa: ANN401
        lines = context.full_text.split("\n")
        before = [*lines[: context.cursor_line], context.line_with_cursor[: context.cursor_position]]
        call = read_call("\n".join(before))
        words = [] if call is None else suggest(call, shell.user_ns)
        found = [SimpleCompletion(text=word, type="skyfs") for word in words]
        fragment = context.token if call is None else call.typed
        # Names of local files, which IPython offers inside of quotes, are no answers here.
        suppress = bool(found) and call is not None and call.quoted
        return {"completions": found, "matched_fragment": fragment, "suppress": suppress}

    matcher: Callable[[Any], dict[str, object]] = context_matcher(identifier="skyfs")(skyfs_matcher)
    matcher.skyfs = True  # type: ignore[attr-defined] # a mark of ours
    return matcher


def suggest(call: Call, names: Mapping[str, object]) -> list[str]:
    """Give the words that may stand at the cursor of a call; none when its owner is no repository."""
    repository = _owner(call.owner, names)
    if repository is None:
        return []
    try:
        words = map(str, _words(repository, call))
        return list(islice((word for word in words if word.startswith(call.typed)), _MOST_ANSWERS))
    except SkyfsError:
        return []


def _owner(dotted: str, names: Mapping[str, object]) -> Repository | None:
    first, *rest = dotted.split(".")
    found = names.get(first)
    for name in rest:
        # Not `getattr`: properties may do anything.
        found = getattr(found, "__dict__", {}).get(name)
    return found if isinstance(found, Repository) else None


def _words(repository: Repository, call: Call) -> Iterable[object]:
    *before, last = call.arguments
    keyword = _KEYWORD.match(last)
    if keyword is not None:
        return _values(repository, call, keyword[1])
    if call.quoted:
        first = _FIRST.get(call.method) if not before or call.method == "data_ids" else None
        return first(repository) if first is not None else ()
    given = {match[1] for match in map(_KEYWORD.match, before) if match is not None}
    return (f"{name}=" for name in _keywords(repository, call) if name not in given) if before else ()


def _values(repository: Repository, call: Call, name: str) -> Iterable[object]:
    if name == "collections":
        return suggesting.collection_names(repository) if call.quoted else ()
    if name not in suggesting.dimension_names(repository):
        return ()
    given = dict(filter(None, map(_given, call.arguments[:-1])))
    found = suggesting.values(repository, name, given)
    return (value for value in found if isinstance(value, str) == call.quoted)


def _keywords(repository: Repository, call: Call) -> list[str]:
    first = _TEXT.fullmatch(call.arguments[0])
    if call.method == "records":
        return suggesting.column_names(repository, first[2]) if first is not None else []
    if call.method == "data_ids":
        return suggesting.dimension_names(repository)
    named = [first[2]] if first is not None else ["*"]
    return suggesting.dimension_names(repository, named) if call.method in _FIRST else []


def _given(argument: str) -> tuple[str, object] | None:
    """Read a finished ``name=value`` whose value is a plain number or text."""
    keyword = _KEYWORD.fullmatch(argument)
    if keyword is None:
        return None
    text = _TEXT.fullmatch(keyword[2])
    value = keyword[2].strip() if text is None else text[2]
    return (keyword[1], value) if text is not None or value.isdigit() else None


# -- reading what is typed -----------------------------------------------------------------------------


def read_call(source: str) -> Call | None:
    """Read the innermost call that is open at the end of a piece of Python; None when there is none."""
    opened, quote = _scan(source)
    while opened and opened[-1][0] != "(":
        opened.pop()
    if not opened:
        return None
    _, start, commas = opened[-1]
    call = _CALL.search(source, 0, start)
    if call is None:
        return None
    bounds = [start, *commas, len(source)]
    arguments = tuple(source[a + 1 : b] for a, b in pairwise(bounds))
    typed = source[quote + 1 :] if quote is not None else re.findall(r"\w*\Z", source)[0]
    return Call(call[1], call[2], arguments, quote is not None, typed)


def _scan(source: str) -> tuple[list[tuple[str, int, list[int]]], int | None]:
    """Give the brackets that are open, each with its place and its commas, and the place of an open quote."""
    opened: list[tuple[str, int, list[int]]] = []
    quote: int | None = None
    for place, sign in enumerate(source):
        if quote is not None:
            quote = None if sign in (source[quote], "\n") else quote
        elif sign in "'\"":
            quote = place
        elif sign in "([{":
            opened.append((sign, place, []))
        elif sign in ")]}" and opened:
            opened.pop()
        elif sign == "," and opened:
            opened[-1][2].append(place)
    return opened, quote
