"""Our rules that look from one resource to another. Guard judges one resource at a time; these are what it cannot say.

Each reads a template as one environment gets it, and yields who owes something, by logical id, and what.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudformation.gates.model import Finding, Outcome
from cloudformation.gates.resolve import every

Resources = Mapping[str, Mapping[str, Any]]
Complaint = tuple[str, str]
Rule = Callable[[Resources], Iterable[Complaint]]
_TAGS = ("project", "environment", "stack", "data-class")
_TAG_HOLDERS = {  # types that call them otherwise
    "AWS::Backup::BackupPlan": "BackupPlanTags",
    "AWS::Backup::BackupVault": "BackupVaultTags",
    "AWS::Cognito::UserPool": "UserPoolTags",
    "AWS::Route53::HealthCheck": "HealthCheckTags",
    "AWS::Route53::HostedZone": "HostedZoneTags",
}
_MATH_FUNCTIONS = frozenset(
    [
        "ABS",
        "AND",
        "ANOMALY_DETECTION_BAND",
        "ASC",
        "AVG",
        "CEIL",
        "DATAPOINT_COUNT",
        "DATE",
        "DAY",
        "DB_PERF_INSIGHTS",
        "DESC",
        "DIFF",
        "DIFF_TIME",
        "EPOCH",
        "FILL",
        "FIRST",
        "FLOOR",
        "HOUR",
        "IF",
        "INSIGHT_RULE_METRIC",
        "LAMBDA",
        "LAST",
        "LINEAR",
        "LOG",
        "LOG10",
        "MAX",
        "METRICS",
        "METRIC_COUNT",
        "MIN",
        "MINUTE",
        "MONTH",
        "NOT",
        "OR",
        "PERIOD",
        "RATE",
        "REMOVE_EMPTY",
        "REPEAT",
        "RUNNING_SUM",
        "SEARCH",
        "SERVICE_QUOTA",
        "SLICE",
        "SORT",
        "STDDEV",
        "SUM",
        "TIME_SERIES",
        "YEAR",
    ]
)
# Services that act for many customers at once and document aws:SourceAccount or aws:SourceArn in a role's trust.
_DEPUTIES = frozenset(f"{name}.amazonaws.com" for name in ("scheduler", "states", "pipes", "vpc-flow-logs", "firehose"))
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCESS_KEY = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")


def relations(templates: Sequence[Path]) -> Outcome:
    """Every rule below, over every template as dev and as prod get it."""
    found = {
        Finding("relations", rule.__name__.replace("_", "-"), path.stem, resource, message)
        for path in templates
        for document in every(path)
        for rule in RULES
        for resource, message in rule(document["Resources"])
    }
    return Outcome("relations", len(templates), len(RULES), tuple(sorted(found)))


def tagged(resources: Resources) -> Iterator[Complaint]:
    """Whatever takes tags, by the schema of its type, carries ours: bills, backups and people go by them."""
    for name, resource in resources.items():
        holder = _TAG_HOLDERS.get(resource["Type"]) or ("Tags" if _takes_tags(resource["Type"]) else None)
        if holder is None:
            continue
        tags = (resource.get("Properties") or {}).get(holder)
        held = (
            set(tags)
            if isinstance(tags, dict)
            else {str(one.get("Key")) for one in _listed(tags) if isinstance(one, dict)}
        )
        if lacking := [tag for tag in _TAGS if tag not in held]:
            yield name, f"{holder} lacks {', '.join(lacking)}"


@functools.cache
def _takes_tags(kind: str) -> bool:
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    try:
        return "Tags" in PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["properties"]
    except ResourceNotFoundError:
        return False


def metric_math_knows_its_ids(resources: Resources) -> Iterator[Complaint]:
    """CloudWatch takes an expression with an unknown id for one without data: the alarm, or the scaling, never acts."""
    for name, queries in _metric_queries(resources):
        known = {str(query.get("Id")) for query in queries}
        for query in queries:
            words = set(_WORD.findall(_QUOTED.sub("", str(query.get("Expression", "")))))
            for word in sorted(words - known - _MATH_FUNCTIONS - {"m", "e"}):
                yield (
                    name,
                    f"the expression {query['Expression']!r} uses {word}; the ids are {', '.join(sorted(known))}",
                )


def exactly_one_metric_is_returned(resources: Resources) -> Iterator[Complaint]:
    """An alarm or a policy acts on one series."""
    for name, queries in _metric_queries(resources):
        returned = sum(query.get("ReturnData", True) in (True, "true") for query in queries)
        if returned != 1:
            yield name, f"{returned} metrics return data, and 1 has to"


def warm_pool_only_on_demand(resources: Resources) -> Iterator[Complaint]:
    """A group that asks for Spot instances, by its own policy, can have no warm pool."""
    for name, pool in _of(resources, "AWS::AutoScaling::WarmPool"):
        group = resources.get(_target(pool.get("AutoScalingGroupName")), {}).get("Properties", {})
        distribution = group.get("MixedInstancesPolicy", {}).get("InstancesDistribution")
        if distribution is not None and distribution.get("OnDemandPercentageAboveBaseCapacity", 100) not in (
            100,
            "100",
        ):
            yield name, "its group takes Spot instances, and such a group can have no warm pool"


def hosts_drain(resources: Resources) -> Iterator[Complaint]:
    """A group of hosts has a hook at their end, or whoever is on one is cut off."""
    hooked = {
        _target(hook.get("AutoScalingGroupName"))
        for _, hook in _of(resources, "AWS::AutoScaling::LifecycleHook")
        if str(hook.get("LifecycleTransition", "")).endswith("INSTANCE_TERMINATING")
    }
    for name, group in _of(resources, "AWS::AutoScaling::AutoScalingGroup"):
        inline = group.get("LifecycleHookSpecificationList", [])
        if name not in hooked and not any(
            str(one.get("LifecycleTransition", "")).endswith("INSTANCE_TERMINATING") for one in inline
        ):
            yield name, "no lifecycle hook at autoscaling:EC2_INSTANCE_TERMINATING: sessions would be cut off"


def capacity_in_order(resources: Resources) -> Iterator[Complaint]:
    """Least, wanted and most, where all are numbers."""
    for name, group in _of(resources, "AWS::AutoScaling::AutoScalingGroup"):
        sizes = [group.get(key) for key in ("MinSize", "DesiredCapacity", "MaxSize")]
        numbers = [int(size) for size in sizes if isinstance(size, int) or (isinstance(size, str) and size.isdigit())]
        if numbers != sorted(numbers):
            yield name, f"MinSize, DesiredCapacity and MaxSize are {sizes}: each has to be at most the next"


def buckets_refuse_plain_http(resources: Resources) -> Iterator[Complaint]:
    """S3.5: every bucket has a policy; that it denies plain HTTP is Guard's rule."""
    held = {_target(policy.get("Bucket")) for _, policy in _of(resources, "AWS::S3::BucketPolicy")}
    for name, _ in _of(resources, "AWS::S3::Bucket"):
        if name not in held:
            yield name, "S3.5: no bucket policy, so nothing refuses plain HTTP"


