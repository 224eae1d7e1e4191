"""What is mounted beside what: a plain folder, skyfs by each of its engines, and the peers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from mount_content import BIG, BUCKET, Content

from skyfs.mount.serving import EngineName
from skyfs.mount.session import MountOptions, start
from skyfs.mount.table import unmount

CHILD = str(Path(__file__).with_name("mount_child.py"))
START_S = 30.0
END_S = 20.0
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Mounted:
    """Where the files are to be seen, and which process answers."""

    root: Path
    pid: int | None


# Given whether it is to be written to.
Mounter = Callable[[bool], AbstractContextManager[Mounted]]


@dataclass(frozen=True, slots=True)
class Side:
    """Something to measure.

    Attributes
    ----------
    far
        Whether the bytes come from the S3 server.
    missing
        Why it cannot be measured here; empty when it can.
    """

    name: str
    kind: Literal["floor", "skyfs", "peer"]
    mount: Mounter
    far: bool = False
    missing: str = ""


PLAIN = "plain folder"
PASSTHROUGH = "skyfs native"
WITHOUT = "skyfs native, no passthrough"
LIBFUSE = "skyfs libfuse"
FAR = "skyfs, S3"


def sides(content: Content) -> list[Side]:
    """Give all sides, those too that cannot be measured here."""
    return [
        Side(PLAIN, "floor", lambda _: nullcontext(Mounted(content.files, None))),
        *_ours(content),
        *_peers(content),
    ]


def single_pages(content: Content) -> Side:
    """Give the huge file in a filesystem that keeps it in single pages, as the kernel does all of FUSE."""
    folder = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there

    @contextmanager
    def copied(_: bool) -> Iterator[Mounted]:  # noqa: FBT001
        with tempfile.TemporaryDirectory(dir=folder) as name:
            target = Path(name) / BIG
            target.parent.mkdir()
            shutil.copyfile(content.files / BIG, target)
            yield Mounted(Path(name), None)

    missing = "" if folder.is_dir() else f"there is no {folder}"
    return Side("tmpfs, in single pages", "floor", copied, missing=missing)


def _ours(content: Content) -> list[Side]:
    native = "" if importlib.util.find_spec("skyfs.mount.native") else "this skyfs has no native engine"
    root = "" if os.geteuid() == 0 else "passthrough is for root"
    return [
        Side(PASSTHROUGH, "skyfs", partial(by_root, content.near), missing=native or root),
        Side(WITHOUT, "skyfs", partial(by_user, content.near), missing=native),
        Side(LIBFUSE, "skyfs", partial(by_daemon, content.near, "libfuse")),
        Side(FAR, "skyfs", partial(_far, content), far=True, missing=content.no_server),
    ]


def _peers(content: Content) -> list[Side]:
    files, server = str(content.files), content.no_server
    rclone, s3fs = _no("rclone"), _no("s3fs")
    binding = importlib.util.find_spec("fuse") or importlib.util.find_spec("mfusepy")
    fsspec = "" if binding else "neither fusepy nor mfusepy is installed"
    return [
        Side("rclone", "peer", partial(_rclone, files, {}), missing=rclone),
        Side("fsspec.fuse", "peer", partial(_fsspec, "file", {}, files), missing=fsspec),
        Side("rclone, S3", "peer", partial(_rclone_s3, content), far=True, missing=rclone or server),
        Side("s3fs-fuse, S3", "peer", partial(_s3fs, content), far=True, missing=s3fs or server),
        Side("fsspec.fuse, S3", "peer", partial(_fsspec_s3, content), far=True, missing=fsspec or server),
    ]


def _no(program: str) -> str:
    return "" if shutil.which(program) else f"{program} is not installed (apt-get install {program})"


# -- skyfs -------------------------------------------------------------------------------------------------


@contextmanager
def by_daemon(
    repository: Path,
    engine: EngineName,
    writable: bool,  # noqa: FBT001
    wanted: str = "",
) -> Iterator[Mounted]:
    """Mount a repository as ``skyfs mount --daemon`` does; the run's folder is what the peers show.

    What it says of its engine must begin as is ``wanted``.
    """
    with _mount_point() as folder:
        start(repository, folder, MountOptions(engine=engine, writable=writable))
        told = json.loads((folder / ".repo" / "status.json").read_text())["mount"]
        try:
            if not told["engine"].startswith(wanted):
                raise LookupError(f"the daemon says {told['engine']!r}")
            yield Mounted(folder if writable else folder / "r", told["pid"])
        finally:
            _take_away(folder)
            _await_end(told["pid"])


@contextmanager
def by_root(repository: Path, writable: bool) -> Iterator[Mounted]:  # noqa: FBT001
    """Mount a repository by the native engine, which must say that files pass through."""
    with by_daemon(repository, "native", writable, "native: passthrough") as mounted:
        yield mounted


@contextmanager
def by_user(repository: Path, writable: bool) -> Iterator[Mounted]:  # noqa: FBT001
    """Mount a repository by the native engine as for a user who is not root."""
    assert not writable
    with _child([sys.executable, CHILD, "asking", str(repository)]) as mounted:
        yield Mounted(mounted.root / "r", mounted.pid)


@contextmanager
def _far(content: Content, writable: bool) -> Iterator[Mounted]:  # noqa: FBT001
    """Mount the repository whose files are on S3, with an empty cache."""
    content.empty_cache()
    with by_daemon(content.far, "auto", writable) as mounted:
        yield mounted


# -- peers -------------------------------------------------------------------------------------------------


def _rclone(
    remote: str,
    environment: Mapping[str, str],
    writable: bool,  # noqa: FBT001
) -> AbstractContextManager[Mounted]:
    """Mount by rclone with its defaults: without a cache on disk, so that close() waits for the upload."""
    options = ["--config", "", *([] if writable else ["--read-only"])]
    return _child(["rclone", "mount", remote], options, environment)


def _rclone_s3(content: Content, writable: bool) -> AbstractContextManager[Mounted]:  # noqa: FBT001
    environment = {
        "AWS_CA_BUNDLE": "",  # rclone takes it, but refuses to start with it
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENDPOINT": content.endpoint,
        "RCLONE_S3_ACCESS_KEY_ID": "testing",
        "RCLONE_S3_SECRET_ACCESS_KEY": "testing",
    }
    return _rclone(f":s3:{BUCKET}", environment, writable)


def _s3fs(content: Content, writable: bool) -> AbstractContextManager[Mounted]:  # noqa: FBT001
    options = ["-f", "-o", f"url={content.endpoint},use_path_request_style" + ("" if writable else ",ro")]
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    return _child(["s3fs", BUCKET], options, keys)


def _fsspec(
    protocol: str,
    options: Mapping[str, object],
    path: str,
    writable: bool,  # noqa: ARG001, FBT001 - always is
) -> AbstractContextManager[Mounted]:
    return _child([sys.executable, CHILD, "fsspec", protocol, json.dumps(options), path])


def _fsspec_s3(content: Content, writable: bool) -> AbstractContextManager[Mounted]:  # noqa: FBT001
    return _fsspec("s3", content.options, BUCKET, writable)


# -- processes and mount points ----------------------------------------------------------------------------


@contextmanager
def _child(
    before: Sequence[str], after: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Mounted]:
    """Run a program that mounts a folder, given between its arguments, until it is unmounted."""
    with (
        _mount_point() as folder,
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [*before, str(folder), *after],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        try:
            if not _until(lambda: os.path.ismount(folder) or process.poll() is not None, START_S):
                raise TimeoutError(f"{before[0]} did not mount within {START_S:g} s")
            if process.poll() is not None:
                said.seek(0)
                raise ChildProcessError(f"{before[0]}: {said.read().decode(errors='replace')[-500:]}")
            yield Mounted(folder, process.pid)
        finally:
            _take_away(folder)
            if not _until(lambda: process.poll() is not None, END_S):
                process.kill()


@contextmanager
def _mount_point() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="skyfs-mount-"))
    try:
        yield folder
    finally:
        _take_away(folder)
        folder.rmdir()


def _take_away(folder: Path) -> None:
    """Unmount, also what is dead or busy."""
    if os.fsencode(folder) not in Path("/proc/self/mounts").read_bytes():
        return
    done = subprocess.run(["umount", folder], capture_output=True, check=False)
    if done.returncode:
        unmount(folder, lazy=True)


def _await_end(pid: int) -> None:
    """Wait for a process that is not a child of this one."""
    if not _until(lambda: not Path("/proc", str(pid)).exists(), END_S):
        os.kill(pid, 9)
        print(f"the daemon {pid} had to be killed", file=sys.stderr)


def _until(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
