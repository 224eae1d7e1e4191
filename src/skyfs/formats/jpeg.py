"""JPEG pictures: kept as bytes; made as previews of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .buffer import Buffer
from .guards import refuse_options, refuse_value, require_class, writing
from .preview import write_preview

_START, _END = b"\xff\xd8\xff", b"\xff\xd9"


class Jpeg(Format):
    """JPEG. As PNG: datasets keep its bytes, only views of images are made one."""

    extensions = (".jpg", ".jpeg")
    storage_classes = ("Bytes",)
    exports = ("Array",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read the file as `bytes`."""
        require_class("JPEG", storage_class, self.storage_classes)
        self.check(source)
        return source.read_all()

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write the bytes of a JPEG file."""
        refuse_options("JPEG", options)
        if not isinstance(value, bytes):
            raise refuse_value("JPEG", value, "the bytes of a JPEG file")
        self.check(Buffer(value))
        file.write(value)

    def export(self, value: object, file: BinaryIO) -> None:
        """Write a preview of an array of two axes."""
        import numpy as np

        if not isinstance(value, np.ndarray):
            raise refuse_value("JPEG", value, "numpy array")
        with writing("JPEG"):
            write_preview(value, file, "JPEG")

    def check(self, source: ByteSource) -> None:
        """Check that the file begins and ends with JPEG's markers."""
        head, tail = source.read_many([(0, 3), (max(source.size - 2, 0), source.size)])
        if head != _START:
            raise BadContent("not a JPEG file", f"it begins with {head!r}")
        if tail != _END:
            raise BadContent("the JPEG file is truncated", f"its {source.size} bytes do not end with EOI")
