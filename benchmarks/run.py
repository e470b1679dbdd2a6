#!/usr/bin/env python3
"""Measure WebSocket libraries against each other: one command does all of it.

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

from claims import UNKNOWN, make_verdicts
from contenders import BASELINE, ENVIRONMENTS, OURS, PEERS, select_peers
from environments import (
    LOADGEN,
    SetupError,
    build_loadgen,
    describe_environment,
    prepare_environment,
)
from measures import Timing, find_missing, measure
from processes import Launch, MeasureError, find_cpus
from publish import publish
from report import (
    Cell,
    Key,
    Run,
    describe_machine,
    find_figures,
    lay_out,
    make_run,
    make_table,
    show_environments,
    show_figure,
    sum_up,
)
from scenarios import QUICK, SCENARIOS, select_scenarios

LOOPS = {"asyncio": ["asyncio"], "uvloop": ["uvloop"], "both": ["asyncio", "uvloop"]}

#: For ``--quick``, in seconds.
QUICKLY = Timing(0.3, 0.1)


class Plan(NamedTuple):
    """What is going to be measured.

    Attributes:
        peers: keys of the table of peers.
        scenarios: keys of the table of scenarios.
        loops: ``asyncio``, ``uvloop`` or both.
        rounds: fresh-process runs of each peer in each scenario.
        seconds: how long a run measures.
        warm_up: how long it runs unmeasured before that, in seconds.
        pinned: whether the peer and the load generator get a processor each.
        cap: the most connections, to try things out; None for all.
        python: the interpreter for ours; None for those of the environments.
        loadgen: the load generator.
        references: peers that ratios are given to.

    """

    peers: list[str]
    scenarios: list[str]
    loops: list[str]
    rounds: int
    seconds: float
    warm_up: float
    pinned: bool
    cap: int | None
    python: Path | None
    loadgen: Path
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
    add("--docs", action="store_true", help="everything, and write it into docs/")
    add("--extend", type=Path, metavar="FILE", help="add to the run of this JSON")
    add("--anew", action="store_true", help="in it, take the place of earlier rounds")
    add("--quick", action="store_true", help="one short round; two scenarios, or those")
    add("--cap", type=int, metavar="N", help="at most N connections, to try it out")
    add("--no-pin", action="store_true", help="let the system choose processors")
    add("--fresh", action="store_true", help="make the environments anew")
    add("--as-is", action="store_true", help="use the environments as they are")
    add("--python", type=Path, metavar="FILE", help="an interpreter that has ours")
    add("--loadgen", type=Path, default=LOADGEN, metavar="FILE", help="build it there")
    add("--setup-only", action="store_true", help="only make environments")
    add("--list", action="store_true", help="list peers and scenarios")
    return parser


def choose_scenarios(options: argparse.Namespace) -> list[str]:
    """Return the scenarios that the command line asks for.

    Raises:
        ValueError: if no scenario matches.

    """
    if options.docs and not options.scenario:
        return list(SCENARIOS)
    return select_scenarios(options.scenario or (QUICK if options.quick else []))


def make_plan(options: argparse.Namespace) -> Plan:
    """Turn the command line into a plan.

    Raises:
        ValueError: if no peer or no scenario matches.

    """
    quick = options.quick
    return Plan(
        peers=select_peers(options.peer),
        scenarios=choose_scenarios(options),
        loops=LOOPS[options.loop],
        rounds=1 if quick else options.rounds,
        seconds=min(options.seconds, QUICKLY.seconds) if quick else options.seconds,
        warm_up=min(options.warm_up, QUICKLY.warm_up) if quick else options.warm_up,
        pinned=not options.no_pin,
        cap=options.cap,
        python=options.python,
        loadgen=options.loadgen,
        references=list(dict.fromkeys([OURS, options.baseline])),
    )


def each_key(plan: Plan, number: int = 0) -> Iterator[Key]:
    """Yield loop, scenario and peer of every cell that the peer is able to fill.

    Each round starts with another peer, so that none always follows the same.
    """
    first = number % len(plan.peers) if plan.peers else 0
    peers = plan.peers[first:] + plan.peers[:first]
    for loop in plan.loops:
        for scenario in plan.scenarios:
            most = SCENARIOS[scenario].rounds
            if most is not None and number >= most:
                continue
            for peer in peers:
                if SCENARIOS[scenario].fits(PEERS[peer], loop):
                    yield loop, scenario, peer


def measure_key(key: Key, number: int, plan: Plan) -> Run | str:
    """Make one run; return its record, or why it failed."""
    loop, scenario, peer = key
    peer_cpus, loadgen_cpus = find_cpus() if plan.pinned else (None, None)
    launch = Launch(
        loop, peer_cpus, loadgen_cpus, python=plan.python, loadgen=plan.loadgen
    )
    timing = Timing(plan.seconds, plan.warm_up)
    try:
        figures = measure(scenario, peer, launch, timing, plan.cap)
    except MeasureError as exc:
        return str(exc)
    return make_run(key, number, figures)


def show_run(result: Run | str) -> str:
    """Write a run's most telling figure, or why it failed."""
    if isinstance(result, str):
        return result
    figure = find_figures(result["scenario"])[0]
    cell = Cell(1, 0.0, {figure.name: result[figure.name]}, {})
    return f"{show_figure(figure, cell)} {figure.heading.format(unit='')}"


