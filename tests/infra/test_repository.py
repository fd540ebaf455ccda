"""The repository's own promises: what may not be written in it, and that its set-up, lists and links hold together."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# Joined here so that this file does not contain what it looks for.
FORBIDDEN = [
    re.compile(pattern)
    for pattern in (
        r"\bpypi" + r"\.org",
        r"pythonhosted" + r"\.org",
        r"npmjs" + r"\.(org|com)",
        r"(deb|security)\.debian" + r"\.org",
        r"--(extra-)?index" + r"-url",
        r"--find" + r"-links",
        r"(?<![\w.])/work" + r"/",
        r"/tmp/bash" + r"_jobs",
        r"(?<![\w.])/home" + r"/\w",
    )
]
PACKAGES = ("renderer", "streaming", "assets", "publishing", "demo", "benchmarks")
RUNS = {".py", ".glsl", ".vert", ".frag", ".comp", ".js", ".html", ".css", ".svg", ".png", ".webp", ".json"}
PIN = re.compile(r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+$")


def tracked_files() -> list[Path]:
    """Every file that git knows."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def pins(name: str) -> dict[str, str]:
    """Canonical name -> line, of one requirements file, its `-r` lines left out."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith(("#", "-r "))]
    return {canonicalize_name(line.split("==")[0]): line for line in kept}


def test_no_registry_and_no_machine_is_named() -> None:
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for rule in FORBIDDEN if (match := rule.search(text))]
    assert found == []


def test_the_rules_find_what_they_are_for() -> None:
    samples = ["https://py" + "pi.org/simple", "cd /wo" + "rk/main", "pip install --index" + "-url x"]
    assert all(any(rule.search(sample) for rule in FORBIDDEN) for sample in samples)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_exact(name: str) -> None:
    assert [line for line in pins(name).values() if not PIN.match(line)] == []


def test_requirements_satisfy_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = pins("requirements.txt")
    everything = runtime | pins("requirements-dev.txt")
    for names, locked in [
        (project["dependencies"], runtime),
        (project["optional-dependencies"]["bench"], everything),
        (project["optional-dependencies"]["test"], everything),
    ]:
        for requirement in map(Requirement, names):
            pinned = locked[canonicalize_name(requirement.name)].split("==")[1]
            assert requirement.specifier.contains(pinned), f"{requirement} but {pinned} is pinned"


@pytest.mark.parametrize("target", ["setup", "serve", "test", "check", "bench"])
def test_make_target(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_scripts_parse_and_may_run() -> None:
    scripts = [ROOT / ".ci/run", *(ROOT / "scripts").glob("*.sh")]
    for script in scripts:
        assert script.stat().st_mode & 0o111, f"{script.name} is not executable"
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.slow
def test_the_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    """Built from a copy: every file of the packages that is not about the packages must be in it."""
    wanted = set()
    for path in tracked_files():
        name = path.relative_to(ROOT)
        others = {"vitrine.py", "pyproject.toml", "README.md", "LICENSE"}
        if name.parts[0] in (*PACKAGES, "cloudformation") or name.as_posix() in others:
            copy = tmp_path / "source" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            if name.parts[0] in PACKAGES and path.suffix in RUNS and "results" not in name.parts:
                wanted.add(name.as_posix())
            if name.parts[0] == "cloudformation" and path.suffix == ".yaml" and len(name.parts) == 2:
                wanted.add(name.as_posix())  # what `vitrine cloud` deploys and prices
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(tmp_path / "source")], check=True, timeout=100)
    (wheel,) = tmp_path.glob("vitrine-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {"vitrine.py"} <= packed
    assert sorted(wanted - packed) == []


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    for page in (path for path in tracked_files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []


def test_architecture_names_only_what_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("## Where is what")[1].split("\n## ")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    names = [name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)]
    assert len(names) > 10
    assert [name for name in names if not list(ROOT.glob(name))] == []
