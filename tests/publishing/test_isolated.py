"""A model's process believes in nothing and is not believed: bounds, credentials, answers that lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from publishing.errors import InvalidError, PublishError
from publishing.isolated import Bounds, prepare_isolated
from publishing.pipeline import Settings
from tests.unit.glb import triangle

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "hush"}


def lie(name: str) -> str:
    """What a captured child might say: that the model's file is called so."""
    bundle = {
        "model_id": "a",
        "title": "t",
        "secret": False,
        "triangles": 1,
        "bytes_source": 1,
        "side": {},
        "model": name,
    }
    return json.dumps({"bundle": bundle})


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`child(code)`: what runs in place of the pipeline; `folder` is its scratch folder."""

    def install(code: str) -> None:
        program = tmp_path / "child.py"
        program.write_text(f"import os, sys, pathlib\nfolder = pathlib.Path(sys.argv[3])\n{code}\n")
        starter = tmp_path / "starter"
        starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
        starter.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(starter))

    return install


def prepared(folder: Path, seconds: float = 60.0) -> Any:
    source = triangle().save(folder.parent)
    return prepare_isolated("a", source, folder, Settings(), Bounds(seconds), environment=ENVIRONMENT)


@pytest.mark.gl
def test_a_model_is_prepared_as_in_this_process(folder: Path, quick: Settings, tmp_path: Path) -> None:
    made = prepare_isolated(
        "a", triangle().save(tmp_path), folder, quick, Bounds(), environment=ENVIRONMENT, digest="d"
    )
    assert (made.bundle.model_id, made.bundle.triangles, made.bundle.source) == ("a", 1, "d")
    assert made.bundle.model.read_bytes() == (tmp_path / "model.glb").read_bytes()
    assert len(made.bundle.spin) == 36


def test_no_credentials_reach_it(folder: Path, child: Any) -> None:
    child("(folder / 'answer.json').write_text('{\"reason\": \"%s\"}' % ' '.join(sorted(os.environ))); sys.exit(2)")
    with pytest.raises(InvalidError) as error:
        prepared(folder)
    assert "PATH" in str(error.value)
    assert "AWS" not in str(error.value)


@pytest.mark.parametrize(
    ("code", "kind", "line"),
    [
        ("os.abort()", InvalidError, "SIGABRT"),
        ("import time; time.sleep(60)", InvalidError, "takes more than"),
        ("sys.exit(0)", PublishError, "no answer"),
        ("sys.exit(7)", PublishError, "exit code 7"),
    ],
)
def test_however_it_ends_it_is_one_error(folder: Path, child: Any, code: str, kind: type[Exception], line: str) -> None:
    child(code)
    with pytest.raises(kind, match=line):
        prepared(folder, seconds=3.0)


@pytest.mark.parametrize("name", ["../model.glb", "/etc/hostname", "link.glb", "nothing.glb", ".", "folder"])
def test_it_cannot_name_files_that_it_did_not_make(folder: Path, child: Any, name: str) -> None:
    (folder / "link.glb").symlink_to("/etc/hostname")
    (folder / "folder").mkdir()
    child(f"(folder / 'answer.json').write_text({lie(name)!r})")
    with pytest.raises(PublishError, match="not a file below"):
        prepared(folder)


def test_what_it_began_ends_with_it(folder: Path, child: Any) -> None:
    begin = "import subprocess; p = subprocess.Popen(['sleep', '600']); (folder / 'pid').write_text(str(p.pid))"
    child(f"{begin}; sys.exit(7)")
    with pytest.raises(PublishError):
        prepared(folder)
    state = Path("/proc", (folder / "pid").read_text(), "stat")
    for _ in range(600):  # a killed process may need a moment to go
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] in "ZX":
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def test_the_function_is_closed_to_its_children() -> None:
    code = "import ctypes; from publishing.isolated import close_to_children; c = ctypes.CDLL(None).prctl; "
    code += "before = c(3, 0, 0, 0, 0); close_to_children(); print(before, c(3, 0, 0, 0, 0))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1", "0"]
