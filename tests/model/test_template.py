"""Keys in stores: the path of the dataset in its RUN, or one that no other dataset has."""

from __future__ import annotations

import uuid
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skyfs.errors import BadPath
from skyfs.model.dataid import DataId, Value
from skyfs.model.dataset import DatasetRef, DatasetType
from skyfs.model.dimensions import Universe
from skyfs.model.paths import Address
from skyfs.model.template import Spelled, Template, default_key, file_key, id_in_key, unique_key
from skyfs.testing import strategies as sky

ID = uuid.UUID("018f3a5e-1234-7abc-8def-0123456789ab")


def make(
    universe: Universe, dimensions: list[str], row: tuple[Value, ...], *, run: str = "HSC/r", name: str = "t"
) -> DatasetRef:
    group = universe.group(dimensions)
    return DatasetRef(ID, DatasetType(name, group, "Bytes"), DataId(group, row), run)


def address(ref: DatasetRef, extension: str) -> Address:
    keys = [(name, str(value)) for name, value in ref.data_id.levels]
    return Address.dataset(ref.run, ref.type.name, keys, extension)


def test_the_default_key_is_the_path(universe: Universe) -> None:
    ref = make(
        universe, ["visit", "detector"], ("HSC", 20131102, 903334, 20), run="HSC/runs/RC2", name="calexp"
    )
    wanted = "HSC/runs/RC2/calexp/instrument=HSC/day_obs=20131102/visit=903334/detector=20.fits"
    assert default_key(ref, ".fits") == wanted
    assert default_key(make(universe, [], (), name="notes"), ".txt") == "HSC/r/notes.txt"


@given(st.data())
def test_the_default_key_is_any_datasets_path(universe: Universe, data: st.DataObject) -> None:
    row = cast("tuple[Value, ...]", data.draw(st.tuples(sky.values(), sky.values())))
    run, name = data.draw(sky.collections()), data.draw(sky.identifiers())
    ref = make(universe, ["physical_filter"], row, run=run, name=name)
    extension = data.draw(st.just("") | sky.extensions())
    key = default_key(ref, extension)
    assert key == str(address(ref, extension))[1:]
    assert id_in_key(key) is None


@given(sky.texts(1, 120), st.just("") | sky.extensions())
@example("x" * 250, "")
@example("x" * 251, "")
@example("x" * 246, ".fits")
@example("星" * 84, "")
def test_keys_hold_what_paths_hold(universe: Universe, value: str, extension: str) -> None:
    ref = make(universe, ["band"], (value,))
    try:
        text = str(address(ref, extension))
    except BadPath:
        for make_key in (default_key, unique_key):
            with pytest.raises(BadPath, match="255"):
                make_key(ref, extension)
        return
    assert default_key(ref, extension) == text[1:]
    key = unique_key(ref, extension)
    assert id_in_key(key) == ID
    assert key.endswith(extension)
    assert all(len(part.encode()) <= 255 for part in key.split("/"))
    assert key != default_key(ref, extension)


@pytest.mark.parametrize("character", ["x", "é", "🔭", "%"])
def test_unique_keys_of_the_longest_names(universe: Universe, character: str) -> None:
    size = len(default_key(make(universe, ["band"], (character,)), "").rpartition("=")[2].encode())
    value = character * ((255 - len("band=.fits")) // size)
    key = unique_key(make(universe, ["band"], (value,)), ".fits")
    assert id_in_key(key) == ID
    assert len(key.rpartition("/")[2].encode()) <= 255


def test_unique_keys(universe: Universe) -> None:
    assert unique_key(make(universe, ["band"], ("i",)), ".fits") == f"HSC/r/t/band=i=={ID.hex}.fits"
    assert unique_key(make(universe, [], ()), "") == f"HSC/r/t=={ID.hex}"


# -- files of many datasets ----------------------------------------------------------------------------


def detectors(universe: Universe, *rows: tuple[Value, ...], run: str = "HSC/r") -> list[DatasetRef]:
    return [make(universe, ["visit", "detector"], row, run=run, name="raw") for row in rows]


def test_a_file_lies_where_its_datasets_part(universe: Universe) -> None:
    night = "HSC/r/raw/instrument=HSC/day_obs=20131102"
    first, second, third = ("HSC", 20131102, 7, 1), ("HSC", 20131102, 7, 2), ("HSC", 20131102, 8, 1)
    both, one, visits = (
        detectors(universe, first, second),
        detectors(universe, first),
        detectors(universe, first, third),
    )
    assert file_key(both, "a.fits", ".fits") == f"{night}/visit=7/a.fits"
    assert file_key(one, "a.b.FITS", ".fits") == f"{night}/visit=7/a%2Eb.fits"
    assert file_key(visits, "a.fits.fz", ".fits.fz") == f"{night}/a.fits.fz"
    assert file_key(visits, "a.dat", ".fits") == f"{night}/a%2Edat.fits"
    assert file_key(both, "a.fits", ".fits", ID) == f"{night}/visit=7/a=={ID.hex}.fits"
    apart = detectors(universe, first, ("DECam", 20131102, 7, 1))
    assert file_key(apart, "a.fits", ".fits") == f"HSC/r/raw/a=={ID.hex}.fits"


@given(st.text(st.characters(), max_size=300), st.sampled_from([None, ID]))
@example("\udcff\ud800", None)
@example(".fits", ID)
@example("..", None)
@example("detector=1.fits", None)
@example("==" + ID.hex, None)
@example("%" * 255, ID)
def test_any_name_of_a_file_makes_a_key(universe: Universe, name: str, mark: uuid.UUID | None) -> None:
    refs = detectors(universe, ("HSC", 1, 2, 3), ("HSC", 1, 2, 4), run="a/b=c")
    folder, _, last = file_key(refs, name, ".fits", mark).rpartition("/")
    assert folder == "a/b%3Dc/raw/instrument=HSC/day_obs=1/visit=2"
    assert last.endswith(f"=={ID.hex}.fits" if mark else ".fits")
    assert id_in_key(last) == mark
    # No dataset has a key without `=` in its last part, below a folder with it.
    assert last.count("=") == 2 * bool(mark)
    assert 5 < len(last.encode()) <= 255
    assert last[0] != "."
    assert last.isprintable() or not last.isascii()


def test_a_folder_that_no_file_system_holds_is_refused(universe: Universe) -> None:
    refs = [
        make(universe, ["physical_filter", "detector"], ("HSC", n, "x" * 251), name="raw") for n in (1, 2)
    ]
    assert file_key(refs, "a.fits", ".fits") == "HSC/r/raw/instrument=HSC/a.fits"
    bad = [make(universe, ["physical_filter"], ("x" * 251, str(n)), name="raw") for n in (1, 2)]
    with pytest.raises(BadPath, match="255"):
        file_key(bad, "a.fits", ".fits")


@pytest.mark.parametrize("value", ["x~" + ID.hex, "==" + ID.hex, "=" + ID.hex, ID.hex, "~" + ID.hex + ".1"])
def test_no_value_looks_like_an_id(universe: Universe, value: str) -> None:
    for extension in ("", ".fits"):
        assert id_in_key(default_key(make(universe, ["band"], (value,)), extension)) is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        f"a=={ID.hex}/b.fits",
        f"a=={ID.hex}0.fits",
        f"a=={ID.hex.upper()}",
        f"a=={ID.hex[1:]}",
        f"a=={ID.hex}\n",
    ],
)
def test_keys_without_an_id(key: str) -> None:
    assert id_in_key(key) is None


