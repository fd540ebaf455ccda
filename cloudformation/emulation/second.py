"""What ministack refuses and moto knows, made in moto from the same templates: only those types and what they need."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudformation.emulation import deploy
from cloudformation.emulation.checks import Checks
from cloudformation.emulation.deploy import Stack
from cloudformation.emulation.prune import counted, only, pruned
from cloudformation.emulation.servers import Emulator, EmulatorError
from cloudformation.emulation.source import Limits, Source, unequal


@dataclass
class Second:
    """What was met in moto, over all environments. Each `run` adds to it."""

    limits: Limits
    sources: Mapping[str, Source]
    known: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    checks: Checks = field(init=False)

    def __post_init__(self) -> None:
        self.checks = Checks(self.limits.moto.dropped, self.limits.moto.known)

    def run(self, emulator: Emulator, environment: str) -> Iterator[str]:
        """What has such a type made, compared, asked for again and deleted; a line of the table for each stack."""
        refused = set(self.limits.refused)
        self._still_uncounted(emulator)
        self.known |= refused - deploy.ignored_types(emulator, refused)
        yield f"{environment + ', moto':<16}{'created':>9}{'without':>9}{'compared':>10}{'changed':>9}{'seconds':>9}"
        made: list[Stack] = []
        for name, source in self.sources.items():
            start = time.monotonic()
            of_type = {one for one, held in source.document["Resources"].items() if held["Type"] in self.known}
            if not of_type:
                continue
            document, gone = self._cut(emulator, source, of_type)
            values = self._values(source, environment)
            if "VpcCidr" in values:
                document = counted(document, values["VpcCidr"])
            stack = deploy.create(emulator, name, document, values)
            made.append(stack)
            compared = self.checks.compare(emulator, source, document, stack)
            self.checks.same_again(emulator, document, stack)
            took = time.monotonic() - start
            created = sum(kind in self.known for kind, _ in stack.resources.values())
            yield f"{name:<16}{created:>9}{len(gone):>9}{compared:>10}{0:>9}{took:>9.1f}"
        for stack in reversed(made):
            deploy.delete(emulator, stack.name)
            self.checks.gone(emulator, self.sources[stack.name], stack)

    def _still_uncounted(self, emulator: Emulator) -> None:
        """moto knows no Fn::Cidr, which is why the ranges are worked out before."""
        block = {"Fn::Select": [0, {"Fn::Cidr": ["10.0.0.0/16", 1, 8]}]}
        probe = {"Resources": {"Probe": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": block}}}}
        try:
            deploy.create(emulator, "cidr", probe, {})
        except EmulatorError:
            return
        self.checks.wrong.append("moto: knows Fn::Cidr by now: second.py need not count")

    def _cut(self, emulator: Emulator, source: Source, names: set[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The template with these resources and what they need, as far as moto makes that."""
        needed = only(source.document, names)
        types = {str(one["Type"]) for one in needed["Resources"].values()}
        return pruned(needed, deploy.ignored_types(emulator, types), frozenset())

    def _values(self, source: Source, environment: str) -> dict[str, str]:
        given = {"Environment": environment, **self.limits.values, **self.limits.instead}
        values = deploy.values_for(source.template, given, self.limits.moto.values)
        self.used |= {name for name in values if name not in given and source.template.parameters[name].default is None}
        return values

    def problems(self) -> list[str]:
        """Whatever is not as limits.yaml says."""
        listed = self.limits.moto
        return [
            *self.checks.wrong,
            *unequal("refused, moto", self.known, listed.known),
            *unequal("moto: dropped", self.checks.dropped, listed.dropped),
            *unequal("moto: left", self.checks.left, listed.left),
            *unequal("moto: gone, though kept", self.checks.vanished, frozenset()),
            *unequal("moto: values", self.used, listed.values.keys()),
        ]
