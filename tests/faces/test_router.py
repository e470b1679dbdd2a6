"""Servers that choose the handler by the path (websockets.asyncio.router)."""

from __future__ import annotations

import logging
import pathlib
import sys
import tempfile
from typing import Any

import pytest

from faces.support import Logs, client_tls, raw_client, server_tls, uri_of
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.router import Router, route, unix_route
from websockets.asyncio.server import Server, ServerConnection, basic_auth
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

routing = pytest.importorskip("werkzeug.routing", reason="werkzeug isn't installed")
Map, Rule = routing.Map, routing.Rule


async def tell(connection: ServerConnection, **kwargs: Any) -> None:
    """Send what the path says."""
    await connection.send(repr(sorted(kwargs.items())))


async def special(connection: ServerConnection) -> None:
    """Send something else."""
    await connection.send("special")


def make_map(**kwargs: Any) -> Any:
    return Map(
        [
            Rule("/", endpoint=tell),
            Rule("/users/<int:number>", endpoint=tell),
            Rule("/named/<name>", endpoint=tell),
            Rule("/folder/<name>/", endpoint=tell),
            Rule("/old", redirect_to="/users/3"),
            Rule("/post", endpoint=tell, methods=["POST", "PUT"]),
            Rule("/api", endpoint=special, subdomain="api"),
            Rule("/both", endpoint=tell),
            Rule("/both", endpoint=special, websocket=True),
            Rule("/never", endpoint="a name to build URLs with", build_only=True),
        ],
        **kwargs,
    )


async def answer(server: Server, path: str, **kwargs: Any) -> str | Response:
    """Connect; return what was received, or the response that refused it."""
    try:
        async with connect(uri_of(server, path), **kwargs) as websocket:
            return await websocket.recv(decode=True)
    except InvalidStatus as exc:
        return exc.response


