"""Type checkers take programs of both eras as right, and see mistakes in one."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from peers import import_peer, missing

HERE = pathlib.Path(__file__).parent / "typed"

#: Programs without mistakes.
RIGHT = [str(HERE / f"{name}.py") for name in ("both", "classic", "modern")]

#: A program with mistakes.
WRONG = HERE / "wrong.py"

Checker = Callable[..., tuple[int, str]]

# Checking starts from nothing: what it takes is longer than for other tests.
pytestmark = pytest.mark.timeout(300)


def run(*words: str, folder: pathlib.Path) -> tuple[int, str]:
    """Run a type checker in an empty folder; return its status and output."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return done.returncode, done.stdout


def mypy(folder: pathlib.Path, *paths: str) -> tuple[int, str]:
    import_peer("mypy", "mypy")
    return run("mypy", "--strict", "--python-version=3.11", *paths, folder=folder)


def pyright(folder: pathlib.Path, *paths: str) -> tuple[int, str]:
    import_peer("pyright", "pyright")
    status, output = run("pyright", "--version", folder=folder)
    if status or not re.search(r"^pyright [\d.]+$", output, re.MULTILINE):
        missing(f"pyright can't be run: {output.strip()[-200:]}")
    options = ("--pythonpath", sys.executable, "--pythonversion", "3.11")
    return run("pyright", *options, *paths, folder=folder)


@pytest.mark.parametrize("check", [mypy, pyright])
def test_programs(check: Checker, tmp_path: pathlib.Path) -> None:
    status, output = check(tmp_path, *RIGHT)
    assert status == 0, output
    # It knew our types, or everything would be right.
    status, output = check(tmp_path, str(WRONG))
    assert status == 1
    found = {
        int(line) for line in re.findall(r"wrong\.py:(\d+):(?:\d+ -)? error: ", output)
    }
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    assert found == {n for n, line in enumerate(lines, 1) if line.endswith("# wrong")}
