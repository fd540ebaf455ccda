"""The register of exceptions: what it excuses, what it refuses; and the one we have."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from cloudformation.gates import register
from cloudformation.gates.model import Finding, GateError

TODAY = datetime.date(2026, 11, 23)
FINDING = Finding("guard", "BUCKET_LOGS", "keys", "LogBucket", "no access logs", 12)
ENTRY = register.Entry("guard", "BUCKET_LOGS", "keys", "LogBucket", "why", "instead", datetime.date(2027, 6, 1))
TEXT = """
- gate: guard
  rule: BUCKET_LOGS
  stack: keys
  resources: [LogBucket, TrailBucket]
  reason: it is the bucket that access logs go to
  instead: its policy lets only services write
  expires: 2027-06-01
"""


def judge(*findings: Finding, entries: list[register.Entry], today: datetime.date = TODAY) -> register.Verdict:
    return register.judge(findings, entries, today, gates=["guard"])


def test_a_finding_with_its_entry_is_excused() -> None:
    verdict = judge(FINDING, entries=[ENTRY])
    assert (verdict.excused, verdict.clean) == ((FINDING,), True)


@pytest.mark.parametrize(
    "other", [{"rule": "BUCKET_PRIVATE"}, {"stack": "assets"}, {"resource": "TrailBucket"}, {"gate": "checkov"}]
)
def test_an_entry_excuses_nothing_else(other: dict[str, str]) -> None:
    stranger = replace(FINDING, **other)
    assert judge(FINDING, stranger, entries=[ENTRY]).unknown == (stranger,)


def test_one_more_of_the_same_is_not_excused() -> None:
    verdict = judge(FINDING, replace(FINDING, line=40), entries=[ENTRY])
    assert "excuses 1, and 2 were found" in verdict.problems[0]
    assert judge(FINDING, replace(FINDING, line=40), entries=[replace(ENTRY, count=2)]).clean


def test_an_unused_entry_fails_unless_its_gate_did_not_run() -> None:
    assert "unused" in judge(entries=[ENTRY]).problems[0]
    assert judge(entries=[replace(ENTRY, gate="cdk-nag")]).clean


@pytest.mark.parametrize(
    ("expires", "said"),
    [(datetime.date(2026, 11, 22), "expired on 2026-11-22"), (datetime.date(2029, 1, 1), "more than 400 days ahead")],
)
def test_an_entry_has_its_time(expires: datetime.date, said: str) -> None:
    assert said in judge(FINDING, entries=[replace(ENTRY, expires=expires)]).problems[0]


def test_an_entry_is_there_once() -> None:
    assert "is there 2 times" in judge(FINDING, entries=[ENTRY, ENTRY]).problems[0]


def test_one_item_may_name_several_resources(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(TEXT)
    assert [entry.resource for entry in register.load(path)] == ["LogBucket", "TrailBucket"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("LogBucket,", '"*",', "wildcard"),
        ("reason: it is the bucket that access logs go to", "reason: not needed", "explains nothing"),
        ("expires: 2027-06-01", "expires: someday", "a date such as"),
        ("  instead: its policy lets only services write\n", "", "exactly these are expected"),
        ("resources: [LogBucket, TrailBucket]", "resources: []", "a list of logical ids"),
    ],
)
def test_what_is_no_exception_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(GateError, match=said):
        register.load(path)


def test_ours_can_be_read_and_no_entry_is_there_twice() -> None:
    entries = register.load(Path(__file__).resolve().parents[3] / "cloudformation" / "exceptions.yaml")
    assert entries
    assert len({entry.key for entry in entries}) == len(entries)
