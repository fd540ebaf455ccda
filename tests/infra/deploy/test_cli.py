"""The command from outside: exit codes and single lines, with no account at all."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import vitrine
from cloudformation.deploy import cli, estate

PLAIN = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Environment: {Type: String, AllowedValues: [dev, staging, prod]}
Resources:
  Zone: {Type: AWS::Route53::HostedZone, Properties: {Name: shop.example}}
"""
GPU = """
Resources:
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {InstanceType: g5.xlarge}}}
  Group: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: 1, MaxSize: 9}}
"""


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    for name in ("global", "edge"):
        (folder / f"{name}.yaml").write_text(PLAIN)
    (folder / "root.yaml").write_text(PLAIN + GPU.replace("Resources:\n", ""))
    return folder


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no configuration, no metadata service, no terminal."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("sys.stdin", io.StringIO())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = vitrine.main(["cloud", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def where(templates: Path) -> list[str]:
    return ["--environment", "dev", "--region", "eu-central-1", "--templates", str(templates)]


def test_an_offline_plan_tells_the_order(capsys: Any, templates: Path) -> None:
    code, out, _ = run(capsys, "plan", "--offline", *where(templates))
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()[:4]] == [
        "1. vitrine-dev-global",
        "2. vitrine-dev-root",
        "3. vitrine-dev-edge",
        "4. vitrine-dev-root (again)",
    ]


def test_the_stacks_of_only_are_those_of_the_estate() -> None:
    assert set(cli.UNITS) == estate.UNITS


def test_no_credentials_say_how_to_get_some(capsys: Any, templates: Path) -> None:
    code, _, err = run(capsys, "plan", *where(templates))
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "no AWS credentials" in err
    assert "aws sso login" in err


def test_an_unknown_profile_is_told(capsys: Any, templates: Path) -> None:
    code, _, err = run(capsys, "plan", *where(templates), "--profile", "nobody")
    assert code == 1
    assert "list-profiles" in err


@pytest.mark.parametrize(
    ("action", "told"),
    [(["deploy"], "give --yes"), (["destroy"], "give --confirm"), (["deploy", "--accept-loss"], "--yes")],
)
def test_nobody_to_ask_is_bad_input(capsys: Any, templates: Path, action: list[str], told: str) -> None:
    code, _, err = run(capsys, *action, *where(templates))
    assert code == 2
    assert told in err


def test_no_region_is_bad_input(capsys: Any, templates: Path) -> None:
    code, _, err = run(capsys, "plan", "--environment", "dev", "--templates", str(templates))
    assert code == 2
    assert "--region" in err


def test_cost_needs_neither_account_nor_region(capsys: Any, templates: Path, tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    code, out, _ = run(
        capsys, "cost", "--environment", "prod", "--templates", str(templates), "--traffic", "low", "--json", str(path)
    )
    assert code == 0
    assert "a viewer-hour, everything" in out
    data = json.loads(path.read_text())
    # A host that always runs, its group's nine metrics, and three hosted zones.
    assert data["fixed"]["monthly"] == pytest.approx(730 * 1.006 + 9 * 0.3 + 3 * 0.5)


def test_json_on_stdout_is_nothing_else(capsys: Any, templates: Path) -> None:
    code, out, _ = run(capsys, "cost", "--environment", "prod", "--templates", str(templates), "--json", "-")
    assert code == 0
    assert json.loads(out)["schema"] == 1


def test_templates_without_gpu_hosts_cannot_be_priced(capsys: Any, templates: Path) -> None:
    (templates / "root.yaml").write_text(PLAIN)
    code, _, err = run(capsys, "cost", "--environment", "dev", "--templates", str(templates))
    assert code == 2
    assert "GPU" in err
