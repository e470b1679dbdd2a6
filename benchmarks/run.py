#!/usr/bin/env python3
"""Measure echo servers against each other: one command does all of it.

Makes the virtual environments, builds the load generator, runs every peer in fresh
processes, round after round, and prints medians and ratios. See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from environments import SetupError, build_loadgen, prepare_environment
from processes import Launch, MeasureError, find_cpus, measure
from report import (
    Run,
    describe_machine,
    describe_peers,
    lay_out,
    make_header,
    make_row,
    make_run,
    show_environments,
    sum_up,
)
from scenarios import QUICK, SCENARIOS, select_scenarios

from peers import BASELINE, OURS, PEERS, select_peers

LOOPS = {"asyncio": ["asyncio"], "uvloop": ["uvloop"], "both": ["asyncio", "uvloop"]}


class Plan(NamedTuple):
    """What is going to be measured.

    Attributes:
        peers: keys of the table of peers.
        scenarios: keys of the table of scenarios.
        loops: ``asyncio``, ``uvloop`` or both.
        rounds: fresh-process runs of each peer in each scenario.
        seconds: how long a run measures.
        warm_up: how long it runs unmeasured before that, in seconds.
        pinned: whether server and load generator get a processor each.
        references: peers that ratios are given to.

    """

    peers: list[str]
    scenarios: list[str]
    loops: list[str]
    rounds: int
    seconds: float
    warm_up: float
    pinned: bool
    references: list[str]


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="runs of each peer (5)")
    add("--seconds", type=float, default=1.0, help="measured time of a run (1.0)")
    add("--warm-up", type=float, default=0.2, help="unmeasured time before (0.2)")
    add("--scenario", action="append", default=[], help="a name or glob; repeatable")
    add("--peer", action="append", default=[], help="a name or glob; repeatable")
    add("--loop", choices=LOOPS, default="both", help="event loop (both)")
    add("--baseline", choices=PEERS, default=BASELINE, help=f"({BASELINE})")
    add("--json", type=Path, metavar="FILE", help="write every run's figures there")
    add("--quick", action="store_true", help="two scenarios, one short round")
    add("--no-pin", action="store_true", help="let the system choose processors")
    add("--fresh", action="store_true", help="make the environments anew")
    add("--setup-only", action="store_true", help="only make environments")
    add("--list", action="store_true", help="list peers and scenarios")
    return parser


def make_plan(options: argparse.Namespace) -> Plan:
    """Turn the command line into a plan.

    Raises:
        ValueError: if no peer or no scenario matches.

    """
    quick = options.quick
    return Plan(
        peers=select_peers(options.peer),
        scenarios=select_scenarios(options.scenario or (QUICK if quick else [])),
        loops=LOOPS[options.loop],
        rounds=1 if quick else options.rounds,
        seconds=min(options.seconds, 0.3) if quick else options.seconds,
        warm_up=min(options.warm_up, 0.1) if quick else options.warm_up,
        pinned=not options.no_pin,
        references=list(dict.fromkeys([OURS, options.baseline])),
    )


def each_key(plan: Plan, number: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield loop, scenario and peer of every cell that the peer is able to fill.

    Each round starts with another peer, so that none always follows the same.
    """
    first = number % len(plan.peers) if plan.peers else 0
    peers = plan.peers[first:] + plan.peers[:first]
    for loop in plan.loops:
        for scenario in plan.scenarios:
            for peer in peers:
                if SCENARIOS[scenario].needs <= PEERS[peer].offers:
                    yield loop, scenario, peer


def measure_key(key: tuple[str, str, str], number: int, plan: Plan) -> Run | str:
    """Make one run; return its record, or why it failed."""
    loop, scenario, peer = key
    server_cpus, loadgen_cpus = find_cpus() if plan.pinned else (None, None)
    launch = Launch(loop, server_cpus, loadgen_cpus)
    arguments = [f"--seconds={plan.seconds}", f"--warm-up={plan.warm_up}"]
    try:
        measured = measure(PEERS[peer], SCENARIOS[scenario], launch, arguments)
    except MeasureError as exc:
        return str(exc)
    return make_run(key, number, measured)


