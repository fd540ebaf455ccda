"""`vitrine cloud cost`: brings templates, prices and traffic together, as lines and as JSON. Opens no connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from cloudformation.deploy import fixed, fleets, quotas, traffic
from cloudformation.deploy import prices as price_file
from cloudformation.deploy.errors import DeployError
from cloudformation.deploy.estate import Environment, Placed, imagined
from cloudformation.deploy.parameters import Choices
from cloudformation.deploy.prices import Prices
from cloudformation.deploy.template import Template
from cloudformation.deploy.traffic import Assumptions, Estimate, Fleet, Level

REGION = "us-east-1"  # an estimate without a region is one of the price file's region
SLOTS, MEGABITS = (4.0, 8.0, 12.0, 24.0), (1.0, 1.7, 4.0)  # of the table of sensitivities
SLOTS_PARAMETERS = ("SlotsPerHost", "FleetSlots", "Slots")
_BOUNDS = {"slots": (1, 1000), "megabits": (0.01, 1000), "utilisation": (0.01, 1), "spot_share": (0, 1)}


@dataclass(frozen=True)
class Asked:
    """What the command's options say; None is nothing."""

    traffic: str | None = None
    slots: float | None = None
    megabits: float | None = None
    utilisation: float | None = None
    spot_share: float | None = None


@dataclass(frozen=True)
class Report:
    """Everything the command knows. sensitivity: for the last level, slots → Mb/s → US dollars a viewer-hour."""

    environment: Environment
    prices: Prices
    bill: fixed.Bill
    fleet: Fleet
    assumptions: Assumptions
    estimates: tuple[Estimate, ...]
    sensitivity: Mapping[str, Mapping[str, float]]
    warnings: tuple[str, ...]

    def as_json(self) -> str:
        """The report for programs."""
        items = [asdict(item) | {"monthly": item.monthly} for item in self.bill.items]
        whole = {
            "schema": 1,
            "environment": asdict(self.environment),
            "prices": {"date": str(self.prices.checked), "region": self.prices.region, "currency": "USD"},
            "fixed": {"monthly": self.bill.monthly, "items": items, "unpriced": list(self.bill.unpriced)},
            "fleet": asdict(self.fleet),
            "assumptions": asdict(self.assumptions),
            "levels": [_level(estimate) for estimate in self.estimates],
            "sensitivity": {"level": self.estimates[-1].level.name, "usd_per_viewer_hour": self.sensitivity},
            "warnings": list(self.warnings),
        }
        return json.dumps(whole, indent=2)


def _level(one: Estimate) -> dict[str, Any]:
    return {
        "name": one.level.name,
        "sessions": one.level.sessions,
        "viewer_hours": one.wanted.viewer_hours,
        "gigabytes": one.wanted.gigabytes,
        "hosts_at_peak": one.wanted.peak,
        "monthly": one.monthly,
        "variable": one.variable,
        "per_viewer_hour": one.viewer_hour,
        "marginal_per_viewer_hour": one.marginal_viewer_hour,
        "per_thousand_sessions": one.thousand_sessions,
        "by_category": dict(one.by_category),
    }


def prices(path: Path | None) -> Prices:
    """The price file. Raises PriceError."""
    return price_file.read(path)


def report(
    environment: Environment,
    library: Mapping[str, Template],
    choices: Choices,
    costs: Prices,
    asked: Asked,
    today: date | None = None,
) -> Report:
    """The whole estimate. Raises DeployError for what cannot be worked out."""
    placed = list(imagined(environment, library, choices))
    fleet = _fleet(placed)
    given = assumptions(asked, _slots(library, choices))
    bill = fixed.bill(placed, costs)
    estimates = tuple(estimate(level, bill, fleet, costs, given) for level in levels(asked.traffic))
    warnings = costs.warnings(today or date.today(), environment.home)
    warnings += [f"no price for {what}: not in these sums" for what in bill.unpriced]
    warnings += [line for one in estimates for line in _too_small(one, fleet)]
    table = sensitivity(estimates[-1].level, bill, fleet, costs, given)
    return Report(environment, costs, bill, fleet, given, estimates, table, tuple(warnings))


def levels(asked: str | None) -> tuple[Level, ...]:
    """The levels of an option: all three, one by its name, or one of so many sessions a month. Raises DeployError."""
    if asked is None:
        return traffic.LEVELS
    for level in traffic.LEVELS:
        if level.name == asked:
            return (level,)
    try:
        return (Level(f"{float(asked):g} sessions", float(asked), 6.0),)
    except ValueError as error:
        raise DeployError(f"--traffic {asked}: low, medium, sale, or sessions a month ({error})") from error


def assumptions(asked: Asked, slots: float | None) -> Assumptions:
    """The defaults, the templates' slots, then the options. Raises DeployError for what is out of bounds."""
    given = replace(Assumptions(), slots=slots) if slots else Assumptions()
    for name, (low, high) in _BOUNDS.items():
        value = getattr(asked, name)
        if value is None:
            continue
        if not low <= value <= high:
            raise DeployError(f"--{name.replace('_', '-')} {value:g}: {low:g} to {high:g} are allowed")
        given = replace(given, **{name: value})
    return given


