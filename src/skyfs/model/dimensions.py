"""Dimensions: the axes of identity, and the universe that declares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import BadDefinition, nearest
from .declaration import read_declaration
from .element import Column, ColumnType, Element, skypix

__all__ = ["Column", "ColumnType", "DimensionGroup", "Element", "Universe"]


@dataclass(frozen=True, slots=True, repr=False)
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
    indices
        Where in ``levels`` each of ``required`` is.
    """

    required: tuple[str, ...]
    levels: tuple[str, ...]
    implied: tuple[str, ...]
    grouping: tuple[tuple[str, str], ...]
    types: tuple[type, ...]
    indices: tuple[int, ...]

    def __contains__(self, name: object) -> bool:
        return name in self.required

    def __repr__(self) -> str:
        return f"DimensionGroup({', '.join(self.required)})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Universe:
    """All elements, and the order in which paths name dimensions."""

    name: str
    namespace: str
    version: int
    elements: Mapping[str, Element]
    path_order: tuple[str, ...]
    grouping: Mapping[str, tuple[str, ...]]
    _groups: dict[tuple[str, ...], DimensionGroup] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Universe({self.name!r}, {self.namespace!r}, version={self.version})"

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> Universe:
        """Read a universe from what its YAML holds.

        Raises
        ------
        BadDefinition
            When a key is unknown, a value has the wrong type, a name is not an identifier, a requirement is
            unknown or goes in a circle, or a grouping level is not implied.
        """
        found = read_declaration(mapping)
        return cls(
            found.name, found.namespace, found.version, found.elements, found.path_order, found.grouping
        )

    def element(self, name: str) -> Element:
        """Give an element by name.

        Raises
        ------
        BadDefinition
            When there is none; the message suggests the nearest names.
        """
        found = self.elements.get(name) or skypix(name)
        if found is None:
            asked = f"no dimension {name!r} in universe {self.name!r}"
            raise BadDefinition(asked, todo=nearest(name, self.elements))
        return found

    def has(self, name: str) -> bool:
        """Tell whether an element has that name."""
        return name in self.elements or skypix(name) is not None

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
                raise BadDefinition(
                    f"{name!r} is no dimension", "a relation between dimensions", "name its dimensions"
                )
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
        return DimensionGroup(
            required, levels, self.implied_by(required), tuple(grouping.items()), types, indices
        )
