"""A program of the modern era, on the names of the asyncio package."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import assert_type

from werkzeug.routing import Map, Rule

from websockets import Close, Data, Headers, Request, Response, State, Subprotocol
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.asyncio.router import Router, route, unix_route
from websockets.asyncio.server import (
    Server,
    ServerConnection,
    basic_auth,
    broadcast,
    serve,
    unix_serve,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def handler(connection: ServerConnection) -> None:
    assert_type(await connection.recv(), str | bytes)
    assert_type(await connection.recv(decode=True), str)
    assert_type(await connection.recv(decode=False), bytes)
    assert_type(await connection.recv(True), str)
    async for message in connection:
        assert_type(message, str | bytes)
    async for part in connection.recv_streaming():
        assert_type(part, str | bytes)
    async for text in connection.recv_streaming(decode=True):
        assert_type(text, str)
    async for data in connection.recv_streaming(decode=False):
        assert_type(data, bytes)
    await connection.send("text")
    await connection.send(b"text", text=True)
    await connection.send(memoryview(b"binary"))
    await connection.send(["a", "b"])
    await connection.send(parts())
    pong = await connection.ping("data", ack_on_close=True)
    assert_type(await pong, float)
    await connection.pong()
    assert_type(connection.state, State)
    assert_type(connection.latency, float)
    assert_type(connection.request, Request | None)
    assert_type(connection.response, Response | None)
    assert_type(connection.subprotocol, Subprotocol | None)
    assert_type(connection.close_code, int | None)
    assert_type(connection.close_reason, str | None)
    assert_type(connection.username, str)
    await connection.close(code=1000, reason="done")
    await connection.wait_closed()


async def parts() -> AsyncIterator[str]:
    yield "a"


def process_request(connection: ServerConnection, request: Request) -> Response | None:
    assert_type(request.path, str)
    assert_type(request.headers, Headers)
    return connection.respond(404, "not here\n") if request.path != "/" else None


async def process_response(
    connection: ServerConnection, request: Request, response: Response
) -> None:
    assert_type(response.status_code, int)
    response.headers["X-Extra"] = "1"


def select_subprotocol(
    connection: ServerConnection, subprotocols: Sequence[Subprotocol]
) -> Subprotocol | None:
    return subprotocols[0] if subprotocols else None


class Connection(ServerConnection):
    pass


class MyClient(ClientConnection):
    pass


def process_exception(exc: Exception) -> Exception | None:
    return None if isinstance(exc, OSError) else exc


async def token() -> dict[str, str]:
    return {"Authorization": "Bearer ..."}


async def client() -> None:
    async with connect(
        "wss://localhost:8765",
        ssl=ssl.create_default_context(),
        additional_headers={"X-Extra": "1"},
        subprotocols=[Subprotocol("chat")],
        max_size=(2**20, None),
        max_queue=(16, 4),
        write_limit=2**15,
        open_timeout=None,
        create_connection=MyClient,
    ) as websocket:
        assert_type(websocket, ClientConnection)
        message: Data = await websocket.recv()
        await websocket.send(message)
    async for websocket in connect(
        lambda: "ws://localhost:8765",
        additional_headers=token,
        process_exception=process_exception,
        reconnect_delays=lambda: [1, 2, 4.5],
        proxy=None,
    ):
        try:
            await websocket.send("Hello!")
        except ConnectionClosed as exc:
            assert_type(exc.rcvd, Close | None)
    try:
        await unix_connect("/tmp/socket")
    except InvalidStatus as exc:
        assert_type(exc.response, Response)


async def greet(connection: ServerConnection, name: str) -> None:
    await connection.send(name)


class MyRouter(Router):
    def not_found(self, connection: ServerConnection) -> Response:
        return connection.respond(410, "gone\n")


async def main() -> None:
    async with serve(
        handler,
        "localhost",
        8765,
        origins=[None, "https://example.com", re.compile("https://.*")],
        process_request=process_request,
        process_response=process_response,
        select_subprotocol=select_subprotocol,
        create_connection=Connection,
        server_header=None,
    ) as server:
        assert_type(server, Server)
        assert_type(server.connections, set[ServerConnection])
        broadcast(server.connections, "Hello!", raise_exceptions=True)
        server.close(close_connections=True, code=1012, reason="again soon")
        await server.wait_closed()
    auth = basic_auth(realm="here", credentials=("hello", "iloveyou"))
    server = await unix_serve(handler, "/tmp/socket", process_request=auth)
    await server.serve_forever()
    url_map = Map([Rule("/<name>", endpoint=greet)])
    async with route(url_map, "localhost", 8765, ssl=True, create_router=MyRouter):
        await unix_route(url_map, "/tmp/socket")


asyncio.run(main())
