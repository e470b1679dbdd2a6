"""Connecting and serving: how to call them, what the handshake carries."""

from __future__ import annotations

import asyncio
import http
import socket
from typing import Any

import pytest

from faces.support import (
    Face,
    Raw,
    echo,
    pair,
    port_of,
    raw_client,
    raw_server,
    uri_of,
)
from websockets.classic.exceptions import InvalidStatusCode
from websockets.datastructures import Headers
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    SecurityError,
)
from websockets.http11 import SERVER, USER_AGENT


async def test_await(face: Face) -> None:
    server = await face.serve(echo, "localhost", 0)
    client = await face.connect(uri_of(server))
    await client.send("hello")
    assert await client.recv() == "hello"
    await client.close()
    server.close()
    await server.wait_closed()


async def test_async_with(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        assert server.is_serving()
        async with face.connect(uri_of(server)) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        assert client.closed
        assert client.close_code == 1000
    assert not server.is_serving()


async def test_async_with_awaited(face: Face) -> None:
    """A server may be awaited first and used with async with later."""
    async with await face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)):
            pass
    assert not server.is_serving()


async def test_async_for(face: Face) -> None:
    count = 0
    async with face.serve(echo, "localhost", 0) as server:
        async for client in face.connect(uri_of(server)):
            await client.send("hello")
            assert await client.recv() == "hello"
            count += 1
            break
        await client.close()
    assert count == 1


