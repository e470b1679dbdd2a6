"""Floor 5, faces: classic servers."""

from __future__ import annotations

import asyncio
import functools
import http
import warnings
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from ..asyncio import opening
from ..asyncio.arguments import (
    check_arguments,
    check_options,
    check_settings,
    given,
    with_compression,
)
from ..asyncio.broadcasting import broadcast
from ..asyncio.listening import Listener
from ..asyncio.serving import ServerSide, call
from ..codes import State
from ..datastructures import Headers, HeadersLike
from ..dates import format_date
from ..exceptions import InvalidHandshake
from ..extensions.base import Extension, ServerExtensionFactory
from ..extensions.permessage_deflate import enable_server_permessage_deflate
from ..hosts import Hosts
from ..http11 import SERVER, Request, Response
from ..server import (
    Origins,
    ServerProtocol,
    check_choice,
    check_origin,
    negotiate_extensions,
    offered_subprotocols,
)
from ..session.limits import Limits
from ..session.settings import check_seconds
from ..typing import ExtensionHeader, LoggerLike, Origin, StatusLike, Subprotocol
from .compat import Hook, as_hook, make_modern_server, split_factory
from .exceptions import AbortHandshake
from .handlers import Handler, without_path
from .protocol import CLOSE_TIMEOUT, WebSocketCommonProtocol

__all__ = [
    "WebSocketServer",
    "WebSocketServerProtocol",
    "broadcast",
    "serve",
    "unix_serve",
]

#: What ``process_request`` answers: status, headers and body, or None.
HTTPResponse = tuple[StatusLike, HeadersLike, bytes]

#: What the ``extra_headers`` argument of servers takes.
HeadersLikeOrCallable = HeadersLike | Callable[[str, Headers], HeadersLike | None]

#: Of the path and the headers; or of the connection and the request.
ProcessRequest = Callable[[str, Headers], Any] | Callable[[Any, Request], Any]

#: Of what the client offers and the server speaks; or of the connection and what
#: the client offers.
SelectSubprotocol = Callable[[Any, Sequence[Subprotocol]], Subprotocol | None]


