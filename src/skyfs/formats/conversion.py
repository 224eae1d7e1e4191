"""Python object → another Python type, by the converters that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from skyfs.errors import BadArgument, BadConfig
from skyfs.model.quoting import shown

from .guards import writing
from .loading import load_class, load_object, refers_to

SHORT_NAMES = {
    "pandas": "pandas.DataFrame",
    "arrow": "pyarrow.Table",
    "numpy": "numpy.ndarray",
    "table": "astropy.table.Table",
}


class Converters:
    """Functions between Python types.

    Parameters
    ----------
    functions
        Target type → source type → function; all dotted names, earlier ones preferred.
    """

    def __init__(self, functions: Mapping[str, Mapping[str, str]]) -> None:
        self._edges = [(s, t, f) for t, sources in functions.items() for s, f in sources.items()]

    def convert(self, value: object, target: type) -> object:
        """Give ``value`` itself when it is a ``target``, else what one or two converters make of it.

        Raises
        ------
        BadArgument
            When no converter leads there, or the converter refuses this very value.
        """
        if isinstance(value, target):
            return value
        chain = self._chain(type(value), target)
        if chain is None:
            given, wanted = _name(type(value)), _name(target)
            accepted = ", ".join(sorted({s for s, t, _ in self._edges if refers_to(t, target)}))
            raise BadArgument(
                f"cannot make {wanted} of {given}",
                "no converter is configured",
                f"accepted are {wanted}{', ' if accepted else ''}{accepted}",
            )
        for function in chain:
            value = _apply(function, value, target)
        return value

    def leads(self, source: type, target: type) -> bool:
        """Tell whether objects of one type can become another."""
        return issubclass(source, target) or self._chain(source, target) is not None

    def _chain(self, source: type, target: type) -> tuple[str, ...] | None:
        """Find the shortest chain of functions, for the nearest base class of ``source``."""
        for base in source.__mro__[:-1]:
            for _, t, function in self._from(base):
                if refers_to(t, target):
                    return (function,)
        for base in source.__mro__[:-1]:
            for _, middle, first in self._from(base):
                for s, t, second in self._edges:
                    if s == middle and refers_to(t, target):
                        return (first, second)
        return None

    def _from(self, source: type) -> Iterator[tuple[str, str, str]]:
        return (edge for edge in self._edges if refers_to(edge[0], source))


def resolve_type(wanted: type | str) -> type:
    """Give the type that ``as_`` means: a type, a dotted name, or a short one such as ``"pandas"``.

    Raises
    ------
    BadArgument
        When it is none of these.
    MissingPackage
        When its package is not installed.
    """
    if isinstance(wanted, type):
        return wanted
    if wanted not in SHORT_NAMES and "." not in wanted:
        short = ", ".join(SHORT_NAMES)
        raise BadArgument(
            f"as_={shown(wanted)}", "not a type", f"give a type, its dotted name, or one of {short}"
        )
    try:
        return load_class(SHORT_NAMES.get(wanted, wanted), f"as_={wanted!r}")
    except BadConfig as error:
        raise BadArgument(error.asked, error.found, error.todo) from error


def _apply(function: str, value: object, target: type) -> object:
    loaded = load_object(function, f"the converter to {_name(target)}")
    if not callable(loaded):
        raise BadConfig(f"the converter to {_name(target)} names {function!r}", "it cannot be called")
    with writing(_name(target)):
        return cast("Callable[[object], object]", loaded)(value)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")
