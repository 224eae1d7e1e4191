"""The default universe is the Rubin butler's universe 8; groups, path order and grouping levels."""

from __future__ import annotations

import pickle

import pytest

from skyfs.errors import BadDefinition
from skyfs.model.dimensions import Column, Element, Universe

EXPOSURE = (
    "exposure_time dark_time observation_type observation_reason seq_num seq_start seq_end target_name "
    "science_program tracking_ra tracking_dec sky_angle azimuth zenith_angle has_simulated can_see_sky"
)
# name: (keys, requires, implies, metadata), as in the Rubin data butler's universe 8.
ELEMENTS: dict[str, tuple[str, str, str, str]] = {
    "instrument": ("name", "", "", "visit_max visit_system exposure_max detector_max class_name"),
    "band": ("name", "", "", ""),
    "physical_filter": ("name", "instrument", "band", ""),
    "subfilter": ("id", "band", "", ""),
    "detector": ("id full_name", "instrument", "", "name_in_raft raft purpose"),
    "group": ("name", "instrument", "", ""),
    "day_obs": ("id", "instrument", "", ""),
    "visit": (
        "id name",
        "instrument",
        "physical_filter day_obs",
        "seq_num exposure_time target_name observation_reason science_program azimuth zenith_angle",
    ),
    "exposure": ("id obs_id", "instrument", "physical_filter group day_obs", EXPOSURE),
    "skymap": ("name hash", "", "", "tract_max patch_nx_max patch_ny_max"),
    "tract": ("id", "skymap", "", ""),
    "patch": ("id", "skymap tract", "", "cell_x cell_y"),
    "visit_detector_region": ("", "instrument visit detector", "", ""),
    "visit_system": ("id name", "instrument", "", ""),
    "visit_definition": ("", "instrument exposure visit", "", ""),
    "visit_system_membership": ("", "instrument visit visit_system", "", ""),
    "ssp_hypothesis_table": ("name", "", "", ""),
    "ssp_hypothesis_bundle": ("id", "ssp_hypothesis_table", "", ""),
    "ssp_balanced_index": ("id", "ssp_hypothesis_table", "", ""),
}
INTEGERS = (
    "id visit_max visit_system exposure_max detector_max seq_num seq_start seq_end "
    "tract_max patch_nx_max patch_ny_max cell_x cell_y"
)
TYPES = {
    "int": INTEGERS,
    "float": "exposure_time dark_time azimuth zenith_angle tracking_ra tracking_dec sky_angle",
    "bool": "has_simulated can_see_sky",
    "bytes": "hash",
}
LENGTHS = {
    "instrument": {"name": 32, "class_name": 64},
    "band": {"name": 32},
    "physical_filter": {"name": 32},
    "detector": {"full_name": 32, "name_in_raft": 32, "raft": 32, "purpose": 32},
    "group": {"name": 64},
    "visit": {"name": 64, "target_name": 64, "observation_reason": 68, "science_program": 64},
    "exposure": {
        "obs_id": 64,
        "observation_type": 16,
        "observation_reason": 68,
        "target_name": 64,
        "science_program": 64,
    },
    "skymap": {"name": 64, "hash": 40},
    "visit_system": {"name": 32},
    "ssp_hypothesis_table": {"name": 64},
}


def columns(element: Element) -> tuple[Column, ...]:
    return (*element.keys, *element.metadata)


def test_the_default_universe_is_rubins(universe: Universe) -> None:
    assert (universe.namespace, universe.version) == ("daf_butler", 8)
    found = {
        name: (
            " ".join(key.name for key in element.keys),
            " ".join(element.requires),
            " ".join(element.implies),
            " ".join(column.name for column in element.metadata),
        )
        for name, element in universe.elements.items()
    }
    assert found == ELEMENTS
    assert {name for name, one in universe.elements.items() if one.spatial} == {
        *("visit", "tract", "patch", "visit_detector_region")
    }
    assert {name for name, one in universe.elements.items() if one.temporal} == {
        "visit",
        "exposure",
        "day_obs",
    }


def test_types_of_the_default_columns(universe: Universe) -> None:
    for element in universe.elements.values():
        for column in columns(element):
            wanted = next((kind for kind, names in TYPES.items() if column.name in names.split()), "string")
            assert column.type == wanted, (element.name, column.name)
            required = column is element.key if element.keys else False
            assert column.nullable == (not required and column.name not in ("cell_x", "cell_y"))
    lengths = {
        name: {column.name: column.length for column in columns(element) if column.length is not None}
        for name, element in universe.elements.items()
    }
    assert {name: found for name, found in lengths.items() if found} == LENGTHS


def test_elements_stand_after_those_they_need(universe: Universe) -> None:
    seen: set[str] = set()
    for name, element in universe.elements.items():
        assert {*element.requires, *element.implies} <= seen
        seen.add(name)
    assert universe.dependency_order(["patch", "skymap", "htm7", "tract"]) == (
        "skymap",
        "tract",
        "patch",
        "htm7",
    )


def test_path_order(universe: Universe) -> None:
    wanted = "instrument skymap tract patch day_obs group exposure visit detector physical_filter band"
    assert universe.path_order == tuple(wanted.split())
    shuffled = sorted({*wanted.split(), "subfilter", "healpix9", "htm7", "visit_system"})
    rest = ("healpix9", "htm7", "subfilter", "visit_system")
    assert universe.order(shuffled) == (*wanted.split(), *rest)
    assert dict(universe.grouping) == {"exposure": ("day_obs",), "visit": ("day_obs",)}


