"""What only modern servers do (websockets.asyncio.server)."""

from __future__ import annotations

import asyncio
import http
import logging
import re
from collections.abc import Sequence
from typing import Any

import pytest

from faces.support import Logs, echo, raw_client, until, uri_of
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import (
    Server,
    ServerConnection,
    basic_auth,
    broadcast,
    serve,
)
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    InvalidMessage,
    InvalidStatus,
    NegotiationError,
)
from websockets.headers import build_authorization_basic
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol


async def refused(server: Server, **kwargs: Any) -> Response:
    """Connect in vain; return the response."""
    with pytest.raises(InvalidStatus) as info:
        await connect(uri_of(server), **kwargs)
    return info.value.response


class TestServe:
    async def test_ways_to_serve(self) -> None:
        async with serve(echo, "localhost", 0) as server:
            assert isinstance(server, Server)
            assert server.is_serving()
            assert await server is server
            async with connect(uri_of(server)) as websocket:
                await websocket.send("a")
                assert await websocket.recv() == "a"
        assert not server.is_serving()
        server = await serve(echo, "localhost", 0)
        async with server:
            assert server.get_loop() is asyncio.get_running_loop()
        assert not server.sockets

    async def test_connections(self) -> None:
        async with serve(echo, "localhost", 0) as server:
            assert server.connections == set()
            async with connect(uri_of(server, "/path")):
                [connection] = server.connections
                assert isinstance(connection, ServerConnection)
                assert isinstance(connection, Connection)
                assert connection.server is server
                assert connection.state is State.OPEN
                assert connection.request is not None
                assert connection.request.path == "/path"
                assert connection.response is not None
                assert connection.response.headers["Server"].startswith("Python/")
                async with raw_client(server):
                    await until(lambda: len(server.live) == 2)
                    assert server.connections == {connection}
            await until(lambda: not server.connections)

    async def test_closing(self) -> None:
        server = await serve(echo, "localhost", 0)
        websocket = await connect(uri_of(server))
        server.close(code=1012, reason="update")
        await server.wait_closed()
        with pytest.raises(ConnectionClosedError):
            await websocket.recv()
        assert (websocket.close_code, websocket.close_reason) == (1012, "update")

    async def test_leaving_connections_alone(self) -> None:
        server = await serve(echo, "localhost", 0)
        websocket = await connect(uri_of(server))
        server.close(close_connections=False)
        await websocket.send("a")
        assert await websocket.recv() == "a"
        await websocket.close()
        await server.wait_closed()

    async def test_starting_later(self) -> None:
        async with serve(echo, "localhost", 0, start_serving=False) as server:
            assert not server.is_serving()
            await server.start_serving()
            async with connect(uri_of(server)):
                pass

    @pytest.mark.parametrize(
        "arguments, error, text",
        [
            ({"handler": None}, TypeError, "handler"),
            ({"compression": "zip"}, ValueError, "compression"),
            ({"subprotocols": "chat"}, TypeError, "subprotocols"),
            ({"process_request": 1}, TypeError, "process_request"),
            ({"process_response": 1}, TypeError, "process_response"),
            ({"select_subprotocol": 1}, TypeError, "select_subprotocol"),
            ({"create_connection": 1}, TypeError, "create_connection"),
            ({"nonsense": 1}, TypeError, "nonsense"),
            ({"extra_headers": {}}, TypeError, "extra_headers"),
            ({"max_size": "1"}, TypeError, "max_size"),
            ({"ping_timeout": -1}, ValueError, "ping_timeout"),
        ],
    )
    def test_wrong_arguments(
        self, arguments: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            serve(**{"handler": echo, **arguments})

    async def test_arguments_reach_connections(self) -> None:
        class Mine(ServerConnection):
            pass

        async with serve(
            echo,
            "localhost",
            0,
            create_connection=Mine,
            server_header=None,
            max_queue=None,
            max_size=(100, 10),
            ping_interval=None,
            open_timeout=5,
        ) as server:
            async with connect(uri_of(server)) as websocket:
                assert websocket.response is not None
                assert "Server" not in websocket.response.headers
                [connection] = server.connections
                assert type(connection) is Mine
                assert connection.max_queue is None
                assert connection.ping_interval is None
                assert connection.protocol.max_size == 100
                assert connection._settings.open_timeout == 5

    @pytest.mark.parametrize(
        "origin, accepted",
        [
            (None, True),
            ("https://a.example", True),
            ("https://www.b.example", True),
            ("https://b.example.com", False),
        ],
    )
    async def test_origins(self, origin: str | None, accepted: bool) -> None:
        pattern = re.compile(r"https://(.+\.)?b\.example")
        origins = [None, "https://a.example", pattern]
        async with serve(echo, "localhost", 0, origins=origins) as server:
            if accepted:
                async with connect(uri_of(server), origin=origin):
                    pass
            else:
                answer = await refused(server, origin=origin)
                assert answer.status_code == 403

    async def test_handler_fails(self, logs: Logs) -> None:
        async def handler(websocket: ServerConnection) -> None:
            raise RuntimeError("oops")

        async with serve(handler, "localhost", 0) as server:
            async with connect(uri_of(server)) as websocket:
                with pytest.raises(ConnectionClosedError):
                    await websocket.recv()
                assert websocket.close_code == 1011
        assert logs.texts(logging.ERROR) == ["connection handler failed"]
        assert "connection closed" in logs.texts(logging.INFO)

    async def test_closing_by_context(self) -> None:
        async def handler(websocket: ServerConnection) -> None:
            async with websocket:
                if websocket.request and websocket.request.path == "/fail":
                    raise RuntimeError("oops")

        async with serve(handler, "localhost", 0) as server:
            for path, code in ("/", 1000), ("/fail", 1011):
                async with connect(uri_of(server, path)) as websocket:
                    await websocket.wait_closed()
                    assert websocket.close_code == code

    async def test_the_request_never_comes(self, logs: Logs) -> None:
        async with serve(echo, "localhost", 0) as server:
            async with raw_client(server) as raw:
                raw.write(b"GET / HTT")
            await until(lambda: not server.live)
            async with raw_client(server) as raw:
                raw.write(b"junk\r\n\r\n")
                assert b" 400 " in await raw.read_all()
            await until(lambda: not server.live)
        assert logs.texts(logging.ERROR) == []


class TestHooks:
    async def test_process_request(self) -> None:
        async def answer(
            connection: ServerConnection, request: Request
        ) -> Response | None:
            if request.path != "/health":
                return None
            response = connection.respond(200, "fine\n")
            response.headers["X-Extra"] = "1"
            return response

        async with serve(echo, "localhost", 0, process_request=answer) as server:
            async with raw_client(server) as raw:
                raw.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                status, headers = await raw.read_head()
                assert status == "HTTP/1.1 200 OK"
                assert headers["X-Extra"] == "1"
                assert "Server" in headers
                assert await raw.read_all() == b"fine\n"
            async with connect(uri_of(server)):
                pass

    async def test_process_response(self) -> None:
        seen = []

        def change(
            connection: ServerConnection, request: Request, response: Response
        ) -> Response | None:
            seen.append((request.path, response.status_code))
            response.headers["X-Extra"] = "1"
            if request.path == "/other":
                return connection.respond(418, "short")
            return None

        async with serve(echo, "localhost", 0, process_response=change) as server:
            async with connect(uri_of(server)) as websocket:
                assert websocket.response is not None
                assert websocket.response.headers["X-Extra"] == "1"
            with pytest.raises(InvalidStatus, match="418"):
                await connect(uri_of(server, "/other"))
        assert seen == [("/", 101), ("/other", 101)]

    @pytest.mark.parametrize("name", ["process_request", "process_response"])
    @pytest.mark.parametrize("how", ["raises", "awaits", "returns"])
    async def test_hooks_that_fail(self, name: str, how: str, logs: Logs) -> None:
        asked = []

        def hook(*args: Any) -> Any:
            asked.append(name)
            if how == "raises":
                raise RuntimeError("oops")
            return wait() if how == "awaits" else "nonsense"

        async def wait() -> None:
            await asyncio.sleep(0)
            raise RuntimeError("oops")

        hooks: dict[str, Any] = {"process_response": hook, name: hook}
        async with serve(echo, "localhost", 0, **hooks) as server:
            answer = await refused(server)
            assert answer.status_code == 500
            assert "Server" in answer.headers
        assert logs.texts(logging.ERROR) == [f"{name} failed"]
        assert asked == [name]

    async def test_select_subprotocol(self) -> None:
        def select(
            connection: ServerConnection, subprotocols: Sequence[Subprotocol]
        ) -> Subprotocol | None:
            assert isinstance(connection, ServerConnection)
            if not subprotocols:
                return None
            if "bad" in subprotocols:
                raise NegotiationError("not that")
            return subprotocols[-1]

        async with serve(echo, "localhost", 0, select_subprotocol=select) as server:
            for offered, chosen in (["a", "b"], "b"), (None, None):
                async with connect(uri_of(server), subprotocols=offered) as websocket:
                    assert websocket.subprotocol == chosen
                    [connection] = server.connections
                    assert connection.subprotocol == chosen
                await until(lambda: not server.connections)
            answer = await refused(server, subprotocols=["bad"])
            assert answer.status_code == 400
            assert b"not that" in bytes(answer.body or b"")

    async def test_a_subprotocol_that_is_not_offered(self, logs: Logs) -> None:
        async with serve(
            echo, "localhost", 0, select_subprotocol=lambda c, s: Subprotocol("other")
        ) as server:
            answer = await refused(server, subprotocols=["chat"])
            assert answer.status_code == 500
        [record] = [item for item in logs.records if item.levelno == logging.ERROR]
        assert record.exc_info and "select_subprotocol returned 'other'" in str(
            record.exc_info[1]
        )

    def test_an_async_select_subprotocol(self) -> None:
        async def select(connection: Any, subprotocols: Any) -> None: ...

        with pytest.raises(TypeError, match="select_subprotocol must be a plain"):
            serve(echo, select_subprotocol=select)  # type: ignore[arg-type]

    @pytest.mark.parametrize("status", [200, 302, 403])
    async def test_answers_in_the_log(self, status: int, logs: Logs) -> None:
        async with serve(
            echo,
            "localhost",
            0,
            process_request=lambda connection, _: connection.respond(status, "text"),
        ) as server:
            await refused(server)
        phrase = http.HTTPStatus(status).phrase
        assert f"HTTP response sent ({status} {phrase})" in logs.texts(logging.INFO)
        assert f"connection rejected ({status} {phrase})" not in logs.texts()

    async def test_a_refusal_in_the_log(self, logs: Logs) -> None:
        async with serve(echo, "localhost", 0, origins=["https://a.example"]) as server:
            await refused(server)
        assert "connection rejected (403 Forbidden)" in logs.texts(logging.INFO)

    async def test_process_request_does_not_accept(self, logs: Logs) -> None:
        async with serve(
            echo,
            "localhost",
            0,
            process_request=lambda connection, _: connection.respond(101, ""),
        ) as server:
            assert (await refused(server)).status_code == 500
            assert server.connections == set()
        [record] = [item for item in logs.records if item.levelno == logging.ERROR]
        assert record.exc_info and "process_request must return None" in str(
            record.exc_info[1]
        )

    async def test_process_response_does_not_accept(self, logs: Logs) -> None:
        def accept(connection: Any, request: Request, response: Response) -> None:
            response.status_code = 101

        async with serve(
            echo, "localhost", 0, origins=["x"], process_response=accept
        ) as server:
            assert (await refused(server)).status_code == 500
            assert server.connections == set()
        assert logs.texts(logging.ERROR) == ["process_response failed"]

    async def test_a_response_that_cannot_be_sent(self, logs: Logs) -> None:
        def change(connection: Any, request: Request, response: Response) -> Response:
            return Response(200, "OK", {"a": "b"})  # type: ignore[arg-type]

        async with serve(echo, "localhost", 0, process_response=change) as server:
            assert (await refused(server)).status_code == 500
        assert logs.texts(logging.ERROR) == ["opening handshake failed"]

    async def test_finishing_that_fails_twice(self, logs: Logs) -> None:
        class Failing(ServerConnection):
            async def finish_response(self, *args: Any) -> Response:
                raise RuntimeError("oops")

        async with serve(echo, "localhost", 0, create_connection=Failing) as server:
            assert (await refused(server)).status_code == 500
        assert logs.texts(logging.ERROR) == ["opening handshake failed"]

    async def test_a_factory_that_makes_nothing(self, logs: Logs) -> None:
        make: Any = lambda *args, **kwargs: None  # noqa: E731
        async with serve(echo, "localhost", 0, create_connection=make) as server:
            async with raw_client(server) as raw:
                assert await raw.read_all() == b""
        [record] = [item for item in logs.records if item.levelno == logging.ERROR]
        assert record.getMessage() == "making a connection failed"
        assert record.exc_info and "must return a connection" in str(record.exc_info[1])

    async def test_hooks_have_open_timeout(self) -> None:
        async def wait(connection: ServerConnection, request: Request) -> None:
            await asyncio.Event().wait()

        async with serve(
            echo, "localhost", 0, process_request=wait, open_timeout=0.01
        ) as server:
            with pytest.raises(InvalidMessage):
                await connect(uri_of(server))
            await until(lambda: not server.live)

    async def test_process_request_while_the_server_closes(self) -> None:
        began = asyncio.Event()

        async def wait(connection: ServerConnection, request: Request) -> None:
            began.set()
            await asyncio.Event().wait()

        server = await serve(echo, "localhost", 0, process_request=wait)
        connecting = asyncio.ensure_future(refused(server))
        await began.wait()
        server.close()
        assert (await connecting).status_code == 503
        await server.wait_closed()


class TestBasicAuth:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"credentials": ("hello", "iloveyou")},
            {"credentials": [("other", "x"), ("hello", "iloveyou")]},
            {"check_credentials": lambda u, p: (u, p) == ("hello", "iloveyou")},
        ],
    )
    async def test_credentials(self, arguments: dict[str, Any]) -> None:
        auth = basic_auth(realm="here", **arguments)
        async with serve(echo, "localhost", 0, process_request=auth) as server:
            uri = uri_of(server).replace("//", "//hello:iloveyou@")
            async with connect(uri):
                [connection] = server.connections
                assert connection.username == "hello"
            for value, text in (
                (None, b"Missing"),
                ("Digest x", b"Unsupported"),
                (build_authorization_basic("hello", "no"), b"Invalid"),
                (build_authorization_basic("nobody", ""), b"Invalid"),
            ):
                headers = Headers() if value is None else {"Authorization": value}
                answer = await refused(server, additional_headers=headers)
                assert answer.status_code == 401
                assert answer.headers["WWW-Authenticate"].startswith(
                    'Basic realm="here"'
                )
                assert answer.body == text + b" credentials\n"

    async def test_async_check(self) -> None:
        async def check(username: str, password: str) -> bool:
            return username == password

        auth = basic_auth(check_credentials=check)
        async with serve(echo, "localhost", 0, process_request=auth) as server:
            async with connect(uri_of(server).replace("//", "//a:a@")):
                pass
            assert (await refused(server)).status_code == 401

    @pytest.mark.parametrize(
        "arguments, error",
        [
            ({}, ValueError),
            ({"credentials": ("a", "b"), "check_credentials": print}, ValueError),
            ({"check_credentials": 1}, TypeError),
            ({"credentials": "ab"}, TypeError),
            ({"credentials": 1}, TypeError),
            ({"credentials": [("a", "b"), "c"]}, TypeError),
        ],
    )
    def test_wrong_arguments(
        self, arguments: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error, match="credentials"):
            basic_auth(**arguments)