def measure_all(plan: Plan) -> tuple[list[Run], dict[tuple[str, str, str], str]]:
    """Make all runs, round after round; return their records and the failures."""
    runs: list[Run] = []
    failures: dict[tuple[str, str, str], str] = {}
    for number in range(plan.rounds):
        for key in each_key(plan, number):
            if key in failures:
                continue
            result = measure_key(key, number, plan)
            if isinstance(result, str):
                failures[key] = result
            else:
                runs.append(result)
            said = result if isinstance(result, str) else f"{result['rate']:,.0f}/s"
            label = f"round {number + 1}/{plan.rounds}: {' '.join(key)}"
            print(f"{label}: {said}", file=sys.stderr)
    return runs, failures


def print_tables(plan: Plan, runs: list[Run]) -> None:
    """Print a table per loop and scenario."""
    keys = list(each_key(plan))
    for loop in plan.loops:
        for scenario in plan.scenarios:
            mine = [key for key in keys if key[:2] == (loop, scenario)]
            rows = [
                make_row(key[2], sum_up(runs, key, plan.references), plan.references)
                for key in mine
            ]
            print(f"\n{scenario} on {loop}\n")
            print(lay_out([make_header(plan.references), *rows]))


def make_document(plan: Plan, machine: dict[str, Any], peers: Any) -> dict[str, Any]:
    """Return the part of the JSON file that is known before the runs."""
    return {"machine": machine, "plan": plan._asdict(), "environments": peers}


def write_json(
    path: Path,
    document: dict[str, Any],
    plan: Plan,
    runs: list[Run],
    failures: dict[tuple[str, str, str], str],
) -> None:
    """Write everything that was measured, and what it comes to."""
    cells = {key: sum_up(runs, key, plan.references) for key in each_key(plan)}
    document["cells"] = [
        {"loop": key[0], "scenario": key[1], "peer": key[2], **cell._asdict()}
        for key, cell in cells.items()
        if cell is not None
    ]
    document["failures"] = [[*key, reason] for key, reason in failures.items()]
    document["runs"] = runs
    path.write_text(json.dumps(document, indent=1) + "\n")


def print_machine(plan: Plan, machine: dict[str, Any], peers: Any) -> None:
    """Print where this runs, with which versions, and for how long."""
    for name in ("command", "at", "commit", "system", "cpu", "python"):
        print(f"{name}: {machine[name]}")
    pinned = plan.pinned and find_cpus()[0] is not None
    print(f"pinned: {'server and load generator' if pinned else 'nothing'}")
    print(f"{plan.rounds} rounds of {plan.seconds} s; environments:")
    print(show_environments(peers))
    busy = machine["load_average"][0]
    if busy > (os.cpu_count() or 1) / 2:
        print(f"WARNING: the machine is busy (load {busy:.1f}); expect noise")


def list_tables() -> None:
    """Print the names of peers and scenarios."""
    print("peers:", *PEERS, sep="\n  ")
    print("scenarios:", *SCENARIOS, sep="\n  ")


def set_up(plan: Plan, fresh: bool) -> dict[str, str]:
    """Make what the plan needs; return the environments that could not be made.

    Raises:
        SetupError: if the load generator cannot be built.

    """
    build_loadgen()
    broken = {}
    for name in dict.fromkeys(PEERS[peer].environment for peer in plan.peers):
        try:
            prepare_environment(name, fresh)
        except SetupError as exc:
            broken[name] = str(exc)
            print(f"{name} left out: {exc}", file=sys.stderr)
    return broken


def main() -> int | str:
    """Do what the command line says; return the exit status or an error."""
    options = make_parser().parse_args()
    if options.list:
        list_tables()
        return 0
    try:
        plan = make_plan(options)
        broken = set_up(plan, options.fresh)
    except (ValueError, SetupError) as exc:
        return f"run.py: {exc}"
    working = [name for name in plan.peers if PEERS[name].environment not in broken]
    plan = plan._replace(peers=working)
    if options.setup_only:
        return len(broken)
    machine, peers = describe_machine(), describe_peers(plan.peers)
    print_machine(plan, machine, peers)
    runs, failures = measure_all(plan)
    print_tables(plan, runs)
    for key, reason in failures.items():
        print(f"\nFAILED {' '.join(key)}: {reason}")
    if options.json:
        document = make_document(plan, machine, peers)
        write_json(options.json, document, plan, runs, failures)
    return 1 if failures or broken else 0


if __name__ == "__main__":
    sys.exit(main())
