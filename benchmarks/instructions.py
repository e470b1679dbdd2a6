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

from environments import SetupError, build_loadgen, prepare_environment
from processes import Launch, MeasureError, count_instructions
from report import describe_machine, describe_peers, lay_out, show_environments
from run import LOOPS
from scenarios import Scenario

from peers import BASELINE, OURS, PEERS, select_peers

CONNECTIONS = 8
SIZE = 256
IN_FLIGHT = (1, 16)

#: The same order of dictionaries and sets in both runs.
VARIABLES = {"PYTHONHASHSEED": "0"}

#: Python under valgrind is some fifty times slower.
START_TIMEOUT = 300.0

Counts = dict[tuple[str, str, int], float | str]


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--peer", action="append", default=[], help="a name or glob; repeatable")
    add("--loop", choices=LOOPS, default="asyncio", help="event loop (asyncio)")
    add("--messages", type=int, default=1600, help="of the shorter run (1600)")
    add("--times", type=int, default=3, help="how much longer the other is (3)")
    add("--json", type=Path, metavar="FILE", help="write the counts there")
    return parser


def count_per_message(
    key: tuple[str, str, int], messages: int, times: int, valgrind: str
) -> float:
    """Return the instructions per message of a loop, a peer and a depth.

    Raises:
        MeasureError: if the server or an echo was wrong.

    """
    loop, peer, in_flight = key
    scenario = Scenario(CONNECTIONS, SIZE, in_flight)
    launch = Launch(loop, variables=VARIABLES, start_timeout=START_TIMEOUT)
    short, long = (
        count_instructions(PEERS[peer], scenario, launch, number, valgrind)
        for number in (messages, messages * times)
    )
    return (long - short) / (messages * (times - 1))


def count_all(
    peers: list[str], loops: list[str], options: argparse.Namespace, valgrind: str
) -> Counts:
    """Count for every loop, peer and depth; a failure's text stands for its count."""
    counts: Counts = {}
    for key in ((lo, peer, k) for lo in loops for peer in peers for k in IN_FLIGHT):
        try:
            result: float | str = count_per_message(
                key, options.messages, options.times, valgrind
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
    print(f"({SIZE} B, {CONNECTIONS} connections)\n\n{lay_out(rows)}")


def write_json(path: Path, counts: Counts, about: dict[str, Any]) -> None:
    """Write the counts and what they were made with."""
    about["counts"] = [
        {"loop": key[0], "peer": key[1], "in_flight": key[2], "instructions": count}
        for key, count in counts.items()
    ]
    path.write_text(json.dumps(about, indent=1) + "\n")


def main() -> int | str:
    """Do what the command line says; return the exit status or an error."""
    options = make_parser().parse_args()
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return "instructions.py: valgrind is missing; install it (Linux: valgrind)"
    if options.messages < 1 or options.times < 2:
        return "instructions.py: --messages starts at 1 and --times at 2"
    try:
        peers = select_peers(options.peer)
        build_loadgen()
        for name in dict.fromkeys(PEERS[peer].environment for peer in peers):
            prepare_environment(name)
    except (ValueError, SetupError) as exc:
        return f"instructions.py: {exc}"
    about = {"machine": describe_machine(), "environments": describe_peers(peers)}
    print(show_environments(about["environments"]))
    counts = count_all(peers, LOOPS[options.loop], options, valgrind)
    for loop in LOOPS[options.loop]:
        print_table(counts, peers, loop)
    if options.json:
        write_json(options.json, counts, about)
    failures = [f"{key}: {c}" for key, c in counts.items() if isinstance(c, str)]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
