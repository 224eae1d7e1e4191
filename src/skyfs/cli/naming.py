"""Arguments that name what a repository knows: types, collections, dimensions and their values.

Any text is taken; completion knows which there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import click

from ..errors import SkyfsError
from ..repository import suggesting
from .session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..repository import Repository

# Nobody reads more.
_MOST_ANSWERS = 1_000

# Gives the words there are, for the arguments before and what is typed of this one.
_Words = Callable[["Repository", Mapping[str, object], str], Iterable[str]]


class NameType(click.ParamType):  # type: ignore[type-arg] # generic in new versions only
    """A name that a repository knows.

    Parameters
    ----------
    name
        What it is called in messages.
    words
        Gives the words there are.
    listed
        Whether several are joined by commas.
    """

    def __init__(self, name: str, words: _Words, *, listed: bool = False) -> None:
        self.name = name
        self._words = words
        self._listed = listed

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Give the words that begin with what is typed; none when there is no repository."""
        from click.shell_completion import CompletionItem

        typed, comma, begun = incomplete.rpartition(",") if self._listed else ("", "", incomplete)
        with Session(ctx.find_root().params.get("repository")) as session:
            try:
                words = self._words(session.repository(), ctx.params, begun)
                matching = (word for word in words if word.startswith(begun))
                return [CompletionItem(typed + comma + word) for word in islice(matching, _MOST_ANSWERS)]
            except (SkyfsError, click.UsageError):
                return []


def _types(repository: Repository, _given: Mapping[str, object], _begun: str) -> Iterable[str]:
    return suggesting.type_names(repository)


def _collections(repository: Repository, _given: Mapping[str, object], _begun: str) -> Iterable[str]:
    return suggesting.collection_names(repository)


def _elements(repository: Repository, _given: Mapping[str, object], _begun: str) -> Iterable[str]:
    return suggesting.element_names(repository)


def _of_types(repository: Repository, given: Mapping[str, object], begun: str) -> Iterable[str]:
    """Give ``dimension=``, and after that its values, for the types named before."""
    names = suggesting.dimension_names(repository, str(given.get("types") or "*").split(","))
    return _assigned(repository, names, _pairs(given.get("data_id")), begun)


def _dimensions(repository: Repository, given: Mapping[str, object], begun: str) -> Iterable[str]:
    """Give dimensions, and after ``=`` their values."""
    names = suggesting.dimension_names(repository)
    return _assigned(repository, names, _pairs(given.get("dimensions")), begun) if "=" in begun else names


def _columns(repository: Repository, given: Mapping[str, object], begun: str) -> Iterable[str]:
    """Give ``column=`` of the element named before, and after that the values of dimensions."""
    names = suggesting.column_names(repository, str(given.get("element")))
    return _assigned(repository, names, _pairs(given.get("conditions")), begun)


def _assigned(
    repository: Repository, names: Iterable[str], given: Mapping[str, str], begun: str
) -> Iterator[str]:
    name, equals, _ = begun.partition("=")
    if not equals:
        yield from (f"{one}=" for one in names if one not in given)
    elif name in suggesting.dimension_names(repository):
        yield from (f"{name}={value}" for value in suggesting.values(repository, name, given))


def _pairs(given: object) -> dict[str, str]:
    texts = given if isinstance(given, tuple | list) else ()
    return {key: value for key, equals, value in (str(text).partition("=") for text in texts) if equals}


TYPE = NameType("type", _types, listed=True)
COLLECTION = NameType("collection", _collections, listed=True)
ELEMENT = NameType("element", _elements)
DATA_ID = NameType("dimension=value", _of_types)
DIMENSION = NameType("dimension", _dimensions)
CONDITION = NameType("column=value", _columns)
