"""Runs one target in the environment that ``run.py`` has made.

``fuzz`` hands over to atheris, which tries inputs until its time is up; ``measure``
goes through a corpus once and prints what it covers, and how time grows with size;
``minimize`` keeps those inputs that reach something that shorter ones don't.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from fuzzing.builds import find_builds  # noqa: E402
from fuzzing.targets import TARGETS, Target, open_target  # noqa: E402

# Everything that any target imports of the library.
_MODULES = sorted(
    {name.replace("/", ".") for names in TARGETS.values() for name in names}
)

# An input is grown to these sizes; time may grow that much more than size does.
_SMALL, _FACTOR, _TOLERANCE = 32_768, 4, 2.5

# Seconds of processor time below which nothing is said about growth.
_NOTICEABLE = 0.01


def main(argv: Sequence[str]) -> None:
    """Do what the command line says: what, the target, and its arguments."""
    what, name, *rest = argv
    {"fuzz": fuzz, "measure": measure, "minimize": minimize}[what](name, rest)


def fuzz(name: str, arguments: Sequence[str]) -> None:
    """Hand a target over to atheris, with arguments for libFuzzer."""
    import atheris

    package = find_builds()[-1].package
    with atheris.instrument_imports(include=[package]):
        for module in _MODULES:
            importlib.import_module(f"{package}.{module}")
    target = open_target(name)
    atheris.Setup([sys.argv[0], *arguments], target.check)
    atheris.Fuzz()


def measure(name: str, arguments: Sequence[str]) -> None:
    """Print as JSON what a corpus covers, and the worst growth of time with size."""
    target = open_target(name)
    corpus = [path.read_bytes() for path in sorted(Path(arguments[0]).iterdir())]
    seconds = float(arguments[1])
    found = {"growth": measure_growth(target, corpus, seconds)}
    found["covered"] = measure_coverage(target, corpus)
    print(json.dumps(found))


def measure_coverage(target: Target, corpus: Sequence[bytes]) -> float:
    """Return how much of a target's modules a corpus covers, in percent."""
    measuring, files = _make_coverage(target)
    measuring.start()
    for data in corpus:
        target.check(data)
    measuring.stop()
    covered = possible = 0
    for file in files:
        _, lines, _, missing, _ = measuring.analysis2(file)
        # Definitions were run when the module was imported.
        possible += len(lines)
        covered += len(lines) - len(_missing_inside(file, missing))
    return round(100 * covered / possible, 1)


def _make_coverage(target: Target, branch: bool = False) -> tuple[Any, list[str]]:
    """Return what measures a target's modules, and their files."""
    import coverage

    package = find_builds()[-1].package
    files = [
        importlib.import_module(f"{package}.{module.replace('/', '.')}").__file__ or ""
        for module in target.modules
    ]
    options: Any = {"branch": branch, "data_file": None, "config_file": False}
    return coverage.Coverage(include=files, **options), files


def minimize(name: str, directories: Sequence[str]) -> None:
    """Replace the first directory's inputs by those of all that are needed."""
    target = open_target(name)
    paths = [path for each in directories for path in Path(each).iterdir()]
    inputs = sorted({path.read_bytes() for path in paths}, key=lambda x: (len(x), x))
    known: set[Any] = set()
    kept = []
    for data in inputs:
        measuring, _ = _make_coverage(target, branch=True)
        measuring.start()
        target.check(data)
        measuring.stop()
        found = measuring.get_data()
        reached = {(f, arc) for f in found.measured_files() for arc in found.arcs(f)}
        if not reached <= known:
            kept.append(data)
        known |= reached
    for path in Path(directories[0]).iterdir():
        path.unlink()
    for data in kept:
        digest = hashlib.sha256(data).hexdigest()[:16]
        (Path(directories[0]) / digest).write_bytes(data)
    print(f"{name}: {len(kept)} of {len(inputs)} inputs, {sum(map(len, kept))} bytes")


def _missing_inside(file: str, missing: Sequence[int]) -> list[int]:
    """Return those of the missing lines that are inside functions."""
    import ast

    inside: set[int] = set()
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            inside.update(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
    return [line for line in missing if line in inside]


# --- Growth ---------------------------------------------------------------------


def measure_growth(target: Target, corpus: Sequence[bytes], seconds: float) -> float:
    """
    Grow inputs by repeating pieces of them, and look how time grows.

    Returns:
        The worst ratio of the growth of time and of size: 1 is linear; for four
        times the size, 4 is quadratic.

    """
    source = random.Random(1)
    deadline = time.monotonic() + seconds
    worst = 0.0
    while time.monotonic() < deadline:
        grow = _choose_growth(source, source.choice(corpus))
        growth = _growth(target, grow)
        if growth > _TOLERANCE:
            # Others use the machine, too.
            growth = min(growth, *(_growth(target, grow) for _ in range(3)))
        if growth > _TOLERANCE:
            shown = grow(64).hex()
            raise AssertionError(f"time grows {growth:.1f} times too much: {shown}")
        worst = max(worst, growth)
    return round(worst, 2)


Grow = Callable[[int], bytes]


def _choose_growth(source: random.Random, data: bytes) -> Grow:
    """Choose a piece of an input; return what repeats it up to a size."""
    start = source.randrange(len(data) + 1)
    stop = source.randrange(start, min(len(data), start + 40) + 1)
    piece = data[start:stop] or b"a"
    return lambda size: (
        data[:start] + piece * max((size - len(data)) // len(piece), 1) + data[stop:]
    )


def _growth(target: Target, grow: Grow) -> float:
    small, large = grow(_SMALL), grow(_FACTOR * _SMALL)
    first, second = _time(target, small), _time(target, large)
    if second < _NOTICEABLE:
        return 0.0
    return second / first / (len(large) / len(small))


def _time(target: Target, data: bytes) -> float:
    """Return the processor time that the library takes for an input."""
    start = time.process_time()
    target.exercise(data)
    return max(time.process_time() - start, 1e-4)


if __name__ == "__main__":
    arguments: Any = sys.argv[1:]
    main(arguments)
