"""Where a repository can be mounted, and where not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import skyfs
from skyfs.errors import Exists, NotAllowed, StoreError
from skyfs.mount.options import MountOptions
from skyfs.mount.session import start
from skyfs.mount.table import find_mount, is_dead, unmount, users_of, wait_for
from skyfs.repository import Repository

from .conftest import OPTIONS, Mounting
from .test_daemon import daemon_of, is_alive, put

METRICS = "r/metrics/instrument=HSC/day_obs=20131102/exposure=903334.json"


@pytest.mark.parametrize("inside", ["sky", "sky/data", "sky/mnt", "", "disk", "disk/mnt", "cache"])
def test_a_mount_that_would_wait_for_itself(tmp_path: Path, mounting: Mounting, inside: str) -> None:
    stores = [{"name": "local", "url": "data"}, {"name": "disk", "url": str(tmp_path / "disk")}]
    options = {**OPTIONS, "cache": {"folder": str(tmp_path / "cache")}}
    skyfs.create(tmp_path / "sky", stores=stores, options=options).close()
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    mounting.folders.append(folder)
    with pytest.raises(NotAllowed, match="keeps its files in") as caught:
        start(tmp_path / "sky", folder)
    assert "neither lies in it nor holds it" in str(caught.value)
    assert find_mount(folder) is None


def test_symbolic_links_do_not_hide_where_a_mount_is(
    empty: Repository, mounting: Mounting, tmp_path: Path
) -> None:
    (empty.root / "mnt").mkdir()
    (tmp_path / "link").symlink_to(empty.root / "mnt")
    with pytest.raises(NotAllowed, match="keeps its files in"):
        start(empty.root, tmp_path / "link", MountOptions(engine=mounting.engine))


def test_beside_the_repository_with_a_longer_name(
    empty: Repository, mounting: Mounting, tmp_path: Path
) -> None:
    folder = tmp_path / "sky2"
    folder.mkdir()
    mounting.folders.append(folder)
    start(empty.root, folder, MountOptions(engine=mounting.engine))
    assert os.listdir(folder) == []


def test_over_a_dead_mount(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.start(empty)
    with pytest.raises(Exists, match=f"already.*skyfs umount {folder}"):
        start(empty.root, folder)
    os.kill(daemon_of(folder), signal.SIGKILL)
    assert wait_for(lambda: is_dead(str(folder)), 20)
    with pytest.raises(Exists, match=f"daemon is dead.*skyfs umount {folder}"):
        start(empty.root, folder)


def test_a_busy_mount_names_who_is_in_it(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"a": 1})
    folder = mounting.start(empty)
    assert users_of(str(folder)) == []
    with subprocess.Popen(["sleep", "100"], cwd=folder / "r") as sleeper:
        try:
            with pytest.raises(NotAllowed, match=rf"in use by sleep \({sleeper.pid}\).*skyfs umount --lazy"):
                unmount(folder)
        finally:
            sleeper.kill()
    with (folder / METRICS).open("rb"):
        assert [one.rpartition("(")[2] for one in users_of(str(folder))] == [f"{os.getpid()})"]
    unmount(folder)


def test_a_mount_whose_daemon_hangs_can_be_taken_away(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.start(empty)
    process = daemon_of(folder)
    os.kill(process, signal.SIGSTOP)
    try:
        unmount(folder)
        assert find_mount(folder) is None
        assert os.listdir(folder) == []
    finally:
        os.kill(process, signal.SIGCONT)
    assert wait_for(lambda: not is_alive(process), 20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_also_while_files_are_open(
    empty: Repository, mounting: Mounting, number: signal.Signals
) -> None:
    put(empty, {"text": "x" * 3_000_000})
    folder = mounting.start(empty)
    process = daemon_of(folder)
    held = os.open(folder / METRICS, os.O_RDONLY)
    assert os.pread(held, 4, 0) == b"{\n  "
    os.kill(process, number)
    assert wait_for(lambda: find_mount(folder) is None, 20)
    assert wait_for(lambda: not is_alive(process), 20)
    # The daemon is asked no more: an error, or, where the kernel reads by itself, the bytes.
    with suppress(OSError):
        assert os.pread(held, 1000, 2_900_000) == b"x" * 1000
    with suppress(OSError):  # it is closed all the same
        os.close(held)
    start(empty.root, folder, MountOptions(engine=mounting.engine))
    assert json.loads((folder / METRICS).read_bytes()) == {"text": "x" * 3_000_000}


def test_a_killed_daemon_leaves_a_repository_that_is_whole(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"a": 1})
    empty.close()
    folder = mounting.start(empty, MountOptions(writable=True))
    assert (folder / METRICS).read_bytes()
    os.kill(daemon_of(folder), signal.SIGKILL)
    assert wait_for(lambda: is_dead(str(folder)), 20)
    subprocess.run([sys.executable, "-m", "skyfs", "umount", str(folder)], check=True)
    with skyfs.open(empty.root, writable=True) as repo:
        assert repo.get("metrics", collections="r", instrument="HSC", exposure=903334) == {"a": 1}
    left = [path.name for path in (empty.root / "data").rglob("*") if path.is_file()]
    assert left == ["exposure=903334.json"]


def test_two_mounts_see_what_is_put(empty: Repository, mounting: Mounting) -> None:
    """See it appear in both; that it takes no longer than a second, the tests of the timeouts say."""
    first, second = mounting.start(empty), mounting.start(empty)
    assert os.listdir(first) == os.listdir(second) == []
    put(empty, {"a": 1})
    for folder in (first, second):
        assert wait_for((folder / METRICS).exists, 20)
    put(empty, {"a": 2}, replace=True)
    for folder in (first, second):
        assert wait_for(lambda: json.loads((folder / METRICS).read_bytes()) == {"a": 2}, 20)  # noqa: B023 - at once


def test_a_daemon_that_cannot_get_ready_says_why(empty: Repository, mounting: Mounting) -> None:
    (empty.root / "skyfs.yaml").write_text("skyfs: 1\nname: sky\nstores: 3\n")
    with pytest.raises(ValueError, match="list is wanted"):
        start(empty.root, mounting.folder())
    (empty.root / "skyfs.yaml").write_text("skyfs: 1\nname: sky\n")
    (empty.root / "registry.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises((StoreError, OSError, ValueError)) as caught:
        start(empty.root, mounting.folder())
    assert "registry" in str(caught.value)
