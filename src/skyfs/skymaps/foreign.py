"""Skymaps of `lsst.skymap`, and all that look like them, without importing the package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import BadDefinition
from ..model.region import encode
from .definition import Patch, Skymap, Summary, Tract


class ForeignSkymap:
    """A skymap that iterates over tracts, which iterate over patches, each with an outer sky polygon."""

    def __init__(self, name: str, tracts: Iterable[Any]) -> None:
        self.name = name
        self._tracts = tracts

    def tracts(self) -> Iterator[Tract]:
        """Give all tracts."""
        for tract in self._tracts:
            yield Tract(_number(tract, "getId", "tract_id"), _region(tract), _Patches(tract))


class HashedForeignSkymap(ForeignSkymap):
    """One that knows its own hash: the one that the Rubin butler records."""

    def summary(self) -> Summary:
        """Give its own hash, and the sizes."""
        tracts: Any = self._tracts
        numbers, shapes = [0], [(0, 0)]
        for tract in tracts:
            numbers.append(_number(tract, "getId", "tract_id") + 1)
            shapes += [(patch.cell_x + 1, patch.cell_y + 1) for patch in _Patches(tract)]
        nx, ny = (max(shape[axis] for shape in shapes) for axis in (0, 1))
        return Summary(bytes(tracts.getSha1()), max(numbers), nx, ny)


def adopt(found: object, name: str | None) -> Skymap:
    """Take an object that iterates over tracts as a skymap.

    Raises
    ------
    BadDefinition
        When it is nothing of the kind, or no name is given.
    """
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | dict):
        todo = "give a configuration, or an object with a name and tracts()"
        raise BadDefinition("a skymap", f"a {type(found).__name__}", todo)
    name = name or getattr(found, "name", None)
    if not isinstance(name, str) or not name:
        raise BadDefinition("a skymap", f"the {type(found).__name__} has no name", "give name=")
    return (HashedForeignSkymap if hasattr(found, "getSha1") else ForeignSkymap)(name, found)


class _Patches:
    def __init__(self, tract: Any) -> None:  # noqa: ANN401 - of a package that need not be there
        self._tract = tract

    def __iter__(self) -> Iterator[Patch]:
        for patch in self._tract:
            x, y = _cell(patch)
            number = _number(patch, "getSequentialIndex", "sequential_index")
            yield Patch(number, x, y, _region(patch, self._tract))


def _cell(patch: Any) -> tuple[int, int]:  # noqa: ANN401 - as above
    index = _ask(patch, "index", "getIndex")
    x, y = (index.x, index.y) if hasattr(index, "x") else index
    return int(x), int(y)


def _number(asked: Any, *names: str) -> int:  # noqa: ANN401 - as above
    return int(_ask(asked, *names))


def _ask(asked: Any, *names: str) -> Any:  # noqa: ANN401 - as above
    """Give the first attribute or method of these names that there is."""
    for name in names:
        if hasattr(asked, name):
            value = getattr(asked, name)
            return value() if callable(value) else value
    raise BadDefinition(
        "a skymap", f"a {type(asked).__name__} without {names[0]}", "give what lsst.skymap has"
    )


def _region(asked: Any, tract: Any = None) -> bytes:  # noqa: ANN401 - as above
    if hasattr(asked, "outer_sky_polygon"):
        return encode(asked.outer_sky_polygon)
    try:
        return encode(_ask(asked, "getOuterSkyPolygon"))
    except TypeError:
        # Patches did not know their projection in older versions.
        return encode(asked.getOuterSkyPolygon(tract.getWcs()))
