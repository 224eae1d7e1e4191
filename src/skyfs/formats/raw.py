"""Plain bytes: the format of leaves without an extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource

from .guards import refuse_options, refuse_value, require_class


class Raw(Format):
    """Bytes as they are; any bytes are good."""

    extensions = ("",)
    storage_classes = ("Bytes",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read all as `bytes`."""
        require_class("plain bytes", storage_class, self.storage_classes)
        return source.read_all()

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write `bytes`, or anything that has a buffer of bytes."""
        refuse_options("plain bytes", options)
        if not isinstance(value, bytes | bytearray | memoryview):
            raise refuse_value("plain bytes", value, "bytes")
        file.write(value)

    def check(self, source: ByteSource) -> None:
        """Accept everything."""
