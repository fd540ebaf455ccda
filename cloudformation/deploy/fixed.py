"""What stands costs by the month, with or without traffic: one small function for each type. Counts are the templates'.

A type is priced here, or listed as charged by use, or told as not priced; none is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cloudformation.deploy import fleets, quotas
from cloudformation.deploy.estate import Placed
from cloudformation.deploy.prices import Prices

HOURS = 730.0  # in a month, as AWS's own estimates have it
METRICS = 9  # that the hosts of one group publish about it (docs/fleet.md)
ASSUMED_ZONES = 3  # where a template's number of subnets is known after deployment only


@dataclass(frozen=True)
class Item:
    """One line of the bill. quantity × usd is the month's charge; usd: of one `unit`."""

    stack: str
    category: str
    what: str
    quantity: float
    unit: str
    usd: float

    @property
    def monthly(self) -> float:
        """US dollars a month."""
        return self.quantity * self.usd


@dataclass(frozen=True)
class Bill:
    """Every standing charge. unpriced: what has no price here, in words."""

    items: tuple[Item, ...]
    unpriced: tuple[str, ...]

    @property
    def monthly(self) -> float:
        """US dollars a month."""
        return sum(item.monthly for item in self.items)

    def by(self, key: Callable[[Item], str]) -> dict[str, float]:
        """Totals by stack or category, the dearest first."""
        totals: dict[str, float] = {}
        for item in self.items:
            totals[key(item)] = totals.get(key(item), 0.0) + item.monthly
        return dict(sorted(totals.items(), key=lambda pair: -pair[1]))


@dataclass(frozen=True)
class Context:
    """What pricing one resource may look at."""

    prices: Prices
    placed: Sequence[Placed]


Pricer = Callable[[Placed, Context], Iterator[Item]]


def bill(placed: Sequence[Placed], prices: Prices) -> Bill:
    """The standing charges of the resources."""
    context = Context(prices, placed)
    items: list[Item] = []
    unpriced: dict[str, int] = {}
    for one in placed:
        if one.type in PRICERS:
            for item in PRICERS[one.type](one, context):
                if item.usd < 0:
                    unpriced[item.what] = unpriced.get(item.what, 0) + 1
                else:
                    items.append(item)
        elif not known(one.type):
            unpriced[one.type] = unpriced.get(one.type, 0) + 1
    items += _once(placed, prices)
    return Bill(tuple(item for item in items if item.quantity), tuple(f"{what} ({n})" for what, n in unpriced.items()))


def known(kind: str) -> bool:
    """Whether a type is priced, charged by use, or free."""
    return kind in PRICERS or kind in BY_USE or kind.startswith(FREE)


def _hourly(category: str, what: str, price: str) -> Pricer:
    def pricer(one: Placed, context: Context) -> Iterator[Item]:
        yield Item(one.stack, category, what, HOURS, "hour", context.prices.usd(price))

    return pricer


def _monthly(category: str, what: str, price: str) -> Pricer:
    def pricer(one: Placed, context: Context) -> Iterator[Item]:
        yield Item(one.stack, category, what, 1, "month", context.prices.usd(price))

    return pricer


def _missing(one: Placed, what: str) -> Item:
    """A resource whose price is not in the file: told, not counted."""
    return Item(one.stack, "", what, 0, "", -1.0)


def _endpoint(one: Placed, context: Context) -> Iterator[Item]:
    if one.properties.get("VpcEndpointType", "Gateway") != "Interface":
        return
    subnets = one.properties.get("SubnetIds")
    zones = len(subnets) if isinstance(subnets, list) else ASSUMED_ZONES
    yield Item(
        one.stack, "network", "interface endpoint", zones * HOURS, "hour", context.prices.usd("interface_endpoint")
    )


def _balancer(one: Placed, context: Context) -> Iterator[Item]:
    network = one.properties.get("Type") == "network"
    kind = "network_load_balancer" if network else "application_load_balancer"
    yield Item(one.stack, "load balancing", kind.replace("_", " "), HOURS, "hour", context.prices.usd(kind))


