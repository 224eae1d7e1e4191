"""Rules that the rows of a registry keep: which are broken, and how they are mended."""

from .audit import Audit, StoredRow
from .rule import SHOWN, Broken, Rule

__all__ = ["SHOWN", "Audit", "Broken", "Rule", "StoredRow"]