async def ask(server: Server, path: str, *headers: str) -> tuple[str, Any, bytes]:
    """Send a request by hand; return the status line, the headers and the body."""
    async with raw_client(server) as raw:
        lines = [
            *[f"GET {path} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"],
            *["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *headers],
            "Sec-WebSocket-Version: 13",
        ]
        raw.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        status, head = await raw.read_head()
        body = b"" if " 101 " in status else await raw.read_all()
        return status.removeprefix("HTTP/1.1 "), head, body


class NoRedirects(connect):
    """Doesn't follow redirects."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class TestRoutes:
    @pytest.mark.parametrize(
        "path, received",
        [
            ("/", "[]"),
            ("/users/3?x=1", "[('number', 3)]"),
            ("/named/h%C3%A9llo%20you", "[('name', 'héllo you')]"),
            ("/old", "[('number', 3)]"),
            ("/folder/h%C3%A9", "[('name', 'hé')]"),
            ("/both", "special"),
        ],
    )
    async def test_handlers(self, path: str, received: str) -> None:
        async with route(make_map(), "localhost", 0) as server:
            assert await answer(server, path) == received

    async def test_what_a_connection_knows(self) -> None:
        seen = []

        async def handler(connection: ServerConnection, number: int) -> None:
            seen.append((connection.endpoint, connection.endpoint_kwargs))

        url_map = Map([Rule("/<int:number>", endpoint=handler)])
        async with route(url_map, "localhost", 0) as server:
            async with connect(uri_of(server, "/3")) as websocket:
                await websocket.wait_closed()
        assert seen == [(handler, {"number": 3})]

    async def test_a_map_stays_as_it_is(self) -> None:
        url_map = make_map()
        async with route(url_map, "localhost", 0) as server:
            assert await answer(server, "/") == "[]"
        adapter = url_map.bind("localhost", url_scheme="http")
        assert adapter.match("/both") == (tell, {})

    async def test_rules_may_be_added_later(self) -> None:
        url_map = make_map()
        async with route(url_map, "localhost", 0) as server:
            url_map.add(Rule("/late", endpoint=special))
            assert await answer(server, "/late") == "special"

    @pytest.mark.parametrize("path", ["/nothing", "/users/x", "/api", "/never", "*"])
    async def test_not_found(self, path: str, logs: Logs) -> None:
        async with route(make_map(), "localhost", 0) as server:
            status, headers, body = await ask(server, path, "Host: localhost")
            assert (status, body) == ("404 Not Found", b"Not Found")
        assert "HTTP response sent (404 Not Found)" in logs.texts(logging.INFO)

    async def test_other_methods(self) -> None:
        async with route(make_map(), "localhost", 0) as server:
            response = await answer(server, "/post")
        assert isinstance(response, Response)
        assert response.status_code == 405
        assert response.headers["Allow"] == "POST, PUT"
        assert response.body == b"Method Not Allowed\n"

    async def test_plain_http(self) -> None:
        """A path that has a handler still isn't one for browsers."""
        async with route(make_map(), "localhost", 0) as server:
            async with raw_client(server) as raw:
                raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert " 426 " in (await raw.read_head())[0]

    @pytest.mark.parametrize(
        "host, text",
        [
            ([], b"missing Host header\n"),
            (["a", "b"], b"invalid Host header: multiple values\n"),
            (["b\xfccher." + "x" * 64], b"Bad Request\n"),
        ],
    )
    async def test_bad_hosts(self, host: list[str], text: bytes) -> None:
        headers = [f"Host: {name}" for name in host]
        async with route(make_map(), "localhost", 0) as server:
            status, _, body = await ask(server, "/", *headers)
            assert (status, body) == ("400 Bad Request", text)


class TestRedirects:
    @pytest.mark.parametrize(
        "arguments, location",
        [
            ({}, "ws://example.com:80/folder/h%C3%A9/?q=%20"),
            ({"server_name": "a.test"}, "ws://a.test/folder/h%C3%A9/?q=%20"),
            ({"ssl": True}, "wss://example.com:80/folder/h%C3%A9/?q=%20"),
        ],
    )
    async def test_location(self, arguments: Any, location: str, logs: Logs) -> None:
        async with route(make_map(), "localhost", 0, **arguments) as server:
            status, headers, body = await ask(
                server, "/folder/h%C3%A9?q=%20", "Host: example.com:80"
            )
        assert status == "302 Found"
        assert headers["Location"] == location
        assert body == f"Found at {location}".encode()
        assert "HTTP response sent (302 Found)" in logs.texts(logging.INFO)

    async def test_tls(self) -> None:
        async with route(make_map(), "localhost", 0, ssl=server_tls()) as server:
            uri = uri_of(server, "/folder/a", scheme="wss")
            async with connect(uri, ssl=client_tls()) as websocket:
                assert await websocket.recv() == "[('name', 'a')]"
            with pytest.raises(InvalidStatus) as info:
                await NoRedirects(uri, ssl=client_tls())
            location = info.value.response.headers["Location"]
            assert location == uri_of(server, "/folder/a/", scheme="wss")


class TestHosts:
    @pytest.mark.parametrize(
        "server_name, host, status",
        [
            ("example.com", "api.example.com", 101),
            ("example.com", "API.Example.com:8001", 101),
            ("example.com:8001", "api.example.com:8001", 101),
            ("example.com:8001", "api.example.com", 404),
            ("example.com", "example.com", 404),
            ("example.com", "api.example.org", 404),
            ("example.com", "badexample.com", 404),
            (None, "api.example.com", 404),
        ],
    )
    async def test_subdomains(
        self, server_name: str | None, host: str, status: int
    ) -> None:
        url_map = make_map()
        async with route(url_map, "localhost", 0, server_name=server_name) as server:
            answered, _, _ = await ask(server, "/api", f"Host: {host}")
            assert answered.startswith(f"{status} ")
            # Other hosts have what is there without a subdomain.
            answered, _, _ = await ask(server, "/", "Host: elsewhere.example")
            assert answered.startswith("101 ")

    async def test_host_matching(self) -> None:
        url_map = Map(
            [
                Rule("/", endpoint=tell, host="a.example"),
                Rule("/", endpoint=special, host="b.example:<port>"),
            ],
            host_matching=True,
        )
        statuses = {"a.example": 101, "a.example:80": 404, "c.example": 404}
        async with route(url_map, "localhost", 0) as server:
            for host, status in statuses.items():
                answered, _, _ = await ask(server, "/", f"Host: {host}")
                assert answered.startswith(f"{status} ")
        async with route(url_map, "localhost", 0, server_name="a.example") as server:
            assert await answer(server, "/") == "[]"


class TestArguments:
    async def test_process_request_comes_first(self) -> None:
        async def process_request(
            connection: ServerConnection, request: Request
        ) -> Response | None:
            healthy = request.path == "/health"
            return connection.respond(200, "fine\n") if healthy else None

        async with route(
            make_map(), "localhost", 0, process_request=process_request
        ) as server:
            status, _, body = await ask(server, "/health", "Host: localhost")
            assert (status, body) == ("200 OK", b"fine\n")
            assert await answer(server, "/") == "[]"
            response = await answer(server, "/nothing")
            assert isinstance(response, Response) and response.status_code == 404

    async def test_basic_auth(self) -> None:
        auth = basic_auth(credentials=("hello", "iloveyou"))
        async with route(make_map(), "localhost", 0, process_request=auth) as server:
            response = await answer(server, "/nothing")
            assert isinstance(response, Response) and response.status_code == 401
            uri = uri_of(server).replace("//", "//hello:iloveyou@")
            async with connect(uri) as websocket:
                assert await websocket.recv() == "[]"

    async def test_a_router_of_ones_own(self) -> None:
        class Mine(Router):
            async def route_request(  # type: ignore[override]
                self, connection: ServerConnection, request: Request
            ) -> Response | None:
                answer = super().route_request(connection, request)
                if answer is None:
                    connection.endpoint = globals()[connection.endpoint]  # type: ignore[index]
                return answer

            def not_found(self, connection: ServerConnection) -> Response:
                return connection.respond(410, "Gone\n")

            def get_server_name(
                self, connection: ServerConnection, request: Request
            ) -> str:
                return f"{self.url_scheme}.example"

        url_map = Map([Rule("/", endpoint="tell")])
        async with route(url_map, "localhost", 0, create_router=Mine) as server:
            assert await answer(server, "/") == "[]"
            response = await answer(server, "/nothing")
            assert isinstance(response, Response) and response.status_code == 410

    async def test_unix(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder) / "socket")
            async with unix_route(make_map(), path), unix_connect(path) as websocket:
                assert await websocket.recv() == "[]"

    @pytest.mark.parametrize(
        "arguments, error, text",
        [
            ({"url_map": [Rule("/", endpoint=tell)]}, TypeError, "url_map .*not list"),
            ({"url_map": Map([Rule("/", endpoint="x")])}, TypeError, "url_map .*'x'"),
            ({"create_router": 1}, TypeError, "create_router"),
            ({"process_request": 1}, TypeError, "process_request"),
            ({"process_response": 1}, TypeError, "process_response"),
            ({"nonsense": 1}, TypeError, "nonsense"),
        ],
    )
    def test_wrong_arguments(
        self, arguments: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            route(**{"url_map": make_map(), **arguments})

    def test_a_router_needs_a_map(self) -> None:
        with pytest.raises(TypeError, match="url_map"):
            Router(None)  # type: ignore[arg-type]

    def test_without_werkzeug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "werkzeug.routing", None)
        with pytest.raises(ImportError, match=r"pip install 'websockets\[router\]'"):
            route(None)  # type: ignore[arg-type]
