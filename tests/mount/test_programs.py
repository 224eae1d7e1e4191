"""What people and their programs do with a mount: through the programs themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.mount.options import MountOptions
from skyfs.mount.serving import EngineName
from skyfs.mount.session import start
from skyfs.repository import Repository

from .conftest import OPTIONS, Mounting, Sky, raw_path, take_away

MANY = 10_000


def bash(
    command: str, folder: Path, *arguments: str | Path, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in a folder."""
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", command, "bash", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    return done


def lines(command: str, folder: Path, *arguments: str | Path) -> list[str]:
    return bash(command, folder, *arguments).stdout.splitlines()


def need(program: str) -> None:
    """Skip where a program is missing; in continuous integration (CI=true) fail instead."""
    if shutil.which(program) is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {reason}")
        pytest.skip(reason)


# -- looking ---------------------------------------------------------------------------------------------


def test_ls_of_the_root_hides_service_directories(sky: Sky) -> None:
    names = [line.split()[-1] for line in lines("ls -la .", sky.folder)[1:]]
    assert names == [".", "..", "HSC", "runs"]


def test_service_directories_by_name(sky: Sky) -> None:
    assert lines("ls .repo", sky.folder) == ["config.yaml", "status.json", "version"]
    assert lines("cat .repo/version", sky.folder) == [skyfs.__version__]
    assert json.loads(bash("cat .repo/status.json", sky.folder).stdout)["name"] == "sky"
    csv = lines("cut -d, -f1,2 .records/exposure.csv | tr -d '\"'", sky.folder)
    assert csv[0] == "instrument,id"
    assert "HSC,903334" in csv
    identity = os.getxattr(sky.at(raw_path()), "user.skyfs.id").decode()
    bash('cmp ".by-id/$1.fits" "$2"', sky.folder, identity, sky.at(raw_path()))
    assert lines("find .hive/runs/one/src -name '*.parquet' | wc -l", sky.folder) == ["6"]


def test_stat_of_the_filesystem(sky: Sky) -> None:
    assert lines("stat -f -c '%t %l' .", sky.folder) == ["65735546 255"]  # FUSE_SUPER_MAGIC
    _, line = lines("df -k --output=source,fstype,size,target .", sky.folder)
    source, filesystem, size, target = line.split()
    assert (source, filesystem, target) == ("skyfs:sky", "fuse.skyfs", str(sky.folder))
    assert int(size) > 0
    assert lines("findmnt -n -o FSTYPE,SOURCE .", sky.folder)[0].split() == ["fuse.skyfs", "skyfs:sky"]


def test_getfattr_shows_all(sky: Sky) -> None:
    need("getfattr")
    shown = lines('getfattr -d -m - "$1"', sky.at(raw_path()).parent, Path(raw_path()).name)
    assert {'user.skyfs.exposure="903334"', 'user.skyfs.dataset_type="raw"'} <= set(shown), shown
    assert all(line.startswith("user.skyfs.") for line in shown[1:] if line)


def test_git_beside_a_mount(empty: Repository, mounting: Mounting, tmp_path: Path) -> None:
    need("git")
    empty.put({"a": 1}, "summary", run="r")
    work = tmp_path / "work"
    work.mkdir()
    bash("git init -q . && echo hello > file && git add file", work)
    bash("mkdir mountpoints && printf 'mountpoints/*/\\n' > .gitignore", work)
    folder = work / "mountpoints" / "sky"
    folder.mkdir()
    mounting.folders.append(folder)
    start(empty.root, folder, MountOptions(engine=mounting.engine))
    assert lines("git status --short", work) == ["A  file", "?? .gitignore"]
    assert lines("git clean -nd", work) == ["Would remove .gitignore"]


# -- copying ---------------------------------------------------------------------------------------------


def test_cp_r_and_cp_p(sky: Sky, tmp_path: Path) -> None:
    bash('cp -r HSC/raw/copy "$1"/plain && cp -rp HSC/raw/copy "$1"/kept', sky.folder, tmp_path)
    for path, expected in sky.expected.items():
        if not path.startswith("/HSC/raw/copy/"):
            continue
        inside = path.removeprefix("/HSC/raw/copy/")
        assert (tmp_path / "plain" / inside).read_bytes() == expected
        kept, original = (tmp_path / "kept" / inside).stat(), sky.at(path).stat()
        assert kept.st_mtime_ns == original.st_mtime_ns
        assert (kept.st_mode, kept.st_uid, kept.st_gid) == (
            original.st_mode,
            original.st_uid,
            original.st_gid,
        )


