"""mount, mounts, umount: by folder and by recipe."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.mount.table import find_mount, is_dead, mounts, unmount, wait_for

from .conftest import Command

pytestmark = pytest.mark.usefixtures("sky", "fuse")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder to mount at; nothing below the test's folder stays mounted."""
    where = tmp_path / "mnt"
    where.mkdir()
    yield where
    for one in mounts():
        if Path(one.folder).is_relative_to(tmp_path):
            unmount(one.folder, lazy=True)


def test_mount_shows_the_repository_until_umount(run: Command, sky: Path, folder: Path) -> None:
    assert run.lines("mount", "./sky", "mnt", "-c", "HSC/runs/a") == [f"{folder}: mounted ./sky"]
    (line,) = [line for line in run.lines("mounts") if line.startswith(f"{folder}\t")]
    assert line.split("\t")[:3] == [str(folder), "sky", "mounted"]
    assert line.split("\t")[4] == "read-only"
    pid = int(line.split("\t")[5])
    assert str(folder) in Path(f"/proc/{pid}/cmdline").read_text()
    assert [path.name for path in (folder / "HSC").iterdir()] == ["runs"]
    (file,) = (folder / "HSC" / "runs" / "a" / "calexp").rglob("detector=0.*")
    assert file.read_bytes() == next((sky / "data").rglob("detector=0.fits")).read_bytes()
    assert "already" in run.fails("mount", "./sky", "mnt")
    assert run.lines("umount", "mnt") == []
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_mount_by_recipe(run: Command, sky: Path, tmp_path: Path) -> None:
    (tmp_path / "mountpoints").mkdir()
    (tmp_path / "mountpoints" / "mine.yaml").write_text(f"repository: {sky}\n")
    run.lines("mount", "mine", "--daemon")
    assert [path.name for path in (tmp_path / "mountpoints" / "mine").iterdir()] == ["HSC"]
    run.lines("umount", "mine")
    assert list((tmp_path / "mountpoints" / "mine").iterdir()) == []


def test_arguments_stand_above_the_recipe(run: Command, sky: Path, tmp_path: Path, folder: Path) -> None:
    recipe = f"repository: {sky}\ncollections: [HSC/runs/a]\nwritable: true\nreplace: true\n"
    (tmp_path / "mine.yaml").write_text(recipe)
    assert "--writable" in run.fails("mount", "mine.yaml", "mnt", "--read-only", status=2)
    run.lines("mount", "mine.yaml", "mnt", "-c", "HSC/calib/old,HSC/calib/new", "--engine", "libfuse")
    told = json.loads((folder / ".repo" / "status.json").read_text())["mount"]
    assert told["collections"] == ["HSC/calib/old", "HSC/calib/new"]
    assert (told["writable"], told["replace"]) == (True, True)
    (one,) = [one for one in all_mounts(run) if one["folder"] == str(folder)]
    assert (one["engine"], one["pid"], one["state"]) == ("libfuse", told["pid"], "mounted")


def all_mounts(run: Command) -> list[dict[str, object]]:
    found = run.json("mounts", "--json")
    assert isinstance(found, list)
    return found


def test_replacing_needs_writing(run: Command, folder: Path) -> None:
    assert "--writable" in run.fails("mount", "./sky", "mnt", "--replace", status=2)
    assert find_mount(folder) is None


def test_foreground_or_daemon(run: Command, folder: Path) -> None:
    assert "not both" in run.fails("mount", "./sky", "mnt", "--foreground", "--daemon", status=2)
    assert find_mount(folder) is None


def test_a_mount_whose_daemon_hangs_or_died(run: Command, folder: Path) -> None:
    run.lines("mount", "./sky", "mnt")
    (one,) = [one for one in all_mounts(run) if one["folder"] == str(folder)]
    pid = one["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    (one,) = [one for one in all_mounts(run) if one["folder"] == str(folder)]
    assert (one["state"], one["pid"]) == ("not answering", None)
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: is_dead(str(folder)), 20)
    (one,) = [one for one in all_mounts(run) if one["folder"] == str(folder)]
    assert one["state"] == "dead"
    assert f"skyfs umount {folder}" in run.fails("mount", "./sky", "mnt")
    run.lines("umount", "mnt")
    run.lines("mount", "./sky", "mnt")
    assert [path.name for path in folder.iterdir()] == ["HSC"]


def test_foreground_ends_by_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "skyfs", "mount", "./sky", str(folder), "--foreground"]
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
        subprocess.Popen(command, stderr=subprocess.PIPE, env=_notified(systemd, folder)) as process,
    ):
        assert process.stderr is not None
        assert f"{folder}: mounted sky".encode() in process.stderr.readline()
        assert b"Ctrl-C ends it" in process.stderr.readline()
        assert systemd.recv(100) == b"READY=1"
        assert (folder / "HSC").is_dir()
        told = json.loads((folder / ".repo" / "status.json").read_text())["mount"]
        assert (told["pid"], told["log"]) == (process.pid, "standard error")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert f"{folder}: ended".encode() in said
    assert b"Traceback" not in said
    assert wait_for(lambda: find_mount(folder) is None, 10)
    assert list(folder.iterdir()) == []


def _notified(systemd: socket.socket, folder: Path) -> dict[str, str]:
    """Give the environment of a service of Type=notify."""
    address = str(folder.parent / "notify")
    systemd.bind(address)
    systemd.settimeout(30)
    return {**os.environ, "NOTIFY_SOCKET": address}


def test_the_unit_of_the_documentation(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    page = (Path(__file__).resolve().parents[2] / "docs" / "mounting.md").read_text()
    block = page.partition("cat > skyfs@.service <<'END'\n")[2].partition("> END")[0]
    unit = tmp_path / "skyfs@mine.service"
    unit.write_text("".join(f"{line[2:]}\n" for line in block.splitlines()))
    assert "ExecStart" in unit.read_text()
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
