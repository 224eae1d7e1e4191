"""Children that are stopped, or killed, before a chosen system call.

A child asks to be traced and filters its own system calls (seccomp), so that the kernel stops it only before
those that change something. `ctypes` calls the C library: neither a compiler nor strace is needed.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import signal
import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

_X86_64 = """
    write 1 open 2 pwrite64 18 writev 20 sendfile 40 sendto 44 sendmsg 46 fsync 74 fdatasync 75 truncate 76
    ftruncate 77 rename 82 mkdir 83 rmdir 84 link 86 unlink 87 symlink 88 openat 257 mkdirat 258 unlinkat 263
    renameat 264 linkat 265 symlinkat 266 utimensat 280 fallocate 285 pwritev 296 syncfs 306 renameat2 316
    copy_file_range 326
"""
_AARCH64 = """
    mkdirat 34 unlinkat 35 symlinkat 36 linkat 37 renameat 38 truncate 45 ftruncate 46 fallocate 47 openat 56
    write 64 writev 66 pwrite64 68 pwritev 70 sendfile 71 fsync 82 fdatasync 83 utimensat 88 sendto 206
    sendmsg 211 syncfs 267 renameat2 276 copy_file_range 285
"""
# The numbers of what changes something, and of seccomp itself.
_TABLE, _SECCOMP_CALL = {"x86_64": (_X86_64, 317), "aarch64": (_AARCH64, 277)}.get(
    platform.machine(), ("", 0)
)
_NUMBERS = dict(zip(_TABLE.split()[::2], map(int, _TABLE.split()[1::2]), strict=True))
_NAMES = {number: name for name, number in _NUMBERS.items()}

_TRACEME, _CONT, _SYSCALL, _SETOPTIONS, _SYSCALL_INFO = 0, 7, 24, 0x4200, 0x420E
_POKEUSER, _RAX, _ORIG_RAX = 6, 80, 120
# Stops are told apart, threads are traced too, the child dies with its tracer.
_OPTIONS = 0x1 | 0x8 | 0x80 | 0x100000
_EVENT_SECCOMP, _SYSCALL_STOP = 7, signal.SIGTRAP | 0x80
_WALL = 0x40000000
_NO_NEW_PRIVS, _SET_FILTER, _ALL_THREADS = 38, 1, 1
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_INFO = struct.Struct("=B3xIQQQ6Q")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long

Work = Callable[[], None]
Begin = Callable[[], Work]
"""Makes all ready, in the child, and gives what is to be interrupted."""


@dataclass(slots=True)
class Call:
    """A system call that is about to be made by the thread ``thread``, with its numbers."""

    name: str
    arguments: tuple[int, ...]
    thread: int


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that a call gives instead of being made.

    Attributes
    ----------
    number
        Of the call, counted from 1.
    errno
        Which error.
    also
        The names of those among all later calls that fail in the same way.
    """

    number: int
    errno: int
    also: frozenset[str] = frozenset()


@dataclass(slots=True)
class Ended:
    """How a child has ended.

    Attributes
    ----------
    killed
        Whether it was killed; otherwise its work was done to the end.
    returned
        Whether the work had returned.
    calls
        The names of the calls that it made, or was about to make.
    """

    killed: bool
    returned: bool
    calls: list[str] = field(default_factory=list)


def why_no_tracing() -> str:
    """Tell why children cannot be traced here; empty when they can."""
    if not _NUMBERS:
        return f"the system calls of {platform.machine()} are not known"
    try:
        ended = run(lambda: lambda: os.rmdir("/nowhere/at/all") if os.path.exists("/nowhere") else None)
    except OSError as error:
        return f"ptrace or seccomp are not permitted: {error}"
    return "" if ended.returned else "a traced child died"


def why_no_faults() -> str:
    """Tell why calls cannot be made to fail here; empty when they can."""
    reason = why_no_tracing()
    return reason or ("" if platform.machine() == "x86_64" else "registers of x86_64 are written")


def run_failing(begin: Begin, fault: Fault) -> Ended:
    """Fork a child in which a call fails; it goes on as it likes."""
    return _run(begin, lambda child: _Tracer(child, fault=fault))


def run(
    begin: Begin, kill_before: int = 0, meanwhile: Work | None = None, watch: Watch | None = None
) -> Ended:
    """Fork a child, and kill it before its call number ``kill_before``, counted from 1; 0: never.

    ``meanwhile`` is called while the child stands before that call. ``watch`` sees all calls.
    """
    return _run(begin, lambda child: _Tracer(child, kill_before, meanwhile, watch))


def _run(begin: Begin, tracer: Callable[[int], _Tracer]) -> Ended:
    flag = mmap.mmap(-1, 1)
    child = os.fork()
    if child == 0:
        _live(begin, flag)
    status, calls = tracer(child).follow()
    return _ended(status, flag, calls)


def run_timed(begin: Begin, seconds: float) -> Ended:
    """Fork a child, and let a signal that it cannot catch kill it so many seconds after it has begun."""
    flag = mmap.mmap(-1, 1)
    child = os.fork()
    if child == 0:
        _live(begin, flag, seconds)
    return _ended(os.waitpid(child, 0)[1], flag, [])


