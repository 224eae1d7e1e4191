"""The same dataset in another format: which storage class carries it across."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol, runtime_checkable

from skyfs.abc.format import Format

# A dataset of the first class can also be looked at as these, the most faithful first.
_VIEWS = {
    "Hdus": ("Hdus", "Table", "Image", "Array"),
    "Image": ("Image", "Hdus", "Array"),
    "Exposure": ("Exposure", "Hdus", "Image", "Array"),
    "Mask": ("Mask", "Array", "Hdus"),
    "Header": ("Header", "Hdus", "Dict"),
    "Wcs": ("Wcs", "Hdus"),
    "Table": ("Table", "Hdus"),
    "Array": ("Array", "Image", "Hdus"),
}


@runtime_checkable
class Exports(Protocol):
    """A format that can show more than it can keep: a picture of an image, the text of a header.

    ``exports`` names the storage classes whose objects `export` takes. What it writes cannot be read back
    as such, so that it is for looking at only.
    """

    exports: tuple[str, ...]

    def export(self, value: object, file: BinaryIO) -> None:
        """Write the object to a seekable binary file."""


def carriers(source: Format, storage_class: str, target: Format) -> Iterator[tuple[str, bool]]:
    """Give the storage classes that lead from one format to another, and whether by export; best first."""
    views = [view for view in _VIEWS.get(storage_class, (storage_class,)) if view in source.storage_classes]
    for view in views:
        if view in target.storage_classes and view != "Bytes":
            yield view, False
    exports = target.exports if isinstance(target, Exports) else ()
    for view in views:
        if view in exports:
            yield view, True
