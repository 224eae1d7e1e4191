"""Skymaps from configurations: a mapping or a YAML file with a name, a kind and what the kind needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from ..config.yamlfile import read_yaml
from ..errors import BadConfig, BadDefinition
from ..model.section import Section
from .definition import Skymap
from .grid import GridSettings
from .healpix import Healpix
from .polygons import polygons_of
from .rings import Rings

_COMMON = ("name", "kind")
_GRID = (
    "projection",
    "pixelScale",
    "patchInnerDimensions",
    "patchBorder",
    "tractOverlap",
    "rotation",
)
_MOST_RINGS = 2_000
_FINEST_HEALPIX = 6
_MOST_PIXELS = 2**31
_MOST_PATCHES = 1_000_000
_WIDEST_DEG = 75.0
"""Corners of a square tract stay in front of the tangent plane, and patches near them have an area."""


def read_skymap(path: str | Path) -> Skymap:
    """Read a skymap from a YAML file.

    Raises
    ------
    BadDefinition
        When it is not YAML, or no configuration of a skymap.
    NotFound
        When there is no such file.
    """
    try:
        given = read_yaml(Path(path))
    except BadConfig as error:
        raise BadDefinition(error.asked, error.found, error.todo) from None
    return skymap_of(given, str(path))


def skymap_of(configuration: Mapping[str, object], origin: str = "the skymap") -> Skymap:
    """Make the skymap that a configuration describes.

    Parameters
    ----------
    configuration
        ``name``, ``kind`` (``rings``, ``healpix`` or ``polygons``) and the keys of the kind.
    origin
        What messages call it.

    Raises
    ------
    BadDefinition
        When a key is unknown or missing, or a value is of no use.
    """
    settings = Section(configuration, origin)
    known, make = _KINDS[settings.choice("kind", tuple(_KINDS))]
    settings.only((*_COMMON, *known))
    return make(settings)


def _rings(settings: Section) -> Rings:
    rings = settings.integer("numRings", least=1, most=_MOST_RINGS)
    start = float(settings.number("raStart", 0.0))
    grid = _grid(settings, 90 / (rings + 1))
    configuration = _canonical(settings, grid) | {"numRings": rings, "raStart": start}
    return Rings(settings.text("name"), configuration, grid, rings, start)


def _healpix(settings: Section) -> Healpix:
    order = settings.integer("log2NSide", most=_FINEST_HEALPIX)
    grid = _grid(settings, 60 / 2**order)
    configuration = _canonical(settings, grid) | {"log2NSide": order}
    return Healpix(settings.text("name"), configuration, grid, order)


def _grid(settings: Section, half_size_deg: float) -> GridSettings:
    settings.choice("projection", ("TAN",), "TAN")
    width, height = settings.integers("patchInnerDimensions", 2, least=1, most=_MOST_PIXELS)
    grid = GridSettings(
        float(settings.number("pixelScale", least=1e-6)),
        (width, height),
        settings.integer("patchBorder", most=_MOST_PIXELS),
        float(settings.number("tractOverlap", least=0)),
        float(settings.number("rotation", 0.0)),
    )
    reach_deg = half_size_deg + grid.tract_overlap_deg
    if reach_deg > _WIDEST_DEG:
        found = f"a tract reaches {reach_deg:g} degrees from its middle"
        raise BadDefinition(settings.where, found, "take more tracts, or less tractOverlap")
    half = math.tan(math.radians(reach_deg))
    patches = grid.count(0, half) * grid.count(1, half)
    if patches > _MOST_PATCHES:
        found = f"a tract has {patches} patches"
        raise BadDefinition(settings.where, found, "take a larger pixelScale or patchInnerDimensions")
    return grid


def _canonical(settings: Section, grid: GridSettings) -> dict[str, object]:
    """Give what tells one skymap from another, in one spelling."""
    return {
        "name": settings.text("name"),
        "kind": settings.text("kind"),
        "projection": "TAN",
        "pixelScale": grid.pixel_scale_arcsec,
        "patchInnerDimensions": list(grid.patch_inner),
        "patchBorder": grid.patch_border,
        "tractOverlap": grid.tract_overlap_deg,
        "rotation": grid.rotation_deg,
    }


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Section], Skymap]]] = {
    "rings": (("numRings", "raStart", *_GRID), _rings),
    "healpix": (("log2NSide", *_GRID), _healpix),
    "polygons": (("tracts",), polygons_of),
}