def measure_all(plan: Plan, first: int = 0) -> tuple[list[Run], dict[Key, str]]:
    """Make all runs, round after round; return their records and the failures.

    Args:
        plan: what to measure.
        first: the number of the first round.

    """
    runs: list[Run] = []
    failures: dict[Key, str] = {}
    for number in range(first, first + plan.rounds):
        for key in each_key(plan, number):
            if key in failures:
                continue
            result = measure_key(key, number, plan)
            if isinstance(result, str):
                failures[key] = result
            else:
                runs.append(result)
            label = f"round {number + 1}/{first + plan.rounds}: {' '.join(key)}"
            print(f"{label}: {show_run(result)}", file=sys.stderr)
    return runs, failures


def make_tables(
    plan: Plan, cells: dict[Key, Cell | None]
) -> Iterator[tuple[str, str, list[list[str]]]]:
    """Yield loop, scenario and rows of every table."""
    for loop in plan.loops:
        for scenario in plan.scenarios:
            mine = {k[2]: c for k, c in cells.items() if k[:2] == (loop, scenario)}
            if mine:
                rows = make_table(loop, scenario, mine, plan.references)
                yield loop, scenario, rows


def list_cells(cells: dict[Key, Cell | None], runs: list[Run]) -> list[dict[str, Any]]:
    """Return the cells as the JSON file has them."""
    steps = {
        (run["loop"], run["scenario"], run["peer"]): run["steps"]
        for run in runs
        if "steps" in run
    }
    return [
        {
            "loop": key[0],
            "scenario": key[1],
            "peer": key[2],
            **cell._asdict(),
            **({"steps": steps[key]} if key in steps else {}),
        }
        for key, cell in cells.items()
        if cell is not None
    ]


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write everything that was measured, and what it comes to."""
    path.write_text(json.dumps(document, indent=1, default=str) + "\n")


def print_machine(plan: Plan, machine: dict[str, Any], peers: Any) -> None:
    """Print where this runs, with which versions, and for how long."""
    for name in ("command", "at", "commit", "system", "cpu", "python"):
        print(f"{name}: {machine[name]}")
    pinned = plan.pinned and find_cpus()[0] is not None
    print(f"pinned: {'peer and load generator' if pinned else 'nothing'}")
    print(f"{plan.rounds} rounds of {plan.seconds} s; environments:")
    print(show_environments(peers))
    busy = machine["load_average"][0]
    if busy > (os.cpu_count() or 1) / 2:
        print(f"WARNING: the machine is busy (load {busy:.1f}); expect noise")


def list_tables() -> None:
    """Print the names of peers and scenarios."""
    print("peers:", *PEERS, sep="\n  ")
    print("scenarios (*: only when named, or with --docs):")
    for name, scenario in SCENARIOS.items():
        print(f"  {name}{'' if scenario.default else ' *'}")


def describe_peers(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return versions, build and settings of every peer's environment."""
    names = dict.fromkeys(PEERS[peer].environment for peer in plan.peers)
    return {
        name: {
            **describe_environment(name, plan.python),
            "variables": ENVIRONMENTS[name].variables,
        }
        for name in names
    }


def set_up(plan: Plan, options: argparse.Namespace) -> dict[str, str]:
    """Make what the plan needs; return the environments that could not be made.

    Raises:
        SetupError: if the load generator cannot be built.

    """
    build_loadgen(plan.loadgen)
    broken = {}
    names = [PEERS[peer].environment for peer in plan.peers]
    for name in dict.fromkeys([*names, *(["plots"] if options.docs else [])]):
        if plan.python is not None and name.startswith("ours"):
            continue
        try:
            prepare_environment(name, options.fresh, options.as_is)
        except SetupError as exc:
            broken[name] = str(exc)
            print(f"{name} left out: {exc}", file=sys.stderr)
    return broken


def leave_out(plan: Plan, broken: dict[str, str]) -> tuple[Plan, dict[str, str]]:
    """Return the plan without what cannot be measured, and why that is so."""
    missing = {
        name: why
        for name in plan.scenarios
        if (why := find_missing(SCENARIOS[name], plan.loadgen))
    }
    for name, why in missing.items():
        print(f"{name} left out: {why}", file=sys.stderr)
    peers = [name for name in plan.peers if PEERS[name].environment not in broken]
    scenarios = [name for name in plan.scenarios if name not in missing]
    return plan._replace(peers=peers, scenarios=scenarios), missing


