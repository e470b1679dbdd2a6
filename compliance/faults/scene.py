"""Runs one fault in this process, and prints what it did to the library, as JSON.

``run.py`` runs this program once for each fault, interface and event loop. A fault is
an async function of a :class:`Scene`, which counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from watch import Watch

__all__ = ["FACES", "HOST", "Ledger", "Scene", "fault", "turns"]

HOST = "127.0.0.1"

#: Modules of each face's server and client.
FACES = {
    "classic": ("websockets.legacy.server", "websockets.legacy.client"),
    "modern": ("websockets.asyncio.server", "websockets.asyncio.client"),
}

Fault = Callable[["Scene"], Awaitable[None]]

FAULTS: dict[str, Fault] = {}


def fault(function: Fault) -> Fault:
    """Add a fault."""
    FAULTS[function.__name__] = function
    return function


class Ledger:
    """
    Notes which numbered messages came on one connection.

    Attributes:
        next: the number that should come next, counted from 0.
        lost: numbers that were left out.
        doubled: numbers that came again.
        disordered: numbers that came after a later one, but not again.

    """

    def __init__(self) -> None:
        self.next = self.doubled = self.disordered = 0
        self._missing: set[int] = set()

    @property
    def lost(self) -> int:
        """Return how many numbers were left out."""
        return len(self._missing)

    def take(self, message: Any) -> None:
        """Note a message that was received: a number, and what fills it up."""
        number = int(message.split()[0])
        if number >= self.next:
            self._missing.update(range(self.next, number))
            self.next = number + 1
        elif number in self._missing:
            self._missing.remove(number)
            self.disordered += 1
        else:
            self.doubled += 1

    def expect(self, count: int) -> None:
        """Note how many messages must have come by now."""
        self._missing.update(range(self.next, count))
        self.next = max(self.next, count)


class Scene:
    """
    What a fault has to do with, and what it has found.

    Args:
        face: name of the interface.

    Attributes:
        injected: how many faults were injected.
        problems: what wasn't as it should be.
        skipped: why the fault could not be tried; empty if it was.
        expected: texts of errors that the event loop is told and should be.

    """

    def __init__(self, face: str) -> None:
        self.face = face
        server, client = map(importlib.import_module, FACES[face])
        self.serve: Callable[..., Any] = server.serve
        self.connect: Callable[..., Any] = client.connect
        self.server_module: types.ModuleType = server
        self.client_module: types.ModuleType = client
        self.injected = 0
        self.problems: list[str] = []
        self.skipped = ""
        self.expected: list[str] = []
        self.ledgers: list[Ledger] = []

    def check(self, condition: object, problem: str) -> None:
        """Note a problem unless a condition holds."""
        if not condition:
            self.problems.append(problem)

    def ledger(self) -> Ledger:
        """Return a ledger for another connection."""
        ledger = Ledger()
        self.ledgers.append(ledger)
        return ledger

    @contextlib.asynccontextmanager
    async def server(self, handler: Any, **kwargs: Any) -> AsyncIterator[int]:
        """Run a server; give its port."""
        async with self.serve(handler, HOST, 0, **kwargs) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    def open(self, port: int, host: str = HOST, **kwargs: Any) -> Any:
        """Connect to a server."""
        return self.connect(f"ws://{host}:{port}/", proxy=None, **kwargs)

    async def collect(self, connection: Any) -> None:
        """Receive numbered messages until the end; lose none that was received."""
        ledger = self.ledger()
        with contextlib.suppress(Exception):
            async for message in connection:
                ledger.take(message)
        ledger.expect(connection.stats.messages_received)

    async def in_time(self, what: Awaitable[Any], seconds: float, name: str) -> Any:
        """Wait for something that must happen; note it if it doesn't."""
        try:
            async with asyncio.timeout(seconds):
                return await what
        except TimeoutError:
            self.problems.append(f"{name} took more than {seconds} seconds")

    def figures(self, watch: Watch) -> dict[str, Any]:
        """Return all that was counted."""
        figures = watch.figures()
        errors = [
            text
            for text in figures["errors"]
            if not any(known in text for known in self.expected)
        ]
        return {
            **figures,
            "errors": errors,
            "injected": self.injected,
            "lost": sum(ledger.lost for ledger in self.ledgers),
            "doubled": sum(ledger.doubled for ledger in self.ledgers),
            "disordered": sum(ledger.disordered for ledger in self.ledgers),
            "received": sum(ledger.next for ledger in self.ledgers),
            "problems": self.problems,
            "skipped": self.skipped,
        }


async def turns(number: int) -> None:
    """Let the event loop run some iterations."""
    for _ in range(number):
        await asyncio.sleep(0)


async def play(name: str, face: str) -> None:
    """Run a fault, and print what was found."""
    scene = Scene(face)
    # The first server and client bring files and tasks that stay.
    handler = lambda connection: connection.wait_closed()  # noqa: E731
    async with scene.server(handler) as port, scene.open(port):
        pass
    watch = Watch()
    try:
        async with asyncio.timeout(150):
            await FAULTS[name](scene)
    except Exception as exc:
        scene.problems.append(f"the fault itself: {exc!r}")
    await watch.settle()
    print(json.dumps(scene.figures(watch)), flush=True)


def main() -> None:
    """Run the fault that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fault", choices=["list", *FAULTS])
    parser.add_argument("--face", choices=list(FACES), default="classic")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    if options.fault == "list":
        print(*FAULTS)
        return
    # Failures are expected, and told in many words.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    factory: Any = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(play(options.fault, options.face))


if __name__ == "__main__":
    # The modules of faults import this one by its name.
    sys.modules["scene"] = sys.modules[__name__]
    for module in ("connections", "networks", "processes", "hooks", "loads"):
        importlib.import_module(module)
    main()
