"""What the viewer makes of the relays that an answer names, and how it tells candidates that are found later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from streaming.sdp import parse_fragment
from streaming.turn import Turn

pytestmark = pytest.mark.browser

OFFER = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=ice-pwd:efghijklmnopqrstuvwxyz01\r\na=mid:0\r\n"
RELAYED = "candidate:1 1 udp 8331263 203.0.113.50 60001 typ relay raddr 0.0.0.0 rport 0 generation 0"
REFLEXIVE = "candidate:2 1 udp 1677729535 203.0.113.9 40001 typ srflx raddr 0.0.0.0 rport 0 generation 0"
HIDDEN = "candidate:3 1 udp 2113937151 0b4c2a36-9f0c-4a71-d3be-5e1d0c7a8b9f.local 40000 typ host generation 0"
OVER_TCP = "candidate:4 1 tcp 1518280447 203.0.113.9 9 typ host tcptype active generation 0"


def told(page: Page, candidates: list[str]) -> list[str]:
    """The fragments that follow when a connection finds these candidates one after the other."""
    sent: list[str] = page.evaluate(
        """async ([offer, candidates]) => {
          const { Trickle } = await import("/viewer/trickle.js");
          const connection = {}, sent = [];
          const trickle = new Trickle(connection, offer, (fragment) => sent.push(fragment));
          for (const candidate of candidates) connection.onicecandidate({ candidate: { candidate, sdpMid: "0" } });
          connection.onicecandidate({ candidate: null });
          await new Promise((resolve) => setTimeout(resolve, 120));
          trickle.close();
          return sent;
        }""",
        [OFFER, candidates],
    )
    return sent


def test_candidates_travel_together_as_the_server_reads_them(page: Page) -> None:
    (fragment,) = told(page, [RELAYED, REFLEXIVE])
    read = parse_fragment(fragment)
    assert read.ufrag == "abcd"
    assert [f"candidate:{text}" for _, text in read.candidates] == [RELAYED, REFLEXIVE]
    assert {mid for mid, _ in read.candidates} == {"0"}


def test_what_the_server_can_do_nothing_with_stays_here(page: Page) -> None:
    assert told(page, [HIDDEN, OVER_TCP]) == []
    (fragment,) = told(page, [HIDDEN, REFLEXIVE])
    assert len(parse_fragment(fragment).candidates) == 1


def test_a_browser_takes_the_relays_that_the_server_names(page: Page, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("north-south-east-west")
    urls = ("turns:turn.example.com:443?transport=tcp", "turn:[2001:db8::1]:3478", "stun:stun.example.com:3478")
    header = ", ".join(['</whep/chair/x/events>; rel="events"', *Turn(urls, str(secret), 600).links("session")])
    taken: list[dict[str, Any]] = page.evaluate(
        """async (header) => {
          const [{ parseLinks }, { iceServersOf }] =
            await Promise.all(["links", "trickle"].map((name) => import(`/viewer/${name}.js`)));
          const connection = new RTCPeerConnection();
          const offer = await connection.createOffer({ offerToReceiveVideo: true });
          const iceServers = iceServersOf(parseLinks(header, location.href));
          connection.setConfiguration({ ...connection.getConfiguration(), iceServers });
          await connection.setLocalDescription(offer);
          const servers = connection.getConfiguration().iceServers;
          connection.close();
          return servers.map(({ urls, username, credential }) => ({ urls: [urls].flat()[0], username, credential }));
        }""",
        header,
    )
    assert [server["urls"] for server in taken] == list(urls)
    assert all(server["username"].endswith(taken[0]["username"][-12:]) for server in taken[:2])
    assert all(server["credential"] for server in taken[:2])
