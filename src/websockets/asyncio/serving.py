"""Floor 4, engine: the life of a server's connection, whatever its face.

It begins with the handshake, for which each face has its own hooks, goes on with
the handler, and ends with the closing handshake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..codes import CloseCode, State
from .connection import Connection

__all__ = ["ServerSide"]


class ServerSide(Connection):
    """
    A server's connection.

    Attributes:
        ws_handler: the handler: an async function of the connection.
        ws_server: the server: an object with the methods ``register(connection)``,
            ``unregister(connection)`` and ``is_serving()``.

    """

    ws_handler: Callable[[Any], Awaitable[Any]]
    ws_server: Any

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
        super().connection_lost(exc)
        if self.handler_task is None:
            self.ws_server.unregister(self)

    def handshake_ready(self) -> None:
        """Begin the handshake and the handler: the request has come."""
        if self.handler_task is None and not self._lost:
            self.handler_task = self._get_loop().create_task(self.handler())
        super().handshake_ready()

    def handshake_timed_out(self) -> None:
        """End a connection whose opening handshake takes too long."""
        if self.debug:
            self.logger.debug("! timed out during the opening handshake")
        super().handshake_timed_out()
        if self.handler_task is not None:
            self.handler_task.cancel()

    def is_serving(self) -> bool:
        """Tell whether the server accepts connections."""
        return bool(self.ws_server.is_serving())

    async def handler(self) -> None:
        """Perform the handshake, run the handler, and close the connection."""
        try:
            if await self._opens():
                try:
                    # Awaited from here and no deeper: every message that comes
                    # passes through whatever lies between.
                    await self.ws_handler(self)
                except Exception:
                    self._handler_failed()
                await self.close()
                self.logger.info("connection closed")
        except asyncio.CancelledError:
            refused = self.protocol.state is State.CONNECTING and (
                self._handshake_timed_out or not self.ws_server.is_serving()
            )
            if not refused:
                self.fail(CloseCode.INTERNAL_ERROR)
                raise
            await self.wait_closed()
        finally:
            self.ws_server.unregister(self)

    def _handler_failed(self) -> None:
        """Say that the handler raised an exception, to the log and to the peer."""
        self.logger.error("connection handler failed", exc_info=True)
        if self.protocol.state is State.OPEN:
            self.fail(CloseCode.INTERNAL_ERROR)

    def _log_failed_handshake(self, exc: Exception) -> None:
        if self.debug:
            self.logger.debug("! opening handshake failed: %s", exc)
