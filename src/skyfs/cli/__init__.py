"""The command line: ``skyfs [-r REPO] COMMAND``."""

from __future__ import annotations

from .app import main

__all__ = ["main"]