class ClassicServerProtocol(ServerProtocol):
    """Asks the classic connection's methods what they have to say."""

    __slots__ = ("owner",)

    answered = "connection rejected (%d %s)"
    owner: WebSocketServerProtocol | None

    def process_origin(self, headers: Headers) -> Origin | None:
        """Ask :meth:`WebSocketServerProtocol.process_origin`."""
        assert self.owner is not None
        return self.owner.process_origin(headers, self.origins)

    def process_extensions(
        self, headers: Headers
    ) -> tuple[list[Extension], list[ExtensionHeader]]:
        """Ask :meth:`WebSocketServerProtocol.process_extensions`."""
        assert self.owner is not None
        return self.owner.process_extensions(headers, self.available_extensions)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Ask :meth:`WebSocketServerProtocol.process_subprotocol`."""
        assert self.owner is not None
        return self.owner.process_subprotocol(headers, self.available_subprotocols)


class WebSocketServerProtocol(ServerSide, WebSocketCommonProtocol):
    """
    A server's connection.

    It performs the opening handshake, runs the handler, and closes the
    connection when the handler has ended. Subclasses may override any public
    method, among them :meth:`process_request`, :meth:`select_subprotocol` and
    :meth:`handshake`.

    Args:
        ws_handler: the handler: an async function of the connection, or of the
            connection and the path.
        ws_server: the server: an object with the methods ``register(connection)``,
            ``unregister(connection)`` and ``is_serving()``.
        logger: logger for this connection; None for
            ``logging.getLogger("websockets.server")``.
        origins: acceptable values of the Origin header; None in it stands for
            no Origin header; None instead of it for any.
        hosts: acceptable values of the Host header; None for any.
        extensions: extensions that may be accepted.
        subprotocols: subprotocols that the server speaks, most wanted first.
        extra_headers: headers to add to the response, or a function of the path
            and the request's headers that returns them.
        server_header: value of the Server header; None to send none.
        process_request: a function, async or not, to call before the handshake;
            see the method of the same name.
        select_subprotocol: a function to choose the subprotocol; see the method
            of the same name.
        process_response: a function, async or not, of the connection, the request
            and the response, that may change the response or return another.
        open_timeout: seconds for the opening handshake; None for no limit.
        kwargs: arguments of :class:`WebSocketCommonProtocol`.

    Attributes:
        origin: value of the Origin header; None if there is none.
        ws_handler: the handler, as an async function of the connection.
        ws_server: the server.
        handler_task: the task that performs the handshake and runs the
            handler; None before the request has come.

    """

    __slots__ = (
        "_handshake_headers",
        "_process_request",
        "_process_response",
        "_select_subprotocol",
        "available_extensions",
        "available_subprotocols",
        "extra_headers",
        "origin",
        "origins",
        "server_header",
        "ws_handler",
        "ws_server",
    )

    is_client = False
    side = "server"

    def __init__(
        self,
        ws_handler: Handler,
        ws_server: Any,
        *,
        logger: LoggerLike | None = None,
        origins: Origins | None = None,
        hosts: Hosts | None = None,
        extensions: Sequence[ServerExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLikeOrCallable | None = None,
        server_header: str | None = SERVER,
        process_request: ProcessRequest | Hook | None = None,
        select_subprotocol: SelectSubprotocol | Hook | None = None,
        process_response: Callable[..., Any] | None = None,
        open_timeout: float | None = 10,
        **kwargs: Any,
    ) -> None:
        protocol = ClassicServerProtocol(
            origins=None if origins is None else _with_none(origins),
            hosts=hosts,
            extensions=extensions,
            subprotocols=subprotocols,
            logger=logger,
        )
        super().__init__(
            logger=logger, open_timeout=open_timeout, protocol=protocol, **kwargs
        )
        self.ws_handler = without_path(ws_handler)
        self.ws_server = ws_server
        self.origins = protocol.origins
        self.available_extensions = extensions
        self.available_subprotocols = subprotocols
        self.extra_headers = extra_headers
        self.server_header = server_header
        # Most have none, and this is done for each connection.
        self._process_request = self._select_subprotocol = None
        if process_request is not None:
            self._process_request = as_hook("process_request", process_request)
        if select_subprotocol is not None:
            self._select_subprotocol = as_hook("select_subprotocol", select_subprotocol)
        self._process_response = process_response
        self.origin: Origin | None = None

    async def _opens(self) -> bool:
        """Perform the handshake; return whether the connection is open."""
        try:
            await self.handshake(
                origins=self.origins,
                available_extensions=self.available_extensions,
                available_subprotocols=self.available_subprotocols,
                extra_headers=self.extra_headers,
            )
        except ConnectionError as exc:
            self._log_failed_handshake(exc)
        except InvalidHandshake as exc:
            self._log_failed_handshake(exc)
            self._answer_failed_handshake(exc)
        except Exception as exc:
            if self.protocol.handshake_exc is not exc:
                # It comes from an override of handshake().
                self.logger.error("opening handshake failed", exc_info=True)
            if self.protocol.state is State.CONNECTING and not self.protocol.eof_sent:
                self.write_http_response(http.HTTPStatus.INTERNAL_SERVER_ERROR, {})
        if self.protocol.state is State.CONNECTING:
            await self.wait_closed()
        if self.response is not None:
            return self.response.status_code == 101
        # An override of handshake() may have opened it in its own way.
        return self.protocol.state is State.OPEN

    def _finish_writing(self) -> None:
        """End our stream; after a refusal, a framework's connection at once."""
        refused = self.protocol.state is State.CONNECTING
        if not refused or isinstance(self.ws_server, WebSocketServer):
            super()._finish_writing()
            return
        # A framework goes on writing to its transport, for example a refusal of its
        # own when it shuts down. After the end of the stream, that is an error; to
        # a closed transport, nothing.
        self._writing_finished = True
        self.close_transport()

    def _answer_failed_handshake(self, exc: InvalidHandshake) -> None:
        """Answer what an override of :meth:`handshake` raised by itself."""
        if self.protocol.state is not State.CONNECTING or self.protocol.eof_sent:
            return
        if isinstance(exc, AbortHandshake):
            self.write_http_response(exc.status, exc.headers, exc.body)
        else:
            text = f"Failed to open a WebSocket connection: {exc}.\n"
            body = text.encode(errors="backslashreplace")
            self.write_http_response(exc.status, {}, body)

    # The opening handshake.

    async def handshake(
        self,
        origins: Origins | None = None,
        available_extensions: Sequence[ServerExtensionFactory] | None = None,
        available_subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLikeOrCallable | None = None,
    ) -> str:
        """
        Perform the server's side of the opening handshake.

        Args:
            origins: acceptable values of the Origin header; None for any.
            available_extensions: extensions that may be accepted.
            available_subprotocols: subprotocols that the server speaks.
            extra_headers: headers to add to the response.

        Returns:
            The path of the request.

        Raises:
            InvalidHandshake: if the handshake failed; it was answered.

        """
        protocol = self.protocol
        assert isinstance(protocol, ClassicServerProtocol)
        protocol.origins = origins
        protocol.available_extensions = available_extensions
        protocol.available_subprotocols = available_subprotocols
        self._handshake_headers = extra_headers
        protocol.owner = self
        try:
            response = await opening.accept(self, self)
        finally:
            protocol.owner = None
        if response is None or response.status_code != 101:
            if isinstance(protocol.handshake_exc, InvalidHandshake):
                raise protocol.handshake_exc
            if response is not None:
                raise AbortHandshake(
                    response.status_code, response.headers, bytes(response.body or b"")
                )
            raise ConnectionError("connection lost during the opening handshake")
        return self.path

    def answer_request(self, request: Request) -> Awaitable[Response | None] | None:
        """Ask :meth:`process_request` for an answer."""
        self.path = request.path
        self.request_headers = request.headers
        if self._process_request is None and (
            getattr(self.process_request, "__func__", None) is _PROCESS_REQUEST
        ):
            # Nobody has anything to say.
            return None
        return self._ask_process_request(request)

    async def _ask_process_request(self, request: Request) -> Response | None:
        answer: Any
        try:
            answer = await call(self.process_request, request.path, request.headers)
        except AbortHandshake as exc:
            answer = exc.status, exc.headers, exc.body
        except InvalidHandshake as exc:
            # The hook has checked the request by itself.
            assert isinstance(self.protocol, ServerProtocol)
            self.protocol.handshake_exc = exc
            answer = self.protocol._reject_for(exc)
        if answer is None or isinstance(answer, Response):
            return answer
        return _make_response(answer)

    def finish_response(
        self, request: Request, response: Response
    ) -> Awaitable[Response] | Response:
        """Add the headers that every response has, and the extra ones."""
        headers = response.headers
        if response.status_code == 101:
            self.origin = getattr(self.protocol, "origin", None)
            self._add_extra_headers(request, headers)
        if "Date" not in headers:
            headers["Date"] = format_date()
        if self.server_header is not None and "Server" not in headers:
            headers["Server"] = self.server_header
        return self._change(self._process_response, request, response)

    def _add_extra_headers(self, request: Request, headers: Headers) -> None:
        # Subclasses change self.extra_headers while the handshake runs.
        extra = self._handshake_headers
        if self.extra_headers is not extra and self.extra_headers is not None:
            extra = self.extra_headers
        if callable(extra):
            extra = extra(request.path, request.headers)
        if extra is not None:
            headers.update(extra)

    async def read_http_request(self) -> tuple[str, Headers]:
        """
        Wait for the handshake request.

        Returns:
            Its path and its headers.

        Raises:
            InvalidMessage: if what was received isn't a request.

        """
        await self.handshake_received()
        if self.request is None:
            raise self.protocol.handshake_exc or ConnectionError("connection lost")
        return self.request.path, self.request.headers

    def write_http_response(
        self, status: StatusLike, headers: HeadersLike, body: bytes | None = None
    ) -> None:
        """
        Write a handshake response; for those who do the handshake themselves.

        Args:
            status: HTTP status.
            headers: all the headers.
            body: the body; None for none.

        """
        protocol = self.protocol
        assert isinstance(protocol, ServerProtocol)
        status = http.HTTPStatus(status)
        response = Response(status.value, status.phrase, Headers(headers), body or b"")
        if status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            response = _make_response((status, headers, body or b""))
        self.response = response
        protocol.send_response(response)
        self.written()
        if protocol.state is State.OPEN:
            self.opened()

    async def process_request(
        self, path: str, request_headers: Headers
    ) -> HTTPResponse | None:
        """
        Intercept the HTTP request, to answer it or to do something with it.

        May be overridden, async or not; or passed as an argument.

        Args:
            path: path of the request, with the query.
            request_headers: headers of the request.

        Returns:
            None to go on with the handshake; a status, headers and a body to
            answer these instead.

        """
        if self._process_request is None:
            return None
        answer: Any = await call(self._process_request, self, path, request_headers)
        return answer  # type: ignore[no-any-return]

    @staticmethod
    def process_origin(
        headers: Headers, origins: Origins | None = None
    ) -> Origin | None:
        """
        Check the Origin header of the request.

        Raises:
            InvalidOrigin: if it isn't acceptable.

        """
        return check_origin(headers, origins)

    @staticmethod
    def process_extensions(
        headers: Headers,
        available_extensions: Sequence[ServerExtensionFactory] | None,
    ) -> tuple[list[Extension], list[ExtensionHeader]]:
        """Return the extensions to use, and what to answer about them."""
        return negotiate_extensions(headers, available_extensions)

    def process_subprotocol(
        self,
        headers: Headers,
        available_subprotocols: Sequence[Subprotocol | str] | None,
    ) -> Subprotocol | None:
        """Return the subprotocol to use; None for none."""
        offered = offered_subprotocols(headers)
        available = [Subprotocol(name) for name in available_subprotocols or ()]
        hook = self._select_subprotocol
        asked = hook is not None and hook.modern
        if not asked and not (offered and available):
            return None
        return check_choice(self.select_subprotocol(offered, available), offered)

    def select_subprotocol(
        self,
        client_subprotocols: Sequence[Subprotocol],
        server_subprotocols: Sequence[Subprotocol],
    ) -> Subprotocol | None:
        """
        Choose a subprotocol among those that both sides offer.

        May be overridden, or passed as an argument.

        Args:
            client_subprotocols: what the client offers, most wanted first.
            server_subprotocols: what the server speaks, most wanted first.

        Returns:
            The common one that both together want most, or the server's
            choice where that leaves several; None to open the connection
            without a subprotocol, which is what happens if none is common.

        """
        hook = self._select_subprotocol
        if hook is not None:
            chosen: Any = hook(self, client_subprotocols, server_subprotocols)
            return chosen  # type: ignore[no-any-return]
        common = [name for name in server_subprotocols if name in client_subprotocols]
        return min(
            common,
            key=lambda name: (
                client_subprotocols.index(name) + server_subprotocols.index(name)
            ),
            default=None,
        )


