"""add: skymaps as records, once, whole, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from lsst.sphgeom import Angle, Circle, ConvexPolygon, LonLat, UnitVector3d

from skyfs.errors import BadArgument, BadDefinition, Conflict, NotFound, SkyfsError
from skyfs.model.region import box, circle, decode, polygon
from skyfs.model.region_overlap import overlaps
from skyfs.repository import Repository
from skyfs.skymaps import Added, Patch, Tract, add, locate, read_skymap, skymap_of

from .conftest import HEALPIX, POLYGONS, RINGS, SQUARE


def counts(repo: Repository) -> tuple[int, ...]:
    return tuple(sum(1 for _ in repo.records(element)) for element in ("skymap", "tract", "patch"))


@pytest.mark.parametrize("configuration", [RINGS, HEALPIX, POLYGONS])
def test_all_tracts_and_patches_are_recorded(repo: Repository, configuration: dict[str, object]) -> None:
    added, skymap = add(repo, configuration), skymap_of(configuration)
    tracts = {tract.id: tract for tract in skymap.tracts()}
    assert (added.name, added.skymaps, added.tracts) == (skymap.name, 1, len(tracts))
    assert counts(repo) == (added.skymaps, added.tracts, added.patches)
    for record in repo.records("tract"):
        assert record["region"] == tracts[int(str(record["id"]))].region
    recorded = {
        (one["tract"], one["id"]): (one["cell_x"], one["cell_y"], one["region"])
        for one in repo.records("patch")
    }
    assert recorded == {
        (number, patch.id): (patch.cell_x, patch.cell_y, patch.region)
        for number, tract in tracts.items()
        for patch in tract.patches
    }


def test_the_skymap_has_its_sizes(repo: Repository) -> None:
    add(repo, POLYGONS)
    (record,) = repo.records("skymap")
    assert (record["tract_max"], record["patch_nx_max"], record["patch_ny_max"]) == (8, 2, 1)
    assert isinstance(record["hash"], bytes)
    assert len(record["hash"]) == 20


def test_the_same_again_is_no_change(repo: Repository) -> None:
    add(repo, RINGS)
    before = counts(repo)
    respelled = {**dict(reversed(RINGS.items())), "raStart": 10, "rotation": 0.0, "projection": "TAN"}
    assert add(repo, respelled) == Added("rings", 0, 0, 0)
    assert counts(repo) == before


@pytest.mark.parametrize(
    "change", [{"numRings": 5}, {"raStart": 11}, {"pixelScale": 61.0}, {"patchBorder": 21}, {"rotation": 1}]
)
def test_another_of_the_name_is_a_conflict(repo: Repository, change: dict[str, object]) -> None:
    add(repo, RINGS, tracts=[0])
    before = counts(repo)
    with pytest.raises(Conflict):
        add(repo, {**RINGS, **change})
    assert counts(repo) == before


def test_skymaps_stand_side_by_side(repo: Repository) -> None:
    for configuration in (RINGS, HEALPIX, POLYGONS, {**RINGS, "name": "twin"}):
        add(repo, configuration, tracts=[3])
    assert [one["name"] for one in repo.records("skymap")] == ["fields", "healpix", "rings", "twin"]
    assert [one["skymap"] for one in repo.records("tract")] == ["fields", "healpix", "rings", "twin"]


def test_tracts_can_be_chosen_by_number_and_more_added_later(repo: Repository) -> None:
    assert add(repo, RINGS, tracts=[1, 4]).tracts == 2
    assert add(repo, RINGS, tracts={4, 5}).tracts == 1
    assert [one["id"] for one in repo.records("tract")] == [1, 4, 5]
    (record,) = repo.records("skymap")
    assert record["tract_max"] == len(list(skymap_of(RINGS).tracts()))


def test_tracts_can_be_chosen_by_region(repo: Repository) -> None:
    near = Circle(UnitVector3d(LonLat.fromDegrees(0, 0)), Angle.fromDegrees(20))
    wanted = [one.id for one in skymap_of(RINGS).tracts() if overlaps(one.region, circle(0, 0, 20))]
    assert add(repo, RINGS, tracts=near).tracts == len(wanted)
    assert [one["id"] for one in repo.records("tract")] == wanted
    assert add(repo, RINGS, tracts=circle(0, 0, 20)).tracts == 0


def test_a_tract_that_is_not_there_changes_nothing(repo: Repository) -> None:
    with pytest.raises(BadArgument, match="999"):
        add(repo, RINGS, tracts=[1, 999])
    assert counts(repo) == (0, 0, 0)


# -- Python objects ------------------------------------------------------------------------------------


@dataclass
class Strip:
    """A skymap of one tract, by hand."""

    name: str = "strip"
    width: float = 10.0

    def tracts(self) -> Iterator[Tract]:
        patches = [Patch(n, n, 0, box(1 + 2 * n, 0, 2, 2)) for n in range(round(self.width / 2))]
        yield Tract(0, box(self.width / 2, 0, self.width, 2), patches)


def test_an_object_with_a_name_and_tracts_is_a_skymap(repo: Repository) -> None:
    assert add(repo, Strip()) == Added("strip", 1, 1, 5)
    assert add(repo, Strip()) == Added("strip", 0, 0, 0)
    (record,) = repo.records("skymap")
    assert (record["tract_max"], record["patch_nx_max"], record["patch_ny_max"]) == (1, 5, 1)
    with pytest.raises(Conflict):
        add(repo, Strip(width=12.0))


class OldPatch:
    """A patch of older `lsst.skymap`: only the tract knows the projection."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def getIndex(self) -> tuple[int, int]:  # noqa: N802
        return self.x, self.y

    def getSequentialIndex(self) -> int:  # noqa: N802
        return 2 * self.y + self.x

    def getOuterSkyPolygon(self, wcs: float) -> ConvexPolygon:  # noqa: N802
        return square(wcs + self.x, self.y)


