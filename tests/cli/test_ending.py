"""How commands end: exit status, one line, nothing changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from astropy.io import fits

from skyfs import errors
from skyfs.cli.exits import STATUS, explain
from skyfs.errors import SkyfsError

from .conftest import Command, Shell

CALEXP = "/HSC/runs/a/calexp/instrument=HSC/day_obs=20131102/visit=903334"

REFUSED = {
    "no such path": (["cat", "/HSC/nowhere"], 1, "'/HSC/nowhere'"),
    "folder": (["cat", "/HSC"], 1, "skyfs ls /HSC"),
    "bad path": (["cat", "/HSC/runs/a/calexp/visit="], 2, "no value"),
    "no conversion": (["cat", f"{CALEXP}/detector=0.parquet"], 1, "does not convert"),
    "unknown visit": (["put", "t.json", "metrics", "-r", "u", "instrument=HSC", "visit=1"], 1, "visit=1"),
    "text for a number": (
        ["put", "t.json", "metrics", "-r", "u", "instrument=HSC", "visit=x"],
        1,
        "whole number",
    ),
    "unknown dimension": (["put", "t.json", "metrics", "-r", "u", "instrument=HSC", "visti=1"], 1, "visit"),
    "half a data ID": (["put", "t.json", "metrics", "-r", "u", "instrument=HSC"], 1, "visit"),
    "no data ID": (["put", "t.json", "metrics", "-r", "u", "HSC"], 2, "KEY=VALUE"),
    "there already": (
        ["put", "t.json", "metrics", "-r", "HSC/runs/a", "instrument=HSC", "visit=903334"],
        1,
        "replace",
    ),
    "no RUN": (
        ["put", "t.json", "metrics", "-r", "HSC/defaults", "instrument=HSC", "visit=903334"],
        1,
        "CHAINED",
    ),
    "unknown extension": (["cp", "t.xyz", ":/u/x/t.xyz"], 1, ".xyz"),
    "truncated FITS": (["cp", "cut.fits", ":/u/x/cut.fits"], 1, "truncated"),
    "no such file": (["cp", "./none.fits", ":/u/x/none.fits"], 1, "none.fits"),
    "a folder for a file": (
        ["put", "folder", "metrics", "-r", "u", "instrument=HSC", "visit=903334"],
        1,
        "folder",
    ),
    "a folder without -r": (["cp", "folder", ":/u/x"], 1, "-r"),
    "copy over a dataset": (
        ["cp", "t.json", ":/HSC/runs/a/metrics/instrument=HSC/visit=903334.json"],
        1,
        "replace",
    ),
    "copy into a chain": (["cp", "t.json", ":/HSC/defaults/new.json"], 1, "CHAINED"),
    "copy to a component": (
        ["cp", "t.json", ":/u/calexp.mask/instrument=HSC/visit=903334/detector=0.npy"],
        1,
        "component",
    ),
    "both sides local": (["cp", "t.json", "u.json"], 2, ":/u.json"),
    "sources on both sides": (
        ["cp", "t.json", f":{CALEXP}/detector=0.fits", ":/u/"],
        2,
        "one after the other",
    ),
    "nothing to copy within": (["cp", ":/a", ":/b"], 1, "'/a'"),
    "a folder within without -r": (["cp", ":/HSC/runs/a", ":/b"], 1, "-r"),
    "over a dataset within": (["cp", "-r", ":/HSC/runs/a/calexp", ":/HSC/runs/a/"], 1, "replace"),
    "on neither side": (["cp", "/neither", "/nor"], 1, "neither"),
    "over a local file": (["cp", f"{CALEXP}/detector=0.fits", "./t.json"], 1, "--replace"),
    "many into no folder": (
        ["cp", f":{CALEXP}/detector=0.fits", f":{CALEXP}/detector=1.fits", "./no"],
        1,
        "mkdir",
    ),
    "rm a folder": (["rm", "/HSC/runs/a"], 1, "-r"),
    "rm nothing": (["rm", "/HSC/runs/b"], 1, "'/HSC/runs/b'"),
    "rm in a chain": (
        ["rm", "/HSC/defaults/metrics/instrument=HSC/day_obs=20131102/visit=903334.json"],
        1,
        "HSC/runs/a",
    ),
    "tag into a RUN": (["ln", f"{CALEXP}/detector=0.fits", "/HSC/runs/a"], 1, "RUN"),
    "get nothing": (
        ["get", "calexp", "instrument=HSC", "visit=1", "detector=0", "-c", "HSC/runs/a", "-o", "x"],
        1,
        "visit=1",
    ),
    "get of no type": (["get", "calxp", "-c", "HSC/runs/a", "-o", "x"], 1, "calxp"),
    "get where": (["get", "calexp", "visit=1", "-o", "x"], 2, "-c"),
    "no such collection": (
        ["get", "metrics", "visit=903334", "instrument=HSC", "-c", "HSC/b", "-o", "x"],
        1,
        "HSC/b",
    ),
    "no dimension": (["register", "new", "visti", "Image"], 1, "visit"),
    "no storage class": (["register", "new", "visit", "Imag"], 1, "Image"),
    "taken type": (["register", "calexp", "visit", "Image"], 1, "registered"),
    "no element": (["records", "visti"], 1, "visit"),
    "no column": (["records", "visit", "colour=red"], 1, "colour"),
    "records in no file": (["records", "visit", "--insert", "none.json"], 1, "none.json"),
    "records of no kind": (["records", "visit", "--insert", "t.xyz"], 1, ".csv"),
    "bad records": (["records", "visit", "--insert", "t.json"], 1, "list"),
    "chain of nothing": (["collections", "--chain", "c", "HSC/none"], 1, "HSC/none"),
    "chained RUN": (["collections", "--remove", "HSC/runs/a"], 1, "HSC/defaults"),
    "mount with replace": (["mount", "x", "folder", "--replace"], 2, "--writable"),
    "mount by no recipe": (["mount", "nothing"], 1, "nothing.yaml"),
    "umount of nothing": (["umount", "folder"], 1, "no repository is mounted"),
    "no repository": (["-r", "./none", "ls"], 1, "skyfs init"),
    "no name": (["-r", "none", "ls"], 1, "'none'"),
    "no command": (["lst"], 2, "lst"),
    "no option": (["ls", "--colour"], 2, "--colour"),
    "no argument": (["cat"], 2, "PATH"),
    "init over something": (["init", "folder"], 1, "not empty"),
    "init with no universe": (["init", "fresh", "--universe", "none.yaml"], 1, "none.yaml"),
    "destroy nothing": (["destroy", "./none", "--yes"], 1, "no repository"),
    "ingest with no rule": (["ingest", "-t", "n", "-r", "u", "--id", "visit", "t.json"], 2, "--id"),
    "ingest by no header": (
        ["ingest", "-t", "n", "-r", "u", "--id", "visit=header:NONE", "whole.fits"],
        1,
        "NONE",
    ),
    "ingest by no name": (
        ["ingest", "-t", "n", "-r", "u", "--id", r"visit=name:(\d+)", "whole.fits"],
        1,
        "does not match",
    ),
    "ingest a folder": (["ingest", "-t", "n", "-r", "u", "--id", "visit=header:V", "folder"], 1, "folder"),
    "ingest by no dimension": (["ingest", "-t", "n", "-r", "u", "--id", "visti=1", "whole.fits"], 1, "visit"),
    "ingest undefined": (
        ["ingest", "-t", "n", "-r", "u", "--id", "instrument=X", "whole.fits"],
        1,
        "instrument",
    ),
    "ingest half defined": (
        ["ingest", "-t", "n", "-r", "u", "--define", "--id", "instrument=X", "--id", "visit=1", "whole.fits"],
        1,
        "add --id physical_filter=",
    ),
}


@pytest.fixture
def files(tmp_path: Path) -> None:
    """Files that commands stumble over."""
    (tmp_path / "t.json").write_text('{"seeing": 1}')
    (tmp_path / "t.xyz").write_text("?")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside.json").write_text("{}")
    fits.PrimaryHDU([[1.0] * 100] * 100).writeto(tmp_path / "whole.fits")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "whole.fits").read_bytes()[:5000])


@pytest.mark.usefixtures("unchanged", "files")
@pytest.mark.parametrize(("arguments", "status", "said"), REFUSED.values(), ids=REFUSED)
def test_refusal_is_one_line_and_changes_nothing(
    run: Command, tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    before = _names(tmp_path)
    assert said in run.fails(*arguments, status=status)
    assert _names(tmp_path) == before


def test_every_error_has_an_exit_status() -> None:
    codes = {
        one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SkyfsError)
    }
    assert set(STATUS) == codes


def test_foreign_errors_are_one_line() -> None:
    assert explain(OSError(28, "No space left on device", "/x")) == ("No space left on device: /x", 1)
    message, status = explain(RuntimeError("two\nlines"))
    assert (message, status) == ("RuntimeError: two lines (a mistake in skyfs; SKYFS_DEBUG=1 shows where)", 1)


@pytest.mark.usefixtures("sky")
def test_traceback_only_when_debugging(shell: Shell) -> None:
    quiet, loud = shell("ls", "/no"), shell("ls", "/no", SKYFS_DEBUG="1")
    assert quiet.stderr == b"skyfs: nothing at '/no' (in / there are HSC)\n"
    assert b"Traceback" in loud.stderr
    assert quiet.returncode == loud.returncode == 1


def test_no_repository_named_says_what_to_do(run: Command) -> None:
    assert "-r REPO" in run.fails("ls", status=2)


@pytest.mark.usefixtures("sky")
def test_binary_output_of_a_process(shell: Shell, sky: Path) -> None:
    done = shell("cat", f"{CALEXP}/detector=0.fits")
    assert done.stdout == next(sky.rglob("detector=0.fits")).read_bytes()
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.usefixtures("sky")
def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(1 << 20))
    subprocess.run([sys.executable, "-m", "skyfs", "cp", "big", ":/u/x/big"], check=True)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "skyfs", "cat", "/u/x/big"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.usefixtures("sky")
def test_ctrl_c_exits_with_130(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(1 << 22))
    subprocess.run([sys.executable, "-m", "skyfs", "cp", "big", ":/u/x/big"], check=True)
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "skyfs", "cat", "/u/x/big"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    os.read(reader, 1)  # it is writing now, and soon stuck: nobody reads on
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    os.close(reader)
    assert process.returncode == 130
    assert b"Traceback" not in said


@pytest.mark.usefixtures("unchanged")
def test_a_full_disk_is_one_line(run: Command, small_disk: Path) -> None:
    where = small_disk / "out.fits"
    (small_disk / "filler").write_bytes(bytes((1 << 20) - 4096))
    assert "No space" in run.fails("cp", f":{CALEXP}/detector=0.fits", f"file:{where}")
    assert sorted(one.name for one in small_disk.iterdir()) == ["filler"]


def test_a_full_repository_is_one_line_and_stays_as_it_was(
    run: Command, tmp_path: Path, small_disk: Path
) -> None:
    root = small_disk / "sky"
    run.lines("init", root)
    big = tmp_path / "big.fits"
    fits.PrimaryHDU([[1.0] * 600] * 600).writeto(big)
    assert "space" in run.fails("-r", root, "cp", f"file:{big}", ":/u/x/big.fits")
    assert run.lines("-r", root, "find") == []
    assert not [path for path in (root / "data").rglob("*") if path.is_file()]


def _names(folder: Path) -> list[Path]:
    """Give all that is below a folder, without the files that SQLite keeps beside an open database."""
    return sorted(path for path in folder.rglob("*") if "registry.sqlite3-" not in path.name)
