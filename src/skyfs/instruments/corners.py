"""Where on the sky the pixels of a raw lie, by its own WCS."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..abc.source import ByteSource
from ..errors import BadArgument, BadContent, Unsupported
from ..formats.guards import Tolerance, reading
from ..formats.wcs_cards import refuse_axes
from .hdus import Hdu, merged, read_hdus

if TYPE_CHECKING:
    from astropy.io import fits

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Padding:
    """How much is added on each side of a detector: pixels, or degrees on the sky."""

    pixels: float = 0.0
    degrees: float = 0.0


def corners_of(source: ByteSource, extension: str, padding: Padding) -> list[Point]:
    """Give the corners (ICRS right ascension and declination in degrees) of all images of a FITS file.

    They are the outer edges of the outermost pixels, moved outwards by the padding. None are given for
    images without a celestial WCS.

    Raises
    ------
    BadContent
        When the file is damaged, or its WCS gives no positions.
    """
    hdus = read_hdus(source, extension)
    images = [hdu for hdu in hdus if len(hdu.axes) > 1]
    return [point for hdu in images for point in _corners(hdus, hdu, padding)]


def _corners(hdus: Sequence[Hdu], hdu: Hdu, padding: Padding) -> list[Point]:
    import numpy as np

    with Tolerance(), reading("WCS"):
        wcs = _celestial(merged(hdus, hdu))
        if wcs is None:
            return []
        x_pad, y_pad = _pads(wcs, padding)
        width, height = hdu.axes[:2]
        x = np.array([-0.5 - x_pad, width - 0.5 + x_pad, width - 0.5 + x_pad, -0.5 - x_pad])
        y = np.array([-0.5 - y_pad, -0.5 - y_pad, height - 0.5 + y_pad, height - 0.5 + y_pad])
        sky = wcs.pixel_to_world(x, y).icrs
        ra, dec = sky.ra.deg, sky.dec.deg
    if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        raise BadContent("the WCS of a raw", "its corners have no positions", "give less padding, or none")
    return list(zip(ra.tolist(), dec.tolist(), strict=True))


def _celestial(header: fits.Header) -> Any:  # noqa: ANN401 - astropy has no types
    """Give the celestial WCS of a header; None when it has none."""
    from astropy.wcs import WCS, FITSFixedWarning

    # It remarks on each header that it mends, such as dates. The caller's Tolerance takes the filter away.
    warnings.simplefilter("ignore", FITSFixedWarning)
    refuse_axes(header)
    wcs = WCS(header)
    if not wcs.has_celestial:
        return None
    return wcs if wcs.naxis == 2 else wcs.celestial


def _pads(wcs: Any, padding: Padding) -> tuple[float, float]:  # noqa: ANN401 - the same
    """Give the padding along x and y in pixels."""
    from astropy.wcs.utils import proj_plane_pixel_scales

    if not padding.degrees:
        return padding.pixels, padding.pixels
    x_scale, y_scale = proj_plane_pixel_scales(wcs)
    return padding.degrees / float(x_scale), padding.degrees / float(y_scale)


def hull(points: Iterable[Point]) -> bytes:
    """Give the convex hull of positions as an encoded polygon.

    Raises
    ------
    BadArgument
        When they span no area, or half the sky and more.
    """
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    vectors = [UnitVector3d(LonLat.fromDegrees(ra, dec)) for ra, dec in points]
    return _encoded(ConvexPolygon, vectors)


def joint_hull(polygons: Sequence[bytes]) -> bytes:
    """Give the convex hull of encoded polygons; of one that is itself."""
    from lsst.sphgeom import ConvexPolygon

    if len(polygons) == 1:
        return polygons[0]
    vectors = []
    for one in polygons:
        polygon = ConvexPolygon.decode(one)
        if not isinstance(polygon, ConvexPolygon):
            found = f"a detector of it has a {type(polygon).__name__}"
            raise Unsupported("the region of a visit", found, "compute regions anew with replace")
        vectors += polygon.getVertices()
    return _encoded(ConvexPolygon, vectors)


def _encoded(polygon: Any, vectors: Sequence[Any]) -> bytes:  # noqa: ANN401 - classes of sphgeom
    try:
        return bytes(polygon(vectors).encode())
    except (ValueError, RuntimeError) as error:
        raise BadArgument("the region of a raw", str(error), "its WCS puts it nowhere on the sky") from None
