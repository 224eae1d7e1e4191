"""Values that are read from the bytes of datasets as these are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.errors import BadContent, BadDefinition, Conflict
from skyfs.mount.operations import Operations
from skyfs.repository import Repository
from skyfs.tree import Tree
from skyfs.writing.ingester import IngestFile

ID: dict[str, Any] = {"instrument": "HSC", "exposure": 903334}
HEADER = {"seeing": "header:SEEING", "ok": "header:OK", "object": "header:object", "no": "header:NOTHERE"}


def image(**cards: object) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU(np.zeros((3, 3), np.float32))
    hdu.header.update(cards)
    return hdu


def captured(repo: Repository, path: str) -> dict[str, object]:
    """Give what info() tells beyond the dimensions, of the types used here."""
    info = skyfs.filesystem(repo).info(path)
    return {name.partition(".")[2]: value for name, value in info.items() if name.startswith(("raw.", "qa."))}


@pytest.fixture
def raw(repo: Repository) -> Repository:
    """A type of FITS files and one of documents, both with values to capture."""
    repo.register("raw", ["exposure", "detector"], "Hdus", capture=HEADER)
    pointers = {"n": "json:/n", "deep": "json:/a/0/b~1c", "flag": "json:/flag", "name": "header:name"}
    repo.register("qa", ["exposure", "detector"], "Dict", capture=pointers)
    return repo


def test_keywords_are_read_at_put(raw: Repository) -> None:
    ref = raw.put(image(SEEING=1.25, OK=True, OBJECT="M 31"), "raw", run="u/a", **ID, detector=0)
    assert captured(raw, raw.path(ref)) == {"seeing": 1.25, "ok": True, "object": "M 31"}
    bare = raw.put(image(), "raw", run="u/a", **ID, detector=1)
    assert captured(raw, raw.path(bare)) == {}


def test_the_first_image_extension_is_read_when_the_primary_is_empty(raw: Repository) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2)))])
    hdus[0].header["SEEING"], hdus[1].header["OBJECT"] = 2, "M 33"
    ref = raw.put(hdus, "raw", run="u/a", **ID, detector=0)
    assert captured(raw, raw.path(ref)) == {"seeing": 2, "object": "M 33"}


def test_a_mount_shows_them_as_extended_attributes(raw: Repository) -> None:
    path = raw.path(raw.put(image(SEEING=1.25, OK=False), "raw", run="u/a", **ID, detector=0))
    operations = Operations(Tree(raw))
    assert operations.getxattr(path, "user.skyfs.raw.seeing") == b"1.25"
    assert "user.skyfs.raw.ok" in operations.listxattr(path)
    assert "user.skyfs.raw.object" not in operations.listxattr(path)
    operations.close()


@pytest.mark.parametrize("extension", [".json", ".yaml"])
def test_pointers_are_followed(raw: Repository, extension: str) -> None:
    value = {"n": 2**40, "a": [{"b/c": "x"}], "flag": False, "name": "it's"}
    ref = raw.put(value, "qa", run="u/a", extension=extension, **ID, detector=0)
    found = captured(raw, raw.path(ref))
    assert found == {"n": 2**40, "deep": "x", "flag": False, "name": "it's"}
    assert found["flag"] is False
    other: dict[str, object] = {"n": None, "a": [[1]], "flag": {}, "name": [1]}
    ref = raw.put(other, "qa", run="u/a", extension=extension, **ID, detector=1)
    assert captured(raw, raw.path(ref)) == {}


def test_ingested_files_are_read(raw: Repository, tmp_path: Path) -> None:
    files = []
    for detector in range(3):
        path = tmp_path / f"{detector}.fits"
        image(SEEING=detector / 2).writeto(path)
        files.append(IngestFile(path, {**ID, "detector": detector}))
    raw.ingest(files[:2], "raw", run="u/a", mode="copy")
    raw.ingest(files[2:], "raw", run="u/a", mode="direct")
    found = [captured(raw, raw.path(ref)) for ref in raw.query("raw", collections="u/a")]
    assert found == [{"seeing": 0}, {"seeing": 0.5}, {"seeing": 1}]


def test_files_written_through_paths_are_read(raw: Repository) -> None:
    fs = skyfs.filesystem(raw)
    path = "/u/a/qa/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.json"
    fs.pipe_file(path, b'{"n": 7}')
    assert captured(raw, path) == {"n": 7}


def test_expressions_ask_for_captured_values(raw: Repository) -> None:
    for detector, seeing in enumerate((0.7, 1.3, "bad")):
        hdu = image(SEEING=seeing, OK=detector == 1, OBJECT=f"M {detector}")
        raw.put(hdu, "raw", run="u/a", **ID, detector=detector)

    def found(where: str, *order: str) -> list[object]:
        query = raw.query("raw", collections="u/a", where=where)
        return [ref.data_id["detector"] for ref in query.order_by(*order)]

    assert found("raw.seeing < 1.2") == [0]
    assert found("seeing > 0") == [0, 1]
    assert found("raw.seeing = 'bad'") == [2]
    assert found("raw.ok") == [1]
    assert found("raw.object IN ('M 0', 'M 2')", "-raw.object") == [2, 0]
    assert found("raw.no IS NULL AND detector > 0") == [1, 2]
    assert found("raw.seeing < 2", "-raw.seeing") == [1, 0]


def test_values_go_with_their_dataset(raw: Repository) -> None:
    first = raw.put(image(SEEING=1.0), "raw", run="u/a", **ID, detector=0)
    second = raw.put(image(OBJECT="new"), "raw", run="u/a", replace=True, **ID, detector=0)
    assert captured(raw, raw.path(second)) == {"object": "new"}
    assert raw.registry.captured.of(first.id) == {}
    raw.remove([second])
    assert raw.registry.captured.of(second.id) == {}
    (declared,) = raw.declare("raw", [{**ID, "detector": 0}], run="u/a")
    assert raw.registry.captured.of(declared.id) == {}
    stored = raw.put(image(SEEING=3.0), "raw", run="u/a", **ID, detector=0)
    assert stored.id == declared.id
    assert captured(raw, raw.path(stored)) == {"seeing": 3}


def test_metadata_of_tables_is_read(repo: Repository) -> None:
    repo.register("table", ["detector"], "Table", capture={"a": "header:A", "b": "header:b", "c": "json:/A"})
    table = Table({"x": [1, 2]}, meta={"A": 1.5, "b": "two\nlines", "long": "x" * 100_000})
    for detector, extension in enumerate((".ecsv", ".parquet")):
        identity: dict[str, Any] = {"instrument": "HSC", "detector": detector}
        ref = repo.put(table, "table", run="u/a", extension=extension, **identity)
        assert repo.registry.captured.of(ref.id) == {"a": 1.5, "b": "two\nlines"}
        bare = repo.put(Table({"x": [1]}), "table", run="u/b", extension=extension, **identity)
        assert repo.registry.captured.of(bare.id) == {}


def test_formats_without_keywords_have_no_values(repo: Repository) -> None:
    repo.register("array", ["exposure"], "Array", capture={"a": "header:A", "b": "json:/b"})
    ref = repo.put(np.arange(3), "array", run="u/a", extension=".npy", **ID)
    assert repo.registry.captured.of(ref.id) == {}


_EXPORT = """
description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
data:
- {type: run, name: HSC/raw}
- type: dataset
  dataset_type: raw
  run: HSC/raw
  records:
  - dataset_id: [!uuid 00000000-0000-4000-8000-000000000001]
    data_id: [{instrument: HSC, exposure: 903334, detector: 0}]
    path: raw.fits
    formatter: some.Formatter