async def test_a_connect_object_can_be_used_again(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        connecting = face.connect(uri_of(server))
        for _ in range(2):
            async with connecting as client:
                await client.send("hello")
                assert await client.recv() == "hello"


async def test_keyword_arguments_reach_the_event_loop(face: Face) -> None:
    family = socket.AF_INET
    async with face.serve(
        echo, host="127.0.0.1", port=0, reuse_port=True, backlog=10, family=family
    ) as server:
        with pytest.raises(TypeError):
            await face.serve(echo, "localhost", 0, no_such_argument=1)
        with pytest.raises(TypeError):
            await face.connect(uri_of(server), no_such_argument=1)
        uri = f"ws://elsewhere.test:{port_of(server)}/"
        async with face.connect(
            uri=uri, host="127.0.0.1", local_addr=("127.0.0.1", 0)
        ) as client:
            assert client.remote_address == ("127.0.0.1", port_of(server))
            assert client.request_headers["Host"] == f"elsewhere.test:{port_of(server)}"
            assert client.local_address[0] == "127.0.0.1"


async def test_port_overrides_the_uri(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect("ws://localhost:1/", port=port_of(server)) as client:
            await client.send("a")


async def test_what_the_handshake_carries(face: Face) -> None:
    seen: list[Any] = []

    async def handler(websocket: Any) -> None:
        seen.append(websocket)
        await websocket.wait_closed()

    async with face.serve(handler, "localhost", 0, compression=None) as server:
        uri = f"ws://us%C3%A9r:pass@localhost:{port_of(server)}/path?query"
        async with face.connect(uri, compression=None, origin="http://o") as client:
            request = client.request_headers
            assert [name for name, _ in request.raw_items()] == [
                "Host", "Authorization", "Origin", "Upgrade", "Connection",
                "Sec-WebSocket-Key", "Sec-WebSocket-Version", "User-Agent",
            ]  # fmt: skip
            assert request["Authorization"].startswith("Basic ")
            assert request["User-Agent"] == USER_AGENT
            response = client.response_headers
            assert [name for name, _ in response.raw_items()] == [
                "Date", "Upgrade", "Connection", "Sec-WebSocket-Accept", "Server",
            ]  # fmt: skip
            assert response["Server"] == SERVER
            assert client.path == "/path?query"
            assert client.subprotocol is None
            assert client.request.path == "/path?query"
            assert client.response.status_code == 101
            assert client.remote_address[1] == port_of(server)
            await client.send("a")
        (websocket,) = seen
        assert websocket.path == "/path?query"
        assert websocket.request_headers["Host"] == f"localhost:{port_of(server)}"
        assert websocket.response_headers["Server"] == SERVER
        assert websocket.origin == "http://o"
        assert websocket.local_address[1] == port_of(server)
        assert websocket.id != client.id
        assert "CLOSED" in repr(client)


async def test_headers_can_be_left_out_or_replaced(face: Face) -> None:
    server_options = {"server_header": None}
    client_options = {"user_agent_header": None}
    async with pair(face, server_options, client_options) as (client, server):
        assert "Server" not in client.response_headers
        assert "User-Agent" not in server.request_headers
    client_options = {"user_agent_header": "mine"}
    async with pair(face, {"server_header": "mine"}, client_options) as (client, s):
        assert client.response_headers["Server"] == "mine"
        assert s.request_headers["User-Agent"] == "mine"


EXTRA: list[Any] = [
    {"X-A": "1", "X-B": "2"},
    [("X-A", "1"), ("X-B", "2")],
    Headers({"X-A": "1", "X-B": "2"}),
]


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("name", ["extra_headers", "additional_headers"])
async def test_extra_headers_of_clients(face: Face, extra: Any, name: str) -> None:
    async with pair(face, client={name: extra}) as (client, server):
        assert server.request_headers["X-A"] == "1"
        assert server.request_headers["X-B"] == "2"


@pytest.mark.parametrize(
    "extra",
    [
        *EXTRA,
        *[lambda path, headers, extra=extra: extra for extra in EXTRA],
        lambda path, headers: {"X-A": path[1:], "X-B": headers["Host"] and "2"},
    ],
)
async def test_extra_headers_of_servers(face: Face, extra: Any) -> None:
    async with face.serve(echo, "localhost", 0, extra_headers=extra) as server:
        async with face.connect(uri_of(server, "/1")) as client:
            assert client.response_headers["X-A"] == "1"
            assert client.response_headers["X-B"] == "2"


async def test_extra_headers_may_be_none(face: Face) -> None:
    options = {"extra_headers": lambda path, headers: None}
    async with pair(face, options) as (client, server):
        assert client.open


async def test_extra_headers_that_cannot_be_sent(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        with pytest.raises(ValueError):
            await face.connect(uri_of(server), extra_headers={"X": "a\r\nY: b"})
        with pytest.raises(TypeError):
            await face.connect(uri_of(server), extra_headers=42)


async def test_a_failing_extra_headers_function(
    face: Face, clean_loop: list[Any]
) -> None:
    def fail(path: str, headers: Headers) -> None:
        raise ZeroDivisionError

    async with face.serve(echo, "localhost", 0, extra_headers=fail) as server:
        with pytest.raises(InvalidStatusCode) as caught:
            await face.connect(uri_of(server))
        assert caught.value.status_code == 500


# Negotiation.


async def test_subprotocols(face: Face) -> None:
    options = {"subprotocols": ["superchat", "chat"]}
    async with pair(face, options, {"subprotocols": ["other", "chat"]}) as (c, s):
        assert c.subprotocol == s.subprotocol == "chat"
    async with pair(face, options, {"subprotocols": ["chat", "superchat"]}) as (c, s):
        assert c.subprotocol == s.subprotocol == "superchat"
    wanted = {"subprotocols": ["a", "b", "c"]}
    async with pair(face, wanted, {"subprotocols": ["c", "b", "a", "d"]}) as (c, s):
        assert c.subprotocol == s.subprotocol == "a"
    async with pair(face, {}, {"subprotocols": ["chat"]}) as (c, s):
        assert c.subprotocol is s.subprotocol is None


@pytest.mark.parametrize("offered", [None, ["other"]])
async def test_no_common_subprotocol(face: Face, offered: Any) -> None:
    options = {"subprotocols": ["chat"]}
    async with pair(face, options, {"subprotocols": offered}) as (client, server):
        assert client.subprotocol is server.subprotocol is None
        assert "Sec-WebSocket-Protocol" not in client.response_headers


@pytest.mark.parametrize(
    "origins, origin, accepted",
    [
        (["http://a", None], None, True),
        (["http://a", None], "http://a", True),
        (["http://a"], "http://b", False),
        (["http://a"], None, False),
        (None, "http://b", True),
    ],
)
async def test_origins(face: Face, origins: Any, origin: Any, accepted: bool) -> None:
    async with face.serve(echo, "localhost", 0, origins=origins) as server:
        if accepted:
            async with face.connect(uri_of(server), origin=origin):
                return
        with pytest.raises(InvalidStatus, match="HTTP 403") as caught:
            await face.connect(uri_of(server), origin=origin)
        assert isinstance(caught.value, InvalidStatusCode)
        assert b"Origin" in caught.value.response.body


async def test_an_empty_origin_stands_for_none(face: Face) -> None:
    with pytest.warns(DeprecationWarning, match="use None instead of ''"):
        serving = face.serve(echo, "localhost", 0, origins=["http://a", ""])
    async with serving as server:
        async with face.connect(uri_of(server)):
            pass


@pytest.mark.parametrize(
    "lines, error, text",
    [
        (b"Sec-WebSocket-Protocol: chat\r\n", NegotiationError, "no subprotocols"),
        (b"Sec-WebSocket-Extensions: x\r\n", NegotiationError, "no extensions"),
        (b"Connection: close\r\n", None, ""),
        (b"Sec-WebSocket-Accept: x\r\n", InvalidHeader, "multiple values"),
        (b"Upgrade: h2c\r\n", InvalidUpgrade, "invalid Upgrade header: websocket, h2c"),
    ],
)
async def test_responses_that_break_the_rules(
    face: Face, lines: bytes, error: Any, text: str
) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept(lines)
        await raw.read_all()

    async with raw_server(script) as uri:
        connecting = face.connect(uri, compression=None, close_timeout=0.01)
        if error is None:
            await (await connecting).close()
            return
        with pytest.raises(error, match=text):
            await connecting


async def test_a_wrong_accept_header(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"
        )

    async with raw_server(script) as uri:
        with pytest.raises(InvalidHeaderValue, match="Accept header: AAAA"):
            await face.connect(uri)


async def test_a_refusal_carries_the_response(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.write(b"HTTP/1.1 418 I'm a teapot\r\nX: y\r\nContent-Length: 3\r\n\r\ntea")

    async with raw_server(script) as uri:
        with pytest.raises(InvalidStatusCode) as caught:
            await face.connect(uri)
    assert caught.value.status_code == 418
    assert caught.value.headers["X"] == "y"
    assert caught.value.response.body == b"tea"
    assert str(caught.value) == "server rejected WebSocket connection: HTTP 418"


# Redirects.


def redirect(location: str, status: bytes = b"302 Found") -> bytes:
    return b"HTTP/1.1 %b\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (
        status,
        location.encode(),
    )


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_redirects_are_followed(face: Face, status: int) -> None:
    async def process_request(path: str, headers: Headers) -> Any:
        if path == "/old/":
            return http.HTTPStatus(status), {"Location": "../new?x"}, b""
        return None

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        async with face.connect(uri_of(server, "/old/")) as client:
            assert client.path == "/new?x"


async def test_secrets_stay_with_their_origin(face: Face) -> None:
    heads: list[Headers] = []

    async def other(raw: Raw) -> None:
        heads.append(await raw.accept())

    secrets = {
        "Authorization": "Bearer x",
        "cookie": "x",
        "Proxy-Authorization": "x",
        "X-Other": "kept",
    }
    async with raw_server(other) as target:

        async def script(raw: Raw) -> None:
            _, headers = await raw.read_head()
            heads.append(headers)
            raw.write(redirect("/again" if len(heads) == 1 else target))

        async with raw_server(script) as uri:
            client = await face.connect(uri, extra_headers=secrets)
            await client.wait_closed()
    assert len(heads) == 3
    for head in heads[:2]:
        assert {name for name in secrets if name in head} == set(secrets)
    assert {name for name in secrets if name in heads[2]} == {"X-Other"}


async def test_credentials_of_the_uri_stay_with_their_origin(face: Face) -> None:
    heads: list[Headers] = []

    async def other(raw: Raw) -> None:
        heads.append(await raw.accept())

    async with raw_server(other) as target:

        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(redirect(target.replace("ws://", "http://")))

        async with raw_server(script) as uri:
            client = await face.connect(uri.replace("ws://", "ws://user:pass@"))
            await client.wait_closed()
    assert "Authorization" not in heads[0]


async def test_a_redirect_may_not_give_up_tls(face: Face) -> None:
    from faces.support import client_tls, server_tls

    async def process_request(path: str, headers: Headers) -> Any:
        return 302, {"Location": f"ws://{headers['Host']}/"}, b""

    async with face.serve(
        echo, "localhost", 0, ssl=server_tls(), process_request=process_request
    ) as server:
        with pytest.raises(SecurityError, match="give up TLS"):
            await face.connect(uri_of(server, scheme="wss"), ssl=client_tls())


async def test_endless_redirects(face: Face) -> None:
    count = 0

    async def process_request(path: str, headers: Headers) -> Any:
        nonlocal count
        count += 1
        return 302, {"Location": "/"}, b""

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        with pytest.raises(SecurityError, match="more than 10 redirects"):
            await face.connect(uri_of(server))
    assert count == 11


@pytest.mark.parametrize(
    "location, error",
    [("ftp://elsewhere/", InvalidURI), ("ws://elsewhere.test/#a", InvalidURI)],
)
async def test_redirects_to_nowhere(face: Face, location: str, error: Any) -> None:
    async def process_request(path: str, headers: Headers) -> Any:
        return 302, {"Location": location}, b""

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        with pytest.raises(error):
            await face.connect(uri_of(server))


async def test_a_redirect_without_a_location(face: Face) -> None:
    async def process_request(path: str, headers: Headers) -> Any:
        return 302, {}, b""

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        with pytest.raises(InvalidHeader, match="missing Location"):
            await face.connect(uri_of(server))


async def test_a_redirect_elsewhere_contradicts_host_and_sock(face: Face) -> None:
    async def process_request(path: str, headers: Headers) -> Any:
        return 302, {"Location": "ws://elsewhere.test/"}, b""

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        with pytest.raises(ValueError, match="host argument"):
            await face.connect(uri_of(server), host="localhost")


# Errors of the caller, and of the network.


@pytest.mark.parametrize(
    "uri", ["http://localhost/", "localhost", "ws://", "ws://h/#f", "ws://h:99999/"]
)
def test_invalid_uris(face: Face, uri: str) -> None:
    with pytest.raises((InvalidURI, ValueError)):
        face.connect(uri)


@pytest.mark.parametrize(
    "options, error",
    [
        ({"compression": "zip"}, ValueError),
        ({"open_timeout": -1}, ValueError),
        ({"ping_interval": "20"}, TypeError),
        ({"max_size": -1}, ValueError),
        ({"max_queue": (1, 2, 3)}, ValueError),
        ({"subprotocols": "chat"}, TypeError),
        ({"subprotocols": ["not a token"]}, ValueError),
        ({"create_protocol": 42}, TypeError),
    ],
)
def test_wrong_arguments_fail_at_the_call(
    face: Face, options: dict[str, Any], error: Any
) -> None:
    with pytest.raises(error):
        face.connect("ws://localhost/", **options)
    with pytest.raises(error):
        face.serve(echo, "localhost", 0, **options)


@pytest.mark.parametrize(
    "uri, ssl, error",
    [
        ("ws://localhost/", True, ValueError),
        ("wss://localhost/", False, ValueError),
        ("wss://localhost/", "yes", TypeError),
    ],
)
def test_tls_arguments_that_contradict_the_uri(
    face: Face, uri: str, ssl: Any, error: Any
) -> None:
    with pytest.raises(error):
        face.connect(uri, ssl=ssl)


@pytest.mark.parametrize(
    "handler", [None, 42, lambda: None, lambda a, b, c: None, lambda *, ws: None]
)
def test_wrong_handlers(face: Face, handler: Any) -> None:
    with pytest.raises(TypeError):
        face.serve(handler, "localhost", 0)


async def test_nobody_listens(face: Face) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            await face.connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/")


async def test_a_port_that_is_taken(face: Face) -> None:
    async with face.serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(OSError):
            await face.serve(echo, "127.0.0.1", port_of(server))


async def test_a_server_that_does_not_answer(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_all()

    async with raw_server(script) as uri:
        with pytest.raises(TimeoutError, match="timed out during opening handshake"):
            await face.connect(uri, open_timeout=0.01)


async def test_cancelling_the_handshake(face: Face) -> None:
    started = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.read_head()
        started.set()
        assert await raw.read_all() == b""

    async def connect() -> None:
        await face.connect(uri)

    async with raw_server(script) as uri:
        task = asyncio.create_task(connect())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_older_spellings(face: Face) -> None:
    from websockets.classic.client import WebSocketClientProtocol
    from websockets.classic.server import WebSocketServerProtocol

    class Client(WebSocketClientProtocol):
        pass

    class Server(WebSocketServerProtocol):
        pass

    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"timeout": 3, "legacy_recv": True, "loop": loop}
    async with pair(
        face, {"klass": Server, **options}, {"klass": Client, **options}
    ) as (client, server):
        assert type(client) is Client
        assert type(server) is Server
        assert client.close_timeout == server.close_timeout == 3
        await server.send("a")
        assert await client.recv() == "a"
        await server.close()
        assert await client.recv() is None
        assert await server.recv() is None


async def test_another_loop_is_an_error(face: Face) -> None:
    other = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="another event loop"):
            await face.connect("ws://localhost/", loop=other)
        with pytest.raises(RuntimeError, match="another event loop"):
            await face.serve(echo, "localhost", 0, loop=other)
    finally:
        other.close()


async def test_the_server_is_known_before_it_is_awaited(face: Face) -> None:
    serving = face.serve(echo, "localhost", 0)
    assert serving.ws_server.sockets == ()
    assert not serving.ws_server.is_serving()
    with pytest.raises(RuntimeError, match="isn't started"):
        serving.ws_server.get_loop()
    serving.ws_server.close()
    await serving.ws_server.wait_closed()
    async with serving as server:
        assert server is serving.ws_server


async def test_http_status_of_a_handshake_seen_by_a_person(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server, raw_client(server) as raw:
        raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await raw.read_all()
    assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"Upgrade: websocket\r\n" in answer


async def test_invalid_handshake_is_the_base_of_all(face: Face) -> None:
    for error in (InvalidStatusCode, NegotiationError, InvalidUpgrade, SecurityError):
        assert issubclass(error, InvalidHandshake)
