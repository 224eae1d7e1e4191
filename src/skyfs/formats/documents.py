"""Documents, JSON and YAML alike: a mapping or a list of plain values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .guards import reading, require_class
from .text import decode_text


class Document(Format):
    """A text that is a mapping or a list; who inherits parses and writes it.

    Attributes
    ----------
    name
        As people call the format.
    """

    storage_classes = ("Dict", "List")
    name: ClassVar[str]

    @abstractmethod
    def parse(self, text: str) -> object:
        """Give the value of a text; whatever is raised says that it is damaged."""

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as dict or list."""
        require_class(self.name, storage_class, self.storage_classes)
        found = self.value(source)
        if not isinstance(found, dict if storage_class == "Dict" else list):
            asked = f"cannot read this {self.name} as {storage_class}"
            kind = f"the document is a {type(found).__name__}"
            raise BadContent(asked, kind, "the storage classes are Dict and List")
        return found

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the mapping itself."""
        found = self.read(source, "Dict")
        return found if isinstance(found, dict) else {}

    def value(self, source: ByteSource) -> object:
        """Parse the whole."""
        text = decode_text(source.read_all(), self.name)
        with reading(self.name):
            found = self.parse(text)
        if not isinstance(found, dict | list):
            kind = f"the document is a {type(found).__name__}"
            raise BadContent(f"cannot read as {self.name}", kind, "it should be a mapping or list")
        return found
