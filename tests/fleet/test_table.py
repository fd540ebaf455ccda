"""Both tables keep the port's promises: DynamoDB's, spoken to over HTTP, and the one in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet.dynamo import DynamoTable
from fleet.errors import ReplacedError
from fleet.fakes.memory import MemoryTable
from fleet.records import CONFIRMED, HostState, Report
from fleet.table import CHANGES_MOST, Changes, Table
from tests.fleet.conftest import NewTable
from tests.fleet.hosts import identity

NOW = 1_700_000_000.25
OLDEST = NOW - 7
FOUR = Report(room=4, models=("shoe", "sofa"), queue=3)


@pytest.fixture
def table(new_table: NewTable) -> Table:
    return new_table()


def test_what_a_host_reports_is_read_back(table: Table) -> None:
    me = identity(1)
    told = table.register(me, replace(FOUR, claims=frozenset({"a-claim"}), advised=True), now=NOW)
    [read] = table.hosts(consistent=True)
    assert read == told
    assert (read.identity, read.beat, read.models, read.queue, read.advised) == (me, NOW, ("shoe", "sofa"), 3, True)
    assert read.claims == {"a-claim": CONFIRMED}


def test_claims_stop_at_the_room(table: Table) -> None:
    table.register(identity(1), replace(FOUR, unclaimed=1), now=NOW)
    done = [table.claim("h1", f"claim-{index}", now=NOW, oldest=OLDEST).done for index in range(5)]
    assert done == [True, True, True, False, False]


def test_a_claim_sent_twice_is_one(table: Table) -> None:
    table.register(identity(1), replace(FOUR, room=1), now=NOW)
    assert table.claim("h1", "x", now=NOW, oldest=OLDEST).done
    again = table.claim("h1", "x", now=NOW, oldest=OLDEST)
    assert again.done
    assert again.record is not None
    assert list(again.record.claims) == ["x"]


@pytest.mark.parametrize(
    "report", [replace(FOUR, state=HostState.DRAINING), replace(FOUR, state=HostState.LEAVING), replace(FOUR, room=0)]
)
def test_nobody_comes_to_a_host_that_does_not_serve(table: Table, report: Report) -> None:
    table.register(identity(1), report, now=NOW)
    refused = table.claim("h1", "x", now=NOW, oldest=OLDEST)
    assert not refused.done
    assert refused.record is not None  # what it knows then saves another look
    assert refused.record.free == 0


def test_nobody_comes_to_a_host_that_beats_no_more_or_never_was(table: Table) -> None:
    table.register(identity(1), FOUR, now=OLDEST - 0.01)
    assert not table.claim("h1", "x", now=NOW, oldest=OLDEST).done
    assert table.claim("nowhere", "x", now=NOW, oldest=OLDEST).record is None


def test_only_pending_claims_are_released(table: Table) -> None:
    me = identity(1)
    table.register(me, FOUR, now=NOW)
    for claim in ("mine", "theirs"):
        table.claim("h1", claim, now=NOW, oldest=OLDEST)
    assert table.beat(me, FOUR, Changes(confirmed=["mine"]), now=NOW + 1).done
    for claim in ("mine", "theirs", "unknown"):
        table.release("h1", claim)
    table.release("nowhere", "mine")
    assert table.hosts(consistent=True)[0].claims == {"mine": CONFIRMED}


def test_a_beat_confirms_only_what_is_there(table: Table) -> None:
    me = identity(1)
    table.register(me, FOUR, now=NOW)
    table.claim("h1", "there", now=NOW, oldest=OLDEST)
    missed = table.beat(me, replace(FOUR, queue=9), Changes(confirmed=["gone", "there"]), now=NOW + 2)
    assert not missed.done
    assert missed.record is not None
    assert (missed.record.beat, missed.record.queue) == (NOW, 3)  # nothing of it was written
    done = table.beat(me, replace(FOUR, queue=9), Changes(["there"], ended=["never"]), now=NOW + 2)
    assert done.done
    assert done.record is not None
    assert (done.record.beat, done.record.queue, done.record.claims) == (NOW + 2, 9, {"there": CONFIRMED})


def test_an_empty_table_says_so_to_a_beat(table: Table) -> None:
    attempt = table.beat(identity(1), FOUR, Changes(), now=NOW)
    assert (attempt.done, attempt.record) == (False, None)


def test_the_process_before_is_replaced_and_takes_nothing_away(table: Table) -> None:
    before, after = identity(1), identity(1)
    table.register(before, FOUR, now=NOW)
    table.register(after, FOUR, now=NOW)
    with pytest.raises(ReplacedError, match="h1"):
        table.beat(before, FOUR, Changes(), now=NOW + 1)
    table.remove(before)
    assert [record.identity for record in table.hosts(consistent=True)] == [after]
    table.remove(after)
    assert table.hosts(consistent=True) == []


def test_notes_keep_the_newest_word(table: Table) -> None:
    assert table.noted("key") is None
    for host in ("h1", "h2"):
        table.note("key", host, now=NOW)
    assert table.noted("key") == "h2"


def test_the_largest_beat(table: Table) -> None:
    """As many claims begun and ended as one update may change; DynamoDB takes 4 KB of each expression."""
    me, lengths = identity(1, slots=128), [0]
    if isinstance(table, DynamoTable):
        _count_expressions(table, lengths)
    old, new = (frozenset(f"{kind}-claim-16-{index:03}" for index in range(CHANGES_MOST)) for kind in ("old", "new"))
    table.register(me, Report(old | new, room=128), now=NOW)
    attempt = table.beat(me, Report(new, room=128), Changes(sorted(new), sorted(old)), now=NOW + 2)
    assert attempt.done
    assert attempt.record is not None
    assert attempt.record.claims == dict.fromkeys(new, CONFIRMED)
    assert max(lengths) <= 4096


def _count_expressions(table: DynamoTable, lengths: list[int]) -> None:
    def count(params: dict[str, Any], **_: Any) -> None:
        lengths.extend(len(value.encode()) for key, value in params.items() if key.endswith("Expression"))

    table._client.meta.events.register("before-parameter-build.dynamodb.UpdateItem", count)


def test_memory_counts_what_it_is_asked() -> None:
    table = MemoryTable()
    table.hosts()
    assert table.requests == 1
