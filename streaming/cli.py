"""`vitrine serve`, `selftest` and `token`: arguments only; everything heavy is imported when a command runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Mount `serve`, `selftest` and `token`."""
    _add_serve(subparsers)
    _add_selftest(subparsers)
    _add_token(subparsers)


def _add_serve(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser("serve", help="show a store of models in browsers", description=_run.__doc__)
    kinds = "folder of models (.glb, .gltf, .stl, .obj, .ply, .off, .3mf, .dae), s3://bucket/prefix, or https://cdn/…"
    parser.add_argument("--models", metavar="STORE", help=kinds)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8080; 0: any free one)")
    parser.add_argument("--network", type=int, metavar="N", help="network processes (default: one per two cores)")
    parser.add_argument("--require-gpu", action="store_true", default=None, help="refuse to render in software")
    parser.add_argument("--warm", action="append", metavar="MODEL", help="load this model at start; may be repeated")
    hottest = "fetch so many more after the start: those shown most on this host, then the store's first"
    parser.add_argument("--warm-hottest", type=int, metavar="N", help=hottest)
    _add_store(parser)
    parser.add_argument("--auth", metavar="KEYS", help="JWK set of public keys: models are shown to signed tokens only")
    parser.add_argument(
        "--open", action="store_true", default=None, help="without --auth, let all who reach --host see everything"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help='pages of this origin may embed the viewer; may be repeated (default: "*", all; "" for none)',
    )
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        metavar="ADDRESS",
        help="address or network of a proxy whose X-Forwarded-For is believed; may be repeated",
    )
    _add_reach(parser)
    parser.add_argument(
        "--drain", type=float, metavar="S", help="seconds that viewers may stay after SIGTERM (default: 10)"
    )
    parser.add_argument("--max-sessions", type=int, metavar="N", help="viewers at once (default: 64)")
    parser.add_argument("--log-format", choices=("text", "json"), help="lines of the log (default: text)")
    parser.add_argument(
        "--ground",
        choices=("on", "off"),
        help="a soft shadow under products, unless a viewer asks otherwise (default: on)",
    )
    parser.set_defaults(run=_run)


def _add_store(parser: argparse.ArgumentParser) -> None:
    """How a remote store is reached, and where its files are kept: docs/assets.md."""
    parser.add_argument("--endpoint", metavar="URL", help="S3 to ask instead of AWS's")
    parser.add_argument("--region", metavar="NAME", help="the bucket's region (default: what boto3 finds)")
    parser.add_argument("--cdn-key-pair", metavar="ID", help="CloudFront's id of the key that signs requests")
    parser.add_argument("--cdn-key-file", metavar="FILE", help="its private RSA key, PEM")
    parser.add_argument("--cache-folder", metavar="DIR", help="copies of remote files (default: ~/.cache/vitrine)")
    parser.add_argument("--cache-bytes", type=int, metavar="N", help="most that they take (default: 20 GiB)")


def _add_reach(parser: argparse.ArgumentParser) -> None:
    """How viewers' networks reach this host: docs/network.md."""
    parser.add_argument(
        "--public-address",
        metavar="A[,A6]",
        help="address that viewers see behind address translation (EC2); or pairs, private=public",
    )
    parser.add_argument("--udp-ports", metavar="FIRST-LAST", help="ports of the media (default: any free ones)")
    used = "network interface for the media; may be repeated (default: all)"
    parser.add_argument("--interface", action="append", metavar="NAME", help=used)
    relays = "relays for viewers without UDP, as turns:HOST:443?transport=tcp"
    parser.add_argument("--turn", metavar="URL[,URL]", help=relays)
    parser.add_argument("--turn-secret-file", metavar="FILE", help="the secret that the TURN server knows, too")


def _add_selftest(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "selftest", help="whether this host can read, draw and encode a model", description=_test.__doc__
    )
    software = "a software rasteriser is good enough, unless REQUIRE_GPU=1 says otherwise"
    parser.add_argument("--allow-software", action="store_true", help=software)
    hook = "launch hook of VITRINE_FLEET_GROUP that is told: CONTINUE or ABANDON (default: launch)"
    parser.add_argument("--hook", default="launch", metavar="NAME", help=hook)
    parser.set_defaults(run=_test)


