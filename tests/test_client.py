"""A client's opening handshake without I/O (websockets.client)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand import CLIENT, CLOSED, CONNECTING, EOF, OPEN, frame, sent, split, text
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderFormat,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
)
from websockets.extensions.base import ClientExtensionFactory, Extension
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
)
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.typing import ExtensionName, ExtensionParameter
from websockets.uri import parse_uri

# The example of RFC 6455, 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

UPGRADE = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", ACCEPT),
]


class Plain(Extension):
    name = ExtensionName("x-plain")

    def __init__(self, params: Sequence[ExtensionParameter] = ()) -> None:
        self.params = list(params)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return frame


class PlainFactory(ClientExtensionFactory):
    """Offers an extension with one parameter, which must be answered."""

    name = ExtensionName("x-plain")

    def __init__(self, value: str | None = None) -> None:
        self.value = value

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        return [("p", self.value)]

    def process_response_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> Extension:
        if list(params) != [("p", self.value)]:
            raise NegotiationError(f"not {self.value}")
        return Plain(params)


class BrokenFactory(PlainFactory):
    def process_response_params(self, *args: Any) -> Extension:
        raise ZeroDivisionError


def make(uri: str = "ws://example.com/chat", **kwargs: Any) -> ClientProtocol:
    protocol = ClientProtocol(parse_uri(uri), **kwargs)
    protocol.key = KEY
    return protocol


def respond(
    *changes: tuple[str, str | None], status: str = "101 Switching Protocols"
) -> bytes:
    """Build the right response, with headers added, and removed where None."""
    removed = {name for name, value in changes if value is None}
    lines = [f"HTTP/1.1 {status}"]
    items = [item for item in UPGRADE if item[0] not in removed]
    items += [(name, value) for name, value in changes if value is not None]
    return "\r\n".join([*lines, *map(": ".join, items), "", ""]).encode()


def replaced(name: str, value: str) -> bytes:
    data = respond()
    [line] = [item for item in data.split(b"\r\n") if item.startswith(name.encode())]
    return data.replace(line, f"{name}: {value}".encode())


def connected(data: bytes, eof: bool = False, **kwargs: Any) -> list[ClientProtocol]:
    """Receive a response whole, and byte by byte."""
    protocols = []
    for pieces in [data], split(data):
        protocol = make(**kwargs)
        protocol.send_request(protocol.connect())
        protocol.data_to_send()
        for piece in pieces:
            protocol.receive_data(piece)
        if eof:
            protocol.receive_eof()
        protocols.append(protocol)
    return protocols


def causes(exc: BaseException | None) -> list[str]:
    found = []
    while exc is not None:
        found.append(f"{type(exc).__name__}: {exc}")
        exc = exc.__cause__
    return found


class TestRequest:
    def test_request(self) -> None:
        protocol = make("ws://example.com/chat?room=1")
        request = protocol.connect()
        assert request.path == "/chat?room=1"
        assert list(request.headers.raw_items()) == [
            ("Host", "example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
        ]

    def test_everything(self) -> None:
        protocol = make(
            "wss://user:password@example.com:8443/",
            origin="https://example.com",
            extensions=[PlainFactory("1"), PlainFactory()],
            subprotocols=["chat", "superchat"],
        )
        assert list(protocol.connect().headers.raw_items()) == [
            ("Host", "example.com:8443"),
            ("Authorization", "Basic dXNlcjpwYXNzd29yZA=="),
            ("Origin", "https://example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Extensions", "x-plain; p=1, x-plain; p"),
            ("Sec-WebSocket-Protocol", "chat, superchat"),
        ]

    def test_subprotocols_are_offered_once(self) -> None:
        # RFC 6455, 4.1.
        headers = make(subprotocols=["b", "a", "b"]).connect().headers
        assert headers["Sec-WebSocket-Protocol"] == "b, a"

    def test_key_is_random(self) -> None:
        uri = parse_uri("ws://example.com/")
        keys = {ClientProtocol(uri).key for _ in range(10)}
        assert len(keys) == 10
        assert all(len(key) == 24 for key in keys)

    def test_send(self) -> None:
        protocol = make()
        request = protocol.connect()
        request.headers["X-More"] = "é"
        protocol.send_request(request)
        [data] = protocol.data_to_send()
        assert data == (
            b"GET /chat HTTP/1.1\r\n"
            b"Host: example.com\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"X-More: \xe9\r\n\r\n"
        )
        assert protocol.state is CONNECTING
        assert not protocol.close_expected()

    def test_path_that_cannot_be_sent(self) -> None:
        protocol = make()
        request = protocol.connect()
        request.path = "/a b"
        with pytest.raises(ValueError, match="invalid HTTP"):
            protocol.send_request(request)
        assert protocol.data_to_send() == []

    def test_uri(self) -> None:
        uri = parse_uri("ws://example.com/")
        for protocol in (
            ClientProtocol(uri),
            ClientProtocol("ws://example.com/"),
            ClientProtocol(wsuri=uri),
        ):
            assert protocol.uri == protocol.wsuri == uri
        with pytest.raises(TypeError, match="uri is required"):
            ClientProtocol()
        with pytest.raises(InvalidURI):
            ClientProtocol("http://example.com/")

    def test_logger(self) -> None:
        assert make().logger is logging.getLogger("websockets.client")
        logger = logging.getLogger("spam")
        assert make(logger=logger).logger is logger


class TestAccepted:
    def check(self, data: bytes, **kwargs: Any) -> ClientProtocol:
        for protocol in connected(data, **kwargs):
            assert protocol.handshake_exc is None
            assert protocol.state is OPEN
            [response] = protocol.events_received()
            assert isinstance(response, Response)
            assert response.status_code == 101
            assert response.body == b""
            assert not protocol.close_expected()
            assert protocol.data_to_send() == []
        return protocol

    def test_response(self) -> None:
        protocol = self.check(respond())
        assert protocol.extensions == []
        assert protocol.subprotocol is None

    @pytest.mark.parametrize(
        "name, value",
        [
            ("Upgrade", "WebSocket"),
            ("Upgrade", "websocket, websocket"),
            ("Connection", "keep-alive, upgrade"),
            ("Sec-WebSocket-Accept", f" {ACCEPT} "),
        ],
    )
    def test_variants(self, name: str, value: str) -> None:
        self.check(replaced(name, value))

    def test_several_connection_headers(self) -> None:
        self.check(respond(("Connection", "keep-alive")))

    def test_subprotocol(self) -> None:
        data = respond(("Sec-WebSocket-Protocol", "superchat"))
        protocol = self.check(data, subprotocols=["chat", "superchat"])
        assert protocol.subprotocol == "superchat"

    def test_extension(self) -> None:
        data = respond(("Sec-WebSocket-Extensions", "x-plain; p=2"))
        factories = [PlainFactory("1"), BrokenName(), PlainFactory("2")]
        protocol = self.check(data, extensions=factories)
        [extension] = protocol.extensions
        assert isinstance(extension, Plain)
        assert extension.params == [("p", "2")]

    def test_two_extensions(self) -> None:
        data = respond(
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
            ("Sec-WebSocket-Extensions", "x-plain; p"),
        )
        factories = [ClientPerMessageDeflateFactory(), PlainFactory()]
        protocol = self.check(data, extensions=factories)
        kinds = [type(item) for item in protocol.extensions]
        assert kinds == [PerMessageDeflate, Plain]

    def test_frames_in_the_same_segment(self) -> None:
        data = respond() + frame(CLIENT, 0x81, b"spam") + frame(CLIENT, 0x89, b"x")
        for protocol in connected(data + b"\x81"):
            assert protocol.events_received()[1] == text("spam")
            assert sent(protocol) == [(0x8A, b"x")]
            protocol.receive_data(b"\x00")
            assert protocol.events_received() == [text("")]

    def test_compressed_frames_in_the_same_segment(self) -> None:
        data = respond(("Sec-WebSocket-Extensions", "permessage-deflate"))
        data += frame(CLIENT, 0xC1, b"*.H\xcc\x05\x00")
        factories = [ClientPerMessageDeflateFactory()]
        for protocol in connected(data, extensions=factories):
            assert [type(item) for item in protocol.extensions] == [PerMessageDeflate]
            assert protocol.events_received()[1] == text("spam")

    def test_interim_responses(self) -> None:
        # RFC 9110, 15.2.
        interim = (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
        )
        protocol = self.check(interim + respond())
        assert protocol.subprotocol is None

    def test_bad_frame_in_the_same_segment(self) -> None:
        for protocol in connected(respond() + frame(CLIENT, 0x83)):
            assert protocol.close_sent is not None
            assert protocol.close_sent.code == 1002
            assert protocol.handshake_exc is None

    def test_limits(self) -> None:
        data = respond() + frame(CLIENT, 0x82, b"spam")
        for protocol in connected(data, max_size=3):
            assert protocol.close_sent is not None
            assert protocol.close_sent.code == 1009

    def test_before_the_request(self) -> None:
        # Strange, but the bytes are the same.
        protocol = make()
        protocol.receive_data(respond())
        assert protocol.state is OPEN

    def test_end_of_stream_after_it(self) -> None:
        for protocol in connected(respond(), eof=True):
            assert protocol.state is CLOSED
            assert protocol.close_code == 1006


class BrokenName(PlainFactory):
    """Has another name, so it's never asked."""

    name = ExtensionName("x-other")


