#!/usr/bin/env python3
"""Set up a clone of websockets and do one thing with it.

``python3 dev.py demo`` and ``python3 dev.py test`` need a Python with pip, and
nothing else. The first run makes a virtual environment in ``.venv`` and installs
the package there, in place; later runs find it ready.

Standard library only. Old Pythons must be able to read this file up to the line
where they are told that they are too old: hence no ``from __future__`` here.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Set
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info < (3, 11):  # noqa: UP036
    found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"websockets needs Python 3.11 or later; this is Python {found}")

ROOT = Path(__file__).resolve().parent
PEERS = ROOT / "tests" / "peers"


class Failed(Exception):
    """A step went wrong; the text says which."""


class Command(NamedTuple):
    """One word after ``dev.py``.

    Attributes:
        help: what ``--help`` says.
        lines: what the environment's Python is called with, line after line; the
            first one gets the further arguments of the command line.
        needs: extras of the package that must be installed.
        likes: extras that it can do without.

    """

    help: str
    lines: tuple[str, ...] = ("",)
    needs: frozenset[str] = frozenset()
    likes: frozenset[str] = frozenset()


TEST = frozenset(["test"])
LINT = frozenset(["lint"])
DOCS = frozenset(["docs"])
PEER_PACKAGES = frozenset(["peers"])

COMMANDS = {
    "demo": Command(
        "a server and a client exchange messages and print what happens",
        ("example/demo.py",),
    ),
    "test": Command("run the tests with pytest", ("-m pytest",), TEST, PEER_PACKAGES),
    "fast": Command(
        "run the tests with the libraries of the extra fast",
        ("-m pytest",),
        frozenset(["test", "choices"]),
        PEER_PACKAGES,
    ),
    "coverage": Command(
        "run the tests; every branch of src must be covered",
        ("-m coverage run -m pytest", "-m coverage report --skip-covered"),
        TEST,
        PEER_PACKAGES,
    ),
    "lint": Command(
        "check style and formatting with ruff",
        ("-m ruff check .", "-m ruff format --check ."),
        LINT,
    ),
    "format": Command(
        "let ruff mend and format",
        ("-m ruff check --fix .", "-m ruff format ."),
        LINT,
    ),
    "types": Command("check types with mypy, strictly", ("-m mypy",), LINT),
    "docs": Command(
        "build the documentation in docs/_build/html; a warning is an error",
        ("-m sphinx -W -q -b html docs docs/_build/html",),
        DOCS,
    ),
    "package": Command(
        "build sdist and wheel, install both elsewhere and run the tests there",
        ("tools/package.py",),
        frozenset(["package"]),
    ),
    "peers": Command("install npm's ws, for the interoperability tests"),
    "python": Command("run the environment's Python"),
}


def main(argv: list[str] | None = None) -> int | str:
    """Do what the command line asks for; return the exit status or an error."""
    options = make_parser().parse_args(argv)
    try:
        if options.command == "peers":
            return install_npm_peer()
        command = COMMANDS[options.command]
        python = Path(sys.executable)
        if not options.here:
            default = ROOT / (".venv-compiled" if options.compiled else ".venv")
            venv = (options.venv or default).resolve()
            python = set_up(venv, command, options.compiled)
        return run_lines(python, command.lines, options.arguments)
    except Failed as exc:
        return f"dev.py: {exc}"
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    width = max(map(len, COMMANDS))
    listing = [f"  {name:{width}}  {each.help}" for name, each in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        description="Set up a clone of websockets and do one thing with it.",
        epilog="\n".join(["commands:", *listing]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--venv",
        type=Path,
        metavar="DIR",
        help="where the virtual environment is, or is made (default: .venv, or "
        ".venv-compiled)",
    )
    parser.add_argument(
        "--compiled",
        action="store_true",
        help="use the compiled build, made anew when src has changed; needs a C "
        "compiler. Without this, the files in src are used as they are",
    )
    parser.add_argument(
        "--here",
        action="store_true",
        help="set nothing up: use the Python that runs this, as it is",
    )
    parser.add_argument(
        "command", choices=COMMANDS, metavar="command", help="one of those below"
    )
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="...",
        help='what follows goes to the tool: "dev.py test -x -k ping"',
    )
    return parser


def run_lines(python: Path, lines: tuple[str, ...], arguments: list[str]) -> int:
    """Run a command's lines until one fails."""
    for line in lines:
        words = [*line.split(), *arguments]
        arguments = []
        print("$ python", shlex.join(words), flush=True)
        status = subprocess.run([python, *words], cwd=ROOT).returncode
        if status:
            return status
    return 0


