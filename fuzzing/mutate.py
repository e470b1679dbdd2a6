#!/usr/bin/env python3
"""Change inputs of the corpora at random, and check them: fuzzing without atheris.

It is blind to what an input reaches, and runs wherever the library does: on builds
with sanitizers, for one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from fuzzing.builds import find_builds  # noqa: E402
from fuzzing.targets import TARGETS, open_target  # noqa: E402


def main(argv: Sequence[str] | None = None) -> None:
    """Try inputs of each target for some seconds."""
    parser = argparse.ArgumentParser(description="Try changed inputs.")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--target", action="append", choices=TARGETS, metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    counts = {
        name: try_inputs(name, options.seconds, random.Random(options.seed))
        for name in options.target or TARGETS
    }
    builds = " and ".join(build.name for build in find_builds())
    print(f"{sum(counts.values()):,} inputs on {builds}, none of them failed: {counts}")


def try_inputs(name: str, seconds: float, source: random.Random) -> int:
    """Check changed inputs until the time is up; return how many."""
    check = open_target(name).check
    corpus = [path.read_bytes() for path in sorted((HERE / "corpus" / name).iterdir())]
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        data = change(source, source.choice(corpus), source.choice(corpus))
        try:
            check(data)
        except BaseException:
            print(f"{name} fails on {data.hex()}", file=sys.stderr)
            raise
        count += 1
    return count


def change(source: random.Random, data: bytes, other: bytes) -> bytes:
    """Return an input that is something like another."""
    changed = bytearray(data)
    for _ in range(source.randrange(5)):
        at = source.randrange(len(changed) + 1)
        match source.randrange(5):
            case 0:
                changed[at : at + 1] = source.randbytes(1)
            case 1:
                changed[at:at] = source.randbytes(source.randrange(8))
            case 2:
                del changed[at : at + source.randrange(8)]
            case 3:
                changed[at:] = other[source.randrange(len(other) + 1) :]
            case 4:
                changed[at:at] = changed[at : at + source.randrange(30)]
    return bytes(changed[:4096])


if __name__ == "__main__":
    main()
