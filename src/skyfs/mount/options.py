"""How a repository is mounted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import BadArgument
from .serving import EngineName


@dataclass(frozen=True, slots=True)
class MountOptions:
    """How to mount.

    Attributes
    ----------
    collections
        The only collections that are shown; None: all.
    allow_other
        Whether other users may look in; the files' permissions still hold.
    writable
        Whether files can be written and removed.
    replace
        Whether writing where a dataset exists puts another in its place.
    engine
        ``native``, ``libfuse``, or ``auto``: the first of them that works.
    overrides
        Values that stand above those of the repository's configuration.

    Raises
    ------
    BadArgument
        When it shall replace, but not be written to.
    """

    collections: tuple[str, ...] | None = None
    allow_other: bool = False
    writable: bool = False
    replace: bool = False
    engine: EngineName = "auto"
    overrides: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.replace and not self.writable:
            todo = "give --writable too (in a recipe: writable: true)"
            raise BadArgument("mount with replace", "a mount that is read-only replaces nothing", todo)

    def __str__(self) -> str:
        """Give them as one line, as ``mount`` shows options."""
        flags = {"replace": self.replace, "allow_other": self.allow_other}
        parts = ["rw" if self.writable else "ro", *(name for name, given in flags.items() if given)]
        if self.collections is not None:
            parts.append(f"collections={':'.join(self.collections)}")
        return ",".join([*parts, *(f"{key} overridden" for key in self.overrides)])


DEFAULT = MountOptions()
