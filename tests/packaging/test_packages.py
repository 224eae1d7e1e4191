"""What is released: wheel and sdist are whole, and skyfs works with nothing else than what it declares."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import skyfs

CHECKOUT = Path(__file__).parents[2]
PACKAGE = Path(skyfs.__file__).parent
# What is imported by another name than it is installed by.
NAMES = {"universal-pathlib": "upath", "asdf-astropy": "asdf_astropy", "ipython": "IPython"}
COMMANDS = {"skyfs", "mount.skyfs"}


@dataclass(frozen=True)
class Built:
    """Files that were built."""

    wheel: Path
    sdist: Path


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it."""

    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment, in an empty folder; give what it prints."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(self.folder / "bin" / program), *arguments]
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def build(source: Path, target: Path, *kinds: str) -> None:
    """Build a source tree as its pyproject.toml says."""
    wanted = [word for kind in kinds for word in ("-t", kind)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *wanted]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    target = tmp_path_factory.mktemp("dist")
    build(CHECKOUT, target, "sdist", "wheel")
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Make an environment with the wheel and, as links, the files of all that it requires."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    for needed in required(information(built.wheel)):
        link(needed, Path(sysconfig.get_path("purelib", vars={"base": str(folder)})))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(built.wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)
    return Installed(folder)


def information(wheel: Path) -> Distribution:
    """Give what a wheel says of itself."""
    (folder,) = {one for one in zipfile.Path(wheel).iterdir() if one.name.endswith(".dist-info")}
    return PathDistribution(folder)


def required(one: Distribution) -> list[Distribution]:
    """Give all that a distribution requires without any extra, directly or not."""
    found: dict[str, Distribution] = {}
    wanted = list(_requirements(one))
    while wanted:
        name = wanted.pop().lower()
        if name not in found:
            found[name] = distribution(name)
            wanted += _requirements(found[name])
    return list(found.values())


def _requirements(one: Distribution) -> Iterator[str]:
    for text in one.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def link(one: Distribution, packages: Path) -> None:
    """Install a distribution as links to the files of the environment that the tests run in."""
    for file in one.files or ():
        if ".." not in file.parts:  # its commands are not asked for
            place = packages / file
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():  # packages share the folder lsst, and what begins it
                place.symlink_to(file.locate())


def files_of(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    found = {name: data for name, data in files_of(built.wheel).items() if ".dist-info/" not in name}
    there = {
        f"skyfs/{path.relative_to(PACKAGE)}": path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert found == there
    assert {Path(name).suffix for name in found} == {".py", ".yaml", ".lark", ".typed"}


def test_the_wheel_says_what_it_is(built: Built) -> None:
    files = files_of(built.wheel)
    (information,) = {name.partition("/")[0] for name in files if ".dist-info/" in name}
    assert information == f"skyfs-{skyfs.__version__}.dist-info"
    assert files[f"{information}/licenses/LICENSE"] == (CHECKOUT / "LICENSE").read_bytes()
    assert files[f"{information}/METADATA"].decode().endswith((CHECKOUT / "README.md").read_text())


def test_the_sdist_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build(source, tmp_path, "wheel")
    assert (tmp_path / built.wheel.name).read_bytes() == built.wheel.read_bytes()


def test_the_sdist_holds_what_the_tests_need(built: Built) -> None:
    with tarfile.open(built.sdist) as packed:
        tops = {name.split("/")[1] for name in packed.getnames()}
    assert {"src", "tests", "docs", "tools", "benchmarks", "changes", "Makefile", "constraints.txt"} <= tops


def test_the_wheel_is_what_is_run(installed: Installed) -> None:
    printed = installed.run("python", "-c", "import skyfs; print(skyfs.__version__, skyfs.__file__)")
    version, path = printed.split()
    assert version == skyfs.__version__
    assert Path(path).is_relative_to(installed.folder)
    assert skyfs.__version__ in installed.run("skyfs", "--version")
    assert {path.name for path in (installed.folder / "bin").glob("*skyfs")} == COMMANDS


def test_a_repository_is_made_filled_and_read(installed: Installed) -> None:
    (installed.folder / "work").mkdir(exist_ok=True)
    (installed.folder / "work" / "a.json").write_text('{"n": 1}')
    installed.run("skyfs", "init", "sky")
    installed.run("skyfs", "-r", "sky", "cp", "a.json", "/u/me/notes.json")
    assert installed.run("skyfs", "-r", "sky", "find").split() == ["/u/me/notes.json"]
    assert installed.run("skyfs", "-r", "sky", "cat", "/u/me/notes.json") == '{"n": 1}'
    assert installed.run("skyfs", "-r", "sky", "cat", "/u/me/notes.yaml") == "n: 1\n"
    assert installed.run("skyfs", "-r", "sky", "query", "notes", "--where", "1 < 2", "--count") == "1\n"


# Imported as what is optional is first used.
IMPORT_ALL = """
import importlib, pkgutil, skyfs
missing = set()
for found in pkgutil.walk_packages(skyfs.__path__, "skyfs."):
    if not found.name.startswith(("skyfs.testing", "skyfs.__main__")):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            missing.add(error.name)
print(*missing)
"""


def test_only_what_is_optional_is_missing(built: Built, installed: Installed) -> None:
    requires = information(built.wheel).requires or ()
    extras = {Requirement(text).name for text in requires if "extra ==" in text}
    missing = set(installed.run("python", "-c", IMPORT_ALL).split())
    assert missing
    assert missing <= {NAMES.get(name, name) for name in extras}
