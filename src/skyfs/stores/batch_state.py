"""Where a batch stands: its methods are called in one order."""

from __future__ import annotations

from enum import Enum, auto

from skyfs.errors import StoreError


class State(Enum):
    """What was done with a batch."""

    FILLING = auto()
    PUBLISHING = auto()
    PUBLISHED = auto()
    SETTLING = auto()
    OVER = auto()


def require_state(state: State, wanted: State, name: str) -> None:
    """Refuse what comes out of order to a batch of the store ``name``.

    Raises
    ------
    StoreError
        When the batch is not in the state wanted.
    """
    if state is not wanted:
        raise StoreError(
            f"batch of store {name!r}",
            f"it is {state.name.lower()}, not {wanted.name.lower()}",
            "the order is create, adopt, delete; publish; settle, or undo before it",
        )
