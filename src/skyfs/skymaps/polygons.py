"""Skymaps whose tracts and patches are given corner by corner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import BadDefinition
from ..model.region import polygon
from ..model.section import Section
from .definition import Patch, Summary, Tract, hash_of


@dataclass(frozen=True, slots=True)
class Polygons:
    """Tracts and patches as they were listed."""

    name: str
    configuration: Mapping[str, object]
    listed: Sequence[Tract]

    def tracts(self) -> Sequence[Tract]:
        """Give all tracts."""
        return self.listed

    def summary(self) -> Summary:
        """Give hash and sizes."""
        patches = [patch for tract in self.listed for patch in tract.patches]
        return Summary(
            hash_of(self.configuration),
            max(tract.id for tract in self.listed) + 1,
            max((patch.cell_x + 1 for patch in patches), default=0),
            max((patch.cell_y + 1 for patch in patches), default=0),
        )


def polygons_of(settings: Section) -> Polygons:
    """Read a configuration of the kind ``polygons``."""
    tracts = [_tract(one) for one in settings.sections("tracts")]
    if not tracts:
        raise BadDefinition(settings.where, "'tracts' is empty", "list one tract or more")
    _require_distinct(settings.where, "tract", [tract.id for tract in tracts])
    return Polygons(settings.text("name"), dict(settings.given), tracts)


def _tract(settings: Section) -> Tract:
    settings.only(("id", "vertices", "patches"))
    patches = [_patch(one) for one in settings.sections("patches")]
    _require_distinct(settings.where, "patch", [patch.id for patch in patches])
    return Tract(settings.integer("id"), _region(settings), patches)


def _patch(settings: Section) -> Patch:
    settings.only(("id", "cell_x", "cell_y", "vertices"))
    number, x, y = (settings.integer(name) for name in ("id", "cell_x", "cell_y"))
    return Patch(number, x, y, _region(settings))


def _region(settings: Section) -> bytes:
    vertices = settings.pairs("vertices")
    try:
        return polygon(vertices)
    except ValueError as error:
        raise BadDefinition(settings.where, f"'vertices': {error}") from None


def _require_distinct(origin: str, what: str, numbers: Sequence[int]) -> None:
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise BadDefinition(origin, f"{what} {twice[0]} is listed twice", "give every one its own id")
