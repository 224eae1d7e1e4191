"""Small pictures of datasets, made of few bytes."""

from __future__ import annotations

import math
from io import BytesIO

from ..errors import Unsupported
from ..model.dataset import Resolved
from ..reading.reader import Reader
from .pictures import Pictures, smaller

SIDE = 144
"""Pixels of a thumbnail's longer side."""
MOST_BYTES = 32 * 2**20
"""A file up to this size is read whole for its picture (0.3 s), which is kept for who opens it next."""
_MOST_SLICED = 2**30
_SLICED = ("Image", "Exposure", "Array")


class Thumbnails:
    """Gives thumbnails where they are cheap.

    Nobody has asked for a picture when a notebook shows what a variable is. So nothing is fetched from a
    store that is far away, unless the cache has it whole; of an image of more than 32 MiB only every n-th row
    and column are read; and of other large files nothing is.
    """

    def __init__(self, reader: Reader, pictures: Pictures) -> None:
        self._reader, self._pictures = reader, pictures

    def png(self, resolved: Resolved) -> bytes | None:
        """Give a thumbnail; None when it is no image.

        Raises
        ------
        Unsupported
            When there might be a picture, but it would be dear; the message says why.
        NoBytes, NotFound, StoreError, BadContent
            When no place delivers.
        """
        if not self._pictures.can(resolved):
            return None
        size = self._reader.shown(resolved).size
        self._require_near(resolved, size)
        if size <= MOST_BYTES:
            return smaller(self._pictures.png(resolved), SIDE)
        if resolved.ref.type.storage_class not in _SLICED or size > _MOST_SLICED:
            raise Unsupported("no thumbnail", f"it has {size >> 20} MiB", "see it: repo.show")
        return self._sliced(resolved, size)

    def _require_near(self, resolved: Resolved, size: int) -> None:
        for place in self._reader.places(resolved):
            _, source = self._reader.open(resolved, place.extension, place.component)
            with source:
                if source.cost.far:
                    found = f"its {max(size >> 20, 1)} MiB are in the store {place.store!r}, far away"
                    raise Unsupported("no thumbnail", found, "fetch and see it: repo.show")
            if place.component is None:
                return

    def _sliced(self, resolved: Resolved, size: int) -> bytes:
        """Make a thumbnail of every n-th row and column."""
        import numpy as np

        from ..formats.preview import write_preview

        # The side of a square image of four bytes a pixel; of what is less, more is left.
        step = max(1, math.floor(math.sqrt(size / 4) / (2 * SIDE)))
        array = self._reader.read_slices(resolved, np.s_[::step, ::step], as_="numpy")
        if not isinstance(array, np.ndarray):
            raise Unsupported("no thumbnail", f"a {type(array).__name__} is no array", "see it: repo.show")
        file = BytesIO()
        write_preview(array, file)
        return smaller(file.getvalue(), SIDE)