NOT_HTTP = "InvalidMessage: did not receive a valid HTTP response"
REFUSED: list[tuple[bytes, dict[str, Any], list[str]]] = [
    (respond(("Upgrade", None)), {}, ["InvalidUpgrade: missing Upgrade header"]),
    (respond(("Connection", None)), {}, ["InvalidUpgrade: missing Connection header"]),
    (replaced("Upgrade", "h2c"), {}, ["InvalidUpgrade: invalid Upgrade header: h2c"]),
    (
        replaced("Upgrade", "websocket, h2c"),
        {},
        ["InvalidUpgrade: invalid Upgrade header: websocket, h2c"],
    ),
    (
        replaced("Connection", "close"),
        {},
        ["InvalidUpgrade: invalid Connection header: close"],
    ),
    (
        respond(("Sec-WebSocket-Accept", None)),
        {},
        ["InvalidHeader: missing Sec-WebSocket-Accept header"],
    ),
    (
        replaced("Sec-WebSocket-Accept", ACCEPT.lower()),
        {},
        [
            "InvalidHeaderValue: invalid Sec-WebSocket-Accept header: "
            "s3pplmbitxaq9kygzzhzrbk+xoo="
        ],
    ),
    (
        respond(("Sec-WebSocket-Accept", ACCEPT)),
        {},
        ["InvalidHeader: invalid Sec-WebSocket-Accept header: multiple values"],
    ),
    (
        respond(("Sec-WebSocket-Protocol", "chat")),
        {},
        ["NegotiationError: no subprotocols supported"],
    ),
    (
        respond(("Sec-WebSocket-Protocol", "other")),
        {"subprotocols": ["chat"]},
        ["NegotiationError: unsupported subprotocol: other"],
    ),
    (
        respond(("Sec-WebSocket-Protocol", "chat, superchat")),
        {"subprotocols": ["chat", "superchat"]},
        [
            "InvalidHeader: invalid Sec-WebSocket-Protocol header: "
            "multiple values: chat, superchat"
        ],
    ),
    (
        respond(("Sec-WebSocket-Extensions", "x-foo")),
        {},
        ["NegotiationError: no extensions supported"],
    ),
    (
        respond(("Sec-WebSocket-Extensions", "x-foo")),
        {"extensions": [PlainFactory()]},
        ["NegotiationError: Unsupported extension: name = x-foo, params = []"],
    ),
    (
        respond(("Sec-WebSocket-Extensions", "x-plain; p=3")),
        {"extensions": [PlainFactory("1"), PlainFactory("2")]},
        [
            "NegotiationError: Unsupported extension: "
            "name = x-plain, params = [('p', '3')]",
            "NegotiationError: not 2",
        ],
    ),
    (
        respond(("Sec-WebSocket-Extensions", "x-plain; p")),
        {"extensions": [BrokenFactory()]},
        ["ZeroDivisionError: "],
    ),
    (
        respond(("Sec-WebSocket-Extensions", ";")),
        {"extensions": [PlainFactory()]},
        [
            "InvalidHeaderFormat: invalid Sec-WebSocket-Extensions header: "
            "expected token at 0 in ;"
        ],
    ),
    (
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nSpam",
        {},
        ["InvalidStatus: server rejected WebSocket connection: HTTP 404"],
    ),
]
NOT_READ: list[tuple[bytes, list[str]]] = [
    (
        b"HTTP/1.0 101 Switching Protocols\r\n\r\n",
        [
            "ValueError: unsupported protocol; expected HTTP/1.1: "
            "HTTP/1.0 101 Switching Protocols"
        ],
    ),
    (
        b"220 smtp.invalid\r\n",
        ["ValueError: invalid HTTP status line: 220 smtp.invalid"],
    ),
    (
        b"HTTP/1.1 OMG WTF\r\n",
        ["ValueError: invalid status code; expected integer; got OMG"],
    ),
    (
        b"HTTP/1.1 007 My name is Bond\r\n",
        ["ValueError: invalid status code; expected 100\u2013599; got 007"],
    ),
    (
        b"HTTP/1.1 101 Switching Protocols\r\nOops\r\n",
        ["ValueError: invalid HTTP header line: Oops"],
    ),
]


