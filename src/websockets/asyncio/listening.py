"""Floor 4, engine: a listening server on asyncio.

:class:`Listener` owns the live connections of a server, and its end: stop
accepting, refuse handshakes under way with status 503, close open connections,
wait for their handlers.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from ..codes import CloseCode, Opcode, State
from ..frames import Close, Frame
from ..session.stats import ServerStats, Totals
from ..typing import LoggerLike
from ..utils import get_socket_name
from .arguments import check_connection
from .opening import refuse
from .serving import ServerSide
from .transports import listen_on

__all__ = ["Listener"]

ConnectionT = TypeVar("ConnectionT", bound=ServerSide)


class _Refusal(asyncio.Protocol):
    """Ends a connection at once."""

    def connection_made(self, transport: Any) -> None:
        """Take the transport; called by the event loop."""
        transport.abort()


class Listener(Generic[ConnectionT]):
    """
    A server and its connections.

    Args:
        logger: logger for this server; None for
            ``logging.getLogger("websockets.server")``.

    Attributes:
        logger: logger for this server.
        live: the connections, from the moment they're accepted until their
            handler has ended.

    """

    def __init__(self, logger: LoggerLike | None = None) -> None:
        self.logger = logger or logging.getLogger("websockets.server")
        self.live: set[ConnectionT] = set()
        self._totals = Totals()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._close_task: asyncio.Task[None] | None = None
        self._closed: asyncio.Future[None] | None = None

    async def listen(
        self,
        factory: Callable[[], Any],
        host: Any,
        port: int | None,
        options: dict[str, Any],
    ) -> None:
        """
        Begin to listen.

        Args:
            factory: makes connections.
            host: where to listen, as for ``create_server()``.
            port: where to listen; 0 for any free port.
            options: arguments for the event loop's ``create_server()``, or for
                ``create_unix_server()`` where ``unix`` is among them and true.

        Raises:
            OSError: if it can't listen there.

        """
        loop = asyncio.get_running_loop()
        options = dict(options)

        def make() -> Any:
            try:
                return check_connection(factory())
            except Exception:
                self.logger.error("making a connection failed", exc_info=True)
                # The event loop would leave the socket open.
                return _Refusal()

        if options.pop("unix", False):
            server = await listen_on(loop, "create_unix_server", make, **options)
        else:
            server = await listen_on(loop, "create_server", make, host, port, **options)
        self.attach(server, loop)

    def attach(self, server: asyncio.Server, loop: asyncio.AbstractEventLoop) -> None:
        """Take the asyncio server that accepts connections."""
        self._server = server
        self._loop = loop
        self._closed = loop.create_future()
        for sock in server.sockets:
            self.logger.info("server listening on %s", get_socket_name(sock))

    def register(self, connection: ConnectionT) -> None:
        """Take note of a connection that was accepted."""
        self.live.add(connection)
        if self._close_task is not None:
            # It was accepted before the server was closed; TLS takes its time.
            refuse(connection)

    def unregister(self, connection: ConnectionT) -> None:
        """Take note of a connection that has ended."""
        if connection in self.live:
            self.live.remove(connection)
            self._totals.add(connection.stats, connection.was_opened())

    @property
    def stats(self) -> ServerStats:
        """What the server has counted so far; a new object each time."""
        live = list(self.live)
        states = [connection.protocol.state for connection in live]
        return self._totals.with_live(
            [connection.stats for connection in live],
            connections=states.count(State.OPEN),
            handshakes=states.count(State.CONNECTING),
            accepted=sum(connection.was_opened() for connection in live),
            rejected={},
        )

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop of the server."""
        return self._running_server().get_loop()

    def is_serving(self) -> bool:
        """Tell whether the server accepts connections."""
        if self._close_task is not None or self._server is None:
            return False
        return self._server.is_serving()

    async def start_serving(self) -> None:
        """
        Begin to accept connections; does nothing if it has begun.

        For servers that were made with ``start_serving=False``.
        """
        await self._running_server().start_serving()

    async def serve_forever(self) -> None:
        """
        Accept connections until cancelled.

        Cancelling closes the server as :meth:`close` does, and waits for it.
        """
        await self.start_serving()
        assert self._closed is not None
        try:
            await asyncio.shield(self._closed)
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets that the server listens on; none when it's closed."""
        if self._server is None or self._close_task is not None:
            return ()
        return tuple(self._server.sockets)

    def close(
        self,
        close_connections: bool = True,
        code: CloseCode | int = CloseCode.GOING_AWAY,
        reason: str = "",
    ) -> None:
        """
        Close the server.

        It stops accepting connections. Handshakes under way are answered with
        HTTP status 503. Doing it again changes nothing.

        Args:
            close_connections: whether to close open connections; False to let
                their handlers come to an end.
            code: close code for open connections.
            reason: close reason for open connections.

        Raises:
            ProtocolError: if the code or the reason can't be sent.

        The server goes on closing by itself; wait for its end with
        :meth:`wait_closed`.
        """
        # Later nobody would hear of it.
        Frame(Opcode.CLOSE, Close(code, reason).serialize()).check()
        if self._close_task is None and self._server is not None:
            # No more connections, already while the task below has no turn yet.
            self._stop_accepting()
            self._close_task = self.get_loop().create_task(
                self._close(close_connections, code, reason)
            )
            self._close_task.add_done_callback(self._closing_ended)

    def _stop_accepting(self) -> None:
        """Accept no more connections.

        Those accepted in this iteration are made in the next one. If asyncio's server
        were closed by then, their sockets would stay open.
        """
        server = self._running_server()
        loop = self.get_loop()
        # Servers in memory have none; see websockets.testing.
        descriptors = [sock.fileno() for sock in server.sockets]
        if isinstance(loop, asyncio.SelectorEventLoop) and -1 not in descriptors:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
        else:
            server.close()

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the server, and wait for its end."""
        self.close()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """
        Wait until the server is closed.

        Returns when all connections are closed and all handlers have ended.
        Cancelling leaves the server as it is.
        """
        if self._closed is not None:
            await asyncio.shield(self._closed)

    async def _close(
        self, close_connections: bool, code: CloseCode | int, reason: str
    ) -> None:
        """Do what :meth:`close` promises."""
        self.logger.info("server closing")
        server = self._running_server()
        await asyncio.sleep(0)
        server.close()
        closing = [
            asyncio.ensure_future(connection.close(code, reason))
            for connection in self._end_handshakes()
            if close_connections
        ]
        if closing:
            await asyncio.wait(closing)
        await self._handlers_ended()
        await server.wait_closed()
        self.logger.info("server closed")

    def _closing_ended(self, task: asyncio.Task[None]) -> None:
        """Let those know who wait for the end, even if the task was cancelled.

        That's what asyncio.run() does with all tasks at its end.
        """
        assert self._closed is not None
        self._running_server().close()
        self._closed.set_result(None)

    def _end_handshakes(self) -> Iterable[ConnectionT]:
        """Refuse handshakes under way; return the other connections."""
        others = []
        for connection in list(self.live):
            if connection.protocol.state is not State.CONNECTING:
                if connection.opening:
                    # Only a hook of its handshake is left.
                    connection.cancel_handshake()
                others.append(connection)
                continue
            if connection.protocol.eof_sent:
                # It was refused, and only waits for the peer to leave.
                connection.transport.close()
            elif connection.handler_task is not None:
                # It may be in a hook of the application; it answers 503 then.
                connection.cancel_handshake()
            else:
                refuse(connection)
        return others

    async def _handlers_ended(self) -> None:
        """Wait until all connections are lost and all handlers have ended."""
        while self.live:
            tasks = [
                asyncio.ensure_future(connection.wait_closed())
                if connection.handler_task is None
                else connection.handler_task
                for connection in self.live
            ]
            await asyncio.wait(tasks)
            # Whoever ends unregisters itself; give a connection lost without
            # a handler the time to.
            await asyncio.sleep(0)

    def _running_server(self) -> asyncio.Server:
        if self._server is None:
            raise RuntimeError("the server isn't started yet: await serve() first")
        return self._server
