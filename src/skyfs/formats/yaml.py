"""YAML, its safe subset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .guards import reading, refuse_class, refuse_options, writing
from .json import of_class
from .plain import plain
from .text import check_text, decode_text

# The emitter writes these plainly, and the parser takes them for line ends or drops them.
_LINE_ENDS = re.compile(r"[\x85\u2028\u2029\ufeff]")
# A document of up to this size is parsed by check (60 ms here); YAML parses a hundred times slower than JSON.
_SMALL = 1 << 16
# Nesting beyond this is refused: libyaml's own recursion overflows the C stack at some ten thousand levels,
# which kills the process.
_MAX_DEPTH = 200
# What aliases may blow a document up to, in nodes; nine lines of "lol" make 10**9.
_MAX_NODES = 1_000_000


class Yaml(Format):
    """YAML mappings and lists of plain values; tags that name Python objects are refused.

    NaN and infinities are kept. Keys must be text when written.
    """

    extensions = (".yaml", ".yml")
    storage_classes = ("Dict", "List")

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as dict or list."""
        if storage_class not in self.storage_classes:
            raise refuse_class("YAML", storage_class, self.storage_classes)
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
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = decode_text(data, "YAML")
    with reading("YAML"):
        refuse_bomb(text)
        value: object = yaml.load(text, loader)  # noqa: S506 - both loaders are safe
    if not isinstance(value, dict | list):
        kind = type(value).__name__
        raise BadContent("cannot read as YAML", f"the document is a {kind}", "it should be a mapping or list")
    return value


class _Sizes:
    """How many values the nodes of a document stand for, aliases counted at full size."""

    def __init__(self) -> None:
        self._of_anchor: dict[str, int | None] = {}
        self._open: list[tuple[str | None, int]] = [(None, 0)]

    def begin(self, anchor: str | None) -> None:
        """Enter a mapping or list."""
        if len(self._open) > _MAX_DEPTH:
            raise BadContent("cannot read as YAML", f"it is nested more than {_MAX_DEPTH} deep")
        self._open.append((anchor, 1))
        if anchor is not None:
            self._of_anchor[anchor] = None

    def end(self) -> None:
        """Leave it."""
        anchor, size = self._open.pop()
        self.add(size, anchor)

    def add(self, size: int, anchor: str | None) -> None:
        """Count a finished node."""
        if anchor is not None:
            self._of_anchor[anchor] = size
        outer, sum_so_far = self._open[-1]
        self._open[-1] = outer, sum_so_far + size
        if sum_so_far + size > _MAX_NODES:
            raise BadContent("cannot read as YAML", f"its aliases stand for more than {_MAX_NODES} values")

    def repeat(self, anchor: str) -> None:
        """Count a node once more."""
        size = self._of_anchor.get(anchor, 1)
        if size is None:
            raise BadContent("cannot read as YAML", f"the node {anchor!r} contains itself")
        self.add(size, None)


def refuse_bomb(text: str) -> None:
    """Raise BadContent when nesting or aliases make the document deep, huge or endless; builds nothing."""
    import yaml

    sizes = _Sizes()
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            sizes.repeat(str(event.anchor))
        elif isinstance(event, yaml.ScalarEvent):
            sizes.add(1, event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            sizes.begin(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            sizes.end()
