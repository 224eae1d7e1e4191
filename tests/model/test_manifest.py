"""Lines of a manifest: what is written is read as the same, and what is damaged or hostile is refused."""

from __future__ import annotations

import io
import json
import math
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadContent, VersionError
from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataset import Part
from skyfs.model.manifest import MAX_LINE_BYTES, parse, read_lines, write
from skyfs.model.manifest_line import (
    AttachLine,
    CertifyLine,
    ClearLine,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    DecertifyLine,
    DetachLine,
    DigestLine,
    DropLine,
    FileRow,
    Header,
    Line,
    RebaseLine,
    RecordsLine,
    RemoveLine,
    RetimeLine,
    TagLine,
    TransactionLine,
    TypeLine,
    UndoneLine,
    UniverseLine,
    UntagLine,
)

_ID, _OTHER = UUID(int=1), UUID(int=2)
_FILE = FileRow("local", None, ".fits", 2880, 1_700_000_000_000_000_001, b"\xab" * 32)
_PART = FileRow(
    "in-place",
    "a b/ö%.fits",
    ".fits",
    1,
    -1,
    owned=False,
    component="wcs",
    part=Part(1, 2880, 5760, 9, b"\1" * 32),
)
_CAPTURED = (("n", 3), ("ok", False), ("x", -0.5), ("inf", math.inf), ("text", "Ada 'ö'\n"))

LINES: list[Line] = [
    Header("sky", "2026-11-29T05:00:00Z", {"files": True}),
    UniverseLine({"name": "u", "elements": {}}),
    TypeLine(
        "calexp",
        ("instrument", "visit"),
        "Exposure",
        calibration=True,
        immutable=False,
        capture=(("seeing", "header:SEEING"),),
    ),
    CollectionLine(Collection("u/a", CollectionKind.RUN, owner="ada", locked=True, doc="Mine.")),
    CollectionLine(Collection("c", CollectionKind.CHAINED, ("a", "b"))),
    AttachLine("quality", ("visit",), (("seeing", "float"),)),
    DetachLine("quality"),
    RecordsLine("visit", ("id", "timespan", "x"), ((1, [None, 5], None), (2, [0, None], "inf"))),
    DatasetsLine("calexp", "u/a", (DatasetRow(_ID, 5, ("Cam", -1), (_OTHER,), _CAPTURED, (_FILE, _PART)),)),
    DatasetsLine("summary", "u/a", (DatasetRow(_ID, 5, ()),)),
    TagLine("t", (_ID,)),
    UntagLine("t", (_ID, _OTHER)),
    CertifyLine("c", ((_ID, None, 5), (_OTHER, -5, None))),
    DecertifyLine("c", "bias", None, 7, (("detector", 3), ("instrument", "Cam"))),
    RemoveLine((_ID,)),
    ClearLine("c"),
    DropLine("c"),
    RebaseLine("in-place", "old/place", "new"),
    RetimeLine(((_ID, 77),)),
    DigestLine(((_ID, "local", 5, bytes(32)),)),
    TransactionLine("host-1", 5, 2),
    UndoneLine("host-1"),
]


@pytest.mark.parametrize(
    "line", LINES, ids=[f"{type(one).__name__}-{index}" for index, one in enumerate(LINES)]
)
def test_what_is_written_is_read_as_the_same(line: Line) -> None:
    text = write(line)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert parse(text, "here") == line


def _changed(line: Line, change: object, *path: object) -> str:
    """Give the text of a line with another value somewhere."""
    whole = json.loads(write(line))
    inner = whole
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = change
    return json.dumps(whole)


