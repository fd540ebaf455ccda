"""Colours through renderer planes, encoder, network, the browser's decoder and its conversion: what was meant is seen.

Chromium converts with its graphics stack here, on SwiftShader, as it does for people. Without one (`--disable-gpu`) its
software conversion of BT.709 is coarse in blue: up to 12 of 255 for pure blue, though the decoded planes are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from tests.browser.bidi import firefox
from tests.browser.conftest import FLAGS, serving, watched, window
from tests.browser.patches import COLOURS, COLUMNS, ROWS
from tests.browser.windows import ChromiumWindow, Window, until

pytestmark = pytest.mark.browser

NEAR = 2  # of 255
GRAPHICS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]

# Plays a model without the viewer's code. window.patches(): the middles of the patches, as [r, g, b], or null.
PLAY = """(async (codec, size, columns, rows) => {
  const peer = new RTCPeerConnection({ iceServers: [] });
  const receiver = peer.addTransceiver("video", { direction: "recvonly" });
  const { codecs } = RTCRtpReceiver.getCapabilities("video");
  receiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === `video/${codec}`));
  const video = document.createElement("video");
  Object.assign(video, { muted: true, autoplay: true, playsInline: true });
  document.body.append(video);
  peer.addEventListener("track", ({ track }) => { video.srcObject = new MediaStream([track]); });
  const gathered = new Promise((resolve) => peer.addEventListener("icegatheringstatechange",
    () => peer.iceGatheringState === "complete" && resolve()));
  await peer.setLocalDescription();
  await Promise.race([gathered, new Promise((resolve) => setTimeout(resolve, 2000))]);
  const answer = await fetch(`/whep/chair?size=${size}`, {
    method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  window.patches = () => {
    if (!video.videoWidth || `${video.videoWidth}x${video.videoHeight}` !== size) return null;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    return Array.from({ length: columns * rows }, (_, i) => {
      const x = ((i % columns) + 0.5) * canvas.width / columns;
      const y = (Math.floor(i / columns) + 0.5) * canvas.height / rows;
      return [...context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data].slice(0, 3);
    });
  };
  window.stop = () => peer.close();
  return true;
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that shows a chart of colours."""
    models = tmp_path_factory.mktemp("models")
    (models / "chair.glb").write_bytes(b"good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_BACKEND", "tests.browser.patches:backend")
        with serving(Path(models), fake=False) as found:
            yield found


@pytest.fixture(scope="module")
def chromium_window(chromium: str) -> Iterator[Window]:
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"] + GRAPHICS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        with window(browser) as context:
            yield ChromiumWindow(*watched(context))
        browser.close()


@pytest.fixture(scope="module")
def firefox_window(firefox_path: str) -> Iterator[Window]:
    with firefox(firefox_path) as driven:
        yield driven


def furthest(view: Window, address: str, codec: str, size: str) -> int:
    """The largest difference between a colour that was meant and the one that is shown at rest."""
    view.goto(address)
    view.evaluate(f"{PLAY}('{codec}', '{size}', {COLUMNS}, {ROWS})")
    until(view, "window.patches()?.[1][0] > 200")  # the white one: something is shown
    expected = np.array(COLOURS)
    found = expected + 255
    for _ in range(100):  # the first picture may be coarser than those that follow at rest
        found = np.array(view.evaluate("window.patches()"))
        if np.abs(found - expected).max() <= NEAR:
            break
        view.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    view.evaluate("window.stop()")
    return int(np.abs(found - expected).max())


@pytest.mark.parametrize("size", ["640x360", "1280x720"])
@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_colours_survive_chromium(chromium_window: Window, address: str, codec: str, size: str) -> None:
    assert furthest(chromium_window, address, codec, size) <= NEAR


@pytest.mark.parametrize("size", ["640x360", "1280x720"])
def test_colours_survive_firefox(firefox_window: Window, address: str, size: str) -> None:
    assert furthest(firefox_window, address, "VP8", size) <= NEAR