"""


def test_files_of_an_export_are_read(raw: Repository, tmp_path: Path) -> None:
    image(SEEING=0.5).writeto(tmp_path / "raw.fits")
    (tmp_path / "export.yaml").write_text(_EXPORT)
    assert raw.import_export(tmp_path / "export.yaml").ingested == 1
    (ref,) = raw.query("raw", collections="HSC/raw", where="raw.seeing < 1")
    assert captured(raw, raw.path(ref)) == {"seeing": 0.5}


def test_damaged_documents_are_refused(raw: Repository, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(b'{"n": ')
    with pytest.raises(BadContent):
        raw.ingest([IngestFile(path, {**ID, "detector": 0})], "qa", run="u/a")
    assert not raw.collections("u/a")


def test_lists_are_documents_too(repo: Repository) -> None:
    capture = {"second": "json:/1", "beyond": "json:/2", "odd": "json:/01", "end": "json:/-"}
    repo.register("rows", ["exposure"], "List", capture=capture)
    ref = repo.put(["a", "b"], "rows", run="u/a", **ID)
    assert repo.registry.captured.of(ref.id) == {"second": "b"}


def test_what_is_captured_is_part_of_the_type(raw: Repository) -> None:
    raw.register("raw", ["exposure", "detector"], "Hdus", capture=HEADER)
    with pytest.raises(Conflict, match=r"registered as .*seeing=header:SEEING, asked for .*Hdus"):
        raw.register("raw", ["exposure", "detector"], "Hdus")


MALFORMED = [
    ("a", "SEEING"),
    ("a", "header:"),
    ("a", "header: "),
    ("a", "header:A\nB"),
    ("a", "json:a"),
    ("a", "json:"),
    ("a", "json:/a~2"),
    ("a", "json:/a~"),
    ("a", "xml:/a"),
    ("a", ""),
    ("", "header:A"),
    ("a b", "header:A"),
    ("1a", "header:A"),
    ("é", "header:A"),
    ("run", "header:A"),
    ("timespan", "header:A"),
]


def test_malformed_captures_are_refused(repo: Repository) -> None:
    for name, source in MALFORMED:
        with pytest.raises(BadDefinition, match="capture"):
            repo.register("raw", ["exposure"], "Hdus", capture={name: source})
    assert not repo.types("raw")
