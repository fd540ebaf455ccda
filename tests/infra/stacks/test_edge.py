"""What the distribution shows to whom, held to docs/assets.md and to the bucket's own policy."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Read = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def edge(read: Read) -> dict[str, Any]:
    return read("edge")


@pytest.fixture(scope="module")
def distribution(edge: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = edge["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    return found


def behaviours(distribution: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Path pattern → the condition under which it is there ("": always), and the behaviour."""
    found = {}
    for each in distribution["CacheBehaviors"]:
        condition, inner, _ = each.get("Fn::If", ("", each, None))
        found[inner["PathPattern"]] = (condition, inner)
    return found


def shown(distribution: dict[str, Any], path: str) -> str | None:
    """The pattern of the store's behaviour that takes the path; None: the signalling does."""
    return next((each for each in behaviours(distribution) if fnmatch.fnmatchcase(path, each)), None)


def test_public_models_need_no_signature(distribution: dict[str, Any]) -> None:
    condition, behaviour = behaviours(distribution)["/live/models/*"]
    assert condition == ""
    assert "TrustedKeyGroups" not in behaviour


@pytest.mark.parametrize("path", ["/live/private/chair/0123456789abcdef/model.glb", "/live/vitrine.json"])
def test_what_only_hosts_read_is_signed_or_not_there(distribution: dict[str, Any], path: str) -> None:
    pattern = shown(distribution, path)
    assert pattern is not None
    condition, behaviour = behaviours(distribution)[pattern]
    assert condition == "HasKey"
    assert behaviour["TrustedKeyGroups"] == [{"Ref": "KeyGroup"}]


@pytest.mark.parametrize(
    "path", ["/live/accepted/chair.json", "/live/rejected/a.glb.json", "/live/", "/models", "/whep/a"]
)
def test_nothing_else_of_the_store_is_shown(distribution: dict[str, Any], path: str) -> None:
    assert shown(distribution, path) is None
    assert distribution["DefaultCacheBehavior"]["TargetOriginId"] == "signalling"


def test_the_bucket_lets_the_distribution_read_just_that(distribution: dict[str, Any], read: Read) -> None:
    statements = read("assets")["Resources"]["AssetBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    condition, ours, _ = next(each["Fn::If"] for each in statements if "Fn::If" in each)
    assert condition == "HasDistribution"
    assert ours["Action"] == "s3:GetObject"
    allowed = {each["Fn::Sub"].removeprefix("${AssetBucket.Arn}") for each in ours["Resource"]}
    assert allowed == set(behaviours(distribution))


def test_etags_and_ranges_stay_what_the_store_says(edge: dict[str, Any], distribution: dict[str, Any]) -> None:
    assert not any(behaviour["Compress"] for _, behaviour in behaviours(distribution).values())
    for name in ("ImmutablePolicy", "ManifestPolicy"):
        policy = edge["Resources"][name]["Properties"]["CachePolicyConfig"]
        key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        assert policy["MinTTL"] == 0
        assert not key["EnableAcceptEncodingGzip"]
        assert not key["EnableAcceptEncodingBrotli"]
        assert key["QueryStringsConfig"] == {"QueryStringBehavior": "none"}


@pytest.mark.parametrize("path", ["/metrics", "/sessions", "/sessions/", "//metrics", "/healthz", "/readyz"])
def test_operators_pages_end_at_the_firewall(edge: dict[str, Any], path: str) -> None:
    assert re.search(operators(edge), path)


@pytest.mark.parametrize(
    "path", ["/", "/models", "/whep/metrics", "/view/sessions", "/metricsx", "/live/models/metrics"]
)
def test_viewers_pages_do_not(edge: dict[str, Any], path: str) -> None:
    assert not re.search(operators(edge), path)


def operators(edge: dict[str, Any]) -> str:
    rules = edge["Resources"]["WebAcl"]["Properties"]["Rules"]
    pattern: str = rules[0]["Statement"]["RegexMatchStatement"]["RegexString"]
    assert "Block" in rules[0]["Action"]
    return pattern


def test_an_offer_may_be_longer_than_managed_rules_think(edge: dict[str, Any]) -> None:
    common = next(rule for rule in edge["Resources"]["WebAcl"]["Properties"]["Rules"] if rule["Name"] == "common")
    overrides = common["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    assert overrides == [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]


def test_no_log_holds_tokens(edge: dict[str, Any]) -> None:
    fields = edge["Resources"]["AccessLogDelivery"]["Properties"]["RecordFields"]
    assert not {"cs-uri-query", "cs(Cookie)", "cs(Referer)"} & set(fields)
    redacted = edge["Resources"]["FirewallLogging"]["Properties"]["RedactedFields"]
    assert {"QueryString": {}} in redacted
    assert {"SingleHeader": {"Name": "authorization"}} in redacted


def test_a_public_key_is_taken_and_a_private_one_is_not(edge: dict[str, Any]) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for slot in ("CdnPublicKeyA", "CdnPublicKeyB"):
        pattern = edge["Parameters"][slot]["AllowedPattern"]
        assert re.fullmatch(pattern, public.decode())
        assert not re.fullmatch(pattern, private.decode())
