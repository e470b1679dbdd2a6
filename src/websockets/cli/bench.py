"""Floor 5, faces: ``websockets bench``: how much an echo server takes.

Each connection keeps some messages under way, and checks that each one comes back
as it was sent. With a rate, a message has its time whether or not those before it
have come back, and its latency counts from then: a server that stalls can't hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import itertools
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, TextIO

from ..asyncio.client import ClientConnection
from ..exceptions import ConnectionClosed
from ..redaction import hide_password
from ..typing import Data
from .arguments import add_connection_arguments, count, open_connection, positive
from .failures import CommandError, one_line
from .measures import Durations, table

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "measure the throughput and the latency of an echo server"

EXAMPLES = """\
  websockets bench ws://localhost:8765/
  websockets bench ws://localhost:8765/ --connections 100 --in-flight 16
  websockets bench ws://localhost:8765/ --rate 5000 --duration 60
  websockets bench ws://localhost:8765/ --size 16,1024,65536 --json > result.json
"""

_PERCENTS = (50, 90, 99, 99.9)

#: Connections that are opened at the same time.
_OPENING = 100

#: Seconds between two looks at how far it is.
_TICK = 0.1

#: Bytes that are sent without waiting for the other side to read.
_SMALL = 2**15

#: Width of the progress bar.
_BAR = 30

_NEEDS_ECHO = "Is it an echo server?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command; it's long since they're many."""
    add_connection_arguments(parser)
    group = parser.add_argument_group("load")
    group.add_argument(
        "--connections",
        type=count,
        default=10,
        metavar="N",
        help="connections at the same time (default: 10)",
    )
    group.add_argument(
        "--in-flight",
        type=count,
        default=1,
        metavar="N",
        help="messages under way on each connection (default: 1)",
    )
    group.add_argument(
        "--rate",
        type=positive,
        metavar="N",
        help="messages per second on all connections (default: as many as possible)",
    )
    group.add_argument(
        "--size",
        type=_sizes,
        default=[64],
        metavar="BYTES",
        help="size of messages; several, with commas, take turns (default: 64)",
    )
    group.add_argument(
        "--text", action="store_true", help="send text messages (default: binary)"
    )
    group.add_argument(
        "--duration",
        type=positive,
        default=5.0,
        metavar="SECONDS",
        help="for how long to send (default: 5)",
    )
    group.add_argument(
        "--messages", type=count, metavar="N", help="end after N messages at the latest"
    )
    group = parser.add_argument_group("result")
    group.add_argument("--json", action="store_true", help="print JSON, not a table")
    group.add_argument("--quiet", action="store_true", help="show no progress bar")


def _sizes(text: str) -> list[int]:
    if not all(item.isascii() and item.isdecimal() for item in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} isn't sizes in bytes")
    return [int(item) for item in text.split(",")]


async def run(options: argparse.Namespace) -> int:
    """Run this command; return the exit status."""
    # What we have sent will come back.
    options.max_size = None
    bench = Bench(options, Progress(sys.stderr, options.quiet))
    try:
        await bench.run()
    except asyncio.CancelledError:
        if bench.interrupted:
            _print(bench.result(), options.json)
        raise
    _print(bench.result(), options.json)
    return 0


def _print(result: dict[str, Any], as_json: bool) -> None:
    print(json.dumps(result, indent=2) if as_json else _show(result))


