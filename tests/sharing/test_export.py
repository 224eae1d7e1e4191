"""What is exported can be taken in elsewhere: the same answers, the same bytes; or nothing at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.config import Environment
from skyfs.errors import BadArgument, BadContent, Conflict, Exists, NotAllowed, SkyfsError, WrongBytes
from skyfs.registry.manifest.arriving import OnConflict
from skyfs.repository import Repository

from .conftest import CAMERA, Empty, contents, state


def archive(repo: Repository, **how: object) -> bytes:
    """Give an export as bytes."""
    file = io.BytesIO()
    repo.export(file, **how)  # type: ignore[arg-type]
    return file.getvalue()


class Pipe(io.RawIOBase):
    """A stream that cannot be sought, and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._rest.read(min(size, 1000) if size > 0 else size)

    def seekable(self) -> bool:
        return False


Stream = Callable[[bytes], Any]


@pytest.fixture(params=[io.BytesIO, Pipe], ids=["whole", "pipe"])
def stream(request: pytest.FixtureRequest) -> Stream:
    """Give what makes a stream: all of it is there, and comes with its lines; or it may take long to come."""
    return request.param  # type: ignore[no-any-return]


def test_an_archive_makes_the_same_repository(source: Repository, empty: Repository, stream: Stream) -> None:
    applied = empty.import_manifest(stream(archive(source)))
    assert (applied.datasets, applied.unchanged) == (13, 0)
    assert state(empty) == state(source)
    assert contents(empty) == contents(source)
    assert len(contents(empty)) == 12


def test_the_same_again_is_no_change(source: Repository, empty: Repository, tmp_path: Path) -> None:
    path = tmp_path / "all.tar"
    assert source.export(path) == 13
    empty.import_manifest(path)
    before, files = state(empty), _files(empty)
    applied = empty.import_manifest(path)
    assert (applied.datasets, applied.unchanged) == (0, 13)
    assert (state(empty), _files(empty)) == (before, files)


def _files(repo: Repository) -> set[str]:
    return {
        str(path) for path in (repo.root / "data").rglob("*") if path.is_file() and ".skyfs" not in path.parts
    }


def test_lines_alone_declare_and_bytes_may_come_later(
    source: Repository, empty: Repository, tmp_path: Path
) -> None:
    source.export(tmp_path / "lines.jsonl")
    source.export(tmp_path / "bytes.tar")
    empty.import_manifest(tmp_path / "lines.jsonl")
    assert contents(empty) == {}
    assert empty.query("raw", collections="HSC/raw").count() == 6
    applied = empty.import_manifest(tmp_path / "bytes.tar")
    assert (applied.datasets, applied.stored, applied.unchanged) == (0, 12, 1)
    assert contents(empty) == contents(source)


def test_what_is_chosen_comes_with_its_calibrations(source: Repository, empty: Repository) -> None:
    empty.import_manifest(io.BytesIO(archive(source, where="visit = 3", **CAMERA)))
    assert {ref.data_id["visit"] for ref in empty.query("metrics", collections="HSC/runs/a")} == {3}
    assert [ref.data_id["exposure"] for ref in empty.query("raw", collections="HSC/raw")] == [3, 3]
    flats = list(empty.query("flat", collections="HSC/calib"))
    assert [ref.run for ref in flats] == ["HSC/calib/2"]
    assert [str(ref.valid) for ref in flats] == ["20131103T000000--max"]
    assert [one["id"] for one in empty.records("visit")] == [3]
    assert [
        ref.data_id["visit"] for ref in empty.query("metrics", collections="*", where="quality.airmass > 1.9")
    ] == [3]
    (made,) = empty.query("metrics", collections="HSC/runs/a")
    inputs = {one for _, one in empty.registry.details.inputs([made.id])}
    assert inputs == {ref.id for ref in empty.query("raw", collections="HSC/raw")}


