"""What skyfs makes is its owner's alone, or as the umask says where a repository is shared."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skyfs
from skyfs.mount.session import log_file, start
from skyfs.mount.table import unmount
from skyfs.testing.servers import S3Server


@pytest.fixture(params=[0o022, 0o002, 0o077, 0o000], ids="umask{:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of this process."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(root: Path) -> dict[str, int]:
    """Give the permissions of all that lies in a folder, and of itself."""
    found = {}
    for path in (root, *root.rglob("*")):
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            continue  # permissions of links mean nothing
        kind = "folder" if stat.S_ISDIR(state.st_mode) else "file"
        found[f"{kind} {path.relative_to(root)}"] = stat.S_IMODE(state.st_mode)
    return found


def busy(root: Path, s3: S3Server, *, shared: bool) -> Iterator[dict[str, int]]:
    """Do all that makes files, and give the permissions in the middle of it and at its end."""
    url = s3.bucket(f"b{root.parent.name.lower().replace('_', '-')}"[-60:].lstrip("-"))
    far: dict[str, object] = {"name": "far", "url": url, "types": ["far_*"], "options": s3.options}
    stores: list[dict[str, object]] = [{"name": "local", "url": "data"}, far]
    cache = {"folder": str(root / "cache"), "group": shared}
    options: dict[str, object] = {"auto_register": "types", "cache": cache}
    with skyfs.create(root, stores=stores, shared=shared, options=options) as repository:
        repository.register("notes", [], "Dict")
        repository.register("far_notes", [], "Array")
        filesystem = skyfs.filesystem(repository)
        with repository.transaction():
            repository.put({"a": 1}, "notes", run="u/me")
            with filesystem.open("/u/me/more.txt", "wb") as file:
                file.write(b"x" * 100_000)
                file.flush()
                yield modes(root)
        repository.put(np.arange(100_000), "far_notes", run="u/me")
        yield modes(root)
    with skyfs.open(root) as repository:
        assert np.asarray(repository.get("far_notes", collections="u/me")).size == 100_000
        yield modes(root)
    yield modes(root)


def test_what_is_not_shared_is_for_its_owner_alone(tmp_path: Path, s3: S3Server, umask: int) -> None:
    seen: dict[str, int] = {}
    for found in busy(tmp_path / "sky", s3, shared=False):
        seen |= found
        for name, mode in found.items():
            kind = name.partition(" ")[0]
            assert mode & 0o077 == 0, f"{name} has {mode:o} with umask {umask:o}"
            assert mode & 0o400 or kind == "folder", name
    names = " ".join(seen)
    for part in (
        "registry.sqlite3",
        "-wal",
        "-shm",
        ".skyfs",
        "skyfs.yaml",
        "u/me/notes.json",
        "cache",
        "far",
    ):
        assert part in names, f"nothing like {part!r} was looked at"


def test_what_is_shared_follows_the_umask(tmp_path: Path, s3: S3Server, umask: int) -> None:
    for found in busy(tmp_path / "sky", s3, shared=True):
        for name, mode in found.items():
            kind = name.partition(" ")[0]
            if " cache" in name:
                # The cache is a group's at most: what it holds was fetched with somebody's credentials.
                assert mode & 0o007 == 0, f"{name} has {mode:o}"
                continue
            assert mode & umask == 0 or name.endswith("skyfs.yaml"), (
                f"{name} has {mode:o} with umask {umask:o}"
            )
            if kind == "file" and "/data/" in f"/{name.partition(' ')[2]}":
                assert mode == 0o666 & ~umask, f"{name} has {mode:o} with umask {umask:o}"


def test_the_index_and_the_log_of_mounts(tmp_path: Path, home: Path, umask: int, fuse: None) -> None:  # noqa: ARG001 - it may skip
    skyfs.create(tmp_path / "sky", name="sky").close()
    (tmp_path / "mnt").mkdir()
    start(tmp_path / "sky", tmp_path / "mnt")
    unmount(tmp_path / "mnt")
    for path in (home / "index.yaml", log_file()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, (path, umask)
