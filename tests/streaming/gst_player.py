"""A WHEP player made of GStreamer's webrtcbin, run by the system's Python: shares no line with aiortc or with us.

Usage: gst_player.py WHEP_URL ENCODING(H264|VP8) PICTURES SECONDS. Prints one line of JSON: pictures, key frames,
width, height. Needs gstreamer1.0-nice, gstreamer1.0-plugins-{base,good,bad}, gir1.2-gst-plugins-bad-1.0, python3-gi.
"""

from __future__ import annotations

import json
import sys
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

CAPS = {
    "H264": "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f,rtcp-fb-nack-pli=(boolean)true",
    "VP8": "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000,rtcp-fb-nack-pli=(boolean)true",
}
DEPAYLOAD = {"H264": "rtph264depay ! h264parse", "VP8": "rtpvp8depay"}


class Player:
    """Offers to receive, posts the offer, counts what comes."""

    def __init__(self, url: str, encoding: str, wanted: int) -> None:
        self.url, self.encoding, self.wanted = url, encoding, wanted
        self.pictures = self.keys = self.width = self.height = 0
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline.new("player")
        self.webrtc = Gst.ElementFactory.make("webrtcbin", "webrtc")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.webrtc)
        self.webrtc.connect("pad-added", self.on_pad)
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        self.webrtc.emit(
            "add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(CAPS[encoding])
        )

    def run(self, seconds: int) -> None:
        self.pipeline.set_state(Gst.State.PLAYING)
        self.offer()
        GLib.timeout_add_seconds(seconds, self.loop.quit)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    def offer(self) -> None:
        created, applied = Gst.Promise.new(), Gst.Promise.new()
        self.webrtc.emit("create-offer", None, created)
        created.wait()
        reply = created.get_reply()  # owns the offer: it must outlive its use
        self.webrtc.emit("set-local-description", reply.get_value("offer"), applied)
        applied.wait()

    def on_gathering(self, webrtc: Gst.Element, _: object) -> None:
        if webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def post(self) -> bool:
        offer = self.webrtc.get_property("local-description").sdp.as_text()
        request = urllib.request.Request(
            self.url, data=offer.encode(), headers={"Content-Type": "application/sdp"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read().decode()
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def on_pad(self, _: Gst.Element, pad: Gst.Pad) -> None:
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        sink = Gst.parse_bin_from_description(
            f"{DEPAYLOAD[self.encoding]} ! fakesink name=count signal-handoffs=true sync=false async=false", True
        )
        sink.get_by_name("count").connect("handoff", self.on_picture)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_picture(self, _: Gst.Element, buffer: Gst.Buffer, pad: Gst.Pad) -> None:
        self.pictures += 1
        self.keys += not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        caps = pad.get_current_caps().get_structure(0)
        self.width = caps.get_int("width")[1] if caps.has_field("width") else 0
        self.height = caps.get_int("height")[1] if caps.has_field("height") else 0
        if self.pictures >= self.wanted:
            GLib.idle_add(self.loop.quit)


def main() -> int:
    Gst.init(None)
    url, encoding, wanted, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    player = Player(url, encoding, wanted)
    player.run(seconds)
    result = {name: getattr(player, name) for name in ("pictures", "keys", "width", "height")}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0 if player.pictures >= wanted else 1


if __name__ == "__main__":
    sys.exit(main())
