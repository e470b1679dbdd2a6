"""No argument can smuggle a header into a request or a response."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from faces.support import Face, Raw, echo, raw_client, raw_server
from websockets.asyncio import server as modern_server
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Response

#: What ends a header line, to those who are lenient as well.
BREAKS = ["\r\n", "\n", "\r", "\r\n ", "\x00", "\r\n\r\n"]


class Smuggler(ClientPerMessageDeflateFactory):
    """An extension whose parameter has more to say."""

    smuggled = ""

    def get_request_params(self) -> Any:
        return [("server_max_window_bits", self.smuggled)]


def offer(evil: str) -> list[Any]:
    factory = Smuggler()
    factory.smuggled = evil
    return [factory]


CLIENT: dict[str, Any] = {
    "origin": lambda evil: {"origin": evil},
    "user_agent_header": lambda evil: {"user_agent_header": evil},
    "value": lambda evil: {"extra_headers": {"X-Mine": evil}},
    "name": lambda evil: {"extra_headers": {evil: "mine"}},
    "pairs": lambda evil: {"extra_headers": [("X-Mine", evil)]},
    "function": lambda evil: {"extra_headers": lambda: {"X-Mine": evil}},
    "subprotocols": lambda evil: {"subprotocols": [evil]},
    "extensions": lambda evil: {"extensions": offer(evil), "compression": None},
    "path": lambda evil: {"path": evil},
    "query": lambda evil: {"path": f"?{evil}"},
    "user": lambda evil: {"user": evil},
}


@pytest.mark.parametrize("name", CLIENT)
@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_requests(face: Face, name: str, line_break: str) -> None:
    came: list[Headers] = []

    async def script(raw: Raw) -> None:
        # Refused at the last moment, nothing comes at all.
        with contextlib.suppress(EOFError):
            first, headers = await raw.read_head()
            assert first.startswith("GET /") and first.endswith(" HTTP/1.1")
            came.append(headers)

    options = CLIENT[name](f"a{line_break}Evil: 1")
    async with raw_server(script) as uri:
        uri = (
            uri.replace("ws://", f"ws://{options.pop('user')}@")
            if ("user" in options)
            else uri + options.pop("path", "")
        )
        with pytest.raises(Exception) as info:
            await face.connect(uri, **options)
    assert all("Evil" not in headers for headers in came)
    # Refused before it was sent, unless a URI says it in its own way.
    assert not came or name in ("path", "query", "user"), info.value


def answer_with(evil: str, kind: str) -> Any:
    def process_request(connection: Any, request: Any) -> Response:
        if kind == "reason":
            return Response(404, evil, Headers(), b"")
        if kind == "value":
            return Response(404, "Not Found", Headers({"X-Mine": evil}), b"")
        if kind == "name":
            return Response(404, "Not Found", Headers({evil: "mine"}), b"")
        response: Response = connection.respond(404, evil)
        return response

    return process_request


@pytest.mark.parametrize("kind", ["reason", "value", "name", "text"])
@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_responses(kind: str, line_break: str) -> None:
    evil = f"a{line_break}Evil: 1"
    async with modern_server.serve(
        echo, "localhost", 0, process_request=answer_with(evil, kind)
    ) as server:
        async with raw_client(server) as raw:
            first, headers = await raw.handshake()
            assert "Evil" not in headers
            assert first.split()[1] == ("404" if kind == "text" else "500")


SERVER: dict[str, Any] = {
    "server_header": lambda evil: {"server_header": evil},
    "value": lambda evil: {"extra_headers": {"X-Mine": evil}},
    "name": lambda evil: {"extra_headers": {evil: "mine"}},
    "function": lambda evil: {"extra_headers": lambda path, headers: {"X": evil}},
}


@pytest.mark.parametrize("name", SERVER)
@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_servers(face: Face, name: str, line_break: str) -> None:
    options = SERVER[name](f"a{line_break}Evil: 1")
    try:
        server = await face.serve(echo, "localhost", 0, **options)
    except ValueError:
        return
    async with server, raw_client(server) as raw:
        first, headers = await raw.handshake()
        assert first == "HTTP/1.1 500 Internal Server Error"
        assert "Evil" not in headers


async def test_subprotocols_of_the_request_are_not_echoed(face: Face) -> None:
    options = {"subprotocols": ["chat"]}
    async with face.serve(echo, "localhost", 0, **options) as server:
        async with raw_client(server) as raw:
            _, headers = await raw.handshake(
                b"Sec-WebSocket-Protocol: chat\rEvil: 1, chat\r\n"
            )
            assert "Evil" not in headers
