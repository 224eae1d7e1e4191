"""Arguments that name what a repository knows: types, collections, dimensions and their values.

Any text is taken; completion knows which there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ..errors import SkyfsError
from .session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..repository import Repository

# Nobody reads more; and records are gone through until there are so many.
_MOST_ANSWERS = 1_000
_MOST_RECORDS = 100_000

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
    return (one.name for one in repository.types())


def _collections(repository: Repository, _given: Mapping[str, object], _begun: str) -> Iterable[str]:
    return (one.name for one in repository.collections())


def _elements(repository: Repository, _given: Mapping[str, object], _begun: str) -> Iterable[str]:
    universe = repository.registry.universe
    own = [name for name, one in universe.elements.items() if one.has_records]
    return sorted([*own, *repository.registry.current().sides])


def _of_types(repository: Repository, given: Mapping[str, object], begun: str) -> Iterable[str]:
    """Give ``dimension=``, and after that its values, for the types named before."""
    types = [one for name in str(given.get("types") or "*").split(",") for one in repository.types(name)]
    names = {name: None for one in types for name in (*one.group.required, *one.group.implied)}
    return _assigned(repository, names, _pairs(given.get("data_id")), begun)


def _dimensions(repository: Repository, given: Mapping[str, object], begun: str) -> Iterable[str]:
    """Give dimensions, and after ``=`` their values."""
    universe = repository.registry.universe
    names = [name for name, one in universe.elements.items() if one.is_dimension]
    if "=" not in begun:
        return sorted(names)
    return _assigned(repository, names, _pairs(given.get("dimensions")), begun)


def _columns(repository: Repository, given: Mapping[str, object], begun: str) -> Iterable[str]:
    """Give ``column=`` of the element named before, and after that the values of dimensions."""
    name = str(given.get("element"))
    registry = repository.registry
    element = registry.current().sides.get(name) or registry.universe.element(name)
    dimensions = [*element.identity, *element.implies]
    if "=" in begun:
        return _assigned(repository, dimensions, _pairs(given.get("conditions")), begun)
    columns = [column for column in registry.records.columns(element) if column not in ("timespan", "region")]
    return (f"{column}=" for column in dict.fromkeys([*dimensions, *columns]))


def _assigned(
    repository: Repository, names: Iterable[str], given: Mapping[str, str], begun: str
) -> Iterator[str]:
    dimension, equals, _ = begun.partition("=")
    if not equals:
        yield from (f"{name}=" for name in names if name not in given)
    elif dimension in names:
        group = repository.registry.universe.group([dimension])
        known: dict[str, Any] = {
            name: value for name, value in given.items() if name in group.required and name != dimension
        }
        found = islice(repository.data_ids([dimension], **known), _MOST_RECORDS)
        yield from dict.fromkeys(f"{dimension}={data_id[dimension]}" for data_id in found)


def _pairs(given: object) -> dict[str, str]:
    texts = given if isinstance(given, tuple | list) else ()
    return {key: value for key, equals, value in (str(text).partition("=") for text in texts) if equals}


TYPE = NameType("type", _types, listed=True)
COLLECTION = NameType("collection", _collections, listed=True)
ELEMENT = NameType("element", _elements)
DATA_ID = NameType("dimension=value", _of_types)
DIMENSION = NameType("dimension", _dimensions)
CONDITION = NameType("column=value", _columns)
