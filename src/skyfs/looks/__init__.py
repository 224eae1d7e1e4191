"""How datasets, queries and repositories look: pictures, and cards for notebooks."""

from __future__ import annotations

from .cards import Looks
from .pictures import Picture, Pictures
from .thumbnails import Thumbnails

__all__ = ["Looks", "Picture", "Pictures", "Thumbnails"]
