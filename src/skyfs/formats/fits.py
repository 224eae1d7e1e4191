"""FITS: images, tables and any mixture, plain, gzipped, bzip2ed or tile-compressed."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument
from skyfs.model.selectors import Selector

from .fits_layout import check_layout
from .guards import Tolerance, reading, require_class, writing
from .headers import main_header
from .unpacking import bunzip2, gunzip


class Fits(Format):
    """FITS files as they are.

    Writer options: ``compression`` (``RICE_1``, ``GZIP_1``, ``GZIP_2``, ``PLIO_1``, ``HCOMPRESS_1``, or
    ``none``), ``tile_shape`` (numpy order), ``quantize_level``, ``quantize_method``, ``dither_seed``,
    ``hcomp_scale``, ``hcomp_smooth``, ``checksum``. Compression is lossless unless a ``quantize_level`` or
    ``hcomp_scale`` other than 0 is given.
    """

    extensions: tuple[str, ...] = (".fits", ".fit")
    storage_classes: tuple[str, ...] = (
        "Hdus",
        "Image",
        "Table",
        "Array",
        "Exposure",
        "Mask",
        "Header",
        "Wcs",
    )

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as HDUList or Exposure, or the first image or table as CCDData, Table or array.

        Images are in native byte order.
        """
        from .fits_read import READERS

        require_class("FITS", storage_class, tuple(READERS))
        plain = self._plain(source)
        check_layout(plain)
        with Tolerance(), reading("FITS"):
            return READERS[storage_class](plain)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an HDUList, CCDData, Table, array, Exposure, Mask, Header or WCS."""
        from .fits_write import parse_options, write_hdus

        chosen = parse_options(options)
        with Tolerance(), writing("FITS"):
            write_hdus(value, file, chosen)

    def check(self, source: ByteSource) -> None:
        """Check that every HDU is complete; reads headers only, of compressed files everything."""
        check_layout(self._plain(source))

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the primary header, merged with the first extension's when the primary has no data."""
        with Tolerance(), reading("FITS"):
            return main_header(self._plain(source))

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write the selected HDU, section, sky region, columns or rows as an uncompressed FITS file."""
        from .fits_cut import cut

        with Tolerance(), reading("FITS"):
            cut(self._plain(source), selectors, file)

    def read_slices(self, source: ByteSource, storage_class: str, slices: object) -> object:
        """Read a part of what `read` gives as Image or Array."""
        from .fits_slices import READERS

        reader = READERS.get(storage_class)
        if reader is None:
            todo = f"read it as {' or '.join(READERS)}"
            raise BadArgument(f"slices of {storage_class}", "only one image can be sliced", todo)
        with Tolerance(), reading("FITS"):
            return reader(self._plain(source), slices)

    def read_component(self, source: ByteSource, storage_class: str, component: str) -> object:
        """Read one component of an Exposure: headers, and its own HDUs; of other classes, of the whole."""
        if storage_class != "Exposure":
            return getattr(self.read(source, storage_class), component, None)
        from .exposure_fits import ExposureFile

        with Tolerance(), reading("FITS"):
            return ExposureFile(self._plain(source)).component(component)

    def _plain(self, source: ByteSource) -> ByteSource:
        """Give the uncompressed file."""
        return source


class PackedFits(Fits):
    """Tile-compressed FITS (fpack's ``.fits.fz``): as FITS, but images are compressed unless told otherwise.

    Integers are compressed by RICE_1, floating point by GZIP_2, both without loss.
    """

    extensions = (".fits.fz",)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write with images compressed."""
        super().write(value, file, {"compression": "auto", **options})


class GzipFits(Fits):
    """Gzipped FITS; option ``level`` is 0 to 9 (default 6). The same data always give the same bytes."""

    extensions = (".fits.gz",)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write and compress."""
        level, rest = _level(options, 6, 0)
        plain = io.BytesIO()
        super().write(value, plain, rest)
        # No file name and no time in the gzip header: bytes depend on the content alone.
        with gzip.GzipFile("", "wb", level, file, mtime=0) as packed:
            packed.write(plain.getvalue())

    def _plain(self, source: ByteSource) -> ByteSource:
        return gunzip(source)


class Bzip2Fits(Fits):
    """FITS in bzip2; option ``level`` is 1 to 9 (default 9)."""

    extensions = (".fits.bz2",)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write and compress."""
        level, rest = _level(options, 9, 1)
        plain = io.BytesIO()
        super().write(value, plain, rest)
        file.write(bz2.compress(plain.getvalue(), level))

    def _plain(self, source: ByteSource) -> ByteSource:
        return bunzip2(source)


def _level(options: Mapping[str, object], default: int, least: int) -> tuple[int, dict[str, object]]:
    """Take ``level`` out of the options."""
    rest = dict(options)
    level = rest.pop("level", default)
    if not isinstance(level, int) or not least <= level <= 9:
        raise BadArgument(f"option level={level!r}", todo=f"give an integer from {least} to 9")
    return level, rest
