"""A small estate of templates, and a cloud in memory that keeps CloudFormation's order of states."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudformation.deploy import estate, template
from cloudformation.deploy.evaluate import UNKNOWN
from cloudformation.deploy.parameters import Choices
from cloudformation.deploy.port import Change, ChangeSet, Drift, DriftState, Event, Held, Proposal, Stack
from cloudformation.deploy.run import Deployment, Talk
from cloudformation.deploy.watch import Patience

HEAD = """
Parameters:
  Project: {Type: String, Default: vitrine}
  Environment: {Type: String, AllowedValues: [dev, staging, prod], Description: which}
"""
GLOBAL = (
    HEAD
    + """
  DomainName: {Type: String, AllowedPattern: '^[a-z.]+$', ConstraintDescription: a name of lower-case letters}
Resources:
  Zone: {Type: AWS::Route53::HostedZone, DeletionPolicy: Retain, Properties: {Name: !Ref DomainName}}
Outputs:
  HostedZoneId: {Value: !Ref Zone}
"""
)
ROOT = (
    HEAD
    + """
  TemplateBase: {Type: String}
  HostedZoneId: {Type: String}
  DistributionId: {Type: String, Default: ''}
  Hosts: {Type: Number, Default: 1, MinValue: 0, MaxValue: 10}
Conditions:
  IsProd: !Equals [!Ref Environment, prod]
  HasEdge: !Not [!Equals [!Ref DistributionId, '']]
Resources:
  Network:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub '${TemplateBase}/network.yaml'
      Parameters: {Project: !Ref Project, Environment: !Ref Environment}
  Render:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub '${TemplateBase}/render.yaml'
      Parameters:
        Environment: !Ref Environment
        Hosts: !Ref Hosts
        Subnets: !GetAtt Network.Outputs.Subnets
  Records: {Type: AWS::Route53::RecordSet, Condition: HasEdge, Properties: {Name: x}}
Outputs:
  AssetBucketName: {Value: !Ref Network}
"""
)
NETWORK = (
    HEAD
    + """
Mappings:
  Sizes: {dev: {Nats: 1}, staging: {Nats: 1}, prod: {Nats: 3}}
Conditions:
  IsProd: !Equals [!Ref Environment, prod]
Resources:
  Nat: {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref A}}
  OtherNat: {Type: AWS::EC2::NatGateway, Condition: IsProd, Properties: {SubnetId: !Ref B}}
  A: {Type: AWS::EC2::Subnet, Properties: {CidrBlock: 10.0.0.0/24}}
  B: {Type: AWS::EC2::Subnet, Properties: {CidrBlock: 10.0.1.0/24}}
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcEndpointType: Interface, SubnetIds: [!Ref A, !Ref B]}
Outputs:
  Subnets: {Value: !Join [',', [!Ref A, !Ref B]]}
"""
)
RENDER = """
Parameters:
  Environment: {Type: String}
  Hosts: {Type: Number}
  Subnets: {Type: CommaDelimitedList}
  SlotsPerHost: {Type: Number, Default: 8}
Conditions:
  IsDev: !Equals [!Ref Environment, dev]
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        InstanceType: !If [IsDev, g4dn.xlarge, g5.xlarge]
        NetworkInterfaces: [{AssociatePublicIpAddress: true}]
        BlockDeviceMappings: [{Ebs: {VolumeSize: 20}}]
  Base:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {MinSize: !Ref Hosts, MaxSize: '6', VPCZoneIdentifier: !Ref Subnets}
  Pool: {Type: AWS::AutoScaling::WarmPool, Properties: {MinSize: 2, AutoScalingGroupName: !Ref Base}}
"""
EDGE = (
    HEAD
    + """
  AssetBucketName: {Type: String}
Resources:
  Distribution: {Type: AWS::CloudFront::Distribution, Properties: {}}
Outputs:
  DistributionId: {Value: !Ref Distribution}