TEMPLATES = [
    *(
        "",
        "{run}/{type}/{instrument}/{physical_filter}",
        "by-type/{type}/{run}/{physical_filter}/{instrument}",
    ),
    *("{run}/{type}/{instrument}_{physical_filter}", "{run}/{type}/{physical_filter}/{id}/{instrument}"),
]


@given(st.data(), st.sampled_from(TEMPLATES), st.booleans())
def test_a_key_tells_what_it_is_of_or_nothing(
    universe: Universe,
    data: st.DataObject,
    text: str,
    unique: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    row = cast("tuple[Value, ...]", data.draw(st.tuples(sky.values(), sky.values())))
    ref = make(
        universe,
        ["physical_filter"],
        row,
        run=data.draw(sky.collections()),
        name=data.draw(sky.identifiers()),
    )
    extension = data.draw(st.just("") | sky.extensions())
    component = data.draw(st.none() | sky.identifiers())
    found = Template(text).spelled(Template(text).key(ref, extension, component, unique=unique))
    if found is None:
        # With "_" between two values there may be several ways to read it.
        assert "_" in text
        return
    keys = tuple((name, str(value)) for name, value in ref.data_id.levels)
    uuid = ID if unique or "{id}" in text else None
    assert (found.run, found.type_name, found.component) == (ref.run, ref.type.name, component)
    assert (dict(found.keys), found.extension, found.id) == (dict(keys), extension, uuid)


def test_keys_of_templates_with_widths_and_without_dimensions(universe: Universe) -> None:
    visit = make(universe, ["visit"], ("HSC", 20131102, 42), name="calexp")
    template = Template("{run}/{type}/{instrument}/{visit:08d}")
    key = template.key(visit, ".fits")
    assert key == "HSC/r/calexp/HSC/00000042.fits"
    assert template.spelled(key) == Spelled(
        "HSC/r", "calexp", (("instrument", "HSC"), ("visit", "42")), ".fits"
    )
    note = make(universe, [], (), name="notes")
    for component in (None, "wcs"):
        wanted = Spelled("HSC/r", "notes", (), ".txt", component)
        assert Template().spelled(default_key(note, ".txt", component)) == wanted


@pytest.mark.parametrize(
    "key", ["a", "a.fits", "a/b c/d e.fits", "a/b=c", "a//b.fits", "r/t/x=1[2].fits", "%/a.b"]
)
def test_keys_of_no_dataset(key: str) -> None:
    assert Template().spelled(key) is None
    assert Template("{run}/{type}/x/{visit:08d}").spelled(key) is None


def test_a_key_that_is_too_long_is_cut_and_marked(universe: Universe) -> None:
    ref = make(
        universe, ["physical_filter"], ("HSC", "x" * 200), run="/".join(["r" * 250] * 4), name="calexp"
    )
    kept = f"physical_filter={'x' * 200}"
    mark = f"=={ID.hex}.fits"
    key = Template("").key(ref, ".fits")
    assert key == f"calexp/{kept[: 255 - len(mark)]}{mark}"
    assert len(key.encode()) <= 1000


def test_an_extension_that_makes_a_key_too_long_marks_it(universe: Universe) -> None:
    ref = make(universe, ["physical_filter"], ("HSC", "x" * 239), name="calexp")
    key = Template("").key(ref, ".fits")
    folder, _, name = key.rpartition("/")
    mark = f"=={ID.hex}.fits"
    assert folder == "HSC/r/calexp/instrument=HSC"
    assert name == f"physical_filter={'x' * 239}"[: 255 - len(mark)] + mark