class NewPatch(OldPatch):
    @property
    def index(self) -> SimpleNamespace:
        return SimpleNamespace(x=self.x, y=self.y)

    @property
    def outer_sky_polygon(self) -> ConvexPolygon:
        return square(10 + self.x, self.y)


class LsstTract(list[OldPatch]):
    """A tract that looks like those of `lsst.skymap`."""

    def getId(self) -> int:  # noqa: N802
        return 5

    def getWcs(self) -> float:  # noqa: N802
        return 10.0

    def getOuterSkyPolygon(self) -> ConvexPolygon:  # noqa: N802
        return square(10, 0, 2)


class LsstSkymap(list[LsstTract]):
    """A skymap that looks like those of `lsst.skymap`."""

    def getSha1(self) -> bytes:  # noqa: N802
        return b"0123456789abcdefghij"


def square(ra: float, dec: float, size: float = 1.0) -> ConvexPolygon:
    corners = [(ra, dec), (ra + size, dec), (ra + size, dec + size), (ra, dec + size)]
    found = decode(polygon(corners))
    assert isinstance(found, ConvexPolygon)
    return found


@pytest.mark.parametrize("kind", [OldPatch, NewPatch])
def test_a_skymap_like_those_of_lsst_is_taken(repo: Repository, kind: type[OldPatch]) -> None:
    skymap = LsstSkymap([LsstTract([kind(x, y) for y in (0, 1) for x in (0, 1)])])
    assert add(repo, skymap, name="lsst") == Added("lsst", 1, 1, 4)
    (record,) = repo.records("skymap")
    assert (record["hash"], record["tract_max"]) == (b"0123456789abcdefghij", 6)
    assert (record["patch_nx_max"], record["patch_ny_max"]) == (2, 2)
    patches = {(one["tract"], one["id"], one["cell_x"], one["cell_y"]) for one in repo.records("patch")}
    assert patches == {(5, 0, 0, 0), (5, 1, 1, 0), (5, 2, 0, 1), (5, 3, 1, 1)}
    (last,) = repo.records("patch", tract=5, id=3)
    assert decode(last["region"]) == square(11, 1)


@pytest.mark.parametrize("bad", [7, "rings", object(), LsstSkymap([]), [SimpleNamespace(name="x")]])
def test_an_object_that_is_no_skymap_is_refused(repo: Repository, bad: object) -> None:
    with pytest.raises(BadDefinition):
        add(repo, bad)
    with pytest.raises(BadDefinition):
        add(repo, Strip(), name="other")
    assert counts(repo) == (0, 0, 0)


