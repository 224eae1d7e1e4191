"""The repository: what exists and where its bytes lie, seen as one."""

from __future__ import annotations

from .attaching import Attaching
from .base import Collections
from .changing import Changing
from .checking import Checking
from .collecting import Collecting
from .defining import Defining
from .discovering import Discovering
from .importing import Importing
from .looking import Looking
from .running import Running
from .sharing import Sharing

__all__ = ["Collections", "Repository"]


class Repository(
    Looking, Defining, Attaching, Running, Collecting, Discovering, Changing, Importing, Sharing, Checking
):
    """A repository of datasets.

    Safe from several threads, and after a fork; a pickled one is opened again where it is unpickled. Make one
    with `skyfs.create` or `skyfs.open`, and close it, or use it as a context manager.

    Attributes
    ----------
    root
        Its folder.
    config
        Its configuration.
    registry, stores, formats
        The rooms below, for those who need more than this door.
    collections_searched
        Where `get` and `find` look when no collections are named.
    run
        Where `put` writes when no RUN is named.
    reopen
        Opens it again from a pickle; None: it cannot be pickled.
    """
