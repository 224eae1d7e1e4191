"""HDF5 and ASDF: files of other programs, hostile ones, parts, options as their own libraries see them."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import contextlib
import io
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asdf
import h5py
import numpy as np
import pytest
from astropy import units
from astropy.nddata import CCDData
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

from skyfs.errors import BadArgument, BadContent, MissingPackage, StoreError
from skyfs.formats import Formats
from skyfs.formats.asdf import Asdf
from skyfs.formats.hdf5 import Hdf5
from skyfs.testing.format_suite import MemorySource

from .samples import dump, exposure, image, load, same_array, same_image, same_table, small_table

FORMATS = Formats.load()


def written(fill: Callable[[h5py.File], object]) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        fill(opened)
    return file.getvalue()


def read(data: bytes, storage_class: str, extension: str = ".h5") -> Any:
    return load(FORMATS, MemorySource(data), extension, storage_class)


def opened(data: bytes) -> h5py.File:
    return h5py.File(io.BytesIO(data), "r")


# ------------------------------------------------------------------------------------------ HDF5 of others


def test_a_table_as_astropy_writes_it(tmp_path: Path) -> None:
    table = small_table()
    table["holes"] = MaskedColumn([1, 2, 3], mask=[False, True, False])
    table["time"] = Time([1.0, 2.0, 3.0], format="mjd", scale="tai")
    table["length"] = np.array([1.0, 2.0, 3.0]) * units.m
    path = tmp_path / "x.h5"
    table.write(path, path="stars", serialize_meta=True)
    found = read(path.read_bytes(), "Table")
    assert same_table(found[["id", "flux", "name", "holes"]], table[["id", "flux", "name", "holes"]])
    assert np.array_equal(found["time"].mjd, [1.0, 2.0, 3.0])
    assert found["length"].unit == units.m


def test_a_table_that_astropy_reads(tmp_path: Path) -> None:
    table = QTable(small_table())
    table["holes"] = MaskedColumn([1, 2, 3], mask=[False, True, False])
    file = io.BytesIO()
    FORMATS.format(".h5").write(table, file, {"layout": "rows"})
    path = tmp_path / "x.h5"
    path.write_bytes(file.getvalue())
    found = Table.read(path, path="table")
    assert found["holes"].mask.tolist() == [False, True, False]
    assert found["flux"].unit == units.Jy
    assert same_table(
        read(file.getvalue(), "Table")[["id", "name", "holes"]], Table(table)[["id", "name", "holes"]]
    )


def test_columns_as_other_programs_see_them() -> None:
    with opened(dump(FORMATS, small_table(), ".h5", "Table")) as file:
        assert file["flux"].attrs["unit"] == "Jy"
        assert file["name"].asstr()[:].tolist() == ["a", "bb", "c c"]
        assert file["id"].dtype == np.int64


def test_times_and_quantities_come_back() -> None:
    table = QTable(
        {
            "t": Time([1.0, 2.0], format="mjd"),
            "q": [1, 2] * units.km,
            "d": np.array(["2020-01-01T00:00:00", "NaT"], "M8[ns]"),
        }
    )
    found = read(dump(FORMATS, Table(table), ".h5", "Table"), "Table")
    assert np.array_equal(found["t"].mjd, [1.0, 2.0])
    assert found["q"].unit == units.km
    assert str(found["d"][0]) == "2020-01-01T00:00:00.000000000"
    assert np.isnat(found["d"][1])


def test_plain_columns_and_records_of_other_programs() -> None:
    def columns(file: h5py.File) -> None:
        file["ra"], file["name"] = np.arange(3.0), [b"a", b"b", b"c"]
        file["ra"].attrs["unit"] = "deg"

    found = read(written(columns), "Table")
    assert found["ra"].unit == units.deg
    assert found["name"].tolist() == ["a", "b", "c"]
    records = np.array([(1, b"x"), (2, b"y")], [("a", "i4"), ("b", "S3")])
    found = read(written(lambda file: file.create_dataset("t", data=records)), "Table")
    assert found["a"].tolist() == [1, 2]
    assert found["b"].tolist() == ["x", "y"]
    nothing: tuple[Callable[[h5py.File], object], ...] = (
        lambda file: file.create_dataset("n", data=1),
        lambda file: file.create_group("g"),
        lambda file: [file.create_dataset(f"c{number}", data=np.zeros(number)) for number in (2, 3)],
    )
    for fill in nothing:
        with pytest.raises(BadContent, match="no table"):
            read(written(fill), "Table")


def test_trees_of_other_programs() -> None:
    def fill(file: h5py.File) -> None:
        group = file.create_group("g")
        group["x"] = np.arange(3)
        group["text"], group["flag"] = "long", True
        file["again"] = group["x"]
        file["soft"] = h5py.SoftLink("/g/x")
        file["near"] = h5py.SoftLink("g/x")
        file.attrs["names"] = ["a", "b"]
        file.attrs["nothing"] = h5py.Empty("f4")
        file["type"] = np.dtype("i4")

    found = read(written(fill), "Dict")
    assert found["names"] == ["a", "b"]
    assert found["nothing"] is None
    assert found["g"]["text"] == "long"
    assert found["g"]["flag"] is True
    assert all(found[name].tolist() == [0, 1, 2] for name in ("again", "soft", "near"))
    assert "type" not in found


def test_an_array_by_itself_or_by_its_name() -> None:
    assert same_array(
        read(written(lambda file: file.create_dataset("x", data=np.arange(3))), "Array"), np.arange(3)
    )
    two = written(lambda file: [file.create_dataset(name, data=np.arange(2)) for name in ("x", "y")])
    with pytest.raises(BadContent, match="x, y"):
        read(two, "Array")
    assert same_array(read(dump(FORMATS, image(), ".h5", "Image"), "Array"), image().data)
    assert same_array(read(dump(FORMATS, exposure(), ".h5", "Exposure"), "Array"), exposure().image)
    found = read(dump(FORMATS, exposure(), ".h5", "Exposure"), "Image")
    assert isinstance(found, CCDData)
    assert same_array(found.uncertainty.array, exposure().variance)


# ------------------------------------------------------------------------------------------ nothing leaves


def test_hdf5_files_that_point_at_others(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.arange(3.0)
    raw = tmp_path / "raw"
    raw.write_bytes(np.arange(3.0).tobytes())

    def external(file: h5py.File) -> None:
        file["data"] = h5py.ExternalLink(str(secret), "/data")

    def through_group(file: h5py.File) -> None:
        file["g"] = h5py.ExternalLink(str(secret), "/")
        file["data"] = h5py.SoftLink("/g/data")

    def soft_to_external(file: h5py.File) -> None:
        file.create_group("h")["x"] = h5py.ExternalLink(str(secret), "/data")
        file["data"] = h5py.SoftLink("/h/x")

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "data", (3,))
        file.create_virtual_dataset("data", layout)

    def stored_outside(file: h5py.File) -> None:
        file.create_dataset("data", (3,), "f8", external=[(str(raw), 0, 24)])

    for fill in (external, through_group, soft_to_external, virtual, stored_outside):
        data = written(fill)
        for storage_class in ("Dict", "Table", "Array", "Image", "Exposure"):
            with pytest.raises(BadContent, match=r"refused|another file"):
                read(data, storage_class)


def test_hdf5_files_that_would_never_end_or_fill_the_memory() -> None:
    def circle(file: h5py.File) -> None:
        file.create_group("a")["b"] = file["/"]

    def soft_circle(file: h5py.File) -> None:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")

    def many(file: h5py.File) -> None:
        below = file.create_group("g0")
        for number in range(1, 40):
            above = file.create_group(f"g{number}")
            above["x"], above["y"] = below, below
            below = above

    def huge(file: h5py.File) -> None:
        file.create_dataset("data", (1 << 20, 1 << 20), "f8", chunks=(1024, 1024))

    def objects(file: h5py.File) -> None:
        file.create_dataset("data", (2,), h5py.ref_dtype)

    def lists(file: h5py.File) -> None:
        file.create_dataset("data", (2,), h5py.vlen_dtype("i4"))

    for fill in (circle, soft_circle, many, huge, objects, lists):
        with pytest.raises(BadContent, match="refused"):
            read(written(fill), "Dict")


def test_a_heap_in_which_hdf5_would_go_round_for_ever() -> None:
    data = dump(FORMATS, small_table(), ".h5", "Table")
    at = data.index(b"GCOL") + 16
    while data[at : at + 2] != b"\0\0":
        at += 16 + -(-int.from_bytes(data[at + 8 : at + 16], "little") // 8) * 8
    with pytest.raises(BadContent, match="impossible entry"):
        read(data[: at + 8] + bytes(8) + data[at + 16 :], "Table")


ASDF_HEAD = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
ARRAY = "!core/ndarray-1.1.0 {source: %s, datatype: float64, byteorder: little, shape: [%s]}"

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]" for old, new in itertools.pairwise("abcdefghi")
)
OUTSIDE = "!core/externalarray-1.0.0 {fileuri: FILE, target: x, datatype: float64, shape: [3]}"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (f"data: {ARRAY % ('FILE', 3)}", "another file"),
        ("data: {$ref: 'FILE#/data'}", "refers to"),
        (f"data: {OUTSIDE}", "another file"),
        (f"data: {ARRAY % (0, 3)}", "block 0 of 0"),
        (BOMB, "aliases"),
        ("a: &a [*a]", "contains itself"),
        ("a: !!python/object/apply:os.system ['true']", None),
    ],
)  # fmt: skip
def test_asdf_trees_that_reach_out(tmp_path: Path, tree: str, message: str | None) -> None:
    other = tmp_path / "other.asdf"
    asdf.AsdfFile({"data": np.arange(3.0)}).write_to(other)
    data = (ASDF_HEAD + tree.replace("FILE", other.as_uri()) + "\n...\n").encode()
    if message is None:
        # The tag means nothing here: what it is on stays plain, or the file is refused.
        with contextlib.suppress(BadContent):
            assert read(data, "Dict", ".asdf") == {"a": ["true"]}
        return
    for storage_class in ("Dict", "Table", "Array", "Image", "Exposure"):
        with pytest.raises(BadContent, match=message):
            read(data, storage_class, ".asdf")


def test_asdf_blocks_that_claim_too_much() -> None:
    file = io.BytesIO()
    asdf.AsdfFile({"data": np.zeros(100_000)}).write_to(file, all_array_compression="zlib")
    data = file.getvalue()
    at = data.index(b"\xd3BLK") + 6 + 4 + 4 + 8 + 8
    with pytest.raises(BadContent, match="cannot be in"):
        read(data[:at] + (1 << 50).to_bytes(8, "big") + data[at + 8 :], "Dict", ".asdf")
    with pytest.raises(BadContent, match="no array of shape"):
        read(data.replace(b"shape: [100000]", b"shape: [9999999999]"), "Dict", ".asdf")
    plain = dump(FORMATS, np.arange(1000.0), ".asdf", "Array")
    at = plain.index(np.arange(1000.0).tobytes())
    with pytest.raises(BadContent, match=r"[Cc]hecksum"):
        read(plain[:at] + b"\xff" + plain[at + 1 :], "Array", ".asdf")


def test_asdf_trees_of_other_programs() -> None:
    file = io.BytesIO()
    tree = {"meta": {"time": Time("2020-01-01"), "length": 3 * units.m}, "image": np.arange(6).reshape(2, 3)}
    asdf.AsdfFile(tree).write_to(file)
    found = read(file.getvalue(), "Dict", ".asdf")
    assert found["meta"]["time"] == Time("2020-01-01")
    assert found["meta"]["length"] == 3 * units.m
    assert type(found["image"]) is np.ndarray
    assert same_array(read(file.getvalue(), "Array", ".asdf"), tree["image"])
    unknown = (
        ASDF_HEAD + "roman: !<asdf://stsci.edu/datamodels/roman/tags/wfi-1.0.0> {a: 1}\n...\n"
    ).encode()
    assert read(unknown, "Dict", ".asdf") == {"roman": {"a": 1}}
    masked = np.ma.masked_array(np.arange(6), np.arange(6) % 2 == 0)[::2]
    again = read(dump(FORMATS, {"m": masked}, ".asdf", "Dict"), "Dict", ".asdf")
    assert again["m"].mask.tolist() == [True, True, True]


# ------------------------------------------------------------------------------------------------- parts


def far_array() -> bytes:
    array = np.arange(1000 * 1000, dtype="f4").reshape(1000, 1000)
    file = io.BytesIO()
    Hdf5().write(array, file, {"chunks": [100, 100]})
    return file.getvalue()


def test_a_part_of_an_array_reads_its_chunks_only() -> None:
    source = MemorySource(far_array())
    found: Any = Hdf5().read_slices(source, "Array", np.s_[510:520, -50:])
    assert same_array(found, np.arange(1e6, dtype="f4").reshape(1000, 1000)[510:520, -50:])
    assert source.bytes_read < 600_000 < source.size


def test_columns_of_a_table_are_read_alone() -> None:
    table = Table({f"c{number}": np.full(50_000, float(number)) for number in range(10)})
    table["c3"] = MaskedColumn(table["c3"], mask=np.arange(50_000) % 2 == 0, unit="Jy")
    source = MemorySource(dump(FORMATS, table, ".h5", "Table"))
    found = Hdf5().read_columns(source, ["c7", "c3"], slice(10, 20))
    assert set(found.colnames) == {"c7", "c3"}
    assert found["c3"].mask.tolist() == [True, False] * 5
    assert found["c3"].unit == units.Jy
    assert source.bytes_read < source.size / 4
    with pytest.raises(BadArgument, match="columns are: c0"):
        Hdf5().read_columns(source, ["nope"])


@pytest.mark.parametrize("format_class", [Hdf5, Asdf])
def test_a_component_leaves_the_other_arrays_alone(format_class: type) -> None:
    from dataclasses import replace

    from skyfs.formats.exposure import Mask

    pixels = np.arange(400 * 400, dtype="f8").reshape(400, 400)
    whole = replace(
        exposure(), image=pixels, variance=pixels, mask=Mask(pixels.astype("i4"), {"BAD": 3}), psf=None
    )
    file = io.BytesIO()
    form: Any = format_class()
    form.write(whole, file, {})
    source = MemorySource(file.getvalue())
    assert form.read_component(source, "Exposure", "mask") == whole.mask
    assert form.read_component(source, "Exposure", "header") == whole.header
    assert form.read_component(source, "Exposure", "psf") is None
    assert source.bytes_read < source.size * 2 / 3


def test_what_a_store_cannot_deliver_is_no_damage() -> None:
    class Broken(MemorySource):
        def read(self, start: int, stop: int) -> bytes:
            if start > 4096:
                raise StoreError("read key", "the server is gone")
            return super().read(start, stop)

    with pytest.raises(StoreError, match="the server is gone"):
        Hdf5().read_slices(Broken(far_array()), "Array", np.s_[990:, 990:])


# ----------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"compression": "gzip", "level": 7}, ("gzip", 7, True, False)),
        ({"compression": "gzip", "shuffle": False}, ("gzip", 4, False, False)),
        ({"compression": "lzf"}, ("lzf", None, True, False)),
        ({"compression": "none", "checksum": True}, (None, None, False, True)),
    ],
)
def test_hdf5_options_are_in_the_file(options: dict[str, object], seen: tuple[object, ...]) -> None:
    formats = Formats.load({"types": {"raw": {"extension": ".h5", "options": options}}})
    with opened(dump(formats, np.zeros((50, 60)), ".h5", "Array", "raw")) as file:
        data = file["data"]
        assert (data.compression, data.compression_opts, data.shuffle, data.fletcher32) == seen
    with opened(dump(formats, small_table(), ".h5", "Table", "raw")) as file:
        assert file["flux"].compression == seen[0]
    with opened(dump(formats, exposure(), ".h5", "Exposure", "raw")) as file:
        assert file["mask"]["array"].compression == file["variance"].compression == seen[0]


def test_hdf5_chunks_are_in_the_file() -> None:
    for chunks, seen in (([10, 20], (10, 20)), ([10], (10, 60)), (1000, (50, 60)), ([10, 20, 30], (10, 20))):
        formats = Formats.load(
            {
                "storage_classes": {
                    "Array": {
                        "python_type": "numpy.ndarray",
                        "extension": ".h5",
                        "options": {"chunks": chunks},
                    }
                }
            }
        )
        with opened(dump(formats, np.zeros((50, 60)), ".h5", "Array")) as file:
            assert file["data"].chunks == seen
    with opened(dump(FORMATS, np.zeros((50, 60)), ".h5", "Array")) as file:
        assert file["data"].chunks is None


@pytest.mark.parametrize(
    ("compression", "label"), [("zlib", b"zlib"), ("bzp2", b"bzp2"), ("none", b"\0\0\0\0")]
)
def test_asdf_options_are_in_the_file(compression: str, label: bytes) -> None:
    formats = Formats.load(
        {"formats": {".asdf": {"class": "skyfs.formats.asdf.Asdf", "options": {"compression": compression}}}}
    )
    data = dump(formats, np.zeros(10_000), ".asdf", "Array")
    at = data.index(b"\xd3BLK") + 10
    assert data[at : at + 4] == label
    assert (len(data) < 10_000) == (compression != "none")


@pytest.mark.parametrize(
    ("extension", "options", "message"),
    [
        (".h5", {"compression": "szip"}, "none, gzip, lzf"), (".h5", {"level": 3}, "with compression gzip"),
        (".h5", {"compression": "gzip", "level": 10}, "0 to 9"), (".h5", {"chunks": [0]}, "lengths"),
        (".h5", {"chunks": "big"}, "lengths"), (".h5", {"shuffle": 1}, "true or false"),
        (".h5", {"layout": "rows"}, "for tables"), (".h5", {"layout": "heap"}, "columns or rows"),
        (".asdf", {"compression": "gzip"}, "none, zlib"), (".asdf", {"level": 1}, "options are: compression"),
    ],
)  # fmt: skip
def test_options_that_mean_nothing(extension: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        FORMATS.format(extension).write(np.zeros((4, 4)), io.BytesIO(), options)


@pytest.mark.parametrize("extension", [".h5", ".asdf"])
@pytest.mark.parametrize(
    "tree",
    [
        {1: 2},
        {"a": {None: 1}},
        {"a": object()},
        {"a": {1, 2}},
        {"": 1},
        {"a": 2**64},
        {"a": np.array([None])},
    ],
)
def test_trees_that_have_no_place(extension: str, tree: dict[Any, object]) -> None:
    if extension == ".asdf" and "" in tree:
        assert read(dump(FORMATS, tree, extension, "Dict"), "Dict", extension) == tree
        return
    with pytest.raises(BadArgument):
        dump(FORMATS, tree, extension, "Dict")


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {extension: dump(FORMATS, {"a": 1}, extension, "Dict") for extension in (".h5", ".asdf")}
    for package, extension in (("h5py", ".h5"), ("asdf", ".asdf")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(
            MissingPackage, match=rf"pip install skyfs\[{'hdf5' if package == 'h5py' else package}\]"
        ):
            read(data[extension], "Dict", extension)
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackage, match="lz4"):
        FORMATS.format(".asdf").write({"a": 1}, io.BytesIO(), {"compression": "lz4"})


def test_same_image_in_both() -> None:
    for extension in (".h5", ".asdf"):
        assert same_image(read(dump(FORMATS, image(), extension, "Image"), "Image", extension), image())
