"""Bytes ↔ Python object, per extension."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Protocol, runtime_checkable

from skyfs.model.selectors import Selector

from .contents import Contents
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


@runtime_checkable
class ReadsSlices(Protocol):
    """A format of arrays that reads a part of one without the rest."""

    def read_slices(self, source: ByteSource, storage_class: str, slices: object) -> object:
        """Read what ``whole[slices]`` is of an array or image, reading little more than that needs.

        Parameters
        ----------
        slices
            numpy's basic indexing, as ``np.s_[y0:y1, x0:x1]``: a slice, integer, Ellipsis, or a tuple.

        Raises
        ------
        BadArgument
            When the slices do not fit the array, or are of another kind (text, arrays).
        BadContent
            When the bytes are damaged.
        """


@runtime_checkable
class Cuts(Protocol):
    """A format from whose files selectors cut parts that are files of the same format."""

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write the part that the selectors name, reading little more than it needs.

        Raises
        ------
        BadArgument
            When the selectors do not fit this file; the message says what is there.
        Unsupported
            When the format knows no such selector.
        BadContent
            When the bytes are damaged.
        """


@runtime_checkable
class ReadsComponents(Protocol):
    """A format that reads one component of a composite without the others."""

    def read_component(self, source: ByteSource, storage_class: str, component: str) -> object:
        """Read a component as the Python type that it has in the object of the storage class.

        None when this dataset has none. Raises as `Format.read`.
        """


@runtime_checkable
class ShowsContents(Protocol):
    """A format whose files are trees of smaller files; it can show files of other formats as such, too."""

    def shows(self, extension: str) -> bool:
        """Tell whether `contents` takes files of an extension as they are, without decoding them whole."""

    def contents(self, source: ByteSource, extension: str) -> Contents:
        """Find what lies inside of a file, reading little; `shows` says of which extensions.

        Raises
        ------
        BadContent
            When the bytes are damaged.
        """

    def pack(self, contents: Contents, source: ByteSource, file: BinaryIO) -> None:
        """Write all that lies inside of a file as one file of this format."""
