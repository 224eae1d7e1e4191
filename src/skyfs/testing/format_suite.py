"""The conformance suite of formats: subclass it in a test file, and pytest finds the tests.

::

    class TestMine(FormatSuite):
        format = MyFormat()
        extension = ".mine"

        def examples(self):
            return [("Table", my_table), ("Array", my_array)]

        def same(self, left, right):
            return ...
"""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from skyfs.abc.format import Format, HasHeader, ReadsComponents, ReadsSlices
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent, Unsupported
from skyfs.formats import Formats
from skyfs.formats.composites import take_apart

GARBAGE = bytes(range(1, 256)) * 40


class MemorySource(ByteSource):
    """Bytes in memory, as if they lay far away: no local path, no reading after close, reads are counted."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.closed = False
        self.reads = 0
        self.bytes_read = 0

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    def read(self, start: int, stop: int) -> bytes:
        """Give bytes ``start`` to ``stop`` (exclusive)."""
        if self.closed:
            raise ValueError("the source was read after it was closed")
        data = self._data[start:stop]
        self.reads += 1
        self.bytes_read += len(data)
        return data

    def close(self) -> None:
        """Refuse all reading from now on."""
        self.closed = True


class LocalSource(MemorySource):
    """The bytes of a local file, with its path."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            super().__init__(file.read())
        self._path = path

    @property
    def local_path(self) -> str:
        """Path of the file."""
        return self._path


