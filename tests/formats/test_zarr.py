"""Zarr in zip files: the conformance suite, what options do, parts, and files that would do harm."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore, ZipStore

from skyfs.errors import BadArgument, BadContent
from skyfs.formats import Formats
from skyfs.formats.zarr import Zarr
from skyfs.formats.zip_contents import read_zip
from skyfs.testing.format_suite import FormatSuite, MemorySource

VALUES = np.arange(6000, dtype="f4").reshape(60, 100)
FORMAT = Zarr()


def group() -> zarr.Group:
    """A group with attributes, a sharded array, and an array in a group inside."""
    made = zarr.create_group(MemoryStore(), attributes={"survey": "test", "nested": {"deep": [1, 2]}})
    flux = made.create_array(
        "flux",
        shape=VALUES.shape,
        chunks=(10, 20),
        shards=(20, 40),
        dtype="f4",
        fill_value=np.nan,
        dimension_names=["y", "x"],
        attributes={"unit": "Jy"},
    )
    flux[:] = VALUES
    inner = made.create_group("inner").create_array("n", shape=(7,), chunks=(3,), dtype="i8")
    inner[:5] = range(5)
    return made


def same_array(left: Any, right: Any) -> bool:
    equal = np.array_equal(left[...], right[...], equal_nan=left.dtype.kind == "f")
    return left.dtype == right.dtype and left.shape == right.shape and equal


def same_node(left: Any, right: Any) -> bool:
    """Tell whether groups or arrays have the same members, attributes and values."""
    if isinstance(right, np.ndarray):
        return isinstance(left, np.ndarray) and same_array(left, right)
    if dict(left.attrs) != dict(right.attrs):
        return False
    if isinstance(right, zarr.Array):
        return isinstance(left, zarr.Array) and same_array(left, right)
    left_members, right_members = dict(left.members()), dict(right.members())
    return left_members.keys() == right_members.keys() and all(
        same_node(left_members[name], right_members[name]) for name in right_members
    )


def written(value: object, **options: object) -> bytes:
    file = io.BytesIO()
    FORMAT.write(value, file, options)
    return file.getvalue()


class TestZarr(FormatSuite):
    format = Zarr()
    extension = ".zarr"
    same = staticmethod(same_node)

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("ZarrGroup", group()), ("Array", VALUES)]


class TestZarrZip(TestZarr):
    extension = ".zarr.zip"
    options: Mapping[str, object] = MappingProxyType({"chunks": [16, 16], "compressor": "gzip"})


# -- what is written -----------------------------------------------------------------------------------


def metadata(data: bytes, path: str) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        found: dict[str, Any] = json.loads(packed.read(path))
    return found


def test_members_lie_in_the_zip_as_they_are() -> None:
    with zipfile.ZipFile(io.BytesIO(written(group()))) as packed:
        assert {info.compress_type for info in packed.infolist()} == {zipfile.ZIP_STORED}
        assert packed.testzip() is None


def test_without_options_chunks_are_copied_as_they_are_encoded() -> None:
    store: dict[str, Any] = {}
    made = zarr.create_group(MemoryStore(store))
    made.create_array("a", data=VALUES, chunks=(30, 50), compressors=None)
    with zipfile.ZipFile(io.BytesIO(written(made))) as packed:
        assert packed.read("a/c/0/1") == store["a/c/0/1"].to_bytes()


def test_the_root_has_the_metadata_of_all() -> None:
    below = metadata(written(group()), "zarr.json")["consolidated_metadata"]["metadata"]
    assert set(below) == {"flux", "inner", "inner/n"}
    assert below["flux"]["dimension_names"] == ["y", "x"]
    assert "consolidated_metadata" not in metadata(written(group(), consolidated=False), "zarr.json")


@pytest.mark.parametrize("compressor", ["zstd", "blosc", "gzip"])
def test_compressors_are_those_asked_for(compressor: str) -> None:
    data = written(group(), compressor=compressor, level=2)
    codec = metadata(data, "inner/n/zarr.json")["codecs"][-1]
    assert codec["name"] == compressor
    assert codec["configuration"]["clevel" if compressor == "blosc" else "level"] == 2
    # Chunks and shards stay.
    array = FORMAT.read(MemorySource(data), "ZarrGroup")["flux"]  # type: ignore[index]
    assert (array.chunks, array.shards) == ((10, 20), (20, 40))


def test_no_compressor() -> None:
    codecs = metadata(written(group(), compressor="none"), "inner/n/zarr.json")["codecs"]
    assert [codec["name"] for codec in codecs] == ["bytes"]


def test_chunks_and_shards_are_those_asked_for() -> None:
    data = written(group(), chunks=[5, 25], shards=[30, 50])
    found: Any = FORMAT.read(MemorySource(data), "ZarrGroup")
    assert (found["flux"].chunks, found["flux"].shards) == ((5, 25), (30, 50))
    assert same_node(found, group())
    plain: Any = FORMAT.read(MemorySource(written(group(), chunks=[5, 25])), "ZarrGroup")
    assert plain["flux"].shards is None


@pytest.mark.parametrize(
    "options",
    [
        {"compressor": "lzma"},
        {"level": 23},
        {"compressor": "none", "level": 1},
        {"chunks": 3},
        {"chunks": [0, 1]},
        {"shards": [7, 9], "chunks": [5, 5]},
        {"consolidated": "yes"},
    ],
)
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(BadArgument):
        written(group(), **options)


def test_version_2_is_read_and_written_anew() -> None:
    made = zarr.create_group(MemoryStore(), zarr_format=2, attributes={"a": 1})
    made.create_array("a", data=VALUES, chunks=(30, 50))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for key, value in made.store_path.store._store_dict.items():  # type: ignore[attr-defined]  # noqa: SLF001
            packed.writestr(key, value.to_bytes())
    assert same_node(FORMAT.read(MemorySource(file.getvalue()), "ZarrGroup"), made)
    assert metadata(written(made), "zarr.json")["zarr_format"] == 3
    assert same_node(FORMAT.read(MemorySource(written(made)), "ZarrGroup"), made)


def test_a_file_of_zarrs_own_zip_store(tmp_path: Any) -> None:
    with ZipStore(tmp_path / "own.zip", mode="w") as store:
        zarr.create_group(store).create_array("a", data=VALUES)
    found: Any = FORMAT.read(MemorySource((tmp_path / "own.zip").read_bytes()), "ZarrGroup")
    assert np.array_equal(found["a"][...], VALUES)


def test_what_is_read_cannot_be_changed() -> None:
    found: Any = FORMAT.read(MemorySource(written(group())), "ZarrGroup")
    with pytest.raises(ValueError, match="read-only"):
        found["flux"][0] = 1


def test_arrays_become_groups_and_values(formats: Formats) -> None:
    file = io.BytesIO()
    formats.write(VALUES, file, ".zarr", "ZarrGroup")
    source = MemorySource(file.getvalue())
    found: Any = formats.read(source, ".zarr", "ZarrGroup")
    assert np.array_equal(found["data"][...], VALUES)
    assert np.array_equal(formats.read(source, ".zarr", "Array"), VALUES)  # type: ignore[arg-type]


def test_a_dataset_of_xarray_becomes_a_group(formats: Formats) -> None:
    xarray = pytest.importorskip("xarray")
    file = io.BytesIO()
    dataset = xarray.Dataset({"flux": (("y", "x"), VALUES)}, attrs={"survey": "test"})
    formats.write(dataset, file, ".zarr", "ZarrGroup")
    found: Any = formats.read(MemorySource(file.getvalue()), ".zarr", "ZarrGroup")
    assert np.array_equal(found["flux"][...], VALUES)
    assert found.attrs["survey"] == "test"


# -- parts ---------------------------------------------------------------------------------------------

_PARTS = st.tuples(
    *(
        st.one_of(
            st.integers(-size, size - 1),
            st.builds(
                slice,
                st.none() | st.integers(-size - 3, size + 3),
                st.none() | st.integers(-size - 3, size + 3),
                st.none() | st.integers(-7, 7).filter(bool),
            ),
        )
        for size in VALUES.shape
    )
)


@given(_PARTS)
@settings(max_examples=60)
def test_a_part_equals_the_part_of_the_whole(part: Any) -> None:
    for data in (PLAIN, SHARDED):
        found: Any = FORMAT.read_slices(MemorySource(data), "Array", part)
        assert np.array_equal(found, VALUES[part])
        assert np.shape(found) == VALUES[part].shape


@pytest.mark.parametrize("part", [..., 3, np.s_[..., 5], np.s_[2:4], np.s_[-1, ...], np.int64(3)])
def test_parts_may_leave_axes_out(part: Any) -> None:
    assert np.array_equal(FORMAT.read_slices(MemorySource(PLAIN), "Array", part), VALUES[part])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "part", ["1:2", [1, 2], np.array([1]), None, True, np.s_[1, 2, 3], 60, np.s_[..., ...], np.s_[::0], 1.5]
)
def test_parts_that_cannot_be(part: Any) -> None:
    with pytest.raises(BadArgument, match="slices"):
        FORMAT.read_slices(MemorySource(PLAIN), "Array", part)


@pytest.mark.parametrize("shards", [{}, {"shards": [512, 512]}])
def test_a_part_reads_the_chunks_that_it_touches(shards: dict[str, object]) -> None:
    whole = np.random.default_rng(1).integers(0, 1000, (1024, 1024)).astype("i4")
    source = MemorySource(written(whole, chunks=[64, 64], compressor="none", **shards))
    found = FORMAT.read_slices(source, "Array", np.s_[60:70, 0:64])
    assert np.array_equal(found, whole[60:70, 0:64])  # type: ignore[arg-type]
    # Two chunks; the zip's directory, metadata and of a shard its index: all of them small.
    touched = 2 * 64 * 64 * 4
    assert touched < source.bytes_read < touched + (1 << 16) + 6000
    assert source.size > 4 << 20


def test_which_array_must_be_clear() -> None:
    two = zarr.create_group(MemoryStore())
    two.create_array("a", data=VALUES)
    two.create_array("b", data=VALUES)
    with pytest.raises(BadContent, match="a, b"):
        FORMAT.read_slices(MemorySource(written(two)), "ZarrGroup", np.s_[0])
    assert np.array_equal(
        FORMAT.read_slices(MemorySource(written(group())), "ZarrGroup", np.s_[3:5]),  # type: ignore[arg-type]
        VALUES[3:5],
    )


# -- bad bytes -----------------------------------------------------------------------------------------


def packed(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        for name, data in members.items():
            opened.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()


ROOT = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}).encode()


def refused(data: bytes) -> str:
    with pytest.raises(BadContent) as caught:
        FORMAT.check(MemorySource(data))
    with pytest.raises(BadContent):
        FORMAT.read(MemorySource(data), "ZarrGroup")
    return str(caught.value)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "a\x01b", "n" * 300])
def test_names_that_lead_out_are_refused(name: str) -> None:
    assert "holds the name" in refused(packed({"zarr.json": ROOT, name: b"1"}))


def test_a_name_that_is_file_and_folder_is_refused() -> None:
    assert "'a' is a file and a folder" in refused(packed({"zarr.json": ROOT, "a": b"1", "a/b": b"1"}))


def test_of_two_members_of_one_name_the_later_counts() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("zarr.json", b"{")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("zarr.json", ROOT)
    FORMAT.check(MemorySource(file.getvalue()))


def test_compressed_members_are_read_within_bounds() -> None:
    good = packed({"zarr.json": ROOT, "a/zarr.json": b"x" * 100_000}, zipfile.ZIP_DEFLATED)
    contents = read_zip(MemorySource(good))
    assert contents.open(MemorySource(good), "a/zarr.json").read_all() == b"x" * 100_000
    assert contents.open(MemorySource(good), "a/zarr.json").read(5, 9) == b"xxxx"


def test_a_member_that_expands_to_more_than_it_says_is_refused() -> None:
    good = packed({"zarr.json": ROOT, "bomb": b"\0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    bomb = good.replace(struct.pack("<L", 10_000_000), struct.pack("<L", 1000))
    contents = read_zip(MemorySource(bomb))
    with pytest.raises(BadContent, match="does not expand to 1000 bytes"):
        contents.open(MemorySource(bomb), "bomb").read_all()


def test_a_member_that_expands_beyond_bounds_is_refused_unexpanded() -> None:
    good = packed({"zarr.json": ROOT, "bomb": b"\0" * 1000}, zipfile.ZIP_DEFLATED)
    bomb = good.replace(struct.pack("<L", 1000), struct.pack("<L", 1 << 30))
    assert "expands to 1073741824 bytes" in refused(bomb)


def test_other_compression_is_refused() -> None:
    data = packed({"zarr.json": ROOT, "a": b"1" * 1000}, zipfile.ZIP_LZMA)
    assert "without compression" in refused(data)


def test_a_huge_directory_is_refused_unread() -> None:
    class Huge(MemorySource):
        """Zeros, and at the end what says that most of them are a directory."""

        def __init__(self) -> None:
            size = (100 << 20) + 22
            end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, 90 << 20, 10 << 20, 0)
            super().__init__(end)
            self._size = size

        @property
        def size(self) -> int:
            return self._size

        def read(self, start: int, stop: int) -> bytes:
            self.bytes_read += min(stop, self._size) - start
            tail = bytes(max(min(stop, self._size) - start - 22, 0)) + self._data
            return tail if stop >= self._size else bytes(stop - start)

    source = Huge()
    with pytest.raises(BadContent, match="its directory has"):
        read_zip(source)
    assert source.bytes_read < 1 << 20


def test_a_member_beyond_the_end_is_refused() -> None:
    good = packed({"zarr.json": ROOT, "a": b"1234"})
    place = good.index(b"PK\x01\x02", good.index(b"PK\x01\x02") + 1) + 42
    assert "should lie at byte" in refused(good[:place] + struct.pack("<L", 1 << 20) + good[place + 4 :])


def test_a_wrong_checksum_is_seen() -> None:
    good = packed({"zarr.json": ROOT, "a/c/0": b"chunk-of-values"})
    bad = good.replace(b"chunk-of-values", b"chunk-of-walues")
    with pytest.raises(BadContent, match="checksum"):
        FORMAT.read(MemorySource(bad), "ZarrGroup")


def test_a_header_of_another_length_than_the_directory_says() -> None:
    # A program may write other extra fields before a member than in the directory.
    data = packed({"zarr.json": ROOT})
    start = data.index(ROOT)
    moved = data[:28] + struct.pack("<H", 5) + data[30:start] + b"extra" + data[start:]
    directory = moved.rindex(b"PK\x05\x06") + 16
    moved = moved[:directory] + struct.pack("<L", start + 5 + len(ROOT)) + moved[directory + 4 :]
    contents = read_zip(MemorySource(moved))
    assert contents.open(MemorySource(moved), "zarr.json").read_all() == ROOT
    again = read_zip(MemorySource(moved))
    assert again.open(MemorySource(moved), "zarr.json").read(2, 9) == ROOT[2:9]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"a/zarr.json": ROOT}, "zarr.json must lie at its top"),
        ({}, "its top has nothing"),
        ({"zarr.json": b"[1]"}, "no JSON object"),
        ({"zarr.json": b"{"}, "Zarr"),
        ({"zarr.json/x": ROOT}, "metadata"),
    ],
)
def test_zips_that_hold_no_zarr(members: dict[str, bytes], found: str) -> None:
    assert found in refused(packed(members))


def test_pickled_values_are_refused_unloaded() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("the pickle was loaded",)

    array = {
        "zarr_format": 2,
        "shape": [1],
        "chunks": [1],
        "dtype": "|O",
        "fill_value": None,
        "order": "C",
        "compressor": None,
        "filters": [{"id": "pickle", "protocol": 5}],
    }
    members = {".zgroup": b'{"zarr_format": 2}', "a/.zarray": json.dumps(array).encode()}
    assert "pickled" in refused(packed({**members, "a/0": pickle.dumps([Trap()])}))


PLAIN = written(VALUES, chunks=[7, 30])
SHARDED = written(VALUES, chunks=[5, 10], shards=[20, 40])