def _group(one: Placed, context: Context) -> Iterator[Item]:
    """Instances that always run, their addresses and volumes, and the volumes of those that wait stopped."""
    found = (each for each in fleets.groups(context.placed) if (each.stack, each.id) == (one.stack, one.resource.id))
    for group in found:
        kind = group.types[0] if group.types else "unknown type"
        gpu = kind.startswith(quotas.GPU_FAMILIES) and not kind.startswith("gr")
        category = "GPU" if gpu else "other instances"
        if group.least and not context.prices.has("instances", kind):
            yield _missing(one, f"instance type {kind}")
        elif group.least:
            usd = context.prices.entry("instances", kind, "spot" if group.spot else "usd")
            yield Item(one.stack, category, f"{group.least} × {kind}", group.least * HOURS, "hour", usd)
            if group.public:
                address = context.prices.usd("public_ipv4")
                yield Item(one.stack, "network", "public address", group.least * HOURS, "hour", address)
        if gpu:
            yield Item(one.stack, "observability", "fleet metrics", METRICS, "month", context.prices.usd("metric"))
        gibibytes = (group.least + group.warm) * group.gibibytes
        yield Item(one.stack, category, "volumes", gibibytes, "GB-month", context.prices.usd("volume_gp3"))


def _database(one: Placed, context: Context) -> Iterator[Item]:
    kind = one.properties.get("DBInstanceClass")
    copies = 2 if str(one.properties.get("MultiAZ")).lower() == "true" else 1
    if not isinstance(kind, str) or not context.prices.has("databases", kind):
        yield _missing(one, f"database class {kind}")
        return
    usd = context.prices.entry("databases", kind, "usd")
    yield Item(one.stack, "database", f"{copies} × {kind}", copies * HOURS, "hour", usd)
    gibibytes = copies * fleets.whole(one.properties.get("AllocatedStorage"))
    yield Item(one.stack, "database", "storage", gibibytes, "GB-month", context.prices.usd("database_storage"))
    if one.properties.get("DatabaseInsightsMode") == "advanced":
        vcpus = copies * context.prices.entry("databases", kind, "vcpus")
        price = context.prices.usd("database_insights")
        yield Item(one.stack, "database", "advanced insights", vcpus * HOURS, "vCPU-hour", price)


def _proxy(one: Placed, context: Context) -> Iterator[Item]:
    """By the virtual CPUs of the database behind it, at least two."""
    kinds = [each.properties.get("DBInstanceClass") for each in context.placed if each.type == "AWS::RDS::DBInstance"]
    known = [kind for kind in kinds if isinstance(kind, str) and context.prices.has("databases", kind)]
    vcpus = max((context.prices.entry("databases", kind, "vcpus") for kind in known[:1]), default=2.0)
    yield Item(
        one.stack, "database", "proxy", max(vcpus, 2.0) * HOURS, "vCPU-hour", context.prices.usd("database_proxy")
    )


def _cache(one: Placed, context: Context) -> Iterator[Item]:
    kind = one.properties.get("CacheNodeType")
    groups = max(1, fleets.whole(one.properties.get("NumNodeGroups"), 1))
    replicas = fleets.whole(one.properties.get("ReplicasPerNodeGroup"), -1)
    nodes = groups * (1 + replicas) if replicas >= 0 else fleets.whole(one.properties.get("NumCacheClusters"), 1)
    if not isinstance(kind, str) or not context.prices.has("caches", kind):
        yield _missing(one, f"cache node type {kind}")
        return
    yield Item(
        one.stack, "cache", f"{nodes} × {kind}", nodes * HOURS, "hour", context.prices.entry("caches", kind, "usd")
    )


def _serverless_cache(one: Placed, context: Context) -> Iterator[Item]:
    usd = context.prices.usd("serverless_cache_storage")
    yield Item(one.stack, "cache", "serverless cache, least storage", 0.1 * HOURS, "GB-hour", usd)