def extend(document: dict[str, Any], plan: Plan, anew: bool = False) -> dict[str, Any]:
    """Add more rounds of some scenarios and peers to an earlier run, and print it.

    Args:
        document: the earlier run, as its JSON file has it. It must have been made on
            this machine, and with the same environments.
        plan: what to add.
        anew: whether to forget the earlier rounds of these scenarios, since what they
            measured has changed.

    Raises:
        ValueError: if the environments are others, or not all rounds would be replaced.

    """
    if anew:
        document = forget(document, plan)
    for name, now in describe_peers(plan).items():
        if json.loads(json.dumps(now, default=str)) != document["environments"][name]:
            raise ValueError(f"{name} isn't what was measured then")
    plan_then = Plan(**document["plan"])
    first = 0 if anew else 1 + max(run["round"] for run in document["runs"])
    added: dict[str, Any] = {"rounds": plan.rounds}
    if anew:
        added["commit"] = describe_machine()["commit"]
    runs, failures = measure_all(plan, first)
    runs = document["runs"] + runs
    failed = [tuple(failure[:3]) for failure in document["failures"]]
    failures |= {
        key: failure[3]
        for key, failure in zip(failed, document["failures"], strict=True)
    }
    more = [
        *document.get("more", []),
        {**added, "scenarios": plan.scenarios, "peers": plan.peers},
    ]
    return {**document, "more": more, **conclude(plan_then, runs, failures)}


def forget(document: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Return a run without a plan's scenarios; the plan has all its peers and loops.

    Raises:
        ValueError: if it hasn't.

    """
    for name, had, has in (
        ("peers", document["plan"]["peers"], plan.peers),
        ("loops", document["plan"]["loops"], plan.loops),
    ):
        if left := sorted(set(had) - set(has)):
            raise ValueError(f"--anew needs all {name}; missing: {', '.join(left)}")
    gone = set(plan.scenarios)
    others = [
        {**item, "scenarios": [name for name in item["scenarios"] if name not in gone]}
        for item in document.get("more", [])
    ]
    return {
        **document,
        "more": [item for item in others if item["scenarios"]],
        "runs": [run for run in document["runs"] if run["scenario"] not in gone],
        "failures": [item for item in document["failures"] if item[1] not in gone],
    }


def run_plan(plan: Plan, missing: dict[str, str]) -> dict[str, Any]:
    """Measure; print what came of it; return it as the JSON file has it."""
    machine, peers = describe_machine(), describe_peers(plan)
    print_machine(plan, machine, peers)
    return {
        "machine": machine,
        "plan": plan._asdict(),
        "environments": peers,
        "missing": missing,
        **conclude(plan, *measure_all(plan)),
    }


def conclude(plan: Plan, runs: list[Run], failures: dict[Key, str]) -> dict[str, Any]:
    """Print what came of a plan's runs; return it as the JSON file has it."""
    cells = {key: sum_up(runs, key, plan.references) for key in each_key(plan)}
    tables = list(make_tables(plan, cells))
    for loop, scenario, rows in tables:
        print(f"\n{scenario} on {loop}\n\n{lay_out(rows)}")
    verdicts = make_verdicts(runs)
    known = [row for row in verdicts if row[-1] != UNKNOWN]
    if len(known) > 1:
        print(f"\nWhat it must show\n\n{lay_out(known)}")
    for key, reason in failures.items():
        print(f"\nFAILED {' '.join(key)}: {reason}")
    return {
        "failures": [[*key, reason] for key, reason in failures.items()],
        "tables": tables,
        "verdicts": verdicts,
        "cells": list_cells(cells, runs),
        "runs": runs,
    }


def main() -> int | str:
    """Do what the command line says; return the exit status or an error."""
    options = make_parser().parse_args()
    if options.list:
        list_tables()
        return 0
    if options.anew and options.extend is None:
        return "run.py: --anew needs --extend"
    try:
        plan = make_plan(options)
        broken = set_up(plan, options)
        plan, missing = leave_out(plan, broken)
        if options.setup_only:
            return len(broken)
        if options.extend is None:
            document = run_plan(plan, missing)
        else:
            earlier = json.loads(options.extend.read_text())
            document = extend(earlier, plan, options.anew)
        if options.json:
            write_json(options.json, document)
        if options.docs:
            publish(json.loads(json.dumps(document, default=str)))
    except (ValueError, SetupError) as exc:
        return f"run.py: {exc}"
    return 1 if document["failures"] or broken else 0


if __name__ == "__main__":
    sys.exit(main())
