"""Finishing or undoing what dead writers of a far store left."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import cast

from .failure import failing
from .folders import Folders, drop_source
from .intent import Intent, Mark, keys_of, unfinished
from .journal import JOURNALS, STAGING, SUFFIX
from .keys import PRIVATE
from .recovery import names, survey, sweep
from .remote_connection import Connection
from .remote_loop import each, run
from .remote_requests import Uploads


def recover(folders: Folders, connection: Connection, committed: Callable[[str], bool]) -> int:
    """Go over the journals whose lock can be had; give how many keys were undone."""
    with failing("recovery of", PRIVATE, connection.name), ExitStack() as stack:
        # Listed before the journals: a live writer makes its journal first, so it has one by then.
        staged = names(folders, STAGING)
        live, dead = survey(folders, stack, held=set())
        undone = 0
        for name, content in dead.items():
            intents = unfinished(content)
            undone += sum(_settle(intent, connection, committed, live) for intent in intents)
            # A key that a live writer claims is decided when that writer has ended; so is this journal.
            if not live & keys_of(intents):
                sweep(folders, name)
                os.unlink(folders.path(f"{JOURNALS}/{name}{SUFFIX}"))
        for name in staged:
            if not os.path.lexists(folders.path(f"{JOURNALS}/{name}{SUFFIX}")):
                sweep(folders, name)
        folders.prune([STAGING, JOURNALS])
    return undone


def _settle(intent: Intent, connection: Connection, committed: Callable[[str], bool], live: set[str]) -> int:
    kept = {key for _, key in intent.files if key in live or committed(key)}
    tokens = {key: token for token, key in intent.files}
    undone = [(token, key) for token, key in intent.files if key not in kept]
    uploads = cast("Uploads", connection.requests())

    async def undo(file: tuple[str, str]) -> None:
        token, key = file
        with connection.asking("undo", key):
            await uploads.abort(key)
            identity = await uploads.identify(key)
            if identity.startswith(f"{token} "):
                await uploads.remove(key, identity)

    async def remove(removal: tuple[str, str]) -> None:
        with connection.asking("delete", removal[0]):
            await uploads.remove(*removal)

    async def drop(source: tuple[str, str, Mark]) -> None:
        key, path, mark = source
        with connection.asking("look at", key):
            identity = await uploads.identify(key)
        # Another writer may have been faster, and committed: the file's bytes are nowhere else then.
        if identity.startswith(f"{tokens[key]} "):
            drop_source(path, mark)

    run(each(undo, undone))
    run(each(drop, [one for one in intent.sources if one[0] in kept and one[0] not in live]))
    run(each(remove, [one for one in intent.removals if one[0] not in live and not committed(one[0])]))
    return len(undone)