class TestRefused:
    @pytest.mark.parametrize("data, kwargs, expected", REFUSED)
    def test_response(
        self, data: bytes, kwargs: dict[str, Any], expected: list[str]
    ) -> None:
        for protocol in connected(data + b"tail", **kwargs):
            assert protocol.state is CONNECTING
            assert causes(protocol.handshake_exc) == expected
            [response] = protocol.events_received()
            assert isinstance(response, Response)
            assert response.exception is protocol.handshake_exc
            self.check_end(protocol)

    @pytest.mark.parametrize("data, expected", NOT_READ)
    def test_not_http(self, data: bytes, expected: list[str]) -> None:
        whole, pieces = connected(data + b"tail")
        assert causes(whole.handshake_exc) == [NOT_HTTP, *expected]
        for protocol in whole, pieces:
            # What can't become HTTP any more fails sooner.
            assert protocol.state is CONNECTING
            assert causes(protocol.handshake_exc)[0] == NOT_HTTP
            assert isinstance(protocol.handshake_exc, InvalidMessage)
            assert protocol.events_received() == []
            self.check_end(protocol)

    def check_end(self, protocol: ClientProtocol) -> None:
        """Nothing more is read, and the stream ends."""
        assert sent(protocol) == [EOF]
        assert protocol.close_expected()
        exc = protocol.handshake_exc
        for piece in respond(), frame(CLIENT, 0x89), b"\xff" * 100:
            protocol.receive_data(piece)
        protocol.receive_eof()
        assert protocol.state is CLOSED
        assert protocol.handshake_exc is exc
        assert protocol.events_received() == []
        assert sent(protocol) == []
        assert protocol.reader.unread == 0

    @pytest.mark.parametrize(
        "data, line",
        [
            (b"", "status line"),
            (respond()[:-2], "headers"),
            (b"HTTP/1.1 1", "status line"),
        ],
    )
    def test_end_of_stream(self, data: bytes, line: str) -> None:
        for protocol in connected(data, eof=True):
            assert protocol.state is CLOSED
            found = causes(protocol.handshake_exc)
            assert found[:2] == [
                NOT_HTTP,
                f"EOFError: connection closed while reading HTTP {line}",
            ]
            assert found[2].startswith("EOFError: stream ends after ")
            assert sent(protocol) == [EOF]
            assert protocol.close_code == 1006

    def test_end_of_stream_without_request(self) -> None:
        protocol = make()
        protocol.receive_eof()
        assert causes(protocol.handshake_exc)[0] == NOT_HTTP

    def test_body(self) -> None:
        data = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nGo "
        for protocol in connected(data):
            assert protocol.handshake_exc is None
            protocol.receive_data(b"away")
            assert protocol.events_received() == []
            protocol.receive_eof()
            exc = protocol.handshake_exc
            assert isinstance(exc, InvalidStatus)
            assert exc.response.body == b"Go away"
            assert protocol.events_received() == [exc.response]

    def test_classes(self) -> None:
        for data, expected in [
            (REFUSED[0][0], InvalidUpgrade),
            (REFUSED[5][0], InvalidHeader),
            (REFUSED[6][0], InvalidHeaderValue),
            (REFUSED[-1][0], InvalidStatus),
        ]:
            for protocol in connected(data):
                assert type(protocol.handshake_exc) is expected
                assert isinstance(protocol.handshake_exc, InvalidHandshake)
        [protocol, _] = connected(REFUSED[-2][0], extensions=[PlainFactory()])
        assert type(protocol.handshake_exc) is InvalidHeaderFormat


