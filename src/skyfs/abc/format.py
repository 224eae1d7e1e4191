"""Bytes ↔ Python object, per extension."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import BinaryIO, Protocol, runtime_checkable

from .source import ByteSource


class Format(ABC):
    """One file format. Formats hold no state and are safe from several threads.

    Attributes
    ----------
    extensions
        With their leading dot, the preferred one first: ``(".fits", ".fit", ".fits.gz")``.
    storage_classes
        Names of the storage classes that `read` can give and `write` takes, the most general first.
        The first is what a new dataset type of this extension gets.
    """

    extensions: tuple[str, ...]
    storage_classes: tuple[str, ...]

    @abstractmethod
    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read the whole as an object of the storage class's Python type; it owns all its data.

        Raises
        ------
        BadContent
            When the bytes are truncated, damaged, or of another format.
        """

    @abstractmethod
    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an object of one of the storage classes' Python types to a seekable binary file.

        Raises
        ------
        BadArgument
            When the object cannot be expressed in this format, or an option is unknown.
        """

    @abstractmethod
    def check(self, source: ByteSource) -> None:
        """Raise BadContent when the bytes are visibly truncated or of another format. Reads little."""


@runtime_checkable
class HasHeader(Protocol):
    """A format whose files carry keywords."""

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the main keywords as plain values (str, int, float, bool); reads little."""
