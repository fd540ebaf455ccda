"""Writes the requirements*.txt from what is installed. It resolves, downloads and upgrades nothing.

The names come from pyproject.toml; the versions, and what those packages need in turn, from the environment it runs in.
To refresh:

    .venv/bin/pip install --upgrade --editable '.[bench,test]'
    make test check
    .venv/bin/python scripts/lock.py

The tools of `make gates` and the emulators of `make emulate` have environments and groups of their own:

    .venv-cloud/bin/pip install --upgrade --group cloud && .venv-cloud/bin/python scripts/lock.py cloud
    .venv-emulator/bin/pip install --upgrade --group emulator && .venv-emulator/bin/python scripts/lock.py emulator
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Set
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# Imported for its data only: what it says it needs is half a gigabyte that nothing here imports.
ALONE = frozenset({"cdk-preflight"})
PURPOSES = {
    "cloud": "What `make gates` needs, in .venv-cloud.",
    "emulator": "What `make emulate` needs, in .venv-emulator.",
}
HEADER = """\
# {purpose}
# Written by scripts/lock.py (its docstring says how to refresh): exact versions, transitive ones included.
"""


def closure(wanted: list[str], alone: Set[str] = frozenset()) -> dict[str, str]:
    """Canonical name -> `name==version` of every installed distribution that `wanted` needs, directly or not.

    What those in `alone` need is left out.
    """
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
        if name in alone:
            continue
        for wanted_extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, wanted_extra))
            queue += [(Requirement(text), wanted_extra) for text in found.requires or []]
    return pins


def write(path: Path, purpose: str, pins: dict[str, str], *, first: str = "") -> None:
    """One pin a line, sorted by name, after the header and the line `first`."""
    lines = [pins[name] for name in sorted(pins)]
    path.write_text(HEADER.format(purpose=purpose) + first + "\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """What serving needs, and what testing and measuring need on top; or one group, where its name is the argument."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for group in sys.argv[1:]:
        pins = closure(settings["dependency-groups"][group], ALONE)
        write(ROOT / f"requirements-{group}.txt", PURPOSES[group], pins)
    if sys.argv[1:]:
        return
    project = settings["project"]
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
