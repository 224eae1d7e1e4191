"""Mounts from beginning to end: daemons, signals, what others commit, and what goes wrong."""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from skyfs.errors import Exists, MissingPackage, NotAllowed, NotDirectory, NotFound, StoreError
from skyfs.mount import libfuse, table
from skyfs.mount.asking import ask
from skyfs.mount.session import MountOptions, log_file, start, wait_until_mounted
from skyfs.mount.table import find_mount, is_dead, mounts, unmount, wait_for
from skyfs.repository import Repository

from .conftest import Mounting

METRICS = "r/metrics/instrument=HSC/day_obs=20131102/exposure=903334.json"
SERVE = """
import sys
from skyfs.mount.session import serve
serve(sys.argv[1], sys.argv[2])
"""
PUT = """
import json, sys
import skyfs
with skyfs.open(sys.argv[1], writable=True) as repo:
    value = json.loads(sys.argv[2])
    repo.put(value, "metrics", run="r", instrument="HSC", exposure=903334, replace=len(sys.argv) > 3)
"""


def put(repo: Repository, value: object, *, replace: bool = False) -> None:
    repo.put(value, "metrics", run="r", instrument="HSC", exposure=903334, replace=replace)


def daemon_of(folder: Path) -> int:
    """Give the process that serves a folder."""
    mounted = find_mount(folder)
    assert mounted is not None
    process = ask(mounted.folder).pid
    assert process is not None
    assert os.fsencode(folder) in Path(f"/proc/{process}/cmdline").read_bytes()
    return process


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


# -- lifecycle -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts(empty: Repository, mounting: Mounting, number: signal.Signals) -> None:
    put(empty, {"a": 1})
    folder = mounting.start(empty)
    assert [one.folder for one in mounts() if one.folder == str(folder)] == [str(folder)]
    process = daemon_of(folder)
    os.kill(process, number)
    assert wait_for(lambda: find_mount(folder) is None, 20)
    assert wait_for(lambda: not is_alive(process), 20)
    assert list(folder.iterdir()) == []


def test_unmount_ends_the_daemon(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.start(empty)
    process = daemon_of(folder)
    unmount(folder)
    assert find_mount(folder) is None
    assert wait_for(lambda: not is_alive(process), 20)


def test_unmount_cleans_up_after_a_killed_daemon(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"a": 1})
    folder = mounting.start(empty)
    held = os.open(folder / METRICS, os.O_RDONLY)
    os.kill(daemon_of(folder), signal.SIGKILL)
    assert wait_for(lambda: is_dead(str(folder)), 20)
    with pytest.raises(OSError, match="not connected"):
        os.listdir(folder)
    unmount(folder)
    with suppress(OSError):  # it is closed all the same
        os.close(held)
    assert list(folder.iterdir()) == []
    again = mounting.start(empty)
    assert os.listdir(again) == ["r"]


def test_a_busy_mount_stays_unless_lazily(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"a": 1})
    folder = mounting.start(empty)
    with (folder / METRICS).open("rb") as file:
        with pytest.raises(NotAllowed, match="--lazy"):
            unmount(folder)
        unmount(folder, lazy=True)
        assert find_mount(folder) is None
        assert json.load(file) == {"a": 1}, "who has it open reads on"


def test_unmounting_what_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no repository is mounted there"):
        unmount(tmp_path)


def test_the_daemon_is_nobodys_child_and_holds_no_terminal(empty: Repository, mounting: Mounting) -> None:
    process = daemon_of(mounting.start(empty))
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    parent, group, terminal = int(fields[1]), int(fields[2]), int(fields[4])
    assert parent != os.getpid()
    assert group != os.getpgrp()
    assert terminal == 0
    assert Path(f"/proc/{process}/cwd").readlink() == Path("/")


