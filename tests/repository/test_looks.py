"""What notebooks show: cards of repositories, datasets, queries and records."""

from __future__ import annotations

import pickle
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

import skyfs
from skyfs.errors import BadArgument, Unsupported
from skyfs.looks import cards, thumbnails
from skyfs.model.region import circle
from skyfs.repository import Repository

from .conftest import EXPOSURES, data_id

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x1b[31m"
NAME = EVIL.replace("=", ":")
# All that a card is made of, with the attributes that these may have.
PARTS: dict[str, set[str]] = {
    "div": {"style"},
    "span": {"style"},
    "b": set(),
    "table": {"style"},
    "tr": {"style"},
    "td": {"style"},
    "th": {"style"},
    "img": {"alt", "src", "style"},
    "svg": {"xmlns", "width", "height", "viewbox", "role", "font-family"},
    "title": set(),
    "path": {
        "d",
        "fill",
        "fill-opacity",
        "stroke",
        "stroke-width",
        "stroke-opacity",
        "fill-rule",
        "stroke-linejoin",
    },
    "circle": {"cx", "cy", "r", "fill"},
    "text": {"x", "y", "font-size", "text-anchor", "fill"},
}


class Page(HTMLParser):
    """Reads a card, and demands that it is made of harmless parts that are all closed."""

    def __init__(self, card: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures: list[bytes] = []
        self._open: list[str] = []
        self.feed(card)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert given.keys() <= PARTS[tag], (tag, given)
        if tag == "img":
            head, _, data = (given["src"] or "").partition(",")
            assert head == "data:image/png;base64"
            self.pictures.append(b64decode(data, validate=True))
        assert "url" not in (given.get("style") or "")
        if tag != "img" and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and tag == self._open[-1]:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        assert data.isprintable()
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


class Shown(Protocol):
    """What a notebook shows as HTML."""

    def _repr_html_(self) -> str: ...


def page(thing: Shown) -> Page:
    return Page(thing._repr_html_())


def image(side: int = 40) -> fits.PrimaryHDU:
    return fits.PrimaryHDU(np.arange(side * side, dtype=np.float32).reshape(side, side))


@pytest.fixture(autouse=True)
def types(repo: Repository) -> None:
    """Register a type of images, and record where the visits are."""
    repo.register("calexp", ["visit", "detector"], "Image")
    repo.register("src", ["visit", "detector"], "Table")
    rows = [{**row, "region": circle(150, 2, 1)} for row in repo.records("visit")]
    repo.insert("visit", rows, replace=True)


def at(detector: int = 0) -> dict[str, Any]:
    return {"instrument": "HSC", "visit": EXPOSURES[0], "detector": detector}


def thumbnail(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("L"))


# -- datasets ------------------------------------------------------------------------------------------


def test_a_dataset_has_its_facts_a_thumbnail_and_its_place(repo: Repository) -> None:
    put = repo.put(image(300), "calexp", run="r", **at())
    repo.insert("visit_detector_region", [{**at(), "region": circle(150, 2, 0.1)}])
    found = repo.find("calexp", collections="r", **at())
    (asked,) = repo.query("calexp", collections="r")
    for ref in (put, found, asked):
        shown = page(ref)
        assert shown.words[:2] == ["calexp", " "]
        for words in (repo.path(ref), str(ref.id), "903334", "bytes as .fits in local", "+2.00°"):
            assert words in shown.text, words
        (png,) = shown.pictures
        pixels = thumbnail(png)
        assert max(pixels.shape) == thumbnails.SIDE
        # The first row is at the bottom.
        assert pixels[-1].mean() < 50
        assert pixels[0].mean() > 200


def test_a_reference_is_still_a_value(repo: Repository) -> None:
    ref = repo.put(image(), "calexp", run="r", **at())
    copy = pickle.loads(pickle.dumps(ref))  # noqa: S301 - our own value
    assert copy == ref
    assert hash(copy) == hash(ref)
    shown = page(copy)
    assert str(ref.id) in shown.text
    assert shown.pictures == []


def test_what_is_no_image_has_no_thumbnail(repo: Repository) -> None:
    for ref in (
        repo.put(Table({"x": [1, 2]}), "src", run="r", **at()),
        repo.put({"n": 1}, "metrics", run="r", **data_id()),
        repo.put(np.arange(3.0), "flat", run="r", instrument="HSC", detector=0, physical_filter="HSC-I"),
    ):
        shown = page(ref)
        assert shown.pictures == []
        assert "cannot be shown" not in shown.text


def test_removed_closed_declared_and_damaged_datasets_are_said_in_words(repo: Repository) -> None:
    refs = [repo.put(image(), "calexp", run="r", **at(number)) for number in range(2)]
    (declared,) = repo.declare("calexp", [at(2)], run="r")
    assert "calexp" in page(declared).text
    (asked,) = repo.query("calexp", collections="r", detector=2)
    assert "it is declared only" in page(asked).text
    repo.remove([refs[0]])
    assert "it was removed" in page(refs[0]).text
    file = (
        next((repo.root / "data").rglob("*detector=1.fits"))
        if (repo.root / "data").is_dir()
        else next(path for path in repo.root.rglob("*.fits"))
    )
    file.unlink()
    shown = page(refs[1])
    assert shown.pictures == []
    assert str(refs[1].id) in shown.text
    repo.close()
    assert "its repository is closed" in page(refs[1]).text


def test_a_large_image_is_sampled_and_other_large_files_are_left_alone(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 100_000)
    repo.register("raw_file", ["exposure"], "Hdus")
    ref = repo.put(image(900), "calexp", run="r", **at())
    (png,) = page(ref).pictures
    pixels = thumbnail(png)
    assert 100 <= pixels.shape[0] <= thumbnails.SIDE
    assert pixels[-1].mean() < 50
    assert pixels[0].mean() > 200
    whole = repo.put(fits.HDUList([image(300)]), "raw_file", run="r", instrument="HSC", exposure=EXPOSURES[0])
    shown = page(whole)
    assert shown.pictures == []
    assert "it has 0 MiB (see it: repo.show)" in shown.text


def test_types_in_memory(tmp_path: Path) -> None:
    stores: list[dict[str, Any]] = [
        {"name": "local", "url": "."},
        {"name": "memory", "url": "memory://", "types": ["tmp*"]},
    ]
    with skyfs.create(tmp_path / "other", stores=stores) as repo:
        repo.register("tmp_image", [], "Image")
        ref = repo.put(image(), "tmp_image", run="r")
        assert len(page(ref).pictures) == 1
        assert len(page(repo.find("tmp_image", collections="r")).pictures) == 1
        assert len(page(repo.query("tmp_image", collections="r")).pictures) == 1


# -- queries, records and repositories -----------------------------------------------------------------


def test_a_query_is_bounded(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "ROWS", 2)
    monkeypatch.setattr(cards, "THUMBNAILS", 1)
    for number in range(3):
        repo.put(image(), "calexp", run="r", **at(number))
    shown = page(repo.query("calexp", collections="r"))
    assert "the first 2 rows" in shown.text
    assert shown.words.count("903334") == 2
    assert len(shown.pictures) == 1
    assert shown.text.count("3 rows") == 0
    assert "1 row" in page(repo.query("calexp", collections="r", detector=2)).text
    nothing = page(repo.query("calexp", collections="r", where="visit = 1"))
    assert "explain() says why" in nothing.text


def test_records_and_data_ids(repo: Repository) -> None:
    shown = page(repo.records("visit"))
    assert "records of visit" in shown.text
    assert "HSC-I" in shown.text
    assert "+2.0°" in shown.text
    assert "region" not in shown.words
    assert "azimuth" not in shown.words  # nobody has recorded any
    assert "1_2" in page(repo.records("detector")).text
    ids = page(repo.data_ids(["visit", "detector"]))
    assert "data IDs of instrument, visit, detector" in ids.text


def test_a_repository(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.put({"n": 1}, "metrics", run="some/run", **data_id())
    repo.chain("some/chain", ["some/run"])
    shown = page(repo)
    for words in (
        "sky",
        "some/run",
        "some/chain",
        "CHAINED",
        "calexp",
        "instrument, visit, detector",
        "+2.0°",
    ):
        assert words in shown.text, words
    assert "opened for writing".replace(" ", "") in shown.text.replace(" ", "")
    monkeypatch.setattr(cards, "ROWS", 3)
    assert "2 more: repo.types()" in page(repo).text


def test_an_empty_repository(tmp_path: Path) -> None:
    with skyfs.create(tmp_path / "empty") as repo:
        assert "no collections yet" in page(repo).text


def test_what_fails_is_said_in_words(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    query = repo.query("calexp", collections="*")
    ref = repo.put(image(), "calexp", run="r", **at())

    def fail() -> None:
        raise RuntimeError(f"the disk is {EVIL}")

    monkeypatch.setattr(repo.registry, "current", fail)
    for thing in (repo, query, ref):
        shown = page(thing)
        assert "it cannot be shown: the disk is <script>" in shown.text


def test_no_name_is_html(repo: Repository) -> None:
    repo.create_collection(NAME, "TAGGED", doc=EVIL)
    repo.insert("instrument", [{"name": EVIL[:20], "class_name": EVIL}])
    repo.insert("detector", [{"instrument": EVIL[:20], "id": 0, "full_name": EVIL[:30]}])
    repo.register("notes", ["instrument"], "Array")
    run = f"u/{EVIL.split('/', maxsplit=1)[0]}"
    ref = repo.put(np.eye(9), "notes", run=run, instrument=EVIL[:20])
    repo.insert("visit", [{**row, "target_name": EVIL} for row in repo.records("visit")], replace=True)
    things = [
        repo,
        ref,
        repo.query("notes", collections="*"),
        repo.query("notes", collections=[NAME, run]),
        repo.records("instrument"),
        repo.records("detector"),
        repo.records("visit"),
        repo.data_ids(["detector"]),
        repo.query("notes", collections="*", where="instrument = 'nothing'"),
        pickle.loads(pickle.dumps(ref)),  # noqa: S301 - our own value
    ]
    for thing in things:
        assert "<script" in page(thing).text or thing in things[8:9], thing
    assert len(page(ref).pictures) == 1
    assert not re.search(r"[\u202e\x1b]", "".join(thing._repr_html_() for thing in things))


# -- pictures that are asked for -----------------------------------------------------------------------


def test_show(repo: Repository, tmp_path: Path) -> None:
    ref = repo.put(image(), "calexp", run="r", **at())
    picture = repo.show(ref)
    assert thumbnail(picture._repr_png_()).shape == (40, 40)
    assert "calexp" in repr(picture)
    part = repo.show(f"{repo.path(ref)}[1:10,1:20]")
    assert thumbnail(part.png).shape == (20, 10)
    assert part.save(tmp_path / "a.png").read_bytes() == part.png
    with pytest.raises(BadArgument, match=r"end its name in \.png"):
        part.save(tmp_path / "a.jpg")
    with pytest.raises(Unsupported, match="converts to none"):
        repo.show(repo.put(Table({"x": [1]}), "src", run="r", **at()))


@pytest.fixture
def plot() -> bytes:
    """The bytes of a JPEG."""
    file = BytesIO()
    Image.new("RGB", (500, 300), "red").save(file, format="JPEG")
    return file.getvalue()


def test_a_picture_that_unpacks_to_gigabytes_has_no_thumbnail(repo: Repository) -> None:
    file = BytesIO()
    Image.new("1", (10_000, 8_000)).save(file, format="PNG")
    repo.register("plot", [], "Bytes")
    ref = repo.put(file.getvalue(), "plot", run="r", extension=".png")
    shown = page(ref)
    assert shown.pictures == []
    assert "it has 10000 × 8000 pixels (see it: repo.show)" in shown.text


def test_stored_pictures(repo: Repository, plot: bytes) -> None:
    repo.register("plot", [], "Bytes")
    ref = repo.put(plot, "plot", run="r", extension=".jpg")
    assert thumbnail(repo.show(ref).png).shape == (300, 500)
    assert [thumbnail(png).shape for png in page(ref).pictures] == [(86, 144)]
