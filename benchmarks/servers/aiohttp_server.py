"""Echo with aiohttp's WebSocket server."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web
from harness import MAX_SIZE, Options, Server, run


def make_application(compress: bool) -> web.Application:
    """Make the application that echoes at ``/``."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=compress, max_msg_size=MAX_SIZE)
        await ws.prepare(request)
        async for message in ws:
            if message.type == WSMsgType.BINARY:
                await ws.send_bytes(message.data)
            elif message.type == WSMsgType.TEXT:
                await ws.send_str(message.data)
        return ws

    application = web.Application()
    application.router.add_get("/", echo)
    return application


async def start(options: Options) -> Server:
    """Start the server."""
    application = make_application(options.compression is not None)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    loop = asyncio.get_running_loop()
    return await loop.create_server(runner.server, options.host, 0)


if __name__ == "__main__":
    run(start)
