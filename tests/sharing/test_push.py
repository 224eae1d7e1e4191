"""Datasets are sent into another repository: what is there is not sent again, whatever happened."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import fsspec
import pytest

import skyfs
from skyfs.errors import Conflict, NotFound, ReadOnly, SkyfsError
from skyfs.repository import Repository
from skyfs.sharing import pushing
from skyfs.testing.servers import S3Server

from .conftest import Empty, contents, state


class Counter:
    """Counts bytes that were sent."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, count: int) -> None:
        self.total += count


def test_all_is_sent_once(source: Repository, empty: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "PIECE_ROWS", 3)
    sent, again = Counter(), Counter()
    applied = source.push(empty, done=sent)
    assert applied.datasets == 13
    assert sent.total >= sum(len(data) for data in contents(source).values() if len(data) < 2880)
    assert state(empty) == state(source)
    assert contents(empty) == contents(source)
    applied = source.push(empty, done=again)
    assert (applied.datasets, applied.unchanged, again.total) == (0, 13, 0)


def test_what_is_new_is_sent_alone(source: Repository, empty: Repository) -> None:
    source.push(empty, "metrics", where="visit < 3")
    sent = Counter()
    applied = source.push(empty, "metrics", done=sent)
    assert (applied.datasets, applied.unchanged) == (1, 3)
    assert 0 < sent.total < 100


def test_a_locked_run_stays_locked(
    source: Repository, empty: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PIECE_ROWS", 1)
    source.lock("HSC/runs/a")
    source.push(empty)
    assert empty.registry.current().collection("HSC/runs/a").collection.locked
    assert state(empty) == state(source)


def test_other_bytes_are_a_conflict(source: Repository, empty: Repository) -> None:
    source.push(empty)
    (ref,) = source.query("metrics", collections="u/best")
    data_id: dict[str, Any] = dict(ref.data_id)
    source.put({"seeing": 9.0}, "metrics", run=ref.run, replace=True, **data_id)
    with pytest.raises(SkyfsError, match="it is there already"):
        source.push(empty)
    before = contents(empty)
    assert source.push(empty, on_conflict="skip").skipped == 1
    assert contents(empty) == before
    source.push(empty, on_conflict="newest")
    assert contents(empty) == contents(source)


def test_a_reader_cannot_be_sent_to(source: Repository, empty: Repository) -> None:
    with skyfs.open(empty.root) as reader, pytest.raises(ReadOnly):
        source.push(reader)


def test_other_dimensions_cannot_be_sent_to(source: Repository, new: Empty) -> None:
    other = new("other", universe={**source.registry.universe_mapping(), "name": "other"})
    with pytest.raises(Conflict, match="the dimensions of a manifest"):
        source.push(other)


_PUSH = """
import os, signal, sys, skyfs
from skyfs.sharing import pushing
pushing.PIECE_ROWS = 2
left = int(sys.argv[3])
def done(count):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
with skyfs.open(sys.argv[1]) as source, skyfs.open(sys.argv[2], writable=True) as target:
    source.push(target, done=done)
"""


@pytest.mark.parametrize("files", [1, 4, 7, 9])
def test_who_was_killed_begins_again(source: Repository, new: Empty, files: int) -> None:
    target = new("target")
    target.close()
    command = [sys.executable, "-c", _PUSH, str(source.root), str(target.root), str(files)]
    assert subprocess.run(command, check=False).returncode == -9
    whole = contents(source)
    with skyfs.open(target.root, writable=True) as again:
        half = contents(again)
        assert half.items() < whole.items()
        sent = Counter()
        source.push(again, done=sent)
        assert contents(again) == whole
        assert state(again) == state(source)
        assert sent.total < sum(map(len, whole.values()))
        kept = [
            one for one in (again.root / "data").rglob("*") if one.is_file() and ".skyfs" not in one.parts
        ]
        assert len(kept) == 9


def test_to_and_from_s3(source: Repository, new: Empty, s3: S3Server) -> None:
    bucket = s3.bucket("push")
    stores = [{"name": "far", "url": f"{bucket}/sky", "options": s3.options, "cache": False}]
    far, back = new("far", stores=stores), new("back")
    source.push(far)
    assert contents(far) == contents(source)
    before = len(s3.requests())
    far.push(back)
    assert contents(back) == contents(source)
    # Each file was asked for once.
    gets = [one for one in s3.requests()[before:] if one.startswith("GET") and "/sky/" in one]
    assert len(gets) == 9


def test_others_write_while_bytes_go_far_or_come_from_there(
    source: Repository, new: Empty, s3: S3Server
) -> None:
    stores = [{"name": "far", "url": f"{s3.bucket('long')}/sky", "options": s3.options, "cache": False}]
    far, back = new("far", stores=stores), new("back")
    for origin, target in ((source, far), (far, back)):
        with skyfs.open(target.root, writable=True) as other:

            def write(_: int, other: Repository = other) -> None:
                other.insert("instrument", [{"name": "LATISS"}])

            origin.push(target, done=write)
        assert contents(target) == contents(source)
        assert target.records("instrument", instrument="LATISS").count() == 1


def test_what_is_gone_from_s3(source: Repository, new: Empty, s3: S3Server) -> None:
    bucket = s3.bucket("gone")
    stores = [{"name": "far", "url": f"{bucket}/sky", "options": s3.options, "cache": False, "retries": 0}]
    far, back = new("far", stores=stores), new("back")
    source.push(far, "metrics")
    (ref,) = far.query("metrics", collections="u/best")
    fsspec.filesystem("s3", **s3.options).rm(f"{bucket}/sky{far.path(ref)}")
    with pytest.raises(NotFound, match=r"metrics.*visit=1"):
        far.push(back)
    assert contents(back) == {}