def test_rsync_out_twice(sky: Sky, tmp_path: Path) -> None:
    need("rsync")
    command = 'rsync -aX --itemize-changes runs "$1"/'
    assert len([line for line in lines(command, sky.folder, tmp_path) if line.startswith(">f")]) == 13
    assert lines(command, sky.folder, tmp_path) == []
    assert lines('rsync -ac --itemize-changes --delete runs "$1"/', sky.folder, tmp_path) == []
    summary = tmp_path / "runs" / "one" / "summary.json"
    summary.write_bytes(b"other bytes")
    changed = lines('rsync -a --itemize-changes runs "$1"/', sky.folder, tmp_path)
    assert [line.split()[1] for line in changed] == ["runs/one/summary.json"]
    assert summary.read_bytes() == sky.expected["/runs/one/summary.json"]


def test_tar_out_and_compared(sky: Sky, tmp_path: Path) -> None:
    bash('tar -cf "$1"/all.tar HSC/raw/copy && tar -df "$1"/all.tar', sky.folder, tmp_path)
    bash("tar -xpf all.tar", tmp_path)
    inside = raw_path().lstrip("/")
    assert (tmp_path / inside).read_bytes() == sky.expected[raw_path()]
    assert (tmp_path / inside).stat().st_mtime_ns // 10**9 == sky.at(raw_path()).stat().st_mtime_ns // 10**9


# -- a folder of many ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def crowd(fuse: None, tmp_path_factory: pytest.TempPathFactory, engine: EngineName) -> Iterator[Path]:  # noqa: ARG001
    """A mounted folder of 10^4 files."""
    base = tmp_path_factory.mktemp("crowd")
    source = base / "source.json"
    source.write_text("{}")
    with skyfs.create(base / "sky", options=OPTIONS) as repo, repo.transaction():
        repo.insert("instrument", [{"name": "Cam"}])
        numbers = range(1, MANY + 1)
        repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in numbers])
        repo.register("metrics", ["detector"], "Dict")
        files = [skyfs.IngestFile(source, {"instrument": "Cam", "detector": n}) for n in numbers]
        repo.ingest(files, "metrics", run="r", mode="direct")
    folder = base / "mnt"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(base / "state"))
        start(base / "sky", folder, MountOptions(engine=engine))
    try:
        yield folder / "r" / "metrics" / "instrument=Cam"
    finally:
        take_away(folder)


def test_globs_in_a_folder_of_many(crowd: Path) -> None:
    assert lines("printf '%s\\n' * | wc -l", crowd) == [str(MANY)]
    assert lines("printf '%s\\n' detector=99?7.json", crowd) == [f"detector=99{n}7.json" for n in range(10)]
    assert lines("ls -l | tail -n +2 | wc -l", crowd) == [str(MANY)]
    assert lines("find . -type f -size -3c -name '*00.json' | wc -l", crowd) == [str(MANY // 100)]
    assert lines("du -b --apparent-size -s .", crowd)[0].split()[0] == str(2 * MANY)


def test_completion_of_bash_in_a_folder_of_many(crowd: Path) -> None:
    assert lines("compgen -f detector=1234", crowd) == ["detector=1234.json"]
    assert len(lines("compgen -f detector=12", crowd)) == 111
    assert lines("compgen -d inst", crowd.parent) == ["instrument=Cam"]


# -- changes of a read-only mount ------------------------------------------------------------------------

CHANGES = {
    "rm": 'rm -f "$1"',
    "rm -r": 'rm -rf "$2"',
    "touch": 'touch "$1"',
    "touch a new file": 'touch "$2"/new.fits',
    "mkdir": 'mkdir "$2"/new',
    "rmdir": 'rmdir "$2"',
    "ln": 'ln "$1" "$2"/other.fits',
    "ln -s": 'ln -s "$1" "$2"/other.fits',
    "mv": 'mv "$1" "$2"/detector=9.fits',
    "cp": 'cp /etc/hostname "$2"/detector=9.fits',
    "setfattr": 'setfattr -n user.skyfs.note -v x "$1"',
    "setfattr -x": 'setfattr -x user.skyfs.dataset_type "$1"',
    "chmod": 'chmod 600 "$1"',
    "chown": 'chown 1:1 "$1"',
    "truncate": 'truncate -s 0 "$1"',
    "fallocate": 'fallocate -l 10 "$2"/new.fits',
    "dd": 'dd if=/dev/zero of="$1" bs=1 count=1 conv=notrunc',
    "sed -i": 'sed -i s/a/b/ "$1"',
    "mkfifo": 'mkfifo "$2"/pipe',
    "echo": 'echo x > "$1"',
    "append": 'echo x >> "$1"',
}


@pytest.mark.parametrize("change", CHANGES)
def test_programs_cannot_change_a_read_only_mount(sky: Sky, change: str) -> None:
    program = CHANGES[change].split()[0]
    if program != "echo":  # of bash
        need(program)
    file = sky.at(raw_path())
    before = file.stat(), sorted(os.listdir(file.parent))
    done = subprocess.run(
        ["bash", "-c", CHANGES[change], "bash", file, file.parent],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
    assert (file.stat(), sorted(os.listdir(file.parent))) == before
    assert file.read_bytes() == sky.expected[raw_path()]
