"""How fast one viewer may be sent to: bandwidth estimation without a network, a clock or an event loop of its own.

`Controller` is what the sender uses; the other modules are its parts, one measurement each (docs/congestion.md).
"""

from streaming.congestion.controller import Controller
from streaming.congestion.feedback import FeedbackError
from streaming.congestion.probing import ProbePlan

__all__ = ["Controller", "FeedbackError", "ProbePlan"]
