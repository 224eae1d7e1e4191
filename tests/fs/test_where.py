"""The tree below ``/.where/<expression>``: what matches, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import skyfs
from skyfs.errors import InvalidQuery, NotFound, ReadOnly
from skyfs.fs import SkyFileSystem
from skyfs.model.paths import parse
from skyfs.repository import Repository
from skyfs.testing.filesystem_sample import Sample
from skyfs.tree import Node, Tree, matching

TOP = "/.where/visit %3D 101 AND detector < 3"
TYPED = "/.where/visit = 101 AND detector < 3"
NIGHT = "instrument=Cam/day_obs=20260101"


@pytest.fixture
def sample(standing: Sample) -> Sample:
    """The one of all tests that only look."""
    return standing


@pytest.fixture(params=[2_000, 0], ids=["few", "many"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of listing a level: off the matches, and child by child."""
    monkeypatch.setattr(matching, "_FEW_ROWS", request.param)


def expected(sample: Sample) -> dict[str, bytes]:
    """Give what matches ``visit = 101 AND detector < 3`` of types that have visits."""
    found = {}
    for path, data in sample.files.items():
        content = json.loads(data)
        if content.get("visit") == 101 and content.get("detector", 1) < 3:
            found[path] = data
    return found


@pytest.mark.usefixtures("way")
def test_walk_and_find_give_what_matches(sample: Sample, fs: SkyFileSystem) -> None:
    types = ("/calexp/", "/metrics/", "/visit_summary/")
    found = [path for path in fs.find(TYPED) if any(one in path for one in types)]
    assert found == sorted(TOP + path for path in expected(sample))
    walked = [f"{folder}/{name}" for folder, _, names in fs.walk(TYPED) for name in names]
    listed = [node.path for node in _listed(Tree(sample.repository), TOP)]
    assert sorted(walked) == sorted(listed) == fs.find(TYPED)


def _listed(tree: Tree, path: str) -> Iterator[Node]:
    for node in tree.children(parse(path)):
        if node.is_dir:
            yield from _listed(tree, node.path)
        else:
            yield node


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", ["Cam", "best"]),
        ("/Cam", ["all", "runs"]),
        ("/Cam/runs/b", ["calexp", "metrics"]),
        ("/Cam/runs/a/calexp", ["instrument=Cam"]),
        ("/Cam/runs/a/calexp/instrument=Cam", ["day_obs=20260101"]),
        (f"/Cam/runs/a/calexp/{NIGHT}", ["visit=101"]),
        (f"/Cam/runs/a/calexp/{NIGHT}/visit=101", ["detector=1.json", "detector=2.json"]),
        (f"/Cam/all/metrics/{NIGHT}/visit=101", ["detector=1.json"]),
    ],
)
def test_listing(fs: SkyFileSystem, path: str, names: list[str]) -> None:
    found = [name.removeprefix(f"{TOP}{path}/") for name in fs.ls(f"{TYPED}{path}", detail=False)]
    assert found == names


def test_files_have_their_bytes_and_canonical_names(sample: Sample, fs: SkyFileSystem) -> None:
    alias = sample.aliases[3]
    assert fs.cat(f"{TYPED}{alias}") == sample.files[sample.one]
    info = fs.info(f"{TYPED}{alias}")
    assert info["name"] == f"{TOP}{sample.one}"
    assert info["ino"] == fs.info(sample.one)["ino"]
    assert fs.cat(fs.find(f"{TYPED}/best")) == {f"{TOP}/best{sample.one[11:]}": sample.files[sample.one]}
    assert fs.info(TYPED)["type"] == fs.info(f"{TYPED}/Cam/runs")["type"] == "directory"


@pytest.mark.parametrize(
    "path",
    [
        f"/Cam/runs/a/calexp/{NIGHT}/visit=102/detector=1.json",
        f"/Cam/runs/a/calexp/{NIGHT}/visit=101/detector=21.json",
        f"/Cam/runs/a/calexp/{NIGHT}/visit=102",
        "/Cam/runs/a/calexp/instrument=Cam/day_obs=20260102",
        "/Cam/none",
        "/none",
    ],
)
def test_what_does_not_match_is_not_there(fs: SkyFileSystem, path: str) -> None:
    assert not fs.exists(TYPED + path)
    for ask in (fs.info, fs.ls, fs.cat):
        with pytest.raises(NotFound):
            ask(TYPED + path)
    assert fs.find(TYPED + path) == []


