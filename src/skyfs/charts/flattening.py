"""Borders on the sphere → closed paths in the plane of longitude and latitude, cut where the map is cut."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from .outlines import Floats, Outline, has_north_pole, to_degrees

_STEP_DEG = 2.0
"""Great circles are followed in steps of this: less than a pixel from them on a map of the whole sky."""
_AT_POLE = 1e-9
WHOLE = np.array([(-180.0, -90.0), (180.0, -90.0), (180.0, 90.0), (-180.0, 90.0)])
"""The whole sky in this plane."""


def flatten(outlines: Sequence[Outline], centre_deg: float) -> list[list[Floats]]:
    """Give the paths of each outline: longitudes from -180 to 180 eastwards of the centre, and latitudes.

    The inside of a region is what is in an odd number of its paths. Borders of like shape are flattened
    together: a hundred thousand one by one would take a minute.
    """
    found: list[list[Floats]] = [[] for _ in outlines]
    for number, outline in enumerate(outlines):
        if outline.is_whole_sky:
            found[number] = [subdivided(WHOLE)]
    for members, corners in _alike(outlines):
        lon, lat = to_degrees(corners)
        lon = np.degrees(np.unwrap(np.radians(lon - centre_deg), axis=1))
        lon -= 360 * np.round(lon.mean(axis=1, keepdims=True) / 360)
        easy = _is_easy(lon, lat)
        for row, number in enumerate(members):
            if easy[row] and not outlines[number].is_outside:
                found[number] = [np.stack([lon[row], lat[row]], axis=1)]
            else:
                found[number] = _cut(outlines[number], lon[row], lat[row])
    return found


def _alike(outlines: Sequence[Outline]) -> Iterator[tuple[list[int], Floats]]:
    """Group outlines by the number of their corners and the steps between these; give them subdivided."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for count, members in _by_count(outlines).items():
        corners = np.stack([outlines[number].corners for number in members])
        chords = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
        steps = np.ceil(np.degrees(2 * np.arcsin(np.clip(chords / 2, 0, 1))) / _STEP_DEG)
        for number, step in zip(members, steps, strict=True):
            groups[count, max(1, int(step))].append(number)
    for (_, steps_each), members in groups.items():
        yield members, _along(np.stack([outlines[number].corners for number in members]), steps_each)


def _by_count(outlines: Sequence[Outline]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for number, outline in enumerate(outlines):
        if not outline.is_whole_sky:
            found[len(outline.corners)].append(number)
    return found


def _along(corners: Floats, steps: int) -> Floats:
    """Put points on the great circles between neighbouring corners, (m, n, 3) → (m, n * steps, 3)."""
    if steps == 1:
        return corners
    following = np.roll(corners, -1, axis=1)
    part = (np.arange(steps) / steps)[:, None]
    angle = 2 * np.arcsin(np.clip(np.linalg.norm(following - corners, axis=2) / 2, 0, 1))[:, :, None, None]
    sine = np.where(angle > 0, np.sin(angle), 1.0)
    here = np.where(angle > 0, np.sin((1 - part) * angle) / sine, 1.0)
    there = np.sin(part * angle) / sine
    points = here * corners[:, :, None] + there * following[:, :, None]
    return np.asarray(points.reshape(len(corners), -1, 3))


def _is_easy(lon: Floats, lat: Floats) -> np.ndarray:
    """Tell which paths come back to where they began, leave the poles alone and stay on the map."""
    turned = np.abs(lon[:, -1] - lon[:, 0]) > 180
    at_pole = (np.abs(lat) > 90 - 1e-6).any(axis=1)
    wide = np.ptp(lon, axis=1) > 170
    return np.asarray(~(turned | at_pole | wide | (np.abs(lon) > 180).any(axis=1)))


def _cut(outline: Outline, lon: Floats, lat: Floats) -> list[Floats]:
    """Give the paths of a border that meets the cut of the map, goes round a pole or passes through one."""
    path, turns = _unwrapped(lon, lat)
    if turns:
        # Such a border has one pole on each side.
        pole, end = (90.0 if has_north_pole(outline.region) else -90.0), path[0, 0] + 360 * turns
        path = np.concatenate([path, [(end, path[0, 1]), (end, pole), (path[0, 0], pole)]])
    pieces = [subdivided(piece) for piece in _shifted(path)]
    if outline.is_outside and not turns:
        pieces.insert(0, subdivided(WHOLE))  # all but the inside of the path
    return pieces


def _unwrapped(lon: Floats, lat: Floats) -> tuple[Floats, int]:
    """Give a path whose longitudes go on where they pass the cut, and how often it goes round the poles.

    A pole has no longitude: it is left out. What that cuts off is less than a step.
    """
    away = np.abs(lat) < 90 - _AT_POLE
    if not away.any():
        return np.stack([lon, lat], axis=1), 0
    unwrapped = np.degrees(np.unwrap(np.radians(lon[away])))
    turns = round((unwrapped[-1] + _short(unwrapped[0] - unwrapped[-1]) - unwrapped[0]) / 360)
    return np.stack([unwrapped, lat[away]], axis=1), turns


def _short(angle: float) -> float:
    return float((angle + 180) % 360 - 180)


def _shifted(path: Floats) -> Iterator[Floats]:
    """Give the parts of a path that are on the map, whichever turn they are in."""
    first, last = math.floor((path[:, 0].min() + 180) / 360), math.floor((path[:, 0].max() + 180) / 360)
    for turn in range(first, last + 1):
        piece = _clip(_clip(path - (360 * turn, 0), 1.0), -1.0)
        if len(piece) > 2 or len(path) < 3:
            yield piece


def _clip(path: Floats, sign: float) -> Floats:
    """Keep what is west (sign 1) of the eastern edge of the map, or east (-1) of the western one."""
    inside = path[:, 0] * sign <= 180
    if inside.all():
        return path
    kept: list[Floats] = []
    for here, following, is_in, comes_in in zip(
        path, np.roll(path, -1, axis=0), inside, np.roll(inside, -1), strict=True
    ):
        if is_in:
            kept.append(here)
        if is_in != comes_in:
            part = (180 * sign - here[0]) / (following[0] - here[0])
            kept.append(here + part * (following - here))
    return np.array(kept).reshape(-1, 2)


def subdivided(path: Floats) -> Floats:
    """Put points on the long edges of a path: what is straight in this plane is curved on the map."""
    following = np.roll(path, -1, axis=0)
    steps = np.ceil(np.abs(following - path).max(axis=1) / _STEP_DEG).astype(int).clip(1)
    starts = np.repeat(path, steps, axis=0)
    ends = np.repeat(following, steps, axis=0)
    part = np.concatenate([np.arange(count) / count for count in steps])[:, None]
    return np.asarray(starts + part * (ends - starts))
