"""mount, mounts, umount: by folder and by recipe."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.mount.table import find_mount, mounts, unmount, wait_for

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
    assert f"{folder}\tsky\tmounted" in run.lines("mounts")
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
    run.lines("mount", "mine")
    assert [path.name for path in (tmp_path / "mountpoints" / "mine").iterdir()] == ["HSC"]
    run.lines("umount", "mine")
    assert list((tmp_path / "mountpoints" / "mine").iterdir()) == []


def test_foreground_ends_by_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "skyfs", "mount", "./sky", str(folder), "--foreground"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"Ctrl-C ends it" in process.stderr.readline()
        assert (folder / "HSC").is_dir()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert b"Traceback" not in said
    assert wait_for(lambda: find_mount(folder) is None, 10)
    assert list(folder.iterdir()) == []
