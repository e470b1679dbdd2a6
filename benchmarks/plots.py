"""Plots of a run, with matplotlib: ``plots.py JSON DIRECTORY``.

Runs in an environment of its own; see publish.py. The same data gives the same files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "benchmark",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9,
    }
)

from matplotlib import pyplot as plt  # noqa: E402

#: The same colour for a peer in all plots; ours stand out.
COLOURS = {
    "ours": "#c0392b",
    "ours-fast": "#e67e22",
    "ours-pure": "#e6a9a2",
    "websockets-modern": "#2c6fbb",
    "websockets-legacy": "#9dbfe3",
    "aiohttp": "#4b9b59",
    "picows-callbacks": "#6c4a9e",
    "picows-coroutines": "#b9a5d6",
    "raw-echo": "#999999",
}

#: Bars: the file's name, the figure, what the axis says, and the scenarios.
BARS = {
    "echo-rates": (
        "rate",
        "messages per second",
        [
            "echo/c32/256B/k1",
            "echo/c32/256B/k16",
            "echo/c32/64KiB/k1",
            "echo/c32/1MiB/k1",
        ],
    ),
    "receive-and-send-rates": (
        "rate",
        "messages per second",
        [
            "receive/c4/256B",
            "send/c4/256B",
            "broadcast/c1000/256B",
            "receive/c4/64KiB",
        ],
    ),
    "deflate-time": (
        "cpu_us",
        "processor time per message, µs (less is better)",
        [
            "deflate-echo/c32/120B/k1",
            "deflate-echo/c32/50KB/k1",
            "deflate-broadcast/c1000/600B",
            "deflate-broadcast/c1000/50KB",
        ],
    ),
    "tls-rates": (
        "rate",
        "messages per second",
        ["tls-echo/c32/256B/k1", "tls-echo/c32/64KiB/k1"],
    ),
    "memory-bytes": (
        "bytes",
        "bytes per idle connection (less is better)",
        ["memory/plain", "memory/deflate", "memory/tls"],
    ),
    "client-rates": (
        "rate",
        "messages per second",
        [
            "client/echo/c32/256B/k1",
            "client/echo/c32/256B/k16",
            "client/receive/c4/256B",
            "client/send/c4/256B",
        ],
    ),
    "instructions-counts": (
        "instructions",
        "instructions per message (less is better)",
        ["instructions/c8/256B/k1", "instructions/c8/256B/k16"],
    ),
}

Cells = dict[tuple[str, str, str], dict[str, Any]]


def draw_bars(
    cells: Cells, loop: str, figure: str, axis: str, scenarios: list[str]
) -> Any:
    """Draw a panel of bars per scenario; None if there is nothing to draw."""
    panels = [
        (scenario, values)
        for scenario in scenarios
        if (values := find_values(cells, loop, scenario, figure))
    ]
    if not panels:
        return None
    rows = (len(panels) + 1) // 2
    columns = min(len(panels), 2)
    drawing, axes = plt.subplots(
        rows, columns, figsize=(4.4 * columns, 2.4 * rows), squeeze=False
    )
    for place, (scenario, values) in zip(axes.flat, panels, strict=False):
        draw_panel(place, scenario, values)
    for place in axes.flat[len(panels) :]:
        place.set_visible(False)
    drawing.suptitle(f"{axis}, on {loop}", fontsize=10)
    return drawing


def find_values(
    cells: Cells, loop: str, scenario: str, figure: str
) -> dict[str, float]:
    """Return a figure of each peer."""
    found = {peer: cells.get((loop, scenario, peer)) for peer in COLOURS}
    return {
        peer: cell["figures"][figure]
        for peer, cell in found.items()
        if cell and figure in cell["figures"]
    }


def show(value: float) -> str:
    """Write a value with three digits or more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def draw_panel(place: Any, scenario: str, values: dict[str, float]) -> None:
    """Draw one scenario's bars, with their values."""
    names = list(values)[::-1]
    bars = place.barh(
        names,
        [values[name] for name in names],
        color=[COLOURS[name] for name in names],
    )
    place.bar_label(bars, fmt=show, padding=2, fontsize=7)
    place.set_title(scenario)
    place.margins(x=0.2)
    place.xaxis.set_visible(False)
    place.spines["bottom"].set_visible(False)


