"""Code of the modern era on the classic names (websockets.classic.compat)."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import pytest

import websockets
from faces.support import Logs, echo, pair, turns, until, uri_of
from faces.support import classic as face
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as modern_connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, basic_auth
from websockets.classic.compat import (
    as_hook,
    classic_hook,
    modern_hook,
    pick_headers,
)
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, NegotiationError
from websockets.headers import build_authorization_basic
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

pytestmark = pytest.mark.usefixtures("clean_loop")


async def refused(server: Any, **kwargs: Any) -> Response:
    """Connect in vain; return the response."""
    with pytest.raises(InvalidStatus) as info:
        await websockets.connect(uri_of(server), **kwargs)
    return info.value.response


# Which era a hook is of.


def _by_class(first: ServerConnection, second: Request) -> None: ...


# Annotations that were evaluated, which those of this module aren't.
_by_class.__annotations__ = {"first": ServerConnection, "second": Request}


def _silent(connection: Any, request: Any) -> None: ...


_silent.__annotations__ = {"connection": Any, "request": object}


def _no_class(connection: Any, request: Any) -> None: ...


_no_class.__annotations__ = {"connection": typing.Optional[int]}  # noqa: UP045


def _keyword_only(*, connection: Any, request: Any) -> None: ...


class Methods:
    def modern(self, connection, request):  # type: ignore[no-untyped-def]
        return connection, request

    def more(self, connection, request, other=None):  # type: ignore[no-untyped-def]
        return connection, request, other

    def classic(self, path, request_headers):  # type: ignore[no-untyped-def]
        return path, request_headers

    def __call__(self, ws: Any, req: Any) -> None: ...


def wrapped(hook: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(hook)
    def wrapper(*args: Any) -> Any:
        return hook(*args)

    return wrapper


def by_annotation(a: ServerConnection, b: Request) -> None: ...
def by_full_name(a: websockets.asyncio.server.ServerConnection, b: Any) -> None: ...
def by_quoted_name(a: "Connection", b: Any) -> None: ...  # noqa: UP037
def by_classic_class(a: websockets.WebSocketServerProtocol, b: Any) -> None: ...
def by_second_class(_, r: Request) -> None: ...  # type: ignore[no-untyped-def]
def by_name_and_any(connection: Any, request: Any) -> None: ...
def a_str_called_connection(connection: str, headers: Any) -> None: ...
def a_str_and_a_request(_: str, request: Any) -> None: ...


@pytest.mark.parametrize(
    "hook",
    [
        *[_by_class, _silent],
        *[lambda connection, request: None, lambda conn, req: None],
        *[lambda websocket, r: None, lambda ws, r: None],
        *[lambda _connection, _request: None, lambda _, request: None],
        *[lambda __, _req: None, Methods().more],
        *[Methods().modern, Methods(), wrapped(Methods().modern)],
        functools.partial(lambda extra, connection, request: None, 1),
        *[by_annotation, by_full_name, by_quoted_name, by_classic_class],
        *[by_second_class, by_name_and_any],
        modern_hook(lambda a, b: None),
        modern_hook(lambda path, headers: None),
        *[modern_hook(Methods().classic), modern_hook(mock.Mock())],
    ],
)
def test_modern_hooks(hook: Any) -> None:
    found = as_hook("process_request", hook)
    assert found is not None and found.modern


@pytest.mark.parametrize(
    "hook",
    [
        *[lambda path, headers: None, lambda path, request_headers: None],
        *[lambda client, server: None, lambda a, b: None, lambda _, __: None],
        *[lambda path, request: None, lambda _, headers: None],
        *[lambda *args: None, lambda connection: None, _keyword_only],
        *[Methods().classic, mock.Mock(), print, dict.fromkeys, max, _no_class],
        *[a_str_called_connection, a_str_and_a_request],
        classic_hook(lambda connection, request: None),
        classic_hook(Methods().modern),
    ],
)
def test_classic_hooks(hook: Any) -> None:
    found = as_hook("process_request", hook)
    assert found is not None and not found.modern


def test_saying_which_returns_what_can_be_called() -> None:
    methods: Any = Methods()
    assert modern_hook(methods.modern)(1, 2) == (1, 2)

    @modern_hook
    def hook(a: Any, b: Any) -> Any:
        return a, b

    assert hook(1, 2) == (1, 2)
    assert websockets.modern_hook is modern_hook
    assert websockets.classic_hook is classic_hook


def test_a_hook_is_looked_at_once() -> None:
    hook = as_hook("process_request", print)
    assert as_hook("process_request", hook) is hook
    assert as_hook("process_request", None) is None


def test_two_names_of_an_argument() -> None:
    options = {"additional_headers": {"a": "b"}, "other": 2}
    assert pick_headers(None, options) == {"a": "b"}
    assert options == {"other": 2}
    assert pick_headers({"c": "d"}, options) == {"c": "d"}
    assert pick_headers(None, options) is None
    with pytest.raises(TypeError, match="extra_headers and additional_headers are the"):
        pick_headers({}, {"additional_headers": {}})


# Servers.


async def modern_answer(connection: Any, request: Any) -> Any:
    assert connection.request is request
    if request.path == "/health":
        return connection.respond(200, "fine\n")
    return None


def sync_modern_answer(websocket: Any, request: Request) -> Response | None:
    if request.path == "/health":
        response: Response = websocket.respond(200, "fine\n")
        return response
    return None


@modern_hook
def told_to_be_modern(a: Any, b: Any) -> Any:
    return a.respond(200, "fine\n") if b.path == "/health" else None


@pytest.mark.parametrize("hook", [modern_answer, sync_modern_answer, told_to_be_modern])
async def test_a_modern_process_request(hook: Any, logs: Logs) -> None:
    async with websockets.serve(echo, "localhost", 0, process_request=hook) as server:
        with pytest.raises(InvalidStatus) as info:
            await websockets.connect(uri_of(server, "/health"))
        assert info.value.response.status_code == 200
        assert info.value.response.body == b"fine\n"
        assert "Server" in info.value.response.headers
        async with websockets.connect(uri_of(server)) as websocket:
            assert websocket.open
    assert "connection rejected (200 OK)" in logs.texts(logging.INFO)


async def test_a_response_from_a_classic_hook() -> None:
    """Whoever has one may return it, whatever the hook was called with."""

    async def process_request(path: str, headers: Headers) -> Any:
        return Response(418, "I'm a teapot", Headers({"Content-Length": "0"}))

    async with websockets.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        assert (await refused(server)).status_code == 418


@pytest.mark.parametrize(
    "answer", ["nonsense", (200, {}), (101, {}, b""), 200, Response(101, "", Headers())]
)
async def test_answers_that_make_no_sense(answer: Any, logs: Logs) -> None:
    async def process_request(connection: Any, request: Any) -> Any:
        return answer

    async with websockets.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        assert (await refused(server)).status_code == 500
        assert not server.connections
    [record] = [item for item in logs.records if item.levelno == logging.ERROR]
    assert record.exc_info and "process_request" in str(record.exc_info[1])


async def test_modern_basic_auth() -> None:
    auth = basic_auth(credentials=("hello", "iloveyou"))
    async with websockets.serve(echo, "localhost", 0, process_request=auth) as server:
        assert (await refused(server)).status_code == 401
        headers = {"Authorization": build_authorization_basic("hello", "iloveyou")}
        async with websockets.connect(uri_of(server), additional_headers=headers):
            connections: set[Any] = set(server.connections)
            assert connections.pop().username == "hello"


async def test_a_modern_process_response() -> None:
    async def change(connection: Any, request: Request, response: Response) -> Any:
        assert connection.request is request
        response.headers["X-Extra"] = "1"
        return connection.respond(418, "short") if request.path != "/" else None

    async with websockets.serve(
        echo, "localhost", 0, process_response=change
    ) as server:
        async with websockets.connect(uri_of(server)) as websocket:
            assert websocket.response_headers["X-Extra"] == "1"
        with pytest.raises(InvalidStatus, match="418"):
            await websockets.connect(uri_of(server, "/other"))


async def test_a_process_response_that_fails(logs: Logs) -> None:
    async with websockets.serve(
        echo, "localhost", 0, process_response=lambda *args: "nonsense"
    ) as server:
        assert (await refused(server)).status_code == 500
    assert logs.texts(logging.ERROR) == ["process_response failed"]


async def test_a_modern_select_subprotocol() -> None:
    def select(connection: Any, subprotocols: Sequence[Subprotocol]) -> Any:
        assert connection.request.path == "/"
        if "bad" in subprotocols:
            raise NegotiationError("not that")
        return subprotocols[-1] if subprotocols else None

    async with websockets.serve(
        echo, "localhost", 0, select_subprotocol=select
    ) as server:
        for offered, chosen in (["a", "b"], "b"), (None, None):
            async with websockets.connect(
                uri_of(server), subprotocols=offered
            ) as websocket:
                assert websocket.subprotocol == chosen
        answer = await refused(server, subprotocols=["bad"])
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "select",
    [lambda connection, subprotocols: "other", lambda client, server: "other"],
)
async def test_a_subprotocol_that_is_not_offered(select: Any, logs: Logs) -> None:
    async with websockets.serve(
        echo, "localhost", 0, subprotocols=["chat"], select_subprotocol=select
    ) as server:
        answer = await refused(server, subprotocols=["chat"])
        assert answer.status_code == 500
    [record] = [item for item in logs.records if item.levelno == logging.ERROR]
    assert record.exc_info and "select_subprotocol returned 'other'" in str(
        record.exc_info[1]
    )


async def test_a_connection_of_the_other_era() -> None:
    """Everything is modern then."""
    seen = []

    class Mine(ServerConnection):
        pass

    def change(connection: Any, request: Request, response: Response) -> None:
        seen.append(type(connection))

    serving = websockets.serve(
        echo,
        "localhost",
        0,
        create_connection=Mine,
        process_request=lambda c, r: seen.append(r.path),
        process_response=change,
        max_queue=(8, 2),
        ping_interval=None,
    )
    async with serving as server:
        assert isinstance(server, Server)
        assert serving.ws_server is server
        async with websockets.connect(uri_of(server)) as websocket:
            await websocket.send("a")
            assert await websocket.recv() == "a"
            assert websocket.extensions
            connection: Any = next(iter(server.connections))
            assert type(connection) is Mine
            assert connection.max_queue == (8, 2)
    assert seen == ["/", Mine]
    assert not server.is_serving()


async def test_classic_connections_by_the_modern_name() -> None:
    class Mine(websockets.WebSocketServerProtocol):
        pass

    class MyClient(websockets.WebSocketClientProtocol):
        pass

    async with pair(
        face, {"create_connection": Mine}, {"create_connection": MyClient}
    ) as (client, server):
        assert type(client) is MyClient
        assert type(server) is Mine


# Clients.


async def test_additional_headers() -> None:
    seen: list[Any] = []

    async def handler(websocket: Any) -> None:
        seen.append(websocket.request.headers["X-Extra"])

    tokens = iter("bc")
    async with websockets.serve(handler, "localhost", 0) as server:
        uri = uri_of(server)
        for headers in [
            {"X-Extra": "a"},
            lambda: {"X-Extra": next(tokens)},
            Headers({"X-Extra": "d"}),
        ]:
            async with websockets.connect(uri, additional_headers=headers) as client:
                await client.wait_closed()
    assert seen == ["a", "b", "d"]


async def test_a_client_of_the_other_era() -> None:
    class Mine(ClientConnection):
        pass

    async with websockets.serve(echo, "localhost", 0) as server:
        connecting = websockets.connect(
            uri_of(server),
            create_connection=Mine,
            additional_headers={"X-Extra": "1"},
            subprotocols=None,
            close_timeout=3,
        )
        async with connecting as websocket:
            assert type(websocket) is Mine  # type: ignore[comparison-overlap]
            assert not hasattr(websocket, "open")
            assert websocket.close_timeout == 3
            [connection] = server.connections
            assert connection.request_headers["X-Extra"] == "1"
            assert connection.extensions
        async for websocket in connecting:
            await websocket.send("a")
            assert await websocket.recv() == "a"
            break
        await until(lambda: not server.connections)
    with pytest.raises(OSError):
        await connecting


async def test_process_exception_and_reconnect_delays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[Exception] = []

    def process_exception(exc: Exception) -> Exception | None:
        failures.append(exc)
        return exc if len(failures) == 3 else None

    delays: list[float] = []

    async def sleep(delay: float) -> None:
        delays.append(delay)

    async with websockets.serve(echo, "localhost", 0) as server:
        uri = uri_of(server)
    monkeypatch.setattr("websockets.asyncio.connecting.asyncio.sleep", sleep)
    with pytest.raises(OSError) as info:
        async for _ in websockets.connect(
            uri, process_exception=process_exception, reconnect_delays=lambda: [1, 2, 3]
        ):
            raise AssertionError("nobody listens there")
    assert info.value is failures[-1]
    assert delays == [1, 2]


# What modern code does with connections.


async def test_modern_attributes() -> None:
    async with pair(face, client={"subprotocols": ["chat"]}) as (client, server):
        assert isinstance(client, Connection)
        assert isinstance(server, Connection)
        connection: Any
        for connection in client, server:
            assert connection.request.path == "/"
            assert connection.response.status_code == 101
            assert connection.state is websockets.State.OPEN
            assert connection.protocol.state is websockets.State.OPEN
            assert connection.latency == 0
            assert connection.close_code is None and connection.close_reason is None
        await client.send("é", text=False)
        assert await server.recv(decode=True) == "é"
        await server.send([b"a", b"b"], text=True)
        assert [part async for part in client.recv_streaming()] == ["a", "b"]
        pong = await client.ping(ack_on_close=True)
        assert await pong >= 0
        async with client:
            pass
        assert client.state is websockets.State.CLOSED
        assert (client.close_code, client.close_reason) == (1000, "")


async def test_servers_as_modern_code_uses_them() -> None:
    async with websockets.serve(
        echo,
        "localhost",
        0,
        max_size=(100, 10),
        max_queue=(8, 2),
        write_limit=(2**15, 2**10),
        origins=[None, re.compile("https://.*")],
    ) as server:
        forever = asyncio.ensure_future(server.serve_forever())
        async with websockets.connect(uri_of(server)) as websocket:
            [connection] = server.connections
            assert isinstance(connection, websockets.WebSocketServerProtocol)
            websockets.broadcast(server.connections, "hi", raise_exceptions=True)
            assert await websocket.recv() == "hi"
            server.close(close_connections=True, code=1012, reason="again")
            await websocket.wait_closed()
            assert (websocket.close_code, websocket.close_reason) == (1012, "again")
        await forever
        assert not server.connections


async def test_a_modern_client_talks_to_the_top_level_server() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        async with modern_connect(uri_of(server)) as websocket:
            await websocket.send(b"a")
            assert await websocket.recv() == b"a"
        await turns(2)


# Wrong arguments fail at the call.


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"extra_headers": {}, "additional_headers": {}}, TypeError, "additional_head"),
        ({"create_connection": 1}, TypeError, "create_connection"),
        (
            {"create_connection": ClientConnection, "create_protocol": print},
            TypeError,
            "create_protocol and create_connection",
        ),
        ({"create_protocol": 1}, TypeError, "create_protocol"),
        ({"klass": 1}, TypeError, "create_protocol"),
        ({"process_exception": 1}, TypeError, "process_exception"),
        ({"reconnect_delays": 1}, TypeError, "reconnect_delays"),
        ({"max_size": "1"}, TypeError, "max_size"),
        ({"max_size": (1, 2, 3)}, ValueError, "max_size"),
        ({"max_queue": -1}, ValueError, "max_queue"),
        ({"write_limit": None, "read_limit": "1"}, TypeError, "read_limit"),
        ({"ping_interval": "1"}, TypeError, "ping_interval"),
        ({"subprotocols": "chat"}, TypeError, "subprotocols"),
        ({"compression": "zip"}, ValueError, "compression"),
        ({"nonsense": 1}, TypeError, "nonsense"),
        ({"create_connection": ClientConnection, "nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_wrong_arguments_of_connect(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        websockets.connect("ws://localhost", **arguments)


async def _async_select(client: Any, server: Any) -> None: ...


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"ws_handler": None}, TypeError, "handler"),
        ({"create_connection": 1}, TypeError, "create_connection"),
        (
            {"create_connection": ServerConnection, "klass": print},
            TypeError,
            "create_protocol and create_connection",
        ),
        (
            {"create_connection": ServerConnection, "extra_headers": {}},
            TypeError,
            "extra_headers",
        ),
        ({"create_protocol": 1}, TypeError, "create_protocol"),
        ({"process_request": 1}, TypeError, "process_request"),
        ({"process_response": 1}, TypeError, "process_response"),
        ({"select_subprotocol": 1}, TypeError, "select_subprotocol"),
        ({"select_subprotocol": _async_select}, TypeError, "select_subprotocol"),
        ({"max_size": "1"}, TypeError, "max_size"),
        ({"open_timeout": -1}, ValueError, "open_timeout"),
        ({"nonsense": 1}, TypeError, "nonsense"),
        ({"additional_headers": {}}, TypeError, "additional_headers"),
    ],
)
def test_wrong_arguments_of_serve(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        websockets.serve(**{"ws_handler": echo, **arguments})
