"""Dimensions: the axes of identity, and the universe that declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from ..errors import BadDefinition

ColumnType = Literal["int", "float", "string", "bool", "bytes"]
_COLUMN_TYPES = {"int": "int", "float": "float", "string": "string", "bool": "bool", "hash": "bytes", "bytes": "bytes"}
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_SKYPIX = re.compile(r"(healpix|htm)(\d{1,2})")
_SKYPIX_LEVELS = {"healpix": 17, "htm": 24}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an element's records."""

    name: str
    type: ColumnType
    nullable: bool = True
    length: int | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """A dimension, or a relation between dimensions, with its records.

    Attributes
    ----------
    keys
        The columns that each identify a record by themselves, the primary one first; empty for a relation.
    requires
        All dimensions that a record's identity needs besides its own key, in dependency order.
    implies
        Dimensions whose values follow from the record.
    level
        For HTM and HEALPix pixels, the level; such an element has no records.
    """

    name: str
    keys: tuple[Column, ...] = ()
    requires: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()
    metadata: tuple[Column, ...] = ()
    spatial: bool = False
    temporal: bool = False
    level: int | None = None
    doc: str = ""

    @property
    def is_dimension(self) -> bool:
        """Whether it has a key of its own."""
        return bool(self.keys)

    @property
    def has_records(self) -> bool:
        """Whether values must be recorded before datasets may use them."""
        return self.level is None

    @property
    def key(self) -> Column:
        """The primary key column of a dimension."""
        return self.keys[0]

    @property
    def identity(self) -> tuple[str, ...]:
        """The dimensions whose values identify a record."""
        return (*self.requires, self.name) if self.is_dimension else self.requires

    @property
    def alternates(self) -> tuple[str, ...]:
        """Names of the columns that identify a record as well as the primary key does."""
        return tuple(column.name for column in self.keys[1:])

    @property
    def key_only(self) -> bool:
        """Whether a record needs nothing beyond its keys."""
        return (
            self.is_dimension
            and not self.implies
            and all(column.nullable for column in (*self.keys[1:], *self.metadata))
        )


@dataclass(frozen=True, slots=True)
class DimensionGroup:
    """A set of dimensions, closed under requirement.

    Attributes
    ----------
    required
        What identifies a dataset, in path order.
    levels
        The required dimensions and the grouping levels, in path order: the directories of a path.
    implied
        Dimensions whose values follow from records.
    grouping
        For each grouping level that is not required, the dimension whose record gives its value.
    types
        ``int`` or ``str`` for each of ``levels``.
    """

    required: tuple[str, ...]
    levels: tuple[str, ...]
    implied: tuple[str, ...]
    grouping: tuple[tuple[str, str], ...]
    types: tuple[type, ...]
    indices: tuple[int, ...]

    def __contains__(self, name: object) -> bool:
        return name in self.required




@dataclass(frozen=True, slots=True, eq=False)
class Universe:
    """All elements, and the order in which paths name dimensions."""

    name: str
    namespace: str
    version: int
    elements: Mapping[str, Element]
    path_order: tuple[str, ...]
    grouping: Mapping[str, tuple[str, ...]]
    _groups: dict[tuple[str, ...], DimensionGroup] = field(default_factory=dict, repr=False)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> Universe:
        """Read a universe from what its YAML holds.

        Raises
        ------
        BadDefinition
            When a key is unknown, a name is not an identifier, a requirement is unknown or goes in a circle.
        """
        return _UniverseReader(mapping).read()

    def element(self, name: str) -> Element:
        """Give an element by name.

        Raises
        ------
        BadDefinition
            When there is none; the message suggests the nearest names.
        """
        found = self.elements.get(name) or _skypix(name)
        if found is None:
            near = get_close_matches(name, self.elements, 3)
            todo = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(sorted(self.elements))}"
            raise BadDefinition(f"no dimension {name!r} in universe {self.name!r}", todo=todo)
        return found

    def has(self, name: str) -> bool:
        """Tell whether an element has that name."""
        return name in self.elements or _skypix(name) is not None

    def group(self, names: Iterable[str]) -> DimensionGroup:
        """Give the group of the named dimensions and of all that they require."""
        key = tuple(sorted(set(names)))
        if key not in self._groups:
            self._groups[key] = self._make_group(key)
        return self._groups[key]

    def order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Sort dimension names into path order."""
        rank = {name: index for index, name in enumerate(self.path_order)}
        return tuple(sorted(set(names), key=lambda name: (rank.get(name, len(rank)), name)))

    def implied_by(self, required: Iterable[str]) -> tuple[str, ...]:
        """Give the dimensions that records of these imply, directly or not, without these."""
        required = set(required)
        found: list[str] = []
        waiting = [name for dimension in required for name in self.element(dimension).implies]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.append(name)
                waiting += self.element(name).implies
        return self.order(name for name in found if name not in required)

    def dependency_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Sort element names so that each comes after those it requires or implies."""
        wanted = set(names)
        return tuple(name for name in self.elements if name in wanted) + tuple(
            sorted(name for name in wanted if name not in self.elements)
        )

    def _make_group(self, names: tuple[str, ...]) -> DimensionGroup:
        for name in names:
            if not self.element(name).is_dimension:
                raise BadDefinition(f"{name!r} is no dimension", "a relation between dimensions", "name its dimensions")
        required = self.order(part for name in names for part in self.element(name).identity)
        grouping = {
            level: dimension
            for dimension in required
            for level in self.grouping.get(dimension, ())
            if level not in required
        }
        levels = self.order((*required, *grouping))
        types = tuple(int if self.element(name).key.type == "int" else str for name in levels)
        indices = tuple(levels.index(name) for name in required)
        return DimensionGroup(required, levels, self.implied_by(required), tuple(grouping.items()), types, indices)


