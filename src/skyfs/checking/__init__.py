"""Whether a repository is whole: every rule of its registry, every file of its stores; and mending it."""

from .checker import Checker, Subject
from .options import Options, Sample
from .report import Finding, Report, Tally

__all__ = ["Checker", "Finding", "Options", "Report", "Sample", "Subject", "Tally"]