class TestKinds:
    """A str as a binary message, and bytes as a text message."""

    @pytest.mark.parametrize(
        "message, text, received",
        [
            ("é", None, "é"),
            ("é", True, "é"),
            ("é", False, "é".encode()),
            (b"a", None, b"a"),
            (bytearray(b"a"), True, "a"),
            (memoryview(b"a"), False, b"a"),
            (["a", "b"], False, b"ab"),
            ([b"a", b"b"], True, "ab"),
        ],
    )
    async def test_send(self, message: Any, text: bool | None, received: Any) -> None:
        async def handler(websocket: ServerConnection) -> None:
            await websocket.send(message, text=text)
            if not isinstance(message, list):
                broadcast([websocket], message, text=text)

        async with serve(handler, "localhost", 0) as server:
            async with connect(uri_of(server)) as websocket:
                async for item in websocket:
                    assert item == received

    async def test_recv(self) -> None:
        async with serve(echo, "localhost", 0) as server:
            async with connect(uri_of(server)) as websocket:
                for message in ("a", b"a"):
                    for _ in range(3):
                        await websocket.send(message)
                    assert await websocket.recv() == message
                    assert await websocket.recv(decode=True) == "a"
                    assert await websocket.recv(decode=False) == b"a"

    async def test_recv_that_is_not_ours(self) -> None:
        class Loud(ServerConnection):
            async def recv(self, decode: bool | None = None) -> Any:
                return str(await super().recv(decode)).upper()

        async with serve(echo, "localhost", 0, create_connection=Loud) as server:
            async with connect(uri_of(server)) as websocket:
                await websocket.send("a")
                assert await websocket.recv() == "A"
