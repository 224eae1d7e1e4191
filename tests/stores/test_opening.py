"""Stores as the configuration of a repository says: opened, written, read, and what is never shown."""

from __future__ import annotations

import importlib.util
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import skyfs
from skyfs.cli import main
from skyfs.config.settings import CONFIG_NAME
from skyfs.errors import BadConfig, Exists, MissingPackage, NotFound, ReadOnly, SkyfsError, StoreError
from skyfs.testing.servers import HttpServer, S3Server
from skyfs.testing.store_suite import get, held, put

from .remote import bucket_of, log_of, zip_file

SECRET = "very-secret-token"  # noqa: S105 - of a test


def create(root: Path, *stores: Mapping[str, object]) -> skyfs.Repository:
    return skyfs.create(root, stores=list(stores))


def names_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_repository_on_s3(s3: S3Server, tmp_path: Path) -> None:
    far = {"name": "far", "url": f"{bucket_of(s3)}/repository", "options": dict(s3.options)}
    with create(tmp_path / "sky", far) as repo:
        repo.register("note", ["instrument"], "Text")
        repo.insert("instrument", [{"name": "HSC"}])
        repo.put("hello", "note", run="u/me", instrument="HSC")
        assert repo.get("note", collections="u/me", instrument="HSC") == "hello"
        (key,) = held(repo.stores["far"])
    with skyfs.open(tmp_path / "sky") as repo:
        assert repo.get("note", collections="u/me", instrument="HSC") == "hello"
        assert get(repo.stores["far"], key) == b"hello"
        assert not repo.stores["far"].writable
        with pytest.raises(ReadOnly):
            repo.stores["far"].begin()
    with skyfs.open(tmp_path / "sky", writable=True) as repo:
        repo.remove(list(repo.query("note", collections="u/me")))
        assert held(repo.stores["far"]) == {}
    left = [name for name in names_below(tmp_path / "sky") if not name.startswith("manifests/")]
    assert left == ["registry.sqlite3", CONFIG_NAME]


def test_opening_for_reading_makes_nothing_and_asks_nothing(tmp_path: Path) -> None:
    far = {"name": "far", "url": "s3://bucket/x", "options": {"endpoint_url": "http://127.0.0.1:1"}}
    create(tmp_path / "sky", far).close()
    before = sorted(map(str, (tmp_path / "sky").rglob("*")))
    with skyfs.open(tmp_path / "sky") as repo:
        assert repo.stores["far"].name == "far"
    with skyfs.open(tmp_path / "sky", writable=True):
        pass
    assert sorted(map(str, (tmp_path / "sky").rglob("*"))) == before