_RUN, _DATASETS, _CERTIFY = LINES[3], LINES[8], LINES[12]
_FILE_AT = ("datasets", "rows", 0, 5, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"tag": {}, "untag": {}}',
        '{"unknown": 1}',
        '{"tag": {"collection": "t", "ids": []',
        '{"tag": {"collection": "t", "ids": [], "more": 1}}',
        '{"tag": {"collection": "t"}}',
        '{"tag": []}',
        '{"drop": "../etc"}',
        '{"drop": "a//b"}',
        '{"drop": ".hidden"}',
        '{"drop": "a\\u0000b"}',
        '{"drop": "\\ud800"}',
        '{"drop": 5}',
        '{"clear": null}',
        '{"remove": ["not an id"]}',
        '{"remove": ["{00000000-0000-4000-8000-000000000001}"]}',
        '{"retime": [["00000000-0000-4000-8000-000000000001", 1e3]]}',
        '{"retime": [["00000000-0000-4000-8000-000000000001", 9223372036854775808]]}',
        '{"remove": ' + json.dumps([str(UUID(int=1))] * 1001) + "}",
        '{"skyfs": {"manifest": "1", "repository": "a", "at": "b"}}',
        '{"skyfs": {"manifest": 1}}',
        '{"universe": [1]}',
        '{"attach": {"name": "a", "requires": ["x"], "columns": [["a", "object"]]}}',
        '{"attach": {"name": "a", "requires": ["x"], "columns": [["a"]]}}',
        '{"records": {"element": "a", "columns": ["x", "x"], "rows": []}}',
        '{"records": {"element": "a", "columns": ["x"], "rows": [[1, 2]]}}',
        '{"records": {"element": "a", "columns": ["x"], "rows": [[NaN]]}}',
        '{"records": {"element": "a", "columns": ["x"], "rows": [[' + "9" * 5000 + "]]}}",
        '{"transaction": {"id": "a", "at": 1, "lines": -1}}',
        "[" * 100_000,
        _changed(LINES[2], [["seeing", "nowhere:X"]], "type", "capture"),
        _changed(LINES[2], [["a b", "header:X"]], "type", "capture"),
        _changed(_RUN, "HEAP", "collection", "kind"),
        _changed(_RUN, [], "collection", "kind"),
        _changed(_RUN, ["b"], "collection", "children"),
        _changed(_DATASETS, "/etc/passwd", *_FILE_AT, 1),
        _changed(_DATASETS, "../../etc/passwd", *_FILE_AT, 1),
        _changed(_DATASETS, "a/./b", *_FILE_AT, 1),
        _changed(_DATASETS, "", *_FILE_AT, 1),
        _changed(_DATASETS, "../x", *_FILE_AT, 2),
        _changed(_DATASETS, -1, *_FILE_AT, 3),
        _changed(_DATASETS, "ab", *_FILE_AT, 5),
        _changed(_DATASETS, 1, *_FILE_AT, 6),
        _changed(_DATASETS, [1, 2], *_FILE_AT, 8),
        _changed(_DATASETS, [-1, 2, 3, 4, None], *_FILE_AT, 8),
        _changed(_DATASETS, [], *_FILE_AT),
        _changed(_DATASETS, [1.5], "datasets", "rows", 0, 2),
        _changed(_DATASETS, [True], "datasets", "rows", 0, 2),
        _changed(_DATASETS, [None], "datasets", "rows", 0, 2),
        _changed(_DATASETS, {"x": {}}, "datasets", "rows", 0, 4),
        _changed(_DATASETS, {"x": ["nan"]}, "datasets", "rows", 0, 4),
        _changed(_CERTIFY, 9, "certify", "rows", 0, 1),
    ],
)
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(BadContent, match=r"^sky\.jsonl, line 1") as caught:
        list(read_lines(io.BytesIO(text.encode("utf-8", "surrogatepass") + b"\n"), "sky.jsonl"))
    assert caught.value.found


def test_a_later_version_is_refused() -> None:
    with pytest.raises(VersionError, match="version 2, this skyfs knows 1"):
        parse('{"skyfs": {"manifest": 2, "repository": "a", "at": "b"}}', "here")


def test_a_line_without_end_is_not_read_into_memory() -> None:
    class Endless(io.RawIOBase):
        asked = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            Endless.asked += len(buffer)
            buffer[:] = b"[" * len(buffer)
            return len(buffer)

    raw: io.RawIOBase = Endless()
    with pytest.raises(BadContent, match="over"):
        list(read_lines(io.BufferedReader(raw), "endless"))
    assert Endless.asked <= MAX_LINE_BYTES + 2**20


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([str(_ID), "a/b", "RUN"]),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(LINES), st.lists(st.integers(0, 8), max_size=5), _JSON)
def test_any_value_anywhere_is_read_or_refused(line: Line, path: list[int], value: object) -> None:
    whole = json.loads(write(line))
    inner, steps = whole, list(path)
    while steps and isinstance(inner, dict | list) and inner:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = keys[steps.pop(0) % len(keys)]
        if not steps or not isinstance(inner[key], dict | list) or not inner[key]:
            inner[key] = value
            break
        inner = inner[key]
    try:
        found = parse(json.dumps(whole), "here")
    except (BadContent, VersionError):
        return
    assert parse(write(found), "here") == found
