"""Whether the account's quotas allow what the templates may grow to. Counts only what this environment wants at most.

What else runs in the account is not counted, so a preflight that passes promises less than one that fails. New accounts
have a quota of 0 for G instances: then an Auto Scaling group stays empty and says so only in its activity history.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cloudformation.deploy import fleets
from cloudformation.deploy.estate import Placed
from cloudformation.deploy.port import Cloud

# Virtual CPUs by instance size; every family that the templates use follows it.
_SIZES = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}
_MULTIPLE = "xlarge"
GPU_FAMILIES = ("g", "vt")
_COUNTED = {  # type → service, code, what it is
    "AWS::EC2::VPC": ("vpc", "L-F678F1CE", "networks in the region"),
    "AWS::EC2::EIP": ("ec2", "L-0263D0A3", "elastic addresses"),
    "AWS::EC2::InternetGateway": ("vpc", "L-A4707A72", "internet gateways"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elasticloadbalancing", "L-53DA6B97", "application load balancers"),
    "AWS::RDS::DBInstance": ("rds", "L-7B6409FD", "database instances"),
    "AWS::DynamoDB::Table": ("dynamodb", "L-F98FE922", "tables"),
}


@dataclass(frozen=True)
class Need:
    """What an environment wants at most of one quota."""

    unit: str
    service: str
    code: str
    what: str
    amount: float


def vcpus(instance_type: str) -> int:
    """Virtual CPUs of one instance: `g5.2xlarge` has 8."""
    _, _, size = instance_type.partition(".")
    if size in _SIZES:
        return _SIZES[size]
    times = size.removesuffix(_MULTIPLE)
    return 4 * int(times) if times.isdigit() else 4


def needs(placed: Sequence[Placed]) -> Iterator[Need]:
    """Every quota that the resources touch, largest sizes assumed."""
    totals: dict[tuple[str, str, str, str], float] = {}
    for group in fleets.groups(placed):
        most = max(map(vcpus, group.types), default=0) * group.most
        key = (group.unit, "ec2", *_instance_quota(group))
        totals[key] = totals.get(key, 0) + most
    for one in placed:
        if one.type in _COUNTED:
            key = (one.unit, *_COUNTED[one.type])
            totals[key] = totals.get(key, 0) + 1
    for key, amount in totals.items():
        if amount:
            yield Need(*key, amount)


def _instance_quota(group: fleets.Group) -> tuple[str, str]:
    gpu = bool(group.types) and group.types[0].startswith(GPU_FAMILIES)
    if gpu:
        return (
            ("L-3819A6DF", "vCPUs of G and VT Spot instances")
            if group.spot
            else ("L-DB2E81BA", "vCPUs of G and VT On-Demand instances")
        )
    return (
        ("L-34B43A08", "vCPUs of standard Spot instances")
        if group.spot
        else ("L-1216C47A", "vCPUs of standard On-Demand instances")
    )


def shortages(placed: Sequence[Placed], clouds: Callable[[str], Cloud]) -> list[str]:
    """What is too small, in words with the way out. clouds: of a unit. Quotas that cannot be read are told, too."""
    found = []
    known: dict[tuple[str, str, str], float | None] = {}
    for need in needs(placed):
        cloud = clouds(need.unit)
        key = (cloud.region, need.service, need.code)
        if key not in known:
            known[key] = cloud.quota(need.service, need.code)
        if (line := _judged(need, known[key], cloud.region)) is not None:
            found.append(line)
    return found


def _judged(need: Need, allowed: float | None, region: str) -> str | None:
    if allowed is None:
        return f"quota {need.code} ({need.what}, {region}) cannot be read; {need.amount:g} are wanted at most"
    if need.amount <= allowed:
        return None
    ask = (
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {need.service} "
        f"--quota-code {need.code} --desired-value {math.ceil(need.amount)}"
    )
    return f"quota {need.code} ({need.what}, {region}) is {allowed:g}, {need.amount:g} are wanted at most: {ask}"


def unreadable(lines: Sequence[str]) -> bool:
    """Whether none of the lines is a real shortage."""
    return all("cannot be read" in line for line in lines)
