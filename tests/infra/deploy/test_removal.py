"""Destroying: what is shown, what has to be typed, and what is never emptied; and drift."""

from __future__ import annotations

from typing import Any

import pytest

from cloudformation.deploy.drifting import Inspection
from cloudformation.deploy.errors import RefusedError, StackError
from cloudformation.deploy.port import Drift, Held
from cloudformation.deploy.removal import BUCKET, Allowed, Removal, may_empty

CARTS = Held("Data/Carts", "AWS::DynamoDB::Table", "carts", "Delete", "customer")
MODELS = Held("Assets/Models", BUCKET, "models", "Delete", "public")
ORDERS = Held("Assets/Orders", BUCKET, "orders", "Delete", "customer")
KEPT = Held("Keys/Logs", BUCKET, "logs", "Retain", "internal")


def removal(sky: Any, typed: str = "vitrine-dev", allowed: Allowed | None = None, name: str = "dev") -> Removal:
    return Removal(
        sky.environment(name), sky.cloud, sky.lines.append, lambda _: typed, allowed or Allowed(), sky.patience()
    )


@pytest.fixture
def deployed(sky: Any) -> Any:
    sky.deployment().deploy()
    sky.journal.clear()
    return sky


def test_stacks_go_from_the_last_to_the_first(deployed: Any) -> None:
    assert removal(deployed).run() == 3
    assert deployed.journal == [f"delete vitrine-dev-{unit}" for unit in ("edge", "root", "global")]


def test_another_name_deletes_nothing(deployed: Any) -> None:
    with pytest.raises(RefusedError, match="was not typed"):
        removal(deployed, typed="vitrine-prod").run()
    assert deployed.journal == []


def test_what_is_kept_and_lost_is_shown_first(deployed: Any) -> None:
    deployed.cloud("eu-central-1").held = [CARTS, MODELS, KEPT]
    removal(deployed).run()
    text = "\n".join(deployed.lines)
    assert "kept      Keys/Logs" in text
    assert "LOST      Data/Carts" in text
    assert "--empty-buckets" in text


@pytest.mark.parametrize(
    ("allowed", "emptied"),
    [
        (Allowed(), []),
        (Allowed(empty=True), [MODELS]),
        (Allowed(empty=True, customers=True), [MODELS, ORDERS]),
    ],
)
def test_customers_data_needs_its_own_word_and_what_is_kept_is_never_emptied(
    allowed: Allowed, emptied: list[Held]
) -> None:
    unnamed = Held("X", BUCKET, "x", "Delete", "")
    assert [held for held in (MODELS, ORDERS, KEPT, CARTS) if may_empty(held, allowed)] == emptied
    assert may_empty(unnamed, Allowed(empty=True)) is False


def test_buckets_are_emptied_before_their_stack_goes(deployed: Any) -> None:
    deployed.cloud("eu-central-1").held = [MODELS, ORDERS]
    removal(deployed, allowed=Allowed(empty=True)).run()
    assert deployed.journal[1:3] == ["empty models", "delete vitrine-dev-root"]
    assert "empty orders" not in deployed.journal


def test_protection_has_to_be_lifted_by_name(sky: Any) -> None:
    sky.deployment("prod").deploy()
    with pytest.raises(RefusedError, match="--lift-protection"):
        removal(sky, "vitrine-prod", name="prod").run()
    assert removal(sky, "vitrine-prod", Allowed(unprotect=True), "prod").run() == 3


def test_nothing_there_is_no_error(sky: Any) -> None:
    assert removal(sky).run() == 0


def test_drift_is_told_with_both_values(deployed: Any) -> None:
    deployed.cloud("eu-central-1").drifted = [
        Drift("Net/Group", "AWS::EC2::SecurityGroup", "MODIFIED", (("/SecurityGroupIngress", "[]", "0.0.0.0/0"),))
    ]
    deployed.lines.clear()
    inspection = Inspection(deployed.environment(), deployed.cloud, deployed.lines.append, deployed.patience())
    assert inspection.run() == 1
    text = "\n".join(deployed.lines)
    assert "/SecurityGroupIngress: 0.0.0.0/0 instead of []" in text
    assert "not all could be looked at: one type is not supported" in text
    assert "vitrine-dev-edge: as its templates say" in text


def test_drift_of_nothing_is_an_error(sky: Any) -> None:
    with pytest.raises(StackError, match="nothing is deployed"):
        Inspection(sky.environment(), sky.cloud, sky.lines.append, sky.patience()).run()
