"""Plans and deploys an environment. Owns what is shown and asked before anything runs; waiting is `watch`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cloudformation.deploy import changes, quotas
from cloudformation.deploy.bundle import Bundle, Uploaded, upload
from cloudformation.deploy.errors import CloudError, ParameterError, RefusedError, StackError
from cloudformation.deploy.estate import Environment, Step, imagined
from cloudformation.deploy.parameters import Choices, bind
from cloudformation.deploy.port import ChangeSet, Cloud, Proposal, Stack
from cloudformation.deploy.template import Template
from cloudformation.deploy.watch import Patience, Watch, advice

_NEW = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
_PREFIX_LISTS = {"S3PrefixListId": "s3", "DynamoDbPrefixListId": "dynamodb", "CloudFrontPrefixListId": "cloudfront"}
_KEPT = ("AmiBundleKey", "AmiBundleSha256")  # without --ami-bundle, what the stack has
_STUCK = frozenset(
    {
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "CREATE_FAILED",
        "DELETE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_FAILED",
    }
)


@dataclass(frozen=True)
class Talk:
    """The person, or the log, on the other side. ask: whether to go on; loses: whether the change may lose data."""

    tell: Callable[[str], None]
    ask: Callable[[str, bool], bool]


@dataclass
class Deployment:
    """One run of the command over one environment. clouds: one for each region; only: a single unit."""

    environment: Environment
    library: Mapping[str, Template]
    choices: Choices
    clouds: Callable[[str], Cloud]
    talk: Talk
    image: Bundle | None = None
    patience: Patience = field(default_factory=Patience)
    only: str | None = None
    _uploads: dict[str, Uploaded] = field(default_factory=dict)
    _outputs: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def check(self) -> None:
        """Everything that can be wrong without asking AWS. Raises ParameterError."""
        for unit in self.environment.units():
            known = self._known(unit, "https://checked.later/x", "checked-later")
            later = {*self._promised(unit), *_PREFIX_LISTS, *_KEPT}
            bind(self._template(unit), self.choices.parameters.get(unit, {}), known, later)

    def plan(self) -> int:
        """Shows what a deployment would do, leaves only uploaded templates behind; how many stacks would change."""
        changed = 0
        self._need_image()
        for step in self.steps():
            if step.again:
                continue
            change_set = self._proposed(step, planning=True)
            if change_set is None:
                continue
            self._show(step, change_set)
            if not change_set.empty:
                changed += 1
                self._cloud(step.unit).discard(change_set)
        return changed

    def deploy(self) -> int:
        """Every step, shown and confirmed; how many stacks changed. Raises StackError at the first that fails."""
        changed = 0
        self._need_image()
        for step in self.steps():
            change_set = self._proposed(step, planning=False)
            if change_set is None:
                continue
            self._show(step, change_set)
            if not change_set.empty:
                self._confirm(step, change_set)
                self._execute(step, change_set)
                changed += 1
        return changed

    def steps(self) -> list[Step]:
        """The environment's steps, or those of the one unit that was asked for."""
        return [step for step in self.environment.steps() if self.only in (None, step.unit)]

    def preflight(self) -> list[str]:
        """What the account's quotas do not allow, in words."""
        placed = imagined(self.environment, self.library, self.choices)
        return quotas.shortages(list(placed), self._cloud)

    def _need_image(self) -> None:
        """The first deployment cannot do without the image's bundle; better told now than after two stacks."""
        template = self._template("root")
        if self.only not in (None, "root"):
            return
        given = self.choices.parameters.get("root", {})
        needed = {name for name in _KEPT if name in template.parameters and template.parameters[name].default is None}
        if needed - set(given) and self.image is None:
            stack = self._cloud("root").stack(self.environment.stack("root"))
            if stack is None or stack.status in _NEW:
                raise ParameterError("the first deployment needs --ami-bundle FILE; ami/bundle.sh makes it")

    def _show(self, step: Step, change_set: ChangeSet) -> None:
        where = self.environment.region(step.unit)
        if change_set.empty:
            self.talk.tell(f"{change_set.stack} ({where}): no changes")
            return
        self.talk.tell(f"{step.unit}, {where}: {step.reason}")
        for line in changes.shown(change_set):
            self.talk.tell(line)

    def _confirm(self, step: Step, change_set: ChangeSet) -> None:
        """Asks; who declines gets the change set removed and RefusedError."""
        lost = changes.dangers(change_set)
        question = f"Change {change_set.stack} in {self.environment.region(step.unit)}?"
        if lost:
            question = f"{len(lost)} of these may lose data. {question}"
        try:
            if self.talk.ask(question, bool(lost)):
                return
        except RefusedError:
            self._cloud(step.unit).discard(change_set)
            raise
        self._cloud(step.unit).discard(change_set)
        raise RefusedError(f"{change_set.stack}: left as it is; nothing after it was begun")

    def _execute(self, step: Step, change_set: ChangeSet) -> None:
        cloud, name = self._cloud(step.unit), self.environment.stack(step.unit)
        before = cloud.stack(name)
        watch = Watch(cloud, self.talk.tell, self.patience)
        watch.mark(before)
        cloud.execute(change_set)
        try:
            after = watch.finish(before.id if before is not None else name)
        except KeyboardInterrupt:
            self.talk.tell(
                f"{name} goes on by itself; `aws cloudformation cancel-update-stack` would roll an update back"
            )
            raise
        if after is None:
            raise StackError(f"{name} is gone although it was deployed: somebody deleted it meanwhile")
        self._outputs[step.unit] = after.outputs
        if self.environment.name == "prod" and not after.protected:
            cloud.protect(name, True)
        self.talk.tell(f"{name}: {after.status}")

    def _proposed(self, step: Step, *, planning: bool) -> ChangeSet | None:
        """The step's change set; None when this step has nothing to say (yet)."""
        template, cloud = self._template(step.unit), self._cloud(step.unit)
        name = self.environment.stack(step.unit)
        stack = self._usable(cloud.stack(name))
        try:
            values = self._values(step.unit, template, stack)
        except ParameterError:
            if planning and self._waits(step.unit, template):
                self.talk.tell(f"{step.unit}: new; its changes can be shown once the stacks before it are there")
                return None
            raise
        if step.again and stack is not None and not _news(template, values, stack):
            self.talk.tell(f"{name}: nothing new for it from the other stacks")
            return None
        url = f"{self._uploaded(step.unit).base}/{step.unit}.yaml"
        tags = {"project": self.environment.project, "environment": self.environment.name}
        return cloud.propose(Proposal(name, url, values, tags, create=stack is None))

    def _usable(self, stack: Stack | None) -> Stack | None:
        """The stack when it can be updated, None when it has to be made. Raises StackError when neither is so."""
        if stack is None or stack.status in _NEW:
            return None
        if stack.status.endswith("_IN_PROGRESS"):
            raise StackError(f"{stack.name} is {stack.status}: somebody else changes it; wait for them")
        if stack.status in _STUCK:
            raise StackError(f"{stack.name} is {stack.status}. {advice(stack)}")
        return stack

    def _promised(self, unit: str) -> set[str]:
        """Names that other units of this environment give, sooner or later."""
        others = (other for other in self.environment.units() if other != unit and other in self.library)
        return {name for other in others for name in self.library[other].outputs}

    def _waits(self, unit: str, template: Template) -> bool:
        """Whether a parameter without default comes from another unit, which does not stand yet."""
        given = self.choices.parameters.get(unit, {})
        needed = {name for name, one in template.parameters.items() if one.default is None and name not in given}
        there = {name for other in self.environment.units() if other != unit for name in self._seen(other)}
        return bool((needed & self._promised(unit)) - there)

    def _values(self, unit: str, template: Template, stack: Stack | None) -> dict[str, str]:
        """Every parameter's value: the user's choice, what is known, another unit's output, or its default."""
        before = stack.parameters if stack is not None else {}
        found = {name: before[name] for name in _KEPT if name in before}
        for other in self.environment.units():
            if other != unit:
                found |= self._seen(other)
        up = self._uploaded(unit)
        return bind(template, self.choices.parameters.get(unit, {}), found | self._known(unit, up.base, up.bucket))

    def _known(self, unit: str, base: str, bucket: str) -> dict[str, str]:
        """What this command knows by itself."""
        known = {
            "Project": self.environment.project,
            "Environment": self.environment.name,
            "TemplateBase": base,
            "ArtifactBucketName": bucket,
            "HomeRegion": self.environment.home,
            "RecoveryRegion": self.environment.recovery,
        }
        if self.image is not None:
            known |= {"AmiBundleKey": self.image.key, "AmiBundleSha256": self.image.sha256}
        reached = self.environment.region(unit) in self._uploads  # before that nothing is asked of a region
        if reached and any(name in self._template(unit).parameters for name in _PREFIX_LISTS):
            lists = self._cloud(unit).prefix_lists()
            known |= {name: lists[service] for name, service in _PREFIX_LISTS.items() if service in lists}
        return known

    def _uploaded(self, unit: str) -> Uploaded:
        region = self.environment.region(unit)
        if region not in self._uploads:
            one = self.environment
            done = upload(
                self._cloud(unit), one.project, one.name, self.library, self.image if region == one.home else None
            )
            self.talk.tell(f"{region}: {done.uploads} new objects in {done.bucket}{' (made now)' if done.made else ''}")
            self._uploads[region] = done
        return self._uploads[region]

    def _seen(self, unit: str) -> Mapping[str, str]:
        """Outputs of a unit's stack; none while it does not stand."""
        if unit not in self._outputs:
            stack = self._cloud(unit).stack(self.environment.stack(unit))
            if stack is None or stack.status in _NEW:
                return {}
            self._outputs[unit] = stack.outputs
        return self._outputs[unit]

    def _cloud(self, unit: str) -> Cloud:
        return self.clouds(self.environment.region(unit))

    def _template(self, unit: str) -> Template:
        if unit not in self.library:
            raise CloudError(f"{unit}.yaml is not among the templates; this installation is incomplete")
        return self.library[unit]


def _news(template: Template, values: Mapping[str, str], stack: Stack) -> bool:
    """Whether a parameter would change; secret ones cannot be read back and are taken to be the same."""
    return any(
        stack.parameters.get(name) != value for name, value in values.items() if not template.parameters[name].secret
    )
