"""The real cloud: the only importer of boto3 here. Turns its answers into `port` values and its errors into ours.

Decides nothing: what is shown, confirmed, waited for or deleted is `run`'s, `watch`'s and `removal`'s.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from cloudformation.deploy import template as templates
from cloudformation.deploy.errors import CloudError, CredentialsError, TemplateError
from cloudformation.deploy.port import Change, ChangeSet, Drift, DriftState, Event, Held, Proposal, Stack
from cloudformation.deploy.template import Template

P = ParamSpec("P")
T = TypeVar("T")

CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
CHANGE_SET = "vitrine-cloud"
CHANGE_SET_SECONDS = 600  # with nested stacks, making one takes minutes
MAX_EVENT_PAGES = 5  # a hundred each, of one stack in one go
MAX_NESTING = 6
NESTED = "AWS::CloudFormation::Stack"
_NO_CHANGES = ("didn't contain changes", "no updates are to be performed")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_LOGIN = "give --profile, run `aws sso login`, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@contextmanager
def told() -> Iterator[None]:
    """boto3's errors, as ours."""
    try:
        yield
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.TokenRetrievalError, boto.SSOError) as error:
        raise CredentialsError(f"no AWS credentials ({error}): {_LOGIN}") from error
    except boto.ProfileNotFound as error:
        raise CredentialsError(f"{error}: `aws configure list-profiles` lists those there are") from error
    except (boto.EndpointConnectionError, boto.NoRegionError) as error:
        raise CloudError(f"{error}: check --region, --endpoint-url and the network") from error
    except boto.ClientError as error:
        raise _refused(error) from error
    except boto.BotoCoreError as error:
        raise CloudError(f"{type(error).__name__}: {error}") from error


