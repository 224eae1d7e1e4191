"""Skymaps: divisions of the sky into tracts and patches, from YAML or Python, as dimension records."""

from __future__ import annotations

from .adding import Added, add
from .configuration import read_skymap, skymap_of
from .definition import Patch, Skymap, Summary, Tract
from .locating import Place, locate

__all__ = [
    "Added",
    "Patch",
    "Place",
    "Skymap",
    "Summary",
    "Tract",
    "add",
    "locate",
    "read_skymap",
    "skymap_of",
]
