"""One stack in an emulator: made, asked for again, changed, deleted. Owns values and waiting, looks into nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from cloudformation.deploy.template import Template
from cloudformation.emulation.servers import Emulator, EmulatorError

SECONDS = 30.0  # for one stack to become what it should
CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_REFUSED = re.compile(r"Unrecognized resource types: \[([^\]]*)\]")
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True, slots=True)
class Stack:
    """One that is there. resources: logical id -> (type, physical id); values: what its parameters were."""

    name: str
    outputs: Mapping[str, str]
    resources: Mapping[str, tuple[str, str]]
    values: Mapping[str, str]


def refused_types(emulator: Emulator, types: set[str]) -> set[str]:
    """Those of `types` that the emulator says it does not know."""
    resources = {f"R{number}": {"Type": kind} for number, kind in enumerate(sorted(types))}
    cloud = emulator.client("cloudformation")
    try:
        cloud.create_stack(
            StackName="types", TemplateBody=json.dumps({"Resources": resources}), Capabilities=CAPABILITIES
        )
    except ClientError as error:
        found = _REFUSED.search(str(error))
        if found is None:
            raise EmulatorError(f"{emulator.name} refuses types in words of another form: {error}") from error
        return {name.strip() for name in found[1].split(",")}
    return set()


def ignored_types(emulator: Emulator, types: Set[str]) -> set[str]:
    """Those of `types` that moto takes without a word and makes nothing of: a stack of one has no resource with an id.

    A type that fails without properties is known.
    """
    cloud = emulator.client("cloudformation")
    ignored: set[str] = set()
    for number, kind in enumerate(sorted(types)):
        name = f"type-{number}"
        try:
            cloud.create_stack(StackName=name, TemplateBody=_body({"Resources": {"Probe": {"Type": kind}}}))
        except (ClientError, ResponseParserError):
            continue
        held = cloud.describe_stack_resources(StackName=name)["StackResources"]
        if not any(one.get("PhysicalResourceId") for one in held):
            ignored.add(kind)
        cloud.delete_stack(StackName=name)
    return ignored


def values_for(template: Template, given: Mapping[str, str], samples: Mapping[str, str]) -> dict[str, str]:
    """A value for every parameter: what was given by that name, its default, or a sample. Raises EmulatorError."""
    values: dict[str, str] = {}
    for name, parameter in template.parameters.items():
        if name in given:
            values[name] = given[name]
        elif parameter.default is None:
            if name not in samples:
                raise EmulatorError(
                    f"{template.name}: no value for {name}: no stack before gives it, and limits.yaml has none"
                )
            values[name] = str(samples[name])
        else:
            values[name] = parameter.default
    return values


def create(
    emulator: Emulator, name: str, document: Mapping[str, Any], values: Mapping[str, str], seconds: float = SECONDS
) -> Stack:
    """Makes a stack and waits. Raises EmulatorError with the first thing that failed."""
    request = {"TemplateBody": _body(document), "Parameters": _parameters(values), "Capabilities": CAPABILITIES}
    try:
        emulator.client("cloudformation").create_stack(StackName=name, **request)
    except (ClientError, ResponseParserError) as error:
        raise EmulatorError(f"{name}: {error}") from error
    return _settled(emulator, name, values, seconds)


def look(emulator: Emulator, name: str) -> Stack:
    """A stack that is there already, by name or id. Raises EmulatorError when it is not as it should be."""
    told = emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return _settled(emulator, name, {one["ParameterKey"]: one["ParameterValue"] for one in told.get("Parameters", [])})


def names(emulator: Emulator) -> set[str]:
    """Of all stacks that are there."""
    pages = emulator.client("cloudformation").get_paginator("describe_stacks").paginate()
    return {str(one["StackName"]) for page in pages for one in page["Stacks"]}


def change_set(emulator: Emulator, stack: Stack, document: Mapping[str, Any]) -> list[str]:
    """The logical ids that an update with this template would touch: none, when nothing is different."""
    cloud = emulator.client("cloudformation")
    names = {"StackName": stack.name, "ChangeSetName": "look"}
    try:
        cloud.create_change_set(
            **names,
            TemplateBody=_body(document),
            Parameters=_parameters(stack.values),
            Capabilities=CAPABILITIES,
            ChangeSetType="UPDATE",
        )
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return []
        raise EmulatorError(f"{stack.name}: no change set: {error}") from error
    end = time.monotonic() + SECONDS
    while True:
        told = cloud.describe_change_set(**names)
        if told["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
        if time.monotonic() > end:
            raise EmulatorError(f"{stack.name}: its change set was not done after {SECONDS:.0f} s")
        time.sleep(0.1)
    cloud.delete_change_set(**names)
    if told["Status"] == "FAILED" and "didn't contain changes" not in told.get("StatusReason", ""):
        raise EmulatorError(f"{stack.name}: its change set failed: {told.get('StatusReason')}")
    return [str(one["ResourceChange"]["LogicalResourceId"]) for one in told.get("Changes", [])]


def update(emulator: Emulator, stack: Stack, document: Mapping[str, Any]) -> Stack:
    """Updates a stack and waits. Raises EmulatorError with the first thing that failed."""
    request = {"TemplateBody": _body(document), "Parameters": _parameters(stack.values), "Capabilities": CAPABILITIES}
    try:
        emulator.client("cloudformation").update_stack(StackName=stack.name, **request)
    except ClientError as error:
        raise EmulatorError(f"{stack.name}: {error}") from error
    return _settled(emulator, stack.name, stack.values)


def delete(emulator: Emulator, name: str, seconds: float = SECONDS) -> None:
    """Deletes a stack and waits. Raises EmulatorError when it will not go."""
    cloud = emulator.client("cloudformation")
    cloud.delete_stack(StackName=name)
    end = time.monotonic() + seconds
    while True:
        status, why = _status(cloud, name)
        if status in ("", "DELETE_COMPLETE"):
            return
        if status == "DELETE_FAILED" or time.monotonic() > end:
            raise EmulatorError(f"{name}: would not be deleted: {status} {why or _first_failure(cloud, name)}")
        time.sleep(0.1)


def _settled(emulator: Emulator, name: str, values: Mapping[str, str], seconds: float = SECONDS) -> Stack:
    cloud = emulator.client("cloudformation")
    end = time.monotonic() + seconds
    while True:
        status, why = _status(cloud, name)
        if status in _DONE:
            break
        if not status.endswith("_IN_PROGRESS") or "ROLLBACK" in status or time.monotonic() > end:
            raise EmulatorError(f"{name}: {status or 'is not there'}: {_first_failure(cloud, name) or why}")
        time.sleep(0.1)
    told = cloud.describe_stacks(StackName=name)["Stacks"][0]
    held = cloud.describe_stack_resources(StackName=name)["StackResources"]
    return Stack(
        name=name,
        outputs={one["OutputKey"]: one["OutputValue"] for one in told.get("Outputs", [])},
        resources={  # moto has an entry without names for what a condition leaves out
            one["LogicalResourceId"]: (one["ResourceType"], one.get("PhysicalResourceId", ""))
            for one in held
            if "LogicalResourceId" in one
        },
        values=dict(values),
    )


def _status(cloud: Any, name: str) -> tuple[str, str]:
    try:
        told = cloud.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        return "", ""
    return str(told["StackStatus"]), str(told.get("StackStatusReason", ""))


def _first_failure(cloud: Any, name: str) -> str:
    try:
        events = cloud.describe_stack_events(StackName=name)["StackEvents"]
    except ClientError as error:
        return str(error)
    told = cloud.describe_events(StackName=name)["OperationEvents"]
    if wrong := [
        f"{one.get('LogicalResourceId')}: {one['ValidationStatusReason']}"
        for one in told
        if "ValidationStatusReason" in one
    ]:
        return "; ".join(wrong[:3])
    failed = [one for one in reversed(events) if one["ResourceStatus"].endswith("_FAILED")]
    return "; ".join(
        f"{one['LogicalResourceId']} ({one['ResourceType']}): {one.get('ResourceStatusReason')}" for one in failed[:3]
    )


def _body(document: Mapping[str, Any]) -> str:
    return json.dumps(document, default=str)


def _parameters(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
