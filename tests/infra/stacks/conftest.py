"""The templates as they lie in the repository, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cloudformation.deploy import template

FOLDER = Path(__file__).parents[3] / "cloudformation"
Read: TypeAlias = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def read() -> Read:
    """A template by its name."""

    def of(name: str) -> dict[str, Any]:
        return template.document(name, (FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))

    return of
