"""Visitors of a namespace: an aiortc player and a real Chromium. What they say is how they came through."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from playwright.sync_api import Page, sync_playwright

from benchmarks.town import House
from streaming import rtc
from streaming.rtc import ice
from tests.browser import bidi
from tests.browser import conftest as browsing
from tests.browser.bidi import Firefox
from tests.browser.windows import until
from tests.streaming.serving import Client

PATIENCE, IMPATIENCE = 15.0, 3.0  # seconds: for a connection that must come, and for one that must not
FLAGS = [*browsing.FLAGS, "--ignore-certificate-errors"]  # the relay's is made for the occasion
RELAY_LINK = re.compile(r'<(.+?)>; rel="ice-server"; username="(.+?)"; credential="(.+?)"')
REMEMBER = """
  const Original = RTCPeerConnection;
  window.peers = [];
  window.RTCPeerConnection = class extends Original { constructor(...given) { super(...given); peers.push(this); } };
"""
PATH = """async () => {
  const reports = [...(await peers.at(-1).getStats()).values()];
  const selected = reports.find(({type}) => type === "transport")?.selectedCandidatePairId;
  const pair = reports.find(({id, type, selected: is}) => selected ? id === selected : type === "candidate-pair" && is);
  const [local, remote] = [pair.localCandidateId, pair.remoteCandidateId].map((id) => reports.find((r) => r.id === id));
  const relayed = local.relayProtocol ?? "";
  return {kind: local.candidateType, relayed, remote: remote.address ?? remote.ip, port: remote.port};
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """connected: whether media came; told: (address, port) of the answer; remote: the address that was sent to."""

    connected: bool
    told: list[tuple[str, int]]
    remote: str = ""


def visit(house: House, url: str, *, must: bool, relays: bool = False) -> Visit:
    """An aiortc player inside. relays: whether it asks which there are, and uses nothing else."""
    with house.space.entered():
        return asyncio.run(_visit(url, PATIENCE if must else IMPATIENCE, relays))


async def _visit(url: str, seconds: float, relays: bool) -> Visit:
    rtc.install()
    async with aiohttp.ClientSession() as http:
        viewer = Client(url, http, channels=False)
        if relays:
            await viewer.peer.close()
            viewer.peer = RTCPeerConnection(RTCConfiguration(iceServers=await _relays(http, url)))
        try:
            headers = {"Content-Type": "application/sdp"}
            async with http.post(f"{url}/whep/chair", data=await viewer.offer(), headers=headers) as response:
                assert response.status == 201, await response.text()
                answer = await response.text()
            await viewer.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            connected = await _within(seconds, viewer.peer)
            (connection,) = ice.connections(viewer.peer)
            nominated: Any = connection._nominated.get(1)
            return Visit(connected, told(answer), nominated.remote_addr[0] if nominated else "")
        finally:
            await viewer.peer.close()


async def _within(seconds: float, peer: RTCPeerConnection) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while peer.connectionState != "connected":
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


async def _relays(http: aiohttp.ClientSession, url: str) -> list[RTCIceServer]:
    """As the answer to OPTIONS names them, for players that gather before they offer."""
    async with http.options(f"{url}/whep/chair") as response:
        links = response.headers.getall("Link")
    found = [RELAY_LINK.match(link) for link in links]
    return [RTCIceServer(*match.groups()) for match in found if match]


def told(answer: str) -> list[tuple[str, int]]:
    """Addresses and ports of the candidates, each once."""
    words = [line.split() for line in answer.splitlines() if line.startswith("a=candidate")]
    return list(dict.fromkeys((line[4], int(line[5])) for line in words))


@contextmanager
def chromium(house: House, executable: str) -> Iterator[Page]:
    """A page of a browser inside, whose connections are remembered."""
    with house.space.entered(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            page = browser.new_page(bypass_csp=True)  # for what is evaluated below
            page.add_init_script(REMEMBER)
            yield page
        finally:
            browser.close()


@contextmanager
def firefox(house: House, executable: str) -> Iterator[Firefox]:
    """The same with Firefox."""
    with house.space.entered(), bidi.firefox(executable) as browser:
        browser.before_each_page(REMEMBER)
        yield browser


def watch_in_firefox(browser: Firefox, url: str) -> dict[str, Any]:
    """Look at a model until its picture is shown; how the media came."""
    browser.goto(f"{url}/view/chair")
    until(browser, "document.querySelector('vitrine-viewer').loaded")
    path: dict[str, Any] = browser.evaluate(f"({PATH})()")
    return path


def watch(page: Page, url: str) -> dict[str, Any]:
    """Look at a model until its picture is shown; how the media came."""
    page.goto(f"{url}/view/chair")
    page.wait_for_function("document.querySelector('vitrine-viewer').loaded", timeout=PATIENCE * 1e3)
    path: dict[str, Any] = page.evaluate(PATH)
    return path
