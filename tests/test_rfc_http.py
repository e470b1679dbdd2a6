"""Rules of RFC 9110 and RFC 9112 that no test of a module shows; see the same page."""

from __future__ import annotations

import pytest

from byhand import split
from test_rfc6455 import ACCEPT, KEY
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage
from websockets.http11 import Response
from websockets.server import ServerProtocol

REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\n"
)


def refused(data: bytes) -> str:
    """Return why a server refuses a request with status 400, and closes."""
    for pieces in [data], split(data):
        server = ServerProtocol()
        for piece in pieces:
            server.receive_data(piece)
        assert server.events_received() == []
        head, end = server.data_to_send()
        assert bytes(head).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"\r\nConnection: close\r\n" in head
        assert end == b""
        assert server.close_expected()
        assert isinstance(server.handshake_exc, InvalidMessage)
        why = str(server.handshake_exc.__cause__)
    return why


def test_white_space_before_headers() -> None:
    # RFC 9112, 2.2 and 5.1.
    first, _, rest = REQUEST.partition(b"\r\n")
    why = refused(first + b"\r\n  X: y\r\n" + rest + b"\r\n")
    assert why == "unsupported HTTP header folding: X: y"
    assert refused(REQUEST + b"X : y\r\n\r\n") == "invalid HTTP header name: X "


def test_folded_headers() -> None:
    # RFC 9112, 5.2.
    assert refused(REQUEST + b"X: y\r\n z\r\n\r\n") == (
        "unsupported HTTP header folding: z"
    )
    client = ClientProtocol("ws://server.example.com/chat")
    client.key = KEY
    client.send_request(client.connect())
    client.receive_data(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade,\r\n keep-alive\r\n"
        b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n\r\n"
    )
    assert isinstance(client.handshake_exc, InvalidMessage)
    cause = client.handshake_exc.__cause__
    assert str(cause) == "unsupported HTTP header folding: keep-alive"
    with pytest.raises(ValueError, match="invalid"):
        Headers(X="y\r\n z").serialize()


@pytest.mark.parametrize(
    "headers",
    [
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: x\r\n",
        b"Content-Length: 0\r\nContent-Length: 0\r\n",
    ],
)
def test_bodies_of_requests(headers: bytes) -> None:
    # RFC 9112, 6.1 and 6.3.
    why = refused(REQUEST + headers + b"\r\n0\r\n\r\n")
    assert why.startswith(("unsupported body", "invalid Content-Length"))


def test_a_space_follows_the_status() -> None:
    # RFC 9112, 4.
    assert Response(400, "", Headers()).serialize() == b"HTTP/1.1 400 \r\n\r\n"
