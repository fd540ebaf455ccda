"""The placement table in DynamoDB: one item for each host, changed by single conditional writes. Chooses no host.

A claim is one UpdateItem whose condition counts the claims that the item holds, so the table itself keeps the bound.
Any request may be sent twice (boto3 tries again when an answer is lost): each one then finds its own work done.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore import exceptions as boto
from botocore.config import Config

from fleet.errors import RefusedError, ReplacedError, UnavailableError
from fleet.records import CONFIRMED, MOST_MODELS, Endpoint, HostRecord, HostState, Identity, Report
from fleet.table import Attempt, Changes

CONNECT_SECONDS, READ_SECONDS = 0.5, 1.0  # of one request
ATTEMPTS = 2  # for one request, boto3's back-off between them
CONNECTIONS = 16  # kept open; more than the threads that ask
PAGES = 10  # of 1 MB each, read at most
HOSTS = "HOSTS"  # the partition that all hosts' records share, so that one Query reads them
EXPIRY_SECONDS = 3600  # after a host's last beat its record may be deleted
NOTE_SECONDS = 86_400

logger = logging.getLogger(__name__)


class DynamoTable:
    """A `Table` on a DynamoDB table with keys `pk` and `sk` (strings) and the TTL attribute `ttl`.

    endpoint: of an emulator, "" = AWS. Credentials come from boto3's own chain. Threads may share it.
    """

    def __init__(self, name: str, region: str, endpoint: str = "") -> None:
        self._name = name
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
            user_agent_extra="vitrine",
        )
        with _explained():
            session = boto3.session.Session()
            self._client = session.client(
                "dynamodb", region_name=region or None, endpoint_url=endpoint or None, config=config
            )

    # -- see `Table` for what each of these promises ------------------------------------------------------------------

    def hosts(self, *, consistent: bool = False) -> list[HostRecord]:
        """See `Table`. A record that cannot be read is left out."""
        asked: dict[str, Any] = {
            "KeyConditionExpression": "pk = :hosts",
            "ExpressionAttributeValues": {":hosts": {"S": HOSTS}},
            "ConsistentRead": consistent,
        }
        items: list[Mapping[str, Any]] = []
        with _explained():
            for _ in range(PAGES):
                page = self._client.query(TableName=self._name, **asked)
                items += page["Items"]
                if "LastEvaluatedKey" not in page:
                    break
                asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return [record for item in items if (record := _record(item)) is not None]

    def claim(self, host: str, claim: str, *, now: float, oldest: float) -> Attempt:
        """See `Table`."""
        attempt = self._update(
            host,
            "SET #claims.#claim = :made",
            "#state = :serving AND #beat >= :oldest AND size(#claims) < #room",
            {"claims", "state", "beat", "room"},
            {"#claim": claim},
            {":made": round(now * 1000), ":serving": HostState.SERVING.value, ":oldest": _number(oldest)},
        )
        held = attempt.record is not None and claim in attempt.record.claims  # also by our own first try
        return Attempt(held, attempt.record)

    def release(self, host: str, claim: str) -> None:
        """See `Table`."""
        condition = "attribute_exists(pk) AND #claims.#claim > :confirmed"
        values = {":confirmed": CONFIRMED}
        self._update(host, "REMOVE #claims.#claim", condition, {"claims"}, {"#claim": claim}, values)

    def register(self, identity: Identity, report: Report, *, now: float) -> HostRecord:
        """See `Table`."""
        values = {
            **_key(identity.id),
            **_told(identity, report, now),
            "address": str(identity.endpoint),
            "group": identity.group,
            "zone": identity.zone,
            "boot": identity.boot,
            "slots": identity.slots,
            "claims": dict.fromkeys(report.claims, CONFIRMED),
        }
        item = _serialized(values)
        with _explained():
            self._client.put_item(TableName=self._name, Item=item)
        record = _record(item)
        if record is None:
            raise RefusedError(f"host {identity.id!r} cannot be written as a record")
        return record

    def beat(self, identity: Identity, report: Report, changes: Changes, *, now: float) -> Attempt:
        """See `Table`."""
        told = _told(identity, report, now)
        sets = [f"#{name} = :{name}" for name in told]
        confirmed = {f"#c{index}": claim for index, claim in enumerate(changes.confirmed)}
        ended = {f"#e{index}": claim for index, claim in enumerate(changes.ended)}
        sets += [f"#claims.{name} = :confirmed" for name in confirmed]
        removes = ", ".join(f"#claims.{name}" for name in ended)
        conditions = ["#boot = :boot", *(f"attribute_exists(#claims.{name})" for name in confirmed)]
        values: dict[str, Any] = {f":{name}": value for name, value in told.items()} | {":boot": identity.boot}
        attempt = self._update(
            identity.id,
            f"SET {', '.join(sets)}" + (f" REMOVE {removes}" if removes else ""),
            " AND ".join(conditions),
            {*told, "boot", *(["claims"] if confirmed or ended else [])},
            {**confirmed, **ended},
            values | ({":confirmed": CONFIRMED} if confirmed else {}),
        )
        if attempt.record is not None and attempt.record.identity.boot != identity.boot:
            raise ReplacedError(f"{identity.id} was registered by another process")
        return attempt

    def remove(self, identity: Identity) -> None:
        """See `Table`."""
        with _explained():
            try:
                self._client.delete_item(
                    TableName=self._name,
                    Key=_serialized(_key(identity.id)),
                    ConditionExpression="#boot = :boot",
                    ExpressionAttributeNames={"#boot": "boot"},
                    ExpressionAttributeValues={":boot": {"S": identity.boot}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                logger.info("the record of %s is not this process' any more", identity.id)

    def note(self, key: str, host: str, *, now: float) -> None:
        """See `Table`."""
        item = {**_note_key(key), "host": host, "ttl": round(now) + NOTE_SECONDS}
        with _explained():
            self._client.put_item(TableName=self._name, Item=_serialized(item))

    def noted(self, key: str) -> str | None:
        """See `Table`."""
        with _explained():
            found = self._client.get_item(TableName=self._name, Key=_serialized(_note_key(key))).get("Item", {})
        host = found.get("host", {}).get("S")
        return host if isinstance(host, str) else None

    def _update(
        self,
        host: str,
        update: str,
        condition: str,
        names: Collection[str],
        claims: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> Attempt:
        """One UpdateItem. names: attributes that its expressions call `#name`; claims: names of claims, by theirs."""
        with _explained():
            try:
                answer = self._client.update_item(
                    TableName=self._name,
                    Key=_serialized(_key(host)),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={**{f"#{name}": name for name in names}, **claims},
                    ExpressionAttributeValues=_serialized(values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                item = error.response.get("Item")
                return Attempt(False, _record(item) if item else None)
        return Attempt(True, _record(answer["Attributes"]))


# -- items ------------------------------------------------------------------------------------------------------------


def _key(host: str) -> dict[str, str]:
    return {"pk": HOSTS, "sk": f"HOST#{host}"}


def _note_key(key: str) -> dict[str, str]:
    return {"pk": f"WATCH#{key}", "sk": "WATCH"}


def _told(identity: Identity, report: Report, now: float) -> dict[str, Any]:
    """What every beat writes."""
    return {
        "state": report.state.value,
        "beat": _number(now),
        "room": report.claimable(identity.slots),
        "models": list(report.models[:MOST_MODELS]),
        "advised": report.advised,
        "queue": report.queue,
        "ttl": round(now) + EXPIRY_SECONDS,
    }


def _record(item: Mapping[str, Any]) -> HostRecord | None:
    """None, and a line in the log, for what is no host's record: one bad item must not hide the others."""
    try:
        read = TypeDeserializer().deserialize({"M": item})
        endpoint, host = Endpoint.parse(read["address"]), str(read["sk"]).removeprefix("HOST#")
        where = str(read["group"]), str(read["zone"]), str(read["boot"])
        return HostRecord(
            Identity(host, endpoint, *where, int(read["slots"])),
            HostState(read["state"]),
            float(read["beat"]),
            int(read["room"]),
            {str(name): int(made) for name, made in read["claims"].items()},
            tuple(str(model) for model in read["models"]),
            bool(read["advised"]),
            int(read["queue"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        logger.warning("not a host's record: %s: %s", str(item.get("sk"))[:100], error)
        return None


def _serialized(values: Mapping[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in values.items()}


def _number(seconds: float) -> Decimal:
    """Milliseconds are enough, and boto3 takes no floats."""
    return Decimal(round(seconds * 1000)).scaleb(-3)


@contextmanager
def _explained() -> Iterator[None]:
    """boto3's errors as ours: what may work later is UnavailableError, the rest RefusedError."""
    try:
        yield
    except boto.ClientError as error:
        told = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        text = f"DynamoDB: {told.get('Code', 'no code')}: {told.get('Message', 'no message')}"
        if status >= 500 or told.get("Code") in _LATER:
            raise UnavailableError(text) from error
        raise RefusedError(text) from error
    except boto.BotoCoreError as error:
        raise UnavailableError(f"DynamoDB: {error}") from error


_LATER = {
    *("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "InternalServerError"),
    *("TransactionInProgressException", "LimitExceededException", "RequestTimeout", "SlowDown"),
    *("ExpiredTokenException", "UnrecognizedClientException"),  # instance credentials are being renewed
}
