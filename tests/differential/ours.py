"""skyfs, answering the same questions in the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from astropy.time import Time
from lsst.sphgeom import Region

from skyfs.errors import SkyfsError
from skyfs.model.dataid import DataId
from skyfs.model.dataset import DatasetRef
from skyfs.model.timespan import Timespan
from skyfs.querying.base import Query
from skyfs.repository import Repository

from .question import Question

Answer = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]


def answer(repo: Repository, question: Question) -> Answer:
    """Answer a question; a refusal is an answer too, if it is one of skyfs."""
    try:
        return _ANSWERS[question.ask](repo, question)
    except SkyfsError as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _data_ids(repo: Repository, question: Question) -> Answer:
    query = repo.data_ids(question.of, **_conditions(question), order_by=question.order_by)
    return _answered(query, question, _values)


def _records(repo: Repository, question: Question) -> Answer:
    query = repo.records(question.of[0], **_conditions(question), order_by=question.order_by)
    return _answered(query, question, lambda one: {name: _plain(value) for name, value in one.items()})


def _datasets(repo: Repository, question: Question) -> Answer:
    query = repo.query(
        question.of,
        collections=question.collections,
        find_first=question.find_first,
        **_conditions(question),
    )
    return _answered(query.order_by(*question.order_by), question, _dataset)


def _find(repo: Repository, question: Question) -> Answer:
    own = dict(question.data_id)
    found = repo.find(question.of[0], collections=question.collections, time=question.time, **own)
    return {"rows": [_dataset(found)], "count": 1}


_ANSWERS = {"data_ids": _data_ids, "records": _records, "datasets": _datasets, "find": _find}


def _conditions(question: Question) -> dict[str, Any]:
    bind = {name: _value(value) for name, value in question.bind.items()}
    return {"where": question.where or None, "bind": bind or None, **question.data_id}


def _answered(query: Query[Any], question: Question, plain: Any) -> Answer:  # noqa: ANN401 - one row to another
    if question.limit is not None:
        query = query.limit(question.limit)
    return {"rows": [plain(one) for one in query], "count": query.count()}


def _values(data_id: DataId) -> dict[str, Any]:
    return {name: data_id[name] for name in data_id.group.required}


def _dataset(ref: DatasetRef) -> dict[str, Any]:
    return {"type": ref.type.name, "run": ref.run, "id": str(ref.id), **_values(ref.data_id)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON has any
    if isinstance(value, Timespan):
        return [value.begin_ns, value.end_ns]
    if isinstance(value, Region):
        return value.encode().hex()
    return value.hex() if isinstance(value, bytes) else value


def _value(value: Any) -> Any:  # noqa: ANN401 - JSON has any
    match value:
        case {"time": iso}:
            return Time(iso, scale="tai")
        case {"timespan": ends}:
            return Timespan.of(*ends)
        case {"region": text}:
            return Region.from_ivoa_pos(text)
        case {"uuid": text}:
            return UUID(text)
        case {"set": items}:
            return {_value(item) for item in items}
        case {"range": ends}:
            return range(*ends)
        case list():
            return [_value(item) for item in value]
    return value


def same(ours: Mapping[str, Any], theirs: Mapping[str, Any], question: Question) -> str:
    """Say how two answers differ; nothing when they do not."""
    if "error" in ours or "error" in theirs:
        return "" if "error" in ours and "error" in theirs else f"{_brief(ours)}\n{_brief(theirs)}"
    mine, others = _common(ours["rows"], theirs["rows"]), _common(theirs["rows"], ours["rows"])
    if ours["count"] != theirs["count"] or len(mine) != len(others):
        return f"counts {ours['count']} and {theirs['count']}\n{_brief(ours)}\n{_brief(theirs)}"
    if question.limit is not None and not question.order_by:
        return ""
    if not question.order_by:
        mine, others = sorted(mine, key=_key), sorted(others, key=_key)
    unequal = [(one, other) for one, other in zip(mine, others, strict=True) if one != other]
    return f"{len(unequal)} rows, the first: {unequal[0]}" if unequal else ""


def _common(rows: Rows, others: Rows) -> list[Mapping[str, Any]]:
    """Keep the columns that the others have too.

    Records have columns of their own on either side, and data IDs of the peer leave implied dimensions out.
    """
    known = {name for row in others for name in row}
    return [{name: value for name, value in row.items() if name in known} for row in rows]


def _key(row: Mapping[str, Any]) -> str:
    return repr(sorted(row.items()))


def _brief(answer: Mapping[str, Any]) -> str:
    if "error" in answer:
        return f"refused: {answer['error']}"
    rows = [{name: str(value)[:40] for name, value in sorted(row.items())} for row in answer["rows"]]
    return f"{len(rows)} rows: {[' '.join(row.values()) for row in rows[:20]]}"