def test_patterns(fs: SkyFileSystem) -> None:
    found = fs.glob(f"{TYPED}/Cam/runs/*/calexp/*/*/visit=1*/detector=1.json")
    file = f"calexp/{NIGHT}/visit=101/detector=1.json"
    assert found == [f"{TOP}/Cam/runs/a/{file}", f"{TOP}/Cam/runs/b/{file}"]
    assert fs.glob("/.where/visit * 2 = 202/Cam/runs/?") == [
        "/.where/visit %2A 2 %3D 202/Cam/runs/a",
        "/.where/visit %2A 2 %3D 202/Cam/runs/b",
    ]
    assert fs.glob(f"{TYPED}/Cam/runs/a/calexp/**/visit=102/*") == []
    assert fs.glob("/.where/*") == fs.glob("/.where/**/x") == fs.ls("/.where") == []


def test_a_chain_shows_what_it_shows_and_matches(fs: SkyFileSystem) -> None:
    # Of visit 101 and detector 1, the chain has that of run b: asking for run a does not bring its own up.
    names = fs.find("/.where/calexp.run = 'Cam%2Fruns%2Fa'/Cam/all")
    assert [name.rpartition("/")[2] for name in names] == ["detector=2.json", "detector=21.json"] * 4
    assert len(fs.find("/.where/calexp.run = 'Cam%2Fruns%2Fa'/Cam/runs/a")) == 12


def test_a_type_that_the_expression_does_not_know_is_not_shown(fs: SkyFileSystem) -> None:
    top = "/.where/calexp.run = 'Cam%2Fruns%2Fb'"
    assert [name.rpartition("/")[2] for name in fs.ls(f"{top}/Cam/runs/b", detail=False)] == ["calexp"]
    with pytest.raises(NotFound, match=r"metrics.*no name 'calexp.run'"):
        fs.cat(f"{top}/Cam/runs/b/metrics/instrument=Cam/visit=101/detector=1.json")


def test_calibrations_keep_their_ranges(sample: Sample, fs: SkyFileSystem) -> None:
    top = "/.where/band = 'i' AND detector = 1/Cam/calib"
    found = fs.find(f"{top}/flat")
    assert [name.rpartition("/")[2] for name in found] == [
        "valid=20260101T000000--20260102T000000.json",
        "valid=20260102T000000--max.json",
    ]
    below = [name[name.index("/Cam/calib") :] for name in found]
    assert fs.cat(found) == dict(zip(found, (sample.files[path] for path in below), strict=True))
    folder = found[0].rpartition("/")[0]
    assert fs.ls(folder, detail=False) == found


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("vist = 1", "character 1.*did you mean visit"),
        ("visit = ", "character 9.*ends too early"),
        ("visit = 'a'", "character 7.*cannot be compared"),
        ("visit.exposure_tim > 1", "did you mean exposure_time"),
        ("visit = :v", ":v"),
    ],
)
def test_a_bad_expression_is_an_error_at_its_place(fs: SkyFileSystem, expression: str, message: str) -> None:
    for ask in (fs.ls, fs.info, fs.find, fs.cat, lambda path: list(fs.glob(f"{path}/Cam/*"))):
        with pytest.raises(InvalidQuery, match=message) as caught:
            ask(f"/.where/{expression}")
        assert isinstance(caught.value, ValueError)
    assert not fs.exists(f"/.where/{expression}/Cam")


def test_nothing_matches(fs: SkyFileSystem) -> None:
    assert fs.ls("/.where/detector > 1000") == fs.find("/.where/detector > 1000") == []
    assert fs.isdir("/.where/detector > 1000")


def test_nothing_is_written_or_removed(sample: Sample, fs: SkyFileSystem) -> None:
    for change in (fs.rm, lambda path: fs.pipe(path, b"{}")):
        with pytest.raises(ReadOnly, match=r"/\.where/ shows what lies elsewhere"):
            change(TYPED + sample.one)
    assert fs.cat(sample.one) == sample.files[sample.one]


def test_only_visible_collections(sample: Sample) -> None:
    tree = Tree(sample.repository, ["Cam/runs/b"])
    assert [node.name for node in tree.children(parse(f"{TYPED}/Cam/runs"))] == ["b"]
    with pytest.raises(NotFound):
        tree.lookup(parse(TYPED + sample.one))


def test_names_carry_the_repository(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    assert fs.ls(f"{repo.name}{TYPED}/Cam/runs", detail=False) == [
        f"{repo.name}{TOP}/Cam/runs/a",
        f"{repo.name}{TOP}/Cam/runs/b",
    ]
