"""From exceptions to the numbers that the kernel understands."""

from __future__ import annotations

import errno
import functools
import logging
import os
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ..errors import BadPath, SkyfsError
from .requests import Requests

log = logging.getLogger("skyfs.mount")


class _Counting(Protocol):
    requests: Requests


_Given = ParamSpec("_Given")
_Gives = TypeVar("_Gives")
_Self = TypeVar("_Self", bound=_Counting)


class Refusal(OSError):
    """The answer to a request that cannot be granted: an errno, all that the kernel shows."""

    def __init__(self, number: int) -> None:
        super().__init__(number, os.strerror(number))


def errno_of(error: Exception) -> int:
    """Give the number for an exception; those that nobody raised on purpose are EIO."""
    if isinstance(error, Refusal):
        return int(error.errno or errno.EIO)
    if isinstance(error, BadPath):
        # Shells and file managers ask for names such as .Trash and autorun.inf: there is no such file.
        return errno.ENOENT
    if isinstance(error, SkyfsError):
        return error.errno or errno.EIO
    return errno.EIO


# What the operating system says of a store, and programs must hear as it is.
_OF_STORES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def errno_of_change(error: SkyfsError) -> int:
    """Give the number for the reason why something cannot be changed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OF_STORES:
            return int(cause.errno)
        cause = cause.__cause__
    return error.errno or errno.EIO


def answering(
    method: Callable[Concatenate[_Self, _Given], _Gives],
) -> Callable[Concatenate[_Self, _Given], _Gives]:
    """Make a method raise `Refusal` and nothing else; what the number does not tell goes to the log.

    Each call is counted.
    """

    @functools.wraps(method)
    def answer(self: _Self, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Gives:
        self.requests.add(method.__name__)
        try:
            return method(self, *args, **kwargs)
        except Refusal:
            raise
        except Exception as error:
            number = errno_of(error)
            if not isinstance(error, SkyfsError):
                log.exception("%s%r failed", method.__name__, args)
            elif number == errno.EIO:
                log.error("%s%r: %s", method.__name__, args, error)  # noqa: TRY400 - the message says all
            raise Refusal(number) from error

    return answer
