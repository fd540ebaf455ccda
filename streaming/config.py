"""Every setting of the server, in one frozen value read once. The only place that looks at the environment."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from assets.source import SourceOptions
from assets.store import StoreOptions
from streaming.errors import ConfigError
from streaming.reach import Reach, parse_reach
from streaming.turn import check_urls

PREFIX = "VITRINE_"
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")  # as browsers spell it


@dataclass(frozen=True, slots=True)
class Config:
    """Settings with their units; each may be given as `VITRINE_<NAME>` in the environment.

    models: folder of model files, s3://bucket/prefix or https://cdn/… (docs/assets.md). store_endpoint, store_region:
    of the S3 to ask, "" = what boto3 finds. cdn_key_pair, cdn_key_file, cdn_signing: CloudFront's signatures, "" =
    none. cache_folder: of the copies of remote files. host, port: where HTTP listens. network: network processes, 0 =
    one per two cores. require_gpu: refuse a software rasteriser (also `REQUIRE_GPU=1`). warm: model ids loaded at
    start; warm_hottest: so many more that are fetched then, those that this host has shown most. auth: JWK set of the
    keys that tokens are signed with, "" = no tokens: then host must be this machine's own, or `open` must say that
    anybody may see everything. allow_origin: origins of the pages that may ask from browsers, "*" = all.
    trusted_proxies: addresses and networks whose X-Forwarded-For is believed. public_address, udp_ports ("FIRST-LAST",
    "" = any), interfaces (() = all): under which addresses viewers reach the media (docs/network.md). turn,
    turn_secret_file, turn_seconds: relays that viewers are told, the secret shared with them, how long credentials are
    valid. ground: whether products stand on a shadow where the viewer does not say. backend: "module:callable" that
    makes the rendering backend. fleet_*: this host among others (docs/operating.md); fleet_table: DynamoDB's table of
    places, "" = this host is alone. fleet_region, fleet_endpoint: of it, "" = what boto3 finds. fleet_host: this host's
    id, "" = its name. fleet_address: HOST:PORT where other hosts reach its HTTP, "" = what it has towards the table.
    fleet_group: its Auto Scaling group, "" = none. fleet_slots: viewers it offers, 0 = max_sessions; what is measured
    may be less. fleet_key_file: the secret that hosts sign with what they pass to each other. fleet_metadata: base
    address of the instance's metadata, "" = none.
    """

    models: str = "models"
    store_endpoint: str = ""
    store_region: str = ""
    cdn_key_pair: str = ""
    cdn_key_file: str = ""
    cdn_signing: str = "canned"  # or "custom", "cookies"
    cache_folder: str = ""  # "" = vitrine below $XDG_CACHE_HOME, or ~/.cache
    cache_bytes: int = 20 << 30  # of the disk that copies may take; the least recently used leave
    fetch_threads: int = 4  # whole models fetched at once
    refresh_seconds: float = 15.0  # between two looks for new versions
    prepare_seconds: float = 80.0  # that a viewer waits for a model to be fetched and read, then 503; the work goes on
    host: str = "127.0.0.1"
    port: int = 8080
    network: int = 0
    require_gpu: bool = False
    warm: tuple[str, ...] = ()
    warm_hottest: int = 0
    auth: str = ""
    open: bool = False
    allow_origin: tuple[str, ...] = ("*",)
    trusted_proxies: tuple[str, ...] = ()
    public_address: tuple[str, ...] = ()
    udp_ports: str = ""
    interfaces: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    turn_secret_file: str = ""
    turn_seconds: float = 3600.0
    ground: bool = True
    backend: str = "streaming.native:backend"
    log_format: str = "text"  # or "json": an object a line

    fleet_table: str = ""
    fleet_region: str = ""
    fleet_endpoint: str = ""
    fleet_host: str = ""
    fleet_address: str = ""
    fleet_group: str = ""
    fleet_slots: int = 0
    fleet_key_file: str = ""
    fleet_metadata: str = "http://169.254.169.254"

    spares: bool = True  # a process of each kind waits, ready to take over from one that dies
    drain_seconds: float = 10.0  # that viewers may stay after SIGTERM

    max_sessions: int = 128  # viewers at once; one more gets 503 and a place in line
    min_sessions: int = 12  # viewers at once that are let in whatever the measured load
    max_watchers: int = 16  # who may watch one viewer's session (?watch=)
    queue_length: int = 256  # who may wait for a place
    queue_address: int = 16  # of them from one address
    connect_seconds: float = 20.0  # from the answer until ICE and DTLS are done, else the session is dropped
    gpu_bytes: int = 2 << 30  # bytes of models kept on the device; models in use do not leave
    load_threads: int = 2  # large model files read at once: one that takes long does not keep the others waiting

    encoder_h264: str = "x264,x264-ffmpeg"  # names in encoders.TABLE or "auto": the first that works
    encoder_vp8: str = "vp8"
    encoder_threads: int = 2  # frames encoded at once
    bitrate: int = 4_000_000  # bits per second at the start
    min_bitrate: int = 200_000
    max_bitrate: int = 12_000_000

    frame_rate: float = 60.0  # frames per second, highest per viewer
    animation_rate: float = 30.0  # the same while only time moves
    frame_budget: float = 6.0  # milliseconds a moving frame should take; the resolution follows
    rest_seconds: float = 0.1  # without input, until refinement starts
    prompt_seconds: float = 0.13  # without input, until it is shown as far as it is
    refine_samples: int = 16  # jittered samples in the refined frame

    token_seconds: float = 3600.0  # longest time from a token's nbf to its exp
    whep_rate: float = 1.0  # offers per second from one address, in the long run
    whep_burst: float = 30.0  # offers at once
    still_address_rate: float = 10.0  # stills per second from one address
    still_address_burst: float = 200.0  # stills at once: a gallery asks for many
    refusal_rate: float = 2.0  # refused tokens per second from one address, then it is not listened to for a moment
    refusal_burst: float = 200.0  # refused tokens at once: a gallery whose token has expired asks for many stills
    address_table: int = 10_000  # addresses remembered for each of these

    max_pixels: int = 3840 * 2160  # of one picture
    camera_rate: float = 250.0  # camera messages per second taken from one viewer
    control_rate: float = 40.0  # control messages per second taken from one viewer

    channels: bool = True  # viewers may see material inputs and depth (docs/channels.md); 0 where geometry is a secret

    still_concurrency: int = 2  # stills rendered at once
    still_queue: int = 32  # stills waiting; one more gets 503
    still_cache_bytes: int = 64 << 20  # finished stills kept in memory
    still_pixels: int = 2048 * 2048  # of one still

    delivery_seconds: float = 1.0  # from an offer to a stream's first picture, without the round trips on the way
    delivery_downlink: float = 25.0  # Mbit/s that a device has which says nothing, or the most that browsers tell
    delivery_stream_downlink: float = 0.5  # Mbit/s: with less, a turn of pictures is better than a stream
    delivery_bytes: int = 16 << 20  # largest file that a device is given to draw
    delivery_triangles_phone: int = 250_000  # most that phones and tablets are given to draw
    delivery_triangles_desktop: int = 1_000_000
    model_viewer: str = ""  # address of the module of <model-viewer> for pages without one, "" = none

    @property
    def store(self) -> StoreOptions:
        """How the store is reached, and where copies of its files are kept. Raises StoreError for what cannot be."""
        if self.cdn_signing not in ("canned", "custom", "cookies"):
            raise ConfigError(f"cdn_signing is {self.cdn_signing!r}: allowed are canned, custom and cookies")
        source = SourceOptions(
            endpoint=self.store_endpoint or None,
            region=self.store_region or None,
            key_pair=self.cdn_key_pair or None,
            key_file=Path(self.cdn_key_file) if self.cdn_key_file else None,
            signing=cast(Literal["canned", "custom", "cookies"], self.cdn_signing),
        )
        folder = Path(self.cache_folder) if self.cache_folder else None
        return StoreOptions(folder, self.cache_bytes, source, refresh_seconds=self.refresh_seconds / 2)

    def to_json(self) -> str:
        """One line that `from_json` reads back, for a child process."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Config:
        """The value that `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        for name in [name for name, value in data.items() if isinstance(value, list)]:
            data[name] = tuple(data[name])
        return Config(**data)

    @property
    def reach(self) -> Reach:
        """Under which addresses and ports viewers reach the media."""
        return parse_reach(self.public_address, self.udp_ports, self.interfaces)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach `host`."""
        return is_loopback(self.host)

    @property
    def networks(self) -> int:
        """How many network processes run."""
        return self.network or max(1, (os.cpu_count() or 1) // 2)


def load(overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Defaults, then `VITRINE_*`, then overrides that are not None. Raises ConfigError for a wrong value."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for field in fields(Config):
        text = environ.get(PREFIX + field.name.upper())
        if text is not None:
            values[field.name] = _read(field.name, type(field.default), text)
    if environ.get("REQUIRE_GPU", "") not in ("", "0"):
        values["require_gpu"] = True
    values.update({name: value for name, value in (overrides or {}).items() if value is not None})
    if "host" in values:
        values["host"] = values["host"].removeprefix("[").removesuffix("]")  # as addresses spell IPv6
    if not values.get("cache_folder"):
        values["cache_folder"] = str(Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrine")
    return _checked(replace(Config(), **values))


def _read(name: str, kind: type, text: str) -> Any:
    try:
        if kind is bool:
            return {"0": False, "1": True, "": False}[text]
        if kind is tuple:
            return tuple(part for part in text.split(",") if part)
        return kind(text)
    except (ValueError, KeyError):
        allowed = "0 or 1" if kind is bool else f"a value of type {kind.__name__}"
        raise ConfigError(f"{PREFIX}{name.upper()} is {text!r}: expected {allowed}") from None


def _checked(config: Config) -> Config:
    bounds = {
        "port": (0, 65535),
        "network": (0, 64),
        "max_sessions": (1, 10_000),
        "min_sessions": (0, 10_000),
        "max_watchers": (0, 1000),
        "queue_length": (0, 100_000),
        "queue_address": (1, 100_000),
        "drain_seconds": (0, 86_400),
        "cache_bytes": (1, 1 << 50),
        "fetch_threads": (1, 64),
        "refresh_seconds": (0.1, 60),
        "prepare_seconds": (0.1, 3600),
        "warm_hottest": (0, 10_000),
        "encoder_threads": (1, 64),
        "load_threads": (1, 16),
        "bitrate": (config.min_bitrate, config.max_bitrate),
        "frame_rate": (1, 240),
        "animation_rate": (1, 240),
        "refine_samples": (1, 1024),
        "still_concurrency": (1, 16),
        "token_seconds": (60, 86_400),
        "whep_rate": (0.001, 1e6),
        "whep_burst": (1, 1e6),
        "still_address_rate": (0.001, 1e6),
        "still_address_burst": (1, 1e6),
        "refusal_rate": (0.001, 1e6),
        "refusal_burst": (1, 1e6),
        "address_table": (1, 1_000_000),
        "turn_seconds": (60, 86_400),
        "fleet_slots": (0, 128),
        "delivery_seconds": (0, 60),
        "delivery_downlink": (0.01, 1e6),
        "delivery_stream_downlink": (0, 1e6),
        "delivery_bytes": (0, 1 << 32),
        "delivery_triangles_phone": (0, 1 << 32),
        "delivery_triangles_desktop": (0, 1 << 32),
    }
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if not low <= value <= high:
            raise ConfigError(f"{name} is {value}: allowed are {low} to {high}")
    if config.log_format not in ("text", "json"):
        raise ConfigError(f"log_format is {config.log_format!r}: allowed are text and json")
    _check_access(config)
    parse_reach(config.public_address, config.udp_ports, config.interfaces)
    check_urls(config.turn, config.turn_secret_file)
    if config.fleet_table:
        _check_fleet(config)
    return config


def _check_fleet(config: Config) -> None:
    if not config.fleet_key_file:
        raise ConfigError("fleet_table needs fleet_key_file: a file with the secret that all hosts of the fleet share")


def _check_access(config: Config) -> None:
    if not (config.auth or config.open or config.is_local):
        raise ConfigError(
            f"host is {config.host!r}: without --auth only this machine is served (127.0.0.1, ::1, localhost); "
            "give --auth KEYS, or --open to let anybody see everything"
        )
    for origin in config.allow_origin:
        if not (_ORIGIN.fullmatch(origin) or config.allow_origin == ("*",)):
            raise ConfigError(f'allow_origin has {origin!r}: expected https://host or https://host:port, or "*" alone')
    for network in config.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigError(f"trusted_proxies has {network!r}: {error}") from error


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine, to itself only."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None  # on a socket of both kinds
    return (mapped or address).is_loopback
