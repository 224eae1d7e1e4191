"""Side tables: columns about dimension values that the universe does not have."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy import units
from astropy.table import MaskedColumn, QTable, Table

import skyfs
from skyfs.errors import (
    BadArgument,
    BadDataId,
    BadDefinition,
    Conflict,
    InvalidQuery,
    NotFound,
    ReadOnly,
    SkyfsError,
)
from skyfs.repository import Repository

VISITS = (903334, 903336)
ROWS: list[dict[str, Any]] = [
    {"instrument": "HSC", "visit": VISITS[0], "seeing": 0.6, "n": 3, "good": True, "who": "it's me"},
    {"instrument": "HSC", "visit": VISITS[1], "seeing": 1.5, "n": 4, "good": False, "who": None},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


def visits(repo: Repository, where: str) -> list[object]:
    return [found["visit"] for found in repo.data_ids(["visit"], where=where)]


def astropy_table() -> Table:
    return Table({**COLUMNS, "who": MaskedColumn(["it's me", ""], mask=[False, True])})


# Of data frames that have no value in some row of a column, too.
TABLES = {
    "rows": ROWS,
    "generator": lambda: (dict(row) for row in ROWS),
    "columns": COLUMNS,
    "numpy": {name: np.array(values, object if name == "who" else None) for name, values in COLUMNS.items()},
    "astropy": astropy_table(),
    "arrow": pa.table(COLUMNS),
    "pandas": pd.DataFrame(ROWS),
    "pandas with an index": pd.DataFrame(ROWS).set_index(["instrument", "visit"]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_all_libraries_are_taken(repo: Repository, kind: str) -> None:
    table = TABLES[kind]
    given = table() if callable(table) else table
    assert repo.attach("quality", given, on=["instrument", "visit"]) == 2
    assert list(repo.records("quality")) == ROWS
    assert [type(value) for value in next(iter(repo.records("quality"))).values()] == [
        str,
        int,
        float,
        int,
        bool,
        str,
    ]


def test_expressions_ask_for_its_columns(repo: Repository) -> None:
    repo.register("calexp", ["visit", "detector"], "Dict")
    for visit in VISITS:
        repo.put({}, "calexp", run="u/a", instrument="HSC", visit=visit, detector=0)
    repo.attach("quality", ROWS, on="visit")
    good = [
        ref.data_id["visit"] for ref in repo.query("calexp", collections="u/a", where="quality.seeing < 1")
    ]
    assert good == [VISITS[0]]
    assert visits(repo, "quality.good") == [VISITS[0]]
    assert visits(repo, "NOT quality.good AND quality.n + 1 = 5") == [VISITS[1]]
    assert visits(repo, "quality.who = 'it''s me'") == [VISITS[0]]
    assert visits(repo, "quality.who IS NULL") == [VISITS[1]]
    assert [row["n"] for row in repo.records("quality", visit=VISITS[1])] == [4]
    assert [row["n"] for row in repo.records("quality", where="seeing > 1")] == [4]
    assert [row["n"] for row in repo.records("quality", order_by="-quality.n")] == [4, 3]
    with pytest.raises(InvalidQuery, match="did you mean seeing"):
        visits(repo, "quality.seing < 1")


def test_what_has_no_row_has_no_values(repo: Repository) -> None:
    repo.attach("quality", ROWS[:1], on="visit")
    assert visits(repo, "quality.seeing < 9") == [VISITS[0]]
    assert visits(repo, "quality.seeing IS NULL") == [VISITS[1]]
    assert visits(repo, "quality.seeing < 9 OR visit > 0") == list(VISITS)


def test_rows_have_values_in_common(repo: Repository) -> None:
    repo.attach("quality", {"visit": VISITS, "x": [1, 2]}, on="visit", instrument="HSC")
    assert [row["instrument"] for row in repo.records("quality")] == ["HSC", "HSC"]
    with pytest.raises(BadDefinition, match=r"no column 'instrument'.*instrument=\.\.\."):
        repo.attach("other", {"visit": VISITS, "x": [1, 2]}, on="visit")
    wrongs: list[dict[str, Any]] = [{"visit": VISITS[0]}, {"detector": 1}]
    for wrong in wrongs:
        with pytest.raises(BadDataId, match="its key is instrument, visit"):
            repo.attach("other", {"visit": VISITS, "x": [1, 2]}, "visit", instrument="HSC", **wrong)
    assert repo.attachments() == ["quality"]


def test_types_are_inferred(repo: Repository) -> None:
    columns = {"visit": VISITS, "a": [1, 2.5], "b": [math.nan, 1], "c": [2**62, None], "d": [None, "x"]}
    repo.attach("quality", columns, "visit", instrument="HSC")
    first, second = ({name: row[name] for name in "abcd"} for row in repo.records("quality"))
    assert first == {"a": 1.0, "b": None, "c": 2**62, "d": None}
    assert second == {"a": 2.5, "b": 1.0, "c": None, "d": "x"}
    assert isinstance(first["a"], float)


def test_rows_are_added_and_changed(repo: Repository) -> None:
    repo.attach("quality", ROWS[:1], on="visit")
    assert repo.attach("quality", ROWS, on=["visit"]) == 1
    worse = [{**row, "seeing": 9, "who": None} for row in ROWS]
    with pytest.raises(Conflict, match=r"seeing is 0\.6, not 9\.0 \(use replace=True\)"):
        repo.attach("quality", worse, on="visit")
    assert list(repo.records("quality")) == ROWS
    assert repo.attach("quality", worse, on="visit", replace=True) == 0
    assert [(row["seeing"], row["n"]) for row in repo.records("quality")] == [(9.0, 3), (9.0, 4)]


def test_other_columns_are_a_conflict(repo: Repository) -> None:
    repo.attach("quality", ROWS[:1], on="visit")
    changes: list[dict[str, Any]] = [{"more": 1}, {"n": 3.5}, {"seeing": "fine"}, {"good": 1}]
    for change in [*changes, {"exposure": 903334}]:
        on = "exposure" if "exposure" in change else "visit"
        with pytest.raises(Conflict, match=r"it has instrument, visit, seeing float.*detach\('quality'\)"):
            repo.attach("quality", [{**ROWS[1], **change}], on=on)
    fewer = {name: value for name, value in ROWS[1].items() if name != "n"}
    with pytest.raises(Conflict, match="given are instrument, visit, seeing float, good bool"):
        repo.attach("quality", [fewer], on="visit")
    assert list(repo.records("quality")) == ROWS[:1]


def test_a_detached_table_is_gone_and_its_name_free(repo: Repository) -> None:
    repo.attach("quality", ROWS, on="visit")
    assert visits(repo, "quality.n = 3") == [VISITS[0]]
    repo.detach("quality")
    assert repo.attachments() == []
    with pytest.raises(InvalidQuery, match="no name 'quality"):
        visits(repo, "quality.n = 3")
    with pytest.raises(NotFound, match="none is attached"):
        repo.detach("quality")
    repo.attach("quality", {"exposure": VISITS, "n": ["a", "b"]}, "exposure", instrument="HSC")
    assert [row["n"] for row in repo.records("quality")] == ["a", "b"]
    assert [found["exposure"] for found in repo.data_ids(["exposure"], where="quality.n = 'b'")] == [
        VISITS[1]
    ]


def test_another_process_sees_it(repo: Repository) -> None:
    with skyfs.open(str(repo.root)) as reader:
        assert reader.attachments() == []
        repo.attach("quality", ROWS, on="visit")
        assert list(reader.records("quality")) == ROWS
        repo.detach("quality")
        repo.attach("quality", [{**ROWS[0], "n": "three"}], on="visit")
        assert [row["n"] for row in reader.records("quality")] == ["three"]
        with pytest.raises(ReadOnly):
            reader.attach("other", ROWS, on="visit")


def test_names_are_nobody_elses(repo: Repository) -> None:
    repo.attach("quality", ROWS, on="visit")
    refused: list[tuple[type[SkyfsError], str]] = [
        *((Conflict, name) for name in ("visit", "Visit", "visit_definition", "htm7", "metrics", "Quality")),
        *((BadDefinition, name) for name in ("", "a b", "1a", "a.b", "x'; DROP TABLE meta; --", "and", "é")),
        (BadDefinition, "a" * 256),
    ]
    for error, name in refused:
        with pytest.raises(error):
            repo.attach(name, ROWS, on="visit")
    with pytest.raises(Conflict, match="a side table has the name"):
        repo.register("quality", ["visit"], "Dict")
    assert repo.attachments() == ["quality"]
    assert list(repo.records("quality")) == ROWS


REFUSED: list[tuple[object, type[SkyfsError], str]] = [
    ([{**ROWS[0]}, {**ROWS[1], "visit": 5}], BadDataId, "visit=5 is not recorded"),
    ([{**ROWS[0]}, {**ROWS[1], "visit": "x"}], BadDataId, "visit"),
    ([{**ROWS[0], "visit": None}], BadDefinition, "no value for 'visit'"),
    ([ROWS[0], {**ROWS[0], "n": 9}], Conflict, "n is 3, not 9"),
    ([{**ROWS[0], "n": 2**63}], BadDefinition, "int is wanted"),
    ([{**ROWS[0], "n": "x"}, ROWS[1]], BadDefinition, "its values are int, str"),
    ([{**ROWS[0], "n": b"x"}], BadDefinition, "its values are bytes"),
    ([{**ROWS[0], "n": [1]}], BadDefinition, "its values are list"),
    ([{**ROWS[0], "n": None}], BadDefinition, "no value to tell its type"),
    ([{**ROWS[0], "N": 1}], BadDefinition, "differ only in case"),
    ([{**ROWS[0], "a b": 1}], BadDefinition, "not a name"),
    ([{**ROWS[0], "or": 1}], BadDefinition, "not a name"),
    ([{**ROWS[0], "region": 1}], BadDefinition, "is taken"),
    ([{"instrument": "HSC", "visit": VISITS[0]}], BadDefinition, "no column but its key"),
    ([{**ROWS[0], "who": "\ud800"}], BadArgument, "cannot be stored"),
    ([], BadArgument, "no rows"),
    ({}, BadArgument, "no rows"),
    ({"visit": [1], "n": []}, BadArgument, "differ in length"),
    ({"visit": 1}, BadArgument, "it is int"),
    ("visit", BadArgument, "it is str"),
    (7, BadArgument, "it is int"),
    ([7], BadArgument, "a row is int"),
    (Table({"visit": [1], "n": [[1, 2]]}), BadDefinition, r"Column of shape \(1, 2\)"),
    (QTable({"visit": [1], "n": [1.0] * units.m}), BadDefinition, "Quantity"),
    (pd.DataFrame([[1, 2]], columns=["visit", "visit"]), BadArgument, "two columns are called 'visit'"),
    (pd.DataFrame({"visit": [1], "t": [pd.Timestamp(0)]}), BadDefinition, "Timestamp"),
]


def test_refused_tables_change_nothing(repo: Repository) -> None:
    for table, error, match in REFUSED:
        whole = isinstance(table, list) and isinstance(next(iter(table), None), dict)
        common: dict[str, Any] = {} if whole else {"instrument": "HSC"}
        with pytest.raises(error, match=match):
            repo.attach("quality", table, on="visit", **common)
        assert repo.attachments() == []
    assert repo.attach("quality", ROWS, on="visit") == 2


def test_what_fails_later_takes_the_table_back(repo: Repository) -> None:
    with suppress(KeyError), repo.transaction():
        repo.attach("quality", ROWS, on="visit")
        assert visits(repo, "quality.n = 3") == [VISITS[0]]
        raise KeyError
    assert repo.attachments() == []
    with suppress(KeyError), repo.transaction():
        repo.attach("quality", {**COLUMNS, "n": ["a", "b"]}, on="visit")
        raise KeyError
    repo.attach("quality", ROWS, on="visit")
    assert list(repo.records("quality")) == ROWS
