"""JSON, YAML, text, arrays, pictures: quirks and attacks."""

from __future__ import annotations

import io
import json
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from skyfs.errors import BadArgument, BadContent
from skyfs.formats import Formats
from skyfs.testing.format_suite import MemorySource

from .samples import dump, load, same_array

FORMATS = Formats.load()
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
DOCUMENTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner), max_leaves=8),
)


@given(DOCUMENTS)
def test_json_keeps_documents(document: dict[str, object]) -> None:
    assert load(FORMATS, MemorySource(dump(FORMATS, document, ".json", "Dict")), ".json", "Dict") == document


@given(DOCUMENTS)
def test_yaml_keeps_documents(document: dict[str, object]) -> None:
    assert load(FORMATS, MemorySource(dump(FORMATS, document, ".yaml", "Dict")), ".yaml", "Dict") == document


NUMBERS = (
    arrays.integer_dtypes(endianness="=")
    | arrays.unsigned_integer_dtypes(endianness="=")
    | arrays.floating_dtypes(endianness="=", sizes=(32, 64))
)


PLAIN = NUMBERS | arrays.complex_number_dtypes() | arrays.boolean_dtypes() | arrays.unicode_string_dtypes()


@given(arrays.arrays(PLAIN, arrays.array_shapes(min_dims=0, min_side=0)))
def test_npy_keeps_arrays(array: np.ndarray) -> None:
    assert same_array(
        load(FORMATS, MemorySource(dump(FORMATS, array, ".npy", "Array")), ".npy", "Array"), array
    )


@given(arrays.arrays(NUMBERS, arrays.array_shapes()))
def test_fits_keeps_arrays(array: np.ndarray) -> None:
    assert same_array(
        load(FORMATS, MemorySource(dump(FORMATS, array, ".fits", "Array")), ".fits", "Array"), array
    )


@pytest.mark.parametrize("extension", [".json", ".yaml"])
def test_numpy_values_become_plain(extension: str) -> None:
    value = OrderedDict(
        z=np.float32(0.5), a=np.arange(4).reshape(2, 2), b=np.bool_(1), s=np.str_("x"), t=(1, 2)
    )
    data = dump(FORMATS, value, extension, "Dict")
    found = load(FORMATS, MemorySource(data), extension, "Dict")
    assert found == {"z": 0.5, "a": [[0, 1], [2, 3]], "b": True, "s": "x", "t": [1, 2]}
    assert list(found) == ["z", "a", "b", "s", "t"], "keys keep their order"


