"""aiohttp's WebSocket client."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from harness import MAX_SIZE, Options, Tally, run
from programs import work


class Connection:
    """aiohttp's connection, under the names that the others have.

    aiohttp sends bytes and text with different methods, and wraps what it receives:
    its users, too, have to tell them apart.
    """

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws
        self.send_bytes = ws.send_bytes

    async def send(self, message: bytes | str) -> None:
        """Send a message."""
        if isinstance(message, bytes):
            await self.send_bytes(message)
        else:
            await self.ws.send_str(message)

    async def recv(self) -> bytes | str:
        """Receive a message."""
        message = await self.ws.receive()
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            raise ConnectionError(str(message))
        data: bytes | str = message.data
        return data

    async def __aiter__(self) -> AsyncIterator[bytes | str]:
        """Receive messages."""
        async for message in self.ws:
            yield message.data


async def program(options: Options, tally: Tally) -> None:
    """Connect, and do what is to be measured."""
    async with (
        ClientSession() as session,
        session.ws_connect(options.uri, max_msg_size=MAX_SIZE) as ws,
    ):
        await work(Connection(ws), options, tally)


if __name__ == "__main__":
    run(program)
