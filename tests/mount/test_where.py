"""``/.where`` and ``/.records`` through a mount."""

from __future__ import annotations

import errno
import os
import subprocess

import pandas as pd
import pytest

from .conftest import Sky, raw_path

TOP = ".where/exposure = 903334 AND detector < 2"


def test_folders_and_files(sky: Sky) -> None:
    folder = sky.at(f"{TOP}/HSC/raw/copy/raw")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [raw_path(detector=number) for number in (0, 1)]
    assert files == [sky.at(f"{TOP}{name}") for name in names]
    assert [path.read_bytes() for path in files] == [sky.expected[name] for name in names]
    assert [path.stat().st_ino for path in files] == [sky.at(name).stat().st_ino for name in names]
    assert not sky.at(f"{TOP}{raw_path(detector=2)}").exists()


def test_programs(sky: Sky) -> None:
    found = subprocess.run(
        ["find", sky.at(f"{TOP}/HSC/raw/copy"), "-type", "f"], capture_output=True, text=True, check=True
    )
    assert len(found.stdout.splitlines()) == 2
    listed = subprocess.run(["ls", sky.at(TOP)], capture_output=True, text=True, check=True)
    assert "HSC" in listed.stdout.split()


@pytest.mark.parametrize("expression", ["exposre = 1", "exposure = ", "exposure = 'a'"])
def test_a_bad_expression_is_an_invalid_argument(sky: Sky, expression: str) -> None:
    for path in (f".where/{expression}", f".where/{expression}/HSC"):
        with pytest.raises(OSError, match="Invalid argument") as caught:
            os.stat(sky.at(path))
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError, match="Invalid argument"):
        os.listdir(sky.at(f".where/{expression}"))


@pytest.mark.parametrize(("kind", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_records(sky: Sky, kind: str, read: object) -> None:
    path = sky.at(f".records/exposure.{kind}")
    frame = read(path)  # type: ignore[operator]
    assert sorted(frame["id"]) == [903334, 903336, 903400]
    assert path.stat().st_size == len(path.read_bytes())
    assert f"exposure.{kind}" in os.listdir(path.parent)
