"""A server's opening handshake without I/O (websockets.server)."""

from __future__ import annotations

import http
import logging
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand import (
    CLOSED,
    CONNECTING,
    EOF,
    OPEN,
    SERVER,
    binary,
    frame,
    sent,
    split,
    text,
)
from websockets.codes import State
from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidProtocol,
    InvalidState,
    NegotiationError,
    RequestLineTooLong,
    SecurityError,
)
from websockets.extensions.base import Extension, ServerExtensionFactory
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame
from websockets.http11 import HandshakeReader, Request, Response
from websockets.protocol import SEND_EOF
from websockets.server import MAX_EARLY_DATA, ServerProtocol
from websockets.typing import ExtensionName, ExtensionParameter, Subprotocol

# The example of RFC 6455, 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

HEADERS = [
    ("Host", "example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
]


class Plain(Extension):
    name = ExtensionName("x-plain")

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return frame

    def encode(self, frame: Frame) -> Frame:
        return frame


class PlainFactory(ServerExtensionFactory):
    """Accepts offers with a parameter of the right value."""

    name = ExtensionName("x-plain")

    def process_request_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> tuple[list[ExtensionParameter], Extension]:
        if list(params) != [("p", "1")]:
            raise NegotiationError("not 1")
        return [("ok", None)], Plain()


def request(
    *changes: tuple[str, str | None], line: str = "GET /chat HTTP/1.1"
) -> bytes:
    """Build the right request, with headers added, and removed where None."""
    removed = {name for name, value in changes if value is None}
    items = [item for item in HEADERS if item[0] not in removed]
    items += [(name, value) for name, value in changes if value is not None]
    return "\r\n".join([line, *map(": ".join, items), "", ""]).encode()


def replaced(name: str, value: str) -> bytes:
    return request((name, None), (name, value))


def asked(data: bytes, **kwargs: Any) -> list[tuple[ServerProtocol, Request]]:
    """Receive a request whole, and byte by byte."""
    found = []
    for pieces in [data], split(data):
        protocol = ServerProtocol(**kwargs)
        for piece in pieces:
            protocol.receive_data(piece)
        [event] = protocol.events_received()
        assert isinstance(event, Request)
        assert protocol.state is CONNECTING
        assert protocol.data_to_send() == []
        found.append((protocol, event))
    return found


def accepted(data: bytes, **kwargs: Any) -> tuple[ServerProtocol, Response]:
    for protocol, event in asked(data, **kwargs):
        response = protocol.accept(event)
        assert response.status_code == 101
        assert protocol.handshake_exc is event.exception is None
        protocol.send_response(response)
        assert protocol.state is OPEN
        assert not protocol.close_expected()
    return protocol, response


def causes(exc: BaseException | None) -> list[str]:
    found = []
    while exc is not None:
        found.append(f"{type(exc).__name__}: {exc}")
        exc = exc.__cause__
    return found


class TestAccepted:
    def test_response(self) -> None:
        protocol, response = accepted(request())
        assert response.reason_phrase == "Switching Protocols"
        items = list(response.headers.raw_items())
        assert [name for name, _ in items][0] == "Date"
        assert items[1:] == [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", ACCEPT),
        ]
        [data] = protocol.data_to_send()
        lines = bytes(data).split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
        assert re.fullmatch(rb"Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", lines[1])
        assert lines[2:] == [
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + ACCEPT.encode(),
            b"",
            b"",
        ]
        assert (protocol.origin, protocol.subprotocol) == (None, None)
        assert protocol.extensions == []

    def test_request(self) -> None:
        _, event = asked(request(("X-More", "1")))[0]
        assert event.path == "/chat"
        assert event.headers["X-More"] == "1"

    @pytest.mark.parametrize(
        "name, value",
        [
            ("Upgrade", "WebSocket"),
            ("Upgrade", "websocket, websocket"),
            ("Connection", "keep-alive, upgrade"),
            ("Sec-WebSocket-Key", f" {KEY} "),
            ("Sec-WebSocket-Version", " 13 "),
        ],
    )
    def test_variants(self, name: str, value: str) -> None:
        accepted(replaced(name, value))

    @pytest.mark.parametrize(
        "target", ["/", "//", "/é", "http://example.com/chat", "wss://a/?b"]
    )
    def test_targets(self, target: str) -> None:
        # RFC 9112, 3.2.2: a whole URI is right too.
        for _, event in asked(request(line=f"GET {target} HTTP/1.1")):
            assert event.path == target.encode().decode("ascii", "surrogateescape")
        accepted(request(line=f"GET {target} HTTP/1.1"))

    def test_response_may_be_changed(self) -> None:
        protocol, event = asked(request())[0]
        response = protocol.accept(event)
        response.headers["X-More"] = "1"
        del response.headers["Date"]
        protocol.send_response(response)
        [data] = protocol.data_to_send()
        assert bytes(data).endswith(b"\r\nX-More: 1\r\n\r\n")
        assert b"Date" not in data

    def test_subprotocol_is_ours_first(self) -> None:
        data = request(("Sec-WebSocket-Protocol", "superchat, chat"))
        protocol, response = accepted(data, subprotocols=["x", "chat", "superchat"])
        assert protocol.subprotocol == "chat"
        assert response.headers["Sec-WebSocket-Protocol"] == "chat"

    def test_subprotocols_in_several_headers(self) -> None:
        data = request(
            ("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "chat")
        )
        assert accepted(data, subprotocols=["chat"])[0].subprotocol == "chat"

    def test_no_subprotocol_is_spoken(self) -> None:
        data = request(("Sec-WebSocket-Protocol", "chat"))
        protocol, response = accepted(data)
        assert protocol.subprotocol is None
        assert "Sec-WebSocket-Protocol" not in response.headers

    @pytest.mark.parametrize("chosen", ["chat", None])
    def test_select_subprotocol(self, chosen: Subprotocol | None) -> None:
        seen = []

        def select(
            protocol: ServerProtocol, offered: Sequence[Subprotocol]
        ) -> Subprotocol | None:
            seen.append((protocol, list(offered)))
            return chosen

        data = request(("Sec-WebSocket-Protocol", "superchat, chat"))
        protocol, _ = accepted(data, select_subprotocol=select)
        assert protocol.subprotocol == chosen
        assert seen[-1] == (protocol, ["superchat", "chat"])

    def test_select_subprotocol_in_subclass(self) -> None:
        class Last(ServerProtocol):
            def select_subprotocol(
                self, subprotocols: Sequence[Subprotocol]
            ) -> Subprotocol | None:
                return subprotocols[-1]

        protocol = Last()
        protocol.receive_data(request(("Sec-WebSocket-Protocol", "superchat, chat")))
        [event] = protocol.events_received()
        assert isinstance(event, Request)
        response = protocol.accept(event)
        assert response.headers["Sec-WebSocket-Protocol"] == "chat"

    @pytest.mark.parametrize(
        "origins, origin",
        [
            (["https://a.example"], "https://a.example"),
            ([None, "https://a.example"], None),
            ([re.compile(r"https://\w+\.example")], "https://a.example"),
            (None, "https://a.example"),
            (None, None),
        ],
    )
    def test_origin(self, origins: Any, origin: str | None) -> None:
        data = request(("Origin", origin)) if origin else request()
        assert accepted(data, origins=origins)[0].origin == origin

    def test_extension(self) -> None:
        offer = "x-other, x-plain; p=0, x-plain; p=1, x-none"
        protocol, response = accepted(
            request(("Sec-WebSocket-Extensions", offer)), extensions=[PlainFactory()]
        )
        assert [type(item) for item in protocol.extensions] == [Plain]
        assert response.headers["Sec-WebSocket-Extensions"] == "x-plain; ok"

    def test_two_extensions(self) -> None:
        data = request(
            ("Sec-WebSocket-Extensions", "x-plain; p=1"),
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
        )
        factories = [ServerPerMessageDeflateFactory(), PlainFactory()]
        protocol, response = accepted(data, extensions=factories)
        kinds = [type(item) for item in protocol.extensions]
        assert kinds == [Plain, PerMessageDeflate]
        value = response.headers["Sec-WebSocket-Extensions"]
        assert value == "x-plain; ok, permessage-deflate"

    @pytest.mark.parametrize("factories", [None, [], [PlainFactory()]])
    def test_no_extension(self, factories: Any) -> None:
        data = request(("Sec-WebSocket-Extensions", "x-other; p=1, x-plain"))
        protocol, response = accepted(data, extensions=factories)
        assert protocol.extensions == []
        assert "Sec-WebSocket-Extensions" not in response.headers

    def test_frames_in_the_same_segment(self) -> None:
        data = request() + frame(SERVER, 0x81, b"spam") + frame(SERVER, 0x89, b"x")
        for protocol, event in asked(data + b"\x82"):
            protocol.receive_data(b"\x80")
            protocol.send_response(protocol.accept(event))
            [response, pong] = protocol.data_to_send()
            assert bytes(pong) == b"\x8a\x01x"
            assert protocol.events_received()[0] == text("spam")
            protocol.receive_data(b"\x00\x00\x00\x00")
            assert protocol.events_received() == [binary(b"")]

    def test_too_much_before_the_response(self) -> None:
        for pieces in [request() + bytes(MAX_EARLY_DATA)], [request(), b"x", b""]:
            protocol = ServerProtocol()
            for piece in pieces:
                protocol.receive_data(piece)
            assert protocol.handshake_exc is None
        protocol.receive_data(bytes(MAX_EARLY_DATA))
        assert isinstance(protocol.handshake_exc, InvalidMessage)
        assert isinstance(protocol.handshake_exc.__cause__, SecurityError)
        answer, end = protocol.data_to_send()
        assert bytes(answer).startswith(b"HTTP/1.1 400 ")
        assert end == b""
        assert protocol.close_expected()

    def test_bad_frame_in_the_same_segment(self) -> None:
        for protocol, event in asked(request() + frame(SERVER, 0x83)):
            protocol.send_response(protocol.accept(event))
            assert protocol.handshake_exc is None
            assert protocol.close_sent is not None
            assert protocol.close_sent.code == 1002

    def test_limits(self) -> None:
        for protocol, event in asked(request(), max_size=3):
            protocol.send_response(protocol.accept(event))
            protocol.receive_data(frame(SERVER, 0x82, b"spam"))
            assert protocol.close_sent is not None
            assert protocol.close_sent.code == 1009


CHAT = {"subprotocols": ["chat"]}
ORIGINS = {"origins": ["https://a.example"]}
REFUSED: list[tuple[bytes, dict[str, Any], int, str, list[str]]] = [
    (
        request(("Host", "example.com")),
        {},
        400,
        "invalid Host header: multiple values",
        ["InvalidHeader: invalid Host header: multiple values"],
    ),
    (
        request(("Upgrade", None)),
        {},
        426,
        "missing Upgrade header",
        ["InvalidUpgrade: missing Upgrade header"],
    ),
    (
        replaced("Upgrade", "h2c"),
        {},
        426,
        "invalid Upgrade header: h2c",
        ["InvalidUpgrade: invalid Upgrade header: h2c"],
    ),
    (
        request(("Connection", None)),
        {},
        426,
        "missing Connection header",
        ["InvalidUpgrade: missing Connection header"],
    ),
    (
        replaced("Connection", "close"),
        {},
        426,
        "invalid Connection header: close",
        ["InvalidUpgrade: invalid Connection header: close"],
    ),
    (
        request(("Sec-WebSocket-Key", None)),
        {},
        400,
        "missing Sec-WebSocket-Key header",
        ["InvalidHeader: missing Sec-WebSocket-Key header"],
    ),
    (
        request(("Sec-WebSocket-Key", KEY)),
        {},
        400,
        "invalid Sec-WebSocket-Key header: multiple values",
        ["InvalidHeader: invalid Sec-WebSocket-Key header: multiple values"],
    ),
    (
        replaced("Sec-WebSocket-Key", "not Base64 data!"),
        {},
        400,
        "invalid Sec-WebSocket-Key header: not Base64 data!; "
        "Only base64 data is allowed",
        [
            "InvalidHeaderValue: invalid Sec-WebSocket-Key header: not Base64 data!",
            "Error: Only base64 data is allowed",
        ],
    ),
    (
        replaced("Sec-WebSocket-Key", "AAAA"),
        {},
        400,
        "invalid Sec-WebSocket-Key header: AAAA",
        ["InvalidHeaderValue: invalid Sec-WebSocket-Key header: AAAA"],
    ),
    (
        request(("Sec-WebSocket-Version", None)),
        {},
        400,
        "missing Sec-WebSocket-Version header",
        ["InvalidHeader: missing Sec-WebSocket-Version header"],
    ),
    (
        replaced("Sec-WebSocket-Version", "11"),
        {},
        400,
        "invalid Sec-WebSocket-Version header: 11",
        ["InvalidHeaderValue: invalid Sec-WebSocket-Version header: 11"],
    ),
    (
        request(("Sec-WebSocket-Version", "13")),
        {},
        400,
        "invalid Sec-WebSocket-Version header: multiple values",
        ["InvalidHeader: invalid Sec-WebSocket-Version header: multiple values"],
    ),
    (
        request(("Origin", "https://b.example")),
        ORIGINS,
        403,
        "invalid Origin header: https://b.example",
        ["InvalidOrigin: invalid Origin header: https://b.example"],
    ),
    (
        request(("Origin", "https://a.example.evil")),
        {"origins": [re.compile("https://a.example")]},
        403,
        "invalid Origin header: https://a.example.evil",
        ["InvalidOrigin: invalid Origin header: https://a.example.evil"],
    ),
    (
        request(),
        {"origins": [re.compile(".*")]},
        403,
        "missing Origin header",
        ["InvalidOrigin: missing Origin header"],
    ),
    (
        request(("Origin", "a"), ("Origin", "b")),
        ORIGINS,
        400,
        "invalid Origin header: multiple values",
        ["InvalidHeader: invalid Origin header: multiple values"],
    ),
    (
        request(),
        CHAT,
        400,
        "missing subprotocol",
        ["NegotiationError: missing subprotocol"],
    ),
    (
        request(("Sec-WebSocket-Protocol", "other")),
        CHAT,
        400,
        "invalid subprotocol; expected one of chat",
        ["NegotiationError: invalid subprotocol; expected one of chat"],
    ),
    *(
        (
            request(("Sec-WebSocket-Extensions", ";")),
            {"extensions": extensions},
            400,
            "invalid Sec-WebSocket-Extensions header: expected token at 0 in ;",
            [
                "InvalidHeaderFormat: invalid Sec-WebSocket-Extensions header: "
                "expected token at 0 in ;"
            ],
        )
        for extensions in ([PlainFactory()], None)
    ),
    *(
        (
            request(line=f"GET {target} HTTP/1.1"),
            {},
            400,
            f"invalid HTTP request target: {target}",
            [f"InvalidMessage: invalid HTTP request target: {target}"],
        )
        for target in ("chat", "*", "example.com:80", "/chat#room", "://x")
    ),
]


def check_refusal(response: Response, status: int, body: str) -> None:
    assert response.status_code == status
    assert response.reason_phrase == http.HTTPStatus(status).phrase
    assert response.body == body.encode()
    names = [name for name, _ in response.headers.raw_items()]
    assert names[:4] == ["Date", "Connection", "Content-Length", "Content-Type"]
    assert response.headers["Connection"] == "close"
    assert response.headers["Content-Length"] == str(len(response.body))
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    more = {426: [("Upgrade", "websocket")], 405: [("Allow", "GET")]}
    if "Sec-WebSocket-Version" in body:
        # RFC 6455, 4.4.
        more[status] = [("Sec-WebSocket-Version", "13")]
    assert list(response.headers.raw_items())[4:] == more.get(status, [])


def check_end(protocol: ServerProtocol) -> None:
    """Nothing more is read; the stream ends."""
    writes = protocol.data_to_send()
    assert writes[1:] == [SEND_EOF]
    assert protocol.state is CONNECTING
    assert protocol.close_expected()
    for piece in request(), frame(SERVER, 0x89), b"\xff" * 100:
        protocol.receive_data(piece)
    protocol.receive_eof()
    assert protocol.state is CLOSED
    assert protocol.events_received() == []
    assert sent(protocol) == []
    assert protocol.reader.unread == 0
    assert protocol.close_code == 1006


class TestRefused:
    @pytest.mark.parametrize("data, kwargs, status, reason, expected", REFUSED)
    def test_request(
        self,
        data: bytes,
        kwargs: dict[str, Any],
        status: int,
        reason: str,
        expected: list[str],
    ) -> None:
        for protocol, event in asked(data + frame(SERVER, 0x81), **kwargs):
            response = protocol.accept(event)
            assert causes(protocol.handshake_exc) == expected
            assert event.exception is protocol.handshake_exc
            body = f"Failed to open a WebSocket connection: {reason}."
            if status == 426:
                body += (
                    "\n\nYou cannot access a WebSocket server directly with a "
                    "browser. You need a WebSocket client."
                )
            check_refusal(response, status, body + "\n")
            protocol.send_response(response)
            check_end(protocol)

    def test_classes(self) -> None:
        protocol, event = asked(REFUSED[12][0], **ORIGINS)[0]
        protocol.accept(event)
        assert isinstance(protocol.handshake_exc, InvalidOrigin)

    @pytest.mark.parametrize(
        "data, status, kind, reason",
        [
            (
                request(line="POST / HTTP/1.1"),
                405,
                InvalidMethod,
                "unsupported HTTP method: POST",
            ),
            (
                request(line="GET / HTTP/1.0"),
                505,
                InvalidProtocol,
                "unsupported HTTP version: HTTP/1.0",
            ),
            (b"GET /" + b"x" * 9000, 414, RequestLineTooLong, None),
            (b"GET / HTTP/1.1\r\nA: " + b"x" * 9000, 431, None, None),
            (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200, 431, None, None),
            (b"GET / HTTP/1.1\r\nOops\r\n", 400, ValueError, None),
            (b"\x16\x03\x01\x02\x00\x01", 400, ValueError, None),
            (request(("Content-Length", "1")), 400, ValueError, None),
        ],
    )
    def test_not_a_request(
        self, data: bytes, status: int, kind: type[Exception] | None, reason: str | None
    ) -> None:
        for pieces in [data + b"tail"], split(data + b"tail"):
            protocol = ServerProtocol()
            for piece in pieces:
                protocol.receive_data(piece)
            assert protocol.events_received() == []
            exc = protocol.handshake_exc
            assert type(exc) is InvalidMessage
            assert str(exc) == "did not receive a valid HTTP request"
            assert kind is None or type(exc.__cause__) is kind
            head, _, body = bytes(protocol.writes[0]).partition(b"\r\n\r\n")
            phrase = http.HTTPStatus(status).phrase
            assert head.startswith(f"HTTP/1.1 {status} {phrase}\r\n".encode())
            assert (b"\r\nAllow: GET" in head) is (status == 405)
            if reason is not None:
                text = f"Failed to open a WebSocket connection: {reason}.\n"
                assert body.decode() == text
            if kind is ValueError:
                assert b"did not receive a valid HTTP request; " in body
            check_end(protocol)

    @pytest.mark.parametrize("data", [b"", b"GET / HT", request()[:-2]])
    def test_end_of_stream(self, data: bytes) -> None:
        for pieces in [data], split(data):
            protocol = ServerProtocol()
            for piece in pieces:
                protocol.receive_data(piece)
            protocol.receive_eof()
            protocol.receive_eof()
            assert isinstance(protocol.handshake_exc, InvalidMessage)
            assert isinstance(protocol.handshake_exc.__cause__, EOFError)
            assert sent(protocol) == [EOF]
            assert protocol.state is CLOSED

    def test_end_of_stream_before_the_response(self) -> None:
        protocol, event = asked(request())[0]
        protocol.receive_eof()
        assert sent(protocol) == [EOF]
        assert protocol.state is CLOSED
        response = protocol.accept(event)
        with pytest.raises(InvalidState, match="opening handshake is over"):
            protocol.send_response(response)
        assert sent(protocol) == []

    def test_only_one_response(self) -> None:
        for status in 101, 403:
            protocol, event = asked(request())[0]
            response = protocol.accept(event)
            response.status_code = status
            protocol.send_response(response)
            with pytest.raises(InvalidState, match="opening handshake is over"):
                protocol.send_response(response)

    def test_fault_of_ours(self, caplog: pytest.LogCaptureFixture) -> None:
        def select(*args: Any) -> None:
            raise ZeroDivisionError

        for protocol, event in asked(request(), select_subprotocol=select):
            response = protocol.accept(event)
            check_refusal(
                response,
                500,
                "Failed to open a WebSocket connection.\n"
                "See server log for more information.\n",
            )
            assert isinstance(protocol.handshake_exc, ZeroDivisionError)
            assert event.exception is protocol.handshake_exc
            assert caplog.records[-1].getMessage() == "opening handshake failed"
            assert caplog.records[-1].exc_info is not None

    def test_selected_subprotocol_must_be_offered(self) -> None:
        # RFC 6455, 4.2.2.
        data = request(("Sec-WebSocket-Protocol", "chat"))
        protocol, event = asked(data, select_subprotocol=lambda *args: "other")[0]
        assert protocol.accept(event).status_code == 500
        assert str(protocol.handshake_exc) == (
            "select_subprotocol returned 'other', which the client doesn't offer"
        )

    def test_select_subprotocol_may_refuse(self) -> None:
        def select(*args: Any) -> None:
            raise NegotiationError("no")

        protocol, event = asked(request(), select_subprotocol=select)[0]
        assert protocol.accept(event).status_code == 400
        assert isinstance(protocol.handshake_exc, InvalidHandshake)

    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("Upgrade", 400),
            ("Connection", 400),
            ("Sec-WebSocket-Key", 400),
            ("Sec-WebSocket-Version", 400),
            ("Origin", 403),
        ],
    )
    def test_refusal_shows_what_is_not_text(self, name: str, status: int) -> None:
        """Bytes of the request that aren't ASCII get into the text of the answer."""
        data = replaced(name, "caf?").replace(b"?", b"\xff")
        for protocol, event in asked(data, origins=["https://example.com"]):
            response = protocol.accept(event)
            assert response.status_code == status
            assert b"caf\\udcff" in bytes(response.body or b"")
            protocol.send_response(response)


