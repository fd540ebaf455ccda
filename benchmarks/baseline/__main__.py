"""Owns the baseline's process, `python -m benchmarks.baseline --model FILE --port N`: one model, one size."""

from __future__ import annotations

import argparse
import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from benchmarks.baseline.scene import PyrenderScene, ReplayedScene, Scene
from benchmarks.baseline.track import Camera, RenderTrack, Trace, now, trace_encoders


class Service:
    """One model, any number of viewers, each with a track and a camera of its own."""

    def __init__(self, scene: Scene, executor: ThreadPoolExecutor) -> None:
        self._scene, self._executor = scene, executor
        self._trace = Trace()
        self._peers: set[RTCPeerConnection] = set()
        trace_encoders(self._trace)

    async def offer(self, request: web.Request) -> web.Response:
        """Answer {"sdp", "type"} with the same; the camera comes over the viewer's `camera` channel."""
        body = await request.json()
        self._trace.clear()
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers.add(peer)
        newest = [Camera()]
        peer.on("datachannel", lambda channel: self._listen(channel, newest))

        @peer.on("connectionstatechange")
        async def _ended() -> None:
            if peer.connectionState in ("failed", "closed"):
                self._peers.discard(peer)
                await peer.close()

        await peer.setRemoteDescription(RTCSessionDescription(body["sdp"], body["type"]))
        peer.addTrack(RenderTrack(self._scene, lambda: newest[0], self._executor, self._trace))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response({"sdp": peer.localDescription.sdp, "type": peer.localDescription.type})

    def _listen(self, channel: RTCDataChannel, newest: list[Camera]) -> None:
        if channel.label != "camera":
            return

        @channel.on("message")
        def _message(text: str) -> None:
            message = json.loads(text)
            if message["seq"] > newest[0].seq:
                orbit, target = tuple(message["orbit"]), tuple(message["target"])
                newest[0] = Camera(message["seq"], orbit, target, message["fov"])
                self._trace.inputs.append((message["seq"], now()))

    async def trace(self, _request: web.Request) -> web.Response:
        """Times of the newest session's inputs and frames."""
        return web.json_response({"inputs": list(self._trace.inputs), "frames": list(self._trace.frames)})

    async def close(self, _application: web.Application) -> None:
        """End every session."""
        await asyncio.gather(*(peer.close() for peer in self._peers))


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _scene(options: argparse.Namespace) -> Scene:
    if options.replay:
        return ReplayedScene(options.model)
    return PyrenderScene(options.model, options.width, options.height, options.flat)


def main() -> None:
    """Load the model, then serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="benchmarks.baseline")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--flat", action="store_true")
    parser.add_argument("--replay", action="store_true", help="the model is a file of ready pictures")
    options = parser.parse_args()
    with ThreadPoolExecutor(1, thread_name_prefix="pyrender") as executor:
        scene = executor.submit(_scene, options).result()
        service = Service(scene, executor)
        application = web.Application()
        application.router.add_post("/offer", service.offer)
        application.router.add_get("/trace", service.trace)
        application.router.add_get("/healthz", _healthy)
        application.on_shutdown.append(service.close)
        web.run_app(application, host=options.host, port=options.port, print=None)
        executor.submit(scene.close).result()


if __name__ == "__main__":
    main()
