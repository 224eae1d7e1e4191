"""Bad input is one clear error that names the line or entry, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.errors import (
    BadArgument,
    BadContent,
    BadDataId,
    BadDefinition,
    Conflict,
    IsDirectory,
    NotAllowed,
    NotFound,
    ReadOnly,
    SkyfsError,
    VersionError,
)
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import ASSOCIATIONS, CALEXPS, EVERYTHING, FLATS, HEAD, INSTRUMENT, POLYGON, Write

TEXT = "".join(EVERYTHING)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """An empty repository for all imports that must not change it."""
    root = tmp_path_factory.mktemp("empty") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        yield repository


def refused(repo: Repository, export: Path, error: type[SkyfsError], message: str) -> None:
    before = snapshot(repo.root)
    with pytest.raises(error, match=message) as caught:
        repo.import_export(export)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert snapshot(repo.root) == before


@pytest.mark.parametrize(
    ("head", "error", "message"),
    [
        ("version: 2.0.0\n", VersionError, "'2.0.0'"),
        ("version: 1.1.0\n", VersionError, "'1.1.0'"),
        ("version: 1.0\n", VersionError, "1.0"),
        ("version: 1\n", VersionError, "1"),
        ("version: false\n", VersionError, "False"),
        ("description: x\n", BadContent, "no 'version'"),
        ("version: 0\nuniverse_version: new\n", BadContent, "universe_version: 'new'"),
        ("version: 0\nuniverse_version: -1\n", BadContent, "universe_version: -1"),
        ("version: 0\nuniverse_namespace: 7\n", BadContent, "universe_namespace: 7"),
        ("version: 0\n? [a]\n: b\n", BadContent, "line 1: the key"),
        ("version: !!python/object/apply:os.system ['true']\n", BadContent, "python/object/apply:os.system"),
        ("version: !what 1\n", BadContent, "line 1: the tag !what"),
        ("version: *nothing\n", BadContent, r"line 1: the alias \*nothing"),
        ("version: &a [*a]\n", BadContent, r"line 1: the alias \*a"),
        (f"version: {'[' * 100_000}\n", BadContent, "nested more than"),
        ("a: b: c\n", BadContent, "damaged or truncated"),
        ("version: 0\n---\nversion: 0\n", BadContent, "2 documents"),
    ],
)
def test_documents(empty: Repository, write: Write, head: str, error: type[SkyfsError], message: str) -> None:
    refused(empty, write(*EVERYTHING, head=head), error, message)


def test_aliases_that_blow_up(empty: Repository, write: Write) -> None:
    bomb = "a: &a0 [x, x]\n" + "".join(
        f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    refused(empty, write(*EVERYTHING, head=f"{HEAD}{bomb}"), BadContent, "aliases blow")


@pytest.mark.parametrize("text", ["", "just text", "- a\n- list\n", "version: 0\n", "version: 0\ndata: 5\n"])
def test_other_documents(empty: Repository, tmp_path: Path, text: str) -> None:
    (tmp_path / "other.yaml").write_text(text)
    refused(empty, tmp_path / "other.yaml", BadContent, "other.yaml")


def test_files_that_cannot_be_read(empty: Repository, tmp_path: Path) -> None:
    refused(empty, tmp_path / "none.yaml", NotFound, "none.yaml")
    refused(empty, tmp_path, IsDirectory, "directory")
    (tmp_path / "bytes.yaml").write_bytes(b"version: \xff")
    refused(empty, tmp_path / "bytes.yaml", BadContent, "not UTF-8")


@pytest.mark.parametrize("cut", range(60, len(TEXT), 601))
def test_truncated_files_change_nothing(empty: Repository, write: Write, cut: int) -> None:
    before = snapshot(empty.root)
    export = write(TEXT[:cut])
    try:
        empty.import_export(export)
    except SkyfsError:
        assert snapshot(empty.root) == before
    else:
        raise AssertionError("the entries that others refer to come last: each cut must be noticed")


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("- type: dataset_type\n  name: flat", "- type: type\n  name: flat", BadContent, "type: 'type'"),
        ("- type: dimension\n  element: visit\n", "- element: visit\n", BadContent, "entry .*: no 'type'"),
        ("element: visit\n", "element: vist\n", BadDefinition, "did you mean visit"),
        ("exposure_time: 30.5", "exposure_tme: 30.5", BadDefinition, "no column 'exposure_tme'"),
        ("exposure_time: 30.5", "exposure_time: long", BadDefinition, "dimension visit"),
        ("physical_filter: Cam-R\n    exposure", "physical_filter: Cam-X\n    exposure", BadDataId, "Cam-X"),
        (f"encoded: {POLYGON}", f"encoded: {POLYGON[:-8]}", BadContent, "line .*ConvexPolygon"),
        (f"encoded: {POLYGON}", "encoded: 70zz", BadContent, "line .*ConvexPolygon"),
        (f"encoded: {POLYGON}", "encoded: 5", BadContent, "line .*ConvexPolygon"),
        (f"encoded: {POLYGON}", "other: 5", BadContent, "line .*ConvexPolygon"),
        ("lsst.sphgeom.ConvexPolygon", "lsst.sphgeom.Circle", BadContent, "are a ConvexPolygon"),
        ("lsst.sphgeom.ConvexPolygon", "lsst.sphgeom.Pixel", BadContent, "the tag lsst.sphgeom.Pixel"),
        ("'2025-01-02 01:00:30.000000000'", "'2025-01-02 00:59:00'", BadContent, "visit.*not before"),
        ("'2025-01-02 01:00:30.000000000'", "'2025-01-32 00:59:00'", BadContent, "butler_time"),
        (
            "    datetime_end: !butler_time/tai/iso '2025-01-02 01",
            "    end: !butler_time/tai/iso '2025-01-02 01",
            BadContent,
            "no 'datetime_end'",
        ),
        ("{begin: *noon, end: null}", "{begin: *noon, end: 5}", BadContent, "bad time 5"),
        ("{begin: *noon, end: null}", "EMPTY", BadContent, "Timespan"),
        ("{begin: *noon, end: null}", "{begin: *noon}", BadContent, "give begin and end"),
        ("!!binary Kt7s", "!!binary Kt7", BadContent, "base64"),
        ("children: [inner, calib]", "children: [inner, cali]", NotFound, "outer.*did you mean calib"),
        ("children: [run/a, [best, [flat]]]", "children: [outer]", BadDefinition, "contains itself"),
        ("children: [inner, calib]", "children: [[inner]]", BadContent, "the child"),
        ("collection_type: TAGGED, name", "collection_type: TAGED, name", BadContent, "TAGED"),
        ("name: run/b}", "name: .run/b}", BadDefinition, "bad collection name"),
        ("name: run/b}", "name: best}", Conflict, "best"),
        ("storage_class: ImageF", "storage: ImageF", BadContent, "flat.*no 'storage_class'"),
        (
            "dimensions: [instrument, detector, physical",
            "dimensions: [instrument, detektor, physical",
            BadDefinition,
            "detektor",
        ),
        ("dimensions: []", "dimensions: 5", BadContent, "a list is wanted"),
        ("is_calibration: true", "is_calibration: 1", BadContent, "is_calibration"),
        ("is_calibration: true", "is_calibration: false", NotAllowed, "associations of calib.*certify flat"),
        ("{type: dataset_type, name: summary,", "{type: dataset_type, name: flat,", Conflict, "flat"),
        ("dataset_type: flat", "dataset_type: flta", NotFound, "did you mean flat"),
        ("run: run/a", "run: run/x", NotFound, "no collection 'run/x'"),
        ("run: run/a", "run: best", NotAllowed, "it is TAGGED"),
        (
            "detector: 1, physical_filter: Cam-G",
            "detector: 9, physical_filter: Cam-G",
            NotFound,
            "no detector 9",
        ),
        ("detector: 1, physical_filter: Cam-G", "physical_filter: Cam-G", BadDataId, "no detector"),
        ("physical_filter: Cam-G, band: g", "physical_filter: Cam-G, band: r", BadDataId, "band is 'g'"),
        (
            "detector: 1, physical_filter: Cam-G",
            "detector: 2, physical_filter: Cam-G",
            Conflict,
            "given twice",
        ),
        ("data_id: {}", "data_id: 5", BadContent, "a data ID: 5"),
        ("dataset_id: [5]", "dataset_id: [5, 8]", BadContent, "2 ids for 1 data IDs"),
        ("dataset_id: [5]", "dataset_id: [7]", Conflict, "the id is that of calexp"),
        ("dataset_id: [5]", "dataset_id: [true]", BadContent, "the dataset id True"),
        ("dataset_id: [5]", "dataset_id: [abc]", BadContent, "the dataset id 'abc'"),
        ("dataset_id: [5]", "dataset_id: [!uuid abc]", BadContent, "line .*uuid 'abc'"),
        ("path: calexp.fits", "path: ../calexp.fits", BadContent, "without '..'"),
        ("path: calexp.fits", "path: [a]", BadContent, "path"),
        ("000000000003, 5, 6]", "000000000003, 5, 9]", BadContent, "associations of best.*neither"),
        ("  collection: best", "  collection: bst", NotFound, "did you mean best"),
        ("  collection: best", "  collection: calib", NotAllowed, "calib"),
        ("  collection_type: TAGGED", "  collection_type: RUN", BadContent, "RUN"),
        ("begin: *time\n    end: null", "begin: *time", BadContent, "associations of calib.*no 'end'"),
        ("begin: *time", "begin: null", Conflict, "overlapping"),
        ("- timespan: !lsst.daf.butler.Timespan", "- timespan:", BadContent, "timespan: "),
    ],
)
def test_entries(
    empty: Repository, write: Write, old: str, new: str, error: type[SkyfsError], message: str
) -> None:
    assert TEXT.count(old) == 1, old
    refused(empty, write(TEXT.replace(old, new)), error, message)


def test_two_entries_that_contradict_each_other(empty: Repository, write: Write) -> None:
    again = INSTRUMENT.replace("detector_max: 4", "detector_max: 5")
    refused(empty, write(INSTRUMENT, again), Conflict, "entry 2.*detector_max is 4, not 5")


@pytest.mark.parametrize(
    ("entries", "old", "new", "message"),
    [
        ((INSTRUMENT,), "class_name: cam.Cam", "class_name: cam.Other", "class_name is 'cam.Cam'"),
        ((FLATS,), "000000000003", "000000000004", "it is there already"),
        ((FLATS,), "physical_filter: Cam-R", "physical_filter: Cam-G", "the id is that of flat"),
        ((FLATS,), "run: run/a", "run: run/b", "the id is that of flat"),
        ((CALEXPS,), "dataset_id: [5]", "dataset_id: [55]", "it is there already"),
    ],
)
def test_what_is_there_already_must_be_the_same(
    repo: Repository, write: Write, entries: tuple[str, ...], old: str, new: str, message: str
) -> None:
    repo.import_export(write(TEXT))
    text = "".join(entries)
    assert old in text
    refused(repo, write(text.replace(old, new)), Conflict, message)


def test_chains_and_types_that_are_there_must_be_the_same(repo: Repository, write: Write) -> None:
    repo.import_export(write(TEXT))
    chain = "- {type: collection, collection_type: CHAINED, name: inner, children: [run/b]}\n"
    refused(repo, write(chain), Conflict, "the chain 'inner' is there already: it is run/a, best")
    flat = "- {type: dataset_type, name: flat, storage_class: ImageF, is_calibration: %s, dimensions: %s}\n"
    refused(repo, write(flat % ("true", "[detector]")), Conflict, "dataset type 'flat'")
    both = "[detector, physical_filter]"
    refused(repo, write(flat % ("false", both)), Conflict, "dataset type 'flat'")


def test_locked_runs_take_nothing_new(repo: Repository, write: Write) -> None:
    repo.import_export(write(TEXT.replace(ASSOCIATIONS, "").replace(CALEXPS, "")))
    repo.lock("run/b")
    before = snapshot(repo.root)
    with pytest.raises(NotAllowed, match=r"entry 1 .datasets calexp in run/b.*locked"):
        repo.import_export(write(CALEXPS))
    assert snapshot(repo.root) == before
    repo.lock("run/a")
    assert repo.import_export(write(FLATS)).unchanged == 3


def test_arguments(repo: Repository, write: Write) -> None:
    export = write(INSTRUMENT)
    with pytest.raises(BadArgument, match=r"mode='steal'.*one of auto, copy"):
        repo.import_export(export, mode="steal")
    with pytest.raises(BadArgument, match=r"files='all'.*one of auto, need, ignore"):
        repo.import_export(export, files="all")


def test_read_only_repositories(repo: Repository, write: Write) -> None:
    with skyfs.open(repo.root) as reader, pytest.raises(ReadOnly):
        reader.import_export(write(INSTRUMENT))