Lines = dict[str, list[tuple[float, float]]]


def draw_lines(lines: Lines, title: str, across: str, up: str) -> Any:
    """Draw a line per peer on logarithmic axes; None if there is nothing to draw."""
    if not any(lines.values()):
        return None
    drawing, place = plt.subplots(figsize=(7.0, 4.0))
    for peer, points in lines.items():
        if points:
            xs, ys = zip(*points, strict=True)
            place.plot(
                xs, ys, marker="o", markersize=3, label=peer, color=COLOURS[peer]
            )
    place.set(xscale="log", yscale="log", xlabel=across, ylabel=up, title=title)
    place.grid(alpha=0.3)
    place.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return drawing


def find_growth(cells: Cells, loop: str) -> Lines:
    """Return the processor time per message for each number of connections."""
    lines: Lines = {peer: [] for peer in COLOURS}
    for (its_loop, scenario, peer), cell in cells.items():
        if its_loop == loop and scenario.startswith("growth/echo/c"):
            count = float(scenario.rpartition("c")[2])
            lines[peer].append((count, cell["figures"]["cpu_us"]))
    return {peer: sorted(points) for peer, points in lines.items()}


def find_sizes(cells: Cells, loop: str) -> Lines:
    """Return the processor time per message for each size of messages."""
    sizes = {"16B": 16, "256B": 256, "8KiB": 2**13, "64KiB": 2**16, "1MiB": 2**20}
    lines: Lines = {peer: [] for peer in COLOURS}
    for name, size in sizes.items():
        scenario = f"echo/c32/{name}/k1"
        for peer, value in find_values(cells, loop, scenario, "cpu_us").items():
            lines[peer].append((size, value))
    return lines


def find_memory(cells: Cells, loop: str) -> Lines:
    """Return the server's memory, in MiB, for each number of connections."""
    lines: Lines = {peer: [] for peer in COLOURS}
    for (its_loop, scenario, peer), cell in cells.items():
        if its_loop == loop and scenario == "growth/memory":
            steps = cell.get("steps", [])
            lines[peer] = [(count, size / 2**20) for count, size in steps if count]
    return lines


CPU = "processor time per message, µs"

#: Lines: the file's name, what is found, the title, and what the axes say.
LINES: dict[str, tuple[Callable[[Cells, str], Lines], str, str, str]] = {
    "echo-sizes": (find_sizes, "echo, 32 connections", "bytes per message", CPU),
    "growth-time": (find_growth, "echo, 256 bytes", "connections", CPU),
    "growth-memory": (
        find_memory,
        "memory with idle connections",
        "connections",
        "MiB",
    ),
}


def save(drawing: Any, path: Path) -> None:
    """Write a plot; no date in it, so that the same data gives the same file."""
    if drawing is not None:
        drawing.tight_layout()
        drawing.savefig(path, metadata={"Date": None}, bbox_inches="tight")
        plt.close(drawing)


def main(source: Path, target: Path) -> None:
    """Draw everything that there is data for."""
    listed = json.loads(source.read_text())["cells"]
    cells = {(cell["loop"], cell["scenario"], cell["peer"]): cell for cell in listed}
    cells = {key: cell for key, cell in cells.items() if key[2] in COLOURS}
    for loop in dict.fromkeys(key[0] for key in cells):
        for name, what in BARS.items():
            save(draw_bars(cells, loop, *what), target / f"{name}-{loop}.svg")
        for name, (find, title, across, up) in LINES.items():
            drawing = draw_lines(find(cells, loop), f"{title}, on {loop}", across, up)
            save(drawing, target / f"{name}-{loop}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
