"""Pictures, PNG and JPEG: kept as bytes; made as previews of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, ClassVar

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .buffer import Buffer
from .guards import refuse_options, refuse_value, require_class, writing


class Picture(Format):
    """A picture is no measurement: datasets keep its bytes, only views of images are made one.

    Attributes
    ----------
    name
        As people and Pillow call it.
    begin, end
        The bytes that a whole file begins and ends with.
    """

    storage_classes = ("Bytes",)
    exports = ("Array",)
    name: ClassVar[str]
    begin: ClassVar[bytes]
    end: ClassVar[bytes]

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read the file as `bytes`."""
        require_class(self.name, storage_class, self.storage_classes)
        self.check(source)
        return source.read_all()

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write the bytes of a file."""
        refuse_options(self.name, options)
        if not isinstance(value, bytes):
            raise refuse_value(self.name, value, f"the bytes of a {self.name} file")
        self.check(Buffer(value))
        file.write(value)

    def export(self, value: object, file: BinaryIO) -> None:
        """Write a preview of an array of two axes."""
        import numpy as np

        from .preview import write_preview

        if not isinstance(value, np.ndarray):
            raise refuse_value(self.name, value, "numpy array")
        with writing(self.name):
            write_preview(value, file, self.name)

    def check(self, source: ByteSource) -> None:
        """Check how the file begins and ends."""
        size = source.size
        head, tail = source.read_many([(0, len(self.begin)), (max(size - len(self.end), 0), size)])
        if head != self.begin:
            raise BadContent(f"not a {self.name} file", f"it begins with {head!r}")
        if tail != self.end:
            found = f"its {size} bytes do not end with {self.end!r}"
            raise BadContent(f"the {self.name} file is truncated", found)


class Png(Picture):
    """PNG: between its magic number and the IEND chunk."""

    extensions = (".png",)
    name, begin, end = "PNG", b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"


class Jpeg(Picture):
    """JPEG: between its markers."""

    extensions = (".jpg", ".jpeg")
    name, begin, end = "JPEG", b"\xff\xd8\xff", b"\xff\xd9"
