#!/usr/bin/env python3
"""Fuzz the library with atheris, and print what was tried and what was found.

    python fuzzing/run.py                       # every target for half a minute
    python fuzzing/run.py --seconds 600 --target protocols
    python fuzzing/run.py --minimize            # keep of the corpora what counts
    python fuzzing/run.py --sanitize            # the compiled build with sanitizers

Everything that is made is put into ``fuzzing/.envs``: an environment with atheris, the
compiled build, and the libraries for deflate; and inputs that failed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "compliance")]

import venvs  # noqa: E402

from fuzzing import sanitize  # noqa: E402
from fuzzing.targets import TARGETS  # noqa: E402

ENVS = HERE / ".envs"
CORPORA = HERE / "corpus"
FOUND = ENVS / "found"
PACKAGES = ["atheris", "coverage", "isal", "zlib-ng"]

# What libFuzzer says, and what we call it.
_FIGURES = {
    "inputs": r"stat::number_of_executed_units: *(\d+)",
    "edges": r"\bcov: (\d+)",
    "slowest": r"stat::slowest_unit_time_sec: *(\d+)",
    "memory": r"stat::peak_rss_mb: *(\d+)",
}

# No input may take longer, or more memory. An input is no longer than 4 KiB, and is
# worked on some ten times; the interpreter and what atheris adds take 100 MB.
_SECONDS, _MEGABYTES = 10, 600

# How long is looked for inputs that take more than linear time, as a share.
_GROWING = 0.15


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; return how many targets failed."""
    options = make_parser().parse_args(argv)
    venvs.ENVS = ENVS
    if options.sanitize:
        return sanitize.main(options.seconds)
    python = set_up(options.python)
    names = options.target or list(TARGETS)
    if options.minimize:
        for name in names:
            minimize(python, name)
        return 0
    rows = [fuzz(python, name, options.seconds) for name in names]
    print_table(rows)
    return sum(bool(row["crashes"]) for row in rows)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description="Fuzz the library.")
    parser.add_argument(
        "--seconds", type=int, default=30, help="for each target (default: 30)"
    )
    parser.add_argument("--target", action="append", choices=TARGETS, metavar="NAME")
    parser.add_argument(
        "--minimize", action="store_true", help="drop inputs that add nothing"
    )
    parser.add_argument(
        "--sanitize", action="store_true", help="build with sanitizers, and run tests"
    )
    parser.add_argument(
        "--python", default=sys.executable, help="one that atheris has a wheel for"
    )
    return parser


def set_up(interpreter: str) -> Path:
    """Make the environment; return its Python."""
    sys.executable = interpreter
    python = venvs.make_environment("atheris", PACKAGES, fresh=False)
    wheel = venvs.build_wheel("compiled")
    stamp = ENVS / "installed"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != str(wheel):
        venvs.install_ours(python, "compiled")
        stamp.write_text(str(wheel), encoding="utf-8")
    return python


def call(python: Path, *words: str | Path) -> tuple[int, str]:
    """Run the worker; return its status and what it printed."""
    done = subprocess.run(
        [python, HERE / "worker.py", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=venvs.clean_variables(),
    )
    return done.returncode, done.stdout


def fuzz(python: Path, name: str, seconds: int) -> dict[str, Any]:
    """Fuzz a target, and measure what it has come to; return a row of the table."""
    growing = ENVS / "corpus" / name
    for directory in growing, FOUND:
        directory.mkdir(parents=True, exist_ok=True)
    before = set(FOUND.iterdir())
    venvs.say(f"fuzzing {name} for {seconds} s")
    status, output = call(
        python,
        "fuzz",
        name,
        f"-max_total_time={seconds}",
        f"-timeout={_SECONDS}",
        f"-rss_limit_mb={_MEGABYTES}",
        f"-artifact_prefix={FOUND}/{name}-",
        "-print_final_stats=1",
        growing,
        CORPORA / name,
    )
    # Another run may be looking for its own.
    new = (path.name for path in set(FOUND.iterdir()) - before)
    crashes = sorted(path for path in new if path.startswith(f"{name}-"))
    if status and not crashes:
        crashes = ["failed to run"]
    row = {"target": name, "crashes": crashes, **read_figures(output)}
    if crashes:
        print(output[-4000:], file=sys.stderr)
        return row
    status, output = call(python, "measure", name, growing, str(_GROWING * seconds))
    if status:
        print(output[-4000:], file=sys.stderr)
        return {**row, "crashes": ["measuring failed"]}
    return {**row, **json.loads(output.splitlines()[-1])}


def read_figures(output: str) -> dict[str, int]:
    """Read what libFuzzer says at the end."""
    return {
        name: int((re.findall(pattern, output) or [0])[-1])
        for name, pattern in _FIGURES.items()
    }


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print the figures, as the README has them."""
    columns = {
        "target": "target",
        "inputs": "inputs tried",
        "edges": "edges",
        "covered": "lines covered",
        "crashes": "crashes",
        "slowest": "slowest input",
        "memory": "peak memory",
        "growth": "worst growth",
    }
    units = {"covered": " %", "slowest": " s", "memory": " MB"}
    print("|", " | ".join(columns.values()), "|")
    print("|" + "---|" * len(columns))
    for row in rows:
        row = {**row, "inputs": f"{row['inputs']:,}", "crashes": len(row["crashes"])}
        # libFuzzer counts whole seconds.
        row["slowest"] = row["slowest"] or "below 1"
        cells = [f"{row.get(name, '?')}{units.get(name, '')}" for name in columns]
        print("|", " | ".join(cells), "|")
    for row in rows:
        for path in row["crashes"]:
            print(f"{row['target']}: {path}")
    print(f"total: {sum(row['inputs'] for row in rows):,} inputs, in", time.ctime())


def minimize(python: Path, name: str) -> None:
    """Add to a corpus what was found, and drop what adds nothing."""
    growing = ENVS / "corpus" / name
    growing.mkdir(parents=True, exist_ok=True)
    status, output = call(python, "minimize", name, CORPORA / name, growing)
    if status:
        print(output[-4000:], file=sys.stderr)
        raise venvs.SetupError(f"minimizing {name} failed")
    print(output.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
