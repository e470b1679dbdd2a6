"""A FastAPI application behind uvicorn, and our client: do they talk?

It runs in an environment with FastAPI and our library.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket

import websockets
from websockets.asyncio.client import connect as modern_connect

app = FastAPI()


@app.websocket("/echo/{name}")
async def echo(connection: WebSocket, name: str) -> None:
    """Say hello, then send text and bytes back, until there is nothing more."""
    if name == "nobody":
        await connection.close(1008)
        return
    subprotocol = "chat" if "chat" in connection.scope["subprotocols"] else None
    headers = [(b"x-name", name.encode())]
    await connection.accept(subprotocol=subprotocol, headers=headers)
    async for text in connection.iter_text():
        if text == "bytes":
            await connection.send_bytes(await connection.receive_bytes())
        elif text == "bye":
            await connection.close(4000, "as you wish")
        else:
            await connection.send_text(f"{name}: {text}")


async def talk(connect: Any, uri: str) -> None:
    """Exchange messages, be refused, and be closed."""
    async with connect(f"{uri}/echo/Ann", subprotocols=["chat"]) as connection:
        assert connection.subprotocol == "chat"
        assert connection.response.headers["X-Name"] == "Ann"
        for text in ["hello", "", "é" * 100_000]:
            await connection.send(text)
            assert await connection.recv() == f"Ann: {text}"
        await connection.send("bytes")
        await connection.send(bytes(200_000))
        assert await connection.recv() == bytes(200_000)
        await (await connection.ping())
        await connection.send("bye")
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (4000, "as you wish")
    try:
        await connect(f"{uri}/echo/nobody")
    except websockets.InvalidStatus as exc:
        assert exc.response.status_code == 403
    else:
        raise AssertionError("it should have been refused")


async def run(ws: str) -> None:
    """Serve with one of uvicorn's back ends, and talk with both of our clients."""
    config = uvicorn.Config(app, port=0, ws=ws, log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with asyncio.timeout(30):
        await talk(websockets.connect, f"ws://127.0.0.1:{port}")
        await talk(modern_connect, f"ws://127.0.0.1:{port}")
        # One that is still connected when the server stops.
        async with websockets.connect(f"ws://127.0.0.1:{port}/echo/Ann") as connection:
            server.should_exit = True
            await connection.wait_closed()
            assert connection.close_code == 1012
        await serving


def main() -> None:
    """Do it with the back end that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ws", choices=["websockets", "websockets-sansio"])
    asyncio.run(run(parser.parse_args().ws))


if __name__ == "__main__":
    main()
