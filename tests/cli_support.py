"""What tests of the command line are made of."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, TextIO

import pytest

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.cli.command import make_parser


class Tty(io.StringIO):
    """What a program takes for a terminal."""

    def isatty(self) -> bool:
        return True


def parse(command: ModuleType, *arguments: object) -> argparse.Namespace:
    """Return the arguments of a command as it gets them."""
    return make_parser("test", command, True).parse_args(list(map(str, arguments)))


class Input:
    """
    Standard input that gives some bytes.

    Args:
        monkeypatch: has it take its place.

    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._open: list[tuple[TextIO, int]] = []

    def give(self, data: bytes, end: bool = True) -> None:
        """Give these bytes from now on, and then nothing, or the end."""
        reading, writing = os.pipe()
        os.write(writing, data)
        stdin = open(reading)  # noqa: SIM115
        self._monkeypatch.setattr(sys, "stdin", stdin)
        self._open.append((stdin, writing))
        if end:
            self._end()

    def _end(self) -> None:
        stdin, writing = self._open[-1]
        if writing >= 0:
            os.close(writing)
            self._open[-1] = stdin, -1

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            # Whoever reads must see the end, before the file isn't there any more.
            self._end()
            for thread in threading.enumerate():
                if thread.name == "websockets-input":
                    thread.join(10)
            self._open.pop()[0].close()


def read_until(descriptor: int, expected: bytes) -> bytes:
    """Read from a terminal until something is there, or the test's time is over."""
    data = b""
    while expected not in data:
        data += os.read(descriptor, 4096)
    return data


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def serving(
    handler: Any = echo, **settings: Any
) -> AsyncIterator[tuple[Server, str]]:
    """Run a server; give it and its URI."""
    async with serve(handler, "127.0.0.1", 0, **settings) as server:
        scheme = "wss" if settings.get("ssl") else "ws"
        port = server.sockets[0].getsockname()[1]
        yield server, f"{scheme}://127.0.0.1:{port}/"


@contextlib.contextmanager
def process(*arguments: object, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command line in a process, and end it at the latest at the end."""
    pipes = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.PIPE)
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "websockets", *map(str, arguments)],
        **{**pipes, **settings},
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()
