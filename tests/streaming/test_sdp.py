"""What of an offer and of a trickled fragment is used, and what is refused before WebRTC sees it."""

from __future__ import annotations

import pytest

from streaming.errors import SignallingError
from streaming.sdp import MAX_CANDIDATES, check_offer, ice_ufrag, parse_fragment, without_unresolvable

OFFER = """v=0
o=- 1 1 IN IP4 0.0.0.0
m=video 9 UDP/TLS/RTP/SAVPF 96
a=ice-ufrag:abcd
a=candidate:1 1 udp 2113937151 1f8e-42.local 60000 typ host
a=candidate:2 1 udp 2113937151 10.0.0.7 60001 typ host
a=end-of-candidates
"""


def test_a_usual_offer_passes() -> None:
    check_offer(OFFER)
    assert ice_ufrag(OFFER) == "abcd"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("hello", 400),
        ("v=0\n", 400),
        ("v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n", 422),
        ("v=0\n" + "m=video 9 x 96\n" * 9, 400),
        (OFFER + "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\n" * MAX_CANDIDATES, 400),
    ],
)
def test_what_is_no_offer_for_us_is_refused(text: str, status: int) -> None:
    with pytest.raises(SignallingError) as caught:
        check_offer(text)
    assert caught.value.status == status


def test_hidden_addresses_and_the_end_of_candidates_are_left_out() -> None:
    text = without_unresolvable(OFFER)
    assert ".local" not in text
    assert "end-of-candidates" not in text
    assert "10.0.0.7" in text


def test_fragment() -> None:
    fragment = parse_fragment(
        "a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:v0\r\n"
        "a=candidate:1 1 udp 1 10.0.0.7 60001 typ host\r\na=candidate:2 1 udp 1 x.local 60001 typ host\r\n"
        "a=end-of-candidates\r\n"
    )
    assert fragment.ufrag == "abcd"
    assert fragment.candidates == (("v0", "1 1 udp 1 10.0.0.7 60001 typ host"),)


@pytest.mark.parametrize("text", ["{}", "a=candidate:1\nhello", "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\n" * 65])
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(SignallingError):
        parse_fragment(text)
