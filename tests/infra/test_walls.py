"""The walls between the packages, where import-linter cannot look, and that the contracts it has do bite."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("renderer", "streaming", "assets", "fleet", "publishing", "demo", "benchmarks")
CLOUD = ("cloudformation", "cloudformation/deploy", "cloudformation/emulation")
ENVIRONMENT = {"environ", "environb", "getenv", "putenv", "unsetenv"}
MAY_READ_ENVIRONMENT = {"streaming/config.py", "renderer/gl/egl.py"}
FETCHERS = {"urllib.request", "http.client", "ftplib", "smtplib", "requests", "httpx"}


def sources(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Path from the root, and the parsed module, of every file of `packages`."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def touches_environment(tree: ast.Module) -> bool:
    """Whether a module reads or writes environment variables through `os`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names |= {alias.name for alias in node.names}
    return bool(names & ENVIRONMENT)


def imported(tree: ast.Module) -> set[str]:
    """Full names of the modules that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_environment_is_read_in_two_places() -> None:
    readers = {name for name, tree in sources(*PACKAGES) if touches_environment(tree)}
    assert readers <= MAY_READ_ENVIRONMENT
    assert "streaming/config.py" in readers  # else this test has gone blind


def test_renderer_and_demo_fetch_nothing() -> None:
    assert {name for name, tree in sources("renderer", "demo") if imported(tree) & FETCHERS} == set()


def test_every_package_folder_is_a_package() -> None:
    """import-linter and mypy pass over a folder without `__init__.py` in silence."""
    bare = {
        path.parent.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not (path.parent / "__init__.py").is_file()
    }
    assert bare == set()


def test_contracts_notice_a_breach(tmp_path: Path) -> None:
    """Each wall is broken once in a small copy; every contract must say so."""
    breaches = {
        "renderer/bad.py": "import asyncio\nimport OpenGL.GL\nimport assets",
        "streaming/bad.py": "import aiortc\nimport av\nimport renderer.gl\nimport vitrine",
        "assets/bad.py": "import boto3\nimport numpy",
        "demo/bad.py": "import renderer",
        "publishing/bad.py": "import renderer.gl",
        "cloudformation/deploy/bad.py": "import boto3\nimport streaming",
        "cloudformation/emulation/bad.py": "import boto3\nimport streaming",
    }
    for folder in (*PACKAGES, "renderer/gl", "renderer/passes", *CLOUD):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text('"""Empty."""\n')
    for name, text in breaches.items():
        (tmp_path / name).write_text(text + "\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    linter = Path(sys.executable).with_name("lint-imports")
    command = [str(linter), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert "Contracts: 0 kept," in done.stdout, done.stdout