class FormatSuite:
    """What every format must do.

    Attributes
    ----------
    format
        The format under test.
    extension
        One of its extensions.
    options
        Writer options used throughout.
    check_sees_truncation
        Whether `check` can tell that the end is missing, wherever it is cut. Plain text formats cannot.
    any_bytes_are_good
        Whether there is no such thing as damaged content: plain bytes.
    damage_rounds
        How many damaged files are tried of each example.
    damage_seconds
        After this time of one example no more damaged files are tried: formats are differently fast.
    part_rounds
        How many parts are read of each example.
    """

    format: Format
    extension: str
    options: Mapping[str, object] = MappingProxyType({})
    check_sees_truncation = True
    any_bytes_are_good = False
    damage_rounds = 40
    damage_seconds = 1.0
    part_rounds = 25

    def examples(self) -> Iterable[tuple[str, object]]:
        """Give storage classes with objects that the format keeps exactly; at least one per class."""
        raise NotImplementedError

    def same(self, left: object, right: object) -> bool:
        """Tell whether two objects have the same type and content."""
        return type(left) is type(right) and left == right

    def cuts(self, data: bytes) -> Iterable[int]:
        """Give lengths at which a cut takes data away, not just padding or a line end."""
        size = len(data.rstrip())
        return sorted({kept for kept in (1, 10, size // 3, size // 2, size - 1) if 0 < kept < size})

    def written(self, value: object) -> bytes:
        """Give the bytes of an object."""
        file = io.BytesIO()
        self.format.write(value, file, self.options)
        assert not file.closed, "a format does not close the caller's file"
        return file.getvalue()

    def test_declares_itself(self) -> None:
        """The extension is among those declared, and every example's storage class too."""
        assert self.extension in self.format.extensions
        given = {storage_class for storage_class, _ in self.examples()}
        assert given == set(self.format.storage_classes), "every storage class needs an example"

    def test_round_trip(self) -> None:
        """What was written is read back the same, and `check` accepts it."""
        for storage_class, value in self.examples():
            data = self.written(value)
            self.format.check(MemorySource(data))
            found = self.format.read(MemorySource(data), storage_class)
            assert self.same(found, value), f"{storage_class}: {found!r} is not {value!r}"

    def test_writing_again_gives_the_same_bytes(self) -> None:
        """Writing neither changes the object nor depends on anything but it."""
        for _, value in self.examples():
            assert self.written(value) == self.written(value)

    def test_reading_twice_gives_the_same(self) -> None:
        """Changing one object that was read does not change the next: nothing is shared."""
        for storage_class, value in self.examples():
            source = MemorySource(self.written(value))
            first, second = (self.format.read(source, storage_class) for _ in range(2))
            assert self.same(first, second)
            assert first is not second or isinstance(first, str | bytes)

    def test_object_outlives_its_source(self) -> None:
        """An object owns its data."""
        for storage_class, value in self.examples():
            with MemorySource(self.written(value)) as source:
                found = self.format.read(source, storage_class)
            assert self.same(found, value)

    def test_object_outlives_its_file(self, tmp_path: object) -> None:
        """Reading from a local file gives the same, also after the file is gone."""
        path = f"{tmp_path}/file{self.extension}"
        for storage_class, value in self.examples():
            data = self.written(value)
            with open(path, "wb") as file:
                file.write(data)
            found = self.format.read(LocalSource(path), storage_class)
            with open(path, "wb") as file:
                file.write(b"\0" * len(data))
            assert self.same(found, value)

    def test_a_vanished_local_path_is_no_error(self, tmp_path: object) -> None:
        """The source still has the bytes when its local path is gone."""
        path = f"{tmp_path}/file{self.extension}"
        for storage_class, value in self.examples():
            with open(path, "wb") as file:
                file.write(self.written(value))
            source = LocalSource(path)
            os.remove(path)
            assert self.same(self.format.read(source, storage_class), value)

    def test_truncation_is_seen(self) -> None:
        """Half a file is never taken for a whole one."""
        if self.any_bytes_are_good:
            return
        for storage_class, value in self.examples():
            data = self.written(value)
            for kept in self.cuts(data):
                self._expect_bad(data[:kept], storage_class)

    def test_empty_file_is_bad(self) -> None:
        """An empty file holds no dataset."""
        if not self.any_bytes_are_good:
            self._expect_bad(b"", next(iter(self.examples()))[0])

    def test_garbage_is_bad(self) -> None:
        """Bytes of no format are refused, by every storage class."""
        if self.any_bytes_are_good:
            return
        with pytest.raises(BadContent):
            self.format.check(MemorySource(GARBAGE))
        for storage_class in self.format.storage_classes:
            with pytest.raises(BadContent):
                self.format.read(MemorySource(GARBAGE), storage_class)

    def test_damage_gives_the_object_or_bad_content(self) -> None:
        """A damaged byte anywhere gives no other error than BadContent."""
        for storage_class, value in self.examples():
            data = self.written(value)
            for place in range(0, len(data), max(len(data) // 40, 1)):
                damaged = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
                self._read_or_bad(damaged, storage_class)

    def test_random_damage_gives_the_object_or_bad_content(self) -> None:
        """Bytes turned, runs of bytes overwritten, parts cut out: no other error than BadContent, no hang."""
        if self.any_bytes_are_good:
            return
        rng = random.Random(self.extension)  # noqa: S311 - the same damage in every run
        for storage_class, value in self.examples():
            data = self.written(value)
            deadline = time.monotonic() + self.damage_seconds
            for _ in range(self.damage_rounds):
                self._read_or_bad(_damaged(data, rng), storage_class)
                if time.monotonic() > deadline:
                    break

    def test_cut_anywhere_gives_the_object_or_bad_content(self) -> None:
        """A file cut at any place gives no other error than BadContent, from `check` as from `read`."""
        rng = random.Random(self.extension)  # noqa: S311 - the same cuts in every run
        for storage_class, value in self.examples():
            data = self.written(value)
            for _ in range(self.damage_rounds // 2):
                self._read_or_bad(data[: rng.randrange(len(data) + 1)], storage_class)

    def test_a_part_equals_the_slice_of_the_whole(self) -> None:
        """`read_slices` gives what slicing the whole gives, of any slices that fit."""
        if not isinstance(self.format, ReadsSlices):
            return
        rng = random.Random(self.extension)  # noqa: S311 - the same slices in every run
        for storage_class, value in self.examples():
            shape = _shape(value)
            if shape is None:
                continue
            data = self.written(value)
            whole: Any = self.format.read(MemorySource(data), storage_class)
            for _ in range(self.part_rounds):
                slices = _slices(shape, rng, whole)
                part = self.format.read_slices(MemorySource(data), storage_class, slices)
                assert _same_pixels(part, whole[slices]), f"{storage_class}{slices}"
            for wrong in ("[1:2,1:2]", np.array([0]), (slice(None),) * (len(shape) + 1)):
                with pytest.raises(BadArgument):
                    self.format.read_slices(MemorySource(data), storage_class, wrong)

    def test_a_part_owns_its_data(self) -> None:
        """What `read_slices` gives can be used when its source is closed, and changed."""
        if not isinstance(self.format, ReadsSlices):
            return
        for storage_class, value in self.examples():
            shape = _shape(value)
            if shape and isinstance(value, np.ndarray):
                with MemorySource(self.written(value)) as source:
                    part: Any = self.format.read_slices(source, storage_class, np.s_[0:1])
                part[...] = part.copy()

    def test_a_component_equals_that_of_the_whole(self) -> None:
        """`read_component` gives what the whole has under that name, and None of what it has not."""
        if not isinstance(self.format, ReadsComponents):
            return
        formats = Formats.load()
        for storage_class, value in self.examples():
            data = self.written(value)
            whole = self.format.read(MemorySource(data), storage_class)
            for name in formats.storage_class(storage_class).components:
                part = self.format.read_component(MemorySource(data), storage_class, name)
                wanted = take_apart(formats.storage_class(storage_class), whole, name)
                assert (part is None) == (wanted is None), f"{storage_class}.{name}"
                assert part is None or _same_part(part, wanted), f"{storage_class}.{name}"

    def test_unknown_option_is_refused(self) -> None:
        """A misspelt option is an error, not ignored."""
        for _, value in self.examples():
            with pytest.raises(BadArgument, match="no_such_option"):
                self.format.write(value, io.BytesIO(), {"no_such_option": 1})

    def test_foreign_object_is_refused(self) -> None:
        """An object of no storage class is an error that names its type."""
        with pytest.raises(BadArgument):
            self.format.write(object(), io.BytesIO(), {})

    def test_unknown_storage_class_is_refused(self) -> None:
        """A storage class that the format cannot give is an error that lists those it can."""
        for _, value in self.examples():
            with pytest.raises(BadArgument, match=self.format.storage_classes[0]):
                self.format.read(MemorySource(self.written(value)), "NoSuchClass")

    def test_header_is_plain(self) -> None:
        """A format with headers gives text keys and plain values."""
        if not isinstance(self.format, HasHeader):
            return
        for storage_class, value in self.examples():
            try:
                header = self.format.header(MemorySource(self.written(value)))
            except (BadContent, Unsupported):
                assert storage_class == "List", "only a list has no keywords"
                continue
            assert all(isinstance(key, str) for key in header)

    def _expect_bad(self, data: bytes, storage_class: str) -> None:
        """Expect BadContent of `check`, and of `read` where the format can know."""
        if self.check_sees_truncation:
            with pytest.raises(BadContent):
                self.format.check(MemorySource(data))
            with pytest.raises(BadContent):
                self.format.read(MemorySource(data), storage_class)
        else:
            self._read_or_bad(data, storage_class)

    def _read_or_bad(self, data: bytes, storage_class: str) -> None:
        try:
            self.format.check(MemorySource(data))
            self.format.read(MemorySource(data), storage_class)
        except BadContent:
            pass


def _damaged(data: bytes, rng: random.Random) -> bytes:
    """Give bytes with a few of them changed, a run overwritten, or a part missing."""
    if not data:
        return data
    found = bytearray(data)
    place = rng.randrange(max(len(data), 1))
    match rng.randrange(3):
        case 0:
            for _ in range(rng.randrange(1, 9)):
                found[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            length = min(rng.randrange(1, 64), len(data) - place)
            found[place : place + length] = rng.randbytes(length)
        case _:
            del found[place : place + rng.randrange(1, 512)]
    return bytes(found)


def _shape(value: object) -> tuple[int, ...] | None:
    """Give the shape of what can be sliced: arrays with axes, and images."""
    if type(value).__name__ not in ("ndarray", "CCDData"):
        return None
    pixels = _pixels(value)
    return None if pixels is None else pixels.shape or None


def _slices(shape: tuple[int, ...], rng: random.Random, whole: object) -> Any:  # noqa: ANN401 - numpy's indices
    """Give indices of an array; of an image only such as keep its axes, in their order and not empty."""
    if isinstance(whole, np.ndarray):
        axes: list[Any] = [_axis(length, rng) for length in shape[: rng.randrange(len(shape) + 1)]]
        if rng.randrange(3) == 0:
            axes.append(Ellipsis)
        return axes[0] if len(axes) == 1 and rng.randrange(2) else tuple(axes)
    starts = [rng.randrange(length) for length in shape]
    return tuple(slice(a, rng.randrange(a + 1, n + 1)) for a, n in zip(starts, shape, strict=True))


def _axis(length: int, rng: random.Random) -> Any:  # noqa: ANN401 - a slice or an integer
    if length and rng.randrange(4) == 0:
        return rng.randrange(-length, length)
    start, stop = (rng.choice([None, rng.randrange(-length - 2, length + 3)]) for _ in range(2))
    return slice(start, stop, rng.choice([None, 1, 2, 3, -1, -2]))


def _same_part(left: Any, right: Any) -> bool:  # noqa: ANN401 - components are of any type
    """Tell whether two components are the same: arrays, images, uncertainties, HDUs, WCSs, headers."""
    if type(left) is not type(right):
        return False
    if hasattr(left, "uncertainty_type"):
        return left.unit == right.unit and _same_pixels(left.array, right.array)
    if hasattr(left, "all_pix2world"):
        here, there = (one.all_pix2world([[1.0, 2.0]], 0) for one in (left, right))
        return bool(np.array_equal(here, there))
    if isinstance(left, list):
        return [one.name for one in left] == [one.name for one in right] and all(
            np.array_equal(a.data, b.data) for a, b in zip(left, right, strict=True)
        )
    if _pixels(left) is not None:
        return _same_pixels(left, right)
    return bool(left == right)


def _same_pixels(left: object, right: object) -> bool:
    """Tell whether two arrays or images have the same pixels, of the same type; of images also their WCS."""
    one, other = _pixels(left), _pixels(right)
    if one is None or other is None or one.dtype != other.dtype:
        return False
    if one.shape != other.shape or not np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"):
        return False
    here, there = (getattr(image, "wcs", None) for image in (left, right))
    if here is None or there is None:
        return here is there
    corner = (0,) * one.ndim
    skies = [np.asarray(sky.pixel_to_world_values(*corner)) for sky in (here, there)]
    return bool(np.array_equal(skies[0], skies[1]))


def _pixels(value: object) -> np.ndarray | None:
    """Give the array itself or that of an image; None of anything else."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    data = getattr(value, "data", None)
    return data if isinstance(data, np.ndarray) else None
