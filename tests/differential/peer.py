"""The peer, lsst-daf-butler, answering questions: run by the Python of its own environment.

Reads a JSON object a line: ``{"world": ..., "exports": [...]}`` makes a repository, everything else is a
`question.Question`. Answers each with a line: ``{"rows": ..., "count": ...}`` or ``{"error": ...}``.
"""

# ruff: noqa: ANN401 - its types are not known here, and JSON has any

from __future__ import annotations

import json
import logging
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class Peer:
    """Its repositories."""

    def __init__(self, folder: Path) -> None:
        # Only its own environment has it.
        self._daf: Any = import_module("lsst.daf.butler")
        self._sphgeom: Any = import_module("lsst.sphgeom")
        self._time: Any = import_module("astropy.time")
        self._folder = folder
        self._butlers: dict[str, Any] = {}

    def make(self, world: str, exports: list[str]) -> Answer:
        """Make a repository, and import exports."""
        root = str(self._folder / world)
        self._daf.Butler.makeRepo(root)
        butler = self._daf.Butler.from_config(root, writeable=True)
        for export in exports:
            butler.import_(filename=export, without_datastore=True)
        self._butlers[world] = butler
        return {"rows": [], "count": 0}

    def answer(self, question: Mapping[str, Any]) -> Answer:
        """Answer a question; a refusal is an answer too."""
        ask: Callable[[Any, Mapping[str, Any]], Answer] = getattr(self, f"_{question['ask']}")
        try:
            return ask(self._butlers[question["world"]], question)
        except Exception as error:  # noqa: BLE001 - it raises errors of any kind
            return {"error": f"{type(error).__name__}: {error}"}

    def _data_ids(self, butler: Any, question: Mapping[str, Any]) -> Answer:
        with butler.query() as query:
            results = self._narrowed(query.data_ids(question["of"]), question)
            rows = [dict(one.required) for one in results]
            return {"rows": rows, "count": self._count(results, question)}

    def _records(self, butler: Any, question: Mapping[str, Any]) -> Answer:
        with butler.query() as query:
            results = self._narrowed(query.dimension_records(question["of"][0]), question)
            rows = [self._record(one) for one in results]
            return {"rows": rows, "count": self._count(results, question)}

    def _datasets(self, butler: Any, question: Mapping[str, Any]) -> Answer:
        if len(question["of"]) > 1 or any(sign in question["of"][0] for sign in "*?"):
            found = butler.query_all_datasets(
                question["collections"],
                name=question["of"],
                find_first=question["find_first"],
                where=question["where"],
                bind=self._bind(question),
                limit=None,
                **question["data_id"],
            )
            return {"rows": [_dataset(one) for one in found], "count": len(found)}
        with butler.query() as query:
            listed = butler.collections.query(question["collections"])
            results = query.datasets(question["of"][0], listed, find_first=question["find_first"])
            results = self._narrowed(results, question)
            rows = [_dataset(one) for one in results]
            return {"rows": rows, "count": self._count(results, question)}

    def _find(self, butler: Any, question: Mapping[str, Any]) -> Answer:
        span = self._span(question["time"]) if question["time"] else None
        own = {"collections": question["collections"], "timespan": span}
        # What `get` does before it reads: `find_dataset` takes no exposure that chooses a calibration.
        found = butler._findDatasetRef(question["of"][0], question["data_id"], **own)  # noqa: SLF001
        return {"rows": [_dataset(found)], "count": 1}

    def _narrowed(self, results: Any, question: Mapping[str, Any]) -> Any:
        if question["where"] or question["data_id"]:
            where = [question["where"]] if question["where"] else []
            results = results.where(*where, bind=self._bind(question), **question["data_id"])
        if question["order_by"]:
            results = results.order_by(*question["order_by"])
        return results if question["limit"] is None else results.limit(question["limit"])

    def _count(self, results: Any, question: Mapping[str, Any]) -> int:
        # It cannot count what it filters after the database when there is a limit.
        if question["limit"] is not None:
            return sum(1 for _ in results)
        return int(results.count(exact=True, discard=True))

    def _bind(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(value) for name, value in question["bind"].items()}

    def _value(self, value: Any) -> Any:
        match value:
            case {"time": iso}:
                return self._moment(iso)
            case {"timespan": ends}:
                return self._span(ends)
            case {"region": text}:
                return self._sphgeom.Region.from_ivoa_pos(text)
            case {"uuid": text}:
                return uuid.UUID(text)
            case {"set": items}:
                return {self._value(item) for item in items}
            case {"range": ends}:
                return range(*ends)
            case list():
                return [self._value(item) for item in value]
        return value

    def _moment(self, iso: str | None) -> Any:
        return None if iso is None else self._time.Time(iso, scale="tai")

    def _span(self, ends: list[str | None]) -> Any:
        return self._daf.Timespan(*(self._moment(end) for end in ends))

    def _record(self, record: Any) -> dict[str, Any]:
        return {name: self._plain(value) for name, value in record.toDict().items()}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, self._daf.Timespan):
            return [None if end in _OPEN else end for end in value.nsec]
        if isinstance(value, self._sphgeom.Region):
            return value.encode().hex()
        return value.hex() if isinstance(value, bytes) else value


# How it keeps the ends of timespans that have none.
_OPEN = (0, 4102444800000000000)


def _dataset(ref: Any) -> dict[str, Any]:
    own = {"type": ref.datasetType.name, "run": ref.run, "id": str(ref.id)}
    return {**own, **dict(ref.dataId.required)}


def answers(peer: Peer, lines: Iterator[str]) -> Iterator[Answer]:
    """Give an answer to each line."""
    for line in lines:
        asked = json.loads(line)
        yield peer.make(asked["world"], asked["exports"]) if "exports" in asked else peer.answer(asked)


def main() -> None:
    """Answer until the questions end."""
    channel, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        for answer in answers(Peer(Path(folder)), sys.stdin):
            print(json.dumps(answer), file=channel, flush=True)


if __name__ == "__main__":
    main()