def _web_acl(one: Placed, context: Context) -> Iterator[Item]:
    yield Item(one.stack, "security", "web ACL", 1, "month", context.prices.usd("web_acl"))
    rules = one.properties.get("Rules")
    count = len(rules) if isinstance(rules, list) else 0
    yield Item(one.stack, "security", "web ACL rules", count, "month", context.prices.usd("web_acl_rule"))


def _alarm(one: Placed, context: Context) -> Iterator[Item]:
    """A metric-math alarm is charged for every metric it reads; periods under a minute cost three times as much."""
    queries = one.properties.get("Metrics")
    stats = [query["MetricStat"] for query in queries if "MetricStat" in query] if isinstance(queries, list) else []
    periods = [fleets.whole(stat.get("Period"), 60) for stat in stats] or [
        fleets.whole(one.properties.get("Period"), 60)
    ]
    for fast in (False, True):
        count = sum((period < 60) == fast for period in periods)
        price = "alarm_fast" if fast else "alarm"
        yield Item(one.stack, "observability", price.replace("_", " "), count, "month", context.prices.usd(price))


def _canary(one: Placed, context: Context) -> Iterator[Item]:
    expression = str((one.properties.get("Schedule") or {}).get("Expression", ""))
    match = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", expression)
    minutes = int(match.group(1)) * (60 if match.group(2) == "hour" else 1) if match else 5
    usd = context.prices.usd("canary_run")
    yield Item(one.stack, "observability", "canary runs", HOURS * 60 / max(minutes, 1), "run", usd)


def _health_check(one: Placed, context: Context) -> Iterator[Item]:
    config: Any = one.properties.get("HealthCheckConfig") or {}
    kind = str(config.get("Type", ""))
    options = sum(
        (kind.startswith("HTTPS"), "STR_MATCH" in kind, bool(config.get("MeasureLatency"))),
    )
    yield Item(one.stack, "DNS", "health check", 1, "month", context.prices.usd("health_check"))
    yield Item(one.stack, "DNS", "health check options", options, "month", context.prices.usd("health_check_option"))


def _stream(one: Placed, context: Context) -> Iterator[Item]:
    mode = (one.properties.get("StreamModeDetails") or {}).get("StreamMode")
    shards = fleets.whole(one.properties.get("ShardCount"), 1)
    price, count = ("stream_on_demand", 1) if mode == "ON_DEMAND" else ("stream_shard", shards)
    yield Item(one.stack, "analytics", "stream", count * HOURS, "hour", context.prices.usd(price))


def _reservation(one: Placed, context: Context) -> Iterator[Item]:
    kind, count = str(one.properties.get("InstanceType")), fleets.whole(one.properties.get("InstanceCount"))
    if count and not context.prices.has("instances", kind):
        yield _missing(one, f"instance type {kind}")
    elif count:
        usd = context.prices.entry("instances", kind, "usd")
        yield Item(one.stack, "GPU", f"{count} × {kind} reserved", count * HOURS, "hour", usd)


def _governed(amount: str, price: str, per: float, what: str) -> Pricer:
    """A service that is charged by what it looks at; how much is the price file's assumption."""

    def pricer(one: Placed, context: Context) -> Iterator[Item]:
        quantity = context.prices.entry("governance", amount, "amount") / per
        yield Item(one.stack, "security", what, quantity, "assumed unit", context.prices.usd(price))

    return pricer


def _guardduty(one: Placed, context: Context) -> Iterator[Item]:
    yield from _governed("flow_gigabytes", "guardduty_flow_gigabyte", 1, "GuardDuty: flow logs (assumed)")(one, context)
    yield from _governed("management_events", "guardduty_events", 1e6, "GuardDuty: events (assumed)")(one, context)


def _once(placed: Sequence[Placed], prices: Prices) -> Iterator[Item]:
    """Charged once, however many resources there are."""
    shields = [one for one in placed if one.type == "AWS::Shield::Protection"]
    if shields:
        yield Item(shields[0].stack, "security", "Shield Advanced", 1, "month", prices.usd("shield_advanced"))


