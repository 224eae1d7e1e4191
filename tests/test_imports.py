"""What importing and looking must not load: packages that take longer to import than a path to open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skyfs

HEAVY = ("astropy", "zarr", "pyarrow", "s3fs", "rich", "pandas", "h5py", "PIL", "lsst.sphgeom", "numpy")


def loaded(code: str) -> set[str]:
    """Run Python code and give the heavy packages that it has imported."""
    report = (
        f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, env=os.environ
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    """Give the code that runs a command line."""
    run = f"try:\n    main({list(arguments)!r})\nexcept SystemExit as end:\n    assert end.code == 0"
    return f"from skyfs.cli import main\n{run}"


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one file in it."""
    root = tmp_path_factory.mktemp("imports") / "sky"
    (root.parent / "a.json").write_text("{}")
    with skyfs.create(root) as repo:
        repo.register("a", [], "Dict")
        repo.ingest([skyfs.IngestFile(root.parent / "a.json", {})], "a", run="u/x")
    return root


def test_import_skyfs_is_light() -> None:
    assert loaded("import skyfs") == set()


def test_import_skyfs_leaves_sql_for_later() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, skyfs; sys.exit('sqlalchemy' in sys.modules or 'fsspec' in sys.modules)",
        ],
        check=False,
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("ls", "-l", "/u/x"),
        ("cat", "/u/x/a.json"),
        ("find",),
        ("find", "/u/*"),
        ("info", "/u/x/a.json"),
        ("types",),
    ],
    ids=" ".join,
)
def test_looking_is_light(sky: Path, arguments: tuple[str, ...]) -> None:
    assert loaded(command("-r", str(sky), *arguments)) == set()


def test_help_loads_no_command() -> None:
    code = (
        command("--help") + "\nimport sys\nassert not [name for name in sys.modules if name == 'sqlalchemy']"
    )
    assert loaded(code) == set()
