"""Floor 5, faces: servers and connections in memory, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, NoReturn

from ..asyncio import client as modern_client
from ..asyncio.transports import stand_ins
from ..classic import client as classic_client
from ..classic import server as classic_server
from ..exceptions import ConnectionClosed
from .network import MemoryHost, Network, OnWire
from .transports import MemoryTransport
from .wire import Wire

__all__ = ["MemoryServer", "network", "pair", "serve", "wire_of"]

#: The name of the servers that are made here.
_HOST = "localhost"


@contextlib.asynccontextmanager
async def network(
    *, seed: int = 0, on_wire: OnWire | None = None
) -> AsyncIterator[Network]:
    """
    Have ``connect()`` and ``serve()`` stay in memory.

    For all code on the running event loop, with any name and any port::

        async with websockets.testing.network():
            async with websockets.serve(handler, "chat.example", 80):
                async with websockets.connect("ws://chat.example/") as websocket:
                    ...

    There are no proxies there, and connecting where nobody listens fails with
    :exc:`ConnectionRefusedError`.

    Args:
        seed: for what wires choose at random; the same seed gives the same.
        on_wire: what to do with each new :class:`Wire` before anything goes over
            it, async or not, or None. An :exc:`OSError` that it raises is what
            connecting fails with.

    Raises:
        RuntimeError: if the event loop has a network already.

    """
    with Network(seed=seed, on_wire=on_wire) as made:
        yield made


def wire_of(connection: Any) -> Wire:
    """
    Return the wire of a connection.

    Args:
        connection: a connection of any face, either end.

    Raises:
        RuntimeError: if it isn't connected yet.
        TypeError: if it isn't connected in memory.

    """
    transport = connection.transport
    if transport is None:
        raise RuntimeError(f"{connection!r} isn't connected yet")
    if not isinstance(transport, MemoryTransport):
        raise TypeError(
            f"{connection!r} has no wire: it was made outside of websockets.testing, "
            f"with a {type(transport).__name__}"
        )
    return transport.wire


class MemoryServer:
    """
    A server in memory, as :func:`serve` gives it.

    Args:
        server: the server.
        network: the network in which it listens.
        port: the port on which it listens.
        connect: what connects to it.

    Attributes:
        server: the server, a :class:`~websockets.classic.server.WebSocketServer` or
            a :class:`~websockets.asyncio.server.Server`.
        network: the network in which it listens.
        errors: what handlers have raised, but for :exc:`ConnectionClosed`; see
            :func:`serve`.

    """

    def __init__(
        self,
        server: Any,
        network: Network,
        port: int,
        connect: Callable[..., Any],
    ) -> None:
        self.server = server
        self.network = network
        self.errors: list[Exception] = []
        self._port = port
        self._connect = connect
        listener = network.find_listener((_HOST, port))
        assert listener is not None
        self.listener = listener

    @property
    def wires(self) -> list[Wire]:
        """The wires of all connections so far, in the order in which they were made."""
        return self.listener.wires

    @property
    def connections(self) -> set[Any]:
        """The server's ends of the open connections."""
        return self.server.connections  # type: ignore[no-any-return]

    def uri(self, path: str = "/") -> str:
        """Return the URI of a path on this server."""
        return f"{'ws' if self.listener.ssl is None else 'wss'}://{_HOST}:{self._port}{path}"

    def connect(self, path: str = "/", **kwargs: Any) -> Any:
        """
        Connect to this server, with the same face.

        ::

            async with server.connect("/chat") as websocket:
                ...

        Args:
            path: path of the request; or a whole URI, for another Host header.
            kwargs: arguments of the face's ``connect()``; ``local_addr`` is where the
                connection comes from, for the server.

        Returns:
            What ``connect()`` does: to be awaited, or used with ``async with`` or
            ``async for``.

        """
        if "://" in path:
            kwargs = {"host": _HOST, "port": self._port, **kwargs}
            uri = path
        else:
            uri = self.uri(path)
        if uri.startswith("wss:"):
            kwargs.setdefault("ssl", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return self._connect(uri, **kwargs)

    async def open_connection(
        self,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """
        Connect to this server without any WebSocket, to say anything to it.

        Returns:
            A reader and a writer, as :func:`asyncio.open_connection` does.

        """
        return await self.network.open_connection(_HOST, self._port)


def connect_of(using: Any) -> Callable[..., Any]:
    """Return the ``connect()`` of the face that a ``serve()`` belongs to."""
    modern = getattr(using, "__module__", "").startswith("websockets.asyncio.")
    return modern_client.connect if modern else classic_client.connect


@contextlib.asynccontextmanager
async def serve(
    handler: Any,
    *,
    using: Callable[..., Any] = classic_server.serve,
    secure: bool = False,
    seed: int = 0,
    on_wire: OnWire | None = None,
    **kwargs: Any,
) -> AsyncIterator[MemoryServer]:
    """
    Serve in memory, without a socket.

    ::

        async with websockets.testing.serve(handler) as server:
            async with server.connect("/chat") as websocket:
                ...

    Everything but the transport is as it is outside: handshakes, hooks, keepalive,
    flow control, the end.

    When the handler raises an exception, an assertion's for example, it's logged and
    the connection is closed with code 1011, as ever. Besides, it is raised here at the
    end of the block, so that the test fails; several are as an :exc:`ExceptionGroup`.
    Where the block itself fails, they are added as notes. :exc:`ConnectionClosed` isn't
    an error: it's how handlers hear that clients leave.
    A test that expects the exception takes it out of :attr:`MemoryServer.errors`.

    Args:
        handler: the handler, or what else ``using`` takes.
        using: what serves: ``websockets.serve``,
            ``websockets.asyncio.server.serve``, ``websockets.asyncio.router.route``,
            or a function with such arguments.
        secure: whether it is as if there was TLS: URIs begin with ``wss:``.
        seed: for what wires choose at random; the same seed gives the same.
        on_wire: what to do with each new :class:`Wire` before anything goes over
            it, async or not, or None. An :exc:`OSError` that it raises is what
            connecting fails with.
        kwargs: arguments of what serves.

    """
    with current_network() as used:
        made = await start(used, handler, using, secure, seed, on_wire, kwargs)
        async with made.server:
            try:
                yield made
            except Exception as exc:
                for error in made.errors:
                    exc.add_note("".join(traceback.format_exception(error)))
                raise
            finally:
                # Or what is stalled couldn't be closed in time.
                for wire in made.wires:
                    wire.resume()
        if made.errors:
            raise_all(made.errors)


def raise_all(errors: list[Exception]) -> NoReturn:
    """Raise one exception, or several as a group."""
    if len(errors) == 1:
        raise errors[0]
    raise ExceptionGroup("handlers have failed", errors)


async def start(
    used: Network,
    handler: Any,
    using: Callable[..., Any],
    secure: bool,
    seed: int,
    on_wire: OnWire | None,
    options: dict[str, Any],
) -> MemoryServer:
    """Begin to serve; see :func:`serve`."""
    if secure:
        options = {"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), **options}
    port = used.free_port()
    errors: list[Exception] = []
    if callable(handler):
        handler = watch(handler, errors)
    server = await using(handler, MemoryHost(_HOST), port, **options)
    made = MemoryServer(server, used, port, connect_of(using))
    made.errors = errors
    made.listener.seed = seed
    made.listener.on_wire = on_wire
    return made


def watch(
    handler: Callable[..., Awaitable[Any]], errors: list[Exception]
) -> Callable[..., Awaitable[Any]]:
    """Return a handler that takes note of what another one raises."""

    @functools.wraps(handler)
    async def watched(*args: Any) -> Any:
        try:
            return await handler(*args)
        except ConnectionClosed:
            raise
        except Exception as exc:
            errors.append(exc)
            raise

    return watched


def current_network() -> Network:
    """Return the network of the running event loop; a new one if it has none."""
    found = stand_ins.get(asyncio.get_running_loop())
    return found if isinstance(found, Network) else Network(strict=False)


class pair:
    """
    Connect a client to a server in memory; give both connections.

    ::

        async with websockets.testing.pair() as (client, server):
            await client.send("Hello!")
            assert await server.recv() == "Hello!"

    With ``async with``, they're closed at the end. Or await it, and close them.

    Args:
        client: arguments for ``connect()``.
        server: arguments for what serves.
        path: path of the request.
        using: what serves, as for :func:`serve`; and so are the others.

    """

    def __init__(
        self,
        *,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        path: str = "/",
        using: Callable[..., Any] = classic_server.serve,
        secure: bool = False,
        seed: int = 0,
        on_wire: OnWire | None = None,
    ) -> None:
        self._client = client or {}
        self._path = path
        self._server = using, secure, seed, on_wire, server or {}

    def __await__(self) -> Generator[Any, None, tuple[Any, Any]]:
        """Connect."""
        return self._open().__await__()

    async def _open(self) -> tuple[Any, Any]:
        accepted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def handler(connection: Any) -> None:
            accepted.set_result(connection)
            await connection.wait_closed()

        with current_network() as used:
            made = await start(used, handler, *self._server)
            try:
                client = await made.connect(self._path, **self._client)
                self._pair = client, await accepted
            finally:
                # It listens no more. Its end is that of the connection.
                made.server.close(close_connections=False)
        return self._pair

    async def __aenter__(self) -> tuple[Any, Any]:
        """Connect."""
        return await self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close both connections."""
        client, server = self._pair
        wire_of(client).resume()
        # One alone might wait for the other to read what was sent before.
        await asyncio.gather(client.close(), server.close())
