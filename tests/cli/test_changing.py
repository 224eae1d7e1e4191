"""cp, get, put, rm, ln, register, collections, records --insert, init, destroy: what they leave behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.cli.copying import Side, side_of
from skyfs.testing.snapshot import snapshot

from .conftest import Command, Shell

CALEXP = "/HSC/runs/a/calexp/instrument=HSC/day_obs=20131102/visit=903334"

pytestmark = pytest.mark.usefixtures("sky")


@pytest.fixture
def stored(sky: Path) -> bytes:
    """The bytes of the image of detector 0."""
    return next(sky.rglob("detector=0.fits")).read_bytes()


# -- cp ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "side"),
    [
        (":/HSC/x.fits", Side.REPOSITORY),
        ("skyfs:/HSC/x.fits", Side.REPOSITORY),
        ("skyfs://sky/HSC/x.fits", Side.REPOSITORY),
        ("x.fits", Side.LOCAL),
        ("./x.fits", Side.LOCAL),
        ("~/x.fits", Side.LOCAL),
        ("file:/tmp/x.fits", Side.LOCAL),
        ("/tmp/x.fits", Side.OPEN),
    ],
)
def test_the_spelling_tells_the_side(argument: str, side: Side) -> None:
    assert side_of(argument) is side


@pytest.mark.parametrize(
    "target", ["out.fits", "./out.fits", "{}/out.fits", "file:{}/out.fits", "file://{}/out.fits"]
)
@pytest.mark.parametrize("mark", ["", ":", "skyfs:"])
def test_cp_out(run: Command, tmp_path: Path, stored: bytes, target: str, mark: str) -> None:
    run.lines("cp", f"{mark}{CALEXP}/detector=0.fits", target.format(tmp_path))
    assert (tmp_path / "out.fits").read_bytes() == stored


def test_cp_out_obeys_the_umask(run: Command, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        run.lines("cp", f"{CALEXP}/detector=0.fits", "out.fits")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.fits").stat().st_mode) == 0o640


def test_cp_out_into_a_folder_with_wildcards(run: Command, tmp_path: Path, stored: bytes) -> None:
    run.lines("cp", f"{CALEXP}/detector=*.fits", ".")
    assert (tmp_path / "detector=0.fits").read_bytes() == stored
    assert (tmp_path / "detector=1.fits").exists()


def test_cp_out_recursively(run: Command, tmp_path: Path, stored: bytes) -> None:
    run.lines("cp", "-r", "/HSC/runs/a", "copy")
    assert (
        tmp_path / "copy" / CALEXP.removeprefix("/HSC/runs/a/") / "detector=0.fits"
    ).read_bytes() == stored
    run.lines("cp", "-r", "/HSC/runs/a", "copy")
    assert len(list((tmp_path / "copy" / "a").rglob("*=*.*"))) == 5


def test_cp_out_replaces_only_when_told(run: Command, tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "out.fits").write_text("mine")
    run.fails("cp", f"{CALEXP}/detector=0.fits", "out.fits")
    assert (tmp_path / "out.fits").read_text() == "mine"
    run.lines("cp", "--replace", f"{CALEXP}/detector=0.fits", "out.fits")
    assert (tmp_path / "out.fits").read_bytes() == stored


@pytest.mark.parametrize("source", ["{}/t.parquet", "./t.parquet", "file:{}/t.parquet"])
def test_cp_of_a_file_to_a_new_path_registers_type_run_and_dataset(
    run: Command, tmp_path: Path, source: str
) -> None:
    Table({"flux": [1.0, 2.0]}).write(tmp_path / "t.parquet")
    run.lines("cp", source.format(tmp_path), "/u/me/r1/stars/instrument=HSC/visit=903334.parquet")
    assert "stars\tinstrument visit\tTable\t" in run.lines("types")
    assert any(line.startswith("u/me/r1\tRUN\t") for line in run.lines("collections"))
    with skyfs.open("sky") as repo:
        table = repo.get("stars", collections="u/me/r1", instrument="HSC", visit=903334)
    assert isinstance(table, Table)
    assert list(table["flux"]) == [1.0, 2.0]


def test_cp_in_to_a_folder_takes_the_name_of_the_file(run: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("clear")
    (tmp_path / "weather.txt").write_text("fair")
    run.lines("cp", "notes.txt", "weather.txt", ":/u/me/")
    run.lines("cp", "notes.txt", ":/u/me/r1/log.txt")
    assert sorted(run.lines("find", "/u")) == ["/u/me/notes.txt", "/u/me/r1/log.txt", "/u/me/weather.txt"]


def test_cp_in_recursively_is_all_or_nothing(run: Command, sky: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "metrics" / "instrument=HSC"
    folder.mkdir(parents=True)
    (folder / "visit=903334.json").write_text("{}")
    (folder / "visit=1.json").write_text("{}")
    before = snapshot(sky)
    assert "visit=1" in run.fails("cp", "-r", "made", ":/u/r1")
    assert snapshot(sky) == before
    (folder / "visit=1.json").unlink()
    run.lines("cp", "-r", "made", ":/u/r1")
    assert run.lines("find", "/u") == ["/u/r1/metrics/instrument=HSC/day_obs=20131102/visit=903334.json"]


def test_cp_in_and_out_again_gives_the_same_bytes(run: Command, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "in").write_bytes(data)
    run.lines("cp", "in", ":/u/x/blob")
    run.lines("cp", ":/u/x/blob", "out")
    assert (tmp_path / "out").read_bytes() == data


def test_cp_of_what_is_on_both_sides_asks(run: Command, tmp_path: Path) -> None:
    where = tmp_path / "both.txt"
    where.write_text("local")
    run.lines("cp", "both.txt", f":{where}")
    assert f"write :{where}" in run.fails("cp", where, "/u/new.txt")


def test_cp_out_as_another_format(run: Command, tmp_path: Path) -> None:
    run.lines("cp", "--as", "npy", f":{CALEXP}/detector=0.fits", ".")
    assert np.load(tmp_path / "detector=0.npy").ndim == 2
    run.lines("cp", "-r", "--as", ".csv", ":/HSC/runs/a/src", "tables")
    names = [path.name for path in (tmp_path / "tables").rglob("*") if path.is_file()]
    assert names
    assert all(name.endswith(".csv") for name in names)
    before = sorted(tmp_path.rglob("*"))
    assert "does not convert" in run.fails("cp", "--as", "png", ":/HSC/runs/a/src", "more", "-r")
    assert "no format" in run.fails("cp", "--as", "parqet", f":{CALEXP}/detector=0.fits", "x")
    assert "--as" in run.fails("cp", "--as", "csv", "tables", ":/u/me/r9", "-r", status=2)
    assert sorted(tmp_path.rglob("*")) == before


# -- get, put --------------------------------------------------------------------------------------------


def test_get_by_data_id(run: Command, tmp_path: Path, stored: bytes) -> None:
    identity = ("instrument=HSC", "visit=903334", "full_name=1_0", "-c", "HSC/defaults")
    assert run.lines("get", "calexp", *identity, "-o", "out.fits") == ["out.fits"]
    assert (tmp_path / "out.fits").read_bytes() == stored
    run.lines("get", "calexp", *identity, "-o", ".", "--flat")
    assert (tmp_path / "calexp_HSC_903334_0.fits").read_bytes() == stored


def test_get_converts_to_the_extension_of_the_output(run: Command, tmp_path: Path) -> None:
    run.lines(
        "get", "calexp", "instrument=HSC", "visit=903334", "detector=1", "-c", "HSC/runs/a", "-o", "x.npy"
    )
    assert np.load(tmp_path / "x.npy")[0, 0] == 1


def test_get_and_cat_as_another_format(run: Command, tmp_path: Path) -> None:
    identity = ("instrument=HSC", "visit=903334", "full_name=1_0", "-c", "HSC/defaults")
    run.lines("get", "calexp", *identity, "--as", "png", "-o", "picture")
    assert (tmp_path / "picture").read_bytes().startswith(b"\x89PNG")
    run.lines("get", f":{CALEXP}/detector=0.fits", "--as", ".jpg", "-o", ".", "--flat")
    assert (tmp_path / "calexp_HSC_903334_0.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert run("cat", "--as", "npy", f"{CALEXP}/detector=0.fits").stdout_bytes.startswith(b"\x93NUMPY")


def test_get_of_a_calibration_by_time(run: Command, tmp_path: Path) -> None:
    which = ("flat", "instrument=HSC", "detector=0", "physical_filter=HSC-I", "-c", "HSC/calib")
    for time, value in (("2013-01-01", 1), ("2013-12-01", 2)):
        run.lines("get", *which, "--time", time, "-o", f"{time}.fits")
        assert fits.getdata(tmp_path / f"{time}.fits")[0, 0] == value
    assert "time=" in run.fails("get", *which, "-o", "never.fits")


def test_get_by_path_and_to_standard_output(run: Command, stored: bytes) -> None:
    assert run("get", f"{CALEXP}/detector=0.fits", "-o", "-").stdout_bytes == stored


def test_put(run: Command, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"n": 1}')
    (path,) = run.lines("put", "m.json", "metrics", "-r", "u/r", "instrument=HSC", "visit=903334")
    assert path == "/u/r/metrics/instrument=HSC/day_obs=20131102/visit=903334.json"
    assert run.json("cat", path) == {"n": 1}
    assert (tmp_path / "m.json").exists()


# -- rm, ln ----------------------------------------------------------------------------------------------


def test_rm_deletes_through_a_run(run: Command, sky: Path) -> None:
    assert run.lines("rm", f"{CALEXP}/detector=0.fits") == []
    assert run.lines("ls", CALEXP) == ["detector=1.fits"]
    assert not list(sky.rglob("detector=0.fits"))


def test_rm_of_one_missing_path_removes_none(run: Command, sky: Path) -> None:
    before = snapshot(sky)
    run.fails("rm", f"{CALEXP}/detector=0.fits", f"{CALEXP}/detector=7.fits")
    assert snapshot(sky) == before


def test_rm_r_and_wildcards(run: Command) -> None:
    run.lines("rm", f"{CALEXP}/detector=*")
    assert run.lines("ls", "/HSC/runs/a") == ["metrics/", "src/"]
    run.lines("rm", "-r", "/HSC/runs/a")
    assert run.lines("ls", "/HSC") == ["calib/", "defaults/"]


def test_ln_tags_and_rm_untags(run: Command) -> None:
    run.lines("ln", f"{CALEXP}/detector=*", "/best/")
    tagged = CALEXP.replace("/HSC/runs/a", "/best")
    assert run.lines("find", "/best") == [f"{tagged}/detector={n}.fits" for n in (0, 1)]
    run.lines("rm", f"{tagged}/detector=0.fits")
    assert run.lines("find", "/best") == [f"{tagged}/detector=1.fits"]
    assert len(run.lines("ls", CALEXP)) == 2
    run.lines("ln", "-r", "/HSC/runs/a/src", "/best")
    assert len(run.lines("find", "/best")) == 3


# -- definitions -----------------------------------------------------------------------------------------


def test_register(run: Command) -> None:
    asked = ("register", "psf", "visit", "detector", "Dict", "--capture", "fwhm=json:/fwhm")
    assert run.lines(*asked) == ["psf (instrument, visit, detector) Dict"]
    assert "psf\tinstrument visit detector\tDict\tfwhm=json:/fwhm" in run.lines("types")


def test_collections_are_created_chained_locked_and_removed(run: Command) -> None:
    run.lines("collections", "--create", "u/a", "u/b")
    run.lines("collections", "--create", "best", "--kind", "tagged")
    run.lines("collections", "--chain", "u/all", "u/b", "u/a")
    kinds = {line.split("\t")[0]: line.split("\t")[1] for line in run.lines("collections")}
    assert (kinds["u/a"], kinds["best"], kinds["u/all"]) == ("RUN", "TAGGED", "CHAINED")
    assert run.lines("collections", "u/all") == ["u/all\tCHAINED\t\t\tu/b u/a"]
    run.lines("collections", "--lock", "HSC/runs/a")
    assert "locked" in run.fails("rm", f"{CALEXP}/detector=0.fits")
    run.lines("collections", "--unlock", "HSC/runs/a")
    run.lines("collections", "--remove", "HSC/runs/a", "--unlink")
    run.lines("collections", "--remove", "best")
    assert {"HSC/runs/a", "best"}.isdisjoint(line.split("\t")[0] for line in run.lines("collections"))
    assert run.lines("ls", "/HSC") == ["calib/", "defaults/"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.csv", "instrument,id,full_name,raft\nHSC,7,1_7,\nHSC,8,1_8,R0\n"),
        (
            "d.yaml",
            "- {instrument: HSC, id: 7, full_name: '1_7'}\n- {instrument: HSC, id: 8, raft: R0}\n",
        ),
        (
            "d.json",
            '[{"instrument": "HSC", "id": 7, "raft": "R1"}, {"instrument": "HSC", "id": 8, "raft": "R0"}]',
        ),
    ],
)
def test_records_from_files(run: Command, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert run.lines("records", "detector", "--insert", name) == ["2 new of 2 detector records"]
    found = run.json("records", "detector", "--json", "raft=R0")
    assert isinstance(found, list)
    assert [(one["id"], one["raft"]) for one in found] == [(8, "R0")]


def test_records_that_differ_need_replace(run: Command, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("instrument,id,full_name\nHSC,0,other\n")
    assert "full_name" in run.fails("records", "detector", "--insert", "d.csv")
    run.lines("records", "detector", "--insert", "d.csv", "--replace")
    assert "HSC\t0\tother" in run.lines("records", "detector", "id=0")[1]


def test_init_and_destroy(run: Command, tmp_path: Path) -> None:
    assert run.lines("init", "new", "--name", "fresh", "--auto-register", "off") == [
        f"{tmp_path}/new: repository 'fresh'"
    ]
    assert run.lines("-r", "fresh", "ls") == []
    assert "auto_register: 'off'  # file" in run.lines("-r", "fresh", "config")
    refused = run("destroy", "fresh")
    assert (refused.exit_code, (tmp_path / "new").exists()) == (130, True)
    run.lines("destroy", "fresh", "--yes")
    assert not (tmp_path / "new").exists()
    assert "fresh" in run.fails("-r", "fresh", "ls")


# -- beside other writers ------------------------------------------------------------------------------


def test_what_was_looked_at_is_changed_beside_another_writer(sky: Path, shell: Shell, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("text")
    with skyfs.open(sky, writable=True) as other:
        other.put({"n": 1}, "metrics", run="other", instrument="HSC", visit=903334)
        metrics = "/other/metrics/instrument=HSC/day_obs=20131102/visit=903334.json"
        for arguments in (
            ["cp", str(text), "/u/me/text.txt"],  # which of them is local has to be looked up
            ["ln", metrics, "/tagged/"],
            ["rm", metrics],
        ):
            done = shell(*arguments)
            assert (done.returncode, done.stderr) == (0, b"")
        fs = skyfs.filesystem(other)
        assert (fs.cat("/u/me/text.txt"), fs.exists(metrics)) == (b"text", False)
