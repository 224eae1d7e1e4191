"""Lazy queries: nothing is asked before somebody iterates, counts, or wants a table."""

from .base import Query
from .data_ids import DataIdQuery
from .datasets import DatasetQuery
from .records import RecordQuery

__all__ = ["DataIdQuery", "DatasetQuery", "Query", "RecordQuery"]
