"""One environment's stacks in one emulator, from the first to nothing left; and where limits.yaml is wrong by now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from botocore.exceptions import ClientError

from cloudformation.emulation import deploy
from cloudformation.emulation.checks import Checks, empty_buckets
from cloudformation.emulation.deploy import Stack
from cloudformation.emulation.given import Given
from cloudformation.emulation.prune import only, pruned
from cloudformation.emulation.servers import Emulator, EmulatorError
from cloudformation.emulation.source import Limits, Source, unequal

REGIONS = {"global": "us-east-1", "edge": "us-east-1", "recovery": "eu-west-1"}  # every other stack is at home
ROOT = "root"  # nests the others; nested.py deploys it
FIRST = (
    "global",
    "recovery",
    "keys",
    "network",
    "endpoints",
    "detection",
    "assets",
    "data",
    "image",
    "signalling",
    "turn",
)


@dataclass
class Round:
    """What was met, over all environments. Each `run` adds to it."""

    limits: Limits
    sources: Mapping[str, Source]
    refused: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    checks: Checks = field(init=False)
    given: Given = field(init=False)

    def __post_init__(self) -> None:
        self.checks = Checks(self.limits.dropped)
        self.given = Given(self.limits, self.sources)

    def run(self, emulator: Emulator, environment: str) -> Iterator[str]:
        """Every stack made, compared, changed and deleted; a line of the table for each."""
        types = {str(one["Type"]) for source in self.sources.values() for one in source.document["Resources"].values()}
        self.refused |= deploy.refused_types(emulator, types)
        self._still_refused(emulator)
        self.given.begin(emulator, environment)
        made: list[tuple[Emulator, Stack]] = []
        yield f"{environment:<16}{'created':>9}{'without':>9}{'compared':>10}{'changed':>9}{'seconds':>9}"
        for name in self._order():
            start = time.monotonic()
            where = emulator.at(REGIONS.get(name, emulator.region))
            document, gone = self.known(name)
            values = self.given.values(name)
            self._still_unknown(where, name, values)
            stack = deploy.create(where, name, document, values)
            made.append((where, stack))
            self.given.take(stack)
            compared = self.checks.compare(where, self.sources[name], document, stack)
            self.checks.same_again(where, document, stack)
            changed = self.checks.one_tag_more(where, document, stack)
            took = time.monotonic() - start
            yield f"{name:<16}{len(stack.resources):>9}{len(gone):>9}{compared:>10}{changed:>9}{took:>9.1f}"
        for where, stack in reversed(made):
            empty_buckets(where, stack)
            deploy.delete(where, stack.name)
            self.checks.gone(where, self.sources[stack.name], stack)

    def known(self, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
        """A template as ministack takes it, and the logical ids that it does so without."""
        return pruned(self.sources[name].document, self.refused | self.limits.refused_with, self.limits.attributes)

    def _still_unknown(self, emulator: Emulator, name: str, values: Mapping[str, str]) -> None:
        """What the template asks of its resources and ministack does not know: each by itself, and still unknown."""
        whole, _ = pruned(self.sources[name].document, self.refused | self.limits.refused_with, frozenset())
        for asked in self.limits.attributes - self.attributes:
            kind, _, attribute = asked.partition(".")
            of_kind = (one for one, held in whole["Resources"].items() if held["Type"] == kind)
            wanted = next((one for one in of_kind if _asks(self.sources[name].document, one, attribute)), None)
            if wanted is None:
                continue
            document = only(self.known(name)[0], {wanted})
            for resource in document["Resources"].values():
                resource.pop("DeletionPolicy", None)
            document["Outputs"] = {"Probe": {"Value": {"Fn::GetAtt": [wanted, attribute]}}}
            try:
                deploy.create(emulator, "probe", document, values)
            except EmulatorError as error:
                if attribute.partition(".")[0] not in str(error):
                    self.wrong.append(f"limits.yaml: attributes: {asked} fails for another reason: {error}")
                self.attributes.add(asked)
            deploy.delete(emulator, "probe")

    def _still_refused(self, emulator: Emulator) -> None:
        """A property that makes ministack refuse a type it knows does so still: one by itself is tried."""
        for name in self.limits.refused_with:
            kind, _, key = name.rpartition(".")
            resources = (one for source in self.sources.values() for one in source.document["Resources"].values())
            example = next((one for one in resources if one["Type"] == kind and key in one.get("Properties", {})), None)
            if example is None:
                self.wrong.append(f"limits.yaml: refused_with: no template has {name}")
                continue
            alone = {
                "Type": kind,
                "Properties": {key: [{"Id": "a"}] if isinstance(example["Properties"][key], list) else {}},
            }
            try:
                deploy.create(emulator, "probe", {"Resources": {"Probe": alone}}, {})
            except (EmulatorError, ClientError) as error:
                if "not supported" not in str(error):
                    self.wrong.append(f"limits.yaml: refused_with: {name} fails for another reason: {error}")
            else:
                self.wrong.append(f"limits.yaml: refused_with: {name} is taken by now")
            deploy.delete(emulator, "probe")

    def _order(self) -> list[str]:
        rest = sorted(self.sources.keys() - {*FIRST, ROOT})
        last = [name for name in ("observability", "alarms") if name in rest]
        hosts = [name for name in rest if name.startswith("render-")]
        middle = [name for name in rest if name not in (*last, *hosts)]
        return [*(name for name in FIRST if name in self.sources), *hosts, *middle, *last]

    def problems(self) -> list[str]:
        """Whatever is not as limits.yaml says."""
        return [
            *self.wrong,
            *self.checks.wrong,
            *self.given.problems(),
            *unequal("refused", self.refused, self.limits.refused.keys()),
            *unequal("attributes", self.attributes, self.limits.attributes),
            *unequal("dropped", self.checks.dropped, self.limits.dropped),
            *unequal("left after deletion", self.checks.left, frozenset()),
            *unequal("gone, though kept", self.checks.vanished, frozenset()),
        ]

    def lists(self) -> str:
        """The lists as they would have to be."""
        refused = {kind: self.limits.refused.get(kind, "gates") for kind in sorted(self.refused)}
        return str(yaml.safe_dump({"refused": refused, "dropped": sorted(self.checks.dropped)}, sort_keys=False))


def _asks(node: Any, name: str, attribute: str) -> bool:
    """Whether a template asks a resource for an attribute, by Fn::GetAtt or in an Fn::Sub."""
    if isinstance(node, list):
        return any(_asks(one, name, attribute) for one in node)
    if not isinstance(node, dict):
        return isinstance(node, str) and f"${{{name}.{attribute}}}" in node
    if set(node) == {"Fn::GetAtt"}:
        return ".".join(node["Fn::GetAtt"]) == f"{name}.{attribute}"
    return any(_asks(one, name, attribute) for one in node.values())