@pytest.mark.parametrize(
    "bad",
    [{1: 2}, {"a": {None: 1}}, {"a": b"bytes"}, {"a": {1, 2}}, {"a": 1j}, {"a": np.array([1j])},
     {"a": "\ud800"}, {"a": np.ma.masked_array([1], [True])}, {"a": np.datetime64("2020-01-01")}],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("extension", [".json", ".yaml"])
def test_values_without_a_plain_form(bad: dict[object, object], extension: str) -> None:
    with pytest.raises(BadArgument):
        dump(FORMATS, bad, extension, "Dict")


def test_the_message_names_the_place() -> None:
    with pytest.raises(BadArgument, match=r"\$\.a\[1\]\.b"):
        dump(FORMATS, {"a": [0, {"b": object()}]}, ".json", "Dict")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf"), np.array([1.0, np.nan])])
def test_json_has_no_nan(value: object) -> None:
    with pytest.raises(BadArgument, match=r"JSON has no -?(nan|inf).*YAML"):
        dump(FORMATS, {"a": value}, ".json", "Dict")
    dump(FORMATS, {"a": value}, ".yaml", "Dict")


def test_json_of_others_may_have_nan() -> None:
    found = load(FORMATS, MemorySource(b'{"a": NaN}'), ".json", "Dict")
    assert isinstance(found, dict)
    assert np.isnan(found["a"])


def test_a_list_is_no_dict() -> None:
    with pytest.raises(BadContent, match=r"list.*Dict and List"):
        load(FORMATS, MemorySource(b"[1]"), ".json", "Dict")
    assert load(FORMATS, MemorySource(b"[1]"), ".json", "List") == [1]
    with pytest.raises(BadContent):
        FORMATS.check(MemorySource(b"3"), ".json")


def test_deep_and_circular_documents() -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle
    for extension in (".json", ".yaml"):
        with pytest.raises(BadArgument):
            dump(FORMATS, circle, extension, "Dict")
        with pytest.raises(BadContent):
            load(FORMATS, MemorySource(b"[" * 100_000), extension, "List")


def test_large_json_is_checked_at_its_ends() -> None:
    source = MemorySource(json.dumps({"a": list(range(500_000))}).encode())
    FORMATS.check(source, ".json")
    assert source.bytes_read < 10_000
    with pytest.raises(BadContent):
        FORMATS.check(MemorySource(source.read_all()[:-1]), ".json")


# --------------------------------------------------------------------------------------------------- YAML


def test_yaml_makes_no_python_objects(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for text in (
        f"a: !!python/object/apply:os.mkdir ['{target}']",
        "a: !!python/name:os.system",
        "a: !mine 3",
    ):
        with pytest.raises(BadContent):
            load(FORMATS, MemorySource(text.encode()), ".yaml", "Dict")
    assert not target.exists()


def test_yaml_bomb_is_refused_before_it_explodes() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.monotonic()
    with pytest.raises(BadContent, match="1000000"):
        load(FORMATS, MemorySource("\n".join(lines).encode()), ".yaml", "Dict")
    assert time.monotonic() - began < 60
    with pytest.raises(BadContent, match="contains itself"):
        load(FORMATS, MemorySource(b"a: &a [1, *a]"), ".yaml", "Dict")


def test_yaml_with_ordinary_aliases_is_read() -> None:
    found = load(FORMATS, MemorySource(b"a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  y: 2\n"), ".yaml", "Dict")
    assert found == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


def test_real_headers_in_yaml(real_data: Path) -> None:
    paths = sorted((real_data / "headers").glob("*.json"))
    assert paths
    for path in paths:
        assert FORMATS.header(MemorySource(path.read_bytes()), ".json")


# --------------------------------------------------------------------------------------- text, npy, png


def test_text_is_utf8() -> None:
    assert load(FORMATS, MemorySource(b"\xef\xbb\xbfabc\r\n"), ".txt", "Text") == "abc\r\n"
    for bad in (b"\xff\xfeab", "é".encode("latin-1"), "星".encode()[:-1]):
        with pytest.raises(BadContent, match="UTF-8"):
            load(FORMATS, MemorySource(bad), ".txt", "Text")
        with pytest.raises(BadContent):
            FORMATS.check(MemorySource(bad), ".txt")
    with pytest.raises(BadArgument):
        dump(FORMATS, "\ud800", ".txt", "Text")


@pytest.mark.parametrize("lead", range(4))
def test_text_check_does_not_stumble_over_its_own_cuts(lead: int) -> None:
    data = ("x" * lead + "星" * 60_000).encode()
    FORMATS.check(MemorySource(data), ".txt")
    with pytest.raises(BadContent):
        FORMATS.check(MemorySource(data[:-1]), ".txt")


def test_npy_never_unpickles() -> None:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for act in (FORMATS.check, lambda source, ext: load(FORMATS, source, ext, "Array")):
        with pytest.raises(BadContent, match="pickled"):
            act(MemorySource(file.getvalue()), ".npy")
    for bad in (np.array([object()]), np.array([(1, None)], [("a", "i4"), ("b", "O")])):
        with pytest.raises(BadArgument, match="pickle"):
            dump(FORMATS, bad, ".npy", "Array")
    with pytest.raises(BadArgument, match="mask"):
        dump(FORMATS, np.ma.masked_array([1], [True]), ".npy", "Array")


def test_npy_of_fortran_order() -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3))
    found = load(FORMATS, MemorySource(dump(FORMATS, array, ".npy", "Array")), ".npy", "Array")
    assert same_array(found, array)
    assert found.flags.writeable


def test_npy_with_bytes_too_many() -> None:
    data = dump(FORMATS, np.arange(5), ".npy", "Array")
    with pytest.raises(BadContent, match="should have"):
        FORMATS.check(MemorySource(data + b"x"), ".npy")