def _ended(status: int, flag: mmap.mmap, calls: list[str]) -> Ended:
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0, "the child failed: its traceback is above"
    with flag:
        return Ended(killed, flag[0] == 1, calls)


def _live(begin: Begin, flag: mmap.mmap, seconds: float | None = None) -> None:
    """Be the child."""
    code = 1
    try:
        if seconds is None:
            os.setpgid(0, 0)
            _check(_libc.ptrace(_TRACEME, 0, None, None))
            os.kill(os.getpid(), signal.SIGSTOP)
        work = begin()
        if seconds is None:
            _filter()
        else:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, seconds)
        work()
        flag[0] = 1
        code = 0
    except BaseException:  # noqa: BLE001 - shown, then told by the exit code
        traceback.print_exc()
    finally:
        os._exit(code)


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# -- the filter


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter() -> None:
    """Have this process stopped, from now on, before each call that changes something."""
    code = _instructions()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    _check(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_libc.syscall(_SECCOMP_CALL, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)))


def _instructions() -> bytes:
    """Give the filter in the language of classic BPF: opcode, jump when true, when false, operand."""
    lines = [(_LOAD, 0, 0, 0)]
    for name, number in _NUMBERS.items():
        if name in ("open", "openat"):  # those that may make a file
            flags = 16 + 8 * (1 if name == "open" else 2)
            lines += [
                (_IF_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, flags),
                (_IF_SET, 0, 1, os.O_CREAT | os.O_TRUNC),
            ]
            lines += [(_RETURN, 0, 0, _TRACE), (_RETURN, 0, 0, _ALLOW)]
        else:
            lines += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _TRACE)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


# -- the tracer

Watch = Callable[[Call, Callable[[], int]], None]
"""Sees a call; what it is given besides lets the call happen and gives its result."""


class _Tracer:
    def __init__(
        self,
        child: int,
        kill_before: int = 0,
        meanwhile: Work | None = None,
        watch: Watch | None = None,
        fault: Fault | None = None,
    ) -> None:
        self._child, self._kill_before = child, kill_before
        self._meanwhile, self._watch, self._fault = meanwhile, watch, fault
        self._calls: list[str] = []

    def follow(self) -> tuple[int, list[str]]:
        """Let the child go on until it ends; give its wait status and its calls."""
        _, status = os.waitpid(self._child, _WALL)
        if not os.WIFSTOPPED(status):
            return status, self._calls
        _check(_libc.ptrace(_SETOPTIONS, self._child, None, _OPTIONS))
        self._go_on(self._child)
        while True:
            # All its threads, and no other child: it has a process group of its own.
            thread, status = os.waitpid(-self._child, _WALL)
            if os.WIFSTOPPED(status):
                self._stopped(thread, status)
            elif thread == self._child:
                return status, self._calls

    def _stopped(self, thread: int, status: int) -> None:
        event, number = status >> 16, os.WSTOPSIG(status)
        if event != _EVENT_SECCOMP:
            passed_on = 0 if event or number in (signal.SIGSTOP, signal.SIGTRAP, _SYSCALL_STOP) else number
            self._go_on(thread, passed_on)
            return
        call = _call(thread)
        self._calls.append(call.name)
        if len(self._calls) == self._kill_before:
            if self._meanwhile is not None:
                self._meanwhile()
            os.kill(self._child, signal.SIGKILL)
            return
        if self._watch is not None:
            self._watch(call, lambda: self._let(thread))
        if self._fault is not None and self._fails(self._fault, call.name):
            self._refuse(thread, self._fault.errno)
        self._go_on(thread)

    def _fails(self, fault: Fault, name: str) -> bool:
        count = len(self._calls)
        return count == fault.number or (count > fault.number and name in fault.also)

    def _refuse(self, thread: int, errno: int) -> None:
        """Have no call made, and an error given."""
        for register, value in ((_ORIG_RAX, -1), (_RAX, -errno)):
            _check(_libc.ptrace(_POKEUSER, thread, register, value))

    def _let(self, thread: int) -> int:
        """Let the call happen, and give its result; the thread stands behind it."""
        _check(_libc.ptrace(_SYSCALL, thread, None, None))
        _, status = os.waitpid(thread, _WALL)
        assert os.WIFSTOPPED(status), "the child died within a call"
        return int(struct.unpack_from("=q", _info(thread), 24)[0])

    def _go_on(self, thread: int, signal_number: int = 0) -> None:
        # A thread may have been killed meanwhile, with its process.
        if _libc.ptrace(_CONT, thread, None, signal_number) < 0 and ctypes.get_errno() != 3:
            _check(-1)


def _call(thread: int) -> Call:
    *_, number, a, b, c, d, e, f = _INFO.unpack_from(_info(thread))
    return Call(_NAMES.get(number, str(number)), (a, b, c, d, e, f), thread)


def _info(thread: int) -> bytes:
    """Give what the kernel tells of the call that a thread is at (``struct ptrace_syscall_info``)."""
    buffer = ctypes.create_string_buffer(88)
    _check(_libc.ptrace(_SYSCALL_INFO, thread, len(buffer), ctypes.addressof(buffer)))
    return buffer.raw
