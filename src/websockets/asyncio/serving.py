"""Floor 4, engine: the life of a server's connection, whatever its face.

It begins with the handshake, for which each face has its own hooks, goes on with
the handler, and ends with the closing handshake.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..codes import CloseCode, State
from ..exceptions import InvalidHandshake, forget_tracebacks
from ..http11 import Request, Response
from ..server import ServerProtocol
from ..typing import StatusLike
from . import opening
from .admission import LINGER, Admission, reason_of
from .shortcuts import FastConnection

__all__ = ["ServerSide", "call", "in_turn"]

T = TypeVar("T")

#: What the log says when a handshake fails for another reason than a hook's.
_FAILURE = "opening handshake failed"


async def call(hook: Callable[..., Awaitable[T] | T], *args: Any) -> T:
    """Call a hook of the application, async or not."""
    answer: Any = hook(*args)
    if inspect.isawaitable(answer):
        answer = await answer
    return answer  # type: ignore[no-any-return]


def in_turn(
    first: Callable[..., Any] | None, then: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a hook that asks two, async or not, until one has an answer."""
    if first is None:
        return then

    async def ask(*args: Any) -> Any:
        answer = await call(first, *args)
        return await call(then, *args) if answer is None else answer

    return ask


class ServerSide(FastConnection):
    """
    A server's connection.

    Attributes:
        ws_handler: the handler: an async function of the connection.
        ws_server: the server: an object with the methods ``register(connection)``,
            ``unregister(connection)`` and ``is_serving()``.
        failure: what the log says when a hook raises an exception.
        rejection: why the handshake has failed, in a word; None if it hasn't.

    """

    ws_handler: Callable[[Any], Awaitable[Any]]
    ws_server: Any
    failure = _FAILURE
    rejection: str | None = None

    if TYPE_CHECKING:

        async def _opens(self) -> bool:
            """Perform the handshake; return whether the connection is open."""
            ...

    def connection_made(self, transport: Any) -> None:
        """Take the transport, and let the server know; called by the loop."""
        super().connection_made(transport)
        self.ws_server.register(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything; called by the event loop."""
        try:
            super().connection_lost(exc)
        finally:
            self._leave()

    def let_go(self) -> None:
        """Let go of what refers to us."""
        super().let_go()
        protocol = self.protocol
        if isinstance(protocol.handshake_exc, InvalidHandshake):
            forget_tracebacks(protocol.handshake_exc)
        else:
            # It is what a hook has raised.
            protocol.handshake_exc = None

    def _leave(self) -> None:
        """Have the server forget the connection, once its handler has ended."""
        if self.handler_task is None:
            self.ws_server.unregister(self)
        elif self.opening and self._settings.open_timeout is not None:
            # A hook still runs, and has no more time than with the peer there.
            timer = self._get_loop().call_later(
                self._settings.open_timeout, self.handshake_timed_out
            )
            self.handler_task.add_done_callback(lambda task: timer.cancel())

    # Who gets in.

    @property
    def _admission(self) -> Admission | None:
        """What decides who gets in; servers of frameworks have nothing of the sort."""
        return getattr(self.ws_server, "admission", None)

    def _receive_handshake(self, data: bytes) -> None:
        super()._receive_handshake(data)
        if self.request is None and not self.protocol.discarding:
            admission = self._admission
            if admission is not None:
                admission.received(self, len(data))

    def handshake_ready(self) -> None:
        """Begin the handshake and the handler: the request has come."""
        if self.handler_task is None and not self._lost and self._may_begin():
            self.handler_task = self._get_loop().create_task(self.handler())
            self.handler_task.add_done_callback(self._handler_ended)
        super().handshake_ready()

    def _may_begin(self) -> bool:
        """Tell whether the handshake goes on, or was answered here and now."""
        admission, exc = self._admission, self.protocol.handshake_exc
        if admission is None:
            return True
        if exc is None:
            return admission.admit(self)
        # What isn't a request was answered already, and deserves no task.
        admission.settle(self)
        self.count_rejection(reason_of(exc))
        self._log_failed_handshake(exc)
        return False

    def turn_away(
        self, status: StatusLike, text: str, retry_after: float | None
    ) -> None:
        """
        Refuse the connection, whether or not its request has come.

        Args:
            status: HTTP status.
            text: what a person should read.
            retry_after: seconds to wait before trying again; None for no hint.

        """
        response = self.respond(status, text)
        if retry_after is not None:
            # RFC 9110, 10.2.3.
            response.headers["Retry-After"] = str(math.ceil(retry_after))
        opening.refuse(self, response)

    def count_rejection(self, reason: str) -> None:
        """Take note of why the handshake fails; the first time counts."""
        if self.rejection is None:
            self.rejection = reason
            admission = self._admission
            if admission is not None:
                admission.rejected[reason] += 1

    def _linger(self) -> None:
        """Wait for the end of the peer's stream; not long where it was refused."""
        if self.protocol.state is State.CONNECTING:
            clock = self._session.clock
            timeout = clock.close_timeout
            clock.close_timeout = LINGER if timeout is None else min(timeout, LINGER)
        super()._linger()

    def handshake_timed_out(self) -> None:
        """End a connection whose opening handshake takes too long."""
        self.count_rejection("timeout")
        if self.debug:
            self.logger.debug("! timed out during the opening handshake")
        super().handshake_timed_out()
        if self.handler_task is not None:
            self.handler_task.cancel()

    def cancel_handshake(self) -> None:
        """Cancel the handshake that is under way, with its hooks."""
        assert self.handler_task is not None
        self.count_rejection("shutting_down")
        # Later, since a task that is cancelled before it begins never does.
        self._get_loop().call_soon(self.handler_task.cancel)

    def cut_off(self, code: CloseCode | int, reason: str) -> None:
        """End at once, since the server must: there was time to do it better."""
        if self.handler_task is not None:
            # Later, as above.
            self._get_loop().call_soon(self.handler_task.cancel)
        if self.protocol.state is State.OPEN:
            self.fail(code, reason)
        else:
            self.transport.abort()

    def has_ended(self) -> bool:
        """Tell whether the connection is lost and its handler has ended."""
        task = self.handler_task
        return self._lost and task is not None and task.done()

    def was_opened(self) -> bool:
        """Tell whether the opening handshake succeeded."""
        return self.response is not None and self.response.status_code == 101

    def is_serving(self) -> bool:
        """Tell whether the server accepts connections."""
        return bool(self.ws_server.is_serving())

    # Hooks of the application.

    def respond(self, status: StatusLike, text: str) -> Response:
        """
        Make a response, for ``process_request`` to return.

        Args:
            status: HTTP status.
            text: what a person should read; encoded to UTF-8. Headers may be
                changed.

        """
        assert isinstance(self.protocol, ServerProtocol)
        return self.protocol.reject(status, text)

    async def _ask(
        self, name: str, hook: Callable[..., Any], *args: Any
    ) -> Response | None:
        """Call a hook, async or not, that may return a response."""
        self.failure = f"{name} failed"
        answer = await call(hook, self, *args)
        if answer is not None and not isinstance(answer, Response):
            raise TypeError(
                f"{name} must return None or a Response, not {type(answer).__name__}"
            )
        self.failure = _FAILURE
        return answer

    def _change(
        self, hook: Callable[..., Any] | None, request: Request, response: Response
    ) -> Awaitable[Response] | Response:
        """Ask ``process_response`` for changes, unless a hook has failed already."""
        if hook is None or self.failure != _FAILURE:
            return response
        return self._ask_for_changes(hook, request, response)

    async def _ask_for_changes(
        self, hook: Callable[..., Any], request: Request, response: Response
    ) -> Response:
        status = response.status_code
        other = await self._ask("process_response", hook, request, response)
        response = response if other is None else other
        if response.status_code == 101 != status:
            self.failure = "process_response failed"
            raise ValueError(
                f"process_response cannot turn a response with status {status} into "
                "one with status 101: the handshake didn't succeed"
            )
        return response

    # The life of a connection.

    async def handler(self) -> None:
        """Perform the handshake, run the handler, and close the connection."""
        try:
            # The task has begun, and cleans up after itself.
            asyncio.current_task().remove_done_callback(  # type: ignore[union-attr]
                self._handler_ended
            )
            self.opening = True
            opened = await self._opens()
            self.opening = False
            if opened:
                try:
                    # Awaited from here and no deeper: every message that comes
                    # passes through whatever lies between.
                    await self.ws_handler(self)
                except Exception:
                    self._handler_failed()
                await self.close()
                if self.protocol._logger.isEnabledFor(logging.INFO):
                    # Else it needs no logger of its own.
                    self.logger.info("connection closed")
        except asyncio.CancelledError:
            refused = self.protocol.state is State.CONNECTING and (
                self._handshake_timed_out or not self.ws_server.is_serving()
            )
            if not refused:
                self.fail(CloseCode.INTERNAL_ERROR)
                raise
            await self.wait_closed()
        except Exception as exc:
            # Logging has failed, or a method of a subclass. Nobody serves it now.
            self.transport.abort()
            self._get_loop().call_exception_handler(
                {"message": "serving a connection failed", "exception": exc}
            )
        finally:
            self.let_go()
            self.ws_server.unregister(self)

    def _handler_ended(self, task: asyncio.Task[None]) -> None:
        """Clean up after a task that was cancelled before it began."""
        if task.cancelled() and not (self.opening or self.rejection or self.response):
            self.count_rejection("error")
            self.fail(CloseCode.INTERNAL_ERROR)
            self.ws_server.unregister(self)

    def _handler_failed(self) -> None:
        """Say that the handler raised an exception, to the log and to the peer."""
        self.logger.error("connection handler failed", exc_info=True)
        if self.protocol.state is State.OPEN:
            self.fail(CloseCode.INTERNAL_ERROR)

    def _log_failed_handshake(self, exc: Exception) -> None:
        if self.debug:
            self.logger.debug("! opening handshake failed: %s", exc)