class TestReject:
    @pytest.mark.parametrize("status", [404, http.HTTPStatus.NOT_FOUND])
    def test_response(self, status: int) -> None:
        protocol, _ = asked(request())[0]
        response = protocol.reject(status, "Not hère\n")
        check_refusal(response, 404, "Not hère\n")
        protocol.send_response(response)
        [data, end] = protocol.writes
        assert bytes(data).startswith(b"HTTP/1.1 404 Not Found\r\nDate: ")
        assert bytes(data).endswith("\r\n\r\nNot hère\n".encode())
        check_end(protocol)

    def test_unknown_status(self) -> None:
        with pytest.raises(ValueError, match="799"):
            ServerProtocol().reject(799, "")


class TestConstructor:
    def test_defaults(self) -> None:
        protocol = ServerProtocol()
        assert protocol.side is SERVER
        assert protocol.state is CONNECTING
        assert protocol.max_size == 2**20
        assert protocol.origins is None
        assert protocol.logger is logging.getLogger("websockets.server")

    def test_open(self) -> None:
        # For frameworks that do the handshake by themselves.
        protocol = ServerProtocol(state=OPEN, logger=logging.getLogger("spam"))
        protocol.receive_data(frame(SERVER, 0x81, b"spam"))
        assert protocol.events_received() == [text("spam")]
        assert protocol.logger is logging.getLogger("spam")


