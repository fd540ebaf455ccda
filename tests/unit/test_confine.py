"""The walls around a reading process, one by one: the filter's program by an interpreter, Landlock alone."""

from __future__ import annotations

import errno
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from renderer.decoding import confine

ROOT = Path(__file__).resolve().parents[2]
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, UNKNOWN = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
#: platform.machine → (AUDIT_ARCH, numbers of some calls).
X86 = (0xC000003E, {"read": 0, "mmap": 9, "clone": 56, "clone3": 435, "socket": 41, "openat": 257, "execve": 59})
ARM = (0xC00000B7, {"read": 63, "mmap": 222, "clone": 220, "clone3": 435, "socket": 198, "openat": 56, "execve": 221})


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do: classic BPF over `struct seccomp_data`."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    lines = list(struct.iter_unpack("<HBBI", program))
    at, word = 0, 0
    while True:
        code, then, otherwise, value = lines[at]
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (word,) = struct.unpack_from("<I", data, value)
            at += 1
            continue
        true = {0x15: word == value, 0x35: word >= value, 0x45: bool(word & value)}[code]
        at += 1 + (then if true else otherwise)


@pytest.mark.parametrize(("machine", "table"), [("x86_64", X86), ("aarch64", ARM)])
def test_the_filter_lets_computing_through_and_nothing_else(machine: str, table: tuple[int, dict[str, int]]) -> None:
    architecture, numbers = table
    program = confine.program(machine, pid=77)

    def asked(name: str, *arguments: int) -> int:
        return verdict(program, architecture, numbers[name], *arguments)

    assert asked("read") == ALLOW
    assert {asked(name) for name in ("socket", "openat", "execve")} == {REFUSE}
    assert asked("mmap", 0, 4096, 3) == ALLOW
    assert asked("mmap", 0, 4096, 7) == REFUSE  # executable
    assert asked("clone", 0x3D0F00) == ALLOW  # a thread
    assert asked("clone", 17) == REFUSE  # a process
    assert asked("clone3") == UNKNOWN
    assert verdict(program, 0x40000003, numbers["read"]) == KILL  # 32 bits
    free = [n for n in range(600) if verdict(program, architecture, n, 0, 0, 0) == ALLOW]
    assert len(free) == len(confine._FREE) + 3  # memory for data, limits of its own
    assert {verdict(program, architecture, n) for n in range(1000, 5000)} == {REFUSE}


def test_a_second_number_for_every_call_is_no_way_out() -> None:
    assert verdict(confine.program("x86_64", 1), X86[0], 0x40000000) == KILL


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return result.stdout.strip()


# Elsewhere there is no filter, since system calls have other numbers on every architecture: `confine` then names
# "seccomp" as lacking, which the host logs, and docs/security.md says which architectures have one.
@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter for this architecture")
def test_all_walls_stand_on_this_kernel_or_are_named() -> None:
    out = run("from renderer.decoding.confine import confine; print(set(confine()) <= {'landlock'})")
    assert out == "True"


def test_landlock_alone_refuses_files() -> None:
    out = run(
        "from renderer.decoding import confine as c\n"
        "c._prctl(c._PR_SET_NO_NEW_PRIVS, 1)\n"
        "if not c._landlock(): print('lacks'); raise SystemExit\n"
        "try: open('/etc/passwd'); print('open')\n"
        "except PermissionError: print('refused')"
    )
    if out == "lacks":
        pytest.skip("this kernel has no Landlock")
    assert out == "refused"


def test_a_process_whose_parent_has_gone_ends_at_once() -> None:
    code = "from renderer.decoding.confine import depend_on; depend_on(1 << 22); print('lives')"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).stdout == b""
