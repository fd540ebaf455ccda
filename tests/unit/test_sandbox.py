"""Honest models through the sandbox: they come whole, nothing outlives its reading, only arrays are shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import trimesh

from renderer.decoding.sandbox import Sandbox, load_scene
from renderer.decoding.starter import Starter
from renderer.errors import DeviceError, FormatError, LimitError
from renderer.limits import DEFAULT_LIMITS
from renderer.load import load_scene as read_here
from tests.fuzz.seeds import seeds
from tests.unit.glb import triangle
from tests.unit.test_codec import same

ROOT = Path(__file__).resolve().parents[2]


def test_scenes_come_whole_and_cannot_be_written_to(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        path = triangle().save(tmp_path)
        primitive = sandbox.load(path).meshes[0].primitives[0]
        assert primitive.positions.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
        with pytest.raises(ValueError, match="read-only"):
            primitive.positions[0] = 0
        pid = sandbox._started().result()._process.pid
        with ThreadPoolExecutor(8) as pool:
            assert len(list(pool.map(sandbox.load, [path] * 16))) == 16
        assert psutil.Process(pid).children() == []  # each reader has gone with its model
    assert not psutil.pid_exists(pid)


def test_whatever_a_format_needs_is_imported_before(tmp_path: Path) -> None:
    """A confined process can import nothing more."""
    made = {f"{name}.glb": seed.data() for name, seed in seeds().items()}
    box = trimesh.creation.box()
    for suffix in ("stl", "obj", "ply", "off", "3mf", "dae"):
        data = box.export(file_type=suffix)
        made[f"box.{suffix}"] = data.encode() if isinstance(data, str) else data
    with Sandbox() as sandbox:
        for name, data in made.items():
            (tmp_path / name).write_bytes(data)
            assert same(sandbox.load(tmp_path / name), read_here(tmp_path / name)), name


def test_one_model_without_a_sandbox_kept(tmp_path: Path) -> None:
    assert load_scene(triangle().save(tmp_path)).name == "model"
    with pytest.raises(FormatError, match=r"^gone\.glb: the file does not exist$"):
        load_scene(tmp_path / "gone.glb")
    with pytest.raises(LimitError, match=r"^model\.glb: the file has more than the 10 bytes"):
        load_scene(tmp_path / "model.glb", replace(DEFAULT_LIMITS, file_bytes=10))


def test_a_zygote_that_has_ended_is_replaced(tmp_path: Path) -> None:
    path = triangle().save(tmp_path)
    with Sandbox() as sandbox:
        sandbox.load(path)
        first = sandbox._started().result()._process
        first.kill()
        first.wait()
        assert sandbox.load(path).name == "model"
        assert sandbox._started().result()._process.pid != first.pid


def test_our_packages_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable installation is found by a hook of the host's imports, which the zygote does not have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry).resolve() != ROOT])
    with closing(Starter()) as starter:
        assert starter.alive


def test_who_comes_after_the_end_is_told_so(tmp_path: Path) -> None:
    """Also a load that was waiting for its turn: no process may begin that nobody would end."""
    with Sandbox() as sandbox:
        pass
    with pytest.raises(DeviceError, match="closed"):
        sandbox.load(triangle().save(tmp_path))


def test_everything_ends_with_a_host_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from renderer.decoding.sandbox import Sandbox\n"
        "box = Sandbox(); box.load(Path(sys.argv[1])); print(box._started().result()._process.pid, flush=True)\n"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(triangle().save(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as host:
        assert host.stdout is not None
        zygote = psutil.Process(int(host.stdout.readline()))
        os.kill(host.pid, signal.SIGKILL)
        psutil.wait_procs([zygote], timeout=30)
        assert not zygote.is_running()


def test_a_reader_has_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "TOPSECRET")
    with Sandbox() as sandbox:
        sandbox.load(triangle().save(tmp_path))
        pid = sandbox._started().result()._process.pid
        assert b"TOPSECRET" not in Path(f"/proc/{pid}/environ").read_bytes()
