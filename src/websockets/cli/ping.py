"""Floor 5, faces: ``websockets ping``: is it there, and how far away."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time

from ..asyncio.client import ClientConnection
from ..exceptions import ConnectionClosed
from ..redaction import hide_password
from .arguments import add_connection_arguments, count, open_connection, positive
from .failures import CommandError, one_line

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "measure how long a server takes to answer"

EXAMPLES = """\
  websockets ping wss://example.org/
  websockets ping ws://localhost:8765/ --count 3 --interval 0.2
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_connection_arguments(parser)
    group = parser.add_argument_group("pinging")
    group.add_argument(
        "--count",
        type=count,
        metavar="N",
        help="end after N pings (default: go on until it's interrupted)",
    )
    group.add_argument(
        "--interval",
        type=positive,
        default=1.0,
        metavar="SECONDS",
        help="time from one ping to the next (default: 1)",
    )


async def run(options: argparse.Namespace) -> int:
    """Run this command; return the exit status: 0 if all pings were answered."""
    start = time.perf_counter()
    connection = await open_connection(options, ping_interval=None)
    uri = one_line(hide_password(options.uri))
    elapsed = (time.perf_counter() - start) * 1000
    print(f"Connected to {uri} in {elapsed:.3f} ms.", flush=True)
    latencies: list[float | None] = []
    try:
        await _ping(connection, options, latencies)
    finally:
        _summarize(latencies)
        await connection.close()
    return 1 if None in latencies else 0


async def _ping(
    connection: ClientConnection,
    options: argparse.Namespace,
    latencies: list[float | None],
) -> None:
    """Send pings; for each one, append its latency, or None if there's no answer."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in itertools.islice(itertools.count(1), options.count):
        due = begun + (number - 1) * options.interval
        await asyncio.sleep(max(due - loop.time(), 0))
        try:
            latencies.append(await _ping_once(connection, options.timeout))
        except ConnectionClosed as exc:
            latencies.append(None)
            raise CommandError(f"Connection closed: {one_line(str(exc))}.") from exc
        latency = latencies[-1]
        shown = "no answer" if latency is None else f"{latency * 1000:.3f} ms"
        print(f"ping {number}: {shown}", flush=True)


async def _ping_once(connection: ClientConnection, limit: float | None) -> float | None:
    """Return a latency in seconds; None if there's no answer in time."""
    waiter = await connection.ping()
    try:
        async with asyncio.timeout(limit):
            return await waiter
    except TimeoutError:
        return None


def _summarize(latencies: list[float | None]) -> None:
    answered = [latency * 1000 for latency in latencies if latency is not None]
    # The terminal may just have shown ^C.
    print(f"\n{len(latencies)} sent, {len(answered)} answered")
    if answered:
        mean = sum(answered) / len(answered)
        print(
            f"minimum {min(answered):.3f} ms, mean {mean:.3f} ms, "
            f"maximum {max(answered):.3f} ms"
        )