def _skypix(name: str) -> Element | None:
    match = _SKYPIX.fullmatch(name)
    if not match or int(match[2]) > _SKYPIX_LEVELS[match[1]] or match[2] != str(int(match[2])):
        return None
    return Element(name, (Column("id", "int", nullable=False),), spatial=True, level=int(match[2]))


class _UniverseReader:
    """Checks the mapping of a universe's YAML and turns it into values."""

    def __init__(self, mapping: Mapping[str, object]) -> None:
        self._mapping = _take(mapping, "universe", "name namespace version path_order grouping elements")
        self._raw = {
            str(name): _take(body or {}, f"element {name!r}", "doc keys requires implies metadata spatial temporal")
            for name, body in _map(self._mapping.get("elements"), "elements").items()
        }
        self._closed: dict[str, tuple[str, ...]] = {}

    def read(self) -> Universe:
        elements = {name: self._element(name) for name in self._sorted()}
        order = _names(self._mapping.get("path_order"), "path_order")
        grouping = {
            str(name): _names(levels, f"grouping of {name}")
            for name, levels in _map(self._mapping.get("grouping") or {}, "grouping").items()
        }
        self._check_names("path_order", order)
        for name, levels in grouping.items():
            self._check_names("grouping", (name, *levels))
            missing = [level for level in levels if level not in elements[name].implies]
            if missing:
                raise BadDefinition(f"grouping of {name!r} by {missing[0]!r}", f"{name} does not imply it")
        version = self._mapping.get("version", 0)
        if not isinstance(version, int):
            raise BadDefinition("bad universe", f"version {version!r}", "version is a whole number")
        name, namespace = str(self._mapping.get("name", "user")), str(self._mapping.get("namespace", "user"))
        return Universe(name, namespace, version, elements, order, grouping)

    def _check_names(self, where: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._raw:
                raise BadDefinition(f"{where} names {name!r}", "no such element", "declare it under elements")

    def _sorted(self) -> list[str]:
        done: list[str] = []
        for name in self._raw:
            self._visit(name, (), done)
        return done

    def _visit(self, name: str, trail: tuple[str, ...], done: list[str]) -> None:
        if name in trail:
            raise BadDefinition("bad universe", f"a circle: {' -> '.join((*trail, name))}", "break the circle")
        if name in done:
            return
        body = self._raw[name]
        below = (*_names(body.get("requires"), name), *_names(body.get("implies"), name))
        self._check_names(f"element {name!r}", below)
        for other in below:
            self._visit(other, (*trail, name), done)
        done.append(name)

    def _requires(self, name: str) -> tuple[str, ...]:
        if name not in self._closed:
            direct = _names(self._raw[name].get("requires"), name)
            closed = [part for other in direct for part in (*self._requires(other), other)]
            self._closed[name] = tuple(dict.fromkeys(closed))
        return self._closed[name]

    def _element(self, name: str) -> Element:
        body = self._raw[name]
        if not _NAME.fullmatch(name) or name == "valid" or _skypix(name):
            raise BadDefinition(f"bad element name {name!r}", "taken, or not small letters, digits and _")
        keys = tuple(_column(raw, name, index == 0) for index, raw in enumerate(_list(body.get("keys"), name)))
        if not keys and not self._requires(name):
            raise BadDefinition(f"element {name!r}", "neither keys nor requires", "give it a key")
        if keys and keys[0].type not in ("int", "string"):
            raise BadDefinition(f"element {name!r}", f"a primary key of type {keys[0].type}", "int or string")
        metadata = tuple(_column(raw, name, False) for raw in _list(body.get("metadata"), name))
        implies = _names(body.get("implies"), name)
        requires, doc = self._requires(name), str(body.get("doc", "")).strip()
        names = [*requires, *(key.name for key in keys), *implies, *(column.name for column in metadata)]
        double = {part for part in names if names.count(part) > 1 or part in ("timespan", "region")}
        if double:
            raise BadDefinition(f"element {name!r}", f"the column {double.pop()!r} is taken", "rename it")
        spatial, temporal = bool(body.get("spatial")), bool(body.get("temporal"))
        return Element(name, keys, requires, implies, metadata, spatial, temporal, None, doc)


def _column(raw: object, element: str, primary: bool) -> Column:
    body = _take(_map(raw, f"a column of {element!r}"), f"a column of {element!r}", "name type length nbytes nullable doc")
    name, kind = str(body.get("name", "")), _COLUMN_TYPES.get(str(body.get("type")))
    if not _NAME.fullmatch(name) or kind is None:
        found = f"name {name!r}, type {body.get('type')!r}"
        raise BadDefinition(f"bad column of element {element!r}", found, f"type is one of {', '.join(_COLUMN_TYPES)}")
    length = body.get("length", body.get("nbytes"))
    nullable = bool(body.get("nullable", True)) and not primary
    return Column(name, kind, nullable, length if isinstance(length, int) else None, str(body.get("doc", "")))  # type: ignore[arg-type]


def _take(mapping: object, where: str, allowed: str) -> Mapping[str, object]:
    found = _map(mapping, where)
    unknown = [str(key) for key in found if key not in allowed.split()]
    if unknown:
        raise BadDefinition(f"bad {where}", f"unknown key {unknown[0]!r}", f"known are {allowed}")
    return found


def _map(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise BadDefinition(f"bad {where}", f"{type(value).__name__} {value!r}", "a mapping is wanted")
    return value


def _list(value: object, where: str) -> list[object]:
    if value is not None and not isinstance(value, list):
        raise BadDefinition(f"bad element {where!r}", f"{value!r}", "a list is wanted")
    return value or []


def _names(value: object, where: str) -> tuple[str, ...]:
    return tuple(str(name) for name in _list(value, where))
