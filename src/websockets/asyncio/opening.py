"""Floor 4, engine: the opening handshake on asyncio, for both sides and faces.

The rules are the protocol's. What the application has to say is asked of hooks,
which each face answers in its own shape.
"""

from __future__ import annotations

import asyncio
import http
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from ..codes import State
from ..datastructures import HeadersLike
from ..exceptions import InvalidMessage
from ..http11 import Request, Response
from ..server import ServerProtocol
from .admission import reason_of

if TYPE_CHECKING:
    from ..client import ClientProtocol
    from .connection import Connection

__all__ = ["ServerHooks", "accept", "initiate", "make_request", "refuse"]


class ServerHooks(Protocol):
    """
    What a server's face has to say about a handshake.

    Two of these give what they say, or an awaitable of it where the application is
    asked: servers that ask it nothing make no coroutines for each connection.

    Attributes:
        failure: what the log says when one of these raises an exception.

    """

    failure: str

    def is_serving(self) -> bool:
        """Tell whether the server accepts connections."""

    def count_rejection(self, reason: str) -> None:
        """Take note of why the handshake fails; the first time counts."""

    def answer_request(
        self, request: Request
    ) -> Awaitable[Response | None] | Response | None:
        """Return a response to send instead of going on; None to go on."""

    def finish_response(
        self, request: Request, response: Response
    ) -> Awaitable[Response] | Response:
        """Return the response as it should be sent, with all its headers."""


async def accept(connection: Connection, hooks: ServerHooks) -> Response | None:
    """
    Take part in the opening handshake as a server (RFC 6455, 4.2).

    Args:
        connection: the connection; its protocol is a :class:`ServerProtocol`.
        hooks: what the application has to say.

    Returns:
        The response that was sent: with status 101, the connection is open.
        None if what was received isn't a request; the protocol has answered
        that already.

    Raises:
        ConnectionError: if the connection was lost meanwhile.
        Exception: what a hook raised, after it was answered with status 500.

    """
    protocol = connection.protocol
    assert isinstance(protocol, ServerProtocol)
    if connection.request is None:
        await connection.handshake_received()
    request = connection.request
    if request is None or protocol.handshake_exc is not None:
        return None
    try:
        response = await _respond(protocol, hooks, request)
        _send(connection, response)
    except asyncio.CancelledError:
        if not hooks.is_serving():
            hooks.count_rejection("shutting_down")
            _send(connection, _unavailable(protocol))
        raise
    except _Lost:
        raise
    except Exception as exc:
        protocol.handshake_exc = exc
        hooks.count_rejection("error")
        connection.logger.error(hooks.failure, exc_info=True)
        await _say_sorry(connection, hooks, request)
        raise
    return response


async def _say_sorry(
    connection: Connection, hooks: ServerHooks, request: Request
) -> None:
    """Answer a request, since the application failed to."""
    protocol = connection.protocol
    assert isinstance(protocol, ServerProtocol)
    response = protocol.reject(
        http.HTTPStatus.INTERNAL_SERVER_ERROR,
        "Failed to open a WebSocket connection.\n"
        "See server log for more information.\n",
    )
    try:
        finished = hooks.finish_response(request, response)
        if not isinstance(finished, Response):
            finished = await finished
        _send(connection, finished)
    except Exception:
        # It's what failed the first time.
        _send(connection, response)


async def _respond(
    protocol: ServerProtocol, hooks: ServerHooks, request: Request
) -> Response:
    """Make the response, as the hooks want it."""
    if not hooks.is_serving():
        hooks.count_rejection("shutting_down")
        response = _unavailable(protocol)
    else:
        closed = False
        answer = hooks.answer_request(request)
        if answer is not None and not isinstance(answer, Response):
            answer = await answer
            # There was time for it.
            closed = not hooks.is_serving()
        if answer is not None:
            if answer.status_code == 101:
                raise ValueError(
                    "process_request must return None to open the connection, "
                    "not a response with status 101"
                )
            hooks.count_rejection("hook")
            response = answer
        elif closed:
            hooks.count_rejection("shutting_down")
            response = _unavailable(protocol)
        else:
            response = protocol.accept(request)
            if response.status_code != 101:
                hooks.count_rejection(reason_of(protocol.handshake_exc))
    finished = hooks.finish_response(request, response)
    return finished if isinstance(finished, Response) else await finished


class _Lost(ConnectionError):
    """The connection was lost; it isn't a hook that failed."""


def _unavailable(protocol: ServerProtocol) -> Response:
    return protocol.reject(
        http.HTTPStatus.SERVICE_UNAVAILABLE, "Server is shutting down.\n"
    )


def refuse(connection: Connection, response: Response | None = None) -> None:
    """
    Answer a handshake that is under way, whether or not its request has come.

    Args:
        connection: the connection.
        response: the answer; None for what is told when the server is closed.

    """
    protocol = connection.protocol
    assert isinstance(protocol, ServerProtocol)
    _send(connection, response or _unavailable(protocol))


def _send(connection: Connection, response: Response) -> None:
    """Send the response, unless the connection is lost."""
    protocol = connection.protocol
    assert isinstance(protocol, ServerProtocol)
    if protocol.state is not State.CONNECTING or protocol.eof_sent:
        raise _Lost(
            "connection lost during the opening handshake"
        ) from connection._lost_exc
    try:
        protocol.send_response(response)
    except Exception:
        if protocol.writes:
            # The application's logging has failed, halfway.
            connection.transport.abort()
        raise
    connection.response = response
    connection.written()
    if response.status_code == 101:
        connection.opened()


def make_request(
    protocol: ClientProtocol,
    headers: HeadersLike | None,
    user_agent_header: str | None,
) -> Request:
    """
    Make the request of a handshake.

    Args:
        protocol: the connection's protocol.
        headers: headers to add to it; those with the same name stay.
        user_agent_header: value of the User-Agent header, unless it is among
            them; None to send none.

    """
    request = protocol.connect()
    if headers is not None:
        request.headers.update(headers)
    if user_agent_header is not None and "User-Agent" not in request.headers:
        request.headers["User-Agent"] = user_agent_header
    return request


async def initiate(connection: Connection, request: Request) -> None:
    """
    Take part in the opening handshake as a client (RFC 6455, 4.1).

    Args:
        connection: the connection; its protocol is a :class:`ClientProtocol`.
        request: the request to send.

    Raises:
        InvalidHandshake: if the server doesn't accept.

    """
    protocol: ClientProtocol = connection.protocol  # type: ignore[assignment]
    connection.request = request
    if protocol.handshake_exc is None:
        # Servers may refuse before they have read anything.
        protocol.send_request(request)
        connection.written()
    await connection.handshake_received()
    if protocol.handshake_exc is not None:
        raise protocol.handshake_exc
    if connection.response is None:
        raise InvalidMessage(
            "connection closed before a valid HTTP response was received"
        ) from connection._lost_exc
    connection.opened()
