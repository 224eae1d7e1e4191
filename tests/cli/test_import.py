"""import: an export of a Rubin data butler."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyfs.testing.snapshot import snapshot

from .conftest import Command

pytestmark = pytest.mark.usefixtures("sky")

EXPORT = """
description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
data:
- type: dimension
  element: detector
  records:
  - {instrument: HSC, id: 7, full_name: '1_7'}
- {type: run, name: imported}
- {type: dataset_type, name: packages, dimensions: [instrument, detector], storage_class: Packages}
- type: dataset
  dataset_type: packages
  run: imported
  records:
  - dataset_id: [!uuid 00000000-0000-4000-8000-000000000001]
    data_id: [{instrument: HSC, detector: 7}]
    path: some/packages.json
  - dataset_id: [!uuid 00000000-0000-4000-8000-000000000002, !uuid 00000000-0000-4000-8000-000000000003]
    data_id: [{instrument: HSC, detector: 1}, {instrument: HSC, detector: 2}]
    path: some/shared.json
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export with its files."""
    (tmp_path / "out" / "some").mkdir(parents=True)
    (tmp_path / "out" / "export.yaml").write_text(EXPORT)
    for name in ("packages", "shared"):
        (tmp_path / "out" / "some" / f"{name}.json").write_text('{"numpy": "2.3"}')
    return tmp_path / "out" / "export.yaml"


def test_counts_and_remarks(run: Command, export: Path) -> None:
    result = run("import", export)
    assert result.exit_code == 0, result.stderr
    counts = dict(line.split("\t") for line in result.stdout.splitlines())
    assert counts == {"records": "1", "collections": "1", "types": "1", "ingested": "1", "declared": "2"}
    assert result.stderr.splitlines() == [
        "packages: storage class Packages is Dict here",
        "2 packages declared without bytes: it holds several datasets",
    ]
    assert run.lines("find", "/imported") == ["/imported/packages/instrument=HSC/detector=7.json"]


def test_json(run: Command, export: Path) -> None:
    assert run.json("import", "--json", export) == {
        "records": 1,
        "collections": 1,
        "types": 1,
        "ingested": 1,
        "declared": 2,
        "unchanged": 0,
        "associations": 0,
        "components": 0,
        "mapped": [{"type_name": "packages", "given": "Packages", "storage_class": "Dict"}],
        "left": [{"type_name": "packages", "reason": "it holds several datasets", "datasets": 2}],
    }
    again = run.json("import", "--json", export)
    assert isinstance(again, dict)
    assert (again["unchanged"], again["declared"]) == (3, 0)


def test_options(run: Command, export: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "some").rename(tmp_path / "some")
    text = run.json("import", "--json", "--files", "ignore", export)
    assert isinstance(text, dict)
    assert text["declared"] == 3
    found = run.json("import", "--json", "--dir", tmp_path, "--mode", "move", export)
    assert isinstance(found, dict)
    assert found["ingested"] == 1
    assert not (tmp_path / "some" / "packages.json").exists()


def test_refusals_are_one_line(run: Command, sky: Path, export: Path) -> None:
    before = snapshot(sky)
    assert "'x.yaml'" in run.fails("import", "x.yaml")
    assert "several datasets" in run.fails("import", "--files", "need", export)
    export.write_text(EXPORT[:-30])
    assert "export.yaml" in run.fails("import", export)
    export.write_text(EXPORT.replace("detector: 7}]", "detector: 8}]"))
    said = run.fails("import", export)
    assert "export.yaml: entry 4 (datasets packages in imported)" in said
    assert "detector 8" in said
    assert snapshot(sky) == before
