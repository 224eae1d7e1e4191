"""NumPy's own array files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent
from skyfs.model.selectors import Selector

from .array_part import ArrayLayout, read_part, section_slices
from .buffer import open_whole
from .guards import reading, refuse_options, refuse_value, require_class, writing

if TYPE_CHECKING:
    import numpy as np

_HEAD = 1 << 14


class Npy(Format):
    """Arrays of any type but objects, whose files would hold pickled code."""

    extensions = (".npy",)
    storage_classes = ("Array",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as an array, in the byte order of the file."""
        require_class("NPY", storage_class, self.storage_classes)
        self.check(source)
        import numpy as np

        with reading("NPY"), open_whole(source) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    def read_slices(self, source: ByteSource, storage_class: str, slices: object) -> object:
        """Read a part of the array; of the bytes little more than it has."""
        require_class("NPY", storage_class, self.storage_classes)
        return read_part(source, self._layout(source), slices)

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write a section: pixels from 1, the last axis (x) first."""
        layout = self._layout(source)
        slices = section_slices(selectors, layout.shape, ".npy")
        self.write(read_part(source, layout, slices), file, {})

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an array."""
        refuse_options("NPY", options)
        import numpy as np

        if isinstance(value, np.ma.MaskedArray):
            raise BadArgument("a masked array", "NPY has no masks", "fill it, or write a table")
        if not isinstance(value, np.ndarray):
            raise refuse_value("NPY", value, "numpy array")
        if value.dtype.hasobject:
            raise BadArgument(
                f"an array of type {value.dtype}", "objects would have to be pickled", "use plain types"
            )
        with writing("NPY"):
            np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)

    def check(self, source: ByteSource) -> None:
        """Check the header, and that the size of the data is what it says."""
        read_header(source)

    def _layout(self, source: ByteSource) -> ArrayLayout:
        """Tell where the elements lie, by the header."""
        found = read_header(source)
        return ArrayLayout(found.start, found.shape, found.dtype, fortran=found.fortran)


@dataclass(frozen=True, slots=True)
class Header:
    """What an NPY file says of its array: shape and type, order of the axes, where the values begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int


def read_header(source: ByteSource) -> Header:
    """Read the header, and check that the size of the data is what it says.

    Raises
    ------
    BadContent
        When it is not, or the array holds pickled objects.
    """
    import numpy as np

    head = io.BytesIO(source.read(0, _HEAD))
    with reading("NPY"):
        version = np.lib.format.read_magic(head)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(head)
    if dtype.hasobject:
        raise BadContent("the NPY file is refused", "it holds pickled objects, which are code")
    expected = head.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if source.size != expected:
        raise BadContent("the NPY file is damaged", f"it should have {expected} bytes and has {source.size}")
    return Header(tuple(shape), fortran, dtype, head.tell())