def test_http_and_zip_are_read(http: HttpServer, tmp_path: Path) -> None:
    (http.root / "shelf").mkdir()
    (http.root / "shelf" / "k").write_bytes(b"web")
    web = {"name": "web", "url": f"{http.url}/shelf", "retries": 0}
    archive = {"name": "zip", "url": "zip://old.zip"}
    with create(tmp_path / "sky", {"name": "local", "url": "data"}, web, archive) as repo:
        zip_file(tmp_path / "sky" / "old.zip", {"a/b": b"zipped"})
        assert get(repo.stores["web"], "k") == b"web"
        assert get(repo.stores["zip"], "a/b") == b"zipped"
        for name in ("web", "zip"):
            assert not repo.stores[name].writable
            with pytest.raises(ReadOnly):
                repo.stores[name].begin()


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ({"url": "http://host/x", "writable": True}, "only be read"),
        ({"url": "zip://a.zip", "writable": True}, "only be read"),
        ({"url": "nosuch://x"}, "no such protocol"),
        ({"url": f"https://host/x?token={SECRET}"}, "host/x goes on"),
        ({"url": "s3://b", "name": "../up"}, "folder"),
        ({"url": "memory://", "writable": False}, "memory"),
        ({"url": "data", "mirrors": ["memory://"]}, "mirror"),
        ({"url": "data", "mirrors": [1]}, "mirrors"),
        ({"url": "data", "mirrors": "s3://x"}, "mirrors"),
        ({"url": "s3://b", "options": {"key": "$SKYFS_NOT_SET"}}, "SKYFS_NOT_SET is not set"),
    ],
)
def test_what_cannot_be_opened(store: Mapping[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=message) as caught:
        create(tmp_path / "sky", {"name": "far", **store}).close()
    assert SECRET not in str(caught.value)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    hidden = {"s3fs", "aiohttp"}

    def find(name: str, package: str | None = None) -> object:
        return None if name in hidden else real(name, package)

    monkeypatch.setattr("skyfs.stores.remote_connection.find_spec", find)
    for number, (url, todo) in enumerate({"s3://b": "skyfs[s3]", "https://host": "skyfs[http]"}.items()):
        with pytest.raises(MissingPackage) as caught:
            create(tmp_path / str(number), {"name": "far", "url": url})
        assert todo in str(caught.value)


def test_writable_false_is_kept(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "k").write_bytes(b"x")
    old = {"name": "old", "url": str(tmp_path / "old"), "writable": False}
    with create(tmp_path / "sky", {"name": "local", "url": "data"}, old) as repo:
        assert get(repo.stores["old"], "k") == b"x"
        with pytest.raises(ReadOnly):
            repo.stores["old"].begin()


def test_mirrors_are_read_when_the_store_fails(http: HttpServer, s3: S3Server, tmp_path: Path) -> None:
    (http.root / "mirror").mkdir()
    (http.root / "mirror" / "k").write_bytes(b"mirrored")
    (http.root / "mirror" / "own").write_bytes(b"of the mirror")
    store = {
        "name": "far",
        "url": f"{bucket_of(s3)}/mirrored",
        "options": dict(s3.options),
        "mirrors": [f"{http.url}/mirror"],
    }
    with create(tmp_path / "sky", store) as repo:
        far = repo.stores["far"]
        put(far, {"own": b"own"})
        seen = len(log_of(http))
        assert get(far, "own") == b"own"
        assert log_of(http, seen) == []
        assert get(far, "k") == b"mirrored"
        with pytest.raises(NotFound):
            far.open("nothing")
    assert (http.root / "mirror" / "own").read_bytes() == b"of the mirror"


def test_credentials_come_from_the_environment_and_are_never_shown(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_SECRET", SECRET)
    options = {**s3.options, "secret": "$MY_SECRET", "client_kwargs": {"region_name": "us-east-1"}}
    mirror = f"https://user:{SECRET}@127.0.0.1:1/x"
    store = {"name": "far", "url": bucket_of(s3), "options": options, "mirrors": [mirror], "retries": 0}
    typed = {"name": "typed", "url": "s3://bucket", "options": {"key": "k", "secret": SECRET}}
    shown = []
    with create(tmp_path / "sky", store, typed) as repo:
        shown.append(
            (tmp_path / "sky" / CONFIG_NAME).read_text().replace(f"secret: {SECRET}", "").replace(mirror, "")
        )
        put(repo.stores["far"], {"k": b"x"})
        shown += [repr(repo), repr(repo.stores), repr(repo.config), repo.config.annotated(), repr(vars(repo))]
        fs = skyfs.filesystem(repo)
        shown += [fs.to_json(), repr(fs), str(pickle.dumps(fs)), fs.cat_file("/.repo/config.yaml").decode()]
        for name in ("far", "typed"):
            with pytest.raises(SkyfsError) as caught:
                repo.stores[name].open("nothing").read_all()
            shown += [str(caught.value), repr(caught.getrepr(chain=True))]
    runner = CliRunner()
    result = runner.invoke(main, ["-r", str(tmp_path / "sky"), "config"])
    assert result.exit_code == 0
    assert "$MY_SECRET" in result.output
    assert "(not shown)" in result.output
    shown += [result.output, caplog.text]
    for text in shown:
        assert SECRET not in text


def test_init_with_stores(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "testing")
    stores = ["--store", "local=data", "--store", f"far={bucket_of(s3)}/made"]
    options = [
        f"far.endpoint_url={s3.endpoint}",
        "far.key=testing",
        "far.secret=$MY_SECRET",
        "far.client_kwargs.region_name=us-east-1",
    ]
    flags = [flag for option in options for flag in ("--store-option", option)]
    result = CliRunner().invoke(main, ["init", str(tmp_path / "sky"), *stores, *flags])
    assert result.exit_code == 0, result.output
    given = yaml.safe_load((tmp_path / "sky" / CONFIG_NAME).read_text())["stores"]
    assert [store["name"] for store in given] == ["local", "far"]
    assert "$MY_SECRET" in given[1]["options"].values()
    with skyfs.open(tmp_path / "sky", writable=True) as repo:
        put(repo.stores["far"], {"k": b"x"})
        assert held(repo.stores["far"]) == {"k": b"x"}


@pytest.mark.parametrize(
    "flags",
    [
        ["--store", "nourl"],
        ["--store", "a=x", "--store", "a=y"],
        ["--store-option", f"other.key={SECRET}"],
        ["--store", "a=x", "--store-option", f"a={SECRET}"],
    ],
)
def test_init_refuses_bad_stores(tmp_path: Path, flags: list[str]) -> None:
    result = CliRunner().invoke(main, ["init", str(tmp_path / "sky"), *flags])
    assert result.exit_code == 2
    assert SECRET not in result.output
    assert not (tmp_path / "sky").exists()


def test_a_store_is_added_by_editing_the_file(http: HttpServer, tmp_path: Path) -> None:
    (http.root / "added").mkdir()
    (http.root / "added" / "k").write_bytes(b"x")
    skyfs.create(tmp_path / "sky").close()
    path = tmp_path / "sky" / CONFIG_NAME
    given = yaml.safe_load(path.read_text())
    given["stores"] = [{"name": "local", "url": "data"}, {"name": "web", "url": f"{http.url}/added"}]
    path.write_text(json.dumps(given))
    with skyfs.open(tmp_path / "sky") as repo:
        assert get(repo.stores["web"], "k") == b"x"


def test_two_writers_of_one_key_on_s3(s3: S3Server, tmp_path: Path) -> None:
    store = {"name": "far", "url": f"{bucket_of(s3)}/shared-key", "options": dict(s3.options)}
    with create(tmp_path / "one", store) as one, create(tmp_path / "two", store) as two:
        first, second = one.stores["far"].begin(), two.stores["far"].begin()
        for batch in (first, second):
            batch.create("k").close()
        first.publish()
        with pytest.raises(Exists):
            second.publish()
        second.undo()
        first.settle()
        assert held(one.stores["far"]) == {"k": b""}


def test_wrong_credentials_are_a_clear_error(s3: S3Server, tmp_path: Path) -> None:
    store = {"name": "far", "url": "s3://no-such-bucket-here", "options": dict(s3.options), "retries": 0}
    with create(tmp_path / "sky", store) as repo, pytest.raises(StoreError, match="bucket"):
        next(iter(repo.stores["far"].scan()))


def test_overrides_stand_above_the_file(tmp_path: Path) -> None:
    options = {"cache": {"folder": "kept", "quota": "1 GB"}, "on_missing": "fetch"}
    skyfs.create(tmp_path / "sky", options=options).close()
    given = {"on_missing": "fail", "cache": {"quota": "2 GB"}}
    with skyfs.open(tmp_path / "sky", overrides=given) as repo:
        assert repo.config.on_missing == "fail"
        assert (repo.config.cache.folder, repo.config.cache.quota_bytes) == ("kept", 2 * 10**9)
        shown = repo.config.annotated()
        assert "on_missing: fail  # argument" in shown
        assert "auto_register: types  # default" in shown
    with skyfs.open(tmp_path / "sky") as repo:
        assert repo.config.on_missing == "fetch"
        assert "on_missing: fetch  # file" in repo.config.annotated()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"shared": True}, "edit skyfs.yaml"),
        ({"registry": "other.sqlite3"}, "edit skyfs.yaml"),
        ({"on_missing": "wait"}, "one of fetch, fail"),
        ({"store": []}, "did you mean stores"),
    ],
)
def test_what_cannot_be_overridden(tmp_path: Path, overrides: Mapping[str, object], message: str) -> None:
    skyfs.create(tmp_path / "sky").close()
    with pytest.raises(BadConfig, match=message):
        skyfs.open(tmp_path / "sky", overrides=overrides)
