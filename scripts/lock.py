"""Writes requirements.txt and requirements-dev.txt from what is installed. It resolves, downloads and upgrades nothing.

The names come from pyproject.toml; the versions, and what those packages need in turn, from the environment it runs in.
To refresh:

    .venv/bin/pip install --upgrade --editable '.[bench,test]'
    make test check
    .venv/bin/python scripts/lock.py
"""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# {purpose}
# Written by scripts/lock.py (its docstring says how to refresh): exact versions, transitive ones included.
"""


def closure(wanted: list[str]) -> dict[str, str]:
    """Canonical name -> `name==version` of every installed distribution that `wanted` needs, directly or not."""
    pins: dict[str, str] = {}
    queue = [(Requirement(text), "") for text in wanted]
    seen: set[tuple[str, str]] = set()
    while queue:
        requirement, extra = queue.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found = distribution(name)
        pins[name] = f"{found.metadata['Name']}=={found.version}"
        for wanted_extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, wanted_extra))
            queue += [(Requirement(text), wanted_extra) for text in found.requires or []]
    return pins


def write(path: Path, purpose: str, pins: dict[str, str], *, first: str = "") -> None:
    """One pin a line, sorted by name, after the header and the line `first`."""
    lines = [pins[name] for name in sorted(pins)]
    path.write_text(HEADER.format(purpose=purpose) + first + "\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Both files: what serving needs, and what testing and measuring need on top of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    runtime = closure(project["dependencies"])
    everything = closure([*project["dependencies"], *extras["bench"], *extras["test"]])
    additional = {name: pin for name, pin in everything.items() if name not in runtime}
    write(ROOT / "requirements.txt", "What `vitrine serve` and `vitrine render` need.", runtime)
    write(
        ROOT / "requirements-dev.txt",
        "What `make test`, `make check` and `make bench` need on top.",
        additional,
        first="-r requirements.txt\n",
    )


if __name__ == "__main__":
    main()