def _add_token(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser("token", help="make keys and sign tokens for `serve --auth`")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    key = commands.add_parser("key", help="make a key pair", description=_make_key.__doc__)
    key.add_argument("--private", type=Path, default=Path("private.json"), help="the new key (default: private.json)")
    key.add_argument("--public", type=Path, default=Path("keys.json"), help="what --auth reads (default: keys.json)")
    key.set_defaults(run=_make_key)
    _add_sign(commands)


def _add_sign(commands: argparse._SubParsersAction[Any]) -> None:
    sign = commands.add_parser("sign", help="sign a token and print it", description=_sign.__doc__)
    sign.add_argument("--key", type=Path, default=Path("private.json"), help="the private key (default: private.json)")
    sign.add_argument("--model", action="append", required=True, help="id, or glob such as 'chair-*'; may be repeated")
    sign.add_argument("--origin", action="append", help='pages of this origin; may be repeated (default: "*", any)')
    sign.add_argument(
        "--allow",
        action="append",
        choices=("stream", "render", "watch", "operate"),
        help="what it is for; may be repeated (default: stream and render)",
    )
    sign.add_argument("--minutes", type=float, default=15.0, help="how long it is valid (default: 15)")
    sign.add_argument("--max-pixels", type=int, metavar="N", help="most pixels of a picture")
    sign.add_argument("--max-seconds", type=float, metavar="S", help="longest session")
    sign.set_defaults(run=_sign)


def _run(arguments: argparse.Namespace) -> int:
    """Serve a store of models: a gallery, a viewer page for each, WHEP streams and stills."""
    import asyncio

    from streaming.config import load
    from streaming.logs import install
    from streaming.parent import serve

    config = load(_overrides(arguments))
    install(config.log_format)
    asyncio.run(serve(config, _announce))
    return 0


def _test(arguments: argparse.Namespace) -> int:
    """Read a small built-in model in the sandbox, draw it, encode it, and check each result; one line of JSON."""
    from streaming.config import load
    from streaming.selftest import answer_hook, run

    config = load()
    report = run(config, allow_software=arguments.allow_software)
    report.hook = answer_hook(config, arguments.hook, report.passed)
    sys.stdout.write(report.to_json() + "\n")
    for check in report.checks:
        if not check.passed:
            sys.stderr.write(f"vitrine: selftest: {check.name}: {check.detail}\n")
    return 0 if report.passed else 1


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given, by the names of the settings; None where nothing was."""
    same = "models host port network require_gpu auth open max_sessions log_format udp_ports turn_secret_file"
    same += " warm_hottest cdn_key_pair cdn_key_file cache_folder cache_bytes"
    overrides: dict[str, Any] = {name: getattr(arguments, name) for name in same.split()}
    repeated = {
        "warm": "warm",
        "allow_origin": "allow_origin",
        "trusted_proxies": "trusted_proxy",
        "interfaces": "interface",
    }
    for name, option in repeated.items():
        given = getattr(arguments, option)
        overrides[name] = None if given is None else tuple(item for item in given if item)
    for name in ("public_address", "turn"):
        given = getattr(arguments, name)
        overrides[name] = None if given is None else tuple(item for item in given.split(",") if item)
    overrides["store_endpoint"], overrides["store_region"] = arguments.endpoint, arguments.region
    overrides["drain_seconds"] = arguments.drain
    overrides["ground"] = None if arguments.ground is None else arguments.ground == "on"
    return overrides


def _make_key(arguments: argparse.Namespace) -> int:
    """Make an Ed25519 key and add its public half to the set that `serve --auth` reads."""
    from streaming.tokens import make_key

    name = make_key(arguments.private, arguments.public)
    sys.stdout.write(f"{name}: private key in {arguments.private}, public key added to {arguments.public}\n")
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    """Sign a token. Whoever has it may do what it says until it expires."""
    import time

    from streaming.tokens import sign

    token = sign(
        arguments.key,
        models=arguments.model,
        origins=arguments.origin or ["*"],
        actions=arguments.allow or ["stream", "render"],
        begins=time.time(),
        seconds=60 * arguments.minutes,
        pixels=arguments.max_pixels,
        session_seconds=arguments.max_seconds,
    )
    sys.stdout.write(token + "\n")
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"Vitrine is ready: {url}\n")
    sys.stdout.flush()
