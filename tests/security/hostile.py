"""Hostile calls, made under limits: each must be refused by an error of skyfs that a terminal can show.

A call that would take all the memory, or never end, fails its test instead of the machine.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skyfs.errors import SkyfsError

MEMORY_BYTES = 3 << 30
CPU_S = 20
MESSAGE_MAX = 4000

Attack = tuple[str, Callable[[], object]]
"""What is attacked and with what, for messages; and the call."""


class Endless(BaseException):
    """The call has taken too much of the processor. No handler of `Exception` stops it."""


@contextmanager
def limited() -> Iterator[None]:
    """Bound what a block takes; the limits are of the process, and are lifted at its end."""

    def stop(*_: object) -> None:
        raise Endless

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES, hard))
    # Of the processor: a busy machine makes no call endless. What waits for ever, the test's timeout ends.
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def fault(call: Callable[[], object]) -> str:
    """Make a call; give what was wrong with its refusal, empty when nothing was."""
    try:
        with limited():
            found = call()
    except SkyfsError as error:
        text = str(error)
        if not text.isprintable() or not text.strip():
            return f"its message is not one line of text: {text[:200]!r}"
        return f"its message has {len(text)} characters" if len(text) > MESSAGE_MAX else ""
    except (Exception, Endless) as error:  # noqa: BLE001 - which ones come is the question
        return f"{type(error).__name__}: {str(error)[:200]!a}"
    return f"it was not refused, and gave {repr(found)[:100]!a}"


def all_refused(attacks: Iterable[Attack]) -> int:
    """Assert that every call is refused as it should be; give how many there were."""
    faults: list[str] = []
    count = 0
    for name, call in attacks:
        count += 1
        wrong = fault(call)
        if wrong:
            faults.append(f"{name[:120]!a}: {wrong}")
    shown = "\n".join(faults[:25])
    assert not faults, f"{len(faults)} of {count} attacks were not refused as they should be:\n{shown}"
    return count


def harmless(attacks: Iterable[Attack]) -> int:
    """Assert that every call is answered, or refused as it should be: no foreign error, no endless work."""
    return all_refused((name, _or_refused(call)) for name, call in attacks)


class _Answered(SkyfsError):
    """The call gave an answer."""


def _or_refused(call: Callable[[], object]) -> Callable[[], object]:
    def made() -> object:
        call()
        raise _Answered("answered")

    return made
