"""What programs write through a mount: who sees it, whose it is, and what is left when the daemon ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

import skyfs
from skyfs.mount.options import MountOptions
from skyfs.mount.serving import EngineName
from skyfs.mount.table import find_mount, is_dead, unmount, wait_for
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import Mounting
from .test_daemon import daemon_of, is_alive

WRITABLE = MountOptions(writable=True)
# Those that carry writing; `native` joins when it does.
ENGINES: tuple[EngineName, ...] = ("libfuse", "native")
NIGHT = "metrics/instrument=HSC/day_obs=20131102"


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> EngineName:
    """Each engine that can write, in turn."""
    name: EngineName = request.param
    return name


def bash(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def held(repo: Repository) -> dict[str, object]:
    """Give what another process would find in the RUN ``u/me``, by path."""
    with skyfs.open(repo.root) as fresh:
        refs = fresh.query("metrics", collections="u/*")
        return {fresh.path(ref): fresh.get(ref) for ref in refs}


def test_rsync_in_twice(empty: Repository, mounting: Mounting, tmp_path: Path) -> None:
    source = tmp_path / "source" / "u" / "me" / NIGHT
    source.mkdir(parents=True)
    for exposure in (903334, 903336):
        (source / f"exposure={exposure}.json").write_text(json.dumps({"n": exposure}))
    folder = mounting.start(empty, WRITABLE)
    command = "rsync -rt --omit-dir-times --itemize-changes ../source/ ."
    first = bash(command, folder)
    assert first.returncode == 0, first.stderr
    assert len([line for line in first.stdout.splitlines() if line.startswith(">f+")]) == 2
    assert held(empty) == {f"/u/me/{NIGHT}/exposure={n}.json": {"n": n} for n in (903334, 903336)}
    second = bash(command, folder)
    assert (second.returncode, second.stdout) == (0, ""), second.stderr


def test_two_mounts_see_what_is_written_and_removed(empty: Repository, mounting: Mounting) -> None:
    """See it; that it takes no longer than a second, the tests of the timeouts say."""
    writing, reading = mounting.start(empty, WRITABLE), mounting.start(empty)
    file = f"u/me/{NIGHT}/exposure=903334.json"
    assert not (reading / file).exists()
    done = bash(f"mkdir -p u/me/{NIGHT} && echo '{{}}' > {file} && cat {file}", writing)
    assert (done.returncode, done.stdout) == (0, "{}\n"), done.stderr
    assert wait_for((reading / file).exists, 20)
    assert (reading / file).read_text() == "{}\n"
    assert bash(f"rm -r u/me/{NIGHT}", writing).returncode == 0
    assert wait_for(lambda: not (reading / file).exists(), 20)
    assert wait_for(lambda: os.listdir(reading) == [], 20)


def test_a_refusal_is_told(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.start(empty, WRITABLE)
    done = bash(f"mkdir -p u/me/{NIGHT} && echo '{{}}' > u/me/{NIGHT}/exposure=1.json", folder)
    assert done.returncode != 0
    (told, *_) = json.loads((folder / ".repo/status.json").read_text())["mount"]["refusals"]
    assert told["path"] == f"/u/me/{NIGHT}/exposure=1.json"
    assert "exposure" in told["reason"]
    assert held(empty) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to any group")
def test_files_of_a_shared_repository_keep_group_and_umask(tmp_path: Path, mounting: Mounting) -> None:
    root = tmp_path / "sky"
    root.mkdir()
    os.chown(root, -1, 4321)
    root.chmod(0o2770)
    before = os.umask(0o002)
    try:
        with skyfs.create(root, shared=True, options={"auto_register": "all"}) as repo:
            folder = mounting.start(repo, WRITABLE)
            assert bash("mkdir -p u/me && echo '{}' > u/me/summary.json", folder).returncode == 0
    finally:
        os.umask(before)
    (file,) = (root / "data").rglob("summary.json")
    found = [(path.stat().st_gid, oct(path.stat().st_mode & 0o7777)) for path in (file, file.parent)]
    assert found == [(4321, "0o664"), (4321, "0o2775")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_not_committed_is_gone_with_the_daemon(
    empty: Repository, mounting: Mounting, number: signal.Signals
) -> None:
    empty.close()
    before = snapshot(empty.root)
    folder = mounting.start(empty, WRITABLE)
    process = daemon_of(folder)
    (folder / "u" / "me" / NIGHT).mkdir(parents=True)
    file = (folder / "u" / "me" / NIGHT / "exposure=903334.json").open("w")
    file.write('{"half":' * 20_000)
    file.flush()
    os.kill(process, number)
    assert wait_for(lambda: not is_alive(process), 20)
    with suppress(OSError):  # whoever writes learns that it is not stored
        file.close()
    if number == signal.SIGKILL:
        assert is_dead(str(folder))
        unmount(folder)
    assert find_mount(folder) is None
    skyfs.open(empty.root, writable=True).close()  # it clears up
    assert snapshot(empty.root) == before


def test_unmounting_while_a_file_is_written_is_refused(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.start(empty, WRITABLE)
    (folder / "u" / "me" / NIGHT).mkdir(parents=True)
    with (folder / "u" / "me" / NIGHT / "exposure=903334.json").open("w") as file:
        file.write("{}")
        file.flush()
        with pytest.raises(PermissionError, match="in use by"):
            unmount(folder)
    assert list(held(empty).values()) == [{}]