# -- configurations ------------------------------------------------------------------------------------

TRACT = {"id": 0, "vertices": SQUARE}
CROSSING = [[0, 0], [1, 1], [1, 0], [0, 1]]
BAD: dict[str, dict[str, object]] = {
    "no kind": {"name": "x"},
    "unknown kind": {**RINGS, "kind": "dodeca"},
    "no name": {key: value for key, value in RINGS.items() if key != "name"},
    "missing key": {key: value for key, value in RINGS.items() if key != "pixelScale"},
    "unknown key": {**RINGS, "numRing": 3},
    "key of another kind": {**RINGS, "log2NSide": 3},
    "text for a number": {**RINGS, "pixelScale": "60"},
    "truth value for a number": {**RINGS, "numRings": True},
    "fraction for a whole number": {**RINGS, "numRings": 4.5},
    "no ring": {**RINGS, "numRings": 0},
    "too many rings": {**RINGS, "numRings": 10**9},
    "pixels of no size": {**RINGS, "pixelScale": 0},
    "not a number": {**RINGS, "pixelScale": float("nan")},
    "negative overlap": {**RINGS, "tractOverlap": -1},
    "huge overlap": {**RINGS, "tractOverlap": 80},
    "infinite start": {**RINGS, "raStart": float("inf")},
    "one patch dimension": {**RINGS, "patchInnerDimensions": [500]},
    "empty patches": {**RINGS, "patchInnerDimensions": [0, 500]},
    "far too many patches": {**RINGS, "patchInnerDimensions": [1, 1]},
    "another projection": {**RINGS, "projection": "SIN"},
    "too fine": {**HEALPIX, "log2NSide": 30},
    "no tracts": {**POLYGONS, "tracts": []},
    "tracts that are no list": {**POLYGONS, "tracts": {"id": 1}},
    "a tract that is no mapping": {**POLYGONS, "tracts": [3]},
    "a tract without corners": {**POLYGONS, "tracts": [{"id": 0}]},
    "crossing edges": {**POLYGONS, "tracts": [{"id": 0, "vertices": CROSSING}]},
    "two corners": {**POLYGONS, "tracts": [{"id": 0, "vertices": SQUARE[:2]}]},
    "off the sphere": {**POLYGONS, "tracts": [{"id": 0, "vertices": [[0, 0], [1, 0], [0, 91]]}]},
    "corners of text": {**POLYGONS, "tracts": [{"id": 0, "vertices": [["a", 0], [1, 0], [0, 1]]}]},
    "corners of three": {**POLYGONS, "tracts": [{"id": 0, "vertices": [[0, 0, 0], [1, 0], [0, 1]]}]},
    "negative id": {**POLYGONS, "tracts": [{"id": -1, "vertices": SQUARE}]},
    "one id twice": {**POLYGONS, "tracts": [TRACT, TRACT]},
    "patch without cell": {**POLYGONS, "tracts": [{**TRACT, "patches": [TRACT]}]},
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_configuration_is_refused_and_changes_nothing(repo: Repository, case: str) -> None:
    with pytest.raises(BadDefinition):
        add(repo, BAD[case])
    assert counts(repo) == (0, 0, 0)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "name: x\nkind: !!python/name:os.system\n", "\x00"])
def test_yaml_that_is_no_skymap_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "skymap.yaml"
    file.write_text(text)
    with pytest.raises(BadDefinition):
        read_skymap(file)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_skymap(tmp_path / "none.yaml")


# -- positions -----------------------------------------------------------------------------------------


def test_a_position_is_in_tracts_and_patches(repo: Repository) -> None:
    add(repo, POLYGONS)
    add(repo, Strip())
    where = [(one.skymap, one.tract, one.patches) for one in locate(repo, 0.3, 0.2)]
    assert where == [("fields", 3, (0,)), ("fields", 7, ()), ("strip", 0, (0,))]
    assert [one.patches for one in locate(repo, 361, 1, skymap="fields")] == [(0, 1)]
    assert locate(repo, 100, 0) == []
    with pytest.raises(SkyfsError):
        locate(repo, 0, 91)
