"""What both sides are asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Question:
    """A question that can be put to either side.

    Attributes
    ----------
    world
        The repository: a key of `worlds.WORLDS`.
    ask
        ``data_ids``, ``records``, ``datasets`` or ``find``.
    of
        Names of dimensions, of an element, of dataset types (or a glob).
    bind
        Values as JSON has them; ``{"time": ISO}``, ``{"timespan": [ISO, ISO]}``, ``{"region": IVOA}``,
        ``{"uuid": TEXT}``, ``{"set": LIST}`` and ``{"range": [FIRST, END, STEP]}`` are of these types.
    order_by
        When given, the answers must come in the same order, so that ties must not be possible.
    time
        Of ``find``: a pair of ISO times, in TAI.
    """

    world: str
    ask: str
    of: tuple[str, ...]
    where: str = ""
    bind: Mapping[str, Any] = field(default_factory=dict)
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    collections: tuple[str, ...] = ()
    find_first: bool = True
    data_id: Mapping[str, int | str] = field(default_factory=dict)
    time: tuple[str | None, str | None] | None = None

    def __str__(self) -> str:
        """Give what tells it from other questions."""
        given = " ".join(f"{name}={value}" for name, value in self.data_id.items())
        parts = [self.ask, ",".join(self.of), ",".join(self.collections), given, self.where]
        parts += [f"order {','.join(self.order_by)}" if self.order_by else ""]
        parts += [f"limit {self.limit}" if self.limit is not None else ""]
        parts += ["all" if not self.find_first else "", repr(self.bind) if self.bind else ""]
        parts += [repr(self.time) if self.time else ""]
        return f"{self.world}: " + " ".join(part for part in parts if part)


CAM = "instrument = 'Cam1'"
BOTH = "skymap = 'SkyMap1' AND instrument = 'Cam1'"


def records(element: str, *wheres: str, world: str = "cam", camera: str = CAM) -> Iterable[Question]:
    """Ask for records."""
    for where in wheres:
        text = f"{camera} AND ({where})" if camera else where
        yield Question(world, "records", (element,), text)


def data_ids(dimensions: str, *wheres: str, world: str = "cam", camera: str = CAM) -> Iterable[Question]:
    """Ask for data IDs."""
    for where in wheres:
        text = f"{camera} AND ({where})" if camera and where else where or camera
        yield Question(world, "data_ids", tuple(dimensions.split()), text)


def datasets(of: str, collections: str, *wheres: str, find_first: bool = True) -> Iterable[Question]:
    """Ask for datasets."""
    for where in wheres:
        names, searched = tuple(of.split()), tuple(collections.split())
        yield Question("cam", "datasets", names, where, collections=searched, find_first=find_first)
