"""Auto Scaling groups as templates have them: how many instances, of which types, bought how. Prices nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudformation.deploy.estate import Placed

GROUP, TEMPLATE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate"
POOL, ACTION = "AWS::AutoScaling::WarmPool", "AWS::AutoScaling::ScheduledAction"


@dataclass(frozen=True)
class Group:
    """One group. least: MinSize; most: MaxSize, a sale's included; types: preferred first; gibibytes: a root volume."""

    unit: str
    stack: str
    id: str
    least: int
    most: int
    types: tuple[str, ...]
    spot: bool
    gibibytes: float
    warm: int = 0
    public: bool = False


def groups(placed: Sequence[Placed]) -> Iterator[Group]:
    """The groups among `placed`; a group whose launch template is another stack's takes that of the same unit."""
    for one in placed:
        if one.type != GROUP:
            continue
        own = _launch(one, placed)
        mixed = one.properties.get("MixedInstancesPolicy") or {}
        yield Group(
            unit=one.unit,
            stack=one.stack,
            id=one.resource.id,
            least=whole(one.properties.get("MinSize")),
            most=max(whole(one.properties.get("MaxSize")), _scheduled(one, placed)),
            types=_types(mixed, own),
            spot=_spot(mixed, own),
            gibibytes=_volume(own),
            warm=_warm(one, placed),
            public=_public(own),
        )


def whole(value: Any, missing: int = 0) -> int:
    """A number out of a template; what is unknown or no number is `missing`."""
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return missing


def _scheduled(group: Placed, placed: Sequence[Placed]) -> int:
    """The most that a scheduled action, such as a sale's, lets the group grow to."""
    there = [one for one in placed if one.type == ACTION and (one.unit, one.stack) == (group.unit, group.stack)]
    return max((whole(one.properties.get("MaxSize")) for one in there), default=0)


def _launch(group: Placed, placed: Sequence[Placed]) -> Mapping[str, Any]:
    """LaunchTemplateData of the template that the group names: in its own stack, else the one whose stack renders."""
    there = [one for one in placed if one.type == TEMPLATE and one.unit == group.unit]
    near = [one for one in there if one.stack == group.stack]
    for one in near or [one for one in there if one.stack.startswith("render")] or there:
        return one.properties.get("LaunchTemplateData") or {}
    return {}


def _types(mixed: Mapping[str, Any], launch: Mapping[str, Any]) -> tuple[str, ...]:
    overrides = (mixed.get("LaunchTemplate") or {}).get("Overrides") or []
    found = [one.get("InstanceType") for one in overrides] or [launch.get("InstanceType")]
    return tuple(one for one in found if isinstance(one, str))


def _spot(mixed: Mapping[str, Any], launch: Mapping[str, Any]) -> bool:
    distribution = mixed.get("InstancesDistribution")
    if isinstance(distribution, dict):
        return whole(distribution.get("OnDemandPercentageAboveBaseCapacity"), 100) == 0
    return (launch.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"


def _volume(launch: Mapping[str, Any]) -> float:
    devices = launch.get("BlockDeviceMappings") or []
    return float(sum(whole((one.get("Ebs") or {}).get("VolumeSize")) for one in devices if isinstance(one, dict)))


def _public(launch: Mapping[str, Any]) -> bool:
    """Whether instances have public IPv4 addresses, which are charged for."""
    interfaces = launch.get("NetworkInterfaces") or []
    return any(
        str(one.get("AssociatePublicIpAddress")).lower() == "true" for one in interfaces if isinstance(one, dict)
    )


def _warm(group: Placed, placed: Sequence[Placed]) -> int:
    """Instances that wait stopped; MinSize of the group's warm pool."""
    pools = [one for one in placed if one.type == POOL and one.stack == group.stack and one.unit == group.unit]
    return max((whole(one.properties.get("MinSize")) for one in pools), default=0)
