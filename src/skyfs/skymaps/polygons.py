"""Skymaps whose tracts and patches are given corner by corner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import BadDefinition
from ..model.region import polygon
from .definition import Patch, Summary, Tract, hash_of
from .reading import Settings


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


def polygons_of(settings: Settings) -> Polygons:
    """Read a configuration of the kind ``polygons``."""
    tracts = [_tract(one) for one in settings.children("tracts")]
    if not tracts:
        raise BadDefinition(settings.origin, "'tracts' is empty", "list one tract or more")
    _require_distinct(settings.origin, "tract", [tract.id for tract in tracts])
    return Polygons(settings.text("name"), settings.plain(), tracts)


def _tract(settings: Settings) -> Tract:
    settings.only("id", "vertices", "patches")
    patches = [_patch(one) for one in settings.children("patches", default=())]
    _require_distinct(settings.origin, "patch", [patch.id for patch in patches])
    return Tract(settings.count("id", least=0), _region(settings), patches)


def _patch(settings: Settings) -> Patch:
    settings.only("id", "cell_x", "cell_y", "vertices")
    number, x, y = (settings.count(name, least=0) for name in ("id", "cell_x", "cell_y"))
    return Patch(number, x, y, _region(settings))


def _region(settings: Settings) -> bytes:
    vertices = settings.pairs("vertices")
    try:
        return polygon(vertices)
    except ValueError as error:
        raise BadDefinition(settings.origin, f"'vertices': {error}") from None


def _require_distinct(origin: str, what: str, numbers: Sequence[int]) -> None:
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise BadDefinition(origin, f"{what} {twice[0]} is listed twice", "give every one its own id")
