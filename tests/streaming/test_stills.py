"""Stills are made once, kept under their bound, and never by more than the allowed number at a time."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from renderer.view import View
from streaming.errors import SignallingError
from streaming.ipc import Answer
from streaming.stills import StillRequest, Stills, encode

SIZE = (64, 32)


def request(name: str, extension: str = "png", version: str = "1") -> StillRequest:
    return StillRequest(name, version, extension, View(width=SIZE[0], height=SIZE[1]), 1, f"/{name}")


class Renderer:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.at_once = self.most = 0

    async def __call__(self, still: StillRequest) -> Answer:
        self.asked.append(still.model)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.gate.wait()
        self.at_once -= 1
        return Answer({"width": SIZE[0], "height": SIZE[1]}, bytes([200, 100, 50, 128]) * (SIZE[0] * SIZE[1]))


async def test_the_same_still_is_made_once() -> None:
    renderer = Renderer()
    stills = Stills(renderer, concurrency=2, queue=4, cache_bytes=1 << 20)
    waiting = [asyncio.ensure_future(stills.get(request("a"))) for _ in range(5)]
    await asyncio.sleep(0)
    renderer.gate.set()
    answers = await asyncio.gather(*waiting)
    assert renderer.asked == ["a"]
    assert {data for data, _ in answers} == {answers[0][0]}
    assert (await stills.get(request("a")))[1] == "cache"
    assert (await stills.get(request("a", version="2")))[1] == "render"


async def test_concurrency_and_queue_are_bounded() -> None:
    renderer = Renderer()
    stills = Stills(renderer, concurrency=2, queue=3, cache_bytes=1 << 20)
    waiting = [asyncio.ensure_future(stills.get(request(str(i)))) for i in range(5)]
    await asyncio.sleep(0.01)
    with pytest.raises(SignallingError) as caught:
        await stills.get(request("one too many"))
    assert caught.value.status == 503
    renderer.gate.set()
    await asyncio.gather(*waiting)
    assert renderer.most == 2


async def test_addresses_take_turns() -> None:
    renderer = Renderer()
    stills = Stills(renderer, concurrency=1, queue=20, cache_bytes=1 << 20)
    waiting = [asyncio.ensure_future(stills.get(request(f"many-{i}"), "192.0.2.1")) for i in range(8)]
    waiting += [asyncio.ensure_future(stills.get(request("one"), "192.0.2.2"))]
    waiting += [asyncio.ensure_future(stills.get(request("other"), "192.0.2.3"))]
    await asyncio.sleep(0.01)
    renderer.gate.set()
    await asyncio.gather(*waiting)
    assert renderer.asked[:5] == ["many-0", "many-1", "one", "other", "many-2"]
    assert renderer.most == 1


async def test_one_address_leaves_half_of_the_line_to_others() -> None:
    renderer = Renderer()
    stills = Stills(renderer, concurrency=2, queue=8, cache_bytes=1 << 20)
    waiting = [asyncio.ensure_future(stills.get(request(str(i)), "192.0.2.1")) for i in range(6)]
    await asyncio.sleep(0.01)
    with pytest.raises(SignallingError, match="this address") as caught:
        await stills.get(request("one too many"), "192.0.2.1")
    assert caught.value.status == 503
    waiting += [asyncio.ensure_future(stills.get(request("another"), "192.0.2.2"))]
    renderer.gate.set()
    await asyncio.gather(*waiting)
    assert len(renderer.asked) == 7


async def test_a_still_that_fails_gives_its_place_back() -> None:
    async def fail(still: StillRequest) -> Answer:
        raise SignallingError(503, "restarting", still.model)

    stills = Stills(fail, concurrency=1, queue=8, cache_bytes=1 << 20)
    for name in ("a", "b", "c"):
        with pytest.raises(SignallingError, match=name):
            await asyncio.wait_for(stills.get(request(name), "192.0.2.1"), 5)


async def test_the_cache_keeps_its_bound() -> None:
    renderer = Renderer()
    renderer.gate.set()
    size = len(encode(bytes([200, 100, 50, 128]) * (SIZE[0] * SIZE[1]), SIZE, "png"))
    stills = Stills(renderer, concurrency=2, queue=4, cache_bytes=2 * size)
    for name in ("a", "b", "c"):
        await stills.get(request(name))
    assert [(await stills.get(request(name)))[1] for name in ("c", "b", "a")] == ["cache", "cache", "render"]


@pytest.mark.parametrize(("extension", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_files_are_what_they_are_called(extension: str, form: str) -> None:
    image = Image.open(io.BytesIO(encode(bytes([200, 100, 50, 255]) * (SIZE[0] * SIZE[1]), SIZE, extension)))
    assert (image.format, image.size) == (form, SIZE)
    assert image.convert("RGB").getpixel((5, 5)) == pytest.approx((200, 100, 50), abs=6)


def test_alpha_is_kept_in_png_and_laid_over_white_in_jpeg() -> None:
    pixels = bytes([0, 0, 0, 0]) * (SIZE[0] * SIZE[1])
    assert Image.open(io.BytesIO(encode(pixels, SIZE, "png"))).getpixel((1, 1)) == (0, 0, 0, 0)
    assert Image.open(io.BytesIO(encode(pixels, SIZE, "jpg"))).getpixel((1, 1)) == (255, 255, 255)
