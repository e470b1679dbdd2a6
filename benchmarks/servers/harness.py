"""What every server here shares: options, event loop, TLS, start and stop.

A server runs with its own peer's interpreter, so this file needs nothing but the
standard library and, for ``--loop uvloop``, uvloop. The settings below are the
same for every peer.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol

#: No message is longer than 1 MiB; peers that count headers get room for them.
MAX_SIZE = 16 * 1024 * 1024

#: What a server does; ``load/client.c`` tells what it gets and what it must answer.
TASKS = ["echo", "sink", "flood", "broadcast"]

#: Different messages that a flood repeats.
CYCLE = 8


class Options(NamedTuple):
    """What the command line asked for.

    Attributes:
        host: the address to listen on.
        loop: ``asyncio`` or ``uvloop``.
        task: one of :data:`TASKS`.
        compression: ``deflate`` to agree to permessage-deflate when the client
            offers it, None to refuse.
        tls: a context for TLS, None for TCP.
        ping_interval: seconds between keepalive pings, None for no pings.

    """

    host: str
    loop: str
    task: str
    compression: str | None
    tls: ssl.SSLContext | None
    ping_interval: float | None


class Server(Protocol):
    """What a peer's server must be able to do; :class:`asyncio.Server` can."""

    @property
    def sockets(self) -> Iterable[socket.socket]:
        """The listening sockets."""

    def close(self) -> object:
        """Stop listening."""


Start = Callable[[Options], Awaitable[Server]]


def make_tls(certificate: str | None) -> ssl.SSLContext | None:
    """Return a context with this file's key and certificate; None for no file."""
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def read_options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A server to measure.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--task", choices=TASKS, default="echo")
    parser.add_argument("--compression", choices=["off", "deflate"], default="off")
    parser.add_argument("--tls", metavar="FILE", help="key and certificate")
    parser.add_argument("--ping-interval", type=float)
    given = parser.parse_args()
    return Options(
        given.host,
        given.loop,
        given.task,
        None if given.compression == "off" else given.compression,
        make_tls(given.tls),
        given.ping_interval,
    )


def raise_file_limit() -> None:
    """Allow as many open files as may be: ten thousand connections need as many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def find_loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes event loops of this kind."""
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def serve_until_terminated(start: Start, options: Options) -> None:
    """Start the server, say where it listens, and wait for SIGTERM."""
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    server = await start(options)
    port = next(iter(server.sockets)).getsockname()[1]
    print(f"listening {port}", flush=True)
    await terminated.wait()
    server.close()


def run(start: Start) -> None:
    """Run the server that ``start`` starts until SIGTERM."""
    options = read_options()
    raise_file_limit()
    factory = find_loop_factory(options.loop)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve_until_terminated(start, options))
