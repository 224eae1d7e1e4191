"""Passwords and keys show up nowhere: whatever is printed, logged, pickled, or seen from another process."""

from __future__ import annotations

import json
import logging
import os
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

import skyfs
from skyfs.cli import main
from skyfs.errors import BadConfig, SkyfsError
from skyfs.mount.options import MountOptions
from skyfs.mount.session import log_file, start
from skyfs.mount.status import MountStatus
from skyfs.mount.table import unmount
from skyfs.repository import Repository

SECRET = "hunter2-is-no-word"  # noqa: S105 - of a test
STORES: list[dict[str, object]] = [
    {"name": "local", "url": "data"},
    {
        "name": "s3",
        "url": f"s3://me:{SECRET}@bucket/sky",
        "options": {"key": SECRET, "secret": SECRET, "token": SECRET, "endpoint_url": "http://127.0.0.1:1"},
        "mirrors": [f"http://me:{SECRET}@127.0.0.1:1/x"],
        "retries": 0,
    },
    {
        "name": "web",
        "url": f"http://me:{SECRET}@127.0.0.1:1/x",
        "options": {"headers": {"Authorization": SECRET}},
        "retries": 0,
    },
    {
        "name": "variable",
        "url": "s3://bucket",
        "options": {"secret": "$HIDDEN", "endpoint_url": "http://127.0.0.1:1"},
    },
]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository whose configuration spells out secrets in every place where one may be."""
    monkeypatch.setenv("HIDDEN", SECRET)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with skyfs.create(tmp_path / "sky", stores=STORES) as repository:
        yield repository


def chain_of(error: BaseException) -> str:
    """Give all that a traceback shows: the error and its causes, and what they were made of."""
    shown = "".join(traceback.format_exception(error))
    one: BaseException | None = error
    while one is not None:
        shown += f"{one!r} {one} {one.args} {vars(one) if isinstance(one, SkyfsError) else None}"
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return shown


def assert_hidden(*texts: object) -> None:
    for text in texts:
        found = text.decode("latin-1") if isinstance(text, bytes) else str(text)
        assert found, "there is nothing to look at"
        assert SECRET not in found


def test_objects_show_none(repository: Repository) -> None:
    filesystem = skyfs.filesystem(repository)
    assert_hidden(repr(repository), str(repository), repr(vars(repository)), repr(repository.config))
    assert_hidden(repr(repository.stores), *map(repr, repository.stores.values()))
    assert_hidden(repr(filesystem), filesystem.to_json(), filesystem.cat_file("/.repo/config.yaml"))
    assert_hidden(filesystem.storage_options, repr(vars(filesystem)))
    options = MountOptions(overrides={"stores": STORES})
    assert_hidden(str(options), json.dumps(MountStatus(repository, "/mnt", options, "log").to_mapping()))


def test_pickles_hold_none(repository: Repository) -> None:
    filesystem = skyfs.filesystem(repository)
    repository.register("notes", [], "Text")
    ref = repository.put("x", "notes", run="u/me")
    assert_hidden(pickle.dumps(filesystem), pickle.dumps(ref), pickle.dumps(repository.config.to_mapping()))
    with filesystem.open("/u/me/notes.txt") as file:
        assert_hidden(pickle.dumps(file))
    assert_hidden(pickle.dumps(repository))


def test_errors_and_logs_show_none(repository: Repository, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("s3", "web", "variable"):
        for ask in (
            lambda store: store.open("k").read_all(),
            lambda store: store.stat("k"),
            lambda store: list(store.scan()),
        ):
            with pytest.raises(SkyfsError) as caught:
                ask(repository.stores[name])
            assert_hidden(chain_of(caught.value))
    told = [record.getMessage() for record in caplog.records if record.name.startswith("skyfs")]
    assert_hidden(*told)


@pytest.mark.parametrize(
    "stores",
    [
        [f"s3://me:{SECRET}@bucket"],
        f"s3://me:{SECRET}@bucket",
        [{"name": "a", "url": [f"s3://me:{SECRET}@bucket"]}],
        [{"name": "a", "url": "data", "options": f"secret={SECRET}"}],
        [{"name": "a", "url": "data", "options": [SECRET]}],
        [{"name": "a", "url": "data", "mirrors": f"https://me:{SECRET}@host"}],
        [{"name": "a", "url": f"http://me:{SECRET}@host/?x"}],
        [{"name": "a", "url": f"nothing://me:{SECRET}@host/x"}],
        [{"name": "a/b", "url": f"s3://me:{SECRET}@bucket"}],
        [{"name": "a", "url": f"s3://me:{SECRET}@bucket", "mirrors": ["memory://"]}],
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_without(tmp_path: Path, stores: object) -> None:
    def make() -> None:
        skyfs.create(tmp_path / "sky", stores=stores).close()  # type: ignore[arg-type]

    with pytest.raises(SkyfsError) as caught:
        make()
    assert_hidden(chain_of(caught.value))


@pytest.mark.parametrize("command", [["config"], ["info"], ["--help"], ["check"]])
def test_commands_print_none(repository: Repository, command: list[str]) -> None:
    done = CliRunner().invoke(main, ["-r", str(repository.root), *command])
    assert_hidden(done.output + done.stderr)


def test_the_password_of_a_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with pytest.raises(BadConfig, match="password") as caught:
        skyfs.create(tmp_path / "sky", registry=f"postgresql://me:{SECRET}@127.0.0.1:1/x")
    assert_hidden(chain_of(caught.value))
    with pytest.raises(SkyfsError) as unreachable:
        skyfs.create(tmp_path / "sky", registry="postgresql://me@127.0.0.1:1/x")
    assert_hidden(chain_of(unreachable.value))
    (tmp_path / "sky").mkdir(exist_ok=True)
    for registry in (
        f"postgresql://me:{SECRET}@127.0.0.1:1/x",
        f"postgresql://127.0.0.1:1/x?password={SECRET}",
    ):
        text = f"skyfs: 1\nname: sky\nschema: s\nregistry: {registry}\n"
        (tmp_path / "sky" / "skyfs.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(SkyfsError) as written:
            skyfs.open(tmp_path / "sky")
        assert_hidden(chain_of(written.value))
        done = CliRunner().invoke(main, ["-r", str(tmp_path / "sky"), "config"])
        assert_hidden(done.output + done.stderr)


def test_a_mount_tells_none(repository: Repository, tmp_path: Path, fuse: None) -> None:  # noqa: ARG001 - it may skip
    folder = tmp_path / "mnt"
    folder.mkdir()
    start(repository.root, folder, MountOptions(overrides={"stores": STORES}))
    try:
        told = (folder / ".repo" / "status.json").read_text(encoding="utf-8")
        pid = json.loads(told)["mount"]["pid"]
        # What all users of the machine can see of a process.
        assert_hidden(told, Path(f"/proc/{pid}/cmdline").read_bytes(), Path("/proc/mounts").read_bytes())
        assert os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert_hidden((folder / ".repo" / "config.yaml").read_bytes())
    finally:
        unmount(folder)
    assert_hidden(log_file().read_bytes())


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://me:{SECRET}@host/sky",
        f"s3://me:{SECRET}@bucket/sky",
        f"https://host/sky?X-Amz-Signature={SECRET}",
        f"file:///nowhere?token={SECRET}",
        f"me:{SECRET}@sky",
    ],
)
def test_what_a_repository_is_called_by(location: str) -> None:
    """People paste what they have: it is told without what may be secret."""
    with pytest.raises(SkyfsError) as caught:
        skyfs.open(location)
    assert SECRET not in chain_of(caught.value)
    done = CliRunner().invoke(main, ["-r", location, "ls", "/"])
    assert done.exit_code == 1
    assert SECRET not in done.output


@pytest.mark.parametrize(
    "url",
    [
        f"skyfs:///u::s3://me:{SECRET}@bucket/sky",
        f"skyfs:///u::https://me:{SECRET}@host/sky?token={SECRET}",
        f"skyfs://me:{SECRET}@sky/u",
    ],
)
def test_what_a_url_names_a_repository_by(url: str) -> None:
    with pytest.raises(SkyfsError) as caught:
        fsspec.open(url).open()
    assert SECRET not in chain_of(caught.value)
