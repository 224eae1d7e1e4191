"""What node numbers mean: paths, attributes, and how long they are believed."""

from __future__ import annotations

import errno
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..caller import Caller
from ..failures import Refusal
from ..operations import Operations
from . import answers
from .answers import ROOT_VALIDITY, Validities, Validity
from .begun import AllBegun
from .numbers import WRITTEN, Numbers
from .protocol import ROOT

_WRITTEN_BIT = WRITTEN.bit_length() - 1
# What a repository says of itself changes without a commit; records change without a new inode.
_CHANGING = ("/.repo/", "/.records/")


class Nodes:
    """Nodes of a mount, as the kernel's requests name them.

    Attributes
    ----------
    numbers
        Those given out.
    begun
        Files that take the place of datasets, and are about to be opened.
    validities
        How long what is answered is believed.
    """

    def __init__(self, operations: Operations, validities: Validities) -> None:
        self._operations = operations
        self.numbers = Numbers()
        self.begun = AllBegun(time.monotonic)
        self.validities = validities

    def path(self, node: int) -> str:
        """Give the path of a node; ESTALE when it was never given out, ENOENT when its name was removed."""
        token = token_of(node)
        return self._operations.path_of(token) if token else self.numbers.path(node)

    def below(self, node: int, name: str) -> str:
        """Give the path of a name in a folder."""
        return self.numbers.below(node, name)

    def attributes(self, node: int) -> tuple[Mapping[str, int], Validity]:
        """Give the attributes of a node, and how long to believe them.

        ESTALE when its path has another content by now, or none: the kernel looks the name up again.
        """
        token = token_of(node)
        if token:
            return self._operations.attributes_of(token), self.validities.changing
        path = self.numbers.path(node)
        with stale_when_absent():
            found = self._operations.getattr(path)
        self.require(node, path, found)
        return found, self.validity(path, found["st_mode"])

    def require(self, node: int, path: str, found: Mapping[str, int]) -> None:
        """Refuse a node whose path has another content by now."""
        if not self.is_same(node, path, found):
            raise Refusal(errno.ESTALE)

    def is_same(self, node: int, path: str, found: Mapping[str, int]) -> bool:
        """Tell whether a node stands for the content that its path has now."""
        return node == ROOT or self.numbers.inode(node) == identity(path, found)

    def look_up(self, parent: int, name: str, caller: Caller) -> tuple[int, bytes]:
        """Look up a name as somebody sees it; give its number and the answer."""
        path = self.below(parent, name)
        token = self._written(path, caller) if self._operations.writable else 0
        if token:
            return self.written(token)
        found = self._operations.getattr(path)
        node = self.numbers.give(parent, name, identity(path, found))
        return node, answers.entry(node, found, self.validity(path, found["st_mode"]))

    def written(self, token: int) -> tuple[int, bytes]:
        """Give the number of a file that is being written, and the answer that tells of it."""
        node = WRITTEN | token
        return node, answers.entry(node, self._operations.attributes_of(token), self.validities.changing)

    def _written(self, path: str, caller: Caller) -> int:
        return self.begun.token(path, caller) or self._operations.token(path, caller)

    def validity(self, path: str, mode: int) -> Validity:
        """Tell how long a name and attributes are believed."""
        if path == "/":
            return ROOT_VALIDITY
        if path.startswith(_CHANGING):
            return self.validities.changing
        return self.validities.folder if stat.S_ISDIR(mode) else self.validities.content


def token_of(node: int) -> int:
    """Give the token of a file that is being written; 0 when the node is another."""
    return node & ~WRITTEN if node >> _WRITTEN_BIT == 1 else 0


@contextmanager
def stale_when_absent() -> Iterator[None]:
    """Let the kernel look a name up again before it says that there is nothing."""
    try:
        yield
    except Refusal as refusal:
        if refusal.errno == errno.ENOENT:
            raise Refusal(errno.ESTALE) from None
        raise


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
