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

from contenders import ROOT
from scenarios import SCENARIOS

#: What one fresh-process run gave: its key, its round, and its figures.
Run = dict[str, Any]

#: A loop, a scenario and a peer.
Key = tuple[str, str, str]


class Figure(NamedTuple):
    """Something that is measured.

    Attributes:
        name: its key in a run's record.
        heading: what stands above its column.
        pattern: how it is written.
        compared: whether the table has its ratios to the reference peers.
        scale: what it is multiplied with to be written.

    """

    name: str
    heading: str
    pattern: str
    compared: bool = False
    scale: float = 1.0


RATE = (
    Figure("rate", "{unit}/s", "{:,.0f}", compared=True),
    Figure("cpu_us", "CPU µs/{unit}", "{:,.2f}", compared=True),
    Figure("p50_us", "p50 µs", "{:,.0f}"),
    Figure("p99_us", "p99 µs", "{:,.0f}"),
    Figure("wire", "bytes/{unit}", "{:,.0f}"),
    Figure("peer_busy", "peer busy", "{:.0%}"),
    Figure("loadgen_busy", "load busy", "{:.0%}"),
)

#: The figures of a kind of scenario, the most telling one first; what isn't here is a
#: rate.
FIGURES = {
    "memory": (Figure("bytes", "KiB/connection", "{:,.2f}", True, 1 / 1024),),
    "import": (Figure("ms", "ms", "{:,.1f}", True),),
    "instructions": (Figure("instructions", "instructions", "{:,.0f}", True),),
}


def find_figures(scenario: str) -> tuple[Figure, ...]:
    """Return the figures that a scenario gives."""
    return FIGURES.get(SCENARIOS[scenario].kind, RATE)


class Cell(NamedTuple):
    """One peer in one scenario on one loop, over all rounds.

    Attributes:
        rounds: how many runs succeeded.
        spread: of the first figure, half of the distance from the least to the
            greatest, as a share of the median.
        figures: the medians.
        ratios: of the compared figures, to each reference peer: this peer's
            divided by that one's.

    """

    rounds: int
    spread: float
    figures: dict[str, float]
    ratios: dict[str, dict[str, float | None]]


def make_run(key: Key, number: int, figures: dict[str, Any]) -> Run:
    """Return the record of one run.

    Args:
        key: the loop, the scenario and the peer.
        number: the round.
        figures: what was measured.

    """
    loop, scenario, peer = key
    return {
        "loop": loop,
        "scenario": scenario,
        "peer": peer,
        "round": number,
        **figures,
    }


def paired_ratio(runs: list[Run], others: list[Run], figure: str) -> float | None:
    """Return the median over the rounds of the ratio of two peers.

    Both ran in the same round, one shortly after the other, so that slow drifts of
    the machine cancel. None if no round has both.
    """
    theirs = {run["round"]: run.get(figure) for run in others}
    ratios = [
        run[figure] / theirs[run["round"]]
        for run in runs
        if theirs.get(run["round"]) and figure in run
    ]
    return median(ratios) if ratios else None


def find_runs(runs: list[Run], key: Key) -> list[Run]:
    """Return a peer's runs of a scenario on a loop."""
    return [run for run in runs if (run["loop"], run["scenario"], run["peer"]) == key]


def sum_up(runs: list[Run], key: Key, references: Sequence[str]) -> Cell | None:
    """Sum up a peer's runs; None if there are none.

    Args:
        runs: all runs.
        key: the loop, the scenario and the peer.
        references: the peers to give ratios to.

    """
    mine = find_runs(runs, key)
    if not mine:
        return None
    figures = find_figures(key[1])
    first = [run[figures[0].name] for run in mine]
    others = {name: find_runs(runs, (*key[:2], name)) for name in references}
    return Cell(
        rounds=len(mine),
        spread=abs((max(first) - min(first)) / 2 / median(first)) if any(first) else 0,
        figures={
            figure.name: median(run[figure.name] for run in mine)
            for figure in figures
            if all(figure.name in run for run in mine)
        },
        ratios={
            figure.name: {
                name: paired_ratio(mine, theirs, figure.name)
                for name, theirs in others.items()
            }
            for figure in figures
            if figure.compared
        },
    )


def show_ratio(ratio: float | None) -> str:
    """Write a ratio, or a dash where there is none."""
    return "-" if ratio is None else f"{ratio:.2f}"


def show_figure(figure: Figure, cell: Cell) -> str:
    """Write a figure, or a dash where there is none."""
    value = cell.figures.get(figure.name)
    return "-" if value is None else figure.pattern.format(value * figure.scale)


def make_table(
    loop: str,
    scenario: str,
    cells: dict[str, Cell | None],
    references: Sequence[str],
) -> list[list[str]]:
    """Return the rows of a scenario's table, the header first.

    Args:
        loop: the event loop.
        scenario: the scenario.
        cells: by peer; None where it failed.
        references: the peers that ratios are given to.

    """
    figures = [
        figure
        for figure in find_figures(scenario)
        if any(cell and figure.name in cell.figures for cell in cells.values())
    ]
    rows = [make_header(scenario, figures, references)]
    for peer, cell in cells.items():
        if cell is None:
            rows.append([peer, "failed", *["-"] * (len(rows[0]) - 2)])
            continue
        row = [peer]
        for index, figure in enumerate(figures):
            row.append(show_figure(figure, cell))
            if index == 0:
                row.append(f"±{cell.spread:.0%}")
            if figure.compared:
                ratios = cell.ratios[figure.name]
                row += [show_ratio(ratios.get(name)) for name in references]
        rows.append(row)
    return rows


def make_header(
    scenario: str, figures: Sequence[Figure], references: Sequence[str]
) -> list[str]:
    """Return the first row of a scenario's table."""
    unit = "conn" if SCENARIOS[scenario].kind == "connect" else "msg"
    header = ["peer"]
    for index, figure in enumerate(figures):
        header.append(figure.heading.format(unit=unit))
        if index == 0:
            header.append("spread")
        if figure.compared:
            header += [f"/ {name}" for name in references]
    return header


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


def show_command() -> str:
    """Return the command line, without where files go: that changes nothing."""
    words = iter(sys.argv[1:])
    kept = ["python", f"benchmarks/{Path(sys.argv[0]).name}"]
    for word in words:
        if word in ("--json", "--loadgen"):
            next(words, None)
        else:
            kept.append(word)
    return " ".join(kept)


def describe_machine() -> dict[str, Any]:
    """Return where and when this runs."""
    release = platform.release().partition("-")[0]
    return {
        "command": show_command(),
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": read_commit(),
        "system": f"{platform.system()} {release} {platform.machine()}",
        "cpu": f"{os.cpu_count()} x {read_cpu_model()}",
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
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