def run_step(*words: str | Path, **variables: str) -> None:
    """Run a step of the set-up; its output is shown only when it fails."""
    done: Any = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr, flush=True)
        raise Failed(f"this failed: {shlex.join(map(str, words))}")


# The virtual environment.


def set_up(venv: Path, command: Command, compiled: bool) -> Path:
    """Bring the environment up to what a command needs; return its Python."""
    source = made_from(compiled)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = venv / "websockets-dev.json"
    extras = installed_extras(stamp, source) if python.exists() else None
    if extras is None:
        make_environment(venv)
    wanted = command.needs | command.likes | (extras or set())
    if extras is None or not wanted <= extras:
        try:
            install(python, wanted, compiled)
        except Failed:
            if not command.likes:
                raise
            # Perhaps one that we can do without has no wheel for this machine.
            wanted = command.needs | (extras or set())
            install(python, wanted, compiled)
        content = {"made_from": source, "extras": sorted(wanted)}
        stamp.write_text(json.dumps(content), encoding="utf-8")
    return python


def installed_extras(stamp: Path, source: str) -> set[str] | None:
    """Tell what is installed; None if that is out of date or not there."""
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
        return set(content["extras"]) if content["made_from"] == source else None
    except (OSError, ValueError, LookupError):
        return None


def made_from(compiled: bool) -> str:
    """Return a digest of what an environment depends on."""
    digest = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n{compiled}".encode())
    paths = [ROOT / "pyproject.toml", ROOT / "setup.py"]
    if compiled:
        kinds = {".py", ".pyx", ".pxd"}
        found = (ROOT / "src" / "websockets").rglob("*")
        paths += sorted(path for path in found if path.suffix in kinds)
    for path in filter(Path.is_file, paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_environment(venv: Path) -> None:
    """Make an empty virtual environment with pip, in place of an older one."""
    if venv.exists() and not (venv / "pyvenv.cfg").exists():
        raise Failed(f"{venv} is in the way: it isn't a virtual environment")
    print(f"Making {venv} with Python {sys.version.split()[0]}", flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    # Some systems package venv apart from ensurepip, which puts pip in.
    if importlib.util.find_spec("ensurepip"):
        run_step(sys.executable, "-m", "venv", venv)
    else:
        make_with_virtualenv(venv)


def make_with_virtualenv(venv: Path) -> None:
    """Make the environment with a virtualenv that is fetched just for that."""
    with tempfile.TemporaryDirectory() as target:
        pip = [sys.executable, "-m", "pip", "install", "--target", target]
        run_step(*pip, "virtualenv")
        run_step(sys.executable, "-m", "virtualenv", venv, PYTHONPATH=target)


def install(python: Path, extras: Set[str], compiled: bool) -> None:
    """Install the package with extras: compiled, or in place."""
    wanted = f".[{','.join(sorted(extras))}]" if extras else "."
    print(f"Installing {wanted} (the first time takes a while)", flush=True)
    pip: list[str | Path] = [python, "-m", "pip", "install"]
    if compiled:
        run_step(*pip, wanted, WEBSOCKETS_SPEEDUPS="1")
    else:
        run_step(*pip, "--editable", wanted)


# The peer from npm.


def install_npm_peer() -> int:
    """Install what tests/peers/package.json names, beside it."""
    npm = shutil.which("npm")
    if npm is None:
        raise Failed("npm isn't installed: tests that need it will be skipped")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund"]
    run_step(npm, "install", *quiet, "--prefix", PEERS)
    print("ws is in tests/peers/node_modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