def test_types_and_collections_are_chosen(source: Repository, empty: Repository) -> None:
    empty.import_manifest(io.BytesIO(archive(source, types="metrics", collections="u/*")))
    assert set(empty.registry.current().types) == {"metrics"}
    assert set(empty.registry.current().collections) == {"HSC/runs/a", "u/best"}
    assert list(contents(empty).values()) == [contents(source)[path] for path in contents(empty)]
    assert len(contents(empty)) == 1


def test_a_file_of_many_travels_once(source: Repository) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(source))) as found:
        names = found.getnames()
    assert names[0] == "manifest.jsonl"
    assert sum(name.startswith("shared/") for name in names) == 3
    assert len(names) == 1 + 3 + 6


def test_other_bytes_of_a_data_id(source: Repository, empty: Repository, stream: Stream) -> None:
    empty.import_manifest(io.BytesIO(archive(source)))
    (old,) = source.query("metrics", collections="u/best")
    data_id: dict[str, Any] = dict(old.data_id)
    new = source.put({"seeing": 9.0}, "metrics", run=old.run, replace=True, **data_id)
    changed = archive(source, types="metrics")
    before = state(empty)
    with pytest.raises(SkyfsError, match="it is there already"):
        empty.import_manifest(stream(changed))
    assert state(empty) == before
    assert empty.import_manifest(stream(changed), on_conflict="skip").skipped == 1
    assert state(empty) == before
    for choice in ("newest", "replace"):
        empty.import_manifest(stream(changed), on_conflict=choice)
        assert empty.get(new)["seeing"] == 9.0  # type: ignore[index]
        assert empty.get("metrics", collections=old.run, **data_id) == {"seeing": 9.0}
    assert not list(empty.root.rglob(f"*{old.id.hex}*"))


def test_what_belongs_to_others_is_not_replaced(source: Repository, empty: Repository) -> None:
    empty.import_manifest(io.BytesIO(archive(source)))
    (old,) = source.query("metrics", collections="u/best")
    data_id: dict[str, Any] = dict(old.data_id)
    source.put({"seeing": 9.0}, "metrics", run=old.run, replace=True, **data_id)
    root, before = empty.root, state(empty)
    empty.close()
    environment = replace(Environment.current(), user="somebody")
    with skyfs.open(root, writable=True, environment=environment) as theirs:
        with pytest.raises(NotAllowed, match="replace datasets of the RUN 'HSC/runs/a': it belongs to"):
            theirs.import_manifest(io.BytesIO(archive(source)), on_conflict="replace")
        assert state(theirs) == before


def test_a_record_that_differs(source: Repository, empty: Repository, stream: Stream) -> None:
    empty.insert("instrument", [{"name": "HSC", "class_name": "other"}])
    with pytest.raises(Conflict, match="class_name"):
        empty.import_manifest(stream(archive(source)))
    assert not empty.registry.current().types
    empty.import_manifest(stream(archive(source)), on_conflict="skip")
    assert next(iter(empty.records("instrument")))["class_name"] == "other"


def _tampered(
    data: bytes, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]
) -> bytes:
    """Give an archive with other members."""
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            info, content = change(member, file.read())
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))
    return target.getvalue()


