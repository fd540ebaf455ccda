"""The guard around decoders: what it decodes, what it refuses, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import DracoPy
import numpy as np
import psutil
import pytest

from renderer.decoding import guard as module
from renderer.decoding.guard import Guard
from renderer.errors import DeviceError, FormatError, LimitError
from renderer.limits import DEFAULT_LIMITS
from tests.unit.compressed import DATA, JOINTS, draco_bytes, sheet

UASTC = (DATA / "uastc.ktx2").read_bytes()
UASTC_BYTES = 24 * 16 * 4


def workers() -> list[psutil.Process]:
    """Decoding processes that this one has started."""
    return [child for child in psutil.Process().children() if "worker.py" in " ".join(child.cmdline())]


def hungry_draco(points: int = 1 << 27) -> bytes:
    """A cloud of 50 points that says it has more: Draco takes 3 GB for it, and a quarter of a minute."""
    data = bytearray(DracoPy.encode(np.linspace(0, 1, 150, dtype=np.float32).reshape(50, 3)))
    struct.pack_into("<I", data, 11, points)
    return bytes(data)


def test_arrays_come_back_by_name() -> None:
    attributes, faces = sheet()
    with Guard(DEFAULT_LIMITS) as guard:
        arrays = guard.decode("draco", draco_bytes(), 100_000, "here", {"faces", str(JOINTS), "99"})
    assert arrays.keys() == {"faces", str(JOINTS)}
    np.testing.assert_array_equal(arrays["faces"], faces)
    np.testing.assert_array_equal(arrays[str(JOINTS)], attributes["JOINTS_0"])


def test_one_process_serves_item_after_item_and_ends_with_the_guard() -> None:
    assert workers() == []
    with Guard(DEFAULT_LIMITS) as guard:
        assert workers() == []
        for _ in range(3):
            guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        with pytest.raises(FormatError, match=r"^here cannot be decoded: "):
            guard.decode("ktx2", UASTC[:300], UASTC_BYTES, "here")
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        assert len(workers()) == 1
    assert workers() == []


def test_threads_share_it() -> None:
    with Guard(DEFAULT_LIMITS) as guard, ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: guard.decode("ktx2", UASTC, UASTC_BYTES, "here")["pixels"], range(40)))
        assert 1 <= len(workers()) <= 4
    for picture in pictures:
        np.testing.assert_array_equal(picture, pictures[0])


def test_memory_is_bounded() -> None:
    limits = replace(DEFAULT_LIMITS, decoder_bytes=64 << 20)
    with Guard(limits) as guard:
        with pytest.raises(LimitError, match=r"^here takes more memory to decode than is allowed$"):
            guard.decode("draco", hungry_draco(), 1000, "here", {"faces"})
        assert guard.decode("draco", draco_bytes(), 100_000, "here", {"faces"}).keys() == {"faces"}


def test_time_is_bounded() -> None:
    """A process that makes no progress, as a hanging decoder would, is ended; the next item gets another."""
    limits = replace(DEFAULT_LIMITS, decoder_seconds=0.4)
    with Guard(limits) as guard:
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        os.kill(workers()[0].pid, signal.SIGSTOP)
        with pytest.raises(LimitError, match=r"^here takes more than 0\.4 s to decode$"):
            guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        assert workers() == []
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")


def test_processor_time_is_bounded() -> None:
    """By the kernel, which ends a process so."""
    with Guard(DEFAULT_LIMITS) as guard:
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        workers()[0].send_signal(signal.SIGXCPU)
        with pytest.raises(LimitError, match=r"^here takes more than 5 s to decode$"):
            guard.decode("ktx2", UASTC, UASTC_BYTES, "here")


def test_all_items_of_a_model_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    time = iter(range(0, 1000, 8))
    monkeypatch.setattr(module, "processor_seconds", lambda pid: next(time))
    with Guard(DEFAULT_LIMITS) as guard:
        for _ in range(4):
            guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        with pytest.raises(LimitError, match=r"^here: the compressed parts together take more than 30 s to decode$"):
            guard.decode("ktx2", UASTC, UASTC_BYTES, "here")


def test_a_crash_is_a_format_error_and_the_next_item_gets_another_process() -> None:
    with Guard(DEFAULT_LIMITS) as guard:
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        workers()[0].send_signal(signal.SIGSEGV)
        with pytest.raises(FormatError, match=r"^here cannot be decoded: its decoder fails on it$"):
            guard.decode("ktx2", UASTC, UASTC_BYTES, "here")
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")


def test_more_than_was_declared_is_refused_before_it_is_read() -> None:
    with (
        Guard(DEFAULT_LIMITS) as guard,
        pytest.raises(LimitError, match=r"^here decodes to 1,536 bytes, at most 1,535"),
    ):
        guard.decode("ktx2", UASTC, UASTC_BYTES - 1, "here")
    assert workers() == []


@pytest.mark.parametrize(
    "line",
    [
        b"[]\n",
        b"5\n",
        b'"error"\n',
        b"{}\n",
        b"{\n",
        b'{"arrays": 3}\n',
        b'{"arrays": [["a", "|O", [1]]]}\n',
        b'{"arrays": [["a", "<f4", [-1, -1]]]}\n',
        b'{"arrays": [["a", "<f4", [1e999]]]}\n',
        b'{"arrays": [["a", "<f4", 3]]}\n',
        b'{"arrays": [["a", "<f4"]]}\n',
        b"[" * 60_000 + b"\n",
    ],
)
def test_a_process_that_lies_is_not_believed(line: bytes) -> None:
    with pytest.raises(FormatError, match=r"^cannot be decoded: its decoder fails on it$"):
        module._parse(line, 100)


def test_a_decoder_that_is_not_there_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import no_such_module\n")
    monkeypatch.setattr(module, "_SCRIPT", script)
    with (
        Guard(DEFAULT_LIMITS) as guard,
        pytest.raises(DeviceError, match="the process that decodes ktx2 does not start"),
    ):
        guard.decode("ktx2", UASTC, UASTC_BYTES, "here")


def test_a_confined_process_opens_no_file_and_no_socket() -> None:
    program = """
import errno, runpy, socket, sys
worker = runpy.run_path(sys.argv[1])
worker["_confine"]()
for attempt in (lambda: open("/etc/hostname"), socket.socket, lambda: open("/tmp/x", "w")):
    try:
        attempt()
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    script = Path(module.__file__).with_name("worker.py")
    done = subprocess.run([sys.executable, "-c", program, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["EMFILE"] * 3
