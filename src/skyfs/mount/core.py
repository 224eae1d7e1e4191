"""What the parts of a mount share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..tree import Node, Tree
from ..tree.editing import Editor
from .attributes import Attributes
from .handles import Handles
from .processes import Processes


@dataclass(frozen=True, slots=True)
class Core:
    """What the parts of a mount that change something share.

    Attributes
    ----------
    lookup
        Gives the node that the mount shows at a path; it raises `Refusal` or `NotFound` when there is none.
    changed
        To be called after each change of the repository.
    """

    tree: Tree
    editor: Editor
    handles: Handles
    attributes: Attributes
    processes: Processes
    lookup: Callable[[str], Node]
    changed: Callable[[], None]
