"""The port `Lifecycle` on AWS: instance metadata for what is announced, EC2 Auto Scaling for what is answered."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from fleet.errors import RefusedError, UnavailableError
from fleet.imds import Metadata
from fleet.lifecycle import Instance, Notices, Result

CONNECT_SECONDS, READ_SECONDS = 1.0, 4.0  # of one request
ATTEMPTS = 3  # for one request, with boto3's back-off between them
LATER = {
    *("Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalFailure", "ServiceUnavailable"),
    *("ResourceContention", "ExpiredToken", "RequestExpired"),
}


class AwsLifecycle:
    """A `Lifecycle` of the instance that this runs on. group: the Auto Scaling group's name.

    region: "" = what boto3 finds. metadata: another endpoint of instance metadata, "" = the instance's own.
    """

    def __init__(self, group: str, region: str = "", metadata: str = "") -> None:
        """Raises SettingsError. Asks nothing of the network yet."""
        self._group, self._metadata = group, Metadata(metadata)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=2,
            user_agent_extra="vitrine",
        )
        with _explained():
            self._client: Any = boto3.session.Session().client("autoscaling", region_name=region or None, config=config)

    @functools.cached_property
    def _id(self) -> str:
        return self._metadata.instance().id

    def instance(self) -> Instance:
        """See `Lifecycle`."""
        return self._metadata.instance()

    def notices(self) -> Notices:
        """See `Lifecycle`."""
        return self._metadata.notices()

    def protect(self, on: bool) -> None:
        """See `Lifecycle`."""
        with _explained():
            self._client.set_instance_protection(
                AutoScalingGroupName=self._group, InstanceIds=[self._id], ProtectedFromScaleIn=on
            )

    def heartbeat(self, hook: str) -> None:
        """See `Lifecycle`."""
        with _explained():
            self._client.record_lifecycle_action_heartbeat(**self._action(hook))

    def complete(self, hook: str, result: Result) -> None:
        """See `Lifecycle`."""
        with _explained():
            self._client.complete_lifecycle_action(**self._action(hook), LifecycleActionResult=result.value)

    def _action(self, hook: str) -> dict[str, str]:
        """Auto Scaling finds the action's token itself by the instance's id."""
        return {"AutoScalingGroupName": self._group, "LifecycleHookName": hook, "InstanceId": self._id}


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except boto.ClientError as error:
        told = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        text = f"EC2 Auto Scaling: {told.get('Code', 'no code')}: {told.get('Message', 'no message')}"
        kind = UnavailableError if status >= 500 or told.get("Code") in LATER else RefusedError
        raise kind(text) from error
    except boto.BotoCoreError as error:
        raise UnavailableError(f"EC2 Auto Scaling: {error}") from error
