"""Charts of the sky: regions, drawn as SVG or PNG."""

from __future__ import annotations

from .chart import Layer, SkyChart

__all__ = ["Layer", "SkyChart"]
