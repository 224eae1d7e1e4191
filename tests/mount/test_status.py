"""What a mount tells of itself: ``/.repo/status.json``, and its log."""

from __future__ import annotations

import json
import os
from pathlib import Path

import skyfs
from skyfs.mount.operations import Operations
from skyfs.mount.options import MountOptions
from skyfs.mount.session import log_file
from skyfs.mount.table import find_mount, unmount, wait_for
from skyfs.repository import Repository
from skyfs.tree import Tree

from .conftest import Mounting


def told(folder: Path) -> dict[str, object]:
    known = json.loads((folder / ".repo" / "status.json").read_text())
    assert isinstance(known["mount"], dict)
    return known["mount"]


def test_the_mount_tells_what_it_is(empty: Repository, mounting: Mounting) -> None:
    empty.put({"a": 1}, "summary", run="r")
    folder = mounting.start(empty, MountOptions(("r",)))
    known = json.loads((folder / ".repo" / "status.json").read_text())
    assert (known["name"], known["root"], known["writable"]) == ("sky", str(empty.root), False)
    mount = known["mount"]
    assert mount["folder"] == str(folder)
    assert mount["engine"]
    assert (mount["writable"], mount["replace"], mount["allow_other"]) == (False, False, False)
    assert mount["collections"] == ["r"]
    assert os.fsencode(folder) in Path(f"/proc/{mount['pid']}/cmdline").read_bytes()
    assert mount["log"] == str(log_file())
    assert mount["since"].endswith("Z")
    assert mount["cache"] is None
    assert mount["refusals"] == []


def test_it_is_fresh_at_each_opening(empty: Repository, mounting: Mounting) -> None:
    empty.put({"a": 1}, "summary", run="r")
    folder = mounting.start(empty)
    file = folder / ".repo" / "status.json"
    before = told(folder)["open_files"]
    with (folder / "r" / "summary.json").open("rb"):
        assert isinstance(before, int)
        assert told(folder)["open_files"] == before + 1
    for number in range(20):
        file.stat()
        data = file.read_bytes()
        assert json.loads(data)["name"] == "sky", number
        requests = json.loads(data)["mount"]["requests"]
        assert requests["open"] >= number + 2
    with file.open("rb") as first, file.open("rb") as second:
        opens = [json.loads(one.read())["mount"]["requests"]["open"] for one in (first, second)]
        assert requests["open"] < opens[0] < opens[1], "each opening has its own"
    assert wait_for(lambda: told(folder)["open_files"] == before, 20)


def test_the_core_counts_requests_and_keeps_no_volatile_file(tree: Tree) -> None:
    looked: list[int] = []
    repository = tree.repository

    def status() -> dict[str, object]:
        looked.append(1)
        return {"looked": len(looked)}

    operations = Operations(Tree(repository, status=status))
    path = "/.repo/status.json"
    for number in range(1, 4):
        assert operations.getattr(path)["st_size"] > 0
        handle, opened = operations.open(path, os.O_RDONLY)
        assert opened.direct
        assert json.loads(operations.read(handle, 1 << 20, 0))["looked"] == 2 * number
        operations.release(handle)
    counts = operations.requests.to_mapping()
    assert counts == {"getattr": 3, "open": 3, "read": 3, "release": 3}
    assert operations.open_files == 0


def test_the_state_of_the_cache(tmp_path: Path, mounting: Mounting) -> None:
    far = {"name": "far", "url": "elsewhere", "cache": True}
    cache = {"folder": str(tmp_path / "kept"), "quota": "1 MB"}
    with skyfs.create(tmp_path / "sky", stores=[far], options={"cache": cache}) as repo:
        repo.register("note", [], "Text")
        repo.put("hello", "note", run="r")
        folder = mounting.start(repo)
    (note,) = (folder / "r").iterdir()
    assert note.read_bytes() == b"hello"
    expected = {"folder": str(tmp_path / "kept"), "quota": 1_000_000, "bytes": 5, "entries": 1}
    assert told(folder)["cache"] == {**expected, "hits": 0, "misses": 1}
    assert note.read_bytes() == b"hello"
    assert told(folder)["cache"] == {**expected, "hits": 1, "misses": 1}


def test_the_log_tells_beginning_and_end(empty: Repository, mounting: Mounting) -> None:
    empty.put({"a": 1}, "summary", run="r")
    folder = mounting.start(empty, MountOptions(("r",)))
    engine = told(folder)["engine"]
    unmount(folder)
    assert find_mount(folder) is None
    lines = [f"{folder}: mounted sky, engine {engine}, ro,collections=r", f"{folder}: ended"]
    assert wait_for(lambda: lines[-1] in log_file().read_text(), 20)
    said = [line.partition(" INFO ")[2] for line in log_file().read_text().splitlines()]
    assert [line for line in said if line.startswith(str(folder))] == lines
