"""What every client here shares: options, event loop, time, the report.

A client runs with its own peer's interpreter, so this file needs nothing but the
standard library and, for ``--loop uvloop``, uvloop. The server is the load generator
with ``--serve``; ``load/serve.c`` tells what it does for each task.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

#: No message is longer than 1 MiB; peers that count headers get room for them.
MAX_SIZE = 16 * 1024 * 1024

#: Different messages that a client sends in turn.
CYCLE = 8

#: Messages after which a flood lets others run.
BREATH = 64

TASKS = ["echo", "sink", "flood"]


class Options(NamedTuple):
    """What the command line asked for.

    Attributes:
        port: where the server listens, on 127.0.0.1.
        loop: ``asyncio`` or ``uvloop``.
        task: one of :data:`TASKS`; it is the path, too.
        connections: how many; all do the same.
        in_flight: messages on the way on each connection, when echoed.
        size: payload of a message, in bytes.
        seconds: how long to measure.
        warm_up: how long to run unmeasured before that.
        server_pid: the server's process id, 0 for unknown.

    """

    port: int
    loop: str
    task: str
    connections: int
    in_flight: int
    size: int
    seconds: float
    warm_up: float
    server_pid: int

    @property
    def uri(self) -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}/{self.task}"


class WrongAnswerError(Exception):
    """What came back is not what had to."""


class Tally:
    """What a client has done, and whether it is over.

    Attributes:
        count: messages that came back, came, or were sent, over all connections.
        over: whether to stop: to send nothing more, check what is under way, close.
        messages: to be sent in turn, all different.

    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.over = False
        self.messages = [os.urandom(size) for _ in range(CYCLE)]


Program = Callable[[Options, Tally], Awaitable[None]]


def read_options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A client to measure.")
    add = parser.add_argument
    add("--port", type=int, required=True)
    add("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    add("--task", choices=TASKS, default="echo")
    add("--connections", type=int, default=1)
    add("--in-flight", type=int, default=1)
    add("--size", type=int, default=256)
    add("--seconds", type=float, default=1.0)
    add("--warm-up", type=float, default=0.1)
    add("--server-pid", type=int, default=0)
    return Options(**vars(parser.parse_args()))


def find_loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes event loops of this kind."""
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class Mark(NamedTuple):
    """What is noted when measuring starts, and again when it ends; times in seconds."""

    at: float
    count: int
    own_cpu: float
    server_cpu: float


def read_cpu(pid: int) -> float:
    """Return the processor time of another process, in seconds."""
    if not pid:
        return 0.0
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def take_mark(options: Options, tally: Tally) -> Mark:
    """Note where we are."""
    cpu = read_cpu(options.server_pid)
    return Mark(time.perf_counter(), tally.count, time.process_time(), cpu)


async def measure(options: Options, tally: Tally) -> dict[str, float]:
    """Wait for the warm-up and the measured time; return what happened in it."""
    await asyncio.sleep(options.warm_up)
    begin = take_mark(options, tally)
    await asyncio.sleep(options.seconds)
    end = take_mark(options, tally)
    tally.over = True
    seconds = end.at - begin.at
    return {
        "messages": end.count - begin.count,
        "seconds": seconds,
        "rate": (end.count - begin.count) / seconds,
        "client_cpu": end.own_cpu - begin.own_cpu,
        "loadgen_cpu": end.server_cpu - begin.server_cpu,
    }


async def run_connections(program: Program, options: Options) -> dict[str, float]:
    """Run the program on each connection while time is taken.

    Raises:
        WrongAnswerError: or whatever else went wrong on a connection.

    """
    tally = Tally(options.size)
    connections = [
        asyncio.ensure_future(program(options, tally))
        for _ in range(options.connections)
    ]
    report = asyncio.ensure_future(measure(options, tally))
    waiting = [*connections, report]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
    await asyncio.wait_for(asyncio.gather(*waiting), 15)
    if not report.result()["messages"]:
        raise WrongAnswerError("nothing came")
    return report.result()


def run(program: Program) -> None:
    """Run a client, which is a program per connection, and print its report."""
    options = read_options()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    factory = find_loop_factory(options.loop)
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(run_connections(program, options))))
