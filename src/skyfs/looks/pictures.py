"""Pictures of datasets, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ..errors import BadArgument, Unsupported
from ..model.dataset import Resolved
from ..model.selectors import Selector
from ..reading.converter import Converter
from ..reading.opener import Opener
from ..reading.parter import Parter
from ..reading.reader import Reader

_MOST_PIXELS = 2**26
"""A few kilobytes of PNG may unpack to gigabytes: nobody has asked for these."""
_STORED = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a dataset or a part of one: a notebook shows it.

    Attributes
    ----------
    name
        What it shows.
    png
        The bytes of a PNG file.
    """

    name: str
    png: bytes

    def __repr__(self) -> str:
        return f"<Picture of {self.name}>"

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: str | Path) -> Path:
        """Write it to a ``.png`` file.

        Raises
        ------
        BadArgument
            For another extension.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise BadArgument(f"save a picture as {str(path)!r}", "it is a PNG", "end its name in .png")
        path.write_bytes(self.png)
        return path


class Pictures:
    """Makes pictures of datasets, components and parts of them."""

    def __init__(self, reader: Reader, converter: Converter, opener: Opener, parter: Parter) -> None:
        self._reader, self._converter, self._opener, self._parter = reader, converter, opener, parter

    def can(self, resolved: Resolved, component: str | None = None) -> bool:
        """Tell whether a dataset is of a kind that may have a picture; reading it shows whether it has."""
        if not resolved.locations:
            return False
        if component is None and self._reader.shown(resolved).extension in _STORED:
            return True
        return self._converter.can(resolved, component, ".png")

    def png(
        self, resolved: Resolved, component: str | None = None, selectors: Sequence[Selector] = ()
    ) -> bytes:
        """Give a picture of at most 2048 pixels on a side; a stored picture as it is.

        Raises
        ------
        Unsupported, BadArgument
            When it is no image of two axes, or the selectors do not fit it.
        NoBytes, NotFound, StoreError, BadContent
            When no place delivers.
        """
        if not self.can(resolved, component):
            kind = resolved.ref.type.storage_class
            what = resolved.ref.type.name + (f".{component}" if component else "")
            raise Unsupported(f"a picture of {what}", f"{kind} converts to none", "read it: repo.get")
        if selectors:
            with self._parter.open(resolved, component, ".png", selectors) as source:
                return source.read_all()
        extension = ".png" if component else self._reader.shown(resolved).extension
        extension = extension if extension in _STORED else ".png"
        with self._opener.open(resolved, component, extension, whole=True) as source:
            data = source.read_all()
        return data if extension == ".png" else smaller(data, None)


def smaller(data: bytes, most: int | None) -> bytes:
    """Give the PNG of a picture of any format, of at most so many pixels on a side.

    Raises
    ------
    Unsupported
        When it is none, or has more pixels than Pillow takes for harmless.
    """
    from PIL import Image, UnidentifiedImageError

    file = BytesIO()
    try:
        with Image.open(BytesIO(data)) as image:
            if most is not None:
                if image.width * image.height > _MOST_PIXELS:
                    found = f"it has {image.width} × {image.height} pixels"
                    raise Unsupported("no thumbnail", found, "see it: repo.show")
                image.thumbnail((most, most), Image.Resampling.BOX)
            image.save(file, format="PNG", optimize=True)
    except (
        UnidentifiedImageError,
        OSError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise Unsupported("a picture", str(error), "read its bytes: skyfs get") from None
    return file.getvalue()
