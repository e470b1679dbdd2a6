"""Floor 5, faces: which command it is, and how it ends."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from . import about, bench, client, ping, serve
from .arguments import Parser, add_loop_argument
from .failures import CommandError, why
from .running import INTERRUPTED, TERMINATED, run

__all__ = ["main", "make_parser"]

_COMMANDS = {"connect": client, "serve": serve, "bench": bench, "ping": ping}

#: What one gets without naming a command.
_DEFAULT = "connect"


def main(argv: Sequence[str] | None = None) -> int:
    """
    Do what the command line asks for.

    Args:
        argv: the arguments; None for those of the program.

    Returns:
        The exit status: 0 if all went well, 1 if the server couldn't be reached
        or something else went wrong, 130 after an interruption.

    Raises:
        SystemExit: with status 2 if an argument is wrong; with status 0 after
            ``--help`` and ``--version``.

    """
    _prepare_output()
    arguments = list(sys.argv[1:] if argv is None else argv)
    named = bool(arguments) and arguments[0] in _COMMANDS
    name = arguments.pop(0) if named else _DEFAULT
    command = _COMMANDS[name]
    terminated = getattr(command, "TERMINATED", TERMINATED)
    try:
        options = make_parser(name, command, named).parse_args(arguments)
        return run(command.run(options), options.loop, terminated)
    except CommandError as exc:
        print(exc, file=sys.stderr)
        return exc.status
    except BrokenPipeError:
        return _leave_pipe()
    except OSError as exc:
        # What is left are standard input and output.
        print(f"websockets: {why(exc)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # Event loops on Windows have no handlers for signals.
        return INTERRUPTED


def _prepare_output() -> None:
    """Let any message be printed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Messages are UTF-8, and go into pipes and files as they are.
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def make_parser(name: str, command: ModuleType, named: bool) -> argparse.ArgumentParser:
    """Make a command's parser; the one without a name tells of the others."""
    epilog, usage = f"examples:\n{command.EXAMPLES}", None
    if not named:
        others = {key: each for key, each in _COMMANDS.items() if key != _DEFAULT}
        listing = [f"  websockets {key:5}  {each.HELP}" for key, each in others.items()]
        epilog = "\n".join([epilog, "other commands:", *listing])
        usage = (
            f"websockets [options] URI\n       websockets {{{','.join(others)}}} ..."
        )
    parser = Parser(
        prog=f"websockets {name}" if named else "websockets",
        description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
        usage=usage,
        epilog=epilog,
    )
    if not named:
        parser.add_argument(
            "--version",
            action=_Version,
            nargs=0,
            help="show the version and what it runs on",
        )
    command.add_arguments(parser)
    add_loop_argument(parser)
    return parser


class _Version(argparse.Action):
    """Shows the version, and ends the program."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Do that."""
        print(about.describe())
        parser.exit()


def _leave_pipe() -> int:
    """End as programs do when nobody reads their output any more."""
    # Or Python would try again when it ends, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13
