"""``mount -t skyfs`` and lines of fstab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skyfs
from skyfs.cli.fstab import parse_options
from skyfs.errors import BadArgument

IGNORED = "defaults,noauto,nofail,users,_netdev,x-systemd.automount,x-gvfs-show,noatime,nosuid,comment=mine"


def helper(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the helper by itself."""
    return subprocess.run(
        [sys.executable, "-c", "from skyfs.cli.fstab import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_options() -> None:
    assert parse_options(IGNORED.split(",")) == {}
    given = "ro,rw,replace,allow_other,collections=A/b:C,engine=libfuse,umask=002,setuid=me,cache_quota=3 GB"
    assert parse_options(given.split(",")) == {
        "writable": True,
        "replace": True,
        "allow_other": True,
        "collections": ("A/b", "C"),
        "engine": "libfuse",
        "umask": 0o002,
        "setuid": "me",
        "cache_quota": "3 GB",
    }
    assert parse_options(["strange=1", "odd"], sloppy=True) == {}


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("colections=A", "did you mean collections"),
        ("replaces", "did you mean replace"),
        ("collections", "has no value"),
        ("engine=fast", "auto, native, libfuse"),
        ("umask=9", "not octal"),
        ("remount", "unknown"),
    ],
)
def test_bad_options(option: str, says: str) -> None:
    with pytest.raises(BadArgument, match=says):
        parse_options(["ro", option])


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("nowhere",), 1, "Missing argument"),
        (("nowhere", "mnt", "-o", "sizes=1"), 1, "sizes=1"),
        (("nowhere", "mnt", "-o", "replace"), 1, "read-only"),
        (("nowhere", "mnt", "-o", "setuid=nobody-at-all"), 1, "no such user"),
        (("nowhere", "mnt"), 32, "nowhere"),
        (("skyfs:nowhere", "mnt", "-o", "ro"), 32, "nowhere"),
    ],
)
def test_what_fails_has_the_status_of_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, says: str
) -> None:
    (tmp_path / "mnt").mkdir()
    monkeypatch.chdir(tmp_path)
    done = helper(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("mount.skyfs: ")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_fake(tmp_path: Path) -> None:
    assert helper("nowhere", tmp_path, "-f", "-n", "-v", "-t", "fuse.skyfs", "-o", IGNORED).returncode == 0


# In mounts of its own, with the helper where mount(8) looks for it, and an fstab.
REAL = r"""
set -eu
mkdir sbin
cp /sbin/ldconfig* sbin/  # by which Python finds libfuse
mount --bind sbin "$(realpath /sbin)"
printf '#!%s\nfrom skyfs.cli.fstab import main\nmain()\n' "$PYTHON" > /sbin/mount.skyfs
chmod +x /sbin/mount.skyfs
cp /sbin/mount.skyfs /sbin/mount.fuse.skyfs
trap 'umount -l "$BASE/mnt" 2>/dev/null || true' EXIT
look() { ls "$BASE/mnt/HSC/runs"; cat "$BASE/mnt/.repo/status.json"; echo; echo ==; umount "$BASE/mnt"; }

mount -t skyfs "$BASE/sky" "$BASE/mnt" -o "ro,collections=HSC/runs/a:HSC/calib,$IGNORED"
look
options=rw,replace,allow_other,engine=libfuse,umask=002,$IGNORED
echo "skyfs:dr1 $BASE/mnt fuse.skyfs $options 0 0" > fstab
mount --bind fstab /etc/fstab
mount "$BASE/mnt"
findmnt -n -o SOURCE,FSTYPE "$BASE/mnt" >&2
look
printf 'repository: %s\ncollections: [HSC/runs/a]\n' "$BASE/sky" > recipe.yaml
mount -t skyfs "$BASE/recipe.yaml" "$BASE/mnt" -o cache_quota=5MB
grep -A 2 ^cache: "$BASE/mnt/.repo/config.yaml" >&2
look
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has mounts of its own")
def test_mount_calls_it(fuse: None, sky: Path, tmp_path: Path) -> None:
    del fuse
    (tmp_path / "mnt").mkdir()
    index = tmp_path / "index.yaml"
    index.write_text(f"dr1: {sky}\n")
    environment = {
        "BASE": str(tmp_path),
        "IGNORED": IGNORED,
        "PYTHON": sys.executable,
        "PYTHONPATH": str(Path(skyfs.__file__).parents[1]),
        "SKYFS_INDEX": str(index),
    }
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", REAL],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0].split() == ["skyfs:sky", "fuse.skyfs"]
    assert said[1:] == ["cache:  # argument", "  folder: ''", "  quota: 5000000"]
    parts = [part for part in done.stdout.split("==\n") if part]
    assert [part.splitlines()[0] for part in parts] == ["a"] * 3
    told = [json.loads(part.partition("\n")[2])["mount"] for part in parts]
    assert [one["collections"] for one in told] == [["HSC/runs/a", "HSC/calib"], None, ["HSC/runs/a"]]
    assert [one["writable"] for one in told] == [False, True, False]
    assert [one["replace"] for one in told] == [False, True, False]
    assert [one["allow_other"] for one in told] == [False, True, False]
