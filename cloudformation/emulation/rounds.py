"""One environment's stacks in one emulator, from the first to nothing left; and where limits.yaml is wrong by now."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from cloudformation.deploy import template as templates
from cloudformation.deploy.evaluate import Scope
from cloudformation.emulation import deploy, readback
from cloudformation.emulation.deploy import Stack
from cloudformation.emulation.prune import pruned
from cloudformation.emulation.servers import Emulator, EmulatorError

HERE = Path(__file__).resolve().parents[1]
LIMITS = Path(__file__).with_name("limits.yaml")
DATA = frozenset({"exceptions.yaml", "prices.yaml"})
REGIONS = {"global": "us-east-1", "edge": "us-east-1", "recovery": "eu-west-1"}  # every other stack is at home
ROOT = "root"  # only nests the others; `vitrine cloud`'s tests deploy it
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
TAG = {"Key": "changed", "Value": "yes"}
_PSEUDO = {"AWS::AccountId": "000000000000", "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


@dataclass(frozen=True, slots=True)
class Source:
    """A template as its author wrote it, twice: whole, and as what `vitrine cloud` reads of it."""

    document: Mapping[str, Any]
    template: templates.Template


@dataclass(frozen=True, slots=True)
class Limits:
    """limits.yaml."""

    refused: Mapping[str, str]
    refused_with: frozenset[str]
    attributes: frozenset[str]
    dropped: frozenset[str]
    values: Mapping[str, str]
    everything: Mapping[str, str]
    ssm: Mapping[str, str]


@dataclass
class Round:
    """What was met, over all environments. Each `run` adds to it."""

    limits: Limits
    sources: Mapping[str, Source]
    refused: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def run(self, emulator: Emulator, environment: str) -> Iterator[str]:
        """Every stack made, compared, changed and deleted; a line of the table for each."""
        types = {str(one["Type"]) for source in self.sources.values() for one in source.document["Resources"].values()}
        self.refused |= deploy.refused_types(emulator, types)
        self._still_refused(emulator)
        for name, value in self.limits.ssm.items():
            emulator.client("ssm").put_parameter(Name=name, Value=value, Type="String")
        given = {"Environment": environment, **(self.limits.everything if environment == "prod" else {})}
        made: list[tuple[Emulator, Stack]] = []
        yield f"{environment:<16}{'created':>9}{'without':>9}{'compared':>10}{'changed':>9}{'seconds':>9}"
        for name in self._order():
            start = time.monotonic()
            where = emulator.at(REGIONS.get(name, emulator.region))
            document, gone = pruned(
                self.sources[name].document, self.refused | self.limits.refused_with, self.limits.attributes
            )
            values = deploy.values_for(self.sources[name].template, {**given, **self.limits.values}, {})
            stack = deploy.create(where, name, document, values)
            made.append((where, stack))
            given |= {key: value for key, value in stack.outputs.items() if key not in given}
            compared = self._compare(where, name, document, stack)
            changed = self._change(where, document, stack)
            took = time.monotonic() - start
            yield f"{name:<16}{len(stack.resources):>9}{len(gone):>9}{compared:>10}{changed:>9}{took:>9.1f}"
        for where, stack in reversed(made):
            self._delete(where, stack)

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

    def _compare(self, emulator: Emulator, name: str, document: Mapping[str, Any], stack: Stack) -> int:
        """Reads back what there is a reader for; how many properties were compared."""
        source = self.sources[name]
        physical = {key: value for key, (_, value) in stack.resources.items()}
        scope = Scope(
            source.template,
            {**physical, **stack.values},
            {**_PSEUDO, "AWS::Region": emulator.region, "AWS::StackName": stack.name},
        )
        count = 0
        for logical, (kind, identity) in stack.resources.items():
            reader = readback.READERS.get(kind)
            if reader is None or logical not in document["Resources"]:
                continue
            wanted = scope.evaluate(document["Resources"][logical].get("Properties", {}))
            self.stated |= {f"{kind}.{key}" for key in wanted}
            try:
                found = reader(emulator, readback.identity(kind, identity, wanted))
            except (ClientError, IndexError, KeyError) as error:
                self.wrong.append(f"{name}.{logical} ({kind}) cannot be read back: {error}")
                continue
            self.dropped |= {f"{kind}.{key}" for key in readback.differences(wanted, found)}
            count += len(wanted)
        return count

    def _change(self, emulator: Emulator, document: Mapping[str, Any], stack: Stack) -> int:
        """The same again changes nothing; one tag more arrives where it was put. How many resources that touched."""
        if touched := deploy.change_set(emulator, stack, document):
            self.wrong.append(f"{stack.name}: the same template again would change {', '.join(touched)}")
        changed = self._with_one_tag_more(document, stack)
        if changed is None:
            return 0
        logical, again = changed
        touched = deploy.change_set(emulator, stack, again)
        kind, identity = deploy.update(emulator, stack, again).resources[logical]
        tags = readback.READERS[kind](emulator, identity).get("Tags")
        if logical not in touched or not readback.agrees([TAG], tags):
            self.wrong.append(f"{stack.name}: a tag put on {logical} touched {touched or 'nothing'} and left {tags}")
        return len(touched)

    def _with_one_tag_more(self, document: Mapping[str, Any], stack: Stack) -> tuple[str, dict[str, Any]] | None:
        """The first resource whose tags can be read back, and the template in which it has one more."""
        made = copy.deepcopy(dict(document))
        for name, (kind, _) in stack.resources.items():
            tags = made["Resources"].get(name, {}).get("Properties", {}).get("Tags")
            if isinstance(tags, list) and kind in readback.READERS and f"{kind}.Tags" not in self.limits.dropped:
                tags.append(dict(TAG))
                return name, made
        return None

    def _delete(self, emulator: Emulator, stack: Stack) -> None:
        """After it only what the template keeps is there."""
        for kind, identity in stack.resources.values():
            if kind == "AWS::S3::Bucket":
                _empty(emulator, identity)
        deploy.delete(emulator, stack.name)
        for logical, (kind, identity) in stack.resources.items():
            resource = self.sources[stack.name].document["Resources"].get(logical, {})
            kept = resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")
            if kind in readback.READERS and kind not in readback.PARTS and kept != _there(emulator, kind, identity):
                self.wrong.append(
                    f"{stack.name}.{logical} ({kind}) {'is gone, though kept' if kept else 'is left'} after deletion"
                )

    def problems(self) -> list[str]:
        """Whatever is not as limits.yaml says."""
        return [
            *self.wrong,
            *(
                f"limits.yaml: refused: {kind} is refused and not listed"
                for kind in sorted(self.refused - self.limits.refused.keys())
            ),
            *(
                f"limits.yaml: refused: {kind} is known by now, or unused"
                for kind in sorted(self.limits.refused.keys() - self.refused)
            ),
            *(
                f"limits.yaml: dropped: {name} is dropped and not listed"
                for name in sorted(self.dropped - self.limits.dropped)
            ),
            *(
                f"limits.yaml: dropped: {name} is kept by now, or unused"
                for name in sorted(self.limits.dropped - self.dropped)
            ),
        ]

    def lists(self) -> str:
        """The lists as they would have to be."""
        refused = {kind: self.limits.refused.get(kind, "gates") for kind in sorted(self.refused)}
        return str(yaml.safe_dump({"refused": refused, "dropped": sorted(self.dropped)}, sort_keys=False))


def load_limits(path: Path = LIMITS) -> Limits:
    """limits.yaml. Raises EmulatorError when it lacks a list."""
    raw = yaml.safe_load(path.read_text("utf-8"))
    try:
        return Limits(
            refused=raw["refused"],
            refused_with=frozenset(raw["refused_with"]),
            attributes=frozenset(raw["attributes"]),
            dropped=frozenset(raw["dropped"]),
            values=raw["values"],
            everything=raw["everything"],
            ssm=raw["ssm"],
        )
    except KeyError as error:
        raise EmulatorError(f"{path.name}: {error} is missing") from error


def load_templates(folder: Path = HERE) -> dict[str, Source]:
    """Every template of the folder. Raises TemplateError."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.name not in DATA)
    texts = {path.stem: path.read_text("utf-8") for path in paths}
    return {name: Source(templates.document(name, text), templates.parse(name, text)) for name, text in texts.items()}


def _there(emulator: Emulator, kind: str, identity: str) -> bool:
    try:
        readback.READERS[kind](emulator, identity)
    except (ClientError, IndexError, KeyError, StopIteration):
        return False
    return True


def _empty(emulator: Emulator, bucket: str) -> None:
    s3 = emulator.client("s3")
    try:
        for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=one["Key"])
    except ClientError as error:
        raise EmulatorError(f"{bucket}: could not be emptied: {error}") from error
