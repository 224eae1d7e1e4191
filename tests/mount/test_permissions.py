"""Who may look into a mount, and what is written through it may be read by whom."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.mount.options import MountOptions
from skyfs.mount.serving import EngineName
from skyfs.mount.session import start
from skyfs.mount.table import unmount
from skyfs.repository import Repository

from .conftest import OPTIONS, Mounting, define

NOBODY, GROUP = 65534, 4321

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def as_nobody(
    command: str, folder: Path, *, groups: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in a folder, as a user who owns nothing. (The folder is entered before.)"""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        user=NOBODY,
        group=NOBODY,
        extra_groups=list(groups),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )


def privileges(groups: tuple[int, ...] = ()) -> list[str]:
    """Give setpriv's options to become that user, who may read all files: Python may lie in root's home."""
    capabilities = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    given = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return [f"--reuid={NOBODY}", f"--regid={NOBODY}", given, *capabilities]


def environment(state: Path) -> dict[str, str]:
    """Give an environment in which that user's own files are in a folder of theirs."""
    names = {f"XDG_{kind}_HOME": str(state) for kind in ("STATE", "CACHE", "CONFIG", "DATA")}
    return {**os.environ, **names, "LC_ALL": "C", "PYTHONPATH": str(Path(skyfs.__file__).parents[1])}


def python_as_nobody(
    script: str, folder: Path, *, groups: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder as that user."""
    return subprocess.run(
        ["setpriv", *privileges(groups), sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment(folder),
    )


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Repository]:
    """A repository that a group shares: its folder was made with that group and mode 2770."""
    root = tmp_path / "sky"
    root.mkdir()
    os.chown(root, -1, GROUP)
    root.chmod(0o2770)
    before = os.umask(0o002)
    try:
        with skyfs.create(root, shared=True, options={**OPTIONS, "auto_register": "types"}) as repo:
            define(repo)
            repo.put({"a": 1}, "metrics", run="r", instrument="HSC", exposure=903334)
            yield repo
    finally:
        os.umask(before)


@needs_root
def test_others_are_kept_out_unless_they_are_let_in(shared: Repository, mounting: Mounting) -> None:
    shared.root.chmod(0o2775)
    folder = mounting.start(shared)
    kept_out = as_nobody("ls .", folder)
    assert kept_out.returncode != 0
    assert "Permission denied" in kept_out.stderr
    folder = mounting.start(shared, MountOptions(allow_other=True))
    assert as_nobody("ls .", folder).stdout == "r\n"
    assert "allow_other" in Path("/proc/self/mounts").read_text().split(str(folder))[1].splitlines()[0]


@needs_root
def test_those_who_are_let_in_may_what_the_repository_lets_them(
    shared: Repository, empty_of_others: Repository, mounting: Mounting
) -> None:
    folder = mounting.start(shared, MountOptions(allow_other=True))
    found = folder.stat()
    assert (found.st_uid, found.st_gid) == (os.geteuid(), GROUP)
    assert stat.S_IMODE(found.st_mode) & 0o555 == 0o550
    file = next(path for path in folder.rglob("*.json"))
    assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o440
    assert "Permission denied" in as_nobody("ls .", folder).stderr
    assert as_nobody("ls .", folder, groups=(GROUP,)).stdout == "r\n"
    assert as_nobody(f"cat '{file.name}'", file.parent, groups=(GROUP,)).stdout == file.read_text()
    private = mounting.start(empty_of_others, MountOptions(allow_other=True))
    assert stat.S_IMODE(private.stat().st_mode) & 0o077 == 0
    assert "Permission denied" in as_nobody("ls .", private, groups=(GROUP,)).stderr


@pytest.fixture
def empty_of_others(tmp_path: Path) -> Iterator[Repository]:
    """A repository that is not shared."""
    with skyfs.create(tmp_path / "own", options=OPTIONS) as repo:
        yield repo


# In mounts of its own, where everybody may open /dev/fuse, as it is on most machines.
ORDINARY = """
set -eu
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
trap 'umount -l mnt 2>/dev/null || true' EXIT
skyfs() { setpriv $PRIVILEGES "$PYTHON" -m skyfs "$@"; }
skyfs mount sky mnt --engine "$1" >&2
setpriv $PRIVILEGES cat mnt/r/summary.json
! setpriv --reuid=65533 --clear-groups ls mnt
skyfs umount mnt >&2
grep -qx user_allow_other /etc/fuse.conf || ! skyfs mount sky mnt --engine "$1" --allow-other
"""


@needs_root
def test_an_ordinary_user_mounts_for_themselves(fuse: None, engine: EngineName) -> None:
    """Without privileges, through fusermount3; --allow-other only where /etc/fuse.conf says so."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        with skyfs.create(base / "sky", options=OPTIONS) as repo:
            repo.register("summary", [], "Dict")
            repo.put({"a": 1}, "summary", run="r")
        (base / "mnt").mkdir()
        for path in [base, *base.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        said = subprocess.run(
            ["unshare", "--mount", "bash", "-c", ORDINARY, "bash", engine],
            cwd=base,
            capture_output=True,
            text=True,
            check=False,
            env={**environment(base), "PRIVILEGES": " ".join(privileges()), "PYTHON": sys.executable},
        )
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == {"a": 1}
    assert "mnt': Permission denied" in said.stderr
    if "user_allow_other" not in Path("/etc/fuse.conf").read_text().split("\n"):
        assert "allow_other needs user_allow_other in /etc/fuse.conf" in said.stderr
    del fuse


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to any group")
def test_a_shared_repository_keeps_group_and_umask(shared: Repository) -> None:
    """Files 0664 and folders 2775 under umask 002: all of the group may read, and write on."""
    for path in [shared.root, *shared.root.rglob("*")]:
        found = path.stat()
        assert found.st_gid == GROUP, path
        mode = stat.S_IMODE(found.st_mode)
        if path == shared.root / "skyfs.yaml":
            assert mode == 0o644, "the configuration is its owner's"
        elif path.is_dir():
            assert mode & 0o2770 == 0o2770, (path, oct(mode))
        else:
            assert mode & 0o660 == 0o660, (path, oct(mode))


WRITE = """
import os, skyfs
os.umask(0o002)
with skyfs.open(".", writable=True) as repo:
    repo.put({"a": 2}, "metrics", run="r", instrument="HSC", exposure=903336)
"""


@needs_root
def test_one_of_the_group_writes_on(shared: Repository) -> None:
    said = python_as_nobody(WRITE, shared.root, groups=(GROUP,))
    assert said.returncode == 0, said.stderr
    assert shared.get("metrics", collections="r", instrument="HSC", exposure=903336) == {"a": 2}
    (file,) = (shared.root / "data").rglob("exposure=903336.json")
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, GROUP, 0o664)
    assert python_as_nobody(WRITE, shared.root).returncode != 0, "not of the group"


def test_the_daemon_keeps_the_umask_of_who_mounts(shared: Repository, mounting: Mounting) -> None:
    """What is written through a mount has the permissions that its owner's programs give."""
    folder = mounting.folder()
    for mask in (0o002, 0o027):
        os.umask(mask)  # `shared` puts it back
        start(shared.root, folder, MountOptions(engine=mounting.engine))
        pid = json.loads((folder / ".repo" / "status.json").read_text())["mount"]["pid"]
        state = Path(f"/proc/{pid}/status").read_text()
        assert f"Umask:\t{mask:04o}\n" in state
        unmount(folder)
