"""Floor 5, faces: modern servers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import (
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any

from ..codes import State
from ..extensions.base import ServerExtensionFactory
from ..extensions.permessage_deflate import enable_server_permessage_deflate
from ..hosts import Hosts
from ..http11 import SERVER, Request, Response
from ..server import Origins, ServerProtocol
from ..session.limits import Limits
from ..session.settings import check_seconds
from ..typing import LoggerLike, Subprotocol
from . import opening
from .arguments import (
    check_arguments,
    check_options,
    check_settings,
    given,
    with_compression,
)
from .broadcasting import broadcast
from .credentials import CheckCredentials, Credentials, guard, make_check
from .listening import Listener
from .serving import ServerSide

__all__ = [
    "Server",
    "ServerConnection",
    "basic_auth",
    "broadcast",
    "serve",
    "unix_serve",
]


class ServerConnection(ServerSide, asyncio.BufferedProtocol):
    """
    A server's connection.

    :func:`serve` makes connections. It performs the opening handshake, runs the
    handler, and closes the connection when the handler has ended.

    Args:
        protocol: the sans-I/O protocol of this connection.
        server: the server.
        kwargs: arguments of :class:`~websockets.asyncio.connection.Connection`.

    Attributes:
        username: user name, where :func:`basic_auth` has asked for it.
        endpoint: handler, where :func:`~websockets.asyncio.router.route` chose it.
        endpoint_kwargs: variable parts of the path, where it did.

    """

    __slots__ = ("ws_handler", "ws_server")

    username: str
    endpoint: Callable[..., Awaitable[Any]]
    endpoint_kwargs: Mapping[str, Any]

    def __init__(self, protocol: ServerProtocol, server: Server, **kwargs: Any) -> None:
        super().__init__(protocol, open_timeout=server.open_timeout, **kwargs)
        self.ws_server = server
        self.ws_handler = server.handler

    @property
    def server(self) -> Server:
        """The server."""
        return self.ws_server  # type: ignore[no-any-return]

    # The opening handshake.

    async def _opens(self) -> bool:
        """Perform the handshake; return whether the connection is open."""
        protocol, select = self.protocol, self.server.select_subprotocol
        assert isinstance(protocol, ServerProtocol)
        if select is not None:
            protocol._select_subprotocol = lambda _, offered: select(self, offered)
        try:
            await opening.accept(self, self)
        except Exception as exc:
            # What a hook has raised is logged already.
            self._log_failed_handshake(exc)
        finally:
            # Or the connection and its protocol would refer to each other.
            protocol._select_subprotocol = None
        if protocol.state is State.CONNECTING:
            await self.wait_closed()
        return self.response is not None and self.response.status_code == 101

    def answer_request(self, request: Request) -> Awaitable[Response | None] | None:
        """Ask ``process_request`` for an answer."""
        hook = self.server.process_request
        return None if hook is None else self._ask("process_request", hook, request)

    def finish_response(
        self, request: Request, response: Response
    ) -> Awaitable[Response] | Response:
        """Add the Server header, and ask ``process_response`` for changes."""
        server_header = self.server.server_header
        if server_header is not None and "Server" not in response.headers:
            response.headers["Server"] = server_header
        return self._change(self.server.process_response, request, response)


#: An async function of the connection.
Handler = Callable[[ServerConnection], Awaitable[None]]

ProcessRequest = Callable[
    [ServerConnection, Request], Awaitable[Response | None] | Response | None
]

ProcessResponse = Callable[
    [ServerConnection, Request, Response], Awaitable[Response | None] | Response | None
]

SelectSubprotocol = Callable[
    [ServerConnection, Sequence[Subprotocol]], Subprotocol | None
]


class Server(Listener[ServerConnection]):
    """
    A server, as :func:`serve` returns it.

    Awaiting it starts it. So does ``async with``, which also closes it at the end.

    Args:
        create_server: an async function of this server that has it listen.
        handler: the handler: an async function of the connection.
        logger: logger for this server; None for
            ``logging.getLogger("websockets.server")``.

    Attributes:
        handler: the handler.
        process_request: see :func:`serve`, as for what follows.
        process_response: may change responses.
        select_subprotocol: chooses subprotocols.
        server_header: value of the Server header.

    """

    process_request: ProcessRequest | None = None
    process_response: ProcessResponse | None = None
    select_subprotocol: SelectSubprotocol | None = None
    server_header: str | None = SERVER

    def __init__(
        self,
        create_server: Callable[[Server], Awaitable[None]],
        handler: Handler,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(logger)
        self.handler = handler
        self._create_server = create_server

    @property
    def connections(self) -> set[ServerConnection]:
        """The open connections, to broadcast to for example."""
        return {item for item in self.live if item.protocol.state is State.OPEN}

    def __await__(self) -> Generator[Any, None, Server]:
        """Start the server, unless it is."""
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        """Start the server, unless it is."""
        return await self

    async def _start(self) -> Server:
        if self._server is None:
            await self._create_server(self)
        return self


def serve(
    handler: Handler,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    origins: Origins | None = None,
    hosts: Hosts | None = None,
    extensions: Sequence[ServerExtensionFactory] | None = None,
    subprotocols: Sequence[Subprotocol | str] | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    compression: str | None = "deflate",
    process_request: ProcessRequest | None = None,
    process_response: ProcessResponse | None = None,
    server_header: str | None = SERVER,
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    max_size: int | tuple[int | None, int | None] | None = 2**20,
    max_queue: int | tuple[int | None, int | None] | None = 2**4,
    write_limit: int | tuple[int, int | None] = 2**15,
    limits: Limits | None = None,
    shutdown_timeout: float | None = None,
    logger: LoggerLike | None = None,
    create_connection: Callable[..., ServerConnection] | None = None,
    **kwargs: Any,
) -> Server:
    """
    Start a WebSocket server.

    Await it, or use it with ``async with``, which closes the server at the end;
    either gives a :class:`Server`. Whenever a client connects, the server makes a
    :class:`ServerConnection`, performs the opening handshake, runs the handler,
    and closes the connection when the handler has ended, be it with an exception.

    Args:
        handler: the handler: an async function of the connection.
        host: where to listen, as for ``create_server()``.
        port: where to listen; 0 for any free port.
        origins: acceptable values of the Origin header, or compiled patterns
            that must match the whole value; None in it stands for no Origin
            header, :data:`~websockets.SAME_ORIGIN` for the Host header's host; None
            instead of it for any.
        hosts: acceptable values of the Host header: names with a port or, for any
            port, without, or compiled patterns that must match the whole value; None
            for any, even none. See :doc:`/topics/security`.
        extensions: extensions that may be accepted, most wanted first.
        subprotocols: subprotocols that the server speaks, most wanted first.
        select_subprotocol: a function of the connection and the subprotocols
            that the client offers. It returns one of them, or None for none, or
            raises :exc:`NegotiationError` to refuse the connection.
        compression: "deflate" to compress messages where clients can; None not
            to.
        process_request: a function, async or not, of the connection and the
            request, that may return a response to send instead of going on; see
            :meth:`ServerConnection.respond`.
        process_response: a function, async or not, of the connection, the request
            and the response, that may change the response or return another.
        server_header: value of the Server header; None to send none.
        open_timeout: seconds for the opening handshake; None for no limit.
        ping_interval: seconds between keepalive pings; None for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for no limit.
        max_size: most bytes in a received message; None for no limit. A pair
            limits messages and their fragments.
        max_queue: messages that may wait to be received; None for no limit; a
            pair for where to pause and where to resume reading.
        write_limit: bytes that may wait to be written before sending waits; a
            pair for where to pause and where to resume.
        limits: what clients may use, and how fast; None for ``Limits()``. See
            :class:`~websockets.Limits`.
        shutdown_timeout: seconds for closing the server; see :meth:`Server.close`.
            None for no limit.
        logger: logger for this server and its connections: a logger or a
            logger adapter; None for ``logging.getLogger("websockets.server")``.
        create_connection: makes connections: a subclass of
            :class:`ServerConnection`, or a function with its arguments.
        kwargs: arguments for the event loop's ``create_server()``: ``sock``,
            ``ssl``, ``reuse_port``, ``start_serving``, ``backlog`` (100; 256 on event
            loops other than asyncio's)...

    Raises:
        OSError: if the server can't listen there.
        TypeError: if an argument is of the wrong type.
        ValueError: if an argument has a value that makes no sense.

    """
    hooks: dict[str, Any] = {
        "handler": handler,
        "process_request": process_request,
        "process_response": process_response,
        "select_subprotocol": select_subprotocol,
        "server_header": server_header,
    }
    check_arguments(host=host, port=port, create_connection=create_connection, **hooks)
    check_options("serve", kwargs)
    settings: dict[str, Any] = {
        "ping_interval": ping_interval,
        "ping_timeout": ping_timeout,
        "close_timeout": close_timeout,
        "max_queue": max_queue,
        "write_limit": write_limit,
        **given(limits=limits),
    }
    check_settings(max_size, open_timeout=open_timeout, **settings)
    check_seconds("shutdown_timeout", shutdown_timeout)
    protocol_settings: dict[str, Any] = {
        "origins": origins,
        "hosts": hosts,
        "extensions": with_compression(
            extensions, compression, enable_server_permessage_deflate
        ),
        "subprotocols": subprotocols,
        "logger": logger,
    }
    check_arguments(**protocol_settings)
    make_protocol = functools.partial(
        ServerProtocol, max_size=max_size, **protocol_settings
    )
    make = create_connection or ServerConnection

    async def create_server(server: Server) -> None:
        def factory() -> ServerConnection:
            return make(make_protocol(), server, **settings)

        await server.listen(factory, host, port, kwargs)

    server = Server(create_server, handler, logger)
    vars(server).update(
        hooks, open_timeout=open_timeout, shutdown_timeout=shutdown_timeout
    )
    server.admission.limits = limits or Limits()
    return server


def unix_serve(handler: Handler, path: str | None = None, **kwargs: Any) -> Server:
    """
    Start a WebSocket server that listens on a Unix socket.

    Args:
        handler: the handler; see :func:`serve`.
        path: path of the socket; None if there is a ``sock`` argument.
        kwargs: arguments of :func:`serve`, and of the event loop's
            ``create_unix_server()``.

    """
    return serve(handler, path=path, unix=True, **kwargs)


def basic_auth(
    realm: str = "",
    credentials: Credentials | Iterable[Credentials] | None = None,
    check_credentials: CheckCredentials | None = None,
) -> Callable[[ServerConnection, Request], Awaitable[Response | None]]:
    """
    Make a ``process_request`` argument that asks for user name and password.

    ::

        serve(handler, process_request=basic_auth(
            realm="my dev server",
            credentials=("hello", "iloveyou"),
        ))

    The user name then is the connection's ``username``.

    Args:
        realm: what is being protected, shown to users; ASCII only.
        credentials: a pair of user name and password, or several.
        check_credentials: a function, async or not, of user name and password
            that tells whether they're right.

    Raises:
        ValueError: unless exactly one of ``credentials`` and
            ``check_credentials`` is given.
        TypeError: if they're of the wrong kind.

    """
    if (credentials is None) == (check_credentials is None):
        raise ValueError("provide either credentials or check_credentials")
    check_arguments(check_credentials=check_credentials)
    return guard(realm, check_credentials or make_check(credentials))
