#!/usr/bin/env python3
"""Count the instructions a server spends on an echoed message, with callgrind.

Exact and repeatable where rates are noisy: each server runs twice under valgrind,
with different numbers of messages; the difference of the counts, divided by the
difference of the numbers, leaves out start and stop. See README.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from contenders import BASELINE, OURS, PEERS, select_peers
from environments import (
    SetupError,
    build_loadgen,
    describe_environment,
    prepare_environment,
)
from measures import COUNTED, TIMES, count_per_message
from processes import Launch, MeasureError
from report import describe_machine, lay_out, show_environments
from run import LOOPS
from scenarios import SCENARIOS

IN_FLIGHT = (1, 16)

Counts = dict[tuple[str, str, int], float | str]


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--peer", action="append", default=[], help="a name or glob; repeatable")
    add("--loop", choices=LOOPS, default="asyncio", help="event loop (asyncio)")
    add("--messages", type=int, default=COUNTED, help=f"of the shorter run ({COUNTED})")
    add("--times", type=int, default=TIMES, help=f"how much longer ({TIMES})")
    add("--as-is", action="store_true", help="use the environments as they are")
    add("--python", type=Path, metavar="FILE", help="an interpreter that has ours")
    add("--json", type=Path, metavar="FILE", help="write the counts there")
    return parser


def count_all(
    peers: list[str], loops: list[str], options: argparse.Namespace
) -> Counts:
    """Count for every loop, peer and depth; a failure's text stands for its count."""
    counts: Counts = {}
    for key in ((lo, peer, k) for lo in loops for peer in peers for k in IN_FLIGHT):
        scenario = SCENARIOS[f"instructions/c8/256B/k{key[2]}"]
        launch = Launch(key[0], python=options.python)
        try:
            result: float | str = count_per_message(
                PEERS[key[1]], scenario, launch, options.messages, options.times
            )
        except MeasureError as exc:
            result = str(exc)
        counts[key] = result
        said = result if isinstance(result, str) else f"{result:,.0f}"
        print(f"{' '.join(map(str, key))} in flight: {said}", file=sys.stderr)
    return counts


def show_count(counts: Counts, key: tuple[str, str, int]) -> str:
    """Write a count, rounded to what is repeatable."""
    count = counts.get(key)
    return f"{count:,.0f}" if isinstance(count, float) else "failed"


def show_ratio(counts: Counts, key: tuple[str, str, int], reference: str) -> str:
    """Write a count divided by a reference peer's."""
    mine, other = counts.get(key), counts.get((key[0], reference, key[2]))
    if not isinstance(mine, float) or not isinstance(other, float):
        return "-"
    return f"{mine / other:.2f}"


def print_table(counts: Counts, peers: list[str], loop: str) -> None:
    """Print one loop's table."""
    header = ["peer"]
    for in_flight in IN_FLIGHT:
        header += [f"{in_flight} in flight", f"/ {OURS}", f"/ {BASELINE}"]
    rows = [header]
    for peer in peers:
        row = [peer]
        for in_flight in IN_FLIGHT:
            key = (loop, peer, in_flight)
            row.append(show_count(counts, key))
            row += [show_ratio(counts, key, name) for name in (OURS, BASELINE)]
        rows.append(row)
    print(f"\nuser-space instructions per echoed message on {loop}")
    print(f"(256 B, 8 connections)\n\n{lay_out(rows)}")


def write_json(path: Path, counts: Counts, about: dict[str, Any]) -> None:
    """Write the counts and what they were made with."""
    about["counts"] = [
        {"loop": key[0], "peer": key[1], "in_flight": key[2], "instructions": count}
        for key, count in counts.items()
    ]
    path.write_text(json.dumps(about, indent=1) + "\n")


def set_up(peers: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Make what is needed; return what has to be known of it.

    Raises:
        SetupError: if something cannot be made.

    """
    build_loadgen()
    names = list(dict.fromkeys(PEERS[peer].environment for peer in peers))
    for name in names:
        if not (options.python and name.startswith("ours")):
            prepare_environment(name, as_is=options.as_is)
    environments = {name: describe_environment(name, options.python) for name in names}
    return {"machine": describe_machine(), "environments": environments}


def main() -> int | str:
    """Do what the command line says; return the exit status or an error."""
    options = make_parser().parse_args()
    if shutil.which("valgrind") is None:
        return "instructions.py: valgrind is missing; install it (Linux: valgrind)"
    if options.messages < 1 or options.times < 2:
        return "instructions.py: --messages starts at 1 and --times at 2"
    try:
        peers = select_peers(options.peer)
        about = set_up(peers, options)
    except (ValueError, SetupError) as exc:
        return f"instructions.py: {exc}"
    print(show_environments(about["environments"]))
    counts = count_all(peers, LOOPS[options.loop], options)
    for loop in LOOPS[options.loop]:
        print_table(counts, peers, loop)
    if options.json:
        write_json(options.json, counts, about)
    failures = [f"{key}: {c}" for key, c in counts.items() if isinstance(c, str)]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
