"""What the page about the command line shows is what happens."""

from __future__ import annotations

import importlib
import pathlib
import re
import shlex

import pytest

from websockets.cli import command

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "topics" / "command-line.rst"

TEXT = PAGE.read_text(encoding="utf-8")

COMMANDS = re.findall(
    r"^    \$ (?:.*\| )?(websockets .*?)(?: +#.*)?$", TEXT, re.MULTILINE
)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.usefixtures("capsys")
def test_command_is_right(line: str) -> None:
    check(line)


def check(line: str) -> None:
    """Check that a command line has the arguments that the program takes."""
    words = shlex.split(re.split(" [<>|] ", line)[0])[1:]
    name = words[0] if words[0] in ("serve", "bench", "ping") else "connect"
    module = importlib.import_module(
        f"websockets.cli.{'client' if name == 'connect' else name}"
    )
    parser = command.make_parser(name, module, name != "connect")
    words = words if name == "connect" else words[1:]
    if "--help" in words or "--version" in words:
        with pytest.raises(SystemExit) as raised:
            parser.parse_args(words)
        assert raised.value.code == 0
    else:
        parser.parse_args(words)


def test_arguments_are_there() -> None:
    known = set()
    for name in "client", "serve", "bench", "ping":
        module = importlib.import_module(f"websockets.cli.{name}")
        text = command.make_parser(name, module, False).format_help()
        known |= set(re.findall(r"--[a-z-]+", text))
    assert set(re.findall(r"``(--[a-z-]+)", TEXT)) <= known


def test_handler_is_right() -> None:
    [code] = re.findall(r":caption: hello.py\n\n((?:    .*\n|\n)+)", TEXT)
    names: dict[str, object] = {}
    exec("if True:\n" + code, names)
    assert callable(names["handler"])
