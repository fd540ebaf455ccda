"""Reading the texts of WHEP signalling: what of an offer is used; trickled candidates. Pure functions, no WebRTC."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.errors import SignallingError

MAX_OFFER = 128 << 10  # bytes
MAX_SECTIONS = 8  # m= lines; each may cost sockets until it is bundled
MAX_CANDIDATES = 64  # of one fragment or offer


@dataclass(frozen=True, slots=True)
class Fragment:
    """What is used of an `application/trickle-ice-sdpfrag`. candidates: (mid, text behind "candidate:")."""

    ufrag: str | None
    candidates: tuple[tuple[str, str], ...]


def check_offer(text: str) -> None:
    """Refuse what cannot be an offer before any WebRTC code sees it. Raises SignallingError."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "v=0":
        raise SignallingError(400, "bad-sdp", "the body must be an SDP offer, beginning with v=0")
    sections = sum(line.startswith("m=") for line in lines)
    if not 1 <= sections <= MAX_SECTIONS:
        raise SignallingError(400, "bad-sdp", f"the offer may have 1 to {MAX_SECTIONS} media sections, not {sections}")
    if not any(line.startswith("m=video") for line in lines):
        raise SignallingError(422, "no-video", "the offer must ask to receive video")
    if sum(line.startswith("a=candidate:") for line in lines) > MAX_CANDIDATES:
        raise SignallingError(400, "bad-sdp", f"the offer may have {MAX_CANDIDATES} candidates")


def without_unresolvable(offer: str) -> str:
    """The offer without mDNS candidates and without the end of candidates.

    Browsers hide their addresses behind `.local` names that cost a second of multicast to resolve, often in vain. They
    are not needed: the browser checks *our* candidates, and its address is learnt from its first packet. For the same
    reason ICE must not give up because the offer's own list has come to its end.
    """
    kept = [line for line in offer.splitlines() if not _is_mdns(line) and line.strip() != "a=end-of-candidates"]
    return "\r\n".join(kept) + "\r\n"


def parse_fragment(text: str) -> Fragment:
    """Read a trickled fragment. Raises SignallingError 400."""
    ufrag: str | None = None
    mid = "0"
    candidates: list[tuple[str, str]] = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=mid":
            mid = value
        elif name == "a=candidate" and not _is_mdns(line):
            candidates.append((mid, value))
        elif line and not line.startswith(("a=", "m=", "v=", "o=", "s=", "t=", "c=", "b=")):
            raise SignallingError(400, "bad-fragment", f"not a line of a trickle-ice-sdpfrag: {line[:80]!r}")
    if len(candidates) > MAX_CANDIDATES:
        raise SignallingError(400, "bad-fragment", f"a fragment may have {MAX_CANDIDATES} candidates")
    return Fragment(ufrag, tuple(candidates))


def ice_ufrag(text: str) -> str | None:
    """The first ICE user fragment of a description."""
    return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("a=ice-ufrag:")), None)


def _is_mdns(line: str) -> bool:
    words = line.split()
    return line.startswith("a=candidate:") and len(words) > 4 and words[4].endswith(".local")
