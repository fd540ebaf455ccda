"""Writes transport-wide feedback as players do: the counterpart of the parser under test, made from the draft alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping

TICK = 0.00025
REFERENCE = 0.064


def write(base: int, arrivals: Mapping[int, float], count: int, sequence: int = 0) -> bytes:
    """FCI about `count` packets from number `base`. arrivals: seconds (not negative) by number without wrap."""
    first = next((arrivals[n] for n in range(base, base + count) if n in arrivals), 0.0)
    reference = int(first / REFERENCE)
    ticks = reference * round(REFERENCE / TICK)
    symbols, deltas = [], b""
    for number in range(base, base + count):
        if number not in arrivals:
            symbols.append(0)
            continue
        at = round(arrivals[number] / TICK)
        delta, ticks = at - ticks, at
        if 0 <= delta < 256:
            symbols.append(1)
            deltas += bytes([delta])
        else:
            symbols.append(2)
            deltas += struct.pack("!h", delta)
    head = (
        struct.pack("!HH", base & 0xFFFF, count) + (reference & 0xFFFFFF).to_bytes(3, "big") + bytes([sequence & 0xFF])
    )
    body = head + chunks(symbols) + deltas
    return body + bytes(-len(body) % 4)


def chunks(symbols: list[int]) -> bytes:
    """Runs where seven or more are alike, else vectors: of one bit where nothing is large, of two bits otherwise."""
    out, i = b"", 0
    while i < len(symbols):
        run = next((k for k in range(i, len(symbols)) if symbols[k] != symbols[i]), len(symbols)) - i
        if run >= 7:
            run = min(run, 0x1FFF)
            out += struct.pack("!H", symbols[i] << 13 | run)
            i += run
            continue
        small = max(symbols[i : i + 14]) < 2
        width, size = (1, 14) if small else (2, 7)
        part = symbols[i : i + size]
        part += [0] * (size - len(part))
        word = 0x8000 if small else 0xC000
        for k, symbol in enumerate(part):
            word |= symbol << width * (size - 1 - k)
        out += struct.pack("!H", word)
        i += size
    return out
