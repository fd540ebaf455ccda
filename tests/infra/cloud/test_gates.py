"""The gates that need only our own packages, on our templates; how faults are planted; no broken tool passes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest

from cloudformation.gates import __main__ as command
from cloudformation.gates import engines, register, relations, run, seeds, tools
from cloudformation.gates.model import Finding, GateError, Outcome
from cloudformation.gates.resolve import PROFILES, every

QUICK = ("validate", "guard", "relations", "silence")
CHOICE = """
Description: a template with a choice in it
Parameters:
  Environment: {Type: String, AllowedValues: [dev, prod]}
  Days: {Type: Number, Default: 7}
  MirrorArn: {Type: String, Default: ""}
Mappings:
  Sizes: {dev: {Copies: 1}, prod: {Copies: 3}}
Conditions:
  IsProd: !Equals [!Ref Environment, prod]
  HasMirror: !Not [!Equals [!Ref MirrorArn, ""]]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: !Ref Days
      DelaySeconds: !FindInMap [Sizes, !Ref Environment, Copies]
      KmsMasterKeyId: !If [HasMirror, !Ref MirrorArn, !Ref AWS::NoValue]
  OnlyProd: {Type: AWS::SQS::Queue, Condition: IsProd, Properties: {QueueName: !If [IsProd, a, b]}}
"""


def templates() -> list[Path]:
    return sorted(path for path in command.HERE.glob("*.yaml") if path.name not in command.DATA)


def test_our_templates_pass_the_quick_gates() -> None:
    outcomes = run.all_gates(QUICK, templates())
    entries = register.load(command.EXCEPTIONS)
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    verdict = register.judge(findings, entries, datetime.datetime.now(datetime.UTC).date(), gates=QUICK)
    assert [str(finding) for finding in verdict.unknown] == []
    assert verdict.problems == ()


def test_every_fault_can_be_planted_in_our_templates() -> None:
    with seeds.planted(templates()) as faults:
        assert len(faults) >= 20
        assert all(fault.path.read_text("utf-8") for fault in faults)
    assert not any(fault.path.exists() for fault in faults)


def test_a_template_is_seen_as_each_environment_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "choice.yaml"
    path.write_text(CHOICE)
    dev, prod = every(path)
    assert [profile.environment for profile in PROFILES] == ["dev", "prod"]
    assert dev["Resources"]["Queue"]["Properties"] == {"MessageRetentionPeriod": "7", "DelaySeconds": 1}
    assert prod["Resources"]["Queue"]["Properties"]["KmsMasterKeyId"] == {"Ref": "MirrorArn"}
    assert ("OnlyProd" in dev["Resources"], prod["Resources"]["OnlyProd"]["Properties"]) == (False, {"QueueName": "a"})


def test_a_fault_is_caught_by_what_is_new_about_the_copy(tmp_path: Path) -> None:
    fault = seeds.Fault("a fault", "keys", tmp_path / "keys-01.json")
    old = Finding("guard", "OLD", "keys", "Key")

    def gate(rule: str) -> run.Gate:
        def judge(paths: Sequence[Path]) -> Outcome:
            return Outcome("guard", len(paths), 1, tuple(Finding("guard", rule, path.stem, "Key") for path in paths))

        return judge

    originals = [Outcome("guard", 1, 1, (old,))]
    assert seeds.chase([fault], {"guard": gate("OLD")}, originals) == [(fault, "")]
    assert seeds.chase([fault], {"guard": gate("NEW")}, originals) == [(fault, "guard")]


def test_a_fault_that_fits_nowhere_is_said(tmp_path: Path) -> None:
    path, faults = tmp_path / "choice.yaml", tmp_path / "faults.yaml"
    path.write_text(CHOICE)
    faults.write_text("- {name: no such thing, type: 'AWS::S3::Bucket', remove: [Properties]}")
    with pytest.raises(GateError, match="no such thing"), seeds.planted([path], faults):
        pytest.fail("it was planted")


def test_a_template_may_not_silence_a_gate(tmp_path: Path) -> None:
    path = tmp_path / "quiet.yaml"
    path.write_text("# checkov:skip=CKV_AWS_18: no\nMetadata:\n  cfn_nag: {}\n  guard: {SuppressedRules: [X]}\n")
    assert {finding.rule for finding in run.silence([path]).findings} == {"checkov", "cdk-nag", "guard"}


def test_without_rules_nothing_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "RULES", tmp_path)
    with pytest.raises(GateError, match="not one rule"):
        engines.guard([])


def test_a_tool_that_is_missing_or_breaks_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_BIN", tmp_path)
    with pytest.raises(GateError, match="is not installed"):
        tools.checkov([tmp_path / "x.yaml"])
    for name, text in (("checkov", "exit 2"), ("cfn-lint", "echo not json")):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    with pytest.raises(GateError, match="status 2"):
        tools.checkov([tmp_path / "x.yaml"])
    with pytest.raises(GateError, match="no JSON"):
        tools.cfn_lint([tmp_path / "x.yaml"])


def test_metric_math_is_read_as_cloudwatch_reads_it() -> None:
    def complaints(expression: str) -> list[str]:
        metrics = [{"Id": "used", "ReturnData": False}, {"Id": "share", "Expression": expression}]
        resources = {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": metrics}}}
        return [message for _, message in relations.metric_math_knows_its_ids(resources)]

    assert complaints("IF(FILL(used, 0) > 3, 100 * used, 0)") == []
    assert "uses slotz" in complaints("used / slotz")[0]


@pytest.mark.parametrize("rule", relations.RULES, ids=lambda rule: rule.__name__)
def test_every_relation_says_why_it_is_there(rule: relations.Rule) -> None:
    assert rule.__doc__
    assert list(rule({})) == []


def test_an_unknown_gate_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "gard", str(templates()[0])]) == 2
    assert "no such gate: gard" in capsys.readouterr().err
