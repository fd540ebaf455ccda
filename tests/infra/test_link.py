"""The emulated link between two real sockets: what it says it does to packets is what they feel."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import namespaces
from benchmarks.conditions import Conditions, Way, parse
from benchmarks.link import Link

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(namespaces.missing() is not None, reason=namespaces.missing() or ""),
]

PORT = 4000
PACKET = bytes(1222)  # 1250 bytes with the IP and UDP headers
SILENCE = 0.7  # seconds without a packet after which nothing more comes


def _socket(end: namespaces.Namespace) -> socket.socket:
    with end.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((end.address, PORT))
    made.settimeout(SILENCE)
    return made


@contextmanager
def _pair(link: Link) -> Iterator[tuple[socket.socket, socket.socket]]:
    with _socket(link.server) as server, _socket(link.viewer) as viewer:
        yield server, viewer


def _drain(end: socket.socket) -> list[float]:
    """When packets came, until none comes any more."""
    times: list[float] = []
    while True:
        try:
            end.recv(2000)
        except TimeoutError:
            return times
        times.append(time.monotonic())


def test_both_ways_are_delayed_and_never_less_than_told() -> None:
    with Link(parse("delay=30ms")) as link, _pair(link) as (server, viewer):

        def echo() -> None:
            for _ in range(10):
                data, address = server.recvfrom(100)
                server.sendto(data, address)

        thread = threading.Thread(target=echo)
        thread.start()
        trips = []
        for number in range(10):
            start = time.monotonic()
            viewer.sendto(bytes([number]), (link.server.address, PORT))
            assert viewer.recv(100) == bytes([number])
            trips.append(time.monotonic() - start)
        thread.join()
        assert min(trips) >= 0.06
        assert min(trips) - link.tally()["late"]["max"] * 2 < 0.08  # what the link itself was late is known


def test_the_rate_is_kept_and_the_queue_is_bounded() -> None:
    with Link(parse("down.rate=2mbit,down.queue=250ms")) as link, _pair(link) as (server, viewer):
        for _ in range(200):
            server.sendto(PACKET, (link.viewer.address, PORT))
        times = _drain(viewer)
        tally = link.tally()["down"]
        assert len(times) == tally["delivered"] == 200 - tally["dropped"]
        assert 50 <= len(times) <= 70  # 62 500 bytes wait, and a few left while the burst was made
        rate = (len(times) - 1) * 1250 * 8 / (times[-1] - times[0])
        assert rate == pytest.approx(2e6, rel=0.15)


def test_loss_is_counted_and_conditions_change_at_once() -> None:
    with Link(parse("loss=20%"), seed=7) as link, _pair(link) as (server, viewer):
        came = 0
        for _ in range(5):  # few enough at a time for any socket's buffer
            for _ in range(100):
                server.sendto(b"x", (link.viewer.address, PORT))
            came += len(_drain(viewer))
        assert came == 500 - link.tally()["down"]["lost"]
        assert 350 < came < 450
        link.change(Conditions(down=Way(loss=1.0)))
        server.sendto(b"x", (link.viewer.address, PORT))
        assert not _drain(viewer)


def test_nothing_is_left_behind_and_the_schedule_is_kept() -> None:
    with Link(parse("delay=1ms;100ms:down.loss=100%")) as link:
        process = link.server.path.split("/")[2]
        started = link.play()
        with _pair(link) as (server, viewer):
            server.sendto(b"x", (link.viewer.address, PORT))
            assert viewer.recv(10) == b"x"
            time.sleep(max(started + 0.15 - time.monotonic(), 0))
            server.sendto(b"x", (link.viewer.address, PORT))
            assert not _drain(viewer)
    assert not os.path.exists(f"/proc/{process}")
