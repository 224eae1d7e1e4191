"""Datasets sent into another repository, some at a time: what has arrived stays when the rest does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ..model.manifest_line import DatasetRow, DatasetsLine, Line
from ..registry.manifest.arriving import Applied
from .deliveries import Deliveries
from .intake import Intake
from .travelling import size_of, travelling

PIECE_BYTES = 256 * 2**20
"""So many bytes are sent before they are committed: what an interruption costs."""
PIECE_ROWS = 1_000


def send(
    lines: Iterable[Line], intake: Intake, deliveries: Deliveries, done: Callable[[int], None]
) -> Applied:
    """Put lines in with their bytes, one piece after the other, each a change of its own.

    What is there already is not sent again, so that who was interrupted begins anew.
    """
    total = Applied()
    for piece in _pieces(lines):
        total.add(intake.bring(piece, deliveries, done))
    return total


def _pieces(lines: Iterable[Line]) -> Iterator[list[Line]]:
    piece: list[Line] = []
    rows = size = 0
    for line in lines:
        for part in _parts(line) if isinstance(line, DatasetsLine) else (line,):
            piece.append(part)
            if isinstance(part, DatasetsLine):
                rows, size = rows + len(part.rows), size + sum(map(_bytes_of, part.rows))
            if rows >= PIECE_ROWS or size >= PIECE_BYTES:
                yield piece
                piece, rows, size = [], 0, 0
    yield piece


def _parts(line: DatasetsLine) -> Iterator[DatasetsLine]:
    """Split a line of large files."""
    rows: list[DatasetRow] = []
    size = 0
    for row in line.rows:
        rows.append(row)
        size += _bytes_of(row)
        if size >= PIECE_BYTES:
            yield replace(line, rows=tuple(rows))
            rows, size = [], 0
    if rows:
        yield replace(line, rows=tuple(rows))


def _bytes_of(row: DatasetRow) -> int:
    return sum(size_of(file) for file in travelling(row))
