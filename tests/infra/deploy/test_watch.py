"""Waiting: the first cause, patience, and stacks that go on while nobody can look."""

from __future__ import annotations

from typing import Any

import pytest

from cloudformation.deploy.errors import CloudError, StackError
from cloudformation.deploy.port import Event, Stack
from cloudformation.deploy.watch import NESTED, Watch

ARN = "arn:aws:cloudformation:eu-central-1:1:stack/{}/1"


def started(sky: Any, name: str = "s") -> Any:
    cloud = sky.cloud("eu-central-1")
    cloud.stacks[name] = Stack(name, ARN.format(name), "UPDATE_IN_PROGRESS")
    return cloud


def test_the_cause_is_the_first_failure_that_is_no_echo(sky: Any) -> None:
    sky.cloud("us-east-1").broken = {
        "Bucket": "bucket name is taken",
        "Queue": "Resource creation cancelled",
        "Child": "Embedded stack arn was not successfully created: The following resource(s) failed",
    }
    with pytest.raises(StackError) as caught:
        sky.deployment().deploy()
    text = str(caught.value)
    assert "vitrine-dev-global is ROLLBACK_COMPLETE: vitrine-dev-global/Bucket" in text
    assert "bucket name is taken" in text
    assert "What now:" in text
    assert not [line for line in sky.journal if line == "execute vitrine-dev-root"]


def test_failures_of_nested_stacks_are_found(sky: Any) -> None:
    cloud = started(sky)
    parent, child = cloud.stacks["s"], Stack("child", ARN.format("child"), "CREATE_IN_PROGRESS")
    cloud.event(child, "Db", "CREATE_FAILED", "no such subnet")
    link = cloud.history[child.id][0]
    cloud.history[parent.id] = [
        Event("99", parent.id, "Child", NESTED, "CREATE_FAILED", "Embedded stack failed", link.time, child.id)
    ]
    cloud.stack = lambda _: Stack("s", parent.id, "UPDATE_ROLLBACK_COMPLETE")
    with pytest.raises(StackError, match="child/Db .*no such subnet.*as it was before"):
        Watch(cloud, sky.lines.append, sky.patience()).finish(parent.id)


def test_what_happened_before_is_no_news(sky: Any) -> None:
    cloud = started(sky)
    cloud.event(cloud.stacks["s"], "Old", "CREATE_FAILED", "long ago")
    watch = Watch(cloud, sky.lines.append, sky.patience())
    watch.mark(cloud.stacks["s"])
    cloud.stack = lambda _: Stack("s", ARN.format("s"), "UPDATE_COMPLETE")
    assert watch.finish(ARN.format("s")).status == "UPDATE_COMPLETE"
    assert sky.lines == []


def test_patience_ends_and_pauses_grow(sky: Any) -> None:
    cloud = started(sky)
    pauses: list[float] = []
    patience = sky.patience(60.0)
    slept = type(patience)(60.0, patience.clock, lambda s: (pauses.append(s), sky.sleep(s))[1])
    with pytest.raises(StackError, match="still UPDATE_IN_PROGRESS after 1 minutes and goes on"):
        Watch(cloud, sky.lines.append, slept).finish(ARN.format("s"))
    assert pauses == sorted(pauses)
    assert max(pauses) <= 15.0


def test_a_network_that_comes_back_is_waited_for_and_one_that_does_not_is_told(sky: Any) -> None:
    cloud = started(sky)
    answers: list[Any] = [CloudError("away")] * 3 + [Stack("s", ARN.format("s"), "UPDATE_COMPLETE")]

    def stack(_: str) -> Stack:
        answer = answers.pop(0)
        if isinstance(answer, CloudError):
            raise answer
        return answer

    cloud.stack = stack
    assert Watch(cloud, sky.lines.append, sky.patience()).finish("s").status == "UPDATE_COMPLETE"
    answers[:] = [CloudError("away")] * 10
    with pytest.raises(StackError, match="goes on by itself, but cannot be watched: away"):
        Watch(cloud, sky.lines.append, sky.patience()).finish("s")
