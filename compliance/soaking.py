"""The server and the clients of the soak test, each a process of its own.

Both print one line of JSON with their figures when their standard input says so or
ends. What clients do follows from a seed.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import importlib
import importlib.util
import itertools
import json
import logging
import os
import random
import socket
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

from watch import Watch, memory

from websockets.exceptions import ConnectionClosed, InvalidHandshake

#: Modules of each face's server and client.
FACES = {
    "classic": ("websockets.legacy.server", "websockets.legacy.client"),
    "modern": ("websockets.asyncio.server", "websockets.asyncio.client"),
}

#: What clients may do to end a connection.
ENDS = ["close", "abort", "reset", "eof", "cancel", "crash", "garbage", "silence"]

#: The first letter of what the server sends by itself, of orders to it, and of others.
NEWS, ORDER, PLAIN = "n", "o", "p"


# The server.


class Server:
    """Echoes, broadcasts, and has some trouble.

    Args:
        face: the module of the interface.
        seed: of its own whims.

    """

    def __init__(self, face: Any, seed: int) -> None:
        self.face = face
        self.random = random.Random(seed)
        self.connections: set[Any] = set()
        self.served = self.messages = self.failures = 0

    async def handle(self, connection: Any) -> None:
        """Serve one connection."""
        self.connections.add(connection)
        self.served += 1
        try:
            async for message in connection:
                self.messages += 1
                if message == ORDER + "crash":
                    raise MemoryError("as it was told")
                if message == ORDER + "close":
                    await connection.close(1012)
                    return
                await self.echo(connection, message)
        except ConnectionClosed:
            self.failures += 1
        finally:
            self.connections.discard(connection)

    async def echo(self, connection: Any, message: Any) -> None:
        """Send a message back, now and then in fragments."""
        if len(message) > 3 and self.random.random() < 0.1:
            cut = self.random.randrange(1, len(message))
            await connection.send([message[:cut], message[cut:]])
        else:
            await connection.send(message)

    async def broadcast(self) -> None:
        """Tell all connections the news, again and again."""
        for number in itertools.count():
            await asyncio.sleep(0.5)
            self.face.broadcast(self.connections, f"{NEWS}{number} " + "x" * 200)


async def run_server(options: argparse.Namespace) -> None:
    """Serve until told otherwise."""
    face = importlib.import_module(FACES[options.face][0])
    serving = Server(face, options.seed)
    commands = await open_input()
    limits = {"ping_interval": 5, "ping_timeout": 5, "close_timeout": 5}
    if importlib.util.find_spec("websockets.session.limits"):
        from websockets import Limits

        limits["limits"] = Limits(handshakes=None)
    async with face.serve(serving.handle, "127.0.0.1", 0, backlog=2048, **limits) as it:
        watch = Watch()
        print(next(iter(it.sockets)).getsockname()[1], flush=True)
        news = asyncio.create_task(serving.broadcast())
        while (await commands.readline()).strip() == b"?":
            say(watch, serving, connections=len(serving.connections))
        news.cancel()
        await watch.settle()
        say(watch, serving, connections=len(serving.connections))


def say(watch: Watch, told: Any, **more: Any) -> None:
    """Print the figures."""
    counted = {name: value for name, value in vars(told).items() if type(value) is int}
    figures = {**watch.figures(), **counted, **more, "memory": memory()}
    print(json.dumps(figures), flush=True)


async def open_input() -> asyncio.StreamReader:
    """Return a reader of the standard input."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


# The clients.


