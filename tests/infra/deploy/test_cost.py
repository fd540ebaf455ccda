"""The estimate against sums made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudformation.deploy import estate, fixed, prices, reporting, traffic
from cloudformation.deploy.errors import DeployError, PriceError
from cloudformation.deploy.estate import imagined
from cloudformation.deploy.reporting import Asked
from cloudformation.deploy.traffic import Assumptions, Fleet, Level

PRICES = prices.read()
GIVEN = Assumptions()


def test_what_stands_by_hand(sky: Any) -> None:
    bill = fixed.bill(list(imagined(sky.environment("prod"), sky.library, sky.choices)), PRICES)
    by_stack = bill.by(lambda item: item.stack)
    assert by_stack["network"] == pytest.approx(2 * 730 * 0.045 + 2 * 730 * 0.01)
    # One host with a public address; 20 GB for it and for each of the two that wait; nine metrics.
    assert by_stack["render"] == pytest.approx(730 * 1.006 + 730 * 0.005 + 3 * 20 * 0.08 + 9 * 0.3)
    assert by_stack["global"] == pytest.approx(0.5)
    assert bill.unpriced == ()


def test_dev_is_smaller_because_its_templates_say_so(sky: Any) -> None:
    one, other = (
        fixed.bill(list(imagined(sky.environment(name), sky.library, sky.choices)), PRICES) for name in ("dev", "prod")
    )
    assert one.by(lambda item: item.category)["GPU"] == pytest.approx(730 * 0.526 + 3 * 20 * 0.08)
    assert one.monthly < other.monthly


def test_a_type_without_price_is_told(sky: Any) -> None:
    placed = list(imagined(sky.environment(), sky.library, sky.choices))
    odd = replace(placed[0], resource=replace(placed[0].resource, type="AWS::New::Thing"))
    assert fixed.bill([odd, odd], PRICES).unpriced == ("AWS::New::Thing (2)",)


def test_bytes_of_an_hour_by_hand() -> None:
    # 1200 s of movement at 1.7 Mb/s, and 600 drags with a still of 100 kB each.
    assert traffic.gigabytes_per_hour(GIVEN) == pytest.approx(1200 * 1.7 / 8000 + 600 * 100e3 / 1e9)


def test_still_viewers_cost_no_egress() -> None:
    assert traffic.gigabytes_per_hour(replace(GIVEN, moving_share=0.0)) == 0


def test_host_hours_by_hand() -> None:
    level = Level("x", 360_000, 4.0)
    wanted = traffic.demand(level, Fleet("g5.xlarge", 1, 20, 20.0), replace(GIVEN, session_seconds=100.0))
    assert wanted.viewer_hours == pytest.approx(10_000)
    assert wanted.extra == pytest.approx(10_000 / (8 * 0.54) - 730)
    assert wanted.peak == 7  # 10 000 / 730 × 4 = 54.8 viewers on 8 slots


def test_a_base_that_carries_the_mean_grows_in_busy_hours() -> None:
    level = Level("x", 36_000, 30.0)
    wanted = traffic.demand(level, Fleet("g5.xlarge", 3, 20, 20.0), replace(GIVEN, session_seconds=100.0))
    assert wanted.peak == 6  # 1 000 / 730 × 30 = 41.1 viewers on 8 slots
    assert wanted.extra == pytest.approx((6 - 3) * 60)


def test_egress_goes_by_tiers() -> None:
    total = sum(part * usd for part, usd in traffic.tiered(60_000.0, PRICES))
    assert total == pytest.approx(10_000 * 0.09 + 40_000 * 0.085 + 10_000 * 0.07)


def test_gpu_and_egress_of_a_level_by_hand() -> None:
    level, fleet = Level("x", 3_600_000, 4.0), Fleet("g5.xlarge", 1, 200, 20.0)
    items = traffic.charges(level, fleet, PRICES, replace(GIVEN, session_seconds=100.0, slots=10.0, utilisation=0.5))
    by_category = fixed.Bill(tuple(items), ()).by(lambda item: item.category)
    extra = 100_000 / 5 - 730
    assert by_category["GPU"] == pytest.approx(extra / 2 * 1.006 + extra / 2 * 0.4024 + extra / 730 * 20 * 0.08)
    gigabytes = 100_000 * (0.255 + 0.06)
    egress = 10_000 * 0.09 + (gigabytes - 10_000) * 0.085 + gigabytes * 0.05 * 0.02
    assert by_category["egress"] == pytest.approx(egress)


def report(sky: Any, **asked: Any) -> reporting.Report:
    return reporting.report(
        sky.environment("prod"), sky.library, sky.choices, PRICES, Asked(**asked), PRICES.checked + timedelta(days=1)
    )


def test_levels_and_what_a_viewer_hour_costs(sky: Any) -> None:
    one = report(sky)
    assert [each.level.name for each in one.estimates] == ["low", "medium", "sale"]
    for each in one.estimates:
        assert each.monthly == pytest.approx(sum(each.by_category.values()))
        assert each.viewer_hour == pytest.approx(each.monthly / each.wanted.viewer_hours)
        assert each.thousand_sessions == pytest.approx(each.viewer_hour * 95 / 3600 * 1000)
    costs = [each.viewer_hour for each in one.estimates]
    assert costs == sorted(costs, reverse=True)


def test_slots_and_bits_move_the_price_the_right_way(sky: Any) -> None:
    table = report(sky, traffic="sale").sensitivity
    assert list(table) == ["4", "8", "12", "24"]
    assert table["4"]["1.7"] > table["8"]["1.7"] > table["24"]["1.7"]
    assert table["8"]["1"] < table["8"]["1.7"] < table["8"]["4"]


def test_slots_are_the_templates_unless_asked(sky: Any) -> None:
    sky.library["render"] = replace(
        sky.library["render"],
        parameters=sky.library["render"].parameters
        | {"SlotsPerHost": replace(sky.library["render"].parameters["SlotsPerHost"], default="11")},
    )
    assert report(sky).assumptions.slots == 11
    assert report(sky, slots=5).assumptions.slots == 5


def test_a_fleet_that_is_too_small_is_told(sky: Any) -> None:
    assert any("groups end at 6" in line for line in report(sky, traffic="sale").warnings)
    assert not any("groups end" in line for line in report(sky, traffic="low").warnings)


def test_old_prices_and_other_regions_are_told() -> None:
    assert PRICES.warnings(PRICES.checked + timedelta(days=180), "us-east-1") == []
    (old,) = PRICES.warnings(PRICES.checked + timedelta(days=181), "us-east-1")
    assert "181 days old" in old
    assert "eu-central-1" in PRICES.warnings(PRICES.checked, "eu-central-1")[0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [({"traffic": "much"}, "low, medium, sale"), ({"traffic": "-1"}, "more than 0"), ({"slots": 0}, "1 to 1000")],
)
def test_odd_options_are_refused(sky: Any, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(DeployError, match=told):
        report(sky, **asked)


def test_json_has_the_same_sums(sky: Any) -> None:
    one = report(sky, traffic="12000")
    data = json.loads(one.as_json())
    assert data["fixed"]["monthly"] == pytest.approx(sum(item["monthly"] for item in data["fixed"]["items"]))
    assert data["levels"][0]["monthly"] == pytest.approx(data["fixed"]["monthly"] + data["levels"][0]["variable"])
    assert data["prices"]["date"] == str(PRICES.checked)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"date": "soon"}, "no day"),
        ({"currency": "EUR"}, "only USD"),
        ({"prices": {"x": {"usd": 1, "per": "h", "source": "nobody"}}}, "needs a source"),
        ({"prices": {"x": {"usd": -1, "per": "h", "source": "public"}}}, "not negative"),
        ({"prices": {"x": {"usd": 1, "source": "public"}}}, "per what"),
    ],
)
def test_a_wrong_price_file_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    raw = yaml.safe_load(prices.FILE.read_text("utf-8")) | change
    path = tmp_path / "prices.yaml"
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(PriceError, match=told):
        prices.read(path)


def test_every_type_of_our_templates_is_priced_or_known_to_be_free() -> None:
    types = {resource.type for one in estate.load().values() for resource in one.resources.values()}
    assert len(types) > 20
    assert sorted(kind for kind in types if not fixed.known(kind)) == []


def test_the_price_files_day_is_not_in_the_future() -> None:
    assert PRICES.checked <= date.today()
