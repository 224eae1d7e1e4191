"""Whether an intersection of caps and ovals holds a point.

If it does, and is not the whole sphere, it has an edge; that runs into a crossing of two edges, or else is
the whole edge of one cap or oval. So it holds one of finitely many points: the crossings of all pairs of
edges, and any one point of each edge. Touching counts: regions are closed.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .region_pieces import Caps, Floats, Oval, Piece

_ROUNDING = 4e-15
"""Radians (1 nanoarcsecond): coordinates carry an error of some 2e-16, and crossings a few of them."""
_ON_CIRCLE = 1e-5
"""Roots this close to the unit circle are crossings; two that nearly coincide are off it by some 1e-8."""


def meet(first: Piece, second: Piece) -> bool:
    """Tell whether two pieces have a point in common."""
    both = first & second
    if not len(both.caps.chord2) and not both.ovals:
        return True
    return any(_any_inside(both, *candidates(both)) for candidates in (_crossings, _points_on_edges))


def _any_inside(piece: Piece, points: Floats, edges: tuple[NDArray[np.intp], ...]) -> bool:
    """Tell whether one of the points is in all caps and ovals.

    Points are known to be on the edges with these numbers: caps first, then ovals. Where edges cross at a
    small angle a point is less exact than what is tolerated here.
    """
    if not len(points):
        return False
    away = points[:, None, :] - piece.caps.centre[None, :, :]
    depth = piece.caps.side * (piece.caps.chord2 - np.einsum("ijk,ijk->ij", away, away))
    inside = depth >= -_ROUNDING * (np.sqrt(piece.caps.chord2) + _ROUNDING)
    if piece.ovals:
        in_ovals = [_in_oval(oval, points)[:, None] for oval in piece.ovals]
        inside = np.concatenate((inside, *in_ovals), axis=1)
    for numbers in edges:
        inside[np.arange(len(points)), numbers] = True
    return bool(inside.all(axis=1).any())


@lru_cache(maxsize=64)
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(count, 1)


def _crossings(piece: Piece) -> tuple[Floats, tuple[NDArray[np.intp], ...]]:
    """Give the points where edges of caps cross, (n, 3), and the numbers of both edges, (n,) each."""
    caps = piece.caps
    i, j = _pairs(len(caps.chord2))
    size = np.minimum(caps.chord2, 4 - caps.chord2)
    swap = size[i] > size[j]
    # From the centre of the smaller: differences of nearby positions are exact.
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    near, far = caps.centre[i], caps.centre[j]
    flip = np.where(np.einsum("ij,ij->i", near, far) < 0, -1.0, 1.0)
    far = far * flip[:, None]
    far_chord2 = np.where(flip < 0, 4 - caps.chord2[j], caps.chord2[j])
    across = 0.5 * _cross(near + far, far - near)
    sine = np.sqrt(np.einsum("ij,ij->i", across, across))
    apart = far - near
    apart2 = np.einsum("ij,ij->i", apart, apart)
    near_chord2 = caps.chord2[i]
    crossing = sine > _ROUNDING * 0.1
    sine = np.where(crossing, sine, 1.0)
    across /= sine[:, None]
    along = (apart2 * (0.5 - near_chord2 / 4) + (near_chord2 - far_chord2) / 2) / sine
    half2 = near_chord2 * (1 - near_chord2 / 4) - along**2
    # Edges that touch have one point; rounding makes it none or two.
    crossing &= half2 >= -_ROUNDING * (near_chord2 + _ROUNDING)
    half = np.sqrt(np.maximum(half2, 0.0))
    middle = near * (1 - near_chord2 / 2)[:, None] + along[:, None] * _cross(across, near)
    aside = half[:, None] * across
    points = np.concatenate(((middle + aside)[crossing], (middle - aside)[crossing]))
    return points, (np.tile(i[crossing], 2), np.tile(j[crossing], 2))


def _cross(a: Floats, b: Floats) -> Floats:
    """Give cross products, (n, 3): `numpy.cross` takes five times as long for few rows."""
    x, y, z = a.T
    u, v, w = b.T
    return np.stack((y * w - z * v, z * u - x * w, x * v - y * u), axis=1)


def _points_on_edges(piece: Piece) -> tuple[Floats, tuple[NDArray[np.intp], ...]]:
    """Give one point of every edge, and all where the edge of an oval crosses another; as `_crossings`."""
    count = len(piece.caps.chord2)
    points = [_one_on_each(piece.caps)]
    first = second = list(range(count))
    for number, oval in enumerate(piece.ovals):
        own = count + number
        groups = [(own, _on_oval(oval, np.zeros(1)))]
        groups += [(edge, _oval_meets_cap(oval, piece.caps, edge)) for edge in range(count)]
        groups += [
            (count + later, _oval_meets_oval(oval, piece.ovals[later]))
            for later in range(number + 1, len(piece.ovals))
        ]
        for edge, found in groups:
            points.append(found)
            first, second = first + [own] * len(found), second + [edge] * len(found)
    return np.concatenate(points), (np.array(first, np.intp), np.array(second, np.intp))


def _one_on_each(caps: Caps) -> Floats:
    axis = np.eye(3)[np.argmin(np.abs(caps.centre), axis=1)]
    aside = _cross(caps.centre, axis)
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    half = np.sqrt(caps.chord2 * (1 - caps.chord2 / 4))
    return caps.centre * (1 - caps.chord2 / 2)[:, None] + half[:, None] * aside


def _in_oval(oval: Oval, points: Floats) -> NDArray[np.bool_]:
    centre = oval.axes[2]
    near = np.where(points @ centre > 0.5, 1.0, 0.0)
    # As differences from the centre, small ovals keep their digits.
    x, y, z = ((points - near[:, None] * centre) @ oval.axes.T).T
    z = z + near
    depth = z * z - (x * oval.slopes[0]) ** 2 - (y * oval.slopes[1]) ** 2
    rounding = _ROUNDING * float(oval.slopes.max())
    if oval.side > 0:
        return np.asarray((z >= -_ROUNDING) & (depth >= -rounding))
    return np.asarray((z <= _ROUNDING) | (depth <= rounding))


def _on_oval(oval: Oval, angles: Floats) -> Floats:
    """Give points of an oval's edge at angles about its centre, (n, 3)."""
    own = np.stack((np.cos(angles) / oval.slopes[0], np.sin(angles) / oval.slopes[1], np.ones_like(angles)))
    points = (oval.axes.T @ own).T
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def _oval_meets_cap(oval: Oval, caps: Caps, number: int) -> Floats:
    centre, cosine = caps.centre[number], 1 - caps.chord2[number] / 2
    along = oval.axes @ centre / oval.slopes
    if abs(cosine) < _ROUNDING:
        # The two halves of the cone are one plane, and the roots of the quartic all double.
        return _on_oval(oval, _zeros(*along))
    found = _on_oval(oval, _roots(oval, np.outer(centre, centre) - cosine**2 * np.eye(3)))
    # The cone has a second half, about the antipode.
    return np.asarray(found[(found @ centre) * cosine >= -_ROUNDING])


