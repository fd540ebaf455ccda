"""Whatever a process that reads a model does, its parent goes on: one error for that model, nothing of anybody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from renderer.decoding import process, starter
from renderer.decoding.sandbox import Sandbox
from renderer.errors import DeviceError, FormatError, LimitError, SceneError
from renderer.limits import DEFAULT_LIMITS
from tests.hostile import liars
from tests.unit.glb import triangle

LIMITS = replace(
    DEFAULT_LIMITS,
    **{"file_bytes": 1 << 20, "array_bytes": 8 << 20, "image_bytes": 8 << 20, "json_bytes": 1 << 20},
    **{"process_bytes": 128 << 20, "process_seconds": 1.0},
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch, Sandbox(LIMITS) as made:
        patch.setattr(starter, "_CODE", liars.CODE)
        patch.setattr(process, "_STALL_SECONDS", 2.0)
        made.warm()
        made._started().result()
        yield made


def asked(folder: Path, what: str) -> Path:
    (folder / "secret.txt").write_text("TOPSECRET")
    home = folder / "model"
    home.mkdir()
    (home / "link").symlink_to(folder / "secret.txt")
    (home / "side.bin").write_bytes(b"side")
    return triangle().save(home, f"{what}.glb")


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("crash", SceneError, r"the reader fails on it: SIGSEGV"),
        ("crash_in_an_item", FormatError, r"images\[3\] 'cup' cannot be decoded: its decoder fails on it"),
        ("abort", SceneError, r"the reader fails on it: SIG\w+"),
        ("leave", SceneError, r"the reader fails on it: code 0"),
        ("hang", LimitError, r"takes more than 1 s to read"),
        ("spin", LimitError, r"takes more than 1.* s to read"),
        ("spin_in_an_item", LimitError, r"images\[4\] takes more time to decode than is allowed"),
        ("grow", LimitError, r"takes more memory to read than is allowed"),
        ("fault", SceneError, r"the reader fails on it: KeyError: 'nothing' \(liars\.py:\d+\)"),
        ("two_lines", FormatError, r"one two \[2J"),
        ("ask_outside", FormatError, r"refused refused refused"),
        ("ask_for_more", LimitError, r"the file 'side\.bin' has more than the 0 bytes that are allowed here"),
        ("escape", FormatError, r"escaped by: "),
        *(
            (what, SceneError, "the process that reads it answers nonsense")
            for what in (
                *("unknown_error", "unknown_message", "no_object", "no_json", "deep_json", "endless_line"),
                *("ask_without_listening", "scene_of_nothing", "scene_of_petabytes", "scene_of_noise", "fill"),
            )
        ),
    ],
)
def test_a_liar_is_an_error_for_its_model(
    sandbox: Sandbox, what: str, error: type[SceneError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SceneError, match=rf"^{what}\.glb: ({message})$") as caught:
        sandbox.load(asked(tmp_path, what))
    assert type(caught.value) is error
    assert sandbox.peak < LIMITS.process_bytes + (256 << 20)


def test_a_process_that_the_system_ends_is_no_fault_of_the_model(sandbox: Sandbox, tmp_path: Path) -> None:
    path = asked(tmp_path, "hang")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(sandbox.load, path)
        zygote = sandbox._started().result()._process.pid
        readers = _wait_for(lambda: psutil.Process(zygote).children())
        readers[0].kill()
        with pytest.raises(DeviceError):
            loading.result()


def _wait_for(look: object) -> list[psutil.Process]:
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        if found := look():  # type: ignore[operator]
            return list(found)
        time.sleep(0.01)
    raise AssertionError("nothing came")
