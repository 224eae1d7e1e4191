"""Stores: no key, link or archive leads out of them, or fills the memory."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

import skyfs
from skyfs.abc.store import Store
from skyfs.errors import SkyfsError, StoreError
from skyfs.stores.folders import Folders
from skyfs.stores.local import LocalStore
from skyfs.stores.memory import MemoryStore
from skyfs.stores.remote import RemoteStore
from skyfs.testing.servers import S3Server

from .conftest import CANARY, Target
from .hostile import Attack, all_refused, harmless
from .texts import LONG, NAMES

KEYS = [
    *(
        "..",
        ".",
        "",
        "/",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "a//b",
        "./a",
        "a/.",
        "a/",
        ".skyfs",
        ".skyfs/x",
    ),
    *("a\0b", "\0", "a/\udcff\0", "\ud800", "x\ud800/y", "../" * 100 + "etc/passwd", "a/../" * 300 + "x"),
    *LONG[:3],
]


def _create(store: Store, key: str) -> None:
    batch = store.begin()
    try:
        with batch.create(key) as file:
            file.write(b"x")
        batch.publish()
        batch.settle()
    except BaseException:
        batch.undo()
        raise


def _delete(store: Store, key: str) -> None:
    batch = store.begin()
    try:
        batch.delete(key)
        batch.publish()
        batch.settle()
    except BaseException:
        batch.undo()
        raise


@pytest.fixture(params=["local", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "place" / "root").mkdir(parents=True)
    (tmp_path / "place" / "canary").write_bytes(CANARY)
    if request.param == "local":
        opened: Store = LocalStore(tmp_path / "place" / "root", name="tested", durability="process")
    elif request.param == "memory":
        opened = MemoryStore("tested")
    else:
        s3: S3Server = request.getfixturevalue("s3")
        url = s3.bucket(f"keys-{uuid4().hex}") + "/root"
        folders = Folders(str(tmp_path / "place" / "root"), shared=False, durable=False)
        opened = RemoteStore(url, name="tested", options=s3.options, folders=folders)
    yield opened
    opened.close()
    assert {path.name for path in (tmp_path / "place").iterdir()} == {"root", "canary"}
    assert (tmp_path / "place" / "canary").read_bytes() == CANARY


def test_keys_that_lead_out_are_refused(store: Store) -> None:
    def attacks() -> Iterator[Attack]:
        for key in KEYS:
            # Names longer than a filesystem's are keys of other stores.
            if key not in LONG or isinstance(store, LocalStore):
                for call in (store.open, store.stat, partial(_delete, store), partial(_create, store)):
                    yield key, partial(call, key)

    assert all_refused(attacks()) > 50
    assert list(store.scan()) == []


def test_prefixes_that_lead_out_find_nothing(store: Store) -> None:
    def scan(prefix: str) -> None:
        assert list(store.scan(prefix)) == []

    assert harmless((key, partial(scan, key)) for key in (*KEYS, *NAMES)) > 50


def test_links_do_not_take_writers_out(target: Target) -> None:
    outside = target.folder / "beside"
    repository = target.repository
    data = repository.root / "data"
    (data / "u").mkdir()
    (data / "u" / "out").symlink_to(outside)
    with pytest.raises(StoreError, match="leads out"):
        repository.put({"a": 1}, "notes", run="u/out")
    (data / "u" / "out").unlink()
    (data / "u").rmdir()
    assert sorted(os.listdir(outside)) == ["canary"]


def test_links_do_not_take_removal_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with skyfs.create(tmp_path / "sky") as repository:
        repository.register("notes", [], "Text")
        ref = repository.put("mine", "notes", run="u")
        (name,) = os.listdir(repository.root / "data" / "u")
        (outside / name).write_bytes(b"mine")
        (repository.root / "data" / "u" / name).unlink()
        (repository.root / "data" / "u").rmdir()
        (repository.root / "data" / "u").symlink_to(outside)
        try:
            repository.remove([ref])
        except SkyfsError as error:
            assert "leads out" in str(error)  # noqa: PT017 - it may be removed, without its file
        assert (outside / name).read_bytes() == b"mine"


def test_a_fifo_or_device_is_no_dataset(tmp_path: Path) -> None:
    with skyfs.create(tmp_path / "sky") as repository:
        repository.register("notes", [], "Text")
        ref = repository.put("mine", "notes", run="u")
        path = next((repository.root / "data" / "u").iterdir())
        for put in (
            os.mkfifo,
            lambda at: os.symlink("/dev/zero", at),
            os.mkdir,
            lambda at: os.symlink(at, at),
        ):
            path.unlink()
            put(path)
            # Another size is seen when it is opened; nothing waits for a writer, and /dev/zero has no end.
            assert all_refused([("special file", partial(repository.get, ref))]) == 1
            path.rmdir() if path.is_dir() and not path.is_symlink() else None
            if not os.path.lexists(path):
                path.write_text("x", encoding="utf-8")


def test_what_is_linked_in_survives_its_removal(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("theirs", encoding="utf-8")
    with skyfs.create(tmp_path / "sky") as repository:
        repository.register("notes", [], "Text")
        filesystem = skyfs.filesystem(repository)
        for mode in ("link", "symlink", "direct"):
            ref = repository.ingest([skyfs.IngestFile(source, {})], "notes", run=mode, mode=mode)[0]
            path = repository.path(ref)
            with filesystem.open(path, "wb", replace=True) as file:
                file.write(b"ours")
            assert source.read_text(encoding="utf-8") == "theirs"
            filesystem.rm_file(path)
            assert source.read_text(encoding="utf-8") == "theirs"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "a\\..\\..\\evil"])
def test_archives_with_names_that_lead_out(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "place" / "files.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo(name), b"evil")
        file.writestr("good", b"good")
    store = RemoteStore(f"zip://::{archive}", name="zip")
    try:
        calls: list[Callable[[], object]] = [
            partial(store.stat, name),
            lambda: store.open(name).read_all(),
            lambda: list(store.scan()),
        ]
        harmless((name, call) for call in calls)
    finally:
        store.close()
    assert [path.name for path in tmp_path.rglob("*")] == ["place", "files.zip"]


def test_an_archive_whose_member_is_a_bomb(tmp_path: Path) -> None:
    with skyfs.create(tmp_path / "made") as repository:
        repository.register("notes", [], "Text")
        repository.put("0123456789", "notes", run="u")
    config = (tmp_path / "made" / "skyfs.yaml").read_text(encoding="utf-8")
    (key,) = (path for path in (tmp_path / "made" / "data").rglob("*") if path.is_file())
    data = io.BytesIO()
    with (
        zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file,
        file.open(str(key.relative_to(tmp_path / "made" / "data")), "w", force_zip64=True) as member,
    ):
        for _ in range(16):
            member.write(bytes(64 << 20))
    (tmp_path / "made" / "files.zip").write_bytes(data.getvalue())
    stores = "stores:\n- {name: local, url: 'zip://files.zip', retries: 0}\n"
    (tmp_path / "made" / "skyfs.yaml").write_text(config + stores, encoding="utf-8")
    with skyfs.open(tmp_path / "made") as repository:
        filesystem = skyfs.filesystem(repository)
        calls: list[Callable[[], object]] = [
            lambda: repository.get("notes", collections="u"),
            lambda: filesystem.cat_file("/u/notes.txt"),
            lambda: filesystem.get_file("/u/notes.txt", str(tmp_path / "out")),
        ]
        assert all_refused(("bomb", call) for call in calls) == 3
    assert not (tmp_path / "out").exists()


def test_names_with_line_ends_reach_a_server_encoded(tmp_path: Path, s3: S3Server) -> None:
    far: dict[str, object] = {"name": "far", "url": s3.bucket("line-ends"), "options": s3.options}
    with skyfs.create(tmp_path / "sky", stores=[far]) as repository:
        repository.register("notes", [], "Text")
        for run in ("u/a\r\nX-Evil: 1", "u/ü\n", "u/$(id)", "u/?versions", "u/#x", "u/a%0d%0ab", "u/%2e%2e"):
            ref = repository.put("kept", "notes", run=run)
            assert repository.get(ref) == "kept"
            assert skyfs.filesystem(repository).cat_file(repository.path(ref)) == b"kept"
    assert not any("X-Evil: 1" in line for line in s3.requests())
