"""Floor 5, faces: ``websockets URI``, the interactive client."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import os
import sys
from typing import Any

from ..asyncio.client import ClientConnection
from ..exceptions import ConnectionClosed
from ..headers import loggable_value
from ..redaction import hide_password
from .arguments import (
    add_connection_arguments,
    count,
    duration,
    open_connection,
    seconds,
)
from .console import Console, can_edit
from .failures import CommandError, one_line
from .messages import Formatter, describe_close, explain_close, is_normal
from .style import Style, wants_colour

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

#: Seconds for the closing handshake: people who leave don't want to wait.
CLOSE_TIMEOUT = 3

HELP = "send lines as messages, and show the messages that come"

EXAMPLES = """\
  websockets wss://example.org/chat
  websockets ws://localhost:8765/ --json --timestamps
  websockets wss://example.org/ -H "Authorization: Bearer TOKEN" --subprotocol v1
  echo '{"op": "status"}' | websockets ws://localhost:8765/ --count 1 | jq .
  websockets wss://example.org/feed < /dev/null --wait inf > feed.log
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command; it's long since they're many."""
    add_connection_arguments(parser)
    group = parser.add_argument_group("talking")
    group.add_argument(
        "--ping",
        type=seconds,
        default=20.0,
        metavar="SECONDS",
        help="time between keepalive pings; 0 for none (default: 20)",
    )
    group.add_argument(
        "--hex",
        action="store_true",
        help="lines are bytes in hexadecimal digits, sent as binary messages",
    )
    group.add_argument(
        "--count", type=count, metavar="N", help="end after N messages have come"
    )
    group.add_argument(
        "--wait",
        type=duration,
        default=1.0,
        metavar="SECONDS",
        help="after the end of input from a pipe or file, end when no message has "
        "come for this long; inf for never (default: 1)",
    )
    group = parser.add_argument_group("showing")
    group.add_argument(
        "--json", action="store_true", help="indent messages that are JSON"
    )
    group.add_argument(
        "--timestamps", action="store_true", help="show when each message has come"
    )
    group.add_argument(
        "--headers", action="store_true", help="show the handshake's headers"
    )
    group.add_argument(
        "--color",
        choices=["auto", "always", "never"],
        default="auto",
        help="colours (default: on a terminal, unless NO_COLOR is set)",
    )
    group.add_argument(
        "--debug", action="store_true", help="print all frames to standard error"
    )


async def run(options: argparse.Namespace) -> int:
    """Run this command; return the exit status."""
    if options.debug:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    console = make_console(options)
    connection = await open_connection(
        options, ping_interval=options.ping, close_timeout=CLOSE_TIMEOUT
    )
    return await Conversation(connection, console, options).run()


def make_console(options: argparse.Namespace) -> Console:
    """Return what suits standard input and output."""
    stdin, stdout = sys.stdin, sys.stdout
    formatter = Formatter(
        Style(wants_colour(options.color, stdout, os.environ)),
        pretty=options.json,
        decorated=stdout.isatty(),
        timestamps=options.timestamps,
    )
    if can_edit(stdin, stdout):
        # Not every system has what it's made of.
        from .terminal import Terminal

        return Terminal(formatter, stdin, stdout)
    return Console(formatter, stdin, stdout, sys.stderr)


class Conversation:
    """
    Lines go out, messages come in, until either ends.

    Args:
        connection: an open connection.
        console: where lines come from, and messages are shown.
        options: the arguments.

    """

    def __init__(
        self,
        connection: ClientConnection,
        console: Console,
        options: argparse.Namespace,
    ) -> None:
        self._connection = connection
        self._console = console
        self._options = options
        self._received_at = -math.inf

    async def run(self) -> int:
        """Talk; return the exit status."""
        with self._console:
            try:
                self._greet()
                await self._talk()
            finally:
                # A second interruption ends this too.
                await self._connection.close()
            return self._tell_end()

    def _greet(self) -> None:
        connection, console = self._connection, self._console
        if self._options.headers:
            self._show_headers(">", connection.request)
            self._show_headers("<", connection.response)
        if console.talks:
            uri = one_line(hide_password(self._options.uri))
            console.note("good", f"Connected to {uri}.")
            if connection.subprotocol is not None:
                console.note("status", f"Subprotocol: {connection.subprotocol}.")

    def _show_headers(self, mark: str, message: Any) -> None:
        for name, value in message.headers.raw_items():
            text = f"{mark} {name}: {loggable_value(name, value)}"
            self._console.note("status", one_line(text))

    async def _talk(self) -> None:
        """Send and receive, until it's time to end."""
        receiving = asyncio.ensure_future(self._receive())
        sending = asyncio.ensure_future(self._send())
        try:
            await asyncio.wait(
                {receiving, sending}, return_when=asyncio.FIRST_COMPLETED
            )
            if not receiving.done():
                sending.result()
                await self._linger(receiving)
            await self._connection.close()
            # What has come before the end is shown as well.
            await receiving
        finally:
            receiving.cancel()
            sending.cancel()
            await asyncio.gather(receiving, sending, return_exceptions=True)

    async def _receive(self) -> None:
        """Show messages until the connection is closed, or they are enough."""
        received = 0
        with contextlib.suppress(ConnectionClosed):
            async for message in self._connection:
                self._console.received(message)
                self._received_at = asyncio.get_running_loop().time()
                received += 1
                if received == self._options.count:
                    return

    async def _send(self) -> None:
        """Send lines until there are no more, or the connection is closed."""
        number = 0
        with contextlib.suppress(ConnectionClosed):
            async for line in self._console.lines():
                number += 1
                try:
                    message = self._read(line)
                except ValueError as exc:
                    self._refuse(f"line {number}: {exc}")
                else:
                    await self._connection.send(message)

    def _read(self, line: bytes) -> str | bytes:
        """Return what a line stands for."""
        text = line.decode()
        return bytes.fromhex(text) if self._options.hex else text

    def _refuse(self, text: str) -> None:
        """Don't send a line; people may correct it, programs can't."""
        text = f"Not sent: {one_line(text)}."
        if not self._console.interactive:
            raise CommandError(text)
        self._console.note("bad", text)

    async def _linger(self, receiving: asyncio.Future[None]) -> None:
        """Go on receiving while there are answers, unless a person wants to end."""
        if self._console.interactive:
            return
        loop = asyncio.get_running_loop()
        ended_at = loop.time()
        left = self._options.wait
        while left > 0 and not receiving.done():
            await asyncio.wait({receiving}, timeout=None if left == math.inf else left)
            left = left_to_wait(
                loop.time(), ended_at, self._received_at, self._options.wait
            )

    def _tell_end(self) -> int:
        """Tell how the connection has ended; return the exit status."""
        protocol = self._connection.protocol
        code, reason = self._connection.close_code, self._connection.close_reason
        normal = is_normal(code)
        if self._console.talks or not normal:
            kind = "good" if normal else "bad"
            text = f"Connection closed: {describe_close(code, reason)}."
            self._console.note(kind, text)
        explanation = explain_close(code)
        if protocol.close_rcvd is None and protocol.close_sent is not None:
            # It was our decision, or nobody answered.
            said = one_line(str(protocol.close_exc))
            meant = explain_close(protocol.close_sent.code)
            explanation = f"{said}; {meant}" if meant else said
        if explanation and not normal:
            self._console.note("status", f"That means: {explanation}.")
        return 0 if normal else 1


def left_to_wait(now: float, ended_at: float, received_at: float, wait: float) -> float:
    """
    Return for how many more seconds to wait for messages.

    Args:
        now: what time it is.
        ended_at: when the input has ended.
        received_at: when the last message came.
        wait: seconds without either after which it's enough.

    """
    return max(ended_at, received_at) + wait - now
