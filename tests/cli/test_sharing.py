"""export, import, push, subset and merge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import skyfs

from .conftest import Command

pytestmark = pytest.mark.usefixtures("sky")


def _paths(run: Command, repository: str) -> list[str]:
    return run("-r", repository, "find", "/").output.splitlines()


def test_there_and_back_by_a_file(run: Command, tmp_path: Path) -> None:
    target = str(tmp_path / "all.tar")
    assert "all.tar: 7 datasets" in run("export", "-o", target).stderr
    assert run("init", str(tmp_path / "new")).exit_code == 0
    found = json.loads(run("-r", str(tmp_path / "new"), "import", target, "--json").stdout)
    assert (found["datasets"], found["types"]) == (7, 4)
    assert _paths(run, str(tmp_path / "new")) == _paths(run, "./sky")
    assert run("-r", str(tmp_path / "new"), "import", target).stdout.split() == [
        "unchanged",
        "7",
        "associations",
        "2",
    ]


def test_through_a_pipe(run: Command, tmp_path: Path) -> None:
    run("init", str(tmp_path / "new"))
    program = [sys.executable, "-m", "skyfs", "-r"]
    sent = subprocess.Popen(
        [*program, "./sky", "export", "-o", "-", "--types", "metrics"], stdout=subprocess.PIPE
    )
    subprocess.run([*program, str(tmp_path / "new"), "import", "-"], stdin=sent.stdout, check=True)
    assert sent.wait() == 0
    assert sent.stdout is not None
    sent.stdout.close()
    with skyfs.open(tmp_path / "new") as repo:
        assert repo.query("metrics", collections="*").count() == 1


def test_what_is_chosen(run: Command, tmp_path: Path) -> None:
    target = str(tmp_path / "some.jsonl")
    found = run(
        "export", "-o", target, "--types", "src,metrics", "--where", "visit = 903334", "instrument=HSC"
    )
    assert "3 datasets" in found.stderr
    lines = [json.loads(line) for line in Path(target).read_text().splitlines()]
    assert [one["type"]["name"] for one in lines if "type" in one] == ["metrics", "src"]


def test_push_subset_and_merge(run: Command, tmp_path: Path) -> None:
    run("init", str(tmp_path / "there"))
    assert "datasets\t7" in run("push", str(tmp_path / "there")).stdout
    assert "unchanged\t7" in run("push", str(tmp_path / "there")).stdout
    found = run("subset", str(tmp_path / "view"), "--view", "--types", "src", "--name", "part")
    assert found.stdout == f"{tmp_path}/view: a view of 'sky'\n"
    assert len([one for one in _paths(run, "part") if "/runs/a/src/" in one]) == 2
    found = run("subset", str(tmp_path / "copy"), "--types", "calexp", "detector=1")
    assert found.stdout == f"{tmp_path}/copy: a copy of 'sky'\n"
    run("init", str(tmp_path / "all"))
    found = run("merge", "part", str(tmp_path / "copy"), "--into", str(tmp_path / "all"))
    assert found.stdout.splitlines()[0] == "from part:"
    assert len([one for one in _paths(run, str(tmp_path / "all")) if "/runs/a/" in one]) == 3
    found = run("destroy", "./sky", "--yes")
    assert f"2 files are kept, which {tmp_path}/view refers to" in found.stderr
    assert len([one for one in _paths(run, "part") if "/runs/a/" in one]) == 2
    (tmp_path / "view").rename(tmp_path / "moved")
    assert run("relocate", tmp_path / "moved").stdout == f"{tmp_path}/moved: relocated\n"
    assert len([one for one in _paths(run, "part") if "/runs/a/" in one]) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("export", "-o", "x.zip"), 2, ".tar has bytes, .jsonl none"),
        (("export", "-o", "nowhere/x.tar"), 1, "its folder does not exist"),
        (("export", "-o", "x.tar", "--types", "srv"), 1, "did you mean src"),
        (("export", "-o", "x.tar", "--where", "vist = 1"), 2, "visit"),
        (("import", "sky/skyfs.yaml"), 1, "the export is damaged or truncated"),
        (("import", "nowhere.tar"), 1, "no such file"),
        (("import", "x.tar", "--mode", "copy"), 2, "--mode does not go with this kind of FILE"),
        (
            ("import", "x.yaml", "--on-conflict", "skip"),
            2,
            "--on-conflict does not go with this kind of FILE",
        ),
        (("push", "nowhere"), 1, "no repository named 'nowhere'"),
        (("merge", "./sky", "--into", "./sky", "--on-conflict", "best"), 2, "prefer=sky"),
    ],
)
def test_what_cannot_be_done(run: Command, arguments: tuple[str, ...], status: int, message: str) -> None:
    assert message in run.fails(*arguments, status=status)
    assert not Path("x.tar").exists()
