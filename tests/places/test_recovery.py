"""Writers that die: files of every kind of key are kept when they were committed, and taken back when not."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import skyfs

from .conftest import Make, at, files
from .test_apart import APART, exposure


def _put_and_die(root: Path, method: str, type_name: str, data_id: dict[str, Any]) -> None:
    with skyfs.open(root, writable=True) as repo:

        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        owner = type(repo.registry.datasets) if method == "insert" else type(repo.stores["a"].begin())
        setattr(owner, method, die)
        repo.put(exposure() if type_name != "metrics" else {"n": 1}, type_name, run="r", **data_id)


CASES = [
    pytest.param({"template": "{type}/{run}/{instrument}-{detector}"}, "metrics", at(), id="template"),
    pytest.param({}, "calexp", at(), id="components"),
    pytest.param({}, "summary", {}, id="components without dimensions"),
]


@pytest.mark.parametrize(("store", "type_name", "data_id"), CASES)
@pytest.mark.parametrize(("method", "committed"), [("publish", False), ("insert", False), ("settle", True)])
def test_killed_while_putting(
    make: Make,
    store: dict[str, Any],
    type_name: str,
    data_id: dict[str, Any],
    method: str,
    *,
    committed: bool,
) -> None:
    repo = make([{"name": "a", "url": "a", **store}], formats=APART)
    repo.put({}, "filters", run="r", instrument="Cam", physical_filter="Cam r") if not store else None
    before = files(repo.root / "a")
    repo.close()
    arguments = (repo.root, method, type_name, data_id)
    process = multiprocessing.get_context("spawn").Process(target=_put_and_die, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with skyfs.open(repo.root, writable=True) as again:
        assert (files(repo.root / "a") == before) is not committed
        assert again.query(type_name, collections="*").any() is committed
        if committed:
            wanted = exposure() if type_name != "metrics" else {"n": 1}
            assert again.get(type_name, collections="r", **data_id) == wanted
            again.remove_run("r")
            assert files(repo.root / "a") == []