def _flipped(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return info, content if info.name == "manifest.jsonl" else bytes([content[0] ^ 1]) + content[1:]


def _longer(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return info, content if info.name == "manifest.jsonl" else content + b"x"


def _renamed(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name != "manifest.jsonl":
        info.name = "../../etc/passwd"
    return info, content


def _absolute(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info.name = "/etc/passwd"
    return info, content


def _linked(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name != "manifest.jsonl":
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info, content


def _device(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name != "manifest.jsonl":
        info.type = tarfile.CHRTYPE
    return info, content


def _sparse(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name != "manifest.jsonl":
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "999999999999"}
    return info, content


@pytest.mark.parametrize("change", [_flipped, _longer, _renamed, _absolute, _linked, _device, _sparse])
def test_archives_that_are_not_what_they_say(
    source: Repository,
    new: Empty,
    stream: Stream,
    change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]],
) -> None:
    target = new("empty")
    hostile = _tampered(archive(source), change)
    with pytest.raises((BadContent, WrongBytes)) as caught:
        target.import_manifest(stream(hostile))
    assert caught.value.found
    assert not target.registry.current().collections
    assert not target.registry.current().types
    assert _files(target) == set()
    with pytest.raises((BadContent, WrongBytes)):
        target.import_manifest(stream(hostile))


@pytest.mark.parametrize(
    "line",
    [
        {"remove": ["ID"]},
        {"drop": "HSC/defaults"},
        {"clear": "u/best"},
        {"untag": {"collection": "u/best", "ids": ["ID"]}},
        {"decertify": {"collection": "HSC/calib", "type": "flat", "begin": None, "end": None, "levels": {}}},
        {"detach": "quality"},
        {"retime": [["ID", 5]]},
        {"rebase": {"store": "in-place", "old": "a", "new": "etc"}},
    ],
    ids=lambda line: next(iter(line)),
)
@pytest.mark.parametrize("choice", ["fail", "replace"])
def test_what_comes_takes_nothing_away(source: Repository, line: dict[str, Any], choice: OnConflict) -> None:
    """A change log has such lines; in a manifest of somebody else they would delete what is here."""
    one = source.find("metrics", collections="HSC/runs/a", **CAMERA, visit=1, detector=0)
    lines = io.BytesIO()
    source.export(lines, files=False)
    head = b"".join(lines.getvalue().splitlines(keepends=True)[:2])
    text = json.dumps(line).replace("ID", str(one.id))
    before = (state(source), contents(source))
    with pytest.raises(BadContent):
        source.import_manifest(io.BytesIO(head + text.encode() + b"\n"), on_conflict=choice)
    assert (state(source), contents(source)) == before


def test_archives_that_are_cut_anywhere(source: Repository, new: Empty, stream: Stream) -> None:
    target, data = new("empty"), archive(source)
    for length in (0, 1, 511, 512, 700, len(data) // 2, len(data) - 1500, len(data) - 1024):
        with pytest.raises(BadContent):
            target.import_manifest(stream(data[:length]))
        assert not target.registry.current().types
        assert _files(target) == set()


def test_a_bomb_is_refused_by_its_size(source: Repository, new: Empty) -> None:
    """A header says a file of a petabyte, where the manifest says some bytes."""
    target, data = new("empty"), bytearray(archive(source))
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as found:
        member = found.getmembers()[1]
    info = tarfile.TarInfo(member.name)
    info.size = 2**50
    data[member.offset : member.offset + 512] = info.tobuf(tarfile.GNU_FORMAT)[:512]
    with pytest.raises(BadContent, match="the manifest says"):
        target.import_manifest(io.BytesIO(bytes(data)))
    huge = tarfile.TarInfo("x")
    huge.type, huge.size = tarfile.XHDTYPE, 2**33
    with pytest.raises(BadContent, match="a header of 8589934592 bytes"):
        target.import_manifest(io.BytesIO(huge.tobuf(tarfile.GNU_FORMAT)))


def test_bytes_that_are_gone_or_damaged_are_not_exported(source: Repository, tmp_path: Path) -> None:
    (ref,) = source.query("metrics", collections="u/best")
    path = source.root / "data" / source.path(ref)[1:]
    path.write_bytes(b"x")
    with pytest.raises(SkyfsError, match="1 bytes"):
        source.export(tmp_path / "all.tar")
    path.unlink()
    with pytest.raises(SkyfsError):
        source.export(tmp_path / "all.tar")
    assert os.listdir(tmp_path / "files") != []
    assert not list(tmp_path.glob("*.tar"))
    assert not list(tmp_path.glob(".export*"))


def test_a_name_that_tells_no_format(source: Repository, tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match=r"\.tar has bytes"):
        source.export(tmp_path / "all.zip")


def test_a_killed_import_leaves_nothing(source: Repository, new: Empty) -> None:
    target = new("empty")
    target.close()
    data = archive(source)
    code = "import sys, skyfs; skyfs.open(sys.argv[1], writable=True).import_manifest(sys.stdin.buffer)"
    process = subprocess.Popen([sys.executable, "-c", code, str(target.root)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(data[:-1024])
    process.stdin.flush()
    while not list((target.root / "data").rglob("*")):
        assert process.poll() is None
    process.kill()
    process.wait()
    process.stdin.close()
    with skyfs.open(target.root, writable=True) as again:
        assert not again.registry.current().types
        assert _files(again) == set()
        again.import_manifest(io.BytesIO(data))
        assert contents(again) == contents(source)


def test_who_waits_for_a_pipe_lets_others_write(source: Repository, empty: Repository) -> None:
    """The manifest has come and is put in on trial; the bytes are still to come."""
    asked, comes = threading.Event(), threading.Event()
    data = archive(source)

    class Slow(Pipe):
        def read(self, size: int = -1, /) -> bytes:
            if self._rest.tell() > len(data) // 2:
                asked.set()
                assert comes.wait(60)
            return super().read(size)

    with ThreadPoolExecutor(1) as others:
        coming = others.submit(empty.import_manifest, Slow(data))  # type: ignore[arg-type]
        assert asked.wait(60)
        with skyfs.open(empty.root, writable=True) as other:
            other.register("note", [], "Text")
            other.put("written meanwhile", "note", run="u/other")
        assert not coming.done()
        comes.set()
        assert coming.result().datasets == 13
    assert empty.get("note", collections="u/other") == "written meanwhile"


@pytest.mark.parametrize("more", ["x", "manifest.jsonl"])
def test_what_comes_after_the_last_file_is_refused(
    source: Repository, new: Empty, stream: Stream, more: str
) -> None:
    target, longer = new("empty"), io.BytesIO(archive(source))
    with tarfile.open(fileobj=longer, mode="a") as found:
        found.addfile(tarfile.TarInfo(more))
    with pytest.raises(BadContent, match="of which the manifest says nothing"):
        target.import_manifest(stream(longer.getvalue()))
    assert not target.registry.current().types
    assert _files(target) == set()


def _joined(*archives: bytes) -> bytes:
    """Give one archive of the lines of several, and of their files."""
    members: dict[str, bytes] = {}
    for data in archives:
        with tarfile.open(fileobj=io.BytesIO(data)) as found:
            for member in found:
                file = found.extractfile(member)
                assert file is not None
                lines = file.readlines()
                if member.name in members:  # the manifest: what follows the first has its datasets alone
                    lines = [line for line in lines if line.startswith(b'{"datasets"')]
                members[member.name] = members.get(member.name, b"") + b"".join(lines)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as joined:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            joined.addfile(info, io.BytesIO(content))
    return target.getvalue()


@pytest.mark.parametrize(("choice", "wins"), [("skip", 1.0), ("replace", 2.0)])
def test_two_datasets_of_one_data_id_in_an_archive(
    new: Empty, stream: Stream, choice: OnConflict, wins: float
) -> None:
    archives = []
    for seeing in (1.0, 2.0):
        with new(f"of{seeing}") as repo:
            repo.register("metrics", [], "Dict")
            repo.put({"seeing": seeing}, "metrics", run="r")
            archives.append(archive(repo))
    target, both = new("empty"), _joined(*archives)
    with pytest.raises(Exists):
        target.import_manifest(stream(both))
    assert not target.registry.current().types
    assert _files(target) == set()
    target.import_manifest(stream(both), on_conflict=choice)
    assert target.get("metrics", collections="r") == {"seeing": wins}
    assert len(_files(target)) == 1
