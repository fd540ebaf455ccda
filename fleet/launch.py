"""Says to the group whether a new host may serve: the end of its boot self-test. Tests nothing itself."""

from __future__ import annotations

import logging

from fleet.errors import RefusedError, UnavailableError
from fleet.lifecycle import Lifecycle, Result

logger = logging.getLogger(__name__)


def report_launch(lifecycle: Lifecycle, hook: str, ok: bool) -> bool:
    """Complete the launching hook with CONTINUE or ABANDON; whether the group heard it.

    Unheard, the hook's own default (ABANDON) decides after its time-out: a host that cannot speak does not serve. False
    too when no hook waits, as after a reboot of a host that is in service.
    """
    try:
        lifecycle.complete(hook, Result.CONTINUE if ok else Result.ABANDON)
    except (UnavailableError, RefusedError) as error:
        logger.warning("the launching hook %r did not hear: %s", hook, error)
        return False
    return True