"""
)
TEXTS = {"global": GLOBAL, "root": ROOT, "network": NETWORK, "render": RENDER, "edge": EDGE}
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FakeCloud:
    """One region in memory. broken: ids whose creation fails, with the reason; polls: looks until it is done."""

    def __init__(self, region: str, outputs: Mapping[str, Mapping[str, str]], journal: list[str]) -> None:
        self.region = region
        self.journal = journal
        self.given = outputs
        self.stacks: dict[str, Stack] = {}
        self.history: dict[str, list[Event]] = {}
        self.changes: dict[str, tuple[Change, ...]] = {}
        self.proposals: dict[str, Proposal] = {}
        self.broken: dict[str, str] = {}
        self.objects: dict[str, bytes] = {}
        self.held: list[Held] = []
        self.drifted: list[Drift] = []
        self.quotas: dict[str, float] = {}
        self.polls = 1
        self._left: dict[str, int] = {}
        self._numbers = itertools.count(1)

    def account(self) -> str:
        return "123456789012"

    def stack(self, name: str) -> Stack | None:
        found = next((one for one in self.stacks.values() if name in (one.name, one.id)), None)
        if found is not None and found.status.endswith("_IN_PROGRESS") and found.name in self._left:
            self._left[found.name] -= 1
            if self._left[found.name] < 0:
                self._settle(found)
                found = self.stacks.get(found.name)
        return found

    def _settle(self, stack: Stack) -> None:
        if stack.status == "DELETE_IN_PROGRESS":
            del self.stacks[stack.name]
            return
        bad = dict(self.broken)
        for name, reason in bad.items():
            self.event(stack, name, "CREATE_FAILED", reason)
        ending = "COMPLETE"
        if bad:
            ending = "ROLLBACK_COMPLETE"
        verb = stack.status.split("_")[0]
        status = f"{verb}_{ending}" if not (bad and verb == "CREATE") else "ROLLBACK_COMPLETE"
        proposal = self.proposals[stack.name]
        outputs = {} if bad else self.given.get(stack.name.rpartition("-")[2], {})
        self.stacks[stack.name] = Stack(stack.name, stack.id, status, "", outputs, proposal.parameters, stack.protected)

    def event(self, stack: Stack, resource: str, status: str, reason: str = "", physical: str = "x") -> None:
        number = next(self._numbers)
        when = START + timedelta(seconds=number)
        self.history.setdefault(stack.id, []).insert(
            0, Event(str(number), stack.id, resource, "AWS::Some::Thing", status, reason, when, physical)
        )

    def propose(self, proposal: Proposal) -> ChangeSet:
        self.proposals[proposal.stack] = proposal
        kind = "CREATE" if proposal.create else "UPDATE"
        self.journal.append(f"propose {proposal.stack}")
        found = self.changes.get(proposal.stack, (Change("Thing", "AWS::Some::Thing", "Add"),))
        return ChangeSet(f"cs-{proposal.stack}", proposal.stack, kind, found, empty=not found)

    def discard(self, change_set: ChangeSet) -> None:
        self.journal.append(f"discard {change_set.stack}")

    def execute(self, change_set: ChangeSet) -> None:
        name = change_set.stack
        self.journal.append(f"execute {name}")
        old = self.stacks.get(name)
        stack_id = f"arn:aws:cloudformation:{self.region}:1:stack/{name}/1"
        status = f"{change_set.kind}_IN_PROGRESS"
        self.stacks[name] = Stack(name, stack_id, status, protected=bool(old and old.protected))
        self._left[name] = self.polls
        self.event(self.stacks[name], "Thing", "CREATE_COMPLETE")

    def events(self, stack_id: str) -> Sequence[Event]:
        found = next((one.id for one in self.stacks.values() if stack_id in (one.name, one.id)), stack_id)
        return self.history.get(found, [])

    def protect(self, name: str, on: bool) -> None:
        self.journal.append(f"protect {name} {on}")
        self.stacks[name] = Stack(**{**vars(self.stacks[name]), "protected": on})

    def delete(self, name: str) -> None:
        self.journal.append(f"delete {name}")
        self.stacks[name] = Stack(**{**vars(self.stacks[name]), "status": "DELETE_IN_PROGRESS"})
        self._left[name] = self.polls

    def holdings(self, name: str) -> Sequence[Held]:
        return self.held

    def begin_drift(self, name: str) -> Sequence[str]:
        return ["1", "2"]

    def drift_state(self, ticket: str) -> DriftState:
        return DriftState(True, "one type is not supported" if ticket == "2" else "")

    def drifts(self, name: str) -> Sequence[Drift]:
        return self.drifted

    def quota(self, service: str, code: str) -> float | None:
        return self.quotas.get(code)

    def prefix_lists(self) -> Mapping[str, str]:
        return {"s3": "pl-1"}

    def ensure_bucket(self, name: str) -> bool:
        self.journal.append(f"bucket {name}")
        return True

    def put(self, bucket: str, key: str, body: bytes | Path) -> bool:
        new = key not in self.objects
        self.objects[key] = body if isinstance(body, bytes) else body.read_bytes()
        return new

    def template_url(self, bucket: str, prefix: str) -> str:
        return f"https://{bucket}.example/{prefix}"

    def empty(self, bucket: str) -> int:
        self.journal.append(f"empty {bucket}")
        return 7


class Sky:
    """Every region's cloud, one journal for all, a clock that sleeping moves, and a person who answers."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.outputs = {
            "global": {"HostedZoneId": "Z1"},
            "root": {"AssetBucketName": "models"},
            "edge": {"DistributionId": "D1"},
        }
        self.clouds: dict[str, FakeCloud] = {}
        self.lines: list[str] = []
        self.questions: list[tuple[str, bool]] = []
        self.answer = True
        self.now = 0.0
        self.library = {name: template.parse(name, text) for name, text in TEXTS.items()}
        self.choices = Choices(home="eu-central-1", parameters={"global": {"DomainName": "shop.example"}})

    def cloud(self, region: str) -> FakeCloud:
        if region not in self.clouds:
            self.clouds[region] = FakeCloud(region, self.outputs, self.journal)
        return self.clouds[region]

    def ask(self, question: str, loses: bool) -> bool:
        self.questions.append((question, loses))
        return self.answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, seconds: float = 600.0) -> Patience:
        return Patience(seconds, lambda: self.now, self.sleep)

    def environment(self, name: str = "dev") -> estate.Environment:
        return estate.environment(name, self.choices, None)

    def deployment(self, name: str = "dev") -> Deployment:
        talk = Talk(self.lines.append, self.ask)
        return Deployment(self.environment(name), self.library, self.choices, self.cloud, talk, None, self.patience())


@pytest.fixture
def sky() -> Sky:
    return Sky()


@pytest.fixture
def unknown() -> Any:
    return UNKNOWN
