"""Formats: bytes ↔ Python objects, by extension. Heavy packages load when a format is first used."""

from .catalog import Formats

__all__ = ["Formats"]
