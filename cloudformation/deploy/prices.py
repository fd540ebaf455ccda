"""The price file: reading, checking, age. Owns no arithmetic; every number it gives has a unit and a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from cloudformation.deploy.errors import PriceError

FILE = Path(__file__).resolve().parents[1] / "prices.yaml"
MAX_BYTES = 1 << 18
STALE_DAYS = 180
_SECTIONS = ("prices", "instances", "databases", "caches", "governance")
_AMOUNTS = {"prices": "usd", "instances": "usd", "databases": "usd", "caches": "usd", "governance": "amount"}


@dataclass(frozen=True)
class Prices:
    """A price file. Each section: name → its entry, with a number (`usd` or `amount`) and a `source`."""

    checked: date
    region: str
    sources: Mapping[str, str]
    sections: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def usd(self, name: str) -> float:
        """A price of the section `prices`, in US dollars. Raises PriceError."""
        return self.entry("prices", name, "usd")

    def entry(self, section: str, name: str, key: str) -> float:
        """A number of any section. Raises PriceError when it is not there."""
        found = self.sections.get(section, {}).get(name, {}).get(key)
        if not isinstance(found, (int, float)):
            raise PriceError(f"prices.yaml: {section} has no {key} of {name}; add it, with its source")
        return float(found)

    def has(self, section: str, name: str) -> bool:
        """Whether there is an entry."""
        return name in self.sections.get(section, {})

    def age(self, today: date) -> int:
        """Days since the prices were last gone through."""
        return (today - self.checked).days

    def warnings(self, today: date, region: str) -> list[str]:
        """What makes these prices doubtful."""
        found = []
        if self.age(today) > STALE_DAYS:
            found.append(f"the prices are {self.age(today)} days old ({self.checked}); go through prices.yaml again")
        if region != self.region:
            found.append(f"the prices are those of {self.region}; {region} costs more, usually 5 to 25 %")
        return found


def read(path: Path | None = None) -> Prices:
    """A price file; without a path, the installed one. Raises PriceError."""
    path = path or FILE
    try:
        text = path.read_text("utf-8")
        raw = yaml.safe_load(text) if len(text) <= MAX_BYTES else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PriceError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise PriceError(f"{path}: a mapping of at most {MAX_BYTES} bytes is expected")
    try:
        when = date.fromisoformat(str(raw.get("date")))
    except ValueError as error:
        raise PriceError(f"{path}: date {raw.get('date')!r} is no day like 2026-11-23") from error
    if raw.get("currency") != "USD":
        raise PriceError(f"{path}: currency {raw.get('currency')!r}; only USD is known")
    sources = raw.get("sources") or {}
    sections = {name: _section(path, name, raw.get(name), sources) for name in _SECTIONS}
    return Prices(when, str(raw.get("region")), sources, sections)


def _section(path: Path, name: str, raw: Any, sources: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(raw, dict):
        raise PriceError(f"{path}: {name} is missing")
    for key, entry in raw.items():
        number = entry.get(_AMOUNTS[name]) if isinstance(entry, dict) else None
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < 1e9:
            raise PriceError(f"{path}: {name}.{key} needs {_AMOUNTS[name]}, a number that is not negative")
        if entry.get("source") not in sources:
            raise PriceError(f"{path}: {name}.{key} needs a source, one of {', '.join(sources)}")
        if name == "prices" and not entry.get("per"):
            raise PriceError(f"{path}: {name}.{key} does not say per what it is")
    return raw
