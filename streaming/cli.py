"""`vitrine serve`: arguments only; everything heavy is imported when it runs."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_commands(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Mount `serve`."""
    parser = subparsers.add_parser("serve", help="show a folder of models in browsers", description=_run.__doc__)
    kinds = "folder of models: .glb, .gltf, .stl, .obj, .ply, .off, .3mf, .dae"
    parser.add_argument("--models", metavar="DIR", help=kinds)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8080; 0: any free one)")
    parser.add_argument("--network", type=int, metavar="N", help="network processes (default: one per two cores)")
    parser.add_argument("--require-gpu", action="store_true", default=None, help="refuse to render in software")
    parser.add_argument("--warm", action="append", metavar="MODEL", help="load this model at start; may be repeated")
    parser.add_argument("--cors", metavar="ORIGIN", help='who may ask from other pages (default: "*"; "" for nobody)')
    parser.add_argument("--max-sessions", type=int, metavar="N", help="viewers at once (default: 64)")
    parser.add_argument(
        "--ground",
        choices=("on", "off"),
        help="a soft shadow under products, unless a viewer asks otherwise (default: on)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    """Serve a folder of models: a gallery, a viewer page for each, WHEP streams and stills."""
    import asyncio

    from assets.store import open_store
    from streaming.app import serve
    from streaming.config import load

    names = ("models", "host", "port", "network", "require_gpu", "cors", "max_sessions")
    overrides: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    overrides["warm"] = tuple(arguments.warm) if arguments.warm else None
    overrides["ground"] = None if arguments.ground is None else arguments.ground == "on"
    config = load(overrides)
    store = open_store(config.models)
    asyncio.run(serve(config, store, _announce))
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"Vitrine is ready: {url}\n")
    sys.stdout.flush()