class Progress:
    """
    A bar that shows how far it is.

    Args:
        stream: where to draw it, if that's a terminal.
        quiet: whether not to.

    """

    def __init__(self, stream: TextIO, quiet: bool) -> None:
        self._stream = stream
        self._shown = stream.isatty() and not quiet

    def show(self, part: float, text: str) -> None:
        """Draw a part of the bar, and some text behind it."""
        if self._shown:
            bar = "#" * int(_BAR * min(part, 1))
            self._write(f"\r\x1b[K[{bar:.<{_BAR}}] {min(part, 1):4.0%}  {text}")

    def clear(self) -> None:
        """Remove it."""
        if self._shown:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Bench:
    """
    One measurement.

    Args:
        options: the arguments.
        progress: shows how far it is.

    Attributes:
        complete: whether it came to its end.
        interrupted: whether it didn't, because it was cancelled.

    """

    def __init__(self, options: argparse.Namespace, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._payloads = [_make_payload(size, options.text) for size in options.size]
        self._connections: list[ClientConnection] = []
        self._opening = Durations()
        self._latency = Durations()
        self._bytes = 0
        self._sent = 0
        self._room = asyncio.Semaphore(_OPENING)
        self._left = math.inf if options.messages is None else options.messages
        self._start = self._end = self._stop = 0
        self.complete = self.interrupted = False

    async def run(self) -> None:
        """
        Measure.

        Raises:
            CommandError: if connecting fails, a connection is closed, or the
                server doesn't send back what it gets.

        """
        try:
            await _together(self._open() for _ in range(self._options.connections))
            await self._load()
            self.complete = True
        except asyncio.CancelledError:
            self.interrupted = self._latency.count > 0
            raise
        finally:
            self._stop = time.perf_counter_ns()
            self._progress.clear()
            await asyncio.gather(*(item.close() for item in self._connections))

    async def _open(self) -> None:
        """Open one connection, when not too many others are being opened."""
        async with self._room:
            start = time.perf_counter_ns()
            connection = await open_connection(
                self._options, ping_interval=None, close_timeout=3
            )
            self._opening.add(time.perf_counter_ns() - start)
        self._connections.append(connection)
        done = len(self._connections)
        self._progress.show(done / self._options.connections, f"{done} connections")

    async def _load(self) -> None:
        """Send and receive on all connections."""
        self._start = time.perf_counter_ns()
        self._end = self._start + int(self._options.duration * 1e9)
        watching = asyncio.ensure_future(self._watch())
        talking = asyncio.ensure_future(
            _together(
                self._talk(number, connection)
                for number, connection in enumerate(self._connections)
            )
        )
        try:
            await asyncio.wait({watching, talking}, return_when=asyncio.FIRST_COMPLETED)
            (watching if watching.done() else talking).result()
        finally:
            watching.cancel()
            talking.cancel()
            await asyncio.gather(watching, talking, return_exceptions=True)

    async def _watch(self) -> None:
        """Show how far it is, until there are no answers any more."""
        limit = self._options.timeout
        answered, since = -1, 0.0
        while True:
            now = time.perf_counter()
            count = self._latency.count
            if count != answered or count == self._sent:
                answered, since = count, now
            elif limit is not None and now - since > limit:
                raise CommandError(f"No answer for {limit:g} seconds. {_NEEDS_ECHO}")
            self._show_progress()
            await asyncio.sleep(_TICK)

    def _show_progress(self) -> None:
        elapsed = (time.perf_counter_ns() - self._start) / 1e9
        part = elapsed / self._options.duration
        if self._options.messages is not None:
            part = max(part, self._latency.count / self._options.messages)
        self._progress.show(part, f"{self._latency.count / elapsed:,.0f} messages/s")

    # Talking on one connection.

    async def _talk(self, number: int, connection: ClientConnection) -> None:
        """Send messages, and check what comes back."""
        most = self._options.in_flight * max(self._options.size)
        try:
            if self._options.rate is None and most <= _SMALL:
                await self._talk_alone(connection)
            else:
                await self._talk_both_ways(number, connection)
        except ConnectionClosed as exc:
            raise CommandError(f"Connection closed: {one_line(str(exc))}.") from exc

    async def _talk_alone(self, connection: ClientConnection) -> None:
        """Send and receive in turns, which is faster."""
        pending: collections.deque[tuple[int, Data]] = collections.deque()
        payloads = itertools.cycle(self._payloads)
        while True:
            while len(pending) < self._options.in_flight:
                now = time.perf_counter_ns()
                if now >= self._end or not self._may_send():
                    break
                pending.append((now, next(payloads)))
                await connection.send(pending[-1][1])
            if not pending:
                return
            self._check(await connection.recv(), *pending.popleft())

    async def _talk_both_ways(self, number: int, connection: ClientConnection) -> None:
        """Send and receive separately, or both sides might wait for each other."""
        pending: asyncio.Queue[tuple[int, Data] | None] = asyncio.Queue()
        room = asyncio.Semaphore(self._options.in_flight)
        rate = self._options.rate
        times = self._times(room) if rate is None else self._planned_times(number, rate)
        payloads = itertools.cycle(self._payloads)

        async def send() -> None:
            due = await anext(times)
            while due < self._end and self._may_send():
                payload = next(payloads)
                pending.put_nowait((due, payload))
                await connection.send(payload)
                due = await anext(times)
            pending.put_nowait(None)

        async def receive() -> None:
            while (expected := await pending.get()) is not None:
                self._check(await connection.recv(), *expected)
                room.release()

        await _together([send(), receive()])

    async def _times(self, room: asyncio.Semaphore) -> AsyncIterator[int]:
        """Yield the time in nanoseconds, whenever there's room for a message."""
        while True:
            await room.acquire()
            yield time.perf_counter_ns()

    async def _planned_times(self, number: int, rate: float) -> AsyncIterator[int]:
        """Yield the times for a connection's messages when they have come."""
        place = number
        while True:
            due = self._start + int(place / rate * 1e9)
            # Event loops may wake us a bit early.
            while (delay := min(due, self._end) - time.perf_counter_ns()) > 0:
                await asyncio.sleep(delay / 1e9)
            yield due
            # The connections take turns.
            place += len(self._connections)

    def _may_send(self) -> bool:
        """Count one more message, unless there were enough."""
        if self._left <= 0:
            return False
        self._left -= 1
        self._sent += 1
        return True

    def _check(self, message: Data, since: int, payload: Data) -> None:
        """Count a message that came back."""
        if message != payload:
            raise CommandError(f"What comes back isn't what was sent. {_NEEDS_ECHO}")
        self._latency.add(time.perf_counter_ns() - since)
        self._bytes += len(payload)

    # What was found.

    def result(self) -> dict[str, Any]:
        """Return what was measured; times in seconds."""
        options = self._options
        elapsed = (self._stop - self._start) / 1e9
        return {
            "uri": hide_password(options.uri),
            "connections": len(self._connections),
            "in_flight": options.in_flight if options.rate is None else None,
            "rate": options.rate,
            "sizes": options.size,
            "text": options.text,
            "complete": self.complete,
            "seconds": elapsed,
            "messages": self._latency.count,
            "bytes": self._bytes,
            "messages_per_second": self._latency.count / elapsed,
            "bytes_per_second": self._bytes / elapsed,
            "connecting": self._opening.summarize([50]),
            "latency": self._latency.summarize(_PERCENTS),
        }


def _make_payload(size: int, text: bool) -> Data:
    """Return a message that compresses as messages do, or not at all if binary."""
    if not text:
        return os.urandom(size)
    numbers = ", ".join(map(str, range(size // 3 + 1)))
    return f'{{"values": [{numbers}]}}'[:size]


async def _together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines at the same time; raise what the first one raises."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _show(result: dict[str, Any]) -> str:
    """Return a result as tables."""
    general = [
        ("connections", f"{result['connections']:,}"),
        ("messages", f"{result['messages']:,}"),
        ("duration", f"{result['seconds']:.3f} s"),
        ("messages per second", f"{result['messages_per_second']:,.0f}"),
        ("each way", f"{result['bytes_per_second'] / 1e6:,.3f} MB/s"),
    ]
    return "\n\n".join(
        [
            table(general),
            "Latency\n" + _show_times(result["latency"]),
            "Connecting\n" + _show_times(result["connecting"]),
        ]
    )


def _show_times(times: dict[str, float]) -> str:
    return table([(f"  {name}", f"{v * 1000:.3f} ms") for name, v in times.items()])
