"""YAML, its safe subset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.config.yamlfile import parse_yaml

from .documents import Document
from .guards import refuse_options, writing
from .plain import plain
from .text import check_text

# The emitter writes these plainly, and the parser takes them for line ends or drops them.
_LINE_ENDS = re.compile(r"[\x85\u2028\u2029\ufeff]")
# A document of up to this size is parsed by check (60 ms here); YAML parses a hundred times slower than JSON.
_SMALL = 1 << 16


class Yaml(Document):
    """YAML mappings and lists of plain values; tags that name Python objects are refused.

    NaN and infinities are kept. Keys must be text when written.
    """

    name = "YAML"
    extensions = (".yaml", ".yml")

    def parse(self, text: str) -> object:
        """Give the value of a text."""
        return parse_yaml(text)

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
            self.value(source)
