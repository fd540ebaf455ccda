"""Takes an environment down. Owns what is shown, which buckets may be emptied, and that its name has to be typed.

Refuses to touch what a template retains; empties nothing that holds customers' data unless asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cloudformation.deploy.errors import RefusedError, StackError
from cloudformation.deploy.estate import Environment
from cloudformation.deploy.port import Cloud, Held, Stack
from cloudformation.deploy.template import STATEFUL
from cloudformation.deploy.watch import Patience, Watch

BUCKET = "AWS::S3::Bucket"
HARMLESS = frozenset({"public", "internal"})  # data classes whose buckets --empty-buckets may empty


@dataclass(frozen=True)
class Allowed:
    """What was asked for beyond deleting. customers: also buckets with customers' data or of no stated class."""

    empty: bool = False
    customers: bool = False
    unprotect: bool = False


@dataclass(frozen=True)
class Target:
    """One stack that stands, with everything in it."""

    unit: str
    stack: Stack
    held: Sequence[Held]


@dataclass
class Removal:
    """One run of `destroy`. typed: asks for the name and gives back what was typed."""

    environment: Environment
    clouds: Callable[[str], Cloud]
    tell: Callable[[str], None]
    typed: Callable[[str], str]
    allowed: Allowed = field(default_factory=Allowed)
    patience: Patience = field(default_factory=Patience)

    @property
    def name(self) -> str:
        """What has to be typed."""
        return f"{self.environment.project}-{self.environment.name}"

    def run(self) -> int:
        """Shows, asks, deletes from the last stack to the first; how many. Raises RefusedError or StackError."""
        targets = list(self._targets())
        if not targets:
            self.tell(f"{self.name}: nothing stands in {', '.join(self._regions())}")
            return 0
        for target in targets:
            for line in shown(target, self.allowed):
                self.tell(line)
        protected = [target.stack.name for target in targets if target.stack.protected]
        if protected and not self.allowed.unprotect:
            raise RefusedError(f"{', '.join(protected)}: protected against deletion; --lift-protection takes that away")
        if self.typed(f"Type {self.name} to delete {len(targets)} stacks: ").strip() != self.name:
            raise RefusedError(f"{self.name} was not typed; nothing was deleted")
        for target in targets:
            self._delete(target)
        return len(targets)

    def _regions(self) -> list[str]:
        return list(dict.fromkeys(self.environment.region(unit) for unit in self.environment.units()))

    def _targets(self) -> Iterator[Target]:
        for unit in reversed(self.environment.units()):
            cloud = self.clouds(self.environment.region(unit))
            stack = cloud.stack(self.environment.stack(unit))
            if stack is None or stack.status == "DELETE_COMPLETE":
                continue
            if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
                raise StackError(f"{stack.name} is {stack.status}: somebody else changes it; wait for them")
            yield Target(unit, stack, cloud.holdings(stack.name))

    def _delete(self, target: Target) -> None:
        cloud = self.clouds(self.environment.region(target.unit))
        for held in target.held:
            if may_empty(held, self.allowed):
                self.tell(f"  emptied {held.physical}: {cloud.empty(held.physical)} versions of objects")
        watch = Watch(cloud, self.tell, self.patience)
        watch.mark(target.stack)
        if target.stack.protected:
            cloud.protect(target.stack.name, False)
        cloud.delete(target.stack.name)
        watch.finish(target.stack.id)
        self.tell(f"{target.stack.name}: deleted")


def may_empty(held: Held, allowed: Allowed) -> bool:
    """Whether a bucket is to be emptied before its stack is deleted. A retained one never is."""
    if held.type != BUCKET or held.deletion != "Delete" or not held.physical:
        return False
    return allowed.customers or (allowed.empty and held.data_class in HARMLESS)


def shown(target: Target, allowed: Allowed) -> Iterator[str]:
    """What becomes of everything with state in one stack."""
    kinds: Mapping[str, list[Held]] = {"kept": [], "snapshot": [], "lost": [], "unknown": []}
    for held in target.held:
        kind = {"Retain": "kept", "RetainExceptOnCreate": "kept", "Snapshot": "snapshot", "unknown": "unknown"}.get(
            held.deletion, "lost"
        )
        if kind != "lost" or held.type in STATEFUL:
            kinds[kind].append(held)
    yield f"{target.stack.name} ({target.stack.status}): {len(target.held)} resources"
    for held in kinds["kept"]:
        yield f"  kept      {held.path}  {held.type}  {held.physical}"
    for held in kinds["snapshot"]:
        yield f"  snapshot  {held.path}  {held.type}: a last snapshot is made and kept"
    for held in kinds["lost"]:
        yield f"  LOST      {held.path}  {held.type}  {held.physical}{_bucket(held, allowed)}"
    for held in kinds["unknown"]:
        yield f"  unknown   {held.path}  {held.type}: the deployed template cannot be read"


def _bucket(held: Held, allowed: Allowed) -> str:
    if held.type != BUCKET:
        return ""
    if may_empty(held, allowed):
        return ": every version of every object is removed first"
    flag = "--empty-buckets" if held.data_class in HARMLESS else "--empty-customer-data"
    return f": stays, and fails the deletion, unless it is empty or {flag} is given"
