"""What node numbers mean: paths, attributes, and how long they are believed."""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping

from ..failures import Refusal
from ..operations import Operations
from . import answers
from .answers import ROOT_VALIDITY, Validities, Validity
from .numbers import Numbers
from .protocol import ROOT

# What a repository says of itself changes without a commit; records change without a new inode.
_CHANGING = ("/.repo/", "/.records/")


class Nodes:
    """Nodes of a mount, as the kernel's requests name them.

    Attributes
    ----------
    numbers
        Those given out.
    validities
        How long what is answered is believed.
    """

    def __init__(self, operations: Operations, validities: Validities) -> None:
        self._operations = operations
        self.numbers = Numbers()
        self.validities = validities

    def path(self, node: int) -> str:
        """Give the path of a node; ESTALE when it was never given out."""
        return self.numbers.path(node)

    def below(self, node: int, name: str) -> str:
        """Give the path of a name in a folder."""
        return self.numbers.below(node, name)

    def attributes(self, node: int) -> Mapping[str, int]:
        """Give the attributes of a node; ESTALE when its path has another content by now."""
        path = self.numbers.path(node)
        found = self._operations.getattr(path)
        self.require(node, path, found)
        return found

    def require(self, node: int, path: str, found: Mapping[str, int]) -> None:
        """Refuse a node whose path has another content by now."""
        if node != ROOT and self.numbers.inode(node) != identity(path, found):
            raise Refusal(errno.ESTALE)

    def look_up(self, parent: int, name: str) -> tuple[int, Mapping[str, int], Validity]:
        """Give what is in a folder by a name: number, attributes, and how long to believe them."""
        path = self.below(parent, name)
        found = self._operations.getattr(path)
        node = self.numbers.give(parent, name, identity(path, found))
        return node, found, self.validity(path, found["st_mode"])

    def entry(self, parent: int, name: str) -> tuple[int, bytes]:
        """Look up a name; give its number and the answer."""
        node, found, valid = self.look_up(parent, name)
        return node, answers.entry(node, found, valid)

    def validity(self, path: str, mode: int) -> Validity:
        """Tell how long a name and attributes are believed."""
        if path == "/":
            return ROOT_VALIDITY
        if path.startswith(_CHANGING):
            return self.validities.changing
        return self.validities.folder if stat.S_ISDIR(mode) else self.validities.content


def is_changing(path: str) -> bool:
    """Tell whether the bytes at a path may be others at any time."""
    return path.startswith(_CHANGING)


def identity(path: str, found: Mapping[str, int]) -> int:
    """Give what tells one content of a path from another: the inode, which is made of the dataset's id.

    Records keep their inode when they change.
    """
    inode = found["st_ino"]
    if not path.startswith("/.records/"):
        return inode
    return hash((inode, found["st_size"], found["st_mtime"])) & ((1 << 63) - 1)