class TestHooks:
    def test_subclass(self) -> None:
        class Other(ClientProtocol):
            def process_subprotocol(self, headers: Headers) -> Any:
                return headers["Sec-WebSocket-Protocol"].upper()

        protocol = Other(parse_uri("ws://example.com/"))
        protocol.key = KEY
        protocol.receive_data(respond(("Sec-WebSocket-Protocol", "chat")))
        assert protocol.subprotocol == "CHAT"


class TestLogging:
    def test_success(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "websockets.client")
        protocol = make("ws://user:secret@example.com/")
        protocol.send_request(protocol.connect())
        protocol.receive_data(respond())
        lines = [record.getMessage() for record in caplog.records]
        assert lines[0] == "> GET / HTTP/1.1"
        assert lines[1] == "> Host: example.com"
        assert not any("c2VjcmV0" in line for line in lines)
        assert lines[7:] == [
            "< HTTP/1.1 101 Switching Protocols",
            "< Upgrade: websocket",
            "< Connection: Upgrade",
            f"< Sec-WebSocket-Accept: {ACCEPT}",
            "= connection is OPEN",
        ]

    def test_refusal(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "websockets.client")
        protocol = make()
        protocol.receive_data(b"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nSpam")
        assert [record.getMessage() for record in caplog.records] == [
            "< HTTP/1.1 404 No",
            "< Content-Length: 4",
            "< [body] (4 bytes)",
            "! invalid handshake response: "
            "server rejected WebSocket connection: HTTP 404",
            "> EOF",
        ]


class TestProperties:
    @given(st.lists(st.integers(0, 200), max_size=5), st.binary(max_size=20))
    def test_any_split(self, cuts: list[int], payload: bytes) -> None:
        data = respond() + frame(CLIENT, 0x82, payload)
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        protocol = make()
        for start, end in zip(edges, edges[1:], strict=False):
            protocol.receive_data(data[start:end])
        [response, message] = protocol.events_received()
        assert isinstance(response, Response)
        assert isinstance(message, Frame)
        assert message.data == payload

    @given(st.lists(st.binary(max_size=100)), st.booleans())
    def test_random_bytes(self, pieces: list[bytes], start: bool) -> None:
        protocol = make()
        if start:
            protocol.receive_data(b"HTTP/1.1 101 OK\r\nUpgrade: ")
        for piece in pieces:
            protocol.receive_data(piece)
        protocol.receive_eof()
        assert protocol.state is CLOSED
        assert isinstance(protocol.handshake_exc, InvalidHandshake)
