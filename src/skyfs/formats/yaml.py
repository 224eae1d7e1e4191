"""YAML, its safe subset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.config.yamlfile import parse_yaml
from skyfs.errors import BadContent

from .guards import reading, refuse_options, require_class, writing
from .json import of_class
from .plain import plain
from .text import check_text, decode_text

# The emitter writes these plainly, and the parser takes them for line ends or drops them.
_LINE_ENDS = re.compile(r"[\x85\u2028\u2029\ufeff]")
# A document of up to this size is parsed by check (60 ms here); YAML parses a hundred times slower than JSON.
_SMALL = 1 << 16


class Yaml(Format):
    """YAML mappings and lists of plain values; tags that name Python objects are refused.

    NaN and infinities are kept. Keys must be text when written.
    """

    extensions = (".yaml", ".yml")
    storage_classes = ("Dict", "List")

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as dict or list."""
        require_class("YAML", storage_class, self.storage_classes)
        return of_class(_parse(source.read_all()), storage_class, "YAML")

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write a dict or list, keys in their order."""
        import yaml

        refuse_options("YAML", options)
        with writing("YAML"):
            document = plain(value, finite=False)
            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
            if _LINE_ENDS.search(text):
                text = yaml.safe_dump(document, sort_keys=False, allow_unicode=False)
            file.write(text.encode("utf-8"))

    def check(self, source: ByteSource) -> None:
        """Parse a document of up to 64 KiB; of larger ones, check that they are text."""
        check_text(source, "YAML")
        if source.size <= _SMALL:
            _parse(source.read_all())

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the mapping itself."""
        found = of_class(_parse(source.read_all()), "Dict", "YAML")
        return found if isinstance(found, dict) else {}


def _parse(data: bytes) -> object:
    text = decode_text(data, "YAML")
    with reading("YAML"):
        value = parse_yaml(text)
    if not isinstance(value, dict | list):
        kind = type(value).__name__
        raise BadContent("cannot read as YAML", f"the document is a {kind}", "it should be a mapping or list")
    return value
