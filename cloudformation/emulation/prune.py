"""A template without what an emulator does not know, and with stand-ins where it spoke of that. Deploys nothing."""

from __future__ import annotations

import copy
import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)(\.[\w.]+)?\}")


def pruned(
    document: Mapping[str, Any], unknown: Set[str], attributes: Set[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The template without resources of the types (or with a type's property) in `unknown`, and their logical ids.

    `attributes` are those like `AWS::EC2::VPC.CidrBlock` that the emulator does not know of a type it knows: the
    property of that name stands in, or else something made up.
    """
    made = _known_attributes(copy.deepcopy(dict(document)), document["Resources"], attributes)
    gone = {
        name
        for name, resource in made["Resources"].items()
        if unknown & {resource["Type"], *(f"{resource['Type']}.{key}" for key in resource.get("Properties", {}))}
    }
    made["Resources"] = {
        name: _resource(resource, gone) for name, resource in made["Resources"].items() if name not in gone
    }
    if "Outputs" in made:
        made["Outputs"] = _without(made["Outputs"], gone)
    return made, tuple(sorted(gone))


def only(document: Mapping[str, Any], wanted: Set[str]) -> dict[str, Any]:
    """The template with the resources `wanted` and those that they name, directly or through others; no outputs."""
    resources = document["Resources"]
    needed: set[str] = set()
    ahead = set(wanted)
    while ahead:
        name = ahead.pop()
        needed.add(name)
        ahead |= (set(_named(resources[name])) & resources.keys()) - needed
    made = {key: value for key, value in document.items() if key != "Outputs"}
    return made | {"Resources": {name: copy.deepcopy(one) for name, one in resources.items() if name in needed}}


def _named(node: Any) -> Iterator[str]:
    """The first part of everything that Ref, GetAtt, Sub and DependsOn name: more than resources."""
    if isinstance(node, list):
        for one in node:
            yield from _named(one)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("Ref", "DependsOn") and isinstance(value, str):
            yield value
        elif key == "DependsOn":
            yield from value
        elif key == "Fn::GetAtt":
            yield (value if isinstance(value, str) else value[0]).split(".")[0]
        elif key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            yield from (match[1] for match in _VARIABLE.finditer(text))
        yield from _named(value)


def counted(node: Any, block: str) -> Any:
    """The template with every IPv4 Fn::Cidr worked out, all of them being of the network whose range `block` is."""
    if isinstance(node, list):
        return [counted(one, block) for one in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::Cidr"} and "CidrBlock" in str(node["Fn::Cidr"][0]) and "Ipv6" not in str(node["Fn::Cidr"][0]):
        _, count, bits = node["Fn::Cidr"]
        parts = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(part) for part in itertools.islice(parts, int(count))]
    return {key: counted(value, block) for key, value in node.items()}


def stand_in(name: str) -> str:
    """What is said instead of something that is not there: long enough, and an ARN, for those who check that."""
    return f"arn:aws:absent:eu-central-1:000000000000:{name}"


def _known_attributes(node: Any, resources: Mapping[str, Any], attributes: Set[str]) -> Any:
    if isinstance(node, list):
        return [_known_attributes(one, resources, attributes) for one in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::GetAtt"}:
        name, _, attribute = ".".join(node["Fn::GetAtt"]).partition(".")
        resource = resources.get(name, {})
        if f"{resource.get('Type')}.{attribute}" in attributes:
            return copy.deepcopy(resource.get("Properties", {}).get(attribute, stand_in(f"{name}-{attribute}")))
    return {key: _known_attributes(value, resources, attributes) for key, value in node.items()}


def _resource(resource: Mapping[str, Any], gone: Set[str]) -> dict[str, Any]:
    made: dict[str, Any] = _without(dict(resource), gone)
    after = made.get("DependsOn")
    if after is not None:
        left = [name for name in ([after] if isinstance(after, str) else after) if name not in gone]
        made = {key: value for key, value in made.items() if key != "DependsOn"} | ({"DependsOn": left} if left else {})
    return made


def _without(node: Any, gone: Set[str]) -> Any:
    if isinstance(node, list):
        return [_without(one, gone) for one in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((key, value),) = node.items()
        if key == "Ref" and value in gone:
            return stand_in(value)
        if key == "Fn::GetAtt" and (value if isinstance(value, str) else value[0]).split(".")[0] in gone:
            return stand_in((value if isinstance(value, str) else value[0]).split(".")[0])
        if key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            text = _VARIABLE.sub(lambda match: stand_in(match[1]) if match[1] in gone else match[0], text)
            return {key: text if isinstance(value, str) else [text, _without(value[1], gone)]}
    return {key: _without(value, gone) for key, value in node.items()}