def _refused(error: boto.ClientError) -> CloudError:
    code, message = _code(error), error.response.get("Error", {}).get("Message", "")
    if code in _EXPIRED:
        return CredentialsError(f"AWS does not take these credentials ({code}): {_LOGIN}")
    if code in _DENIED:
        return CloudError(
            f"{error.operation_name} is not allowed: {message}: docs/cloud/deploy.md says what the role needs"
        )
    return CloudError(f"{error.operation_name}: {code}: {message}")


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _guarded(method: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(method)
    def wrapped(*args: P.args, **named: P.kwargs) -> T:
        with told():
            return method(*args, **named)

    return wrapped


class Aws:
    """One account in one region. Clients are made when they are first needed."""

    def __init__(self, region: str, *, profile: str | None = None, endpoint: str | None = None) -> None:
        with told():
            self._session = boto3.Session(profile_name=profile, region_name=region)
        self._region, self._endpoint = region, endpoint
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """Its name."""
        return self._region

    def client(self, service: str) -> Any:
        """boto3's client of a service, one for all calls."""
        if service not in self._clients:
            style = {"addressing_style": "path"} if self._endpoint else {}
            retries: Any = {"mode": "adaptive", "max_attempts": 8}
            config = Config(retries=retries, connect_timeout=10, read_timeout=60, s3=style)
            self._clients[service] = self._session.client(service, endpoint_url=self._endpoint, config=config)
        return self._clients[service]

    @_guarded
    def account(self) -> str:
        """The account's number."""
        return str(self.client("sts").get_caller_identity()["Account"])

    @_guarded
    def stack(self, name: str) -> Stack | None:
        """The stack, or None."""
        try:
            found = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except boto.ClientError as error:
            if _code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        raw = found[0]
        return Stack(
            name=raw["StackName"],
            id=raw["StackId"],
            status=raw["StackStatus"],
            reason=raw.get("StackStatusReason", ""),
            outputs={one["OutputKey"]: one.get("OutputValue", "") for one in raw.get("Outputs", ())},
            parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in raw.get("Parameters", ())},
            protected=bool(raw.get("EnableTerminationProtection")),
        )

    @_guarded
    def propose(self, proposal: Proposal) -> ChangeSet:
        """A change set, made and waited for; an empty one is removed at once."""
        kind: Literal["CREATE", "UPDATE"] = "CREATE" if proposal.create else "UPDATE"
        cloudformation = self.client("cloudformation")
        made = cloudformation.create_change_set(
            StackName=proposal.stack,
            ChangeSetName=f"{CHANGE_SET}-{time.time_ns()}",
            ChangeSetType=kind,
            TemplateURL=proposal.url,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in proposal.parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in proposal.tags.items()],
            Capabilities=CAPABILITIES,
            IncludeNestedStacks=True,
        )
        empty = ChangeSet(made["Id"], proposal.stack, kind, empty=True)
        if self._change_set_is_empty(made["Id"]):
            self.discard(empty)
            return empty
        return ChangeSet(made["Id"], proposal.stack, kind, tuple(self._changes(made["Id"], "", 0)))

    def _change_set_is_empty(self, change_set: str) -> bool:
        """Waits until a change set can be shown. Raises CloudError when CloudFormation cannot make it."""
        deadline, pause = time.monotonic() + CHANGE_SET_SECONDS, 0.5
        while True:
            seen = self.client("cloudformation").describe_change_set(ChangeSetName=change_set)
            status, reason = seen["Status"], seen.get("StatusReason", "")
            if status == "CREATE_COMPLETE":
                return False
            if status == "FAILED":
                if any(words in reason.lower() for words in _NO_CHANGES):
                    return True
                raise CloudError(f"{seen.get('StackName', change_set)}: no change set: {reason or 'no reason given'}")
            if time.monotonic() > deadline:
                raise CloudError(f"change set {change_set} is {status} after {CHANGE_SET_SECONDS} s; try again")
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def _changes(self, change_set: str, prefix: str, depth: int) -> Iterator[Change]:
        """The changes of a change set and, where CloudFormation made them, of those nested in it."""
        token: dict[str, str] = {}
        while True:
            page = self.client("cloudformation").describe_change_set(ChangeSetName=change_set, **token)
            for one in page.get("Changes", ()):
                raw = one.get("ResourceChange")
                if raw:
                    change = _change(raw, prefix)
                    yield change
                    if change.nested and depth < MAX_NESTING:
                        yield from self._changes(change.nested, f"{change.path}/", depth + 1)
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    @_guarded
    def discard(self, change_set: ChangeSet) -> None:
        """Removes a change set, and the shell of a stack that has never been more than proposed."""
        cloudformation = self.client("cloudformation")
        cloudformation.delete_change_set(ChangeSetName=change_set.id)
        if change_set.kind == "CREATE":
            stack = self.stack(change_set.stack)
            if stack is not None and stack.status == "REVIEW_IN_PROGRESS":
                cloudformation.delete_stack(StackName=stack.id)

    @_guarded
    def execute(self, change_set: ChangeSet) -> None:
        """Begins it."""
        self.client("cloudformation").execute_change_set(ChangeSetName=change_set.id)

    @_guarded
    def events(self, stack_id: str) -> Sequence[Event]:
        """The newest events of one stack, newest first, at most `MAX_EVENT_PAGES` hundred."""
        pages = self.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
        found: list[Event] = []
        for number, page in enumerate(pages):
            found += [_event(raw) for raw in page["StackEvents"]]
            if number + 1 == MAX_EVENT_PAGES:
                break
        return found

    @_guarded
    def protect(self, name: str, on: bool) -> None:
        """Termination protection."""
        self.client("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=on)

    @_guarded
    def delete(self, name: str) -> None:
        """Begins to delete a stack."""
        self.client("cloudformation").delete_stack(StackName=name)

    @_guarded
    def holdings(self, name: str) -> Sequence[Held]:
        """Every resource of a stack and those nested in it, with what its deployed template says of its end."""
        return list(self._held(name, "", 0))

    def _held(self, stack: str, prefix: str, depth: int) -> Iterator[Held]:
        template = self._deployed(stack)
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        for raw in (raw for page in pages for raw in page["StackResourceSummaries"]):
            if raw["ResourceStatus"] == "DELETE_COMPLETE":
                continue
            name, physical = raw["LogicalResourceId"], raw.get("PhysicalResourceId", "")
            known = template.resources.get(name) if template else None
            yield Held(
                path=prefix + name,
                type=raw["ResourceType"],
                physical=physical,
                deletion=known.deletion if known else "unknown",
                data_class=_data_class(known.properties if known else {}),
            )
            if raw["ResourceType"] == NESTED and physical and depth < MAX_NESTING:
                yield from self._held(physical, f"{prefix}{name}/", depth + 1)

    def _deployed(self, stack: str) -> Template | None:
        """The template of a deployed stack; None when it cannot be read."""
        body = self.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
        try:
            return templates.parse(stack, body if isinstance(body, str) else _as_yaml(body))
        except TemplateError:
            return None

    @_guarded
    def begin_drift(self, name: str) -> Sequence[str]:
        """Drift detection of a stack and those nested in it, each of which AWS wants asked by itself."""
        stacks = [name, *(held.physical for held in self._held(name, "", 0) if held.type == NESTED and held.physical)]
        begin = self.client("cloudformation").detect_stack_drift
        return [str(begin(StackName=stack)["StackDriftDetectionId"]) for stack in stacks]

    @_guarded
    def drift_state(self, ticket: str) -> DriftState:
        """Whether a detection is done."""
        describe = self.client("cloudformation").describe_stack_drift_detection_status
        seen = describe(StackDriftDetectionId=ticket)
        status = seen["DetectionStatus"]
        failed = seen.get("DetectionStatusReason", "no reason given") if status == "DETECTION_FAILED" else ""
        return DriftState(done=status != "DETECTION_IN_PROGRESS", failed=failed)

    @_guarded
    def drifts(self, name: str) -> Sequence[Drift]:
        """What differs, nested stacks included."""
        nested = [
            (f"{one.path}/", one.physical) for one in self._held(name, "", 0) if one.type == NESTED and one.physical
        ]
        found: list[Drift] = []
        for prefix, stack in [("", name), *nested]:
            ask: dict[str, Any] = {"StackName": stack, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
            while True:
                page = self.client("cloudformation").describe_stack_resource_drifts(**ask)
                found += [_drift(raw, prefix) for raw in page["StackResourceDrifts"] if raw["ResourceType"] != NESTED]
                if not page.get("NextToken"):
                    break
                ask["NextToken"] = page["NextToken"]
        return found

    @_guarded
    def quota(self, service: str, code: str) -> float | None:
        """The quota in force, or AWS's default; None where neither can be had: a missing right must not stop a plan."""
        quotas = self.client("service-quotas")
        for ask in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
            try:
                return float(ask(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
            except boto.ClientError as error:
                if _code(error) in _EXPIRED:
                    raise
        return None

    @_guarded
    def prefix_lists(self) -> Mapping[str, str]:
        """Ids of AWS's managed prefix lists: of the gateway endpoints, and of CloudFront's own addresses."""
        names = {f"com.amazonaws.{self._region}.{service}": service for service in ("s3", "dynamodb")}
        names["com.amazonaws.global.cloudfront.origin-facing"] = "cloudfront"
        wanted = [{"Name": "prefix-list-name", "Values": list(names)}]
        try:
            found = self.client("ec2").describe_managed_prefix_lists(Filters=wanted)["PrefixLists"]
        except boto.ClientError as error:
            if _code(error) in (*_DENIED, "InvalidAction"):
                return {}
            raise
        return {names[one["PrefixListName"]]: one["PrefixListId"] for one in found if one["PrefixListName"] in names}

    @_guarded
    def ensure_bucket(self, name: str) -> bool:
        """Makes the bucket, or checks that the existing one belongs to this account."""
        from cloudformation.deploy.bucket import ensure

        return ensure(self.client("s3"), name, self._region, self.account())

    @_guarded
    def put(self, bucket: str, key: str, body: bytes | Path) -> bool:
        """Stores bytes, or a file, unless an object of that name is there: the name says what is in it."""
        s3 = self.client("s3")
        try:
            s3.head_object(Bucket=bucket, Key=key)
            return False
        except boto.ClientError as error:
            if _code(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
        if isinstance(body, Path):
            s3.upload_file(str(body), bucket, key)
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        return True

    def template_url(self, bucket: str, prefix: str) -> str:
        """An https address as CloudFormation wants it. Emulators know S3 under its oldest name only."""
        if self._endpoint:
            return f"https://s3.amazonaws.com/{bucket}/{prefix}"
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        return f"https://{bucket}.s3.{self._region}.{suffix}/{prefix}"

    @_guarded
    def empty(self, bucket: str) -> int:
        """Removes every version and every delete marker."""
        from cloudformation.deploy.bucket import empty

        return empty(self.client("s3"), bucket)


def _change(raw: Mapping[str, Any], prefix: str) -> Change:
    targets = (detail.get("Target", {}) for detail in raw.get("Details", ()))
    names = {target.get("Name") or target.get("Attribute") for target in targets}
    return Change(
        path=prefix + raw["LogicalResourceId"],
        type=raw["ResourceType"],
        action=raw["Action"],
        replacement=raw.get("Replacement") or "False",
        properties=tuple(sorted(name for name in names if name)),
        nested=raw.get("ChangeSetId", ""),
    )


def _event(raw: Mapping[str, Any]) -> Event:
    return Event(
        id=raw["EventId"],
        stack=raw["StackId"],
        resource=raw.get("LogicalResourceId", ""),
        type=raw.get("ResourceType", ""),
        status=raw.get("ResourceStatus", ""),
        reason=raw.get("ResourceStatusReason", ""),
        time=raw["Timestamp"],
        physical=raw.get("PhysicalResourceId", ""),
    )


def _drift(raw: Mapping[str, Any], prefix: str) -> Drift:
    return Drift(
        path=prefix + raw["LogicalResourceId"],
        type=raw["ResourceType"],
        status=raw["StackResourceDriftStatus"],
        differences=tuple(
            (one["PropertyPath"], one.get("ExpectedValue", ""), one.get("ActualValue", ""))
            for one in raw.get("PropertyDifferences", ())
        ),
    )


def _data_class(properties: Mapping[str, Any]) -> str:
    tags = properties.get("Tags")
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and tag.get("Key") == "data-class":
            return str(tag.get("Value"))
    return ""


def _as_yaml(body: Mapping[str, Any]) -> str:
    """botocore hands JSON templates over as mappings; JSON is YAML."""
    import json

    return json.dumps(body, default=str)
