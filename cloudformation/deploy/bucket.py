"""S3 buckets: the private one for templates, and emptied ones on request. Imports no SDK: it is handed a client."""

from __future__ import annotations

import json
from typing import Any

from cloudformation.deploy.errors import CloudError

MAX_DELETED = 1000  # S3's limit for one call
KEPT_DAYS = 365  # templates no longer the newest version


def ensure(s3: Any, name: str, region: str, account: str) -> bool:
    """The bucket for templates: private, encrypted, versioned, TLS only. True when it was made now.

    A bucket of that name in another account is an error: templates and secrets must not go to strangers.
    """
    made = False
    if not _ours(s3, name, account):
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **where)
        made = True
    everything = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=everything)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_policy(name)))
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [_expiry()]})
    return made


def _ours(s3: Any, name: str, account: str) -> bool:
    """Whether the bucket is there and this account's. Raises CloudError when it is somebody else's."""
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
        return True
    except s3.exceptions.ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in ("404", "NoSuchBucket"):
            return False
        if code in ("403", "AccessDenied"):
            raise CloudError(f"bucket {name} is not this account's or not open to you; nothing was uploaded") from error
        raise


def _policy(name: str) -> dict[str, Any]:
    partition = "aws"
    arn = f"arn:{partition}:s3:::{name}"
    refuse = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return {"Version": "2012-10-17", "Statement": [refuse | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}


def _expiry() -> dict[str, Any]:
    return {
        "ID": "old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


def empty(s3: Any, name: str) -> int:
    """Removes every version and delete marker of a bucket; how many. Raises CloudError when one stays."""
    removed = 0
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=name, PaginationConfig={"PageSize": MAX_DELETED}
    ):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not found:
            continue
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
        for error in answer.get("Errors", ()):
            raise CloudError(f"bucket {name}: {error.get('Key')} stays: {error.get('Message') or error.get('Code')}")
        removed += len(objects)
    return removed