def _zeros(cosine: float, sine: float, constant: float) -> Floats:
    """Give the angles where ``cosine cos + sine sin + constant`` is zero."""
    size = math.hypot(cosine, sine)
    if size == 0 or abs(constant) > size * (1 + _ROUNDING):
        return np.zeros(0)
    half, middle = math.acos(max(-1.0, min(1.0, -constant / size))), math.atan2(sine, cosine)
    return np.array([middle - half, middle + half])


def _oval_meets_oval(oval: Oval, other: Oval) -> Floats:
    form = other.axes.T @ np.diag(other.slopes**2 * (1.0, 1.0, -1.0)) @ other.axes
    found = _on_oval(oval, _roots(oval, form))
    return np.asarray(found[found @ other.axes[2] >= -_ROUNDING])


def _roots(oval: Oval, form: Floats) -> Floats:
    """Give the angles where the edge of an oval meets the cone of a quadratic form.

    There the form is a trigonometric polynomial of degree two, so a quartic in exp(i angle).
    """
    stretch = oval.axes.T / np.array([oval.slopes[0], oval.slopes[1], 1.0])
    (a, h, g), (_, b, f), (_, _, c) = stretch.T @ form @ stretch
    # a cos² + b sin² + c + 2 h cos sin + 2 g cos + 2 f sin
    second, first = complex(a - b, -2 * h) / 4, complex(g, -f)
    quartic = np.array([second, first, (a + b) / 2 + c, first.conjugate(), second.conjugate()])
    if not quartic.any():
        return np.zeros(0)
    roots = np.roots(quartic / np.abs(quartic).max())
    return np.asarray(np.angle(roots[np.abs(np.abs(roots) - 1) < _ON_CIRCLE]), np.float64)
