"""Floor 5, faces: what classic clients' and servers' connections have in common."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ..asyncio.broadcasting import broadcast
from ..asyncio.shortcuts import FastConnection
from ..codes import CloseCode, Side, State
from ..datastructures import Headers
from ..exceptions import ConnectionClosed
from ..extensions.base import Extension
from ..frames import Close, Opcode
from ..protocol import Protocol
from ..session.limits import Limits
from ..session.settings import check_max_size, make_settings
from ..typing import BytesLike, Data, LoggerLike

__all__ = ["WebSocketCommonProtocol", "broadcast"]

#: Seconds for the closing handshake unless said otherwise.
CLOSE_TIMEOUT = 10.0

#: How the frames of messages are sent.
_SENDING: dict[int, Callable[[Protocol, BytesLike, bool], None]] = {
    Opcode.CONT: Protocol.send_continuation,
    Opcode.TEXT: Protocol.send_text,
    Opcode.BINARY: Protocol.send_binary,
}


class _Attributes(FastConnection):
    """
    What classic connections have, in less room than a dictionary takes.

    Their class has a dictionary besides, for attributes that users set.
    """

    __slots__ = (
        "_host",
        "_port",
        "_request_headers",
        "_response_headers",
        "_secure",
        "legacy_recv",
        "path",
    )


class WebSocketCommonProtocol(_Attributes, asyncio.BufferedProtocol):
    """
    A WebSocket connection, whatever its side.

    :func:`connect` and :func:`serve` make connections; making one by hand is
    for frameworks.

    Args:
        logger: logger for this connection; None for
            ``logging.getLogger("websockets.protocol")``.
        ping_interval: seconds between keepalive pings; None for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for 10.
        max_size: most bytes in a received message; None for no limit.
        max_queue: messages that may wait to be received; None for no limit.
        read_limit: bytes that are still read when ``max_queue`` messages wait.
        write_limit: bytes that may wait to be written before sending waits.
        host: host of the server.
        port: port of the server.
        secure: whether the connection uses TLS.
        legacy_recv: whether :meth:`recv` returns None when the connection is
            closed instead of raising :exc:`ConnectionClosed`.
        loop: the event loop; None for the running one.
        timeout: another name of ``close_timeout``, which wins.
        open_timeout: seconds for the opening handshake; None for no limit.
        limits: what the peer may use; None for ``Limits()``.
        protocol: the sans-I/O protocol; None for one without a handshake.

    Attributes:
        path: path of the handshake request, with the query; empty before.
        ping_interval: as the argument.
        ping_timeout: as the argument.
        close_timeout: as the argument.

    """

    is_client = False
    side = "server"

    def __init__(
        self,
        *,
        logger: LoggerLike | None = None,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = None,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 2**5,
        read_limit: int = 2**16,
        write_limit: int | tuple[int, int | None] = 2**16,
        host: str | None = None,
        port: int | None = None,
        secure: bool | None = None,
        legacy_recv: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        timeout: float | None = None,
        open_timeout: float | None = 10,
        limits: Limits | None = None,
        protocol: Protocol | None = None,
    ) -> None:
        # As it mostly is; this is done for each connection.
        if type(max_size) is not int or max_size < 0:
            check_max_size(max_size)
        if close_timeout is None:
            close_timeout = CLOSE_TIMEOUT if timeout is None else timeout
        if protocol is None:
            protocol = Protocol(Side.SERVER, state=State.CONNECTING, logger=logger)
        protocol.max_size, protocol.reader.max_frame_size = (
            max_size if isinstance(max_size, tuple) else (max_size, None)
        )
        if loop is not None:
            self.loop = loop
        super().__init__(
            protocol,
            make_settings(
                open_timeout=open_timeout,
                ping_interval=ping_interval,
                ping_timeout=ping_timeout,
                close_timeout=close_timeout,
                max_queue=max_queue,
                read_limit=read_limit,
                write_limit=write_limit,
                limits=limits,
            ),
        )
        self._host = host
        self._port = port
        self._secure = secure
        self.path: str = ""
        self._request_headers: Headers | None = None
        self._response_headers: Headers | None = None
        self.legacy_recv = legacy_recv
        if legacy_recv:
            self.recv = self._recv_or_none  # type: ignore[method-assign, assignment]

    # What is known of the connection.

    @property
    def host(self) -> str | None:
        """Host of the server, where it was given; see also :attr:`local_address`."""
        return self._host

    @property
    def port(self) -> int | None:
        """Port of the server, where it was given; see also :attr:`local_address`."""
        return self._port

    @property
    def secure(self) -> bool | None:
        """Whether the connection uses TLS."""
        if self._secure is None and self.transport is not None:
            return self._extra_info("sslcontext") is not None
        return self._secure

    @property
    def open(self) -> bool:
        """
        Whether the connection is open: messages can be exchanged.

        Better do it and catch :exc:`ConnectionClosed`: the connection may be
        lost right after this said True.
        """
        return self.protocol.state is State.OPEN

    @property
    def closed(self) -> bool:
        """
        Whether the connection is closed for good.

        Neither :attr:`open` nor :attr:`closed` is True during the opening and
        the closing handshake.
        """
        return self.protocol.state is State.CLOSED

    @property
    def request_headers(self) -> Headers:
        """Headers of the handshake request; empty before it was read or made."""
        if self._request_headers is None:
            if self.request is None:
                return Headers()
            self._request_headers = self.request.headers
        return self._request_headers

    @request_headers.setter
    def request_headers(self, value: Headers) -> None:
        self._request_headers = value

    @property
    def response_headers(self) -> Headers:
        """Headers of the handshake response; empty before there is one."""
        if self._response_headers is None:
            if self.response is None:
                return Headers()
            self._response_headers = self.response.headers
        return self._response_headers

    @response_headers.setter
    def response_headers(self, value: Headers) -> None:
        self._response_headers = value

    @property
    def extensions(self) -> Sequence[Extension]:
        """Negotiated extensions."""
        return self.protocol.extensions

    @extensions.setter
    def extensions(self, value: Sequence[Extension]) -> None:
        self.protocol.use_extensions(value)

    @property
    def close_rcvd(self) -> Close | None:
        """Close frame received; None if there was none."""
        return self.protocol.close_rcvd

    @property
    def close_sent(self) -> Close | None:
        """Close frame sent; None if there was none."""
        return self.protocol.close_sent

    @property
    def close_rcvd_then_sent(self) -> bool | None:
        """Whether the close frame received came first; None unless both exist."""
        return self.protocol.close_rcvd_then_sent

    @property
    def messages(self) -> deque[Any]:
        """Messages that wait to be received; look at them, don't take them."""
        return self._inbox.messages

    @property
    def max_size(self) -> int | None:
        """Most bytes in a received message; None for no limit."""
        return self.protocol.max_size

    @max_size.setter
    def max_size(self, value: int | None) -> None:
        self.protocol.max_size = value

    @property
    def read_limit(self) -> int:
        """Bytes that are still read when ``max_queue`` messages wait."""
        return self._settings.read_limit

    # Messages.

    async def _recv_or_none(self) -> Data | None:
        try:
            return await FastConnection.recv(self)
        except ConnectionClosed:
            return None

    # What frameworks and subclasses use.

    def connection_open(self) -> None:
        """Open the connection; for those who do the handshake by themselves."""
        self.protocol.open()
        self.opened()

    def fail_connection(
        self, code: CloseCode | int = CloseCode.ABNORMAL_CLOSURE, reason: str = ""
    ) -> None:
        """
        End the connection because something went wrong.

        Args:
            code: why; 1006 to end it without a close frame.
            reason: an explanation for people; cut where it is too long.

        Doesn't wait; :meth:`wait_closed` does.
        """
        self.fail(code, reason)

    async def ensure_open(self) -> None:
        """
        Return if the connection is open.

        Raises:
            ConnectionClosed: if it is closed; while it's closing, after that.
            InvalidState: if the opening handshake isn't done.

        """
        await self._open()

    async def write_frame(self, fin: bool, opcode: int, data: BytesLike) -> None:
        """
        Send one frame; for those who cut messages into frames by themselves.

        Args:
            fin: whether it is the last frame of the message.
            opcode: the kind of frame.
            data: the payload; in text, a character may be cut in two.

        Raises:
            ConnectionClosed: if the connection is closed.
            ProtocolError: if a message begins inside another, or goes on that
                hasn't begun.
            ValueError: if the opcode isn't that of a message's frame.

        """
        if opcode not in _SENDING:
            raise ValueError(f"opcode must be 0, 1 or 2 for a message; got {opcode!r}")
        await self.ensure_open()
        _SENDING[opcode](self.protocol, data, fin)
        self.written()
        await self.drain()

    async def drain(self) -> None:
        """Wait until few enough bytes wait to be written."""
        await self._drained()

    def connection_closed_exc(self) -> ConnectionClosed:
        """Return the exception that says how the connection was closed."""
        return self._closed_error()
