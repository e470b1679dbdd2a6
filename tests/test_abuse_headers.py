"""No argument gets a line of its own into a request or a response.

Each way for text to get there is tried with what could end a line, or a string in
somebody else's program. Either the caller is told, or what is sent has exactly the
lines that it should have.
"""

from __future__ import annotations

import asyncio
import http
import re
from collections.abc import Callable
from typing import Any

import pytest

from faces.support import (
    REQUEST,
    Face,
    Logs,
    Raw,
    classic,
    echo,
    modern,
    raw_client,
    raw_server,
)
from websockets.asyncio import server as modern_server
from websockets.classic.auth import basic_auth_protocol_factory
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.extensions.base import ClientExtensionFactory, ServerExtensionFactory
from websockets.http11 import Response

pytestmark = pytest.mark.usefixtures("clean_loop")

#: What must not get through, by what it has.
BAD = {
    "CRLF": "a\r\nInjected: yes",
    "LF": "a\nInjected: yes",
    "CR": "a\rInjected: yes",
    "NUL": "a\0Injected: yes",
    "two ends": "a\r\n\r\nInjected: yes",
    "other ends of lines": "a\x0b\x0c\x85Injected: yes",
    "outside latin-1": "a\u010a\u560d\u560aInjected: yes",
    "surrogates": "a\udc0d\udc0aInjected: yes",
    "at the end": "a\r\n",
    "at the beginning": "\r\nInjected: yes",
}

_LINE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_STARTS = (
    b"GET /", b"CONNECT ", b"HTTP/1.1 ", b"Host: ", b"Upgrade: ", b"Connection: ",
    b"Sec-WebSocket-", b"Origin: ", b"User-Agent: ", b"Server: ", b"Date: ",
    b"Authorization: ", b"Proxy-Authorization: ", b"Content-Type: ",
    b"Content-Length: ", b"WWW-Authenticate: ", b"Location: ", b"X-", b"Allow: ",
)  # fmt: skip


def check_head(data: bytes) -> None:
    """Check the lines of a request or a response, if there is one."""
    if not data:
        return
    head, separator, _ = data.partition(b"\r\n\r\n")
    assert separator
    for number, line in enumerate(head.split(b"\r\n")):
        assert _LINE.fullmatch(line), line
        assert line.startswith(_STARTS[3:] if number else _STARTS[:3]), line


class Evil(ClientExtensionFactory, ServerExtensionFactory):
    """An extension whose name or parameters are what a test wants."""

    def __init__(self, name: str, parameters: list[tuple[str, str | None]]) -> None:
        self.name = name  # type: ignore[assignment]
        self.parameters = parameters

    def get_request_params(self) -> Any:
        return self.parameters

    def process_response_params(self, params: Any, accepted: Any) -> Any:
        raise NotImplementedError

    def process_request_params(self, params: Any, accepted: Any) -> Any:
        return self.parameters, None


# Each gives arguments of connect().
Ways = dict[str, Callable[[str], dict[str, Any]]]

CLIENT_WAYS: Ways = {
    "path": lambda bad: {"path": f"/{bad}"},
    "query": lambda bad: {"path": f"/?{bad}"},
    "user name": lambda bad: {"user_info": f"{bad}:secret@"},
    "password": lambda bad: {"user_info": f"me:{bad}@"},
    "origin": lambda bad: {"origin": bad},
    "header's value": lambda bad: {"extra_headers": {"X-Bad": bad}},
    "header's name": lambda bad: {"extra_headers": {f"X-{bad}": "good"}},
    "header in a list": lambda bad: {"extra_headers": [("X-Bad", bad)]},
    "subprotocol": lambda bad: {"subprotocols": [bad]},
    "second subprotocol": lambda bad: {"subprotocols": ["good", bad]},
    "user agent": lambda bad: {"user_agent_header": bad},
    "extension's name": lambda bad: {"extensions": [Evil(bad, [])]},
    "parameter's name": lambda bad: {"extensions": [Evil("x", [(bad, None)])]},
    "parameter's value": lambda bad: {"extensions": [Evil("x", [("y", bad)])]},
}


