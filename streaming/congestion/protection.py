"""How much is sent more than once on a path that loses packets, before a player asks. Pure; knows no packets.

A lost packet costs a round trip, and a repetition that is lost, too, another one: at 10 % loss and 80 ms every
hundredth packet would stop the picture for a quarter of a second. Copies of repetitions cost little and end that. Where
loss is so frequent that most pictures miss a packet, and there is room, each picture is sent twice.
"""

from __future__ import annotations

COPIES = ((0.05, 3), (0.005, 2))  # loss from which a repetition is sent so many times
DOUBLE = 0.03  # loss from which pictures are sent twice: at seven packets each, every fifth misses one
ROOM = 0.8  # of the estimate that may be in use, both copies counted, for the next picture to be sent twice


def copies(loss: float) -> int:
    """How often to send a packet that was asked for again."""
    return next((count for least, count in COPIES if loss >= least), 1)


def doubles(loss: float, used: float, estimate: float) -> bool:
    """Whether to send a picture twice; used, estimate: bits per second that are sent, and that the path carries."""
    return loss >= DOUBLE and used <= ROOM * estimate
