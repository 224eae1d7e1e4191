"""YAML exports for Rubin data butlers: the peer imports them, and so do we."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path

import pytest
from astropy.table import Table
from lsst import sphgeom

import skyfs
from skyfs.errors import Unsupported
from skyfs.repository import Repository

from .conftest import CAMERA, CHECKOUT, Empty, contents, define

_IMPORT = textwrap.dedent("""
    import json, sys
    from lsst.daf.butler import Butler
    root, export = sys.argv[1:]
    Butler.makeRepo(root)
    butler = Butler.from_config(root, writeable=True)
    butler.import_(filename=export, transfer="direct")
    found = {}
    for name in ("metrics", "src"):
        for ref in butler.query_datasets(name, collections="*", find_first=False, explain=False):
            value = butler.get(ref)
            found[str(ref.id)] = value if name == "metrics" else list(map(float, value["flux"]))
    visits = [
        [one.id, one.name, str(one.timespan), one.exposure_time, one.region and one.region.encode().hex()]
        for one in butler.query_dimension_records("visit")
    ]
    with butler.query() as query:
        bias = [
            [str(one.ref.id), str(one.timespan)]
            for one in butler.registry.queryDatasetAssociations("bias", collections="calib")
        ]
    tagged = [str(one.id) for one in butler.query_datasets("metrics", collections="best", find_first=False)]
    chain = list(butler.collections.get_info("all").children)
    print(json.dumps({"found": found, "visits": visits, "bias": bias, "tagged": tagged, "chain": chain}))
""")


@pytest.fixture(scope="module")
def peer() -> str:
    """The peer's Python."""
    python = os.environ.get("SKYFS_PEER_PYTHON", str(CHECKOUT / ".venv-peer" / "bin" / "python"))
    if not Path(python).exists():
        if os.environ.get("CI") == "true":
            pytest.fail("CI=true, but lsst-daf-butler has no environment")
        pytest.skip("lsst-daf-butler has no environment of its own")
    return python


@pytest.fixture
def sky(new: Empty) -> Repository:
    """What a butler can read: documents, tables, calibrations, tags and a chain."""
    repo = new("sky")
    define(repo)
    polygon = sphgeom.ConvexPolygon(
        [sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(*one)) for one in ((1, 1), (2, 1), (2, 2))]
    )
    span = ("2013-11-03T09:00:00", None)
    more = {"name": "\x7fv: 'ö' \u2028", "exposure_time": 1e-05, "region": polygon, "timespan": span}
    repo.insert("visit", [{**CAMERA, "id": 9, "physical_filter": "HSC-I", "day_obs": 20131103, **more}])
    repo.insert(
        "skymap",
        [{"name": "rings", "hash": b"\x00\xff", "tract_max": 1, "patch_nx_max": 1, "patch_ny_max": 1}],
    )
    repo.register("src", ["visit", "detector"], "Table")
    repo.register("bias", ["detector"], "Dict", calibration=True)
    made = [
        repo.put({"seeing": n / 10}, "metrics", run="u/a b", **CAMERA, visit=n, detector=0) for n in (1, 9)
    ]
    repo.put(Table({"flux": [1.5, 2.5]}), "src", run="u/a b", **CAMERA, visit=1, detector=1)
    without = repo.declare("metrics", [{**CAMERA, "visit": 2, "detector": 0}], run="u/a b")
    later = repo.declare("bias", [{**CAMERA, "detector": 1}], run="b/1")
    repo.tag([*made[:1], *without], "best")
    repo.tag(without, "without")
    repo.certify(later, "calib")
    for number, begin, end in ((1, None, "2013-11-03"), (2, "2013-11-03", None)):
        repo.certify(
            [repo.put({"n": number}, "bias", run=f"b/{number}", **CAMERA, detector=0)], "calib", begin, end
        )
    repo.chain("all", ["u/a b", "calib"])
    repo.lock("b/1")
    return repo


def test_the_peer_imports_it(sky: Repository, peer: str, tmp_path: Path) -> None:
    assert sky.export_rubin(tmp_path / "export.yaml") == 5
    command = [peer, "-c", _IMPORT, str(tmp_path / "butler"), str(tmp_path / "export.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    stored = sky.query("metrics", collections="u/*", where="visit != 2", find_first=False)
    expected: dict[str, object] = {str(ref.id): sky.get(ref) for ref in stored}
    (src,) = sky.query("src", collections="u/*")
    assert told["found"] == {**expected, str(src.id): [1.5, 2.5]}
    (visit,) = (one for one in sky.records("visit") if one["id"] == 9)
    (theirs,) = (one for one in told["visits"] if one[0] == 9)
    assert (theirs[1], theirs[3]) == (visit["name"], 1e-05)
    assert theirs[2] == "[2013-11-03T09:00:00, ∞)"
    assert bytes.fromhex(theirs[4]) == visit["region"]
    assert len(told["bias"]) == 2
    assert told["chain"] == ["u/a b", "calib"]
    # What has no bytes is left out, and with it its tag and validity.
    assert told["tagged"] == [
        str(ref.id) for ref in sky.query("metrics", collections="best", where="visit != 2")
    ]


def test_we_import_it(sky: Repository, new: Empty, tmp_path: Path) -> None:
    sky.export_rubin(tmp_path / "export.yaml", "metrics", where="visit = 9", **CAMERA)
    other = new("other")
    assert other.import_export(tmp_path / "export.yaml", mode="copy").ingested == 1
    assert list(contents(other).values()) == [b for path, b in contents(sky).items() if "visit=9" in path]


def test_what_butlers_cannot_read(source: Repository, tmp_path: Path) -> None:
    for name, reason in (("flat", r"butlers read no Array of \.npy"), ("raw", "parts of files")):
        with pytest.raises(Unsupported, match=reason):
            source.export_rubin(tmp_path / "export.yaml", name)
    assert not list(tmp_path.glob("*export*"))


def test_other_dimensions(tmp_path: Path) -> None:
    universe = {"name": "mine", "elements": {"thing": {"keys": [{"name": "id", "type": "int"}]}}}
    with (
        skyfs.create(tmp_path / "mine", universe=universe) as repo,
        pytest.raises(Unsupported, match="daf_butler"),
    ):
        repo.export_rubin(tmp_path / "export.yaml")
