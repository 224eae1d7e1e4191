"""A fork waits until other threads are out of the database's library."""

from __future__ import annotations

import os
import threading

import pytest

from skyfs.registry import forking

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_a_fork_waits_for_who_is_inside() -> None:
    inside, begun, events = threading.Event(), threading.Event(), [""]

    def work() -> None:
        with forking.passed:
            inside.set()
            assert begun.wait(30)
            events[0] = "left"

    # Of two such calls the later one registered is called first: by then the fork is under way.
    os.register_at_fork(before=begun.set)
    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(30)
    child = os.fork()
    if not child:
        os._exit(events[0] != "left")
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_who_is_inside_may_fork_itself_and_go_in_again() -> None:
    with forking.passed:
        child = os.fork()
        if not child:
            with forking.passed:
                os._exit(0)
        with forking.passed:
            assert os.waitpid(child, 0)[1] == 0
