"""PNG pictures: kept as bytes; made as previews of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .buffer import Buffer
from .guards import refuse_options, refuse_value, require_class, writing
from .preview import write_preview

_MAGIC = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"


class Png(Format):
    """PNG. A picture is no measurement: datasets keep its bytes, only views of images are made one."""

    extensions = (".png",)
    storage_classes = ("Bytes",)
    exports = ("Array",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read the file as `bytes`."""
        require_class("PNG", storage_class, self.storage_classes)
        self.check(source)
        return source.read_all()

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write the bytes of a PNG file."""
        refuse_options("PNG", options)
        if not isinstance(value, bytes):
            raise refuse_value("PNG", value, "the bytes of a PNG file")
        self.check(Buffer(value))
        file.write(value)

    def export(self, value: object, file: BinaryIO) -> None:
        """Write a preview of an array of two axes."""
        import numpy as np

        if not isinstance(value, np.ndarray):
            raise refuse_value("PNG", value, "numpy array")
        with writing("PNG"):
            write_preview(value, file)

    def check(self, source: ByteSource) -> None:
        """Check the magic number, and that the file ends with its IEND chunk."""
        head, tail = source.read_many([(0, 8), (max(source.size - 12, 0), source.size)])
        if head != _MAGIC:
            raise BadContent("not a PNG file", f"it begins with {head!r}")
        if tail != _END:
            raise BadContent("the PNG file is truncated", f"its {source.size} bytes do not end with IEND")
