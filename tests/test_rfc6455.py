"""Rules of RFC 6455 that no test of a module shows; see docs/topics/rfc6455.rst."""

from __future__ import annotations

import logging

import pytest

from byhand import CLIENT, OPEN, SERVER, close_payload, feed, frame, make, sent, text
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.http11 import HandshakeReader, Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def ask(server: ServerProtocol, *headers: str, version: str = "13") -> Request:
    """Send a server the handshake of RFC 6455, 1.2, with more headers."""
    lines = [
        "GET /chat HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        f"Sec-WebSocket-Version: {version}",
        *headers,
    ]
    server.receive_data("\r\n".join([*lines, "", ""]).encode())
    [request] = server.events_received()
    assert isinstance(request, Request)
    return request


def answer(server: ServerProtocol, request: Request) -> Response:
    """Return a server's answer, as a client reads it."""
    server.send_response(server.accept(request))
    reader = HandshakeReader()
    reader.feed(b"".join(server.data_to_send()))
    response = reader.read_response()
    assert response is not None
    return response


@pytest.mark.parametrize("version", ["8", "12", "14", "013", "255", "13, 8", "x", ""])
def test_other_versions_are_told_ours(version: str) -> None:
    # 4.2.2 and 4.4.
    server = ServerProtocol()
    response = answer(server, ask(server, version=version))
    assert response.status_code == 400
    assert response.headers.get_all("Sec-WebSocket-Version") == ["13"]


def test_no_version_is_told_where_it_was_right() -> None:
    for extra in [(), ("Sec-WebSocket-Extensions: ;",)]:
        server = ServerProtocol()
        response = answer(server, ask(server, *extra))
        assert "Sec-WebSocket-Version" not in response.headers


def test_the_chosen_subprotocol_is_told_once() -> None:
    # 11.3.4.
    server = ServerProtocol(subprotocols=[Subprotocol("chat")])
    request = ask(
        server, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat, other"
    )
    response = answer(server, request)
    assert response.headers.get_all("Sec-WebSocket-Protocol") == ["chat"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_both_schemes_are_encoded_alike(scheme: str) -> None:
    # 11.1.1 and 11.1.2.
    uri = parse_uri(f"{scheme}://bücher.example/süß?größe=½")
    assert uri.secure is (scheme == "wss")
    assert uri.host == "xn--bcher-kva.example"
    assert uri.resource_name == "/s%C3%BC%C3%9F?gr%C3%B6%C3%9Fe=%C2%BD"


def test_our_extension_is_a_registered_one() -> None:
    # 9.1; the registry of IANA has it from RFC 7692.
    for factory in ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory:
        assert factory.name == "permessage-deflate"


def test_what_the_server_ignores_is_not_used() -> None:
    # 9.1.
    client = ClientProtocol(
        "ws://server.example.com/chat", extensions=[ClientPerMessageDeflateFactory()]
    )
    client.key = KEY
    client.send_request(client.connect())
    client.data_to_send()
    client.receive_data(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n\r\n"
    )
    assert client.state is OPEN
    assert client.extensions == []
    client.send_text(b"x" * 1000)
    assert sent(client) == [(0x81, b"x" * 1000)]
    client.events_received()
    assert feed(client, [frame(CLIENT, 0x81, b"spam")]) == [text("spam")]
    feed(client, [frame(CLIENT, 0xC1, b"*.H\xcc\x05\x00")])
    assert sent(client) == [(0x88, close_payload(1002, "reserved bits must be 0"))]


def test_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    # 7.1.7: a server that fails a connection should log why.
    caplog.set_level(logging.DEBUG, "websockets.protocol")
    server = make(SERVER)
    feed(server, [frame(SERVER, 0x83)])
    assert "> CLOSE 1002 (protocol error) invalid opcode [16 bytes]" in caplog.messages
    assert str(server.parser_exc) == "invalid opcode"
