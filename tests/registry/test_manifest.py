"""A registry is described, and made anew from the lines; what contradicts is never merged in silence."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from skyfs.errors import BadContent, Conflict, SkyfsError
from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dimensions import Universe
from skyfs.model.ids import new_ids
from skyfs.model.manifest import read_lines, write
from skyfs.model.manifest_line import (
    AttachLine,
    CertifyLine,
    ClearLine,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    DecertifyLine,
    DetachLine,
    DropLine,
    FileRow,
    Line,
    RecordsLine,
    RemoveLine,
    RetimeLine,
    TagLine,
    TransactionLine,
    TypeLine,
    UntagLine,
)
from skyfs.registry import lookup
from skyfs.registry.manifest.applying import apply_lines
from skyfs.registry.manifest.arriving import OnConflict
from skyfs.registry.manifest.describing import Description
from skyfs.registry.registry import Registry
from skyfs.testing.registry_rows import violations
from skyfs.testing.registry_sky import CAMERA, Sky, visit_record

from .conftest import Spot, copy_of_new, universe
from .manifests import described, fill, through_text


def _texts(lines: list[Line]) -> list[bytes]:
    return sorted(write(line) for line in lines)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Sky]:
    registry = copy_of_new(tmp_path / "full.sqlite3")
    yield fill(registry)
    registry.close()


@pytest.fixture
def target(spot: Spot) -> Iterator[Registry]:
    registry = spot.open()
    yield registry
    registry.close()


def test_a_registry_made_of_a_description_gives_the_same_description(
    full: Sky, target: Registry, spot: Spot
) -> None:
    lines = described(full.registry)
    applied = apply_lines(target, lines)
    assert _texts(described(target)) == _texts(lines)
    assert violations(spot.read, Universe.from_mapping(universe())) == []
    assert (applied.datasets, applied.unchanged) == (12, 0)


def test_the_same_description_again_is_no_change(full: Sky, target: Registry) -> None:
    lines = described(full.registry)
    apply_lines(target, lines)
    before = _texts(described(target))
    again = apply_lines(target, lines)
    assert (again.datasets, again.records, again.collections, again.types, again.unchanged) == (
        0,
        0,
        0,
        0,
        12,
    )
    assert _texts(described(target)) == before
    for choice in ("skip", "replace"):
        assert apply_lines(target, lines, choice).replaced == 0
        assert _texts(described(target)) == before


def test_chosen_datasets_come_with_what_belongs_to_them(full: Sky, target: Registry, spot: Spot) -> None:
    (src,) = full.found("src", ["u/a"], visit=2)
    bias = full.ids("bias", ["u/a"])
    lines = through_text(Description(full.registry, "sky").chosen([src.resolved.ref.id, *bias]))
    apply_lines(target, lines)
    there = Sky(target)
    assert there.ids("src", ["u/a"]) == [src.resolved.ref.id]
    assert there.found("src", ["u/a"]) == [src]
    assert there.ids("bias", ["c/a"]) == bias
    assert [one["id"] for one in target.records.select("visit", {})] == [2]
    assert [one["id"] for one in target.records.select("detector", {})] == [0, 20]
    assert {"band", "day_obs", "physical_filter"} <= {
        name for name in target.universe.elements if list(target.records.select(name, {}))
    }
    assert set(target.current().collections) == {"u/a", "c/a", "chain/inner", "chain/a-outer"}
    assert target.current().collection("chain/inner").collection.children == ("u/a",)
    inputs = dict(target.details.inputs([src.resolved.ref.id]))
    assert set(inputs) == {src.resolved.ref.id}
    assert not target.current().sides
    assert violations(spot.read, Universe.from_mapping(universe())) == []


def test_rows_of_side_tables_come_with_their_visits(full: Sky, target: Registry) -> None:
    (ref,) = full.ids("meta", ["u/a"])
    apply_lines(target, through_text(Description(full.registry, "sky").chosen([ref])))
    side = target.current().sides["quality"]
    assert [row["visit"] for row in target.records.select(side, {})] == [20]


def test_exposures_come_with_the_visits_that_they_make(full: Sky, target: Registry) -> None:
    records = full.registry.records
    exposure = {"instrument": CAMERA, "physical_filter": "g-1", "day_obs": 20250101, "group": "g"}
    records.insert("exposure", [{**exposure, "id": one, "obs_id": f"e{one}"} for one in (1, 2)])
    records.insert(
        "visit_definition", [{"instrument": CAMERA, "exposure": one, "visit": one} for one in (1, 2)]
    )
    ids = full.ids("calexp", ["u/a"], visit=1)
    apply_lines(target, through_text(Description(full.registry, "sky").chosen(ids)))
    assert [(one["exposure"], one["visit"]) for one in target.records.select("visit_definition", {})] == [
        (1, 1)
    ]
    assert [one["id"] for one in target.records.select("exposure", {})] == [1]


def test_a_description_takes_no_memory_for_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five times as many datasets neither describing nor applying holds more."""
    monkeypatch.setattr(lookup, "_PAGE_ROWS", 500)
    peaks = []
    for number in (3_000, 15_000):
        source = copy_of_new(tmp_path / f"from{number}.sqlite3")
        target = copy_of_new(tmp_path / f"to{number}.sqlite3")
        apply_lines(source, _survey(number))
        tracemalloc.start()
        with (tmp_path / "manifest.jsonl").open("wb") as file:
            for line in Description(source, "sky").everything():
                file.write(write(line))
        with (tmp_path / "manifest.jsonl").open("rb") as file:
            applied = apply_lines(target, read_lines(file, "manifest.jsonl"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert applied.datasets == number
        source.close()
        target.close()
    # What is remembered of visits grows with them.
    assert peaks[1] < peaks[0] * 1.3


def test_what_is_inserted_meanwhile_is_left_out(full: Sky, target: Registry) -> None:
    wanted = _texts(described(full.registry))
    lines = []
    for line in Description(full.registry, "sky").everything():
        lines.append(line)
        if len(lines) == 3:
            late = full.put("calexp", visit=11, detector=20)
            full.registry.datasets.tag([late], "t/b")
            full.registry.collections.create(Collection("u/late", CollectionKind.RUN))
            full.put("calexp", "u/late", visit=11, detector=20)
    apply_lines(target, through_text(lines))
    assert _texts(described(target)) == wanted


def _survey(number: int) -> Iterator[Line]:
    yield RecordsLine("instrument", ("name",), ((CAMERA,),))
    yield RecordsLine("physical_filter", ("instrument", "name", "band"), ((CAMERA, "g-1", "g"),))
    detectors = range(100)
    yield RecordsLine(
        "detector", ("instrument", "id", "full_name"), tuple((CAMERA, one, f"S{one}") for one in detectors)
    )
    visits = [visit_record(visit) for visit in range(number // 100)]
    columns = ("instrument", "id", "physical_filter", "day_obs")
    yield RecordsLine("visit", columns, tuple(tuple(one[name] for name in columns) for one in visits))
    yield TypeLine("calexp", ("instrument", "visit", "detector"), "Table")
    yield CollectionLine(Collection("u/a", CollectionKind.RUN))
    file = FileRow("local", None, ".fits", 1, 1, b"d" * 32)
    for visit in range(number // 100):
        ids = [UUID(bytes=one) for one in new_ids(len(detectors))]
        rows = [DatasetRow(ids[one], 1, (CAMERA, visit, one), (), (), (file,)) for one in detectors]
        yield DatasetsLine("calexp", "u/a", tuple(rows))


# -- conflicts -----------------------------------------------------------------------------------------


def _changed(lines: list[Line], digest: bytes) -> list[Line]:
    """Give all datasets other bytes."""
    found: list[Line] = []
    for line in lines:
        if isinstance(line, DatasetsLine):
            rows = [
                replace(
                    row,
                    files=tuple(replace(file, sha256=digest, part=None, key=None) for file in row.files[:1]),
                )
                for row in line.rows
            ]
            found.append(replace(line, rows=tuple(rows)))
        else:
            found.append(line)
    return found


def test_other_bytes_under_an_id_are_a_conflict_and_nothing_is_changed(full: Sky, target: Registry) -> None:
    lines = described(full.registry)
    apply_lines(target, lines)
    before = _texts(described(target))
    with pytest.raises(Conflict, match="it has other bytes here"):
        apply_lines(
            target, [*_changed(lines, b"x" * 32), CollectionLine(Collection("new", CollectionKind.RUN))]
        )
    assert _texts(described(target)) == before


def test_who_skips_keeps_what_is_there(full: Sky, target: Registry) -> None:
    lines = described(full.registry)
    apply_lines(target, lines)
    before = _texts(described(target))
    assert apply_lines(target, _changed(lines, b"x" * 32), "skip").skipped == 10
    assert _texts(described(target)) == before


def test_who_replaces_gets_what_comes(full: Sky, target: Registry, spot: Spot) -> None:
    lines = described(full.registry)
    apply_lines(target, lines)
    changed = _changed(lines, b"x" * 32)
    assert apply_lines(target, changed, "replace").replaced == 10
    found = Sky(target).found("calexp", ["u/a"], visit=1, detector=0)
    assert [place.sha256 for place in found[0].resolved.locations] == [b"x" * 32]
    assert violations(spot.read, Universe.from_mapping(universe())) == []


@pytest.mark.parametrize(("choice", "kept"), [("skip", "old"), ("replace", "new")])
def test_two_datasets_of_one_data_id(target: Registry, spot: Spot, choice: str, kept: str) -> None:
    there = Sky.fill(target)
    old = there.put("calexp", visit=1, detector=0)
    there.registry.datasets.tag([old], "t/a")
    new = UUID(bytes=new_ids(1)[0])
    file = FileRow("local", "new/key.fits", ".fits", 1, 1)
    lines: list[Line] = [
        DatasetsLine("calexp", "u/a", (DatasetRow(new, 1, (CAMERA, 1, 0), (), (), (file,)),))
    ]
    lines.append(TagLine("t/a", (new,)))
    with pytest.raises(SkyfsError, match="it is there already"):
        apply_lines(target, lines)
    apply_lines(target, lines, choice)  # type: ignore[arg-type]
    wanted = {"old": old.id, "new": new}[kept]
    assert there.ids("calexp", ["u/a"]) == there.ids("calexp", ["t/a"]) == [wanted]
    assert violations(spot.read, Universe.from_mapping(universe())) == []


@pytest.mark.parametrize(("choice", "seeing"), [("skip", "old"), ("replace", "new")])
def test_records_and_validity_that_differ(target: Registry, choice: str, seeing: str) -> None:
    there = Sky.fill(target)
    one, other = there.put("bias", detector=0), there.put("bias", "u/b", detector=0)
    lines: list[Line] = [
        RecordsLine("detector", ("instrument", "id", "full_name"), ((CAMERA, 0, "renamed"),)),
        CertifyLine("c/a", ((other.id, 10, None),)),
    ]
    apply_lines(target, [CertifyLine("c/a", ((one.id, None, 20),))])
    with pytest.raises(Conflict):
        apply_lines(target, lines)
    apply_lines(target, lines, choice)  # type: ignore[arg-type]
    (detector,) = target.records.select("detector", {"id": 0})
    assert detector["full_name"] == {"old": "S0", "new": "renamed"}[seeing]
    spans = {str(found.resolved.ref.valid) for found in there.found("bias", ["c/a"])}
    assert len(spans) == {"old": 1, "new": 2}[seeing]


def _chain(*children: str) -> list[Line]:
    runs = [CollectionLine(Collection(name, CollectionKind.RUN)) for name in children]
    return [*runs, CollectionLine(Collection("chain", CollectionKind.CHAINED, children))]


@pytest.mark.parametrize(
    ("choice", "coming", "becomes"),
    [
        ("fail", ("b",), ("a", "b", "c")),
        ("fail", ("a", "c"), ("a", "b", "c")),
        ("fail", ("x", "a", "b", "y", "c"), ("x", "a", "b", "y", "c")),
        ("fail", ("b", "a"), None),
        ("fail", ("a", "x"), None),
        ("skip", ("b", "a"), ("a", "b", "c")),
        ("newest", ("b", "a"), ("a", "b", "c")),
        ("replace", ("b", "a"), ("b", "a")),
        ("replace", (), ()),
    ],
)
def test_a_chain_that_is_there(
    registry: Registry, choice: OnConflict, coming: tuple[str, ...], becomes: tuple[str, ...] | None
) -> None:
    apply_lines(registry, _chain("a", "b", "c"))
    if becomes is None:
        with pytest.raises(Conflict, match="it is a, b, c"):
            apply_lines(registry, _chain(*coming), choice)
    else:
        apply_lines(registry, _chain(*coming), choice)
    children = registry.current().collection("chain").collection.children
    assert children == (("a", "b", "c") if becomes is None else becomes)


# -- changes -------------------------------------------------------------------------------------------


def test_changes_are_done_as_they_were(target: Registry, spot: Spot) -> None:
    there = Sky.fill(target)
    refs = [there.put("calexp", visit=visit, detector=0) for visit in (1, 2, 10)]
    bias = there.put("bias", detector=0)
    ids = tuple(ref.id for ref in refs)
    lines: list[Line] = [
        TagLine("t/a", ids),
        UntagLine("t/a", ids[:1]),
        CertifyLine("c/a", ((bias.id, 0, 100),)),
        DecertifyLine("c/a", "bias", 40, 60, (("detector", 0),)),
        RetimeLine(((ids[1], 77),)),
        RemoveLine(ids[2:]),
        AttachLine("extra", ("instrument",), (("x", "int"),)),
        DetachLine("extra"),
        TagLine("t/b", ids[:1]),
        ClearLine("t/b"),
        DropLine("t/b"),
    ]
    apply_lines(target, through_text(lines), "replace")
    assert there.ids("calexp", ["t/a"]) == [ids[1]]
    assert [str(one.resolved.ref.valid) for one in there.found("bias", ["c/a"])] == [
        "19700101T000000--19700101T000000.00000004",
        "19700101T000000.00000006--19700101T000000.0000001",
    ]
    (kept,) = there.found("calexp", ["u/a"], visit=2)
    assert kept.resolved.locations[0].mtime_ns == 77
    assert there.by_id(refs[2]) is None
    assert "extra" not in target.current().sides
    assert "t/b" not in target.current().collections
    # All of it is done already: again it is no change but the first lines, which the others take back.
    apply_lines(target, lines[5:6] + lines[7:8] + lines[9:], "replace")
    assert violations(spot.read, Universe.from_mapping(universe())) == []


def test_a_locked_run_is_filled_and_locked(full: Sky, target: Registry) -> None:
    full.registry.collections.set_locked("u/a", locked=True)
    apply_lines(target, described(full.registry))
    assert target.current().collection("u/a").collection.locked
    assert len(Sky(target).ids("calexp", ["u/a"], declared=True)) == 4


# -- hostile lines -------------------------------------------------------------------------------------

_ID = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "line",
    [
        RecordsLine("detector", ("instrument", "id", "region"), ((CAMERA, 3, "AAAA"),)),
        RecordsLine("detector", ("instrument", "id"), ((CAMERA, "three"),)),
        RecordsLine("no_such", ("id",), ((1,),)),
        RecordsLine("visit", ("instrument", "id", "timespan"), ((CAMERA, 3, "now"),)),
        RecordsLine("visit", ("instrument", "id", "timespan"), ((CAMERA, 3, [9, 1]),)),
        RecordsLine("visit", ("instrument", "id", "region"), ((CAMERA, 3, "not base64!"),)),
        TypeLine("bad name", ("instrument",), "Table"),
        TypeLine("calexp", ("nowhere",), "Table"),
        TypeLine("calexp", ("instrument",), "Table"),
        DatasetsLine("calexp", "u/a", (DatasetRow(UUID(_ID), 0, (CAMERA, 1)),)),
        DatasetsLine("calexp", "u/a", (DatasetRow(UUID(_ID), 0, (CAMERA, 1, "x")),)),
        DatasetsLine("calexp", "u/a", (DatasetRow(UUID(_ID), 0, (CAMERA, 999, 0)),)),
        DatasetsLine("calexp", "t/a", (DatasetRow(UUID(_ID), 0, (CAMERA, 1, 0)),)),
        DatasetsLine("calexp", "nowhere", (DatasetRow(UUID(_ID), 0, (CAMERA, 1, 0)),)),
        DatasetsLine("nothing", "u/a", (DatasetRow(UUID(_ID), 0, (CAMERA, 1, 0)),)),
        DatasetsLine("calexp", "u/a", (DatasetRow(UUID(_ID), 0, (CAMERA, 1, 0)),) * 2),
        DatasetsLine(
            "calexp",
            "u/a",
            (DatasetRow(UUID(_ID), 0, (CAMERA, 1, 0), (), (), (FileRow("local", "a", "", 1, 1),) * 2),),
        ),
        TagLine("t/a", (UUID(_ID),)),
        TagLine("u/a", (UUID(_ID),)),
        CertifyLine("c/a", ((UUID(_ID), 0, 1),)),
        CollectionLine(Collection("u/a", CollectionKind.TAGGED)),
        CollectionLine(Collection("loop", CollectionKind.CHAINED, ("loop",))),
        CollectionLine(Collection("loop", CollectionKind.CHAINED, ("nowhere",))),
        AttachLine("visit", ("instrument",), (("x", "int"),)),
        AttachLine("x", ("instrument",), (("select from", "int"),)),
        DecertifyLine("c/a", "bias", None, None, (("x; DROP TABLE meta", 1),)),
        TransactionLine("a", 1, 1),
    ],
)
def test_lines_that_do_not_fit_are_refused_and_nothing_is_done(sky: Sky, line: Line) -> None:
    before = _texts(described(sky.registry))
    with pytest.raises(SkyfsError) as caught:
        apply_lines(sky.registry, [CollectionLine(Collection("new", CollectionKind.RUN)), line])
    assert caught.value.asked
    assert _texts(described(sky.registry)) == before


def test_other_dimensions_are_refused(registry: Registry, tmp_path: Path) -> None:
    mapping = {**universe(), "name": "other"}
    other = Registry.create(tmp_path / "other.sqlite3", mapping, durability="process")
    with pytest.raises(Conflict, match="they are those of daf_butler:other"):
        apply_lines(registry, described(other))
    other.close()


def test_a_manifest_that_is_cut_is_refused(full: Sky) -> None:
    text = b"".join(map(write, described(full.registry)))
    assert len(list(read_lines(io.BytesIO(text), "manifest.jsonl"))) == text.count(b"\n")
    with pytest.raises(BadContent, match=r"line \d+: it is cut"):
        list(read_lines(io.BytesIO(text[:-10]), "manifest.jsonl"))