_PROCESS_REQUEST = WebSocketServerProtocol.process_request


class WebSocketServer(Listener[WebSocketServerProtocol]):
    """
    A server, as ``await serve(...)`` returns it.

    It can be used with ``async with`` too, which closes it at the end.

    Args:
        logger: logger for this server; None for
            ``logging.getLogger("websockets.server")``.

    """

    @property
    def websockets(self) -> set[WebSocketServerProtocol]:
        """The connections whose handlers run."""
        return self.live

    @property
    def connections(self) -> set[WebSocketServerProtocol]:
        """The open connections, as modern servers name them."""
        return {item for item in self.live if item.open}

    @property
    def server(self) -> asyncio.Server | None:
        """The asyncio server that accepts connections; None before that."""
        return self._server

    def wrap(self, server: asyncio.Server) -> None:
        """Take the asyncio server that accepts connections."""
        self.attach(server, server.get_loop())

    async def __aenter__(self) -> WebSocketServer:
        """Return the server."""
        return self


class Serve:
    """
    Start a WebSocket server.

    Await it, or use it with ``async with``, which closes the server at the end;
    either gives a :class:`WebSocketServer`. Whenever a client connects, the
    server makes a :class:`WebSocketServerProtocol`, performs the opening
    handshake, runs the handler, and closes the connection when the handler has
    ended, be it with an exception.

    Args:
        ws_handler: the handler: an async function of the connection, or of the
            connection and the path.
        host: where to listen, as for ``create_server()``.
        port: where to listen; 0 for any free port.
        create_protocol: makes connections: a subclass of
            :class:`WebSocketServerProtocol`, or a function with its arguments.
        logger: logger for this server and its connections: a logger or a
            logger adapter; None for ``logging.getLogger("websockets.server")``.
        compression: "deflate" to compress messages where clients can; None not
            to.
        origins: acceptable values of the Origin header, or compiled patterns that
            must match the whole value; None in it stands for no Origin header,
            :data:`~websockets.SAME_ORIGIN` for the Host header's host; None instead
            of it for any.
        hosts: acceptable values of the Host header: names with a port or, for any
            port, without, or compiled patterns that must match the whole value; None
            for any, even none. See :doc:`/topics/security`.
        extensions: extensions that may be accepted, most wanted first.
        subprotocols: subprotocols that the server speaks, most wanted first.
        extra_headers: headers to add to the response, or a function of the path
            and the request's headers that returns them.
        server_header: value of the Server header; None to send none.
        process_request: a function of the path and the headers, async or not,
            that may answer the request by itself; see
            :meth:`WebSocketServerProtocol.process_request`. One of the connection
            and the request, as modern servers take it, will do too; see
            :func:`~websockets.classic.compat.modern_hook`.
        select_subprotocol: a function to choose the subprotocol; see
            :meth:`WebSocketServerProtocol.select_subprotocol`. One of the
            connection and what the client offers will do too.
        open_timeout: seconds for the opening handshake; None for no limit.
        ping_interval: seconds between keepalive pings; None for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for 10.
        max_size: most bytes in a received message; None for no limit.
        max_queue: messages that may wait to be received; None for no limit.
        read_limit: bytes that are still read when ``max_queue`` messages wait.
        write_limit: bytes that may wait to be written before sending waits.
        limits: what clients may use, and how fast; None for ``Limits()``. See
            :class:`~websockets.Limits`.
        shutdown_timeout: seconds for closing the server; None for no limit. See
            :meth:`WebSocketServer.close`.
        kwargs: arguments for the event loop's ``create_server()``: ``sock``,
            ``ssl``, ``reuse_port``, ``start_serving``, ``backlog`` (100; 256 on event
            loops other than asyncio's)... Older spellings are
            accepted too: ``klass``, ``timeout``, ``loop``, ``legacy_recv``. So are
            ``process_response`` and ``create_connection`` of the modern
            :func:`~websockets.asyncio.server.serve`; the latter makes everything
            modern, the server and its connections.

    Raises:
        OSError: if the server can't listen there.
        TypeError: if an argument is of the wrong type.
        ValueError: if an argument has a value that makes no sense.

    Attributes:
        ws_server: the server, already before it is awaited.

    """

    def __init__(
        self,
        ws_handler: Handler,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        create_protocol: Callable[..., WebSocketServerProtocol] | None = None,
        logger: LoggerLike | None = None,
        compression: str | None = "deflate",
        origins: Origins | None = None,
        extensions: Sequence[ServerExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLikeOrCallable | None = None,
        server_header: str | None = SERVER,
        process_request: ProcessRequest | None = None,
        select_subprotocol: SelectSubprotocol | None = None,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = None,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 2**5,
        read_limit: int = 2**16,
        write_limit: int | tuple[int, int | None] = 2**16,
        limits: Limits | None = None,
        hosts: Hosts | None = None,
        shutdown_timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        timeout = kwargs.pop("timeout", None)
        if close_timeout is None:
            close_timeout = CLOSE_TIMEOUT if timeout is None else timeout
        klass = kwargs.pop("klass", None)
        legacy_recv = kwargs.pop("legacy_recv", False)
        loop = kwargs.pop("loop", None)
        process_response = kwargs.pop("process_response", None)
        create_protocol, create_connection = split_factory(
            create_protocol or klass, kwargs
        )
        check_arguments(
            host=host,
            port=port,
            create_protocol=create_protocol,
            extra_headers=extra_headers,
            process_request=process_request,
            process_response=process_response,
            select_subprotocol=select_subprotocol,
            logger=logger,
            origins=origins,
            hosts=hosts,
            subprotocols=subprotocols,
            server_header=server_header,
        )
        check_options("serve", kwargs)
        settings: dict[str, Any] = {
            "open_timeout": open_timeout,
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "max_queue": max_queue,
            "write_limit": write_limit,
            **given(limits=limits),
        }
        check_settings(max_size, read_limit=read_limit, **settings)
        check_seconds("shutdown_timeout", shutdown_timeout)
        settings |= {
            "logger": logger,
            "origins": _with_none(origins),
            "extensions": with_compression(
                extensions, compression, enable_server_permessage_deflate
            ),
            "subprotocols": subprotocols,
            "server_header": server_header,
            "max_size": max_size,
            **given(hosts=hosts),
        }
        if process_response is not None:
            settings["process_response"] = process_response
        self._loop: asyncio.AbstractEventLoop | None = loop
        self.ws_server: Any = None
        if create_connection is not None:
            self.ws_server = make_modern_server(
                *(ws_handler, host, port),
                extra_headers=extra_headers,
                process_request=process_request,
                select_subprotocol=select_subprotocol,
                create_connection=create_connection,
                shutdown_timeout=shutdown_timeout,
                **settings,
                **kwargs,
            )
            return
        self.ws_server = WebSocketServer(logger=logger)
        self.ws_server.open_timeout = open_timeout
        self.ws_server.shutdown_timeout = shutdown_timeout
        self.ws_server.admission.limits = limits or Limits()
        self._host = host
        self._port = port
        self._kwargs = kwargs
        self._factory = functools.partial(
            create_protocol or WebSocketServerProtocol,
            # By keyword: a factory may have positional parameters of its own. The
            # handler and the hooks are looked at once, not for each connection.
            ws_handler=without_path(ws_handler),
            ws_server=self.ws_server,
            extra_headers=extra_headers,
            process_request=as_hook("process_request", process_request),
            select_subprotocol=as_hook("select_subprotocol", select_subprotocol),
            read_limit=read_limit,
            host=host if isinstance(host, str) else None,
            port=port,
            secure=kwargs.get("ssl") is not None,
            legacy_recv=legacy_recv,
            loop=loop,
            **settings,
        )

    def __await__(self) -> Generator[Any, None, WebSocketServer]:
        """Start the server."""
        return self._start().__await__()

    async def __aenter__(self) -> WebSocketServer:
        """Start the server."""
        return await self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the server, and wait for its end."""
        self.ws_server.close()
        await self.ws_server.wait_closed()

    async def _start(self) -> WebSocketServer:
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise RuntimeError("serve() was given another event loop than runs here")
        server: Any = self.ws_server
        if isinstance(server, WebSocketServer):
            await server.listen(self._factory, self._host, self._port, self._kwargs)
            return server
        return await server  # type: ignore[no-any-return]


serve = Serve


def unix_serve(
    ws_handler: Handler,
    path: str | None = None,
    **kwargs: Any,
) -> Serve:
    """
    Start a WebSocket server that listens on a Unix socket.

    Args:
        ws_handler: the handler; see :func:`serve`.
        path: path of the socket; None if there is a ``sock`` argument.
        kwargs: arguments of :func:`serve`, and of the event loop's
            ``create_unix_server()``.

    """
    return Serve(ws_handler, path=path, unix=True, **kwargs)


def _with_none(origins: Origins | None) -> Origins | None:
    """Have "" in ``origins`` stand for no Origin header, as None does."""
    if origins is None or "" not in origins:
        return origins
    warnings.warn("use None instead of '' in origins", DeprecationWarning, stacklevel=3)
    return [origin or None for origin in origins]


def _make_response(answer: Any) -> Response:
    """Make a response of what ``process_request`` answered."""
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise TypeError(
            "process_request must return None or (status, headers, body), "
            f"not {answer!r}"
        )
    status, headers, body = answer
    status = http.HTTPStatus(status)
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"process_request must return a body of bytes, not {type(body).__name__}"
        )
    headers = Headers(headers)
    defaults = {
        "Content-Length": str(len(body)),
        "Content-Type": "text/plain",
        "Connection": "close",
    }
    headers.update({name: defaults[name] for name in defaults if name not in headers})
    return Response(status.value, status.phrase, headers, bytes(body))
