"""Hostile files of each format: damaged, cut, of another format, bombs, and what would have code run."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table

from skyfs.formats.catalog import Formats

from .texts import damaged
from .yamls import DOCUMENTS

Hostile = tuple[str, str, bytes]
"""Name, extension and bytes."""

MARK = "pwned"
"""The file that the code in these files would make in the working directory."""

CLASSES = {
    ".fits": ("Image", "Table"),
    ".fits.fz": ("Image",),
    ".fits.gz": ("Image",),
    ".npy": ("Array",),
    ".parquet": ("Table",),
    ".json": ("Dict",),
    ".yaml": ("Dict",),
    ".csv": ("Table",),
    ".ecsv": ("Table",),
    ".vot": ("Table",),
    ".h5": ("Table", "Dict"),
    ".asdf": ("Dict", "Table"),
    ".zarr.zip": ("Array",),
    ".png": ("Image",),
}


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path(MARK),)


@cache
def sound() -> Mapping[str, bytes]:
    """Give a good file of each format."""
    pixels = np.arange(400, dtype=np.float32).reshape(20, 20)
    table = Table({"a": [1, 2, 3], "s": ["x", "y", "z"]})
    values: Mapping[str, tuple[str, object]] = {
        ".fits": ("Hdus", fits.HDUList([fits.PrimaryHDU(pixels), fits.BinTableHDU(table)])),
        ".fits.fz": ("Image", None),
        ".fits.gz": ("Hdus", fits.HDUList([fits.PrimaryHDU(pixels)])),
        ".npy": ("Array", pixels),
        ".parquet": ("Table", table),
        ".json": ("Dict", {"a": [1, {"b": None}]}),
        ".yaml": ("Dict", {"a": [1, {"b": "c"}]}),
        ".csv": ("Table", table),
        ".ecsv": ("Table", table),
        ".vot": ("Table", table),
        ".h5": ("Table", table),
        ".asdf": ("Dict", {"a": 1, "pixels": pixels}),
        ".zarr.zip": ("Array", pixels),
    }
    formats, found = Formats.load({}), {}
    for extension, (storage_class, value) in values.items():
        file = io.BytesIO()
        if value is None:
            fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(file)
        else:
            formats.write(value, file, extension, storage_class)
        found[extension] = file.getvalue()
    return found


def broken() -> Iterator[Hostile]:
    """Give files that are cut, of another format, or hold nothing but one byte."""
    for extension, data in sound().items():
        for size in (1, 7, 100, len(data) // 4):
            # A row less is a table all the same, and text may end anywhere.
            if size < len(data) and extension not in (".csv", ".yaml", ".ecsv"):
                yield f"{extension} cut to {size}", extension, data[:size]
        for byte in (b"\0", b"\xff", b"\x80"):
            yield f"{extension} of {byte!r}", extension, byte * 6000
        for other in (".npy", ".parquet", ".asdf", ".zarr.zip", ".fits.gz"):
            if other != extension:
                yield f"{other} as {extension}", extension, sound()[other]


def mutants(count: int = 25) -> Iterator[Hostile]:
    """Give files with some bytes changed; some are as good as before."""
    for seed, (extension, data) in enumerate(sound().items()):
        for number, changed in enumerate(damaged(data, count, seed)):
            yield f"{extension} with changes {number}", extension, changed


def bombs() -> Iterator[Hostile]:
    """Give what is larger than memory when it is read, endless, or would run code."""
    for made in (_fits(), _tables(), _npy(), _documents(), _xml(), _archives(), _hdf5(), _asdf(), _packed()):
        yield from made


def _card(key: str, value: object) -> bytes:
    return f"{key:8}= {value!s:>20}".ljust(80).encode()


def _header(cards: Iterable[tuple[str, object]], data: bytes = b"") -> bytes:
    text = b"".join(_card(key, value) for key, value in cards) + b"END".ljust(80)
    return text.ljust(-(-len(text) // 2880) * 2880) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


def _image(bitpix: object, axes: Iterable[object], *more: tuple[str, object]) -> bytes:
    sizes = [(f"NAXIS{number}", size) for number, size in enumerate(axes, 1)]
    cards = [("SIMPLE", "T"), ("BITPIX", bitpix), ("NAXIS", len(sizes)), *sizes, *more]
    return _header(cards, b"\0" * 400)


def _fits() -> Iterator[Hostile]:
    shapes: list[list[object]] = [
        [2**31 - 1] * 2,
        [10**12],
        [-1, 5],
        ["9" * 30],
        ["1e10"],
        ["T"],
        ["'x'"],
        [1] * 70,
        [65536] * 4,
        [2**63 - 1, 2],
        [2**62],
        [0, 10**11],
    ]
    for axes in shapes:
        for bitpix in (8, -32, 64, 7, 0, "9" * 20, "'8'"):
            yield f"NAXISn {axes[:2]} BITPIX {bitpix}", ".fits", _image(bitpix, axes)
    endless = b"".join([_card("SIMPLE", "T"), _card("BITPIX", 8), _card("NAXIS", 0), _card("K", 1) * 50_000])
    yield "a header without end", ".fits", endless
    groups = (("GROUPS", "T"), ("PCOUNT", 2**31 - 1), ("GCOUNT", 2**31 - 1))
    yield "random groups", ".fits", _image(8, [0, 10], *groups)
    yield "negative heap", ".fits", _image(8, [10, 10], ("PCOUNT", -(10**9)))


def _tables() -> Iterator[Hostile]:
    primary = _image(8, [])[:2880]
    for fields, form in (
        (10**9, "'D'"),
        (-1, "'D'"),
        (1, "'9999999999D'"),
        (1, "'Q'"),
        (1, "'PD(99999999)'"),
        (1000, "'B'"),
    ):
        for rows in (1, 10**12, -1):
            cards = [("XTENSION", "'BINTABLE'"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 8), ("NAXIS2", rows)]
            cards += [("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", fields), ("TFORM1", form)]
            yield f"TFIELDS {fields} TFORM {form} rows {rows}", ".fits", primary + _header(cards, b"\xff" * 8)
    for tile in (0, -3, 10**12):
        cards = [
            ("XTENSION", "'BINTABLE'"),
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", 8),
            ("NAXIS2", 1),
            ("PCOUNT", 0),
        ]
        cards += [
            ("GCOUNT", 1),
            ("TFIELDS", 1),
            ("TTYPE1", "'COMPRESSED_DATA'"),
            ("TFORM1", "'1PB'"),
            ("ZIMAGE", "T"),
        ]
        cards += [
            ("ZBITPIX", 8),
            ("ZNAXIS", 2),
            ("ZNAXIS1", 10**6),
            ("ZNAXIS2", 10**6),
            ("ZCMPTYPE", "'RICE_1'"),
        ]
        cards += [("ZTILE1", tile), ("ZTILE2", tile)]
        yield f"a tile of {tile}", ".fits", primary + _header(cards, struct.pack(">ii", 2**31 - 1, 2**31 - 1))


def _npy() -> Iterator[Hostile]:
    shapes = ["99999999999,", "-1,", "1," * 70, "9223372036854775807, 2", "0, 99999999999999999999", "'x',"]
    headers = [f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape})}}" for shape in shapes]
    kinds = ("|O", "|V99999999", "<U2147483647", "M8[x]", "x", "|S999999999999")
    headers += [f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (99,)}}" for kind in kinds]
    headers += [f"__import__('pathlib').Path('{MARK}').touch()", "{" * 5000, "(" * 9000, "{}", "1"]
    headers += ["{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}"]
    payload = pickle.dumps([Trap()])
    for text in headers:
        for version, size in ((b"\x01\x00", "<H"), (b"\x03\x00", "<I")):
            header = text.encode() + b"\n"
            data = b"\x93NUMPY" + version + struct.pack(size, len(header)) + header + payload
            yield f"npy {version!r} {text[:60]}", ".npy", data
    objects = io.BytesIO()
    np.save(objects, np.array([Trap()], dtype=object), allow_pickle=True)
    yield "npy with a pickle", ".npy", objects.getvalue()
    yield "a pickle as npy", ".npy", payload
    yield "a pickle as text", ".json", payload
    yield "npy with a header of 4 GiB", ".npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{"


def _documents() -> Iterator[Hostile]:
    # A document that is plain after all, or only long.
    fitting = {"a:\n " * 5000, "a: !!binary '%%'", "<<: {skyfs: 2}", "? {a: b}\n: c", '"\\ud800"'}
    for text in DOCUMENTS:
        if text not in fitting:
            yield f"yaml {text[:60]}", ".yaml", text.encode("utf-8", "surrogatepass")
    for text in (
        "[" * 100_000,
        '{"a":' * 100_000,
        "1",
        '"a"',
        "nul",
        "{'a': 1}",
        "[1,]",
        "{}{}",
        '{"a": ' + "9" * 5000 + "}",
    ):
        yield f"json {text[:60]}", ".json", text.encode()
    ecsv = "# %ECSV 1.0\n# ---\n# datatype:\n# - {{name: a, datatype: {}}}\n# meta: {}\na\n1\n"
    code = f"!!python/object/apply:os.system ['touch {MARK}']"
    mixin = "!!omap [__serialized_columns__: {a: {__class__: os.system, value: 'touch " + MARK + "'}}]"
    for kind, meta in (
        ("int64", code),
        ("int64", "[" * 50_000),
        ("int64", mixin),
        ("os.system", "~"),
        ("int64", "&a [*b]"),
    ):
        yield f"ecsv {kind} {meta[:60]}", ".ecsv", ecsv.format(kind, meta).encode()


def _xml() -> Iterator[Hostile]:
    entities = "<!ENTITY l0 'lol'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    table = (
        "<RESOURCE><TABLE>{}<FIELD name='a' datatype='int' arraysize='{}'/><DATA>{}</DATA></TABLE></RESOURCE>"
    )
    stream = "<STREAM href='file:///etc/passwd'/>"
    documents = [
        f"<!DOCTYPE x [{entities}]><VOTABLE version='1.4'><DESCRIPTION>&l9;</DESCRIPTION></VOTABLE>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><VOTABLE><INFO value='&e;'/></VOTABLE>",
        f"<VOTABLE version='1.4'>{table.format('', '1', f'<BINARY>{stream}</BINARY>')}</VOTABLE>",
        f"<VOTABLE version='1.4'>{table.format('', '1', f'<BINARY2>{stream}</BINARY2>')}</VOTABLE>",
        f"<VOTABLE version='1.4'>{table.format('', '1', f'<FITS>{stream}</FITS>')}</VOTABLE>",
        "<VOTABLE version='1.4'>" + "<RESOURCE>" * 20_000,
        "<VOTABLE version='1.4'></VOTABLE>",
        "<html></html>",
        "<",
    ]
    for text in documents:
        yield f"votable {text[:60]}", ".vot", text.encode()


def _archives() -> Iterator[Hostile]:
    """Give zips of Zarr."""
    base = {"zarr_format": 3, "node_type": "array", "shape": [10], "data_type": "float64", "fill_value": 0}
    grid = {"name": "regular", "configuration": {"chunk_shape": [10]}}
    base |= {"chunk_grid": grid, "chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "bytes"}]}
    wide = {"name": "regular", "configuration": {"chunk_shape": [10**12]}}
    none = {"name": "regular", "configuration": {"chunk_shape": [0]}}
    changes: list[dict[str, object]] = [
        {"shape": [10**12]},
        {
            "shape": [10**9, 10**9],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [10, 10]}},
        },
        {"shape": [10**12], "chunk_grid": wide},
        {"shape": [-1]},
        {"shape": "x"},
        {"chunk_grid": none},
        {"chunk_grid": {"name": "own"}},
        {"codecs": [{"name": "pickle"}]},
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"codecs": []},
        {"data_type": "object"},
        {"fill_value": "x"},
        {"zarr_format": 99},
        {"node_type": "own"},
        {"storage_transformers": [{"name": "own"}]},
    ]
    for change in changes:
        yield f"zarr {change}", ".zarr.zip", _zip({"zarr.json": json.dumps({**base, **change}).encode()})
    good = json.dumps(base).encode()
    for name in ("../x", "/x", "a/../../x", "a//x", "./x", "a\x01b", "x" * 3000):
        yield f"zip with {name[:40]!r}", ".zarr.zip", _zip({"zarr.json": good, name: b"x"})
    yield "zip of deep JSON", ".zarr.zip", _zip({"zarr.json": b"[" * 10**6})
    yield "zip bomb", ".zarr.zip", _zip({"zarr.json": b" " * (40 << 20)})
    version2 = {
        "zarr_format": 2,
        "shape": [1],
        "chunks": [1],
        "dtype": "|O",
        "order": "C",
        "fill_value": None,
    }
    version2 |= {"compressor": None, "filters": [{"id": "pickle"}]}
    yield (
        "zarr 2 with a pickle",
        ".zarr.zip",
        _zip({".zarray": json.dumps(version2).encode(), "0": pickle.dumps([Trap()])}),
    )


def _zip(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _hdf5() -> Iterator[Hostile]:
    def external(file: h5py.File) -> None:
        file.create_dataset("x", (100,), "u1", external=[("/etc/passwd", 0, 100)])

    def linked(file: h5py.File) -> None:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/x")

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((20,), "f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", (20,))
        file.create_virtual_dataset("x", layout)

    def huge(file: h5py.File) -> None:
        file.create_dataset("x", (10**9, 10**6), "f8", chunks=(10, 10))

    def circle(file: h5py.File) -> None:
        file["g/me"] = file["/"]

    def loop(file: h5py.File) -> None:
        file["g"] = h5py.SoftLink("/g")

    def references(file: h5py.File) -> None:
        file["x"] = np.array([file.ref], dtype=h5py.ref_dtype)

    def deep(file: h5py.File) -> None:
        file["/".join("g" * 500)] = 1

    for fill in (external, linked, virtual, huge, circle, loop, references, deep):
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            fill(file)
        yield f"hdf5 {fill.__name__}", ".h5", memory.getvalue()


def _asdf() -> Iterator[Hostile]:
    head = "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
    array = "!core/ndarray-1.1.0 {{source: {}, datatype: {}, shape: {}, byteorder: little}}"
    trees = [
        "{$ref: 'file:///etc/passwd'}",
        array.format("x.asdf", "float64", "[2]"),
        array.format(0, "float64", "[99999999999]"),
        "!core/externalarray-1.0.0 {datatype: int8, fileuri: /etc/passwd, shape: [1], target: x}",
        "[" * 100_000,
        "&a [*a]",
    ]
    for tree in trees:
        yield f"asdf {tree[:60]}", ".asdf", f"{head}a: {tree}\n...\n".encode()


def _packed() -> Iterator[Hostile]:
    zeros = gzip.compress(bytes(64 << 20), 1)
    head = _image(8, [1 << 26, 64])[:2880]
    yield "gzip bomb", ".fits.gz", gzip.compress(head) + zeros * 64
    yield "gzip bomb of zeros", ".fits.gz", zeros * 40
    for width, height in ((2**31 - 1, 2**31 - 1), (0, 0), (100_000, 100_000)):
        yield f"png {width}", ".png", _png(width, height)


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