def _slots(library: Mapping[str, Template], choices: Choices) -> float | None:
    """Viewers a host offers, as the templates' parameter or the user says."""
    for name in SLOTS_PARAMETERS:
        chosen = [section[name] for section in choices.parameters.values() if name in section]
        stated = [one.parameters[name].default for one in library.values() if name in one.parameters]
        for value in (*chosen, *stated):
            if value and fleets.whole(value):
                return float(value)
    return None


def _fleet(placed: Sequence[Placed]) -> Fleet:
    gpu = [group for group in fleets.groups(placed) if group.types and group.types[0].startswith(quotas.GPU_FAMILIES)]
    if not gpu:
        raise DeployError("the templates have no Auto Scaling group of GPU instances, so viewers cannot be priced")
    return Fleet.of(gpu)


def estimate(level: Level, bill: fixed.Bill, fleet: Fleet, costs: Prices, given: Assumptions) -> Estimate:
    """One level's charges with what stands."""
    items = traffic.charges(level, fleet, costs, given)
    total = fixed.Bill((*bill.items, *items), ())
    return Estimate(
        level=level,
        wanted=traffic.demand(level, fleet, given),
        standing=bill.monthly,
        variable=sum(item.monthly for item in items),
        by_category=total.by(lambda item: item.category),
    )


def sensitivity(
    level: Level, bill: fixed.Bill, fleet: Fleet, costs: Prices, given: Assumptions
) -> dict[str, dict[str, float]]:
    """US dollars a viewer-hour, everything included, by slots of a host and Mb/s while moving."""
    return {
        f"{slots:g}": {
            f"{megabits:g}": estimate(
                level, bill, fleet, costs, replace(given, slots=slots, megabits=megabits)
            ).viewer_hour
            for megabits in MEGABITS
        }
        for slots in SLOTS
    }


def _too_small(one: Estimate, fleet: Fleet) -> Iterator[str]:
    if one.wanted.peak > fleet.most:
        yield (
            f"{one.level.name}: {one.wanted.peak} hosts at the busiest moment, but the groups end at {fleet.most}: "
            "raise MaxSize, and the quotas, or viewers wait in line"
        )


def told(one: Report) -> Iterator[str]:
    """The report as lines."""
    name = f"{one.environment.project}-{one.environment.name}"
    yield f"{name} in {one.environment.home}; US dollars a month; prices of {one.prices.checked}, {one.prices.region}"
    yield ""
    yield "What stands, by stack"
    yield from (f"  {stack:16} {usd:12,.2f}" for stack, usd in one.bill.by(lambda item: item.stack).items())
    yield f"  {'together':16} {one.bill.monthly:12,.2f}"
    yield ""
    yield from _levels_told(one)
    yield ""
    yield from _sensitivity_told(one)
    yield ""
    yield "Assumptions; traffic.py says where each comes from, options change the weightiest"
    yield from (f"  {key:24} {value:g}" for key, value in asdict(one.assumptions).items())
    yield f"  {'GPU hosts':24} {one.fleet.least} to {one.fleet.most} × {one.fleet.kind}"


def _levels_told(one: Report) -> Iterator[str]:
    columns = one.estimates
    yield f"{'':34}" + "".join(f"{each.level.name:>16}" for each in columns)
    rows = {
        "sessions a month": [f"{each.level.sessions:,.0f}" for each in columns],
        "viewer-hours a month": [f"{each.wanted.viewer_hours:,.0f}" for each in columns],
        "hosts at the busiest moment": [f"{each.wanted.peak}" for each in columns],
        "gigabytes to viewers": [f"{each.wanted.gigabytes:,.0f}" for each in columns],
    }
    categories = dict.fromkeys(category for each in columns for category in each.by_category)
    for category in categories:
        rows[f"  {category}"] = [f"{each.by_category.get(category, 0):,.2f}" for each in columns]
    rows["together"] = [f"{each.monthly:,.2f}" for each in columns]
    rows["a viewer-hour, everything"] = [f"{each.viewer_hour:.4f}" for each in columns]
    rows["a viewer-hour, without what stands"] = [f"{each.marginal_viewer_hour:.4f}" for each in columns]
    rows["1 000 sessions, everything"] = [f"{each.thousand_sessions:,.2f}" for each in columns]
    for label, cells in rows.items():
        yield f"{label:34}" + "".join(f"{cell:>16}" for cell in cells)


def _sensitivity_told(one: Report) -> Iterator[str]:
    yield f"A viewer-hour at {one.estimates[-1].level.name}, by slots of a host and Mb/s while the product moves"
    yield f"  {'slots':8}" + "".join(f"{megabits:>10g}" for megabits in MEGABITS)
    for slots, cells in one.sensitivity.items():
        yield f"  {slots:8}" + "".join(f"{usd:>10.4f}" for usd in cells.values())
