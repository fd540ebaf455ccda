"""How much is sent more than once on a path that loses packets, before a player asks. Pure; knows no packets.

A lost packet costs a round trip, and a repetition or request that is lost, too, another one: at 10 % loss and 80 ms
every hundredth packet would stop the picture for a quarter of a second. Copies of repetitions cost little and end most
of that. Where loss is so frequent that most pictures miss a packet, each picture is sent twice, and the encoder leaves
room for it: half the bits in every picture look better than three quarters of the pictures.

What a path has become during a rest is not known when the camera moves again, and the first picture decides when the
shopper sees that it does: the first ones go out twice, too, until a player can have said what became of them.
"""

from __future__ import annotations

COPIES = ((0.05, 3), (0.005, 2))  # loss from which a repetition is sent so many times
DOUBLE, SINGLE = 0.015, 0.01  # loss from which pictures are sent twice (of seven packets each, every tenth picture
# misses one, and waits for a round trip), and below which they are sent once again
ROOM = 1.1  # of the estimate that may have left lately, both copies counted: pictures differ from each other
ENOUGH = 750_000  # bits a second that pictures have before any are left for their second copies
OPENING = 3  # pictures after a rest that are sent twice whatever was known before it...
OPENING_SECONDS = 0.05  # ...if the estimated path carries one in this time


def copies(loss: float) -> int:
    """How often to send a packet that was asked for again."""
    return next((count for least, count in COPIES if loss >= least), 1)


def opens(size: int, ordinal: int, estimate: float) -> bool:
    """Whether a picture of `size` bytes, the `ordinal`-th since a rest, goes out twice. estimate: bits a second."""
    return ordinal < OPENING and 8 * size <= OPENING_SECONDS * estimate


class Doubling:
    """Whether pictures are sent twice, as loss comes and goes."""

    def __init__(self) -> None:
        self.wanted = False

    def follow(self, loss: float) -> None:
        """loss: smoothed, 0..1."""
        self.wanted = loss >= (SINGLE if self.wanted else DOUBLE)

    def share(self, estimate: float) -> float:
        """The part of the estimate (bits a second) that pictures may take, each counted once."""
        return max(0.5, min(1.0, ENOUGH / estimate)) if self.wanted else 1.0
