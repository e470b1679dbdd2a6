#!/usr/bin/env python
"""A server and a client exchange messages in one process; each step is printed.

Lines that start with "log" are what the library logs at level INFO.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import websockets


def say(who: str, text: str) -> None:
    """Print one step."""
    print(f"{who:6} | {text}", flush=True)


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    """Serve one connection: send back every message that comes in."""
    async for message in websocket:
        say("server", f"received {message!r}; sending it back")
        await websocket.send(message)
    say("server", "the client has closed the connection")


async def talk(uri: str) -> None:
    """Be a client: send a text, a binary and a fragmented message, and a ping."""
    async with websockets.connect(uri) as websocket:
        say("client", f"connected to {uri}")

        say("client", "sending text")
        await websocket.send("Hello, world!")
        say("client", f"received {await websocket.recv()!r}")

        say("client", "sending bytes")
        await websocket.send(b"\x00\x01\xfe\xff")
        say("client", f"received {await websocket.recv()!r}")

        say("client", "sending one message in three fragments")
        await websocket.send(["one, ", "two, ", "three"])
        say("client", f"received {await websocket.recv()!r}")

        say("client", "sending a ping")
        pong = await websocket.ping()
        await pong
        say("client", f"received its pong after {websocket.latency * 1000:.2f} ms")

    say("client", f"closed with code {websocket.close_code}")


async def main() -> None:
    """Start the server on a free port of this machine, and talk to it."""
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        await talk(f"ws://{host}:{port}/")
    say("server", "stopped")


if __name__ == "__main__":
    logging.basicConfig(
        format="log    | %(name)s: %(message)s", level=logging.INFO, stream=sys.stdout
    )
    asyncio.run(main())
