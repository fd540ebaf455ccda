"""One instance's view of a fake group: the port that `keeper` uses. Adds nothing to the group's semantics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fleet.errors import RefusedError, UnavailableError
from fleet.fakes.autoscaling import ApiError, Group
from fleet.lifecycle import Instance, Notices, Result

LATER = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalFailure", "ServiceUnavailable"}


class GroupLifecycle:
    """A `Lifecycle`. instance: one of the group's."""

    def __init__(self, group: Group, instance: str) -> None:
        self._group, self._id = group, instance

    def instance(self) -> Instance:
        """See `Lifecycle`."""
        return Instance(self._id, self._group.members[self._id].zone, "g5.xlarge", "10.0.0.1", self._group.plan.spot)

    def notices(self) -> Notices:
        """See `Lifecycle`."""
        with _explained():
            target = self._group.target(self._id)
        member = self._group.members[self._id]
        return Notices(member.interruption, member.advised, target)

    def protect(self, on: bool) -> None:
        """See `Lifecycle`."""
        with _explained():
            self._group.set_instance_protection([self._id], on)

    def heartbeat(self, hook: str) -> None:
        """See `Lifecycle`."""
        with _explained():
            self._group.record_lifecycle_action_heartbeat(hook, self._id)

    def complete(self, hook: str, result: Result) -> None:
        """See `Lifecycle`."""
        with _explained():
            self._group.complete_lifecycle_action(hook, self._id, result)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise (UnavailableError if error.code in LATER else RefusedError)(str(error)) from error
