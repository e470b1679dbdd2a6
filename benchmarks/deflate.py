#!/usr/bin/env python3
"""Measure compression: time, ratio and memory of libraries and settings.

Prints the tables of docs/topics/compression.rst. It needs this package with the extra
"fast" in the Python that runs it, and takes two minutes:

    pip install '.[fast]'
    python benchmarks/deflate.py
"""

from __future__ import annotations

import argparse
import functools
import gc
import itertools
import json
import random
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from websockets.extensions.permessage_deflate import PerMessageDeflate

SIZES = (120, 600, 2048, 4096, 16_384, 65_536, 1_048_576)
LIBRARIES = ("zlib", "zlib-ng", "isal")
INFLATERS = ("zlib", "zlib-ng")

#: Of which the best counts: others may use the machine, too.
ROUNDS = 5

#: Bytes of messages, all different. With a few that come again and again, a processor
#: learns them by heart, and inflates in half the time.
TOTAL = 4_000_000

#: What servers use unless they are told otherwise.
DEFAULTS: dict[str, Any] = {"bits": 12, "memLevel": 5}


@functools.cache
def make_messages(size: int) -> list[bytes]:
    """Make different messages of JSON, as of a stream of trades."""
    source = random.Random(1)
    messages = []
    for _ in range(min(4000, TOTAL // size)):
        text = ""
        while len(text) < size:
            trade = {
                "id": source.randrange(10**9),
                "symbol": source.choice(["BTCUSD", "ETHUSD", "XRPEUR"]),
                "price": round(source.random() * 50_000, 2),
                "quantity": round(source.random(), 6),
                "side": source.choice(["buy", "sell"]),
                "time": 1_700_000_000_000 + source.randrange(10**9),
            }
            text += json.dumps(trade) + "\n"
        messages.append(text[:size].encode())
    return messages


def make_extension(library: str, bits: int, **settings: int) -> PerMessageDeflate:
    """Make what compresses for one connection."""
    return PerMessageDeflate(False, False, 15, bits, settings, library=library)


def measure_speed(library: str, size: int, **settings: int) -> tuple[float, float]:
    """Return microseconds per message, at best, and how much smaller they get."""
    messages = make_messages(size)
    best = float("inf")
    for _ in range(ROUNDS):
        extension = make_extension(library, **settings)
        began = time.perf_counter()
        sent = sum(len(extension.deflate(message, True)) for message in messages)
        best = min(best, time.perf_counter() - began)
    return best / len(messages) * 1e6, size * len(messages) / sent


def measure_inflating(library: str, size: int, bits: int) -> float:
    """Return microseconds per message, at best."""
    sender = make_extension("zlib", bits)
    payloads = [sender.deflate(message, True) for message in make_messages(size)]
    best = float("inf")
    for _ in range(ROUNDS):
        receiver = PerMessageDeflate(False, False, bits, 15, library=library)
        began = time.perf_counter()
        for payload in payloads:
            receiver.inflate(payload, True, None)
        best = min(best, time.perf_counter() - began)
    return best / len(payloads) * 1e6


def read_memory() -> int:
    """Return how much memory this process occupies, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measure_memory(**settings: int) -> float:
    """Return the KiB that zlib takes for a connection that goes on sending.

    In a process of its own: what one has given back, the next one takes.
    """
    command = [sys.executable, __file__, "--memory", json.dumps(settings)]
    return float(subprocess.check_output(command))


def use_memory(settings: dict[str, int]) -> float:
    """Do what :func:`measure_memory` tells."""
    messages = make_messages(600)[:20]
    extensions = [make_extension("zlib", **settings) for _ in range(300)]
    gc.collect()
    before = read_memory()
    for extension in extensions:
        for message in messages:
            extension.deflate(message, True)
    return (read_memory() - before) / len(extensions) / 1024


def show(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table as reStructuredText wants it."""
    print(f"\n{title}\n\n.. csv-table::\n    :header: {', '.join(header)}\n")
    for row in rows:
        print("    " + ", ".join(row))


def compare_libraries() -> None:
    """Print what each library takes for messages of each size."""
    rows = []
    for size in SIZES:
        row = [f"{size:_}"]
        for library in LIBRARIES:
            speed, ratio = measure_speed(library, size, **DEFAULTS)
            row += [f"{speed:.1f}", f"{ratio:.2f}"]
        for library in INFLATERS:
            row.append(f"{measure_inflating(library, size, 12):.1f}")
        rows.append(row)
    names = [f"{name} {what}" for name in LIBRARIES for what in ("µs", "ratio")]
    names += [f"inflating: {name} µs" for name in INFLATERS]
    show("Libraries", ["bytes", *names], rows)


def compare_settings() -> None:
    """Print what zlib takes with each of its settings."""
    rows = []
    for level, bits, memory in itertools.product((1, 6, 9), (9, 12, 15), (1, 5, 8)):
        settings = {"level": level, "bits": bits, "memLevel": memory}
        row = [str(level), str(bits), str(memory)]
        for size in (600, 16_384):
            speed, ratio = measure_speed("zlib", size, **settings)
            row += [f"{speed:.1f}", f"{ratio:.2f}"]
        rows.append([*row, f"{measure_memory(**settings):.0f}"])
    names = [
        f"{size} {what}" for size in ("600 B", "16 KiB") for what in ("µs", "ratio")
    ]
    show("Settings", ["level", "bits", "memLevel", *names, "KiB"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=json.loads, help=argparse.SUPPRESS)
    memory = parser.parse_args().memory
    if memory is not None:
        print(use_memory(memory))
    else:
        print("zlib", zlib.ZLIB_RUNTIME_VERSION)
        compare_libraries()
        compare_settings()
