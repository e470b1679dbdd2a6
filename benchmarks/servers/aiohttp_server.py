"""aiohttp's WebSocket server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientConnectionResetError, WSMsgType, web
from handlers import BREATH
from harness import CYCLE, MAX_SIZE, Options, Server, run

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY


async def echo(ws: web.WebSocketResponse) -> None:
    """Send every message back."""
    async for message in ws:
        if message.type == BINARY:
            await ws.send_bytes(message.data)
        elif message.type == TEXT:
            await ws.send_str(message.data)


async def sink(ws: web.WebSocketResponse) -> None:
    """Count messages and bytes; to a text, answer with the counts and the last one."""
    count = size = 0
    last = b""
    async for message in ws:
        if message.type == BINARY:
            count += 1
            size += len(message.data)
            last = message.data
        elif message.type == TEXT:
            await ws.send_bytes(b"%d %d " % (count, size) + last)


async def flood(ws: web.WebSocketResponse) -> None:
    """Repeat the first messages until the client closes.

    Here, somebody has to read for the client's close to be noticed.
    """
    messages = [await ws.receive_bytes() for _ in range(CYCLE)]
    closing = asyncio.ensure_future(ws.receive())
    try:
        while not closing.done():
            for _ in range(BREATH // CYCLE):
                for message in messages:
                    await ws.send_bytes(message)
            await asyncio.sleep(0)
    except ClientConnectionResetError:
        pass
    await closing


connections: set[web.WebSocketResponse] = set()


async def broadcast(ws: web.WebSocketResponse) -> None:
    """Send each message to all connections; aiohttp has nothing special for it."""
    connections.add(ws)
    try:
        async for message in ws:
            if message.type == BINARY:
                for each in connections:
                    await each.send_bytes(message.data)
            elif message.type == TEXT:
                for each in connections:
                    await each.send_str(message.data)
    finally:
        connections.discard(ws)


HANDLERS: dict[str, Callable[[web.WebSocketResponse], Awaitable[None]]] = {
    "echo": echo,
    "sink": sink,
    "flood": flood,
    "broadcast": broadcast,
}


def make_application(options: Options) -> web.Application:
    """Make the application, whose only resource is ``/``."""
    handle = HANDLERS[options.task]

    async def accept(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(
            compress=options.compression is not None,
            heartbeat=options.ping_interval,
            max_msg_size=MAX_SIZE,
        )
        await ws.prepare(request)
        await handle(ws)
        return ws

    application = web.Application()
    application.router.add_get("/", accept)
    return application


async def start(options: Options) -> Server:
    """Start the server."""
    runner = web.AppRunner(make_application(options), access_log=None)
    await runner.setup()
    loop = asyncio.get_running_loop()
    return await loop.create_server(runner.server, options.host, 0, ssl=options.tls)


if __name__ == "__main__":
    run(start)
