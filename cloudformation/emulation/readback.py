"""What a service's own API says of what was created, in CloudFormation's words. Owns one reader a type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cloudformation.deploy.evaluate import UNKNOWN
from cloudformation.deploy.template import as_text
from cloudformation.emulation.servers import Emulator

Reader = Callable[[Emulator, str], Mapping[str, Any]]
_SCALAR = (str, int, float, bool)


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """The properties that were asked for and are not there as asked. What only a deployment knows is not compared."""
    for name, value in wanted.items():
        if not agrees(value, found.get(name)):
            yield name


def agrees(wanted: Any, found: Any) -> bool:
    """Whether all that is wanted is there; more may be. Lists are taken as sets."""
    if wanted is UNKNOWN or wanted is None:
        return True
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(agrees(value, found.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list):
        found = found if isinstance(found, list) else [] if found is None else [found]
        return len(found) >= len(wanted) and all(any(agrees(one, other) for other in found) for one in wanted)
    return isinstance(found, _SCALAR) and as_text(wanted) == as_text(found)


def _tags(pairs: Any) -> list[dict[str, str]]:
    return (
        [{"Key": key, "Value": value} for key, value in pairs.items()] if isinstance(pairs, dict) else list(pairs or [])
    )


def _bucket(emulator: Emulator, name: str) -> Mapping[str, Any]:
    s3 = emulator.client("s3")
    encryption = _maybe(s3.get_bucket_encryption, "ServerSideEncryptionConfiguration", Bucket=name) or {"Rules": []}
    lifecycle = _maybe(s3.get_bucket_lifecycle_configuration, "Rules", Bucket=name) or []
    ownership = _maybe(s3.get_bucket_ownership_controls, "OwnershipControls", Bucket=name)
    return {
        "BucketName": name,
        "VersioningConfiguration": {"Status": s3.get_bucket_versioning(Bucket=name).get("Status")},
        "PublicAccessBlockConfiguration": _maybe(
            s3.get_public_access_block, "PublicAccessBlockConfiguration", Bucket=name
        ),
        "OwnershipControls": ownership,
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    **rule,
                    "ServerSideEncryptionByDefault": _renamed(
                        rule["ApplyServerSideEncryptionByDefault"], KMSMasterKeyID="KMSMasterKeyID"
                    ),
                }
                for rule in encryption["Rules"]
            ]
        },
        "LifecycleConfiguration": {"Rules": [_renamed(rule, ID="Id") for rule in lifecycle]},
        "Tags": _maybe(s3.get_bucket_tagging, "TagSet", Bucket=name),
    }


def _bucket_policy(emulator: Emulator, name: str) -> Mapping[str, Any]:
    text = emulator.client("s3").get_bucket_policy(Bucket=name)["Policy"]
    return {"Bucket": name, "PolicyDocument": json.loads(text)}


def _table(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("dynamodb")
    table = client.describe_table(TableName=name)["Table"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"][
        "PointInTimeRecoveryDescription"
    ]
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    sse = table.get("SSEDescription", {})
    return {
        **table,
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode"),
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": backups["PointInTimeRecoveryStatus"] == "ENABLED"
        },
        "TimeToLiveSpecification": {
            "AttributeName": ttl.get("AttributeName"),
            "Enabled": ttl["TimeToLiveStatus"] == "ENABLED",
        },
        "SSESpecification": {
            "SSEEnabled": sse.get("Status") == "ENABLED",
            "SSEType": sse.get("SSEType"),
            "KMSMasterKeyId": sse.get("KMSMasterKeyArn"),
        },
        "Tags": client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
    }


def _queue(emulator: Emulator, url: str) -> Mapping[str, Any]:
    client = emulator.client("sqs")
    held = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    nested = {key: json.loads(held[key]) for key in ("RedrivePolicy", "RedriveAllowPolicy") if key in held}
    tags = _tags(client.list_queue_tags(QueueUrl=url).get("Tags", {}))
    return {**held, **nested, "QueueName": url.rpartition("/")[2], "Tags": tags}


def _queue_policy(emulator: Emulator, url: str) -> Mapping[str, Any]:
    held = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    return {"Queues": [url], "PolicyDocument": json.loads(held["Policy"])}


def _topic(emulator: Emulator, arn: str) -> Mapping[str, Any]:
    client = emulator.client("sns")
    held = client.get_topic_attributes(TopicArn=arn)["Attributes"]
    return {**held, "TopicName": arn.rpartition(":")[2], "Tags": client.list_tags_for_resource(ResourceArn=arn)["Tags"]}


def _key(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("kms")
    told = client.describe_key(KeyId=name)["KeyMetadata"]
    tags = client.list_resource_tags(KeyId=name)["Tags"]
    return {
        **told,
        "EnableKeyRotation": client.get_key_rotation_status(KeyId=name)["KeyRotationEnabled"],
        "KeyPolicy": json.loads(client.get_key_policy(KeyId=name, PolicyName="default")["Policy"]),
        "Tags": [{"Key": one["TagKey"], "Value": one["TagValue"]} for one in tags],
    }


def _log_group(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("logs")
    held = next(
        one for one in client.describe_log_groups(logGroupNamePrefix=name)["logGroups"] if one["logGroupName"] == name
    )
    tags = _maybe(client.list_tags_log_group, "tags", logGroupName=name)
    return {
        "LogGroupName": name,
        "RetentionInDays": held.get("retentionInDays"),
        "KmsKeyId": held.get("kmsKeyId"),
        "Tags": _tags(tags),
    }


def _role(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("iam")
    role = client.get_role(RoleName=name)["Role"]
    inline = client.list_role_policies(RoleName=name)["PolicyNames"]
    attached = client.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    policies = [client.get_role_policy(RoleName=name, PolicyName=policy) for policy in inline]
    return {
        **role,
        "Policies": [{"PolicyName": one["PolicyName"], "PolicyDocument": one["PolicyDocument"]} for one in policies],
        "ManagedPolicyArns": [one["PolicyArn"] for one in attached],
        "Tags": client.list_role_tags(RoleName=name)["Tags"],
    }


def _function(emulator: Emulator, name: str) -> Mapping[str, Any]:
    told = emulator.client("lambda").get_function(FunctionName=name)
    held = told["Configuration"]
    return {
        **held,
        "KmsKeyArn": held.get("KMSKeyArn"),
        "Tags": _tags(told.get("Tags", {})),
        "VpcConfig": held.get("VpcConfig"),
    }


def _vpc(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("ec2")
    switches = {"EnableDnsSupport": "enableDnsSupport", "EnableDnsHostnames": "enableDnsHostnames"}
    asked = {key: client.describe_vpc_attribute(VpcId=name, Attribute=value)[key] for key, value in switches.items()}
    return {**client.describe_vpcs(VpcIds=[name])["Vpcs"][0], **{key: value["Value"] for key, value in asked.items()}}


def _subnet(emulator: Emulator, name: str) -> Mapping[str, Any]:
    return _first(emulator.client("ec2").describe_subnets(SubnetIds=[name])["Subnets"])


def _route_table(emulator: Emulator, name: str) -> Mapping[str, Any]:
    return _first(emulator.client("ec2").describe_route_tables(RouteTableIds=[name])["RouteTables"])


def _security_group(emulator: Emulator, name: str) -> Mapping[str, Any]:
    held = _first(emulator.client("ec2").describe_security_groups(GroupIds=[name])["SecurityGroups"])
    sides = {"SecurityGroupIngress": "IpPermissions", "SecurityGroupEgress": "IpPermissionsEgress"}
    return {
        **_renamed(held, Description="GroupDescription"),
        **{side: [rule for one in held[key] for rule in _openings(one)] for side, key in sides.items()},
    }


def _openings(permission: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    base = {key: permission.get(key) for key in ("IpProtocol", "FromPort", "ToPort")}
    for one in permission.get("IpRanges", []):
        yield {**base, **one}
    for one in permission.get("Ipv6Ranges", []):
        yield {**base, **one}
    for one in permission.get("PrefixListIds", []):
        prefix = one["PrefixListId"]
        yield {
            **base,
            "SourcePrefixListId": prefix,
            "DestinationPrefixListId": prefix,
            "Description": one.get("Description"),
        }
    for one in permission.get("UserIdGroupPairs", []):
        group = one["GroupId"]
        yield {
            **base,
            "SourceSecurityGroupId": group,
            "DestinationSecurityGroupId": group,
            "Description": one.get("Description"),
        }


def _balancer(emulator: Emulator, arn: str) -> Mapping[str, Any]:
    client = emulator.client("elbv2")
    held = _first(client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"])
    attributes = client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    tags = client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    subnets = [one["SubnetId"] for one in held.get("AvailabilityZones", [])]
    return {
        **_renamed(held, LoadBalancerName="Name"),
        "LoadBalancerAttributes": attributes,
        "Subnets": subnets,
        "Tags": tags,
    }


def _target_group(emulator: Emulator, arn: str) -> Mapping[str, Any]:
    client = emulator.client("elbv2")
    held = _first(client.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"])
    attributes = client.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    tags = client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    return {**_renamed(held, TargetGroupName="Name"), "TargetGroupAttributes": attributes, "Tags": tags}


def _listener(emulator: Emulator, arn: str) -> Mapping[str, Any]:
    return _first(emulator.client("elbv2").describe_listeners(ListenerArns=[arn])["Listeners"])


def _scaling_group(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("autoscaling")
    held = _first(client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])
    hooks = client.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
    subnets = [part for part in held.get("VPCZoneIdentifier", "").split(",") if part]
    return {**held, "LifecycleHookSpecificationList": hooks, "VPCZoneIdentifier": subnets}


def _launch_template(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("ec2")
    told = client.describe_launch_template_versions(LaunchTemplateId=name, Versions=["$Latest"])
    return _first(told["LaunchTemplateVersions"])


def _alarm(emulator: Emulator, name: str) -> Mapping[str, Any]:
    return _first(emulator.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"])


def _distribution(emulator: Emulator, name: str) -> Mapping[str, Any]:
    held = emulator.client("cloudfront").get_distribution(Id=name)["Distribution"]["DistributionConfig"]
    flat = {
        key: value["Items"] if isinstance(value, dict) and "Items" in value else value for key, value in held.items()
    }
    return {"DistributionConfig": flat}


def _database(emulator: Emulator, name: str) -> Mapping[str, Any]:
    held = _first(emulator.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"])
    groups = [one["VpcSecurityGroupId"] for one in held.get("VpcSecurityGroups", [])]
    port = held.get("DbInstancePort") or held.get("Endpoint", {}).get("Port")
    subnets = held.get("DBSubnetGroup", {}).get("DBSubnetGroupName")
    return {
        **held,
        "VPCSecurityGroups": groups,
        "Port": port,
        "DBSubnetGroupName": subnets,
        "Tags": held.get("TagList", []),
    }


def _user_pool(emulator: Emulator, name: str) -> Mapping[str, Any]:
    held = emulator.client("cognito-idp").describe_user_pool(UserPoolId=name)["UserPool"]
    return {**held, "UserPoolName": held["Name"]}


def _api(emulator: Emulator, name: str) -> Mapping[str, Any]:
    return dict(emulator.client("apigatewayv2").get_api(ApiId=name))


def _parameter(emulator: Emulator, name: str) -> Mapping[str, Any]:
    return dict(emulator.client("ssm").get_parameter(Name=name)["Parameter"])


def _repository(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("ecr")
    held = _first(client.describe_repositories(repositoryNames=[name])["repositories"])
    return {key[0].upper() + key[1:]: value for key, value in held.items()} | {
        "ImageScanningConfiguration": {"ScanOnPush": held.get("imageScanningConfiguration", {}).get("scanOnPush")},
        "EncryptionConfiguration": {"EncryptionType": held.get("encryptionConfiguration", {}).get("encryptionType")},
    }


def _address(emulator: Emulator, name: str) -> Mapping[str, Any]:
    return _first(emulator.client("ec2").describe_addresses(PublicIps=[name])["Addresses"])


def _translator(emulator: Emulator, name: str) -> Mapping[str, Any]:
    held = _first(emulator.client("ec2").describe_nat_gateways(NatGatewayIds=[name])["NatGateways"])
    if held["State"] in ("deleting", "deleted"):
        raise KeyError(name)
    return {**held, "AllocationId": held["NatGatewayAddresses"][0]["AllocationId"]}


def _flow_log(emulator: Emulator, name: str) -> Mapping[str, Any]:
    held = _first(emulator.client("ec2").describe_flow_logs(FlowLogIds=[name])["FlowLogs"])
    kind = {"vpc": "VPC", "subnet": "Subnet", "eni": "NetworkInterface"}  # the API says it by the id alone
    return {**held, "ResourceType": kind.get(held["ResourceId"].partition("-")[0])}


def _health_check(emulator: Emulator, name: str) -> Mapping[str, Any]:
    client = emulator.client("route53")
    tags = client.list_tags_for_resource(ResourceType="healthcheck", ResourceId=name)["ResourceTagSet"]["Tags"]
    return {**client.get_health_check(HealthCheckId=name)["HealthCheck"], "HealthCheckTags": tags}


READERS: Mapping[str, Reader] = {
    "AWS::ApiGatewayV2::Api": _api,
    "AWS::AutoScaling::AutoScalingGroup": _scaling_group,
    "AWS::CloudFront::Distribution": _distribution,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Cognito::UserPool": _user_pool,
    "AWS::DynamoDB::GlobalTable": _table,
    "AWS::DynamoDB::Table": _table,
    "AWS::EC2::EIP": _address,
    "AWS::EC2::FlowLog": _flow_log,
    "AWS::EC2::LaunchTemplate": _launch_template,
    "AWS::EC2::NatGateway": _translator,
    "AWS::EC2::RouteTable": _route_table,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::EC2::Subnet": _subnet,
    "AWS::EC2::VPC": _vpc,
    "AWS::ECR::Repository": _repository,
    "AWS::ElasticLoadBalancingV2::Listener": _listener,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _target_group,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Function": _function,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::RDS::DBInstance": _database,
    "AWS::Route53::HealthCheck": _health_check,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SSM::Parameter": _parameter,
}


# These belong to something else, and are read through it.
PARTS = frozenset({"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"})


def identity(kind: str, physical: str, wanted: Mapping[str, Any]) -> str:
    """What a reader asks for: the physical id, or what the resource is a part of."""
    if kind == "AWS::S3::BucketPolicy":
        return str(wanted["Bucket"])
    if kind == "AWS::SQS::QueuePolicy":
        return str(wanted["Queues"][0])
    return physical


def _first(items: list[Any]) -> Mapping[str, Any]:
    return dict(items[0])


def _renamed(value: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): one for key, one in value.items()}


def _maybe(call: Callable[..., Any], key: str, **arguments: str) -> Any:
    """One part of an answer; None where the service says that there is none."""
    try:
        return call(**arguments).get(key)
    except ClientError:
        return None
