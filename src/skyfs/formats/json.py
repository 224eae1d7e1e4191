"""JSON (RFC 8259)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .documents import Document
from .guards import refuse_options, writing
from .headers import all_cards
from .plain import plain

# Documents up to this size are parsed by check; of larger ones only the two ends are looked at (10 ms here).
_SMALL = 1 << 20
_END = 4096


class Json(Document):
    """JSON objects and lists.

    Written: numpy scalars and arrays as numbers and lists, keys in their order, no NaN or infinity (JSON has
    none). Read: also NaN and Infinity, which other programs write. Option ``indent``: spaces per level
    (default 2; None puts all on one line).
    """

    name = "JSON"
    extensions = (".json",)
    exports = ("Hdus",)

    def parse(self, text: str) -> object:
        """Give the value of a text."""
        return json.loads(text)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write a dict or list."""
        refuse_options("JSON", options, ("indent",))
        indent = options.get("indent", 2)
        if not (indent is None or (isinstance(indent, int) and 0 <= indent <= 16)):
            raise BadArgument(f"option indent={indent!r}", todo="give 0 to 16, or None")
        with writing("JSON"):
            text = json.dumps(plain(value, finite=True), indent=indent, ensure_ascii=False, allow_nan=False)
            file.write(text.encode("utf-8") + b"\n")

    def export(self, value: object, file: BinaryIO) -> None:
        """Write the headers of an HDUList: a list of objects of hdu, keyword, value and comment."""
        self.write(all_cards(value), file, {"indent": 1})

    def check(self, source: ByteSource) -> None:
        """Parse a document of up to 1 MiB; of larger ones, check that the brackets at both ends match."""
        if source.size <= _SMALL:
            self.value(source)
            return
        head = source.read(0, _END).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        tail = source.read(source.size - _END, source.size).rstrip()[-1:]
        if head + tail not in (b"{}", b"[]"):
            raise BadContent("cannot read as JSON", f"it begins with {head!r} and ends with {tail!r}")
