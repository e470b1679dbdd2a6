"""What was measured, summed up and laid out: medians, ratios, tables, the machine."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from environments import describe_environment

from peers import ENVIRONMENTS, PEERS, ROOT

#: What one fresh-process run gave: see :func:`make_run`.
Run = dict[str, Any]


class Cell(NamedTuple):
    """One peer in one scenario on one loop, over all rounds.

    Attributes:
        rounds: how many runs succeeded.
        rate: echoed messages per second.
        spread: half of the distance from the slowest to the fastest run, as a
            share of the median rate.
        cpu_us: the server's processor time per message, in microseconds.
        p50_us: median time from sending a message to having its echo.
        p99_us: the same, 99th percentile.
        server_busy: the share of the time in which the server had a processor.
        loadgen_busy: the same for the load generator; near 1, it is the load
            generator that was measured.
        rate_ratios: to each reference peer, this peer's rate divided by its rate.
        cpu_ratios: the same for the processor time; below 1 is better.

    """

    rounds: int
    rate: float
    spread: float
    cpu_us: float
    p50_us: float
    p99_us: float
    server_busy: float
    loadgen_busy: float
    rate_ratios: dict[str, float | None]
    cpu_ratios: dict[str, float | None]


def make_run(key: tuple[str, str, str], number: int, measured: dict[str, Any]) -> Run:
    """Return the record of one run.

    Args:
        key: the loop, the scenario and the peer.
        number: the round.
        measured: what the load generator reported.

    """
    loop, scenario, peer = key
    cpu_us = measured["server_cpu"] / max(measured["messages"], 1) * 1e6
    return {
        "loop": loop,
        "scenario": scenario,
        "peer": peer,
        "round": number,
        "cpu_us": cpu_us,
        "server_busy": measured["server_cpu"] / measured["seconds"],
        "loadgen_busy": measured["loadgen_cpu"] / measured["seconds"],
        **measured,
    }


def paired_ratio(runs: list[Run], others: list[Run], field: str) -> float | None:
    """Return the median over the rounds of the ratio of two peers.

    Both ran in the same round, one shortly after the other, so that slow drifts of
    the machine cancel. None if no round has both.
    """
    theirs = {run["round"]: run[field] for run in others}
    ratios = [
        run[field] / theirs[run["round"]] for run in runs if theirs.get(run["round"])
    ]
    return median(ratios) if ratios else None


def find_runs(runs: list[Run], loop: str, scenario: str, peer: str) -> list[Run]:
    """Return a peer's runs of a scenario on a loop."""
    key = (loop, scenario, peer)
    return [run for run in runs if (run["loop"], run["scenario"], run["peer"]) == key]


def sum_up(
    runs: list[Run], key: tuple[str, str, str], references: Sequence[str]
) -> Cell | None:
    """Sum up a peer's runs; None if there are none.

    Args:
        runs: all runs.
        key: the loop, the scenario and the peer.
        references: the peers to give ratios to.

    """
    mine = find_runs(runs, *key)
    if not mine:
        return None
    rates = [run["rate"] for run in mine]
    rate = median(rates)
    others = {name: find_runs(runs, *key[:2], name) for name in references}
    return Cell(
        rounds=len(mine),
        rate=rate,
        spread=(max(rates) - min(rates)) / 2 / rate if rate else 0.0,
        cpu_us=median(run["cpu_us"] for run in mine),
        p50_us=median(run["p50_us"] for run in mine),
        p99_us=median(run["p99_us"] for run in mine),
        server_busy=median(run["server_busy"] for run in mine),
        loadgen_busy=median(run["loadgen_busy"] for run in mine),
        rate_ratios={n: paired_ratio(mine, o, "rate") for n, o in others.items()},
        cpu_ratios={n: paired_ratio(mine, o, "cpu_us") for n, o in others.items()},
    )


def show_ratio(ratio: float | None) -> str:
    """Write a ratio, or a dash where there is none."""
    return "-" if ratio is None else f"{ratio:.2f}"


def make_row(peer: str, cell: Cell | None, references: Sequence[str]) -> list[str]:
    """Return a peer's row of a scenario's table."""
    if cell is None:
        return [peer, "failed", *["-"] * (6 + 2 * len(references))]
    return [
        peer,
        f"{cell.rate:,.0f}",
        f"±{cell.spread:.0%}",
        *(show_ratio(cell.rate_ratios[name]) for name in references),
        f"{cell.cpu_us:.2f}",
        *(show_ratio(cell.cpu_ratios[name]) for name in references),
        f"{cell.p50_us:,.0f}",
        f"{cell.p99_us:,.0f}",
        f"{cell.server_busy:.0%}",
        f"{cell.loadgen_busy:.0%}",
    ]


def make_header(references: Sequence[str]) -> list[str]:
    """Return the first row of a scenario's table."""
    return [
        "peer",
        "msg/s",
        "spread",
        *(f"rate / {name}" for name in references),
        "CPU µs/msg",
        *(f"CPU / {name}" for name in references),
        "p50 µs",
        "p99 µs",
        "server busy",
        "client busy",
    ]


def lay_out(rows: list[list[str]]) -> str:
    """Align rows as a table that reads well as it is, and as Markdown."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join(
        f"| {line[0]:<{widths[0]}} | "
        + " | ".join(
            f"{text:>{width}}" for text, width in zip(line[1:], widths[1:], strict=True)
        )
        + " |"
        for line in lines
    )


def read_cpu_model() -> str:
    """Return what the processor calls itself, where Linux tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def read_commit() -> str | None:
    """Return the commit that is checked out, marked if files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def describe_machine() -> dict[str, Any]:
    """Return where and when this runs."""
    return {
        "command": " ".join(["python", *sys.argv]),
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": read_commit(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": f"{os.cpu_count()} x {read_cpu_model()}",
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


def describe_peers(peers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return versions, build and settings of every peer's environment."""
    names = dict.fromkeys(PEERS[peer].environment for peer in peers)
    return {
        name: {
            **describe_environment(name),
            "variables": ENVIRONMENTS[name].variables,
        }
        for name in names
    }


def show_environments(described: dict[str, dict[str, Any]]) -> str:
    """Write a line per environment: versions, and how ours was built."""
    boring = {"pip", "setuptools", "wheel"}
    lines = []
    for name, what in described.items():
        versions = sorted(
            f"{package} {version}"
            for package, version in what["versions"].items()
            if package.lower() not in boring
        )
        if name.startswith("ours"):
            build = "compiled" if what["compiled"] else "pure"
            versions.insert(0, f"[{build}]")
        lines.append(f"  {name:<11} {', '.join(versions)}")
    return "\n".join(lines)
