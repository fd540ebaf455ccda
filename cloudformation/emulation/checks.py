"""What is asked of a stack that is there: its properties, the same again, one tag more, its end. Creates no stack."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from cloudformation.deploy.evaluate import Scope
from cloudformation.emulation import deploy, readback
from cloudformation.emulation.deploy import Stack
from cloudformation.emulation.servers import Emulator, EmulatorError
from cloudformation.emulation.source import Source

TAG = {"Key": "changed", "Value": "yes"}
KEPT = ("Retain", "RetainExceptOnCreate")
_PSEUDO = {"AWS::AccountId": "000000000000", "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


@dataclass
class Checks:
    """What one emulator was seen to do wrong, and what of it is no surprise.

    types: those that are read back, by default all with a reader; expected: properties known to be dropped;
    dropped, left, vanished: properties; types that were there after deletion, or were not though kept, as met so far.
    """

    expected: Set[str]
    types: Set[str] = frozenset(readback.READERS)
    dropped: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def compare(self, emulator: Emulator, source: Source, document: Mapping[str, Any], stack: Stack) -> int:
        """Reads back what there is a reader for; how many properties were compared."""
        scope = scope_of(emulator, source, stack)
        count = 0
        for logical, (kind, identity) in stack.resources.items():
            if kind not in self.types or logical not in document["Resources"]:
                continue
            wanted = scope.evaluate(document["Resources"][logical].get("Properties", {}))
            try:
                found = readback.READERS[kind](emulator, readback.identity(kind, identity, wanted))
            except (ClientError, IndexError, KeyError, StopIteration) as error:
                self.wrong.append(f"{emulator.name}: {stack.name}.{logical} ({kind}) cannot be read back: {error!r}")
                continue
            self.dropped |= {f"{kind}.{key}" for key in readback.differences(wanted, found)}
            count += len(wanted)
        return count

    def same_again(self, emulator: Emulator, document: Mapping[str, Any], stack: Stack) -> None:
        """The same template again would change nothing."""
        if touched := deploy.change_set(emulator, stack, document):
            self.wrong.append(f"{emulator.name}: {stack.name}: the same again would change {', '.join(touched)}")

    def one_tag_more(self, emulator: Emulator, document: Mapping[str, Any], stack: Stack) -> int:
        """One tag more arrives where it was put. How many resources that touched."""
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
            if isinstance(tags, list) and kind in self.types and f"{kind}.Tags" not in self.expected:
                tags.append(dict(TAG))
                return name, made
        return None

    def gone(self, emulator: Emulator, source: Source, stack: Stack) -> None:
        """After a deletion only what the template keeps is there."""
        for logical, (kind, identity) in stack.resources.items():
            if kind not in self.types or kind in readback.PARTS:
                continue
            kept = source.document["Resources"].get(logical, {}).get("DeletionPolicy") in KEPT
            there = _there(emulator, kind, identity)
            if there and not kept:
                self.left.add(kind)
            elif kept and not there:
                self.vanished.add(kind)


def scope_of(emulator: Emulator, source: Source, stack: Stack) -> Scope:
    """What names mean in a stack that is there."""
    physical = {key: value for key, (_, value) in stack.resources.items()}
    pseudo = {**_PSEUDO, "AWS::AccountId": emulator.account, "AWS::Region": emulator.region}
    return Scope(source.template, {**physical, **stack.values}, {**pseudo, "AWS::StackName": stack.name})


def empty_buckets(emulator: Emulator, stack: Stack) -> None:
    """A bucket that holds something cannot be deleted. Raises EmulatorError."""
    s3 = emulator.client("s3")
    for kind, bucket in stack.resources.values():
        if kind != "AWS::S3::Bucket":
            continue
        try:
            for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=one["Key"])
        except ClientError as error:
            raise EmulatorError(f"{bucket}: could not be emptied: {error}") from error


def _there(emulator: Emulator, kind: str, identity: str) -> bool:
    try:
        readback.READERS[kind](emulator, identity)
    except (ClientError, IndexError, KeyError, StopIteration):
        return False
    return True
