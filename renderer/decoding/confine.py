"""What a process gives up before it touches a stranger's file: files, sockets, programs, rights. Linux only.

Several walls, each enough against most of what could be tried, because no kernel has all of them: no descriptor can be
opened any more (RLIMIT_NOFILE), no capability is left, Landlock refuses files and ports, and a seccomp filter refuses
every system call but the few that computing needs. A refused call fails with EPERM rather than killing the process:
a library that merely asks whether it could do something goes on, and nothing is gained by who asks in earnest.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2

#: Architectures with a table below: what `platform.machine` calls them → (AUDIT_ARCH_…, column).
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
#: System calls that are free: numbers on x86_64 and on aarch64. They reach descriptors that are open already, memory,
#: threads, clocks and the process's own signals.
_FREE = {
    **{"read": (0, 63), "write": (1, 64), "pread64": (17, 67), "pwrite64": (18, 68), "close": (3, 57)},
    **{"munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233), "brk": (12, 214)},
    **{"futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "set_tid_address": (218, 96)},
    **{"exit": (60, 93), "exit_group": (231, 94), "restart_syscall": (219, 128)},
    **{"rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132)},
    **{"getpid": (39, 172), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175)},
    **{"getgid": (104, 176), "getegid": (108, 177), "uname": (63, 160), "sysinfo": (99, 179)},
    **{"getrusage": (98, 165), "times": (100, 153), "getcpu": (309, 168), "sched_getaffinity": (204, 123)},
    **{"clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169)},
    **{"clock_nanosleep": (230, 115), "nanosleep": (35, 101), "sched_yield": (24, 124)},
    **{"getrandom": (318, 278), "membarrier": (324, 283)},
}
#: Those that are free with some arguments.
_MMAP, _MPROTECT, _CLONE, _CLONE3 = (9, 222), (10, 226), (56, 220), (435, 435)
_PRLIMIT64, _TGKILL = (302, 261), (234, 131)
_PROT_EXEC, _CLONE_THREAD = 4, 0x10000
#: From here on x86_64 means its x32 variants, under which every call has a second number.
_X32 = 0x40000000

_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
#: Classic BPF: load a word of the call's description, jump if equal / at least / any bit set, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

#: Landlock's system calls, the same on every architecture, and how many kinds of file access each version knows.
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_FILES = {1: 13, 2: 14, 3: 15, 4: 15}
_LANDLOCK_FILES_NOW = 16


def depend_on(parent: int) -> None:
    """End with the thread that started this process; at once when `parent`, its process, has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def confine() -> list[str]:
    """Give everything up, for good; the process has one thread. Names of walls that this kernel does not have.

    Whatever is imported or opened later is not found. Memory and time are the parent's to bound, by `prlimit`.
    """
    lacks = [] if _prctl(_PR_SET_NO_NEW_PRIVS, 1) else ["no_new_privs"]
    _prctl(_PR_SET_DUMPABLE, 0)  # nobody of the same user may look into it, nor it into its own /proc/self/mem
    if not _landlock():
        lacks.append("landlock")
    if not _drop_capabilities():
        lacks.append("capabilities")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # what is open stays so
    if not _seccomp():
        lacks.append("seccomp")
    return lacks


def program(machine: str, pid: int) -> bytes:
    """The filter for an architecture of `platform.machine` and one process, as BPF. KeyError for other ones."""
    architecture, column = _ARCHITECTURES[machine]
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *(((_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)) if machine == "x86_64" else ()),
    ]
    for numbers in _FREE.values():
        lines += _case(numbers[column], [(_RETURN, 0, 0, _ALLOW)])
    for numbers in (_MMAP, _MPROTECT):  # no code that was not there before
        lines += _case(numbers[column], _argument(2, _ANY_BIT, _PROT_EXEC, _REFUSE, _ALLOW))
    lines += _case(_CLONE[column], _argument(0, _ANY_BIT, _CLONE_THREAD, _ALLOW, _REFUSE))
    lines += _case(_CLONE3[column], [(_RETURN, 0, 0, _UNKNOWN)])  # its flags cannot be seen; `clone` is taken then
    lines += _case(_PRLIMIT64[column], _argument(0, _EQUAL, 0, _ALLOW, _REFUSE))
    lines += _case(_TGKILL[column], _argument(0, _EQUAL, pid, _ALLOW, _REFUSE))  # how `abort` ends a process
    lines.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


_Line = tuple[int, int, int, int]


def _case(number: int, body: list[_Line]) -> list[_Line]:
    """`body`, which returns, for one system call; for any other what follows it."""
    return [(_EQUAL, 0, len(body), number), *body]


def _argument(index: int, test: int, value: int, then: int, otherwise: int) -> list[_Line]:
    """Decide by the low half of an argument; both architectures put it first."""
    load = (_LOAD, 0, 0, _ARGUMENTS + 8 * index)
    return [load, (test, 0, 1, value), (_RETURN, 0, 0, then), (_RETURN, 0, 0, otherwise)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _seccomp() -> bool:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return False
    code = program(machine, os.getpid())
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_Program(len(code) // 8, code)))


def _landlock() -> bool:
    """Handle every kind of access and allow none of it."""
    version = _call("syscall", _LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = (1 << _LANDLOCK_FILES.get(version, _LANDLOCK_FILES_NOW)) - 1
    ports = 0b11 if version >= 4 else 0  # bind and connect
    scopes = 0b11 if version >= 6 else 0  # abstract sockets and signals of others
    wanted = struct.pack("<QQQ", files, ports, scopes)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = _call("syscall", _LANDLOCK_CREATE, wanted, ctypes.c_size_t(len(wanted)), 0)
    if rules < 0:
        return False
    done = _call("syscall", _LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)
    return done == 0


def _drop_capabilities() -> bool:
    """Nothing of what root may; version 3 of the call's structures."""
    return _call("capset", struct.pack("<Ii", 0x20080522, 0), bytes(24)) == 0


def _prctl(*arguments: object) -> bool:
    padded = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    return _call("prctl", *padded, *[ctypes.c_ulong(0)] * (5 - len(padded))) == 0


def _call(name: str, *arguments: object) -> int:
    return int(getattr(ctypes.CDLL(None), name)(*arguments))
