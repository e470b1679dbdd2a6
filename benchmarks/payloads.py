"""JSON messages to compress: files with one message a line, always the same."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

#: How long the messages of a file are about, in bytes, and how many it has.
FILES = {"120B": (120, 64), "600B": (600, 64), "50KB": (50_000, 8)}

SYMBOLS = ["BTC-USD", "ETH-USD", "SOL-EUR", "XRP-USD", "ADA-EUR", "DOT-USD"]


def make_trade(chance: random.Random) -> dict[str, Any]:
    """Make something such as feeds send: few words, many digits."""
    return {
        "type": chance.choice(["trade", "quote", "cancel"]),
        "symbol": chance.choice(SYMBOLS),
        "price": round(chance.uniform(1, 60_000), 2),
        "size": round(chance.expovariate(1), 4),
        "at": 1_790_000_000_000 + chance.randrange(10**9),
    }


def make_message(size: int, chance: random.Random) -> str:
    """Make a message of about so many bytes."""
    trades = [make_trade(chance)]
    while len(json.dumps(trades)) < size - 60:
        trades += [make_trade(chance) for _ in range(max(1, size // 1000))]
    return json.dumps(trades[0] if len(trades) == 1 else trades)


def write_lines(directory: Path, name: str) -> Path:
    """Write one of :data:`FILES`, unless it is there; return its path."""
    path = directory / f"json-{name}.txt"
    size, count = FILES[name]
    chance = random.Random(name)
    text = "\n".join(make_message(size, chance) for _ in range(count)) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path