class Clients:
    """
    Connections that exchange messages with the server, and check all of them.

    Attributes:
        exchanged: messages that came back as they should.
        size: bytes of these.
        wrong: messages that came back otherwise, or out of order.
        faults: connections that were ended otherwise than by closing them.
        opened: connections.
        news: broadcasts received.
        refused: attempts to connect that failed.

    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.face = importlib.import_module(FACES[options.face][1])
        self.uri = f"ws://127.0.0.1:{options.port}/"
        self.options = options
        self.exchanged = self.size = self.wrong = self.faults = 0
        self.opened = self.news = self.refused = self.pings = 0
        self.ending = asyncio.Event()

    async def live(self, number: int) -> None:
        """Open one connection after the other."""
        whims = random.Random(f"{self.options.seed} {number}")
        await asyncio.sleep(whims.random() * self.options.ramp)
        while not self.ending.is_set():
            options: dict[str, Any] = {"ping_interval": 10, "close_timeout": 5}
            if whims.random() < 0.3:
                options["compression"] = None
            try:
                connection = await self.face.connect(self.uri, **options)
            except (OSError, InvalidHandshake, TimeoutError):
                self.refused += 1
                await asyncio.sleep(whims.random())
                continue
            self.opened += 1
            await Life(self, connection, whims).live()


class Life:
    """The life of one connection, from its opening to its end."""

    def __init__(self, clients: Clients, connection: Any, whims: random.Random) -> None:
        self.clients = clients
        self.connection = connection
        self.whims = whims
        self.sent: collections.deque[Any] = collections.deque()
        self.last_news = -1
        self.slow = whims.random() < 0.1
        self.ends_at = time.monotonic() + whims.expovariate(1 / clients.options.life)
        self.room = asyncio.Semaphore(8)

    async def live(self) -> None:
        """Exchange messages, and end."""
        receiving = asyncio.create_task(self.receive())
        with contextlib.suppress(ConnectionClosed):
            while time.monotonic() < self.ends_at and not self.clients.ending.is_set():
                await self.talk()
        ending = "close"
        if not self.clients.ending.is_set() and self.whims.random() < 0.7:
            ending = self.whims.choice(ENDS)
            self.clients.faults += 1
        await self.end(ending, receiving)
        with contextlib.suppress(asyncio.CancelledError):
            await receiving
        if ending == "close" and self.connection.close_code == 1000:
            # Whoever has waited for all of them has all of them.
            self.clients.wrong += len(self.sent)

    async def talk(self) -> None:
        """Send a few messages, and rest."""
        for _ in range(self.whims.randrange(1, 8)):
            await self.room.acquire()
            message, parts = self.make_message()
            self.sent.append(message)
            await self.connection.send(parts)
        if self.whims.random() < 0.1:
            await (await self.connection.ping())
            self.clients.pings += 1
        pause = self.whims.random() * self.clients.options.pause
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self.clients.ending.wait()

    def make_message(self) -> tuple[Any, Any]:
        """Return a message, and what to send so that it arrives."""
        whims = self.whims
        size = whims.choices([10, 200, 5_000, 100_000], [50, 40, 9.5, 0.5])[0]
        size = whims.randrange(size)
        message: Any
        if whims.random() < 0.5:
            message = PLAIN + whims.choice(["żółw ", "abc", "\U0001f40d"]) * (size // 4)
        else:
            message = whims.randbytes(size)
        if len(message) > 3 and whims.random() < 0.2:
            cut = whims.randrange(1, len(message))
            return message, [message[:cut], message[cut:]]
        return message, message

    async def receive(self) -> None:
        """Receive all messages, and compare them with what was sent."""
        with contextlib.suppress(ConnectionClosed):
            async for message in self.connection:
                self.check(message)
                if self.slow:
                    await asyncio.sleep(0.05)
        # Who waits to send hears of the end when he sends.
        for _ in self.sent:
            self.room.release()

    def check(self, message: Any) -> None:
        """Check one message."""
        clients = self.clients
        if isinstance(message, str) and message.startswith(NEWS):
            number = int(message[1:].split()[0])
            clients.wrong += self.last_news not in (-1, number - 1)
            self.last_news = number
            clients.news += 1
            return
        self.room.release()
        if not self.sent or self.sent.popleft() != message:
            clients.wrong += 1
        clients.exchanged += 1
        clients.size += len(message)

    async def end(self, ending: str, receiving: asyncio.Task[None]) -> None:
        """End the connection in some way."""
        connection = self.connection
        transport = connection.transport
        with contextlib.suppress(ConnectionClosed):
            if ending == "close":
                async with asyncio.timeout(30):
                    while self.sent and not receiving.done():
                        await asyncio.sleep(0.02)
            elif ending == "abort":
                transport.abort()
            elif ending == "reset":
                reset(transport)
            elif ending == "eof":
                half_close(transport)
                await connection.wait_closed()
            elif ending == "cancel":
                receiving.cancel()
            elif ending == "crash":
                await connection.send(ORDER + self.whims.choice(["crash", "close"]))
                await connection.wait_closed()
            elif ending == "garbage":
                if not transport.is_closing():
                    # Not a frame even by chance, which would be echoed.
                    transport.write(b"\xff" + self.whims.randbytes(500))
            else:
                # The server's patience ends first.
                with contextlib.suppress(RuntimeError):
                    transport.pause_reading()
                await asyncio.sleep(self.whims.random() * 3)
                transport.abort()
        await connection.close()


@contextlib.contextmanager
def socket_of(transport: Any) -> Iterator[socket.socket]:
    """Give a transport's socket, whatever kind of transport it is."""
    with contextlib.suppress(OSError):
        number = transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(number)) as sock:
            yield sock


def reset(transport: Any) -> None:
    """End a transport's connection with RST."""
    if not transport.is_closing():
        with socket_of(transport) as sock:
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def half_close(transport: Any) -> None:
    """End the stream of this side, behind the transport's back."""
    if not transport.is_closing():
        with socket_of(transport) as sock:
            sock.shutdown(socket.SHUT_WR)


async def run_clients(options: argparse.Namespace) -> None:
    """Keep connections until told otherwise."""
    clients = Clients(options)
    commands = await open_input()
    watch = Watch()
    tasks = [asyncio.create_task(clients.live(n)) for n in range(options.connections)]
    while (await commands.readline()).strip() == b"?":
        say(watch, clients)
    clients.ending.set()
    done, late = await asyncio.wait(tasks, timeout=60)
    for task in late:
        watch.errors.append(f"stuck: {task.get_stack()}")
    for task in done:
        if task.exception() is not None:
            told = traceback.format_exception(task.exception())
            watch.errors.append("client: " + "".join(told[-3:]))
    # These tasks would be counted.
    tasks.clear()
    del done, late, task
    await watch.settle()
    say(watch, clients)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=["server", "clients"])
    parser.add_argument("--face", choices=list(FACES), default="classic")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--life", type=float, default=20.0)
    parser.add_argument("--pause", type=float, default=4.0)
    parser.add_argument("--ramp", type=float, default=5.0)
    return parser


def main() -> None:
    """Run a server, or clients."""
    options = make_parser().parse_args()
    # What goes wrong here is meant to.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    factory: Any = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    role = run_server if options.role == "server" else run_clients
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(role(options))


def batches(total: int, number: int) -> Iterator[int]:
    """Share connections among processes."""
    for index in range(number):
        yield total // number + (index < total % number)


if __name__ == "__main__":
    main()