PRICERS: dict[str, Pricer] = {
    "AWS::AutoScaling::AutoScalingGroup": _group,
    "AWS::CloudTrail::Trail": _governed("trail_data_events", "trail_events", 1e5, "CloudTrail: data events (assumed)"),
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _monthly("observability", "composite alarm", "alarm_composite"),
    "AWS::CloudWatch::Dashboard": _monthly("observability", "dashboard", "dashboard"),
    "AWS::Config::ConfigurationRecorder": _governed("config_items", "config_item", 1, "Config: items (assumed)"),
    "AWS::EC2::CapacityReservation": _reservation,
    "AWS::EC2::EIP": _hourly("network", "public address", "public_ipv4"),
    "AWS::EC2::FlowLog": _governed("flow_gigabytes", "log_gigabyte", 1, "flow logs taken in (assumed)"),
    "AWS::EC2::NatGateway": _hourly("network", "NAT gateway", "nat_gateway"),
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ElastiCache::ReplicationGroup": _cache,
    "AWS::ElastiCache::ServerlessCache": _serverless_cache,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _balancer,
    "AWS::GuardDuty::Detector": _guardduty,
    "AWS::KMS::Key": _monthly("security", "key", "kms_key"),
    "AWS::KMS::ReplicaKey": _monthly("security", "key", "kms_key"),
    "AWS::Kinesis::Stream": _stream,
    "AWS::RDS::DBInstance": _database,
    "AWS::RDS::DBProxy": _proxy,
    "AWS::Route53::HealthCheck": _health_check,
    "AWS::Route53::HostedZone": _monthly("DNS", "hosted zone", "hosted_zone"),
    "AWS::SecretsManager::Secret": _monthly("security", "secret", "secret"),
    "AWS::SecurityHub::Hub": _governed("security_checks", "security_check", 1, "Security Hub: checks (assumed)"),
    "AWS::Synthetics::Canary": _canary,
    "AWS::WAFv2::WebACL": _web_acl,
}
# Charged by what is done with them: in the traffic's part of the estimate, or too little to count.
BY_USE = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::Backup::BackupPlan",
        "AWS::Backup::BackupVault",
        "AWS::CloudFront::Distribution",
        "AWS::CloudFront::MonitoringSubscription",
        "AWS::Cognito::UserPool",
        "AWS::Config::ConfigRule",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::IVS::Channel",
        "AWS::ImageBuilder::ImagePipeline",
        "AWS::KinesisFirehose::DeliveryStream",
        "AWS::Lambda::Function",
        "AWS::Logs::Delivery",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SES::EmailIdentity",
        "AWS::SageMaker::FeatureGroup",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    }
)
# Configuration without a charge of its own, by service or type.
FREE = (
    "AWS::AccessAnalyzer::",
    "AWS::ApiGatewayV2::",
    "AWS::ApplicationAutoScaling::",
    "AWS::AutoScaling::",
    "AWS::Backup::",
    "AWS::Budgets::",
    "AWS::CE::",
    "AWS::CertificateManager::",
    "AWS::CloudFormation::",
    "AWS::CloudFront::",
    "AWS::CloudWatch::",
    "AWS::Cognito::",
    "AWS::Config::",
    "AWS::EC2::",
    "AWS::ElastiCache::",
    "AWS::ElasticLoadBalancingV2::",
    "AWS::Events::",
    "AWS::GuardDuty::",
    "AWS::IAM::",
    "AWS::IVS::",
    "AWS::IVSChat::",
    "AWS::ImageBuilder::",
    "AWS::KMS::Alias",
    "AWS::Kinesis::",
    "AWS::Lambda::",
    "AWS::Logs::",
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBProxyEndpoint",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::RDS::DBSubnetGroup",
    "AWS::RDS::EventSubscription",
    "AWS::ResourceGroups::",
    "AWS::Route53::",
    "AWS::S3::",
    "AWS::SES::",
    "AWS::SNS::",
    "AWS::SQS::",
    "AWS::SSM::",
    "AWS::SageMaker::Model",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::SageMaker::EndpointConfig",
    "AWS::Scheduler::",
    "AWS::SecretsManager::",
    "AWS::SecurityHub::",
    "AWS::Shield::",
    "AWS::WAFv2::",
    "Custom::",
)
