"""Which host a viewer should go to: pure, from what is known of them. Takes no slot.

Packing keeps the fleet small: a host that stays empty can leave. In the simulator, spreading needs a quarter more host
hours for the same viewers (docs/fleet.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleet.records import HostRecord

BOUND = 0.9  # share of a host's room up to which it is filled before others are; the rest takes what comes by itself


def best(records: Iterable[HostRecord], model: str, avoid: Collection[str] = ()) -> HostRecord | None:
    """The host for a viewer of `model`; None when no host outside `avoid` has a free slot.

    The fullest below the bound, first among those that have the model; then the fullest above it. A host that the cloud
    wants back comes after all others. All who decide on the same records decide alike, so that their viewers pack too.
    """
    candidates = [record for record in records if record.free and record.id not in avoid]
    return min(candidates, key=lambda record: _order(record, model), default=None)


def _order(record: HostRecord, model: str) -> tuple[bool, bool, bool, float, str]:
    # An idle host is not kept alive for a model that it showed hours ago: others load it once.
    has_model = bool(record.claims) and model in record.models
    return record.advised, record.load >= BOUND, not has_model, -record.load, record.id