async def connect(face: Face, uri: str, arguments: dict[str, Any]) -> None:
    """Connect to a server that ends the connection; errors are expected."""
    scheme, _, host = uri.rstrip("/").partition("://")
    arguments = dict(arguments)
    path = arguments.pop("path", "/")
    user_info = arguments.pop("user_info", "")
    try:
        await face.connect(f"{scheme}://{user_info}{host}{path}", **arguments)
    except UnicodeEncodeError:
        pytest.fail("that isn't a clear error")
    except (ValueError, TypeError, WebSocketException):
        pass


@pytest.mark.parametrize("way", CLIENT_WAYS)
async def test_requests(face: Face, way: str) -> None:
    received: list[bytes] = []

    async def script(raw: Raw) -> None:
        received.append(await asyncio.wait_for(_read_head(raw), 10))

    async with raw_server(script) as uri:
        for bad in BAD.values():
            await connect(face, uri, CLIENT_WAYS[way](bad))
    for head in received:
        check_head(head)


async def _read_head(raw: Raw) -> bytes:
    """Read the head of a request, and whatever came with it."""
    data = b""
    while b"\r\n\r\n" not in data and (chunk := await raw.reader.read(65536)):
        data += chunk
    return data


@pytest.mark.parametrize("way", CLIENT_WAYS)
async def test_good_values_get_there(face: Face, way: str) -> None:
    """The other tests would not see a way that leads nowhere."""
    received: list[bytes] = []

    async def script(raw: Raw) -> None:
        received.append(await _read_head(raw))

    async with raw_server(script) as uri:
        await connect(face, uri, CLIENT_WAYS[way]("Marked"))
    [head] = received
    check_head(head)
    # Basic credentials are in base64.
    assert re.search(rb"Marked|TWFya2Vk|bWU6TWFya2Vk", head)


PROXY_WAYS: Ways = {
    "user name": lambda bad: {"proxy": f"http://{bad}:secret@localhost:0000"},
    "password": lambda bad: {"proxy": f"http://me:{bad}@localhost:0000"},
    "user agent": lambda bad: {
        "proxy": "http://localhost:0000",
        "user_agent_header": bad,
    },
    "target": lambda bad: {"proxy": "http://localhost:0000", "host": bad},
}


@pytest.mark.parametrize("way", PROXY_WAYS)
async def test_requests_to_proxies(face: Face, way: str) -> None:
    received: list[bytes] = []

    async def script(raw: Raw) -> None:
        received.append(await _read_head(raw))

    async with raw_server(script) as uri:
        port = uri.rstrip("/").rpartition(":")[2]
        for bad in "Marked", *BAD.values():
            arguments = PROXY_WAYS[way](bad)
            arguments["proxy"] = arguments["proxy"].replace("0000", port)
            host = arguments.pop("host", "example.test")
            await connect(face, f"ws://{host}/", arguments)
    for head in received:
        assert head.startswith(b"CONNECT ")
        check_head(head)
    assert re.search(rb"Marked|TWFya2Vk|bWU6TWFya2Vk", received[0], re.IGNORECASE)


@pytest.mark.parametrize("bad", ["good", *BAD])
async def test_redirects(face: Face, bad: str) -> None:
    """What a server redirects to is made into a request, or refused."""
    received: list[bytes] = []

    async def script(raw: Raw) -> None:
        received.append(await _read_head(raw))
        if len(received) == 1:
            location = BAD.get(bad, "Marked").encode("utf-8", "surrogatepass")
            raw.write(
                b"HTTP/1.1 302 Found\r\nLocation: /" + location + b"\r\n"
                b"Content-Length: 0\r\n\r\n"
            )

    async with raw_server(script) as uri:
        await connect(face, uri, {})
    for head in received:
        check_head(head)
    assert len(received) == 2 or bad != "good"


# Servers.


def respond(bad: str) -> dict[str, Callable[[Any], Any]]:
    """Return the answers of hooks of the modern API that have a text in them."""

    def with_header(name: str, value: str) -> Callable[[Any], Response]:
        def answer(connection: Any) -> Response:
            response: Response = connection.respond(http.HTTPStatus.OK, "body\n")
            response.headers[name] = value
            return response

        return answer

    def with_phrase(connection: Any) -> Response:
        response: Response = connection.respond(http.HTTPStatus.OK, "body\n")
        response.reason_phrase = bad
        return response

    return {
        "header's value": with_header("X-Bad", bad),
        "header's name": with_header(f"X-{bad}", "good"),
        "location": with_header("Location", bad),
        "reason phrase": with_phrase,
        "body": lambda connection: connection.respond(http.HTTPStatus.OK, bad),
    }