class TestLogging:
    def log(self, caplog: pytest.LogCaptureFixture, data: bytes) -> list[str]:
        caplog.set_level(logging.DEBUG, "websockets.server")
        protocol = ServerProtocol()
        protocol.receive_data(data)
        for event in protocol.events_received():
            assert isinstance(event, Request)
            protocol.send_response(protocol.accept(event))
        return [record.getMessage() for record in caplog.records]

    def test_accepted(self, caplog: pytest.LogCaptureFixture) -> None:
        lines = self.log(caplog, request(("Authorization", "Basic c2VjcmV0")))
        assert not any("c2VjcmV0" in line for line in lines)
        assert lines[:3] == [
            "< GET /chat HTTP/1.1",
            "< Host: example.com",
            "< Upgrade: websocket",
        ]
        assert lines[7] == "> HTTP/1.1 101 Switching Protocols"
        assert lines[-3:] == [
            f"> Sec-WebSocket-Accept: {ACCEPT}",
            "= connection is OPEN",
            "connection open",
        ]
        assert caplog.records[-1].levelname == "INFO"

    def test_logger_is_not_used_in_vain(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "websockets.server")
        protocol = ServerProtocol()
        # What engines wrap it in takes memory as long as the connection lives.
        protocol.wrap_logger(lambda logger: pytest.fail("the logger was used"))
        protocol.receive_data(request())
        (event,) = protocol.events_received()
        assert isinstance(event, Request)
        protocol.send_response(protocol.accept(event))
        assert protocol.state is State.OPEN

    def test_refused(self, caplog: pytest.LogCaptureFixture) -> None:
        lines = self.log(caplog, replaced("Sec-WebSocket-Version", "8"))
        assert lines[6] == (
            "! invalid handshake request: invalid Sec-WebSocket-Version header: 8"
        )
        assert lines[7] == "> HTTP/1.1 400 Bad Request"
        assert lines[-3:] == [
            "> [body] (80 bytes)",
            "connection rejected (400 Bad Request)",
            "> EOF",
        ]

    def test_empty_refusal(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "websockets.server")
        protocol = ServerProtocol()
        protocol.send_response(protocol.reject(404, ""))
        texts = [record.getMessage() for record in caplog.records]
        assert not any("body" in text for text in texts)
        assert "HTTP response sent (404 Not Found)" in texts


