#!/usr/bin/env python3
"""Serve a FastAPI application with uvicorn and talk to it, all of it with ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from venvs import (
    BUILDS,
    HERE,
    ROOT,
    SetupError,
    call,
    describe,
    install_ours,
    make_environment,
)

BACK_ENDS = ("websockets", "websockets-sansio")

#: websockets is here as what uvicorn depends on; ours takes its place.
NEEDS = ("fastapi[standard]", "starlette", "websockets")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--build", action="append", choices=BUILDS, help="repeatable; both")
    add("--source", type=Path, default=ROOT, help="another clone to build ours from")
    add("--fresh", action="store_true", help="get releases that came out since")
    return parser


def main(argv: list[str] | None = None) -> int | str:
    """Run what the command line asks for."""
    options = make_parser().parse_args(argv)
    try:
        python = make_environment("fastapi", NEEDS, options.fresh)
        for build in options.build or BUILDS:
            install_ours(python, build, options.source)
            call(python, "-m", "pip", "check")
            for back_end in BACK_ENDS:
                call(python, HERE / "fastapi_echo.py", back_end)
                print(f"{describe(python)}, uvicorn --ws {back_end}: ok", flush=True)
    except SetupError as exc:
        return f"smoke.py: {exc}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
