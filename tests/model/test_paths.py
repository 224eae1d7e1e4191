"""The path grammar: every address has one text, and every text one address or a BadPath."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skyfs.errors import BadPath
from skyfs.model.paths import SERVICES, Address, parse, split_leaf, split_type
from skyfs.model.quoting import decode, encode_name, encode_value, extension_at_end
from skyfs.model.selectors import Box, Circle, Columns, Hdu, HduName, RowFilter, Section, Selector
from skyfs.testing import strategies as sky

RAW = "/HSC/raw/all/raw/instrument=HSC/day_obs=20131102/exposure=903334/detector=20.fits"
COADD = "/HSC/runs/RC2/deepCoadd/skymap=hsc_rings_v1/tract=9813/patch=40/band=i.fits"


def keyed(value: str, extension: str = ".fits", *, key: str = "k") -> Address:
    return Address.dataset("c", "t", [(key, value)], extension)


def fits(value: str) -> bool:
    return len(f"k={encode_value(value)}.fits".encode()) <= 255


# Text made of what the grammar is made of, so that much of it nearly parses.
CHARACTERS = "//=[]%.:*?-, '\"\0\né\ud800"
WORDS = [
    "HSC",
    "raw",
    "k",
    "1",
    "a=1",
    "..",
    ".fits",
    ".fits[1]",
    "[1:5,2:3]",
    "%41",
    "%2F",
    "/c/t/k=v",
    "/.zattrs",
]
SELECTORS = ["[col a]", "[a > 1]", "[circle 1 2 3]"]
PATH_LIKE = st.lists(st.sampled_from([*CHARACTERS, *WORDS, *SERVICES, *SELECTORS]), max_size=14).map("".join)


def check_text(text: str) -> None:
    """The text is a BadPath, or an address whose spelling is a fixed point."""
    message = ""
    try:
        address = parse(text)
    except BadPath as error:
        message = str(error)
    if message:
        assert len(message.encode()) < 2_000
        return
    spelled = str(address)
    assert parse(spelled) == address
    assert str(parse(spelled)) == spelled
    assert all(len(part.encode()) <= 255 for part in str(bare(address)).split("/"))


def bare(address: Address) -> Address:
    return Address(address.head, address.keys, address.extension, (), address.service, address.inner)


# -- round trips ---------------------------------------------------------------------------------------


@given(sky.addresses())
def test_parse_is_the_inverse_of_str(address: Address) -> None:
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Circle(1, 0, 1), Circle(1.0, -0.0, 1.0)),
        (Box(0, 2, 3, 4), Box(-0.0, 2.0, 3.0, 4.0)),
    ],
)
def test_equal_addresses_have_one_spelling(one: Selector, other: Selector) -> None:
    # That different addresses have different texts follows from the inverse.
    first, second = (Address(("c", "t.fits"), selectors=(selector,)) for selector in (one, other))
    assert first == second
    assert str(first) == str(second)
    assert parse(str(first)) == first


@given(sky.values(), sky.values())
def test_values_have_one_spelling_that_no_extension_can_be_read_out_of(one: str, other: str) -> None:
    assert (one == other) == (encode_value(one) == encode_value(other))
    assert decode(encode_value(one), "") == one
    assert extension_at_end(encode_value(one)) == ""
    assert not set(encode_value(one)) & set("/=[]*?:\0\n\x7f\x85")


@given(sky.texts())
def test_any_value(value: str) -> None:
    if fits(value):
        address = keyed(value)
        assert parse(str(address)) == address
        assert address.keys == (("k", value),)
    else:
        with pytest.raises(BadPath, match="255"):
            keyed(value)


@given(sky.names(), sky.names())
def test_any_name(one: str, other: str) -> None:
    assert parse(f"/{encode_name(one)}/{encode_name(other)}").head == (one, other)
    assert (one == other) == (encode_name(one) == encode_name(other))


@given(sky.values(), sky.extensions())
def test_values_and_extensions_stay_apart(value: str, extension: str) -> None:
    address = keyed(value, extension)
    assert (parse(str(address)).keys, parse(str(address)).extension) == ((("k", value),), extension)


@given(st.text(max_size=80) | PATH_LIKE)
@example("/" * 5)
@example(RAW + "[1]\n")
@example("/c/t/k=v.fits\n")
@example("/c/t.fits\n[1]")
@example("/.repo/x.fits[1]")
@example("/.where/x[1]")
@example("/c/t/k=1.fits[circle -1e-20 -0.0 1]")
def test_any_text_parses_or_is_a_bad_path(text: str) -> None:
    check_text(text)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(settings.get_profile("long"))
@given(st.text(max_size=200) | PATH_LIKE | st.lists(PATH_LIKE, max_size=6).map("/".join))
def test_any_text_campaign(text: str) -> None:
    check_text(text)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(settings.get_profile("long"))
@given(sky.addresses())
def test_round_trip_campaign(address: Address) -> None:
    assert parse(str(address)) == address


UNITS = [
    "[",
    "]",
    "[]",
    ".a",
    "%",
    "%41",
    "a/",
    "a=1/",
    "a.b[",
    ".a[1]",
    ".a[[]",
    "a.b['",
    "x.a[col ",
    "1",
    "(",
    "'",
    "é",
]
FRAMES = [
    ("", ""),
    ("", "]"),
    ("/c/t/k=1", ".fits[1]"),
    ("/c/t/k=1.fits[", " > 1]"),
    ("/.where/", ""),
    ("/c/t/k=1.", "!"),
]


@pytest.mark.timeout(30)  # with a square in the length, one of these takes a minute
@pytest.mark.parametrize("unit", UNITS)
def test_long_texts_take_linear_time(unit: str) -> None:
    for before, after in FRAMES:
        check_text(before + unit * (30_000 // len(unit)) + after)


def test_many_keys_take_linear_time() -> None:
    keys = [(f"k{number}", "v") for number in range(10_000)]
    address = Address(("c", "t"), tuple(keys))
    assert parse(str(address)) == address


# -- names of real surveys -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ("i.MP9702", "i%2EMP9702"),
        ("z DECam SDSS c0004 9260.0 1520.0", "z DECam SDSS c0004 9260.0 1520.0"),
        ("HSC-R", "HSC-R"),
        ("2024-05-01T03:04:05.678", "2024-05-01T03%3A04%3A05.678"),
        ("3::rafts::R22", "3%3A%3Arafts%3A%3AR22"),
        (".hidden", "%2Ehidden"),
        (".5", "%2E5"),
        (".", "%2E"),
        ("..", "%2E."),
        ("a.fits", "a%2Efits"),
        ("a.fits.gz", "a%2Efits%2Egz"),
        ("a.1.fits", "a.1%2Efits"),
        ("a.", "a."),
        ("1.5", "1.5"),
        ("1.é", "1%2Eé"),
        ("100%", "100%25"),
        ("a/b", "a%2Fb"),
        ("a=b", "a%3Db"),
        ("[1]", "%5B1%5D"),
        ("*?", "%2A%3F"),
        ("a\nb\0", "a%0Ab%00"),
        ("\x85", "%C2%85"),
        ("Å星🔭", "Å星🔭"),
        (" a ", " a "),
        ("~&;'\"\\", "~&;'\"\\"),
        ("20131101T000000--max", "20131101T000000--max"),
    ],
)
@pytest.mark.parametrize("extension", [".fits", "", ".fits.gz"])
def test_spelling_of_values(value: str, spelled: str, extension: str) -> None:
    address = keyed(value, extension)
    assert str(address) == f"/c/t/k={spelled}{extension}"
    assert parse(str(address)) == address


def test_a_raw() -> None:
    address = parse(RAW)
    assert address == Address(
        ("HSC", "raw", "all", "raw"),
        (("instrument", "HSC"), ("day_obs", "20131102"), ("exposure", "903334"), ("detector", "20")),
        ".fits",
    )
    assert (address.collection, address.type_name, address.component) == ("HSC/raw/all", "raw", None)
    assert str(address) == RAW
    assert str(address.parent) == RAW.rpartition("/")[0]


def test_a_coadd_with_selectors() -> None:
    address = parse(COADD + "[1][1:500,1:500]")
    assert address.selectors[0] == Hdu(1)
    assert isinstance(address.selectors[1], Section)
    assert str(address) == COADD + "[1][1:500,1:500]"
    assert str(address.parent) == COADD.rpartition("/")[0]


def test_components() -> None:
    with_keys = Address.dataset("HSC/r", "calexp", [("visit", "1")], ".json", component="wcs")
    assert str(with_keys) == "/HSC/r/calexp.wcs/visit=1.json"
    assert (with_keys.type_name, with_keys.component, with_keys.collection) == ("calexp", "wcs", "HSC/r")
    assert parse("/HSC/r/calexp.wcs/visit=1.json") == with_keys
    without = Address.dataset("HSC/r", "camera", extension=".json", component="detectors")
    assert str(without) == "/HSC/r/camera.detectors/camera.json"
    assert parse(str(without)) == without


def test_types_without_dimensions() -> None:
    address = Address.dataset("u/me", "skyMap", extension=".fits", selectors=(Hdu(1),))
    assert str(address) == "/u/me/skyMap.fits[1]"
    assert parse("/u/me/skyMap.fits[1]") == address
    assert address.keys == ()
    assert str(Address.dataset("u/me", "2024_notes", extension=".txt")) == "/u/me/2024_notes.txt"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("skyMap.fits", ("skyMap", None, ".fits")),
        ("skyMap", ("skyMap", None, "")),
        ("a.fits.gz", ("a", None, ".fits.gz")),
        ("20131101.csv", ("20131101", None, ".csv")),
        ("a.B", ("a", "B", "")),
        ("a.B.json", ("a", "B", ".json")),
        ("a b.fits", None),
        (".fits", None),
        ("a.fits\n", None),
        ("a-b.fits", None),
        ("é.fits", None),
        ("", None),
        ("a.1.fits", None),
    ],
)
def test_split_leaf(name: str, found: tuple[str, str | None, str] | None) -> None:
    assert split_leaf(name) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("calexp", ("calexp", None)),
        ("calexp.wcs", ("calexp", "wcs")),
        ("_x", ("_x", None)),
        ("1a", None),
        ("a.b.c", None),
        ("a.", None),
        ("a\n", None),
        ("é", None),
        ("", None),
    ],
)
def test_split_type(name: str, found: tuple[str, str | None] | None) -> None:
    assert split_type(name) == found


# -- length --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["x", "é", "星", "🔭", "/"])
@pytest.mark.parametrize("extension", ["", ".fits", ".fits.gz"])
def test_a_leaf_of_255_bytes_and_not_one_more(character: str, extension: str) -> None:
    size = len(encode_value(character).encode())
    count, rest = divmod(255 - len(f"k={extension}"), size)
    value = character * count + "x" * rest
    leaf = str(keyed(value, extension)).rpartition("/")[2]
    assert len(leaf.encode()) == 255
    assert parse(f"/c/t/{leaf}").keys == (("k", value),)
    for too_long in (value + "x", value + character):
        with pytest.raises(BadPath, match=r"the part .* at most 255"):
            keyed(too_long, extension)
        with pytest.raises(BadPath, match=r"the part .* at most 255"):
            parse(f"/c/t/k={encode_value(too_long)}{extension}")


def test_other_parts_of_255_bytes() -> None:
    long = "x" * 255
    assert parse(f"/{long}/t/k=v").head == (long, "t")
    for path in (
        f"/x{long}/t/k=v",
        f"/c/t/k=v.zarr/x{long}",
        f"/.where/x{long}",
        f"/.repo/x{long}",
        f"/c/{long}.fits",
    ):
        with pytest.raises(BadPath, match="at most 255"):
            parse(path)


def test_the_canonical_spelling_counts_for_length() -> None:
    value = "A" * 253
    assert parse("/c/t/k=" + "%41" * 253).keys == (("k", value),)
    with pytest.raises(BadPath, match="at most 255"):
        parse("/c/t/k=" + "%41" * 254)


def test_selectors_do_not_count_for_length() -> None:
    assert parse(f"/c/t/k=v.fits[{' && '.join(['flux > 100'] * 50)}]").selectors


# -- aliases -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alias", "canonical"),
    [
        (RAW[1:], RAW),
        (RAW + "/", RAW),
        (RAW[1:] + "/", RAW),
        ("", "/"),
        ("/", "/"),
        ("/c/t/k=%41.fits", "/c/t/k=A.fits"),
        ("/c/t/k=%2d", "/c/t/k=-"),
        ("/%63/t/k=v", "/c/t/k=v"),
        ("/c/t/group=3::x.fits", "/c/t/group=3%3A%3Ax.fits"),
        ("/a:b/t", "/a%3Ab/t"),
        ("/c/t/k=i.MP9702.fits", "/c/t/k=i%2EMP9702.fits"),
        ("/c/t/k=.5.fits", "/c/t/k=%2E5.fits"),
        ("/c/t/filter=g.decam/detector=2.fits", "/c/t/filter=g%2Edecam/detector=2.fits"),
        ("/c/t/k=v.fits[ 1 ]", "/c/t/k=v.fits[1]"),
        ("/.hive/c/t/k=v.fits", "/.hive/c/t/k=v/t.fits"),
        ("/.hive/c/t/k=a.b/t.fits", "/.hive/c/t/k=a%2Eb/t.fits"),
        ("/.where/visit = 1/c", "/.where/visit %3D 1/c"),
        (".repo", "/.repo"),
    ],
)
def test_aliases(alias: str, canonical: str) -> None:
    assert str(parse(alias)) == canonical
    assert parse(alias) == parse(canonical)


def test_keys_in_any_order() -> None:
    address = parse("/c/t/detector=20/instrument=HSC.fits")
    assert dict(address.keys) == {"detector": "20", "instrument": "HSC"}
    assert str(address) == "/c/t/detector=20/instrument=HSC.fits"


# -- parts of trees ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/c/t/k=v.zarr/0/c/1", ("0", "c", "1")),
        ("/c/t/k=v.zarr/zarr.json", ("zarr.json",)),
        ("/c/t/k=v.zarr/.zattrs", (".zattrs",)),
        ("/c/t/k=v.zarr/a%20b c%", ("a%20b c%",)),
        ("/c/t.comp/k=v.zarr/0", ("0",)),
        ("/.hive/c/t/k=v/t.zarr/0/1", ("0", "1")),
        ("/.where/visit %3D 1/c/t/k=v.zarr/0", ("0",)),
    ],
)
def test_inner_names_are_taken_as_they_are(path: str, inner: tuple[str, ...]) -> None:
    address = parse(path)
    assert (address.inner, address.extension, address.keys) == (inner, ".zarr", (("k", "v"),))
    assert str(address) == path
    assert str(address.parent) == path.rpartition("/")[0]


def test_inner_names_without_keys_stay_in_the_head() -> None:
    for path in ("/c/t.zarr/0/c/1", "/c/t.zarr/.zattrs", "/c/t.zarr/group/.zgroup"):
        address = parse(path)
        assert address.head == tuple(path[1:].split("/"))
        assert str(address) == path


# -- service directories -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "service", "head"),
    [
        ("/.repo", (".repo",), ()),
        ("/.repo/config.yaml", (".repo",), ("config.yaml",)),
        (
            "/.by-id/018f3a5e-0000-7000-8000-000000000000.fits",
            (".by-id",),
            ("018f3a5e-0000-7000-8000-000000000000.fits",),
        ),
        ("/.records/visit.parquet", (".records",), ("visit.parquet",)),
        ("/.where", (".where",), ()),
        ("/.where/day_obs > 20240101", (".where", "day_obs > 20240101"), ()),
        ("/.where/x > 1/HSC/raw", (".where", "x > 1"), ("HSC", "raw")),
        ("/.hive", (".hive",), ()),
        ("/.hive/HSC/raw", (".hive",), ("HSC", "raw")),
    ],
)
def test_service_directories(path: str, service: tuple[str, ...], head: tuple[str, ...]) -> None:
    address = parse(path)
    assert (address.service, address.head, address.keys) == (service, head, ())
    assert str(address) == path


@pytest.mark.parametrize(
    "expression",
    [
        "visit.exposure_time > 30 AND band = 'i'",
        "a/b = 1",
        "a % 2 = 0",
        "name = 'it''s [1] *?'",
        "name = 'a.fits[1]'",
        ".5 < x",
        ".",
        "..",
        "T'2024-05-01 03:04:05' < x",
        "name = 'Å 星'",
        "x IN (1..5:2)",
    ],
)
def test_expressions(expression: str) -> None:
    address = Address(("c", "t"), (("k", "v"),), ".fits", (Hdu(1),), (".where", expression))
    assert parse(str(address)) == address
    assert parse(str(address)).service == (".where", expression)
    whole = parse(str(Address(service=(".where", expression))))
    assert whole.service == (".where", expression)


def test_bare_characters_in_expressions() -> None:
    path = "/.where/a.b[2] = 1 AND c = '*?'/c/t/k=v.fits[1]"
    address = parse(path)
    assert address.service == (".where", "a.b[2] = 1 AND c = '*?'")
    assert address.selectors == (Hdu(1),)


def test_hive() -> None:
    path = "/.hive/HSC/r/calexp/instrument=HSC/visit=1/detector=2/calexp.fits"
    address = parse(path)
    assert address == Address(
        ("HSC", "r", "calexp"),
        (("instrument", "HSC"), ("visit", "1"), ("detector", "2")),
        ".fits",
        (),
        (".hive",),
    )
    assert str(address) == path
    assert str(address.parent) == path.rpartition("/")[0]
    component = parse("/.hive/c/t.wcs/k=v/t.json[1]")
    assert (component.component, component.extension, component.selectors) == ("wcs", ".json", (Hdu(1),))
    assert str(component) == "/.hive/c/t.wcs/k=v/t.json[1]"


# -- what has no spelling ------------------------------------------------------------------------------

KEYS = (("k", "v"),)


@pytest.mark.parametrize(
    "parts",
    [
        {"head": ("",)},
        {"head": ("a=b",)},
        {"head": ("a/b",)},
        {"head": (".a",)},
        {"head": ("a.zarr", "..")},
        {"head": ("a.zarr", ".x", "t"), "keys": KEYS},
        {"head": ("\ud800",)},
        {"head": ("a",), "extension": ".fits"},
        {"head": ("a",), "inner": ("0",)},
        {"head": ("t",), "keys": KEYS},
        {"keys": KEYS},
        {"keys": KEYS, "extension": ".fits", "service": (".hive",)},
        {"head": ("c", "a b"), "keys": KEYS},
        {"head": ("c", "t"), "keys": (*KEYS, *KEYS)},
        {"head": ("c", "t"), "keys": (("k", ""),)},
        {"head": ("c", "t"), "keys": (("1k", "v"),)},
        {"head": ("c", "t"), "keys": (("k", "\ud800"),)},
        {"head": ("c", "t"), "keys": KEYS, "extension": "fits"},
        {"head": ("c", "t"), "keys": KEYS, "extension": ".FITS"},
        {"head": ("c", "t"), "keys": KEYS, "extension": ".fits\n"},
        {"head": ("c", "t"), "keys": KEYS, "inner": ("0",)},
        *(
            {"head": ("c", "t"), "keys": KEYS, "extension": ".zarr", "inner": (part,)}
            for part in ["", ".", "..", "a/b"]
        ),
        *(
            {"head": ("c", "t"), "keys": KEYS, "extension": ".zarr", "inner": (part,)}
            for part in ["a[1]", "a=b", "\n"]
        ),
        {"head": ("c", "t"), "keys": KEYS, "extension": ".zarr", "inner": ("a.x",), "selectors": (Hdu(1),)},
        {"head": ("c", "t"), "keys": KEYS, "selectors": (Hdu(1),)},
        {"head": ("c", "t.wcs"), "keys": KEYS, "selectors": (Hdu(1),)},
        {"head": ("c", "t"), "selectors": (Hdu(1),)},
        {"selectors": (Hdu(1),)},
        *(
            {"head": ("c", "t.x"), "selectors": chosen}
            for chosen in [(Hdu(1), Hdu(2)), (Hdu(-1),), (RowFilter("a"),)]
        ),
        *(
            {"head": ("c", "t.x"), "selectors": (chosen,)}
            for chosen in [HduName("a]"), Columns(()), RowFilter(" a > 1")]
        ),
        *(
            {"service": service}
            for service in [(".x",), (".where", ""), (".hive", "x"), (".where", "x", "y"), ("c",)]
        ),
        {"service": (".where",), "head": ("a",)},
        {"service": (".repo",), "head": ("c", "t"), "keys": KEYS},
        {"service": (".where", "\ud800")},
    ],
)
def test_addresses_without_a_spelling_are_refused(parts: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(BadPath):
        Address(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        ("", "t"),
        ("c/", "t"),
        ("c", ""),
        ("c", "a b"),
        ("c", "t", (), "fits"),
        ("c", "t", (), "/x"),
        ("c", "t", KEYS, "x"),
    ],
)
def test_datasets_without_a_spelling_are_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(BadPath):
        Address.dataset(*arguments)
