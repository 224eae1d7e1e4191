"""What must be true of a registry's rows, whatever was done: read from the tables themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from skyfs.model.dimensions import DimensionGroup, Universe

Row = Mapping[str, Any]
# Gives all rows of a table by its name, each as a mapping from column to value.
ReadTable = Callable[[str], Sequence[Row]]


def violations(read: ReadTable, universe: Universe) -> list[str]:
    """Tell what is wrong with the rows of a registry."""
    return list(_Tables(read, universe).check())


class _Tables:
    def __init__(self, read: ReadTable, universe: Universe) -> None:
        self._read = read
        self.types = {row["id"]: row for row in read("dataset_type")}
        self.collections = {row["id"]: row for row in read("collection")}
        self.datasets = {row["id"]: row for row in read("dataset")}
        self.groups: dict[int, DimensionGroup] = {
            row["id"]: universe.group(json.loads(row["dimensions"])) for row in read("dimension_group")
        }
        self.stored = {row["dataset_id"] for row in read("location")}
        used = {row["group_id"] for row in self.types.values()}
        self.members = [(row, group, False) for group in sorted(used) for row in read(f"member_{group}")]
        self.members += [(row, group, True) for group in sorted(used) for row in read(f"valid_{group}")]

    def check(self) -> Iterator[str]:
        yield from self._check_members()
        yield from self._check_datasets()
        yield from self._check_summary()
        yield from self._check_artifacts()
        yield from self._check_validity()
        yield from self._check_chains()

    def _check_members(self) -> Iterator[str]:
        for row, group, valid in self.members:
            dataset = self.datasets.get(row["dataset_id"])
            collection = self.collections.get(row["collection_id"])
            if dataset is None or collection is None or row["type_id"] not in self.types:
                yield f"a member of nothing: {dict(row)}"
                continue
            levels = self.groups[group]
            required = [row[name] for name in levels.required]
            if (dataset["type_id"], json.loads(f"[{dataset['data_id']}]")) != (row["type_id"], required):
                yield f"a member that is not its dataset: {dict(row)}, {dict(dataset)}"
            if row["stored"] != (row["dataset_id"] in self.stored):
                yield f"stored is wrong: {dict(row)}"
            if valid != (collection["kind"] == "CALIBRATION") or collection["kind"] == "CHAINED":
                yield f"a member in the wrong table: {dict(row)} of {dict(collection)}"
            if collection["kind"] == "RUN" and dataset["run_id"] != collection["id"]:
                yield f"a member of a RUN that is not its own: {dict(row)}, {dict(dataset)}"

    def _check_datasets(self) -> Iterator[str]:
        own = Counter(
            row["dataset_id"]
            for row, _, _ in self.members
            if self.collections.get(row["collection_id"], {}).get("kind") == "RUN"
        )
        for dataset_id, dataset in self.datasets.items():
            if own[dataset_id] != 1:
                yield f"a dataset in {own[dataset_id]} RUNs: {dict(dataset)}"
        data_ids = Counter(
            (row["type_id"], row["collection_id"], *(row[name] for name in self.groups[group].levels))
            for row, group, valid in self.members
            if not valid
        )
        yield from (f"two members of one data ID: {key}" for key, count in data_ids.items() if count > 1)
        for table in ("provenance", "captured"):
            for row in self._read(table):
                if row["dataset_id"] not in self.datasets:
                    yield f"{table} of nothing: {dict(row)}"

    def _check_summary(self) -> Iterator[str]:
        columns = ("collection_id", "type_id", "stored")
        said = {tuple(row[name] for name in columns): row["datasets"] for row in self._read("summary")}
        true = Counter(tuple(row[name] for name in columns) for row, _, _ in self.members)
        yield from (
            f"the summary says {said.get(row)} of {row}, not {true[row]}"
            for row in said.keys() | true.keys()
            if said.get(row) != true[row]
        )

    def _check_artifacts(self) -> Iterator[str]:
        artifacts = {row["id"]: row for row in self._read("artifact")}
        symbols = {row["id"] for row in self._read("symbol")}
        held: Counter[int] = Counter()
        for row in self._read("location"):
            held[row["artifact_id"]] += 1
            if row["dataset_id"] not in self.datasets or row["artifact_id"] not in artifacts:
                yield f"a location of nothing: {dict(row)}"
        for artifact_id, row in artifacts.items():
            if held[artifact_id] != row["datasets"] or not row["datasets"]:
                yield f"{held[artifact_id]} datasets are in {dict(row)}"
            if not {row["store_id"], row["extension_id"]} <= symbols or row["folder_id"] not in {
                None,
                *symbols,
            }:
                yield f"a symbol is missing: {dict(row)}"
            if row["name"] is None and (row["parts"] or row["datasets"] > 1):
                yield f"the template names one file for each dataset: {dict(row)}"

    def _check_validity(self) -> Iterator[str]:
        ranges: dict[tuple[object, ...], list[tuple[int, int]]] = {}
        for row, group, valid in self.members:
            if valid:
                levels = (row[name] for name in self.groups[group].levels)
                ranges.setdefault((row["type_id"], row["collection_id"], *levels), []).append(
                    (row["begin_ns"], row["end_ns"])
                )
        for key, spans in ranges.items():
            spans.sort()
            if any(begin >= end for begin, end in spans) or any(
                first[1] > second[0] for first, second in pairwise(spans)
            ):
                yield f"ranges of {key} are empty or overlap: {spans}"

    def _check_chains(self) -> Iterator[str]:
        for row in self._read("chain"):
            parent = self.collections.get(row["parent_id"], {})
            if parent.get("kind") != "CHAINED" or row["child_id"] not in self.collections:
                yield f"a chain of nothing: {dict(row)}"
