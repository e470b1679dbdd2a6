"""The server that is attacked, in a process of its own.

It is told what to be by a JSON object, its only argument, and tells its port in a
line. For every signal SIGUSR1 it prints a line with a JSON object: its longest stall
since the last one, how many connections, tasks and file descriptors there are, and
the counts that it keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import pathlib
import resource
import signal
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets import Limits, Rate, State, broadcast
from websockets.asyncio import server as modern
from websockets.classic import server as classic

CERTIFICATE = pathlib.Path(__file__).parents[2] / "tests/certificates/server.pem"

#: Seconds between two looks at the clock.
TICK = 0.002

Handler = Callable[[Any], Awaitable[None]]


async def ignore(connection: Any) -> None:
    """Never receive a message."""
    await connection.wait_closed()


async def flood(connection: Any) -> None:
    """Send as much as the peer takes."""
    message = os.urandom(2**16)
    while True:
        await connection.send(message)


async def flood_and_close(connection: Any) -> None:
    """Send for a while, then close behind what the peer doesn't read."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(flood(connection), 0.5)
    await connection.close()


async def close(connection: Any) -> None:
    """Close."""
    await connection.close()


#: Those who have joined.
members: set[Any] = set()


async def join(connection: Any) -> None:
    """Get what is broadcast, and broadcast."""
    members.add(connection)
    try:
        while connection.state is State.OPEN:
            broadcast(members, os.urandom(2**14))
            await asyncio.sleep(0.05)
    finally:
        members.remove(connection)


async def obey(connection: Any) -> None:
    """Do what the first message says; send back what comes if it says nothing."""
    async for message in connection:
        command = COMMANDS.get(message)
        if command is None:
            await connection.send(message)
        else:
            await command(connection)


COMMANDS: dict[Any, Handler] = {
    "ignore": ignore,
    "flood": flood,
    "flood and close": flood_and_close,
    "close": close,
    "join": join,
}

HANDLERS: dict[str, Handler] = {"echo": obey}

FACES: dict[str, Any] = {"classic": classic, "modern": modern}


class Watch:
    """
    Measures how long the event loop takes for an iteration.

    Attributes:
        wall: the longest one, in seconds, by the clock on the wall.
        cpu: the longest one in seconds of this thread on a processor: that is what
            counts where others want the machine too.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.forget()
        self._tick()

    def forget(self) -> None:
        """Begin anew."""
        self.wall = self.cpu = 0.0
        self._wall_at, self._cpu_at = time.monotonic(), time.thread_time()

    def _tick(self) -> None:
        wall_at, cpu_at = time.monotonic(), time.thread_time()
        self.wall = max(self.wall, wall_at - self._wall_at - TICK)
        self.cpu = max(self.cpu, cpu_at - self._cpu_at)
        self._wall_at, self._cpu_at = wall_at, cpu_at
        self._loop.call_later(TICK, self._tick)


def make_options(told: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of ``serve()``: limits and TLS can't be told in JSON."""
    options = dict(told)
    if "limits" in options:
        limits = dict(options["limits"])
        for name in {"messages", "bytes", "controls"} & limits.keys():
            limits[name] = Rate(*limits[name])
        options["limits"] = Limits(**limits)
    if options.get("ssl"):
        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain(CERTIFICATE)
    return options


async def main(job: dict[str, Any]) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    handler = HANDLERS[job["handler"]]
    options = make_options(job["options"])
    serve = FACES[job["face"]].serve
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        watch = Watch(loop)

        def report() -> None:
            found = {
                "wall": watch.wall,
                "cpu": watch.cpu,
                "connections": len(server.connections),
                "live": len(server.live),
                "tasks": len(asyncio.all_tasks()),
                "files": len(os.listdir("/proc/self/fd")),
                "rejected": getattr(server, "rejected", {}),
            }
            print(json.dumps(found), flush=True)
            watch.forget()

        loop.add_signal_handler(signal.SIGUSR1, report)
        # What was made at the start isn't looked through again and again.
        gc.collect()
        gc.freeze()
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told = json.loads(sys.argv[1])
    if told["loop"] == "uvloop":
        importlib.import_module("uvloop").install()
    asyncio.run(main(told))