@pytest.mark.parametrize(
    ("names", "required", "levels", "implied"),
    [
        ("detector exposure", "instrument exposure detector", "instrument day_obs exposure detector", "X"),
        ("visit", "instrument visit", "instrument day_obs visit", "day_obs physical_filter band"),
        ("band patch", "skymap tract patch band", "skymap tract patch band", ""),
        ("subfilter tract", "skymap tract band subfilter", "skymap tract band subfilter", ""),
        ("day_obs visit", "instrument day_obs visit", "instrument day_obs visit", "physical_filter band"),
        ("visit band", "instrument visit band", "instrument day_obs visit band", "day_obs physical_filter"),
        ("visit exposure", "instrument exposure visit", "instrument day_obs exposure visit", "X"),
        ("physical_filter", "instrument physical_filter", "instrument physical_filter", "band"),
        ("htm7 band", "band htm7", "band htm7", ""),
        ("healpix9", "healpix9", "healpix9", ""),
        ("", "", "", ""),
    ],
)
def test_groups(universe: Universe, names: str, required: str, levels: str, implied: str) -> None:
    group = universe.group(names.split())
    assert group.required == tuple(required.split())
    assert group.levels == tuple(levels.split())
    wanted = "day_obs group physical_filter band" if implied == "X" else implied
    assert group.implied == tuple(wanted.split())
    assert [group.levels[index] for index in group.indices] == list(group.required)
    text = {"instrument", "skymap", "physical_filter", "band"}
    assert group.types == tuple(str if level in text else int for level in group.levels)
    for level, dimension in group.grouping:
        assert level in group.levels
        assert level not in group
        assert dimension in group


def test_a_group_is_the_same_however_it_is_named(universe: Universe) -> None:
    group = universe.group(["visit", "detector"])
    assert universe.group(name for name in ("detector", "instrument", "visit", "visit")) == group
    assert pickle.loads(pickle.dumps(group)) == group  # noqa: S301 - our own bytes
    assert repr(group) == "DimensionGroup(instrument, visit, detector)"
    assert repr(universe) == "Universe('default', 'daf_butler', version=8)"


def test_unknown_dimensions(universe: Universe) -> None:
    with pytest.raises(BadDefinition, match=r"'visti'.*did you mean visit"):
        universe.group(["visti"])
    with pytest.raises(BadDefinition, match="relation"):
        universe.group(["visit_detector_region"])
    with pytest.raises(BadDefinition, match=r"'zzz'.*there are band, "):
        universe.element("zzz")


@pytest.mark.parametrize("name", ["htm0", "htm24", "healpix0", "healpix17"])
def test_pixelizations(universe: Universe, name: str) -> None:
    element = universe.element(name)
    assert universe.has(name)
    assert (element.key.type, element.spatial, element.has_records) == ("int", True, False)
    assert element.level == int(name.removeprefix("htm").removeprefix("healpix"))


@pytest.mark.parametrize(
    "name", ["htm25", "healpix18", "htm07", "htm", "HTM7", "htm7x", "healpix٣", "healpix-1", "htm7\n", ""]
)
def test_no_pixelizations(universe: Universe, name: str) -> None:
    assert not universe.has(name)


def test_which_records_need_only_their_keys(universe: Universe) -> None:
    key_only = {name for name, element in universe.elements.items() if element.key_only}
    assert key_only == set(ELEMENTS) - {
        *("physical_filter", "visit", "exposure", "patch"),
        *("visit_detector_region", "visit_definition", "visit_system_membership"),
    }


def test_implied_by(universe: Universe) -> None:
    assert universe.implied_by(["visit"]) == ("day_obs", "physical_filter", "band")
    assert universe.implied_by(["visit", "band"]) == ("day_obs", "physical_filter")
    assert universe.implied_by([]) == ()


def test_a_universe_of_another_science() -> None:
    universe = Universe.from_mapping(
        {
            "name": "greenhouse",
            "version": 3,
            "path_order": ["house", "season", "plant"],
            "grouping": {"plant": ["season"]},
            "elements": {
                "plant": {
                    "keys": [{"name": "id", "type": "int"}, {"name": "label", "type": "string", "length": 8}],
                    "requires": ["bed"],
                    "implies": ["season", "species"],
                    "metadata": [{"name": "height", "type": "float", "nullable": False, "doc": "In metres."}],
                    "temporal": True,
                },
                "season": {"keys": [{"name": "name", "type": "string"}]},
                "species": {"keys": [{"name": "name", "type": "string"}], "doc": " Latin. "},
                "bed": {"keys": [{"name": "number", "type": "int"}], "requires": ["house"]},
                "house": {"keys": [{"name": "name", "type": "string"}]},
                "pollination": {"requires": ["plant", "species"]},
            },
        }
    )
    assert list(universe.elements) == ["house", "bed", "season", "species", "plant", "pollination"]
    plant = universe.element("plant")
    assert plant.identity == ("house", "bed", "plant")
    assert plant.alternates == ("label",)
    assert plant.metadata == (Column("height", "float", nullable=False, doc="In metres."),)
    assert not plant.key.nullable
    assert not plant.key_only
    assert universe.element("pollination").identity == ("house", "bed", "plant", "species")
    group = universe.group(["plant"])
    assert group.required == ("house", "plant", "bed")
    assert group.levels == ("house", "season", "plant", "bed")
    assert group.grouping == (("season", "plant"),)
    assert group.types == (str, str, int, int)
    assert universe.element("species").doc == "Latin."


def test_an_empty_universe_has_the_group_of_nothing() -> None:
    universe = Universe.from_mapping({})
    assert universe.group([]).required == ()
    assert (universe.name, universe.version) == ("user", 0)
