"""HTTP messages and their reader (websockets.http11)."""

from __future__ import annotations

import contextlib
import copy
import importlib
import pickle
import platform
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets import http11
from websockets.datastructures import Headers
from websockets.exceptions import (
    HeaderLineTooLong,
    InvalidMethod,
    InvalidProtocol,
    RequestLineTooLong,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
)
from websockets.http11 import HandshakeReader, Request, Response
from websockets.streams import StreamReader
from websockets.version import version

Step = Callable[[HandshakeReader], Any]

REQUEST = (
    b"GET /chat HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade:websocket\r\n"
    b"Connection: \t Upgrade \t\r\n"
    b"X-Empty:\r\n"
    b"X-Raw: caf\xc3\xa9\r\n"
    b"\r\n"
)
REQUEST_HEADERS = Headers(
    [
        ("Host", "server.example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("X-Empty", ""),
        ("X-Raw", "caf\udcc3\udca9"),
    ]
)
TAIL = b"\x81\x05Hello\r\n\r\n"


def read_request(reader: HandshakeReader) -> Request | None:
    return reader.read_request()


def read_response(reader: HandshakeReader) -> Response | None:
    return reader.read_response()


def read_proxy_response(reader: HandshakeReader) -> Response | None:
    return reader.read_response(proxy=True)


def read_whole(data: bytes, step: Step, **kwargs: Any) -> tuple[Any, bytes]:
    reader = HandshakeReader(**kwargs)
    reader.feed(data)
    return step(reader), reader.take_rest()


def read_pieces(pieces: list[bytes], step: Step, **kwargs: Any) -> tuple[Any, bytes]:
    """Return the message, and None if it isn't complete, and what is left."""
    reader = HandshakeReader(**kwargs)
    message = None
    while pieces and message is None:
        reader.feed(pieces.pop(0))
        message = step(reader)
    return message, reader.take_rest() + b"".join(pieces)


def split(data: bytes, size: int = 1) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def read(data: bytes, step: Step, **kwargs: Any) -> Any:
    """Read a message whole, byte by byte, and each of these with a tail."""
    message, rest = read_whole(data, step, **kwargs)
    assert rest == b""
    assert read_whole(data + TAIL, step, **kwargs) == (message, TAIL)
    assert read_pieces(split(data), step, **kwargs) == (message, b"")
    assert read_pieces(split(data + TAIL), step, **kwargs) == (message, TAIL)
    # Nothing less is enough.
    assert read_pieces(split(data[:-1]), step, **kwargs)[0] is None
    return message


def fail(
    data: bytes, step: Step, expected: type[Exception], text: str, **kwargs: Any
) -> None:
    """Check that bad input fails in the same way however it comes."""
    for pieces in [data], split(data), [data + TAIL]:
        with pytest.raises(expected) as info:
            read_pieces(pieces, step, **kwargs)
        assert type(info.value) is expected
        assert str(info.value) == text


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are quick to reach."""
    monkeypatch.setattr(http11, "MAX_LINE_LENGTH", 128)
    monkeypatch.setattr(http11, "MAX_NUM_HEADERS", 8)
    monkeypatch.setattr(http11, "MAX_HANDSHAKE_SIZE", 512)
    monkeypatch.setattr(http11, "MAX_BODY_SIZE", 64)


class TestReadRequest:
    def test_request(self) -> None:
        request = read(REQUEST, read_request)
        assert request == Request("/chat", REQUEST_HEADERS, "GET", "HTTP/1.1")
        assert list(request.headers.raw_items()) == list(REQUEST_HEADERS.raw_items())

    def test_request_without_headers(self) -> None:
        request = read(b"GET / HTTP/1.1\r\n\r\n", read_request)
        assert request == Request("/", Headers())

    def test_header_with_several_values(self) -> None:
        request = read(b"GET / HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n", read_request)
        assert request.headers.get_all("A") == ["1", "2"]

    def test_two_requests(self) -> None:
        reader = HandshakeReader()
        reader.feed(REQUEST + REQUEST + b"tail")
        assert reader.read_request() == reader.read_request()
        assert reader.take_rest() == b"tail"
        assert reader.take_rest() == b""

    def test_what_is_taken_is_forgotten(self) -> None:
        reader = HandshakeReader()
        reader.feed(REQUEST[:40])
        assert reader.read_request() is None
        assert reader.take_rest() == REQUEST[:40]
        reader.feed(REQUEST)
        assert reader.read_request() == Request("/chat", REQUEST_HEADERS)

    def test_fed_with_anything_like_bytes(self) -> None:
        reader = HandshakeReader()
        reader.feed(memoryview(REQUEST)[:10])
        reader.feed(bytearray(REQUEST[10:]))
        assert reader.read_request() is not None

    @given(st.lists(st.integers(0, len(REQUEST)), max_size=6))
    def test_any_pieces_give_the_same_request(self, cuts: list[int]) -> None:
        ends = [0, *sorted(cuts), len(REQUEST)]
        pieces = [REQUEST[a:b] for a, b in zip(ends, ends[1:], strict=False)]
        message, rest = read_pieces(pieces, read_request)
        assert message == Request("/chat", REQUEST_HEADERS)
        assert rest == b""

    @pytest.mark.parametrize(
        ("data", "expected", "text"),
        [
            (b"POST / HTTP/1.1\r\n", InvalidMethod, "unsupported HTTP method: POST"),
            (
                b"GET / HTTP/1.0\r\n",
                InvalidProtocol,
                "unsupported HTTP version: HTTP/1.0",
            ),
            (b"GET /\r\n", ValueError, "invalid HTTP request line: GET /"),
            # RFC 9112, 2.2: a lone LF doesn't end a line here.
            (b"GET / HTTP/1.1\n", ValueError, "line without CRLF: GET / HTTP/1.1"),
            (b"GET / HTTP/1.1\r\nA: b\n", ValueError, "line without CRLF: A: b"),
            (b"GET / HTTP/1.1\r\n\n", ValueError, "line without CRLF: "),
            # A lone CR is no better.
            (
                b"GET / HTTP/1.1\r\nA: b\rC: d\r\n",
                ValueError,
                r"invalid HTTP header value: A: b\rC: d",
            ),
            (
                b"GET / HTTP/1.1\r\nA: b\0\r\n",
                ValueError,
                r"invalid HTTP header value: A: b\x00",
            ),
            # RFC 9112, 5.1.
            (
                b"GET / HTTP/1.1\r\nHost : h\r\n",
                ValueError,
                "invalid HTTP header name: Host ",
            ),
            # RFC 9112, 5.2.
            (
                b"GET / HTTP/1.1\r\nA: b\r\n c\r\n",
                ValueError,
                "unsupported HTTP header folding: c",
            ),
            (
                b"GET / HTTP/1.1\r\nOops\r\n",
                ValueError,
                "invalid HTTP header line: Oops",
            ),
        ],
    )
    def test_bad_lines(self, data: bytes, expected: type[Exception], text: str) -> None:
        # As soon as the line is there, and in a head that is complete.
        fail(data, read_request, expected, text)
        fail(data + b"\r\n", read_request, expected, text)

    def test_a_request_has_no_body(self) -> None:
        read(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", read_request)
        for header in b"Content-Length: 1", b"Transfer-Encoding: chunked":
            data = b"GET / HTTP/1.1\r\n" + header + b"\r\n\r\n"
            fail(data, read_request, ValueError, "unsupported body in HTTP request")

    @pytest.mark.parametrize(
        "data", [b"\x16\x03\x01", b"\x80\x2e", b" GET", b"\0", b"\r", b"\r\n"]
    )
    def test_what_can_not_become_http_does_not_wait(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="invalid HTTP request line: "):
            read_whole(data, read_request)

    @pytest.mark.parametrize("data", [b"\0GET / HTTP/1.0\r\n\r\n", b"\x16" * 9000])
    def test_what_can_not_become_http_is_that_however_it_comes(
        self, data: bytes
    ) -> None:
        for size in 1, len(data):
            reader = HandshakeReader()
            reader.feed(data[:size])
            with pytest.raises(ValueError, match="invalid HTTP request line: ") as info:
                reader.read_request()
            assert type(info.value) is ValueError

    @pytest.mark.parametrize(
        ("data", "place", "size"),
        [
            (b"", "request line", 0),
            (b"GET", "request line", 3),
            (b"GET / HTTP/1.1\r\n", "headers", 0),
            (b"GET / HTTP/1.1\r\nHost: h\r\nA: b", "headers", 4),
        ],
    )
    def test_end_of_stream(self, data: bytes, place: str, size: int) -> None:
        reader = HandshakeReader()
        reader.feed(data)
        assert reader.read_request() is None
        reader.feed_eof()
        with pytest.raises(EOFError) as info:
            reader.read_request()
        assert str(info.value) == f"connection closed while reading HTTP {place}"
        cause = info.value.__cause__
        assert isinstance(cause, EOFError)
        assert str(cause) == f"stream ends after {size} bytes, before end of line"

    def test_end_of_stream_after_the_request(self) -> None:
        reader = HandshakeReader()
        reader.feed(REQUEST)
        reader.feed_eof()
        assert reader.read_request() is not None
        with pytest.raises(EOFError, match="stream ended"):
            reader.feed(b"more")


class TestLimits:
    def head(self, *lines: bytes) -> bytes:
        return b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])

    def test_request_line(self) -> None:
        line = b"GET /" + b"a" * 112 + b" HTTP/1.1\r\n"
        assert len(line) == 128
        assert read(line + b"\r\n", read_request)
        text = "HTTP request line exceeds limit of 128 bytes"
        fail(b"G" + line + b"\r\n", read_request, RequestLineTooLong, text)
        # A line that doesn't end fails when it has reached the limit.
        fail(b"G" * 128, read_request, RequestLineTooLong, text)
        assert read_whole(b"G" * 127, read_request)[0] is None

    def test_status_line(self) -> None:
        text = "HTTP status line exceeds limit of 128 bytes"
        data = b"HTTP/1.1 101 " + b"a" * 114
        fail(data + b"\r\n\r\n", read_response, StatusLineTooLong, text)
        fail(data + b"a", read_response, StatusLineTooLong, text)
        fail(data + b"a", read_proxy_response, StatusLineTooLong, text)

    def test_header_line(self) -> None:
        line = b"A:" + b"b" * 124
        assert read(self.head(line), read_request)
        text = "HTTP header line exceeds limit of 128 bytes"
        fail(self.head(line + b"b"), read_request, HeaderLineTooLong, text)
        fail(self.head(line + b"bb")[:-4], read_request, HeaderLineTooLong, text)

    def test_number_of_headers(self) -> None:
        request = read(self.head(*[b"A: b"] * 8), read_request)
        assert len(request.headers.get_all("A")) == 8
        text = "HTTP head exceeds limit of 8 header lines"
        fail(self.head(*[b"A: b"] * 9), read_request, TooManyHeaders, text)

    def test_size_of_head(self) -> None:
        data = self.head(b"A: b", b"C: d")
        assert read(data, read_request, max_size=len(data))
        size = len(data) - 1
        text = f"HTTP head exceeds limit of {size} bytes"
        fail(data, read_request, TooManyHeaders, text, max_size=size)
        fail(data[:-1], read_request, TooManyHeaders, text, max_size=size)

    def test_default_size_of_head(self) -> None:
        lines = [b"A:" + b"b" * 110] * 5
        text = "HTTP head exceeds limit of 512 bytes"
        fail(self.head(*lines), read_request, TooManyHeaders, text)

    def test_the_limit_that_is_reached_first_counts(self) -> None:
        data = b"GET / HTTP/1.1\r\nA: " + b"b" * 200
        fail(
            data,
            read_request,
            TooManyHeaders,
            "HTTP head exceeds limit of 40 bytes",
            max_size=40,
        )


class TestReadResponse:
    def test_switching_protocols(self) -> None:
        data = REQUEST.replace(
            b"GET /chat HTTP/1.1", b"HTTP/1.1 101 Switching Protocols"
        )
        response = read(data, read_response)
        assert response == Response(
            101, "Switching Protocols", REQUEST_HEADERS, b"", None
        )

    @pytest.mark.parametrize("line", [b"HTTP/1.1 204", b"HTTP/1.1 204 "])
    def test_no_reason(self, line: bytes) -> None:
        assert read(line + b"\r\n\r\n", read_response) == Response(204, "", Headers())

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (
                b"HTTP/1.0 101 Switching Protocols",
                "unsupported protocol; expected HTTP/1.1: "
                "HTTP/1.0 101 Switching Protocols",
            ),
            (
                b"HTTP/1.1 OMG WTF",
                "invalid status code; expected integer; got OMG",
            ),
            (
                b"HTTP/1.1 007 Bond",
                "invalid status code; expected 100–599; got 007",
            ),
        ],
    )
    def test_bad_status_lines(self, line: bytes, text: str) -> None:
        fail(line + b"\r\n", read_response, ValueError, text)
        fail(line + b"\r\n\r\n", read_response, ValueError, text)

    def test_other_protocol(self) -> None:
        data = b"220 smtp.invalid"
        for end in b"", b"\r\n":
            with pytest.raises(ValueError, match="status line: 220 smtp.invalid$"):
                read_whole(data + end, read_response)

    @pytest.mark.parametrize("status", [b"100", b"103", b"204", b"304"])
    def test_statuses_without_a_body(self, status: bytes) -> None:
        head = b"HTTP/1.1 " + status + b" X\r\nContent-Length: 5\r\n\r\n"
        assert read(head, read_response).body == b""

    def test_a_response_after_an_interim_one(self) -> None:
        reader = HandshakeReader()
        reader.feed(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 101 Go\r\n\r\n")
        for status in 103, 101:
            response = reader.read_response()
            assert response is not None
            assert response.status_code == status

    def test_length(self) -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello\r\n\r\nworl"
        assert read(data, read_response).body == b"Hello\r\n\r\nworl"

    def test_length_of_zero(self) -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        assert read(data, read_response).body == b""

    @pytest.mark.parametrize(
        ("headers", "text"),
        [
            (b"Content-Length: 5\r\n" * 2, "multiple values"),
            (b"Content-Length: 5, 5\r\n", "5, 5"),
            (b"Content-Length: +5\r\n", "+5"),
            (b"Content-Length: -5\r\n", "-5"),
            (b"Content-Length: 5_0\r\n", "5_0"),
            (b"Content-Length: 0x5\r\n", "0x5"),
            (b"Content-Length: \r\n", ""),
        ],
    )
    def test_bad_length(self, headers: bytes, text: str) -> None:
        data = b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n"
        text = f"invalid Content-Length header: {text}"
        fail(data, read_response, ValueError, text)

    @pytest.mark.parametrize("length", [b"65", b"1" * 100])
    def test_length_beyond_the_limit(self, length: bytes) -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n"
        text = "HTTP body exceeds limit of 64 bytes"
        fail(data, read_response, SecurityError, text)

    def test_end_of_stream_in_a_body(self) -> None:
        reader = HandshakeReader()
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell")
        assert reader.read_response() is None
        reader.feed_eof()
        with pytest.raises(EOFError) as info:
            reader.read_response()
        assert str(info.value) == "connection closed while reading HTTP body"
        assert (
            str(info.value.__cause__) == "stream ends after 4 bytes, expected 5 bytes"
        )

    @pytest.mark.parametrize("size", [1, 3, 1000])
    def test_body_until_the_end_of_stream(self, size: int) -> None:
        reader = HandshakeReader()
        for piece in split(b"HTTP/1.1 200 OK\r\n\r\nHello\r\n", size):
            reader.feed(piece)
            assert reader.read_response() is None
        reader.feed_eof()
        response = reader.read_response()
        assert response is not None
        assert response.body == b"Hello\r\n"
        assert reader.take_rest() == b""

    def test_body_until_the_end_beyond_the_limit(self) -> None:
        data = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 65
        text = "HTTP body exceeds limit of 64 bytes"
        fail(data, read_response, SecurityError, text)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"


class TestChunks:
    @pytest.mark.parametrize(
        ("chunks", "body"),
        [
            (b"0\r\n\r\n", b""),
            (b"5\r\nHello\r\n0\r\n\r\n", b"Hello"),
            (b"2\r\nHe\r\n03\r\nllo\r\n0\r\n\r\n", b"Hello"),
            (b"A;ext=1 \r\n0123\r\n6789\r\n000\r\n\r\n", b"0123\r\n6789"),
            (b"5\r\nHello\r\n0\r\nX-Trailer: a\r\nX-More: b\r\n\r\n", b"Hello"),
        ],
    )
    def test_chunks(self, chunks: bytes, body: bytes) -> None:
        response = read(CHUNKED + chunks, read_response)
        assert response.body == body
        # Trailers are not headers.
        assert list(response.headers) == ["transfer-encoding"]

    @pytest.mark.parametrize(
        ("chunks", "text"),
        [
            (b"\r\n", "invalid HTTP chunk size: "),
            (b"-1\r\n", "invalid HTTP chunk size: -1"),
            (b"0x5\r\n", "invalid HTTP chunk size: 0x5"),
            (b"5\r\nHello!\r\n", "HTTP chunk is longer than its size"),
            (b"5\n", "line without CRLF: 5"),
            (b"0\r\nOops\r\n", "invalid HTTP header line: Oops"),
        ],
    )
    def test_bad_chunks(self, chunks: bytes, text: str) -> None:
        fail(CHUNKED + chunks, read_response, ValueError, text)

    @pytest.mark.parametrize(
        ("chunks", "text"),
        [
            (b"41\r\n", "body exceeds limit of 64 bytes"),
            (b"f" * 16 + b"\r\n", "body exceeds limit of 64 bytes"),
            (b"3f\r\n" + b"a" * 63 + b"\r\n2\r\n", "body exceeds limit of 64 bytes"),
            (b"1;" + b"a" * 126, "chunk line exceeds limit of 128 bytes"),
            (b"1;aaaaaaaaa\r\na\r\n" * 40, "body is framed by more than 64 bytes"),
        ],
    )
    def test_limits(self, chunks: bytes, text: str) -> None:
        fail(CHUNKED + chunks, read_response, SecurityError, f"HTTP {text}")

    def test_number_of_trailers(self) -> None:
        chunks = b"0\r\n" + b"A: b\r\n" * 9
        text = "HTTP head exceeds limit of 8 header lines"
        fail(CHUNKED + chunks, read_response, TooManyHeaders, text)

    @pytest.mark.parametrize(
        ("headers", "text"),
        [
            (b"Transfer-Encoding: gzip\r\n", "unsupported transfer coding: gzip"),
            (
                b"Transfer-Encoding: gzip, chunked\r\n",
                "unsupported transfer coding: gzip, chunked",
            ),
            (
                b"Transfer-Encoding: chunked\r\n" * 2,
                "unsupported transfer coding: chunked, chunked",
            ),
            (
                b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                "both Transfer-Encoding and Content-Length headers",
            ),
        ],
    )
    def test_bad_codings(self, headers: bytes, text: str) -> None:
        data = b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n"
        fail(data, read_response, ValueError, text)

    def test_end_of_stream(self) -> None:
        for chunks in b"", b"5", b"5\r\nHell", b"5\r\nHello", b"0\r\n", b"0\r\nA: b":
            reader = HandshakeReader()
            reader.feed(CHUNKED + chunks)
            reader.feed_eof()
            with pytest.raises(EOFError, match="while reading HTTP body"):
                reader.read_response()


class TestProxyResponse:
    @pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"])
    @pytest.mark.parametrize(
        "headers", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
    )
    def test_success_has_no_body(self, line: bytes, headers: bytes) -> None:
        # RFC 9110, 9.3.6.
        data = line + b"\r\n" + headers + b"\r\n"
        assert read(data, read_proxy_response).body == b""

    def test_refusal_has_a_body(self) -> None:
        for status in b"300", b"407":
            data = b"HTTP/1.0 " + status + b" No\r\nContent-Length: 2\r\n\r\nno"
            assert read(data, read_proxy_response).body == b"no"


class TestIncomplete:
    @pytest.mark.parametrize(
        ("data", "body"),
        [
            (b"Content-Length: 3\r\n\r\nno", b"no"),
            (b"\r\nno", b"no"),
            (b"Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n3\r\nt", b"no"),
            (b"Content-Length: 1048577\r\n\r\nno", b"no"),
            (b"Content-Length: x\r\n\r\nno", b"no"),
        ],
    )
    def test_body_so_far(self, data: bytes, body: bytes) -> None:
        reader = HandshakeReader()
        reader.feed(b"HTTP/1.1 407 No\r\n" + data)
        with contextlib.suppress(SecurityError, ValueError):
            assert reader.read_response() is None
        response = reader.incomplete
        assert response is not None
        assert (response.status_code, response.body) == (407, body)

    def test_none_before_and_after(self) -> None:
        reader = HandshakeReader()
        reader.feed(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n")
        assert reader.read_response() is None
        assert reader.incomplete is None
        reader.feed(b"\r\nno")
        assert reader.read_response() is not None
        assert reader.incomplete is None


class TestTime:
    def test_each_byte_is_looked_at_once(self) -> None:
        class Watched(bytearray):
            looked = 0

            def find(self, what: bytes, start: int = 0) -> int:  # type: ignore[override]
                self.looked += len(self) - start
                return super().find(what, start)

        reader = HandshakeReader()
        reader._buffer = watched = Watched()
        for byte in REQUEST[:-1]:
            reader.feed(bytes([byte]))
            assert reader.read_request() is None
        # The first byte is looked at twice, by both ways to read.
        assert watched.looked == len(REQUEST)

    def test_hostile_heads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http11, "MAX_LINE_LENGTH", 300_000)
        monkeypatch.setattr(http11, "MAX_HANDSHAKE_SIZE", 300_000)
        started = time.perf_counter()
        for filler in b" ", b"a", b"\t \r", b"a:", b":", b"\r", b"a \x80":
            data = b"GET / HTTP/1.1\r\nA: " + filler * (200_000 // len(filler))
            for end in b"\r\n\r\n", b"\0\r\n\r\n":
                try:
                    read_whole(data + end, read_request)
                except ValueError:
                    assert b"\r" in filler or b"\0" in end
        assert time.perf_counter() - started < 20


class TestGenerators:
    """The shapes that people know who parse by hand."""

    def drive(
        self,
        make: Callable[[StreamReader], Generator[None, None, Any]],
        pieces: list[bytes],
        eof: bool = True,
    ) -> Any:
        stream = StreamReader()
        generator = make(stream)
        remaining = list(pieces)
        while True:
            try:
                next(generator)
            except StopIteration as exc:
                self.rest = stream
                return exc.value
            if remaining:
                stream.feed_data(remaining.pop(0))
            else:
                assert eof, "it needs more than it was given"
                stream.feed_eof()

    def both(self, make: Callable[..., Any], data: bytes, eof: bool = True) -> Any:
        whole = self.drive(make, [data], eof)
        assert self.drive(make, split(data), eof) == whole
        return whole

    @staticmethod
    def request(stream: StreamReader) -> Generator[None, None, Request]:
        return Request.parse(stream.read_line)

    @staticmethod
    def response(stream: StreamReader) -> Generator[None, None, Response]:
        return Response.parse(stream.read_line, stream.read_exact, stream.read_to_eof)

    def test_request(self) -> None:
        request = self.both(self.request, REQUEST, eof=False)
        assert request == Request("/chat", REQUEST_HEADERS)

    def test_request_with_tail(self) -> None:
        self.drive(self.request, [REQUEST + TAIL])
        with pytest.raises(StopIteration) as info:
            next(self.rest.read_exact(len(TAIL)))
        assert info.value.value == TAIL

    @pytest.mark.parametrize(
        ("data", "body", "eof"),
        [
            (b"HTTP/1.1 101 X\r\n\r\n", b"", False),
            (b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nHello", b"Hello", False),
            (CHUNKED + b"5\r\nHello\r\n0\r\nA: b\r\n\r\n", b"Hello", False),
            (b"HTTP/1.1 200 X\r\n\r\nHello", b"Hello", True),
        ],
    )
    def test_response(self, data: bytes, body: bytes, eof: bool) -> None:
        assert self.both(self.response, data, eof).body == body

    def test_proxy_response(self) -> None:
        def parse(stream: StreamReader) -> Generator[None, None, Response]:
            functions = stream.read_line, stream.read_exact, stream.read_to_eof
            return Response.parse(*functions, proxy=True)

        assert self.both(parse, b"HTTP/1.0 200 OK\r\n\r\n", eof=False).body == b""

    @pytest.mark.parametrize(
        ("kind", "data", "place", "cause"),
        [
            ("request", b"", "request line", "0 bytes, before end of line"),
            ("request", b"GET / HTTP/1.1\r\nA", "headers", "1 bytes, before end of"),
            ("response", b"HTT", "status line", "3 bytes, before end of line"),
            (
                "response",
                b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nHell",
                "body",
                "4 bytes, expected 5 bytes",
            ),
        ],
    )
    def test_end_of_stream(
        self, kind: str, data: bytes, place: str, cause: str
    ) -> None:
        with pytest.raises(EOFError) as info:
            self.drive(getattr(self, kind), [data])
        assert str(info.value) == f"connection closed while reading HTTP {place}"
        assert str(info.value.__cause__).startswith(f"stream ends after {cause}")

    @pytest.mark.parametrize(
        ("kind", "data", "expected"),
        [
            ("request", b"G" * 129, RequestLineTooLong),
            ("request", b"GET / HTTP/1.1\r\nA: " + b"b" * 128, HeaderLineTooLong),
            ("request", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9, TooManyHeaders),
            ("response", b"H" * 129, StatusLineTooLong),
            ("response", b"HTTP/1.1 200 X\r\n\r\n" + b"a" * 65, SecurityError),
            ("response", CHUNKED + b"1" * 129, SecurityError),
            ("request", b"POST / HTTP/1.1\r\n", InvalidMethod),
            ("response", b"HTTP/1.0 200 OK\r\n", ValueError),
        ],
    )
    def test_errors(self, kind: str, data: bytes, expected: type[Exception]) -> None:
        for pieces in [data], split(data):
            with pytest.raises(expected) as info:
                self.drive(getattr(self, kind), pieces)
            assert type(info.value) is expected

    def test_line(self) -> None:
        def parse(stream: StreamReader) -> Generator[None, None, bytes]:
            return http11.parse_line(stream.read_line)

        line = self.both(parse, b"spam\r\n", eof=False)
        assert (type(line), line) == (bytes, b"spam")
        with pytest.raises(ValueError, match="line without CRLF: spam"):
            self.drive(parse, [b"spam\n"])
        with pytest.raises(SecurityError, match="line exceeds limit of 128 bytes"):
            self.drive(parse, [b"s" * 129])
        with pytest.raises(EOFError, match="stream ends after 4 bytes"):
            self.drive(parse, [b"spam"])

    def test_headers(self) -> None:
        def parse(stream: StreamReader) -> Generator[None, None, Headers]:
            return http11.parse_headers(stream.read_line)

        assert self.both(parse, b"A: b\r\n\r\n", eof=False) == Headers(A="b")
        assert self.both(parse, b"\r\n", eof=False) == Headers()
        with pytest.raises(EOFError, match="while reading HTTP headers"):
            self.drive(parse, [b"A: b\r\n"])

    @pytest.mark.parametrize(
        ("headers", "data", "eof"),
        [
            (Headers({"Content-Length": "5"}), b"Hello", False),
            (
                Headers({"Transfer-Encoding": "chunked"}),
                b"5\r\nHello\r\n0\r\n\r\n",
                False,
            ),
            (Headers(), b"Hello", True),
        ],
    )
    def test_body(self, headers: Headers, data: bytes, eof: bool) -> None:
        def parse(stream: StreamReader) -> Generator[None, None, bytes]:
            functions = stream.read_line, stream.read_exact, stream.read_to_eof
            return http11.read_body(200, headers, *functions)

        assert self.both(parse, data, eof) == b"Hello"


class TestMessages:
    def test_request_comes_back(self) -> None:
        request = Request("/chat", REQUEST_HEADERS)
        data = request.serialize()
        assert data.startswith(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n")
        assert read(data, read_request) == request

    def test_request_of_another_kind(self) -> None:
        request = Request("h:443", Headers(), "CONNECT", "HTTP/1.0")
        assert request.serialize() == b"CONNECT h:443 HTTP/1.0\r\n\r\n"

    def test_response_comes_back(self) -> None:
        headers = Headers({"Content-Length": "5"})
        response = Response(404, "Not Found", headers, b"Hello")
        data = response.serialize()
        assert data == b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nHello"
        assert read(data, read_response) == response

    def test_no_body(self) -> None:
        data = b"HTTP/1.1 101 X\r\n\r\n"
        assert Response(101, "X", Headers(), None).serialize() == data
        assert Response(101, "X", Headers()).serialize() == data

    def test_bytes_that_are_not_ascii(self) -> None:
        assert Request("/\udcc3é", Headers()).serialize() == (
            b"GET /\xc3\xe9 HTTP/1.1\r\n\r\n"
        )
        assert Response(200, "\udcc3é", Headers()).serialize() == (
            b"HTTP/1.1 200 \xc3\xe9\r\n\r\n"
        )

    @pytest.mark.parametrize("path", ["", "/a b", "/\r\nA: b", "/\0", "/€"])
    def test_paths_stay_in_their_line(self, path: str) -> None:
        with pytest.raises(ValueError, match="invalid HTTP path"):
            Request(path, Headers()).serialize()

    def test_other_parts_stay_in_their_line(self) -> None:
        with pytest.raises(ValueError, match="invalid HTTP method"):
            Request("/", Headers(), "GET /").serialize()
        with pytest.raises(ValueError, match="invalid HTTP version"):
            Request("/", Headers(), "GET", "HTTP/1.1\r\n").serialize()
        with pytest.raises(ValueError, match="invalid HTTP reason phrase"):
            Response(200, "OK\r\nA: b", Headers()).serialize()

    @pytest.mark.parametrize("status", [0, 99, 1000, -200])
    def test_statuses_have_three_digits(self, status: int) -> None:
        with pytest.raises(ValueError, match="invalid HTTP status"):
            Response(status, "", Headers()).serialize()

    @pytest.mark.parametrize(
        "message", [Request("/", Headers(A="b")), Response(200, "OK", Headers(A="b"))]
    )
    def test_messages_are_plain_data(self, message: Request | Response) -> None:
        assert message.exception is None
        for other in copy.deepcopy(message), pickle.loads(pickle.dumps(message)):
            assert other == message
        message = copy.copy(message)
        message._exception = error = ValueError("x")
        assert message.exception is error


class TestEnvironment:
    @pytest.fixture
    def reload(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
        """Import the module in an environment, and put the old one back."""
        before = dict(vars(http11))

        def reload(**variables: str) -> Any:
            for name, value in variables.items():
                monkeypatch.setenv(f"WEBSOCKETS_{name}", value)
            return importlib.reload(http11)

        yield reload
        vars(http11).update(before)

    def test_defaults(self, reload: Callable[..., Any]) -> None:
        module = reload()
        assert module.MAX_LINE_LENGTH == 8192
        assert module.MAX_NUM_HEADERS == 128
        assert module.MAX_BODY_SIZE == 1048576
        assert module.MAX_HANDSHAKE_SIZE == 65536
        python = platform.python_version_tuple()[:2]
        product = f"Python/{'.'.join(python)} websockets/{version}"
        assert module.USER_AGENT == module.SERVER == product

    def test_variables(self, reload: Callable[..., Any]) -> None:
        module = reload(MAX_BODY_SIZE="5", SERVER="s", USER_AGENT="u")
        assert (module.MAX_BODY_SIZE, module.SERVER, module.USER_AGENT) == (5, "s", "u")

    def test_bad_variable(self, reload: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="WEBSOCKETS_MAX_LINE_LENGTH must be"):
            reload(MAX_LINE_LENGTH="long")