def test_a_mount_in_the_foreground_of_another_process(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.folder()
    with subprocess.Popen([sys.executable, "-c", SERVE, str(empty.root), str(folder)]) as process:
        try:
            assert wait_until_mounted(folder, process).folder == str(folder)
            assert os.listdir(folder) == []
        finally:
            process.terminate()
        assert process.wait(20) == 0
    assert find_mount(folder) is None


def test_waiting_for_a_process_that_fails(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process,
        pytest.raises(StoreError, match="ended with 3"),
    ):
        wait_until_mounted(tmp_path, process)


def test_a_long_log_is_set_aside(empty: Repository, mounting: Mounting) -> None:
    log_file().write_bytes(b"earlier\n" + bytes(5 << 20))
    folder = mounting.folder()
    start(empty.root, folder)
    unmount(folder)
    assert "mounted" in log_file().read_text()
    assert log_file().with_name("mount.log.1").read_bytes().startswith(b"earlier\n")


# -- what stops it ---------------------------------------------------------------------------------------


def test_the_daemon_reports_what_stops_it(empty: Repository, mounting: Mounting, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no repository at"):
        start(tmp_path / "nowhere", mounting.folder())
    assert "no repository at" in log_file().read_text()
    with pytest.raises(NotFound, match="mkdir"):
        start(empty.root, tmp_path / "missing")
    with pytest.raises(NotDirectory):
        start(empty.root, empty.root / "skyfs.yaml")
    folder = mounting.start(empty)
    with pytest.raises(Exists, match="already"):
        start(empty.root, folder)


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingPackage, match="pip install"):
        libfuse.load()

    def unlinked(name: str) -> object:  # noqa: ARG001 - as of the original
        raise OSError("Unable to find libfuse")

    monkeypatch.setattr(importlib, "import_module", unlinked)
    with pytest.raises(MissingPackage, match="apt-get install fuse3"):
        libfuse.load()


def test_a_daemon_that_says_nothing(
    empty: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    del home
    (tmp_path / "mnt").mkdir()
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(StoreError, match=re.escape("mount.log")):
        start(empty.root, tmp_path / "mnt")


# -- freshness -------------------------------------------------------------------------------------------


def test_what_another_process_commits_is_seen(empty: Repository, mounting: Mounting) -> None:
    """See it appear; that it takes no longer than a second, the core's tests of its timeouts say."""
    folder = mounting.start(empty)
    file = folder / METRICS
    assert os.listdir(folder) == []
    assert not file.exists()
    subprocess.run([sys.executable, "-c", PUT, str(empty.root), '{"a": 1}'], check=True)
    assert wait_for(file.exists, 20)
    assert wait_for(lambda: os.listdir(folder) == ["r"], 20)
    assert json.loads(file.read_bytes()) == {"a": 1}
    longer = {"a": 2, "text": "x" * 100_000}
    subprocess.run([sys.executable, "-c", PUT, str(empty.root), json.dumps(longer), "replace"], check=True)

    def value() -> object:
        data = file.read_bytes()
        return json.loads(data)  # whole at any moment, old or new

    assert wait_for(lambda: value() == longer, 20)


def test_a_replaced_dataset_is_whole_at_every_moment(empty: Repository, mounting: Mounting) -> None:
    """Replace again and again while somebody reads: each read gives one content, never two."""
    values = [{"text": letter * size} for letter, size in (("a", 10), ("b", 200_000), ("c", 3_000))]
    put(empty, values[0])
    file = mounting.start(empty) / METRICS
    seen = set()
    for turn in range(30):
        put(empty, values[turn % 3], replace=True)
        for _ in range(3):
            text = json.loads(file.read_bytes())["text"]
            assert {"text": text} in values
            seen.add(text[0])
    assert seen == {"a", "b", "c"}
    assert wait_for(lambda: json.loads(file.read_bytes()) == values[29 % 3], 20)


def test_removed_while_open(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"text": "x" * 500_000})
    file = mounting.start(empty) / METRICS
    size = file.stat().st_size
    with file.open("rb", buffering=0) as opened:
        head = opened.read(1000)
        empty.remove([empty.find("metrics", collections="r", instrument="HSC", exposure=903334)])
        assert wait_for(lambda: not file.exists(), 20)
        rest = io.BytesIO()
        while part := opened.read(50_000):
            rest.write(part)
    assert len(head) + len(rest.getvalue()) == size
    assert json.loads(head + rest.getvalue()) == {"text": "x" * 500_000}


def test_relative_locations(empty: Repository, mounting: Mounting, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mounting.folder()
    monkeypatch.chdir(empty.root.parent)
    assert start("./sky", folder.name).folder == str(folder)


def test_only_the_named_collections(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"a": 1})
    empty.put({"a": 2}, "summary", run="other/one")
    folder = mounting.start(empty, MountOptions(collections=("other",)))
    assert os.listdir(folder) == ["other"]
    with pytest.raises(FileNotFoundError):
        (folder / "r").stat()


# -- damage ----------------------------------------------------------------------------------------------


def test_a_lost_artifact_is_an_error_and_the_mount_lives(empty: Repository, mounting: Mounting) -> None:
    put(empty, {"a": 1})
    empty.put({"b": 1}, "summary", run="r")
    folder = mounting.start(empty)
    (lost,) = (file for file in (empty.root / "data").rglob("*.json") if "metrics" in str(file))
    lost.unlink()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is asserted
        (folder / METRICS).read_bytes()
    assert caught.value.errno in (errno.ENOENT, errno.EIO)
    assert json.loads((folder / "r/summary.json").read_bytes()) == {"b": 1}
    cut = next(file for file in (empty.root / "data").rglob("*.json") if "summary" in str(file))
    cut.chmod(0o600)
    os.truncate(cut, 2)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is asserted
        (folder / "r/summary.json").read_bytes()
    assert caught.value.errno == errno.EIO
    assert "instead of" in log_file().read_text()
    assert os.listdir(folder) == ["r"]


def test_the_table_of_the_kernel_is_read_right() -> None:
    text = (
        "36 35 0:33 / /mnt/a\\040b\\134c ro,nosuid shared:1 - fuse.skyfs skyfs:dr1 ro,user_id=0\n"
        "37 35 0:34 / /mnt/other rw - fuse.sshfs host: rw\n"
        "38 35 0:35 / /mnt/é ro master:1 shared:2 - fuse.skyfs skyfs:x-y ro\n"
    )
    found = table._parse(text)  # noqa: SLF001 - mounts with such names would need more than a folder
    assert [(one.folder, one.repository, one.device) for one in found] == [
        ("/mnt/a b\\c", "dr1", "0:33"),
        ("/mnt/é", "x-y", "0:35"),
    ]
