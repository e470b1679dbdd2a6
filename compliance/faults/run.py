"""Inject faults, and count what they do.

    python compliance/faults/run.py [--short] [--fault NAME] [--face classic|modern]
        [--loop asyncio|uvloop] [--jobs N] [--list]

Each fault runs in a process of its own, with both interfaces and on both event loops;
``--short`` takes each interface once, on one loop. The table shows the faults injected,
messages lost, doubled and out of order, tasks and files left, errors that nobody looked
at, and the longest pause of the event loop; the exit status is 1 if one of the counts
isn't 0, or if something else wasn't as it should be. Faults of networks need root and
iproute2, and are skipped without. The library is the one that this interpreter has.
Linux only.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCENE = Path(__file__).resolve().parent / "scene.py"

#: Seconds that a fault may take, on a busy machine.
PATIENCE = 240

#: Interface and event loop.
Setting = tuple[str, str]

SETTINGS: list[Setting] = list(
    itertools.product(["classic", "modern"], ["asyncio", "uvloop"])
)

#: What --short takes.
SHORT: list[Setting] = [("classic", "asyncio"), ("modern", "uvloop")]

#: What must be 0.
COUNTS = ["lost", "doubled", "disordered", "tasks", "files"]

#: What a fault that told nothing has.
NOTHING: dict[str, Any] = {
    **dict.fromkeys(["injected", *COUNTS, "stall"], 0),
    "errors": [],
    "problems": [],
    "skipped": "",
}


def fault_names() -> list[str]:
    """Return the names of all faults."""
    command = [sys.executable, str(SCENE), "list"]
    return subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()


def play(name: str, setting: Setting) -> dict[str, Any]:
    """Run a fault in a process of its own; return its figures."""
    face, loop = setting
    command = [sys.executable, str(SCENE), name, "--face", face, "--loop", loop]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return {**NOTHING, "problems": [f"no end after {PATIENCE} seconds"]}
    try:
        figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {**NOTHING, "problems": [f"no figures: {ended.stderr[-2000:]}"]}
    never = [line for line in ended.stderr.splitlines() if "never" in line]
    figures["errors"] += never
    if figures["problems"] and ended.stderr:
        figures["problems"].append(ended.stderr.splitlines()[-1])
    if ended.returncode:
        figures["problems"].append(f"exit status {ended.returncode}")
    return figures


def is_good(figures: dict[str, Any]) -> bool:
    """Tell whether everything is as it should be."""
    counts = [figures[name] > 0 for name in COUNTS]
    told = figures["errors"] or figures["problems"]
    return not any(counts) and not told and bool(figures["injected"])


def show(name: str, setting: Setting, figures: dict[str, Any]) -> bool:
    """Print a line of the table; return whether it's a good one."""
    start = f"{name:31}{setting[0]:8}{setting[1]:8}"
    if figures["skipped"]:
        print(f"{start} skipped: {figures['skipped']}", flush=True)
        return True
    counts = "".join(f"{figures[name]:8}" for name in COUNTS)
    good = is_good(figures)
    print(
        f"{start}{figures['injected']:7}{counts}{len(figures['errors']):8}"
        f"{figures['stall'] * 1000:6.0f} ms{'' if good else '  MISS'}",
        flush=True,
    )
    for text in [*figures["problems"], *figures["errors"]][:10]:
        print(f"    {text}", flush=True)
    return good


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--fault", action="append", metavar="NAME")
    parser.add_argument("--face", choices=["classic", "modern"])
    parser.add_argument("--loop", choices=["asyncio", "uvloop"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    return parser


def main() -> int:
    """Run the faults; return the exit status."""
    options = make_parser().parse_args()
    names = options.fault or fault_names()
    if options.list:
        print(*names, sep="\n")
        return 0
    settings = [
        (face, loop)
        for face, loop in (SHORT if options.short else SETTINGS)
        if options.face in (None, face) and options.loop in (None, loop)
    ]
    header = "".join(f"{name:>8}" for name in COUNTS)
    print(f"{'fault':47}{'faults':>7}{header}  errors    stall", flush=True)
    jobs = list(itertools.product(names, settings))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda job: play(*job), jobs)
        good = [show(*job, figures) for job, figures in zip(jobs, results, strict=True)]
    print(f"{len(good)} runs, {good.count(False)} with a miss")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