def server_ways(face: Face, bad: str) -> dict[str, dict[str, Any]]:
    """Return arguments of serve() by what has the text."""
    ways: dict[str, dict[str, Any]] = {
        "server": {"server_header": bad},
        "header's value": {"extra_headers": {"X-Bad": bad}},
        "header's name": {"extra_headers": {f"X-{bad}": "good"}},
        "header of a function": {"extra_headers": lambda *args: [("X-Bad", bad)]},
        "subprotocol": {"subprotocols": [bad], "select_subprotocol": lambda *args: bad},
        "extension": {"extensions": [Evil("x", [("y", bad)])]},
    }
    ok = http.HTTPStatus.OK
    if face is classic:
        realm = basic_auth_protocol_factory(realm=bad, credentials=("a", "b"))
        ways |= {
            "realm": {"create_protocol": realm},
            "answer's value": {"process_request": _say(ok, {"X-Bad": bad})},
            "answer's name": {"process_request": _say(ok, [(f"X-{bad}", "good")])},
            "answer's location": {"process_request": _say(302, {"Location": bad})},
            "answer's status": {"process_request": _say(bad, {})},
            "exception": {"process_request": _fail(bad)},
        }
    else:
        ways |= {
            f"answer's {name}": {"process_request": _call(answer)}
            for name, answer in respond(bad).items()
        }
        ways["realm"] = {"process_request": _realm(bad)}
    return ways


def _say(status: Any, headers: Any) -> Callable[..., Any]:
    return lambda path, request_headers: (status, headers, b"body\n")


def _fail(text: str) -> Callable[..., Any]:
    def process_request(path: str, request_headers: Any) -> Any:
        raise InvalidHandshake(text)

    return process_request


def _call(answer: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda connection, request: answer(connection)


def _realm(bad: str) -> Callable[..., Any]:
    try:
        return modern_server.basic_auth(realm=bad, credentials=("a", "b"))
    except ValueError:
        return lambda connection, request: None


def serve(face: Face, arguments: dict[str, Any]) -> Any:
    """Serve; hooks of the modern API are handed in as they are."""
    process_request = arguments.pop("process_request", None)
    if process_request is None or face is classic:
        if process_request is not None:
            arguments["process_request"] = process_request
        return face.serve(echo, "localhost", 0, **arguments)
    return modern_server.serve(
        echo, "localhost", 0, process_request=process_request, **arguments
    )


SERVER_WAYS = [
    pytest.param(face, way, id=f"{face}-{way}")
    for face in (classic, modern)
    for way in server_ways(face, "Marked")
]


EXTRA = (
    b"Sec-WebSocket-Protocol: Marked, a, b\r\n"
    b"Sec-WebSocket-Extensions: x\r\nConnection: close\r\n"
)


async def answer_of(face: Face, arguments: dict[str, Any]) -> bytes:
    """Serve with these arguments; return what a request is answered."""
    async with serve(face, arguments) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + EXTRA + b"\r\n")
            data = await _read_head(raw)
            raw.writer.write_eof()
            return data + await raw.read_all()


@pytest.mark.parametrize("face, way", SERVER_WAYS)
async def test_responses(face: Face, way: str, logs: Logs) -> None:
    for bad in BAD.values():
        try:
            answer = await answer_of(face, server_ways(face, bad)[way])
        except (ValueError, TypeError):
            continue
        head, _, body = answer.partition(b"\r\n\r\n")
        check_head(head + b"\r\n\r\n")
        # Nothing follows but the body, which is as long as it says.
        if length := re.search(rb"Content-Length: (\d+)", head):
            assert len(body) == int(length[1])


@pytest.mark.parametrize("face, way", SERVER_WAYS)
async def test_good_values_are_answered(face: Face, way: str, logs: Logs) -> None:
    answer = await answer_of(face, server_ways(face, "Marked")[way])
    check_head(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    if "status" not in way:
        assert b"Marked" in answer