class TestProperties:
    @given(st.lists(st.integers(0, 250), max_size=5), st.binary(max_size=20))
    def test_any_split(self, cuts: list[int], payload: bytes) -> None:
        data = request() + frame(SERVER, 0x82, payload)
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        protocol = ServerProtocol()
        events: list[Any] = []
        for start, end in zip(edges, edges[1:], strict=False):
            protocol.receive_data(data[start:end])
            for event in protocol.events_received():
                events.append(event)
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                    events += protocol.events_received()
        assert [type(event) for event in events] == [Request, Frame]
        assert events[1].data == payload

    @given(st.lists(st.binary(max_size=100)), st.booleans())
    def test_random_bytes(self, pieces: list[bytes], start: bool) -> None:
        protocol = ServerProtocol()
        if start:
            protocol.receive_data(b"GET / HTTP/1.1\r\nUpgrade: ")
        for piece in pieces:
            protocol.receive_data(piece)
        protocol.receive_eof()
        assert protocol.state is CLOSED
        exc = protocol.handshake_exc
        assert isinstance(exc, InvalidMessage) is not bool(protocol.events_received())


@pytest.mark.parametrize(
    "data", [b"x" * 9000, b"\0" * 20000, b"GET / HTTP/1.1\r\n" * 9]
)
def test_what_cannot_be_read_is_not_kept(data: bytes) -> None:
    """The error refers to the reader, and may live as long as the connection."""
    server = ServerProtocol()
    reader = server._handshake
    assert reader is not None
    server.receive_handshake(data)
    assert server.handshake_exc is not None
    assert server._handshake is None
    assert not reader._buffer and not reader._fields
    # Nor is much of it said in the answer.
    assert sum(map(len, server.writes)) < 2000


def test_our_own_mistakes_keep_their_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ServerProtocol()
    monkeypatch.setattr(HandshakeReader, "read_request", lambda reader: 1 / 0)
    server.receive_handshake(b"GET / HTTP/1.1\r\n")
    assert server.handshake_exc is not None
    cause = server.handshake_exc.__cause__
    assert isinstance(cause, ZeroDivisionError)
    assert cause.__traceback__ is not None
