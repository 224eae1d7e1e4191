"""Formats that installed packages offer, under the entry point group ``skyfs.formats``.

The name of an entry point is an extension without its first dot (``h5``, ``tar.gz``); its value is a class
derived from `skyfs.abc.format.Format`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from skyfs.errors import BadConfig, MissingPackage

GROUP = "skyfs.formats"


def discover() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Give extension → the entry points for it, ordered by package; nothing is imported."""
    return _discover(tuple(sys.path))


@lru_cache(maxsize=4)
def _discover(path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:  # noqa: ARG001 - the cache's key
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        # A package may be on the path twice (an editable install): the same entry counts once.
        found.setdefault("." + point.name.lstrip("."), {})[_package(point), point.value] = point
    return {extension: tuple(points[key] for key in sorted(points)) for extension, points in found.items()}


def load_entry_point(extension: str, points: tuple[EntryPoint, ...]) -> object:
    """Import what the one entry point of an extension names.

    Raises
    ------
    BadConfig
        When several packages offer the extension, or importing the class fails.
    MissingPackage
        When it needs a package that is not installed.
    """
    if len(points) > 1:
        offers = ", ".join(f"{point.value} of {_package(point)}" for point in points)
        raise BadConfig(
            f"format {extension!r}", f"several packages offer it: {offers}", "choose in formats: formats:"
        )
    (point,) = points
    try:
        return point.load()
    except ImportError as error:
        raise MissingPackage(describe(point), str(error), "install what it needs") from error
    except Exception as error:
        # Importing runs foreign code, which may fail in any way.
        raise BadConfig(
            describe(point), f"{type(error).__name__}: {error}", "update or remove the package"
        ) from error


def describe(point: EntryPoint) -> str:
    """Name an entry point, for messages."""
    return f"entry point {point.name!r} = {point.value!r} of package {_package(point)}"


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"
