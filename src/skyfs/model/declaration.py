"""What the YAML of a universe declares, checked and turned into values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ..errors import BadDefinition
from .element import Column, ColumnType, Element, skypix
from .quoting import shown
from .section import Section

_COLUMN_TYPES: dict[str, ColumnType] = {
    "int": "int",
    "float": "float",
    "string": "string",
    "bool": "bool",
    "hash": "bytes",
    "bytes": "bytes",
}
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
# Columns that records of spatial and temporal elements have, and the key of validity ranges in paths.
_TAKEN_COLUMNS = frozenset(("timespan", "region"))
_TAKEN_NAMES = frozenset(("valid",))


@dataclass(frozen=True, slots=True)
class Declaration:
    """The parts of a universe; elements stand after those that they require or imply."""

    name: str
    namespace: str
    version: int
    elements: Mapping[str, Element]
    path_order: tuple[str, ...]
    grouping: Mapping[str, tuple[str, ...]]


def read_declaration(mapping: object) -> Declaration:
    """Read what the YAML of a universe holds.

    Raises
    ------
    BadDefinition
        When a key is unknown, a value has the wrong type, a name is not an identifier, a requirement is
        unknown or goes in a circle, or a grouping level is not implied.
    """
    body = _Body(mapping, "universe", "name namespace version path_order grouping elements")
    allowed = "doc keys requires implies metadata spatial temporal"
    bodies = {name: _Body(raw, f"element {name!r}", allowed) for name, raw in body.named("elements").items()}
    elements = _elements(bodies)
    order = body.names("path_order")
    _check_dimensions("path_order", order, elements)
    raw_grouping = body.named("grouping")
    grouping = {name: _strings(raw, f"grouping of {name!r}") for name, raw in raw_grouping.items()}
    for name, levels in grouping.items():
        _check_dimensions(f"grouping of {name!r}", (name, *levels), elements)
        missing = [level for level in levels if level not in elements[name].implies]
        if missing:
            found = f"{name} does not imply {missing[0]}"
            raise BadDefinition(
                f"bad grouping of {name!r} by {missing[0]!r}", found, "imply it, or leave it out"
            )
    version = body.count("version") or 0
    return Declaration(
        body.text("name", "user"), body.text("namespace", "user"), version, elements, order, grouping
    )


def _check_dimensions(where: str, names: Iterable[str], elements: Mapping[str, Element]) -> None:
    seen: set[str] = set()
    for name in names:
        if name not in elements:
            raise BadDefinition(f"bad {where}", f"no such element {shown(name)}", "declare it under elements")
        if not elements[name].is_dimension:
            raise BadDefinition(f"bad {where}", f"{name!r} has no key", "name dimensions only")
        if name in seen:
            raise BadDefinition(f"bad {where}", f"{name!r} stands twice", "name it once")
        seen.add(name)


# -- elements ------------------------------------------------------------------------------------------


def _elements(bodies: Mapping[str, _Body]) -> dict[str, Element]:
    elements: dict[str, Element] = {}
    for name in _sorted(bodies):
        elements[name] = _element(name, bodies[name], elements)
    return elements


def _sorted(bodies: Mapping[str, _Body]) -> list[str]:
    """Sort elements as declared, but each after those it needs; without recursion, however long the chain."""
    needs = {name: (*body.names("requires"), *body.names("implies")) for name, body in bodies.items()}
    for name, others in needs.items():
        for other in others:
            if other not in needs:
                raise BadDefinition(
                    f"bad element {name!r}", f"no such element {shown(other)}", "declare it too"
                )
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise BadDefinition("bad universe", f"a circle: {circle}", "break the circle") from None
    done: dict[str, None] = {}
    for name in needs:
        stack = [name]
        while stack:
            waiting = next((other for other in needs[stack[-1]] if other not in done), None)
            if waiting is None:
                done[stack.pop()] = None
            else:
                stack.append(waiting)
    return list(done)


def _element(name: str, body: _Body, known: Mapping[str, Element]) -> Element:
    if not _NAME.fullmatch(name) or name in _TAKEN_NAMES or skypix(name):
        raise BadDefinition(f"bad element name {shown(name)}", "taken, or not small letters, digits and _")
    direct, implies = body.names("requires"), body.names("implies")
    _check_dimensions(body.where, direct, known)
    _check_dimensions(body.where, implies, known)
    requires = tuple(dict.fromkeys(part for other in direct for part in known[other].identity))
    keys = tuple(_column(raw, name, primary=index == 0) for index, raw in enumerate(body.entries("keys")))
    metadata = tuple(_column(raw, name, primary=False) for raw in body.entries("metadata"))
    if not keys and not requires:
        raise BadDefinition(f"bad {body.where}", "neither keys nor requires", "give it a key")
    if keys and keys[0].type not in ("int", "string"):
        raise BadDefinition(f"bad {body.where}", f"a primary key of type {keys[0].type}", "int or string")
    _check_columns(body.where, [*requires, *implies, *(column.name for column in (*keys, *metadata))])
    identity = (*requires, name) if keys else requires
    for implied in implies:
        lacking = [part for part in known[implied].requires if part not in identity and part not in implies]
        if lacking:
            found = f"it implies {implied!r}, whose {lacking[0]!r} it neither requires nor implies"
            raise BadDefinition(f"bad {body.where}", found, f"require {lacking[0]} too")
    spatial, temporal = body.flag("spatial", default=False), body.flag("temporal", default=False)
    doc = body.text("doc").strip()
    return Element(name, keys, requires, implies, metadata, spatial, temporal, None, doc)


def _check_columns(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set(_TAKEN_COLUMNS)
    for name in names:
        if name in seen:
            raise BadDefinition(f"bad {where}", f"the column {name!r} is taken", "rename it")
        seen.add(name)


def _column(raw: object, element: str, *, primary: bool) -> Column:
    body = _Body(raw, f"column of element {element!r}", "name type length nbytes nullable doc")
    name, kind = body.text("name"), body.text("type")
    if not _NAME.fullmatch(name):
        raise BadDefinition(f"bad {body.where}", f"name {shown(name)}", "small letters, digits and _")
    if kind not in _COLUMN_TYPES:
        todo = f"type is one of {', '.join(_COLUMN_TYPES)}"
        raise BadDefinition(f"bad {body.where}", f"type {shown(kind)} of {name!r}", todo)
    length, n_bytes = body.count("length"), body.count("nbytes")
    nullable = body.flag("nullable", default=True) and not primary
    return Column(
        name, _COLUMN_TYPES[kind], nullable, n_bytes if length is None else length, body.text("doc")
    )


# -- loosely typed input -------------------------------------------------------------------------------


class _Body(Section):
    """A mapping with known keys; null is absent, and so is the whole."""

    def __init__(self, raw: object, where: str, allowed: str) -> None:
        super().__init__({} if raw is None else raw, where, allowed.split())

    def text(self, key: str, default: str | None = "") -> str:
        return default or "" if self.given.get(key) in (None, "") else super().text(key)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.given.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, "true or false is wanted")
        return default if value is None else value

    def count(self, key: str) -> int | None:
        return self.integer(key) if key in self else None

    def entries(self, key: str) -> list[object]:
        return _list(self.given.get(key), f"{key} of {self.where}")

    def names(self, key: str) -> tuple[str, ...]:
        return _strings(self.given.get(key), f"{key} of {self.where}")

    def named(self, key: str) -> Mapping[str, object]:
        value = self.given.get(key)
        found = Section({} if value is None else value, key).given
        for name in found:
            if not isinstance(name, str):
                raise BadDefinition(f"bad {key}", f"{shown(name)} is no name", "quote it")
        return found


def _list(value: object, where: str) -> list[object]:
    if value is not None and not isinstance(value, list | tuple):
        raise BadDefinition(f"bad {where}", f"{type(value).__name__} {shown(value)}", "a list is wanted")
    return list(value or ())


def _strings(value: object, where: str) -> tuple[str, ...]:
    names = _list(value, where)
    for name in names:
        if not isinstance(name, str):
            raise BadDefinition(f"bad {where}", f"{shown(name)} is no name", "a list of names is wanted")
    return tuple(str(name) for name in names)
