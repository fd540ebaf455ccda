"""docs/cloud against templates and mission: no service without a row, no row without a stack, no missing file."""

from __future__ import annotations

import re
from pathlib import Path

from cloudformation.deploy import estate

ROOT = Path(__file__).resolve().parents[3]
SERVICES = (ROOT / "docs/cloud/services.md").read_text("utf-8")
# The seed's table, its goals, lessons and roadmap.
NAMED = """
S3, CloudFront, EC2, Lambda, RDS, DynamoDB, Elastic Load Balancer, Route 53, IAM, WAF,
GuardDuty, CloudWatch, Trusted Advisor, Multi-AZ, Cross-region, Auto Scaling, Spot, Reserved,
 KMS, Shield, ElastiCache, SageMaker, Kinesis, IVS, AR/VR
""".replace("\n", " ")


def rows() -> list[list[str]]:
    """Cells of every row of the tables, headings left out."""
    lines = [line for line in SERVICES.splitlines() if line.startswith("| ") and " | stack | gate | " not in line]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def test_every_service_of_the_mission_has_a_row() -> None:
    firsts = [row[0] for row in rows()]
    assert [name for name in NAMED.split(",") if not any(name.strip() in first for first in firsts)] == []


def test_rows_name_only_stacks_that_exist() -> None:
    known = {*estate.load(), "cloudformation", "vitrine cloud", "vitrine cloud cost", "ami/"}
    told = {name for row in rows() for name in re.findall(r"`([^`]+)`", row[1])}
    assert told - known == set()


def test_every_template_is_in_the_list_of_stacks() -> None:
    listed = set(re.findall(r"`([a-z-]+)`", SERVICES.split("## Stacks")[1]))
    assert listed == set(estate.load())


def test_every_row_says_what_was_exercised() -> None:
    assert [row[0] for row in rows() if len(row) != 5 or not row[3]] == []


def test_documents_name_only_actions_and_files_that_exist() -> None:
    for page in sorted((ROOT / "docs/cloud").glob("*.md")):
        text = page.read_text("utf-8")
        actions = set(re.findall(r"vitrine cloud ([a-z]+)", text))
        assert actions <= {"plan", "deploy", "drift", "destroy", "cost"}, page.name
        for name in re.findall(r"`((?:tests|cloudformation|renderer|ami)/[a-z_/.-]*)`", text):
            assert (ROOT / name).exists(), f"{page.name}: {name}"
