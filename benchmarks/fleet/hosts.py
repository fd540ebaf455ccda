"""Owns the servers of the fleet's run: each in its namespace, with the settings that a host in the cloud has."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks import machine
from benchmarks.emulator import CREDENTIALS
from benchmarks.errors import BenchError
from benchmarks.fleet.places import CLOUD_PORT, HTTP_PORT, METADATA, SERVICES, TABLE_PORT, UDP_PORTS, Site
from benchmarks.pictures import STEPS

START_SECONDS = 60.0
ELSEWHERE = -10  # nice
MODEL = "lamp"
WIDTH, HEIGHT = 160, 120
_LOG_TAIL = 600  # characters


def write_model(folder: Path) -> None:
    """A "model" that costs next to nothing to show: pictures of a bar that moves, for `benchmarks.replay:frames`."""
    pictures = np.full((STEPS, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    pictures[:, :HEIGHT] = 60
    for step in range(STEPS):
        left = step * (WIDTH - 16) // STEPS
        pictures[step, :HEIGHT, left : left + 16] = 210
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{MODEL}.glb").open("wb") as file:
        np.save(file, pictures)


def elsewhere(command: Sequence[str]) -> list[str]:
    """A command whose like has a machine of its own in a cloud: here it goes before those that are measured."""
    return ["nice", "-n", str(ELSEWHERE), *command]


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all hosts have in common."""

    folder: Path
    table: str
    group: str
    slots: int
    drain: float

    @property
    def key(self) -> Path:
        """The secret that hosts sign with."""
        return self.folder / "key"


class Host:
    """One server. name: its instance id."""

    def __init__(self, fleet: Fleet, name: str, site: Site) -> None:
        self.name, self.site = name, site
        self.log = fleet.folder / f"{name}.log"
        command = site.house.space.command(["/usr/bin/env", *_environment(fleet, name, site), *_serve(fleet, site)])
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def address(self) -> str:
        """Where its HTTP answers, inside."""
        return f"{self.site.address}:{HTTP_PORT}"

    def wait_ready(self) -> None:
        """Raises BenchError."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended with code {self._process.returncode}: {self._tail()}")
            try:
                with self.site.house.space.entered():
                    urllib.request.urlopen(f"http://{self.address}/readyz", timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise BenchError(f"{self.name} was not ready within {START_SECONDS:.0f} s: {self._tail()}")

    def kill(self) -> None:
        """kill -9 of everything at once, as when the machine is gone."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):  # children end with their parent
                process.kill()
        self._process.wait()

    def _family(self) -> Sequence[psutil.Process]:
        try:
            return machine.tree(self._process.pid) if self._process.poll() is None else []
        except psutil.NoSuchProcess:
            return []

    def _tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace").strip()[-_LOG_TAIL:].replace("\n", " | ")


def _serve(fleet: Fleet, site: Site) -> list[str]:
    command = [sys.executable, "-m", "vitrine", "serve", "--models", str(fleet.folder / "models"), "--open"]
    command += ["--host", site.address, "--port", str(HTTP_PORT), "--network", "1", "--interface", "eth0"]
    command += ["--public-address", site.public, "--udp-ports", UDP_PORTS, "--trusted-proxy", "10.64.0.3"]
    return [*command, "--drain", f"{fleet.drain:g}", "--warm", MODEL]


def _environment(fleet: Fleet, name: str, site: Site) -> list[str]:
    """NAME=VALUE of each variable."""
    services = f"http://{SERVICES}"
    settings = {
        "backend": "benchmarks.replay:frames",
        "spares": "0",
        "whep_burst": "10000",  # all visitors have one address here
        "max_sessions": str(fleet.slots),
        "min_sessions": str(fleet.slots),
        "fleet_table": fleet.table,
        "fleet_region": CREDENTIALS["AWS_DEFAULT_REGION"],
        "fleet_endpoint": f"{services}:{TABLE_PORT}",
        "fleet_host": name,
        "fleet_address": f"{site.address}:{HTTP_PORT}",
        "fleet_group": fleet.group,
        "fleet_slots": str(fleet.slots),
        "fleet_key_file": str(fleet.key),
        "fleet_metadata": f"http://{METADATA}",
    }
    endpoints = {
        "AWS_ENDPOINT_URL_AUTO_SCALING": f"{services}:{CLOUD_PORT}",
        "AWS_ENDPOINT_URL_CLOUDWATCH": f"{services}:{TABLE_PORT}",
    }
    own = {f"VITRINE_{key.upper()}": value for key, value in settings.items()}
    return [f"{key}={value}" for key, value in {**own, **CREDENTIALS, **endpoints}.items()]
