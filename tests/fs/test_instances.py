"""Instances: which repository they show, and what of it they carry."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.testing.filesystem_sample import Sample


def test_two_open_repositories_that_look_alike(sample: Sample) -> None:
    root = sample.repository.root
    with skyfs.open(root) as first, skyfs.open(root) as second:
        assert repr(first) == repr(second)
        assert skyfs.filesystem(first).repository is first
        assert skyfs.filesystem(second).repository is second
        assert fsspec.filesystem("skyfs", repo=second).repository is second
        assert skyfs.filesystem(first) == skyfs.filesystem(second)
        assert skyfs.filesystem(first) != skyfs.filesystem(sample.repository)


def test_an_open_repository_travels_as_its_folder(sample: Sample) -> None:
    fs = skyfs.filesystem(sample.repository)
    assert fs.storage_options == {"repo": str(sample.repository.root), "writable": True, "replace": False}
    again = pickle.loads(pickle.dumps(fs))  # noqa: S301 - made here
    assert again.repository is not sample.repository
    again.pipe_file("/u/me/x.txt", b"x")
    assert fs.cat("/u/me/x.txt") == b"x"
    reading = skyfs.filesystem(skyfs.open(sample.repository.root))
    again = pickle.loads(pickle.dumps(reading))  # noqa: S301 - made here
    with pytest.raises(PermissionError):
        again.pipe_file("/u/me/y.txt", b"y")


def test_a_repository_is_opened_for_writing_when_it_is_written_to(sample: Sample) -> None:
    fs = SkyFileSystem(repo=str(sample.repository.root))
    fs.cat(sample.one)
    reading = fs.repository
    fs.pipe_file("/u/me/x.txt", b"x")
    assert (reading.writable, fs.repository.writable) == (False, True)
    assert fs.cat("/u/me/x.txt") == b"x"
    assert SkyFileSystem(repo=str(sample.repository.root), writable=True).repository.writable


def test_what_others_commit_is_seen(sample: Sample) -> None:
    fs = SkyFileSystem(repo=str(sample.repository.root), writable=False)
    assert not fs.exists("/u")
    sample.repository.put({}, "summary", run="u/me")
    assert fs.find("/u") == ["/u/me/summary.json"]
    skyfs.filesystem(sample.repository).rm("/u/me/summary.json")
    assert not fs.exists("/u")


@pytest.mark.parametrize(
    ("url", "stripped", "parent"),
    [
        ("skyfs://sky/a/b=1.fits", "sky/a/b=1.fits", "sky/a"),
        ("skyfs:///a/b=1.fits", "/a/b=1.fits", "/a"),
        ("skyfs:///a/", "/a", "/"),
        ("skyfs:///", "/", "/"),
        ("skyfs://sky/", "sky", ""),
        ("skyfs://sky", "sky", ""),
        ("skyfs://", "", ""),
        ("/a//", "/a", "/"),
    ],
)
def test_names(url: str, stripped: str, parent: str) -> None:
    # Private by their names, and what every caller of fsspec goes through.
    assert SkyFileSystem._strip_protocol(url) == stripped  # noqa: SLF001
    assert SkyFileSystem._strip_protocol([url]) == [stripped]  # noqa: SLF001
    assert SkyFileSystem._parent(url) == parent  # noqa: SLF001


def test_urls_name_repositories(sample: Sample) -> None:
    one = sample.one
    root = sample.repository.root
    for url, options in (
        (f"skyfs://sky{one}", {}),
        (f"skyfs://{one}", {"repo": "sky"}),
        (f"skyfs://{one}", {"repo": root}),
        (f"skyfs://sky{one}", {"repo": root}),
        (f"skyfs://{one}::file://{root}", {}),
        (f"skyfs://{one}::local://{root}", {}),
    ):
        with fsspec.open(url, **options) as file:
            assert file.read() == sample.files[one]
    with pytest.raises(FileNotFoundError, match="not the repository"):
        fsspec.open(f"skyfs://other{one}", repo=root).open()
    with pytest.raises(FileNotFoundError, match="'other'"):
        fsspec.open(f"skyfs://other{one}")
    with pytest.raises(ValueError, match="s3"):
        fsspec.url_to_fs(f"skyfs://{one}::s3://bucket/sky", s3={"key": "K", "secret": "S"})


def test_entry_points_name_it() -> None:
    from importlib.metadata import entry_points

    assert [point.load() for point in entry_points(group="fsspec.specs", name="skyfs")] == [SkyFileSystem]
    assert fsspec.get_filesystem_class("skyfs") is SkyFileSystem


# -- beside other processes ------------------------------------------------------------------------------

HOLD = """
import sys
import skyfs
repo = skyfs.open(sys.argv[1], writable=True)
repo.put({"a": 2}, "m", run="other")
print("ready", flush=True)
sys.stdin.read()
"""


def test_it_writes_after_it_has_read_while_another_process_may_write(tmp_path: Path) -> None:
    with skyfs.create(tmp_path / "sky") as repo:
        repo.register("m", [], "Dict")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "sky")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        fs = SkyFileSystem(repo=str(tmp_path / "sky"), skip_instance_cache=True)
        reader = SkyFileSystem(repo=str(tmp_path / "sky"), writable=False, skip_instance_cache=True)
        assert fs.ls("/", detail=False) == reader.ls("/", detail=False) == ["/other"]
        with ThreadPoolExecutor(4) as threads:
            # Some read while the first writer comes.
            reading = [threads.submit(reader.cat, "/other/m.json") for _ in range(200)]
            fs.pipe_file("/mine/m.json", b'{"a": 3}')
            assert {json.loads(one.result())["a"] for one in reading} == {2}
        assert reader.cat("/mine/m.json") == b'{"a": 3}'
        other.communicate("")
    assert other.returncode == 0
