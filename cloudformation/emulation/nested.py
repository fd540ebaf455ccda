"""root with all that it nests, as one deployment: counted, read back, asked for again, deleted. Prunes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from cloudformation.emulation import deploy
from cloudformation.emulation.checks import Checks, empty_buckets, scope_of
from cloudformation.emulation.deploy import Stack
from cloudformation.emulation.rounds import REGIONS, ROOT, Round
from cloudformation.emulation.servers import Emulator, EmulatorError
from cloudformation.emulation.source import unequal

SECONDS = 120.0
BUCKET = "nested-templates"
NESTED = "AWS::CloudFormation::Stack"
SECOND_PASS = {"DistributionId": "E0123456789ABC", "DistributionDomainName": "d0123456789abc.cloudfront.net"}
BEFORE = ("global", "recovery")  # units whose outputs root takes


@dataclass
class Whole:
    """root in one emulator. round_: has run, and knows what ministack refuses."""

    round_: Round
    complete: set[str] = field(default_factory=set)
    stumbles: set[str] = field(default_factory=set)
    checks: Checks = field(init=False)

    def __post_init__(self) -> None:
        self.checks = Checks(self.round_.limits.dropped)

    def run(self, emulator: Emulator, environment: str) -> Iterator[str]:
        """A line of the table for each nested stack."""
        given = self.round_.given
        given.begin(emulator, environment)
        before = [self._unit(emulator, name) for name in BEFORE]
        documents = self._documents()
        s3 = emulator.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": emulator.region})
        for name, document in documents.items():
            s3.put_object(Bucket=BUCKET, Key=f"{name}.yaml", Body=json.dumps(document, default=str).encode())
        values = given.values(ROOT, TemplateBase=f"https://s3.amazonaws.com/{BUCKET}")
        start = time.monotonic()
        root = deploy.create(emulator, ROOT, documents[ROOT], values, SECONDS)
        yield f"{environment + ', nested':<16}{'created':>9}{'compared':>10}"
        made = {
            name: replace(deploy.look(emulator, identity), name=f"{ROOT}/{name}")
            for name, identity in self._children(emulator, root)
        }
        for name, stack in made.items():
            yield f"{name:<16}{len(stack.resources):>9}{self._judge(emulator, name, documents[name], stack):>10}"
        self.complete |= made.keys()
        total = sum(len(stack.resources) for stack in made.values())
        yield f"{len(made)} nested stacks, {total} resources, {time.monotonic() - start:.1f} s"
        self._second(emulator, root, documents[ROOT])
        self._delete(emulator, made)
        for where, stack in reversed(before):
            empty_buckets(where, stack)
            deploy.delete(where, stack.name)

    def _unit(self, emulator: Emulator, name: str) -> tuple[Emulator, Stack]:
        where = emulator.at(REGIONS[name])
        stack = deploy.create(where, name, self.round_.known(name)[0], self.round_.given.values(name))
        self.round_.given.take(stack)
        return where, stack

    def _documents(self) -> dict[str, dict[str, Any]]:
        """Pruned, and `instead` of what a sibling would give where limits.yaml says that another refuses that."""
        made = {name: self.round_.known(name)[0] for name in self.round_.sources}
        instead = self.round_.limits.instead
        for resource in made[ROOT]["Resources"].values():
            taken = resource["Properties"].get("Parameters", {})
            taken.update({key: instead[key] for key, value in taken.items() if key in instead and _from_sibling(value)})
        return made

    def _children(self, emulator: Emulator, root: Stack) -> Iterator[tuple[str, str]]:
        """Template's name and stack's id of what root nests; exactly what its conditions let be."""
        source = self.round_.sources[ROOT]
        scope = scope_of(emulator, source, root)
        wanted = {
            name
            for name, held in source.document["Resources"].items()
            if "Condition" not in held or scope.condition(held["Condition"])
        }
        self.checks.wrong += unequal("root nests", set(root.resources), wanted)
        for logical, (_, identity) in root.resources.items():
            url = str(source.document["Resources"][logical]["Properties"]["TemplateURL"]["Fn::Sub"])
            yield PurePosixPath(url).stem, identity

    def _judge(self, emulator: Emulator, name: str, document: Mapping[str, Any], stack: Stack) -> int:
        """Every resource that its conditions let be is there, as asked for. How many properties were compared."""
        source = self.round_.sources[name]
        scope = scope_of(emulator, source, stack)
        wanted = {
            logical
            for logical, held in document["Resources"].items()
            if "Condition" not in held or scope.condition(held["Condition"])
        }
        self.checks.wrong += unequal(f"nested {name}", set(stack.resources), wanted)
        return self.checks.compare(emulator, source, document, stack)

    def _second(self, emulator: Emulator, root: Stack, document: Mapping[str, Any]) -> None:
        """The same again changes nothing. The pass that comes after the edge's stack is tried, too."""
        self.checks.same_again(emulator, document, root)
        again = {**root.values, **SECOND_PASS}
        try:
            deploy.update(emulator, replace(root, values=again), document)
        except EmulatorError as error:
            self.stumbles.add(str(error))

    def _delete(self, emulator: Emulator, made: Mapping[str, Stack]) -> None:
        for stack in made.values():
            empty_buckets(emulator, stack)
        deploy.delete(emulator, ROOT, SECONDS)
        for name, stack in made.items():
            self.checks.gone(emulator, self.round_.sources[name], stack)
        left = deploy.names(emulator) - set(BEFORE)
        self.checks.wrong += [f"nested: the stack {name} is left after root's deletion" for name in sorted(left)]

    def problems(self) -> list[str]:
        """Whatever is not as limits.yaml says. `dropped` is the other rounds' list: nesting must not lose more."""
        limits = self.round_.limits
        return [
            *self.checks.wrong,
            *unequal("nested: templates", self.complete, limits.nested.templates),
            *unequal("nested: vanished", self.checks.vanished, limits.nested.vanished),
            *self._stumbles(),
            *(f"nested: {name} is dropped" for name in sorted(self.checks.dropped - limits.dropped)),
            *(f"nested: a {kind} is left after deletion" for kind in sorted(self.checks.left)),
        ]

    def _stumbles(self) -> Iterator[str]:
        expected = self.round_.limits.nested.second
        if expected and not self.stumbles:
            yield "limits.yaml: nested: second: a second pass over root succeeds by now"
        for told in self.stumbles:
            if not expected or expected not in told:
                yield f"limits.yaml: nested: second: a second pass over root fails otherwise: {told}"


def _from_sibling(value: Any) -> bool:
    return "Outputs." in json.dumps(value, default=str)
