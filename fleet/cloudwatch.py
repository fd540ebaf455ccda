"""Metrics to CloudWatch by PutMetricData: one request for each period. Gathers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from fleet.errors import RefusedError, UnavailableError
from fleet.metrics import NAMESPACE, Datum

CONNECT_SECONDS, READ_SECONDS = 1.0, 3.0  # of one request
ATTEMPTS = 2  # what fails then is sent with the next period


class CloudWatch:
    """A `Sink`. group: the only dimension, so that what is paid for, the number of metrics, grows with groups only."""

    def __init__(self, group: str, region: str = "") -> None:
        self._group = group
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=1,
            user_agent_extra="vitrine",
        )
        try:
            self._client: Any = boto3.session.Session().client("cloudwatch", region_name=region or None, config=config)
        except boto.BotoCoreError as error:
            raise RefusedError(f"CloudWatch: {error}") from error

    def put(self, data: Sequence[Datum]) -> None:
        """See `Sink`."""
        try:
            self._client.put_metric_data(Namespace=NAMESPACE, MetricData=[self._shaped(datum) for datum in data])
        except boto.ClientError as error:
            told = error.response.get("Error", {})
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            text = f"CloudWatch: {told.get('Code', 'no code')}: {told.get('Message', 'no message')}"
            later = status >= 500 or "Throttl" in told.get("Code", "") or "Expired" in told.get("Code", "")
            raise (UnavailableError if later else RefusedError)(text) from error
        except boto.BotoCoreError as error:
            raise UnavailableError(f"CloudWatch: {error}") from error

    def _shaped(self, datum: Datum) -> dict[str, Any]:
        return {
            "MetricName": datum.name,
            "Dimensions": [{"Name": "GroupName", "Value": self._group}],
            "Timestamp": datetime.fromtimestamp(datum.at, UTC),
            "StatisticValues": {
                "SampleCount": datum.samples,
                "Sum": datum.total,
                "Minimum": datum.least,
                "Maximum": datum.most,
            },
            "Unit": datum.unit,
            "StorageResolution": 1,
        }