def secrets_rotate(resources: Resources) -> Iterator[Complaint]:
    """SecretsManager.1: made here, turned here."""
    turned = {
        _target(schedule.get("SecretId")) for _, schedule in _of(resources, "AWS::SecretsManager::RotationSchedule")
    }
    attached = {
        name: _target(one.get("SecretId"))
        for name, one in _of(resources, "AWS::SecretsManager::SecretTargetAttachment")
    }
    turned |= {attached[name] for name in turned if name in attached}
    for name, _ in _of(resources, "AWS::SecretsManager::Secret"):
        if name not in turned:
            yield name, "SecretsManager.1: nothing rotates it"


def firewalls_log(resources: Resources) -> Iterator[Complaint]:
    """WAF.11: what was refused can be looked up."""
    logged = {_target(one.get("ResourceArn")) for _, one in _of(resources, "AWS::WAFv2::LoggingConfiguration")}
    for name, _ in _of(resources, "AWS::WAFv2::WebACL"):
        if name not in logged:
            yield name, "WAF.11: no logging configuration"


def balancers_have_firewalls(resources: Resources) -> Iterator[Complaint]:
    """ELB.16: an application load balancer that faces the internet stands behind a web ACL."""
    guarded = {_target(one.get("ResourceArn")) for _, one in _of(resources, "AWS::WAFv2::WebACLAssociation")}
    for name, balancer in _of(resources, "AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if balancer.get("Type", "application") == "application" and name not in guarded:
            yield name, "ELB.16: no web ACL is associated with it"


def functions_own_their_logs(resources: Resources) -> Iterator[Complaint]:
    """A function without a log group of ours makes one by itself: kept for ever, and not with our key."""
    names = [json.dumps(group.get("LogGroupName")) for _, group in _of(resources, "AWS::Logs::LogGroup")]
    for name, function in _of(resources, "AWS::Lambda::Function"):
        own = json.dumps(function.get("FunctionName"))[1:-1]
        if not function.get("LoggingConfig", {}).get("LogGroup") and not any(own and own in text for text in names):
            yield name, "no log group of this stack: it would make one that is kept for ever"


def zones_log_queries(resources: Resources) -> Iterator[Complaint]:
    """Route53.2: who asked for what, of public zones."""
    for name, zone in _of(resources, "AWS::Route53::HostedZone"):
        if "VPCs" not in zone and "QueryLoggingConfig" not in zone:
            yield name, "Route53.2: a public zone logs its queries"


def no_credentials_in_text(resources: Resources) -> Iterator[Complaint]:
    """Access keys and private keys, wherever they stand."""
    for name, resource in resources.items():
        if _ACCESS_KEY.search(json.dumps(resource, default=str)):
            yield name, "a credential is written in the template"


def services_in_trust_say_for_whom(resources: Resources) -> Iterator[Complaint]:
    """The confused deputy: a service that acts for many customers may take the role for this account only."""
    for name, role in _of(resources, "AWS::IAM::Role"):
        for statement in _statements(role.get("AssumeRolePolicyDocument", {})):
            services = (
                _listed(statement.get("Principal", {}).get("Service"))
                if isinstance(statement.get("Principal"), dict)
                else []
            )
            deputies = sorted(str(one) for one in services if str(one) in _DEPUTIES)
            if deputies and "aws:Source" not in json.dumps(statement.get("Condition", {})):
                yield (
                    name,
                    f"{', '.join(deputies)} may take this role for any account: say aws:SourceAccount or aws:SourceArn",
                )


RULES: Sequence[Rule] = (
    tagged,
    metric_math_knows_its_ids,
    exactly_one_metric_is_returned,
    warm_pool_only_on_demand,
    hosts_drain,
    capacity_in_order,
    buckets_refuse_plain_http,
    secrets_rotate,
    firewalls_log,
    balancers_have_firewalls,
    functions_own_their_logs,
    zones_log_queries,
    no_credentials_in_text,
    services_in_trust_say_for_whom,
)


def _of(resources: Resources, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, one.get("Properties") or {}) for name, one in resources.items() if one.get("Type") == kind)


def _target(value: Any) -> str:
    """The logical id that a value points at, or the value itself."""
    if isinstance(value, dict):
        if "Ref" in value:
            return str(value["Ref"])
        if "Fn::GetAtt" in value:
            return str(_listed(value["Fn::GetAtt"])[0]).split(".")[0]
        if "Fn::Sub" in value:
            found = re.search(r"\$\{([A-Za-z0-9]+)(\.\w+)?\}$", str(_listed(value["Fn::Sub"])[0]))
            return found[1] if found else ""
    return str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _statements(document: Mapping[str, Any]) -> list[Any]:
    return _listed(document.get("Statement"))


def _metric_queries(resources: Resources) -> Iterator[tuple[str, list[Any]]]:
    for name, alarm in _of(resources, "AWS::CloudWatch::Alarm"):
        if alarm.get("Metrics"):
            yield name, alarm["Metrics"]
    for name, policy in _of(resources, "AWS::AutoScaling::ScalingPolicy"):
        custom = policy.get("TargetTrackingConfiguration", {}).get("CustomizedMetricSpecification", {})
        if custom.get("Metrics"):
            yield name, custom["Metrics"]
