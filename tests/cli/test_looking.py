"""Commands that look: ls, find, cat, info, config, types, collections, records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import skyfs
from skyfs.cli.app import COMMANDS

from .conftest import Command

pytestmark = pytest.mark.usefixtures("sky")

LEAVES = "/HSC/runs/a/calexp/instrument=HSC/day_obs=20131102/visit=903334"


def test_ls_names_are_relative_and_folders_end_in_a_slash(run: Command) -> None:
    assert run.lines("ls") == ["HSC/"]
    assert run.lines("ls", "/HSC/runs/a") == ["calexp/", "metrics/", "src/"]
    assert run.lines("ls", f"{LEAVES}") == ["detector=0.fits", "detector=1.fits"]


def test_ls_long_gives_size_time_type_and_name(run: Command) -> None:
    first, second = run.lines("ls", "-l", LEAVES)
    size, time, kind, name = first.split()
    assert (kind, name) == ("calexp", "detector=0.fits")
    assert int(size) == len(_cat(run, f"{LEAVES}/detector=0.fits"))
    assert time.endswith("Z")
    assert second.endswith("detector=1.fits")


def test_ls_of_several_says_which_is_which(run: Command) -> None:
    assert run.lines("ls", f"{LEAVES}/detector=1.fits", "/HSC/runs", "/HSC/calib") == [
        f"{LEAVES}/detector=1.fits",
        "",
        "/HSC/runs:",
        "a/",
        "",
        "/HSC/calib:",
        "flat/",
        "new/",
        "old/",
    ]


def test_ls_d_lists_the_folder_itself(run: Command) -> None:
    assert run.lines("ls", "-d", "/HSC/runs") == ["/HSC/runs/"]


def test_ls_json(run: Command) -> None:
    found = run.json("ls", "--json", LEAVES)
    assert isinstance(found, list)
    assert [(one["path"], one["type"]) for one in found] == [
        (f"{LEAVES}/detector={n}.fits", "file") for n in (0, 1)
    ]


@pytest.mark.parametrize("prefix", ["", ":", "skyfs:"])
def test_paths_may_carry_a_scheme(run: Command, prefix: str) -> None:
    assert run.lines("ls", f"{prefix}/HSC/runs") == ["a/"]


def test_a_url_names_the_repository(run: Command, tmp_path: Path) -> None:
    skyfs.create(tmp_path / "other", name="other").close()
    assert run.lines("ls", "skyfs://other/") == []


def test_two_repositories_in_one_command_are_refused(run: Command) -> None:
    assert "two repositories" in run.fails("ls", "skyfs://one/a", "skyfs://two/b", status=2)


def test_find_gives_full_paths_of_datasets(run: Command) -> None:
    found = run.lines("find", "/HSC/runs/a")
    assert sorted(found) == sorted(
        [
            *(f"{LEAVES}/detector={n}.fits" for n in (0, 1)),
            *(f"{LEAVES.replace('calexp', 'src')}/detector={n}.parquet" for n in (0, 1)),
            "/HSC/runs/a/metrics/instrument=HSC/day_obs=20131102/visit=903334.json",
        ]
    )


def test_find_by_name(run: Command) -> None:
    found = run.lines("find", "--name", "detector=1.*", "/HSC/runs")
    assert {path.rpartition("/")[2] for path in found} == {"detector=1.fits", "detector=1.parquet"}


def test_wildcards(run: Command) -> None:
    assert run.lines("ls", f"{LEAVES}/detector=*.fits") == [f"{LEAVES}/detector={n}.fits" for n in (0, 1)]
    assert len(run.lines("find", "/HSC/*/a/*/*/*/visit=903334")) == 4
    assert len(run.lines("find", "/HSC/*/a/*/*/*/visit=903334*")) == 5
    assert "nothing matches" in run.fails("ls", "/HSC/nothing*")


def test_cat_writes_bytes_as_they_are(run: Command, sky: Path) -> None:
    stored = next(sky.rglob("detector=0.fits")).read_bytes()
    assert _cat(run, f"{LEAVES}/detector=0.fits") == stored
    assert _cat(run, f"{LEAVES}/detector=0.fits", f"{LEAVES}/detector=1.fits")[: len(stored)] == stored


def test_cat_converts_by_extension(run: Command) -> None:
    assert _cat(run, f"{LEAVES}/detector=0.png").startswith(b"\x89PNG")
    assert run.json("cat", "/HSC/runs/a/metrics/instrument=HSC/visit=903334.json") == {"seeing": 0.7, "n": 3}


def test_cat_of_one_missing_path_writes_nothing(run: Command) -> None:
    assert "visit=1" in run.fails(
        "cat", f"{LEAVES}/detector=0.fits", "/HSC/runs/a/metrics/instrument=HSC/visit=1.json"
    )


def test_info_of_a_dataset_tells_its_values_and_records(run: Command) -> None:
    found = run.json("info", "--json", f"{LEAVES}/detector=0.fits")
    assert isinstance(found, dict)
    assert found["visit"] == 903334
    assert found["visit.physical_filter"] == "HSC-I"
    assert found["filename"] == "calexp_HSC_903334_0.fits"
    assert found["run"] == "HSC/runs/a"
    assert "dataset_type\tcalexp" in run.lines("info", f"{LEAVES}/detector=0.fits")


def test_info_of_a_folder_counts(run: Command) -> None:
    assert run.json("info", "--json", LEAVES) == {"path": LEAVES, "kind": "folder", "entries": 2}


def test_info_of_the_repository(run: Command, sky: Path) -> None:
    found = run.json("info", "--json")
    assert isinstance(found, dict)
    assert found["root"] == str(sky)
    assert (found["datasets"], found["types"], found["skyfs"]) == (7, 4, skyfs.__version__)
    stored = [path.stat().st_size for path in (sky / "data").rglob("*=*") if path.is_file()]
    assert found["bytes"] == sum(stored)


def test_config_is_yaml_and_says_where_values_are_from(run: Command, sky: Path) -> None:
    lines = run.lines("config")
    assert yaml.safe_load("\n".join(lines))["durability"] == "process"
    assert "durability: process  # file" in lines
    path = sky / "skyfs.yaml"
    path.write_text(
        "".join(line for line in path.read_text().splitlines(keepends=True) if "shared" not in line)
    )
    assert "shared: false  # default" in run.lines("config")


def test_types_and_collections(run: Command) -> None:
    assert "calexp\tinstrument visit detector\tImage\t" in run.lines("types")
    assert [line.split("\t")[0] for line in run.lines("types", "m*")] == ["metrics"]
    assert "HSC/defaults\tCHAINED\t\t\tHSC/runs/a HSC/calib" in run.lines("collections")
    found = run.json("collections", "--kind", "run", "HSC/c*", "--json")
    assert isinstance(found, list)
    assert [one["name"] for one in found] == ["HSC/calib/new", "HSC/calib/old"]


def test_records(run: Command) -> None:
    header, *rows = run.lines("records", "detector", "full_name=1_2")
    assert header.split("\t")[:3] == ["instrument", "id", "full_name"]
    assert [row.split("\t")[:3] for row in rows] == [["HSC", "2", "1_2"]]


def test_records_go_out_and_come_back(run: Command, tmp_path: Path) -> None:
    text = "\n".join(run.lines("records", "visit", "--json"))
    (tmp_path / "visits.json").write_text(text)
    assert json.loads(text)[0]["timespan"] == "20131102T080000--20131102T080100"
    assert run.lines("records", "visit", "--insert", tmp_path / "visits.json") == ["0 new of 1 visit records"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_that_says_what_the_list_says(run: Command, name: str) -> None:
    text = run(name, "--help")
    assert text.exit_code == 0
    assert f"Usage: skyfs {name}" in text.output
    # Long lines are broken, as wide as the longest name wants it.
    assert COMMANDS[name].help in " ".join(run("--help").output.split())


def _cat(run: Command, *paths: str) -> bytes:
    result = run("cat", *paths)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes
