"""Our Guard rules, each both ways: a good template passes all of its file, and for each rule something breaks it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudformation.gates import engines, seeds

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("guard_cases.yaml").read_text("utf-8"))
BROKEN = [(name, number) for name, group in CASES.items() for number in range(len(group["cases"]))]
RULE = re.compile(r"^rule (\w+)", re.MULTILINE)


@pytest.fixture(scope="module")
def judge() -> engines.GuardRules:
    """One file's rules, production's included; each file is compiled once."""
    return engines.GuardRules()


def good(name: str) -> dict[str, Any]:
    return {key: value for key, value in copy.deepcopy(CASES[name]).items() if key != "cases"}


@pytest.mark.parametrize("name", CASES)
def test_a_good_template_passes(judge: engines.GuardRules, name: str) -> None:
    assert judge.broken(name, json.dumps(good(name))) == {}


@pytest.mark.parametrize(("name", "number"), BROKEN, ids=str)
def test_what_breaks_a_rule_is_held_against_it(judge: engines.GuardRules, name: str, number: int) -> None:
    case, template = CASES[name]["cases"][number], good(name)
    section = case.get("section", "Resources")
    seeds.change(case, "", template[section] if section else template)
    assert case["rule"] in judge.broken(name, json.dumps(template))


def test_every_rule_has_a_case() -> None:
    rules = {rule for path in engines.RULES.rglob("*.guard") for rule in RULE.findall(path.read_text("utf-8"))}
    assert rules == {case["rule"] for group in CASES.values() for case in group["cases"]}
