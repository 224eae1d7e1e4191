"""SQLite is not written on filesystems of other machines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.errors import StoreError, Unsupported
from skyfs.registry.network import network_filesystem

KINDS = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "fuse.sshfs", "fuse.glusterfs"]
_LINE = "100 27 {device} / /far rw,relatime shared:1 - {kind} server:/export rw,vers=4.2\n"
# Files of a folder, served to the kernel under the name of a program that reaches other machines.
_SERVE = """
import os, sys
import mfusepy

class Same(mfusepy.Operations):
    use_ns = True
    def __init__(self, root): self.root = root
    def at(self, path): return self.root + path
    def getattr(self, path, fh=None):
        found = os.lstat(self.at(path))
        return {name: getattr(found, name) for name in ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid",
                "st_ino")} | {f"st_{one}time": getattr(found, f"st_{one}time_ns") for one in "amc"}
    def readdir(self, path, fh): return [".", "..", *os.listdir(self.at(path))]
    def mkdir(self, path, mode): os.mkdir(self.at(path), mode)
    def rmdir(self, path): os.rmdir(self.at(path))
    def unlink(self, path): os.unlink(self.at(path))
    def rename(self, old, new): os.rename(self.at(old), self.at(new))
    def chmod(self, path, mode): os.chmod(self.at(path), mode)
    def create(self, path, mode, fi=None): return os.open(self.at(path), os.O_RDWR | os.O_CREAT, mode)
    def open(self, path, flags): return os.open(self.at(path), flags)
    def read(self, path, size, offset, fh): return os.pread(fh, size, offset)
    def write(self, path, data, offset, fh): return os.pwrite(fh, data, offset)
    def truncate(self, path, length, fh=None): os.truncate(self.at(path), length)
    def release(self, path, fh): os.close(fh)

fresh = {"attr_timeout": 0, "entry_timeout": 0}
mfusepy.FUSE(Same(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True, subtype="sshfs", **fresh)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_filesystems_are_told_apart(tmp_path: Path, kind: str) -> None:
    device = os.stat(tmp_path).st_dev
    here = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(_LINE.format(device=here, kind=kind))
    assert network_filesystem(tmp_path, mounts) == kind
    mounts.write_text(_LINE.format(device="0:9999", kind=kind) + _LINE.format(device=here, kind="ext4"))
    assert network_filesystem(tmp_path, mounts) == ""
    assert network_filesystem(tmp_path, tmp_path / "none") == ""


@pytest.fixture
def far(tmp_path: Path, fuse: None) -> Iterator[Path]:  # noqa: ARG001 - it says whether there is FUSE
    """A folder that the kernel takes for one of another machine."""
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    far.mkdir()
    device = far.stat().st_dev
    with subprocess.Popen([sys.executable, "-c", _SERVE, str(near), str(far)]) as process:
        try:
            while far.stat().st_dev == device:
                assert process.poll() is None, "the filesystem was not mounted"
            yield far
        finally:
            subprocess.run(["fusermount3", "-u", str(far)], check=True)


def test_a_registry_on_another_machine_is_not_written(far: Path) -> None:
    assert network_filesystem(far) == "fuse.sshfs"
    with pytest.raises(
        Unsupported, match=r"network filesystem \(fuse\.sshfs\).*postgresql://.*allow_network_filesystem"
    ):
        skyfs.create(far / "sky")
    assert not list(far.iterdir()), "something was left"
    with skyfs.create(
        far / "sky", options={"allow_network_filesystem": True, "durability": "process"}
    ) as repo:
        assert "allow_network_filesystem: true" in repo.config.annotated()
        repo.register("metrics", [], "Dict")
        with pytest.raises(StoreError, match=r"makes no hard link.*put the store on one that does"):
            repo.put({"n": 1}, "metrics", run="r")
        assert not repo.query("metrics", collections="*").any()


def test_it_is_read_while_nobody_writes(far: Path) -> None:
    near = far.parent / "near"
    with skyfs.create(near / "sky") as repo:
        repo.register("metrics", [], "Dict")
        repo.put({"n": 1}, "metrics", run="r")
        with pytest.raises(Unsupported, match=r"somebody writes to it.*read it when the writer has ended"):
            skyfs.open(far / "sky")
    with pytest.raises(Unsupported, match="write the registry"):
        skyfs.open(far / "sky", writable=True)
    with skyfs.open(far / "sky") as repo:
        assert repo.get("metrics", collections="r") == {"n": 1}
