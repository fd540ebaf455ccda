"""What a measurement can complain about. One tree; `benchmarks.cli` answers it with one line and an exit code.

BenchError              the measurement could not be made: a server does not start, a picture never comes (exit 1)
└── UsageError          the request is at fault: a missing tool, a bad size, results of two machines (exit 2)
"""

from __future__ import annotations


class BenchError(Exception):
    """A measurement that could not be made; the message is one line."""


class UsageError(BenchError):
    """The request is at fault; the message says what to change or install."""
