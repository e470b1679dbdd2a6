"""Floor 4, engine: a listening server on asyncio.

:class:`Listener` owns the live connections of a server, and its end: stop
accepting, refuse handshakes under way with status 503, close open connections,
wait for their handlers, and end by force what outlives the deadline.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import os
import socket
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from ..codes import CloseCode, Opcode, State
from ..frames import Close, Frame
from ..session.settings import check_seconds
from ..session.stats import ServerStats, Totals
from ..typing import LoggerLike
from ..utils import get_socket_name
from .admission import Admission
from .arguments import check_connection
from .opening import refuse
from .serving import ServerSide
from .tls import TLSHandshake, TLSStarter, TLSTurns
from .transports import listen_on
from .waiters import release

__all__ = ["Listener"]

#: Connections that may wait to be accepted. Event loops have 100 places, which are soon
#: taken; and who finds none tries again after a second.
_BACKLOG = 256

#: How many take connections from the same socket on uvloop, each of which accepts one
#: in each iteration.
_ACCEPTORS = 8

#: Arguments of ``create_server()`` that those have in common.
_SHARED = {"backlog", "secure", "ssl", "ssl_handshake_timeout", "ssl_shutdown_timeout"}

#: Seconds that cancelled handlers have to clean up.
_GRACE = 1

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
        securing: TLS handshakes under way.
        turns: when those begin.
        admission: who gets in.
        open_timeout: seconds for the opening handshake; None for no limit.
        shutdown_timeout: seconds for closing the server, where :meth:`close` isn't
            given others; None for no limit.

    """

    open_timeout: float | None = 10
    shutdown_timeout: float | None = None

    def __init__(self, logger: LoggerLike | None = None) -> None:
        self.logger = logger or logging.getLogger("websockets.server")
        self.live: set[ConnectionT] = set()
        self.securing: set[TLSHandshake] = set()
        self.turns = TLSTurns()
        self.admission = Admission()
        self._totals = Totals()
        self._server: asyncio.Server | None = None
        # Those that accept connections from the same sockets, and what makes them.
        self._acceptors: list[asyncio.Server] = []
        self._listen_too: Callable[..., Awaitable[asyncio.Server]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._close_task: asyncio.Task[None] | None = None
        self._closed: asyncio.Future[None] | None = None
        # Done when closing has taken as long as it may, and what sees to that.
        self._expired: asyncio.Future[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

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
                ``backlog`` is 256 unless given; on asyncio's own event loops, 100.

        Raises:
            OSError: if it can't listen there.

        """
        loop = asyncio.get_running_loop()
        options = dict(options)
        if not isinstance(loop, asyncio.SelectorEventLoop):
            # That one accepts as many in one iteration as may wait: no more, then.
            options.setdefault("backlog", _BACKLOG)
        if options.get("ssl") is not None and self.open_timeout:
            # The event loop's own is a minute.
            options.setdefault("ssl_handshake_timeout", self.open_timeout)

        def make() -> Any:
            try:
                return check_connection(factory())
            except Exception:
                self.logger.error("making a connection failed", exc_info=True)
                # The event loop would leave the socket open.
                return _Refusal()

        def secure(start: TLSStarter) -> Callable[[], TLSHandshake]:
            return functools.partial(TLSHandshake, self, make, start)

        options["secure"] = secure
        if options.pop("unix", False):
            server = await listen_on(loop, "create_unix_server", make, **options)
            self.attach(server, loop)
            return
        server = await listen_on(loop, "create_server", make, host, port, **options)
        self.attach(server, loop)
        if type(loop).__module__.startswith("uvloop"):
            options = {name: options[name] for name in _SHARED & options.keys()}
            self._listen_too = functools.partial(
                listen_on, loop, "create_server", make, None, None, **options
            )
            if server.is_serving():
                await self._accept_more()

    async def _accept_more(self) -> None:
        """Have more take connections where one alone accepts them one by one."""
        listen, self._listen_too = self._listen_too, None
        if listen is None:
            return
        try:
            for sock in self._running_server().sockets:
                # Servers in memory have none; see websockets.testing.
                for _ in range(_ACCEPTORS - 1 if sock.fileno() >= 0 else 0):
                    copy = socket.socket(fileno=os.dup(sock.fileno()))
                    try:
                        self._acceptors.append(await listen(sock=copy))
                    except BaseException:
                        copy.close()
                        raise
        except OSError:
            # Too many files are open: fewer will do.
            pass
        except BaseException:
            self._close_servers()
            raise

    def _close_servers(self) -> None:
        """Accept no more connections."""
        for server in (self._running_server(), *self._acceptors):
            server.close()

    def attach(self, server: asyncio.Server, loop: asyncio.AbstractEventLoop) -> None:
        """Take the asyncio server that accepts connections."""
        self._server = server
        self._loop = loop
        self._closed = loop.create_future()
        self._expired = loop.create_future()
        for sock in server.sockets:
            self.logger.info("server listening on %s", get_socket_name(sock))

    def register(self, connection: ConnectionT) -> None:
        """Take note of a connection that was accepted."""
        self.live.add(connection)
        if self._close_task is not None:
            # It was accepted before the server was closed; TLS takes its time.
            self._refuse(connection)
        else:
            self.admission.arrived(connection)

    def _refuse(self, connection: ConnectionT) -> None:
        connection.count_rejection("shutting_down")
        self.admission.settle(connection)
        refuse(connection)

    def unregister(self, connection: ConnectionT) -> None:
        """Take note of a connection that has ended."""
        self.admission.left(connection)
        if connection in self.live:
            self.live.remove(connection)
            opened = connection.was_opened()
            if not opened:
                connection.count_rejection("lost")
            self._totals.add(connection.stats, opened)

    @property
    def stats(self) -> ServerStats:
        """What the server has counted so far; a new object each time."""
        live = list(self.live)
        states = [connection.protocol.state for connection in live]
        return self._totals.with_live(
            [connection.stats for connection in live],
            connections=states.count(State.OPEN),
            handshakes=states.count(State.CONNECTING) + len(self.securing),
            accepted=sum(connection.was_opened() for connection in live),
            rejected=self.rejected,
        )

    @property
    def rejected(self) -> dict[str, int]:
        """How many handshakes failed for which reason; see :attr:`stats`."""
        return dict(self.admission.rejected)

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
        await self._accept_more()

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
        *,
        timeout: float | None = None,
        spread: float = 0,
    ) -> None:
        """
        Close the server.

        It stops accepting connections. Handshakes under way are answered with
        HTTP status 503. Doing it again changes nothing, except that a ``timeout``
        counts if it ends earlier.

        Args:
            close_connections: whether to close open connections; False to let
                their handlers come to an end.
            code: close code for open connections.
            reason: close reason for open connections.
            timeout: seconds for all of it. Then connections that are still open
                are closed at once, with the same code, the others are cut, and
                handlers are cancelled. They have another second to clean up; those
                that don't end by then are left alone. None for what
                ``shutdown_timeout`` says.
            spread: seconds over which to spread the closing of connections, so
                that not all clients connect elsewhere at the same time.

        Raises:
            ProtocolError: if the code or the reason can't be sent.
            TypeError: if ``timeout`` or ``spread`` isn't a number.
            ValueError: if one is negative.

        The server goes on closing by itself; wait for its end with
        :meth:`wait_closed`.
        """
        # Later nobody would hear of it.
        Frame(Opcode.CLOSE, Close(code, reason).serialize()).check()
        check_seconds("timeout", timeout)
        check_seconds("spread", spread)
        if self._server is None:
            return
        timeout = self.shutdown_timeout if timeout is None else timeout
        if timeout is not None and timeout < math.inf:
            self._expire_in(timeout)
        if self._close_task is None:
            # No more connections, already while the task below has no turn yet.
            self._stop_accepting()
            self._close_task = self.get_loop().create_task(
                self._close(close_connections, code, reason, spread or 0)
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
            self._close_servers()

    def _expire_in(self, timeout: float) -> None:
        """See that closing the server ends after so many seconds, or earlier."""
        loop = self.get_loop()
        when = loop.time() + timeout
        if self._expiry is not None:
            if self._expiry.when() <= when:
                return
            self._expiry.cancel()
        assert self._expired is not None
        self._expiry = loop.call_at(when, release, [self._expired])

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
        self, close_connections: bool, code: CloseCode | int, reason: str, spread: float
    ) -> None:
        """Do what :meth:`close` promises."""
        self.logger.info("server closing")
        await asyncio.sleep(0)
        self._close_servers()
        connections = self._end_handshakes()
        ending = asyncio.ensure_future(
            self._end_all(
                connections if close_connections else [], code, reason, spread
            )
        )
        assert self._expired is not None
        try:
            await asyncio.wait([ending, self._expired], return_when=FIRST_COMPLETED)
        except asyncio.CancelledError:
            ending.cancel()
            raise
        if ending.cancel():
            await self._cut_off(code, reason)
        await self._forget_others()
        self.logger.info("server closed")

    def _closing_ended(self, task: asyncio.Task[None]) -> None:
        """Let those know who wait for the end, even if the task was cancelled.

        That's what asyncio.run() does with all tasks at its end.
        """
        if self._expiry is not None:
            self._expiry.cancel()
        assert self._closed is not None
        self._close_servers()
        self._closed.set_result(None)

    async def _end_all(
        self,
        connections: Sequence[ConnectionT],
        code: CloseCode | int,
        reason: str,
        spread: float,
    ) -> None:
        """Close connections, one after the other; wait until all have ended."""

        async def close(connection: ConnectionT, delay: float) -> None:
            if delay:
                await asyncio.sleep(delay)
            await connection.close(code, reason)

        await asyncio.gather(
            *(
                close(connection, spread * index / len(connections))
                for index, connection in enumerate(connections)
            ),
            return_exceptions=True,
        )
        await self._handlers_ended()

    async def _cut_off(self, code: CloseCode | int, reason: str) -> None:
        """End what has outlived the deadline."""
        self.logger.info("server closing takes too long; cutting connections")
        for connection in list(self.live):
            connection.cut_off(code, reason)
        ended = asyncio.ensure_future(self._handlers_ended())
        await asyncio.wait([ended], timeout=_GRACE)
        if not ended.done():
            for connection in self.live:
                connection.transport.abort()
            await asyncio.wait([ended], timeout=_GRACE / 10)
        if not ended.done():
            ended.cancel()
            self.logger.error(
                "%d handlers don't end, although they were cancelled", len(self.live)
            )

    async def _forget_others(self) -> None:
        """Have done with connections that never got as far as to be ours."""
        server = self._running_server()
        # Those are in the middle of a TLS handshake, and it's up to the peer when
        # that ends. Since Python 3.12, wait_closed() waits for them.
        getattr(server, "abort_clients", lambda: None)()
        closed = asyncio.ensure_future(server.wait_closed())
        await asyncio.wait([closed], timeout=0)
        closed.cancel()

    def _end_handshakes(self) -> Sequence[ConnectionT]:
        """Refuse handshakes under way; return the other connections."""
        for handshake in list(self.securing):
            handshake.cut("shutting_down")
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
                connection.close_transport()
            elif connection.handler_task is not None:
                # It may be in a hook of the application; it answers 503 then.
                connection.cancel_handshake()
            else:
                self._refuse(connection)
        return others

    async def _handlers_ended(self) -> None:
        """Wait until all connections are lost and all handlers have ended."""
        while self.live:
            tasks = []
            for connection in self.live:
                task = connection.handler_task
                if task is None or task.done():
                    task = asyncio.ensure_future(connection.wait_closed())
                tasks.append(task)
            await asyncio.wait(tasks)
            # Whoever ends unregisters itself; give a connection lost without
            # a handler the time to.
            await asyncio.sleep(0)
            # Those of subclasses with a handler() of their own may not.
            for connection in [item for item in self.live if item.has_ended()]:
                self.unregister(connection)

    def _running_server(self) -> asyncio.Server:
        if self._server is None:
            raise RuntimeError("the server isn't started yet: await serve() first")
        return self._server
