"""The grammar of the lines of HTTP messages (websockets.httplines)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.exceptions import InvalidMethod, InvalidProtocol
from websockets.httplines import (
    CHUNK_LINE,
    FIELD_LINE,
    d,
    decode_line,
    parse_field_line,
    parse_proxy_status_line,
    parse_request_line,
    parse_status_line,
    share,
    show,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"abc", "abc"),
        ("é".encode(), "é"),
        (b"a\xffb", r"a\xffb"),
        (bytearray(b"a\x00\x1b[0m\r"), r"a\x00\x1b[0m\r"),
    ],
)
def test_bytes_in_texts_of_errors(value: bytes, text: str) -> None:
    assert d(value) == text
    assert show(decode_line(value)) == text


def test_long_values_in_texts_of_errors() -> None:
    assert d(b"a" * 200) == "a" * 200
    assert d(b"\0" * 16384) == r"\x00" * 200 + "... (16384 bytes)"


class TestRequestLine:
    @pytest.mark.parametrize("target", ["/", "/chat?a=b", "http://h/p", "*", "/\udcc3"])
    def test_good(self, target: str) -> None:
        line = f"GET {target} HTTP/1.1"
        assert parse_request_line(line) == ("GET", target, "HTTP/1.1")

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "GET",
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /a b HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/11",
            "GET / FTP/1.1",
            "G(T / HTTP/1.1",
            "GET /\t HTTP/1.1",
            "GET /\0 HTTP/1.1",
            "POST /\0 HTTP/1.1",
            "GET  HTTP/1.1",
            "\x16\x03\x01",
        ],
    )
    def test_bad(self, line: str) -> None:
        with pytest.raises(ValueError) as info:
            parse_request_line(line)
        assert str(info.value) == f"invalid HTTP request line: {show(line)}"

    @pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/2", "HTTP/2.0", "HTTP/0.9"])
    def test_other_version(self, protocol: str) -> None:
        with pytest.raises(InvalidProtocol) as info:
            parse_request_line(f"PRI * {protocol}")
        assert info.value.protocol == protocol

    @pytest.mark.parametrize("method", ["POST", "HEAD", "get", "CONNECT"])
    def test_other_method(self, method: str) -> None:
        with pytest.raises(InvalidMethod) as info:
            parse_request_line(f"{method} / HTTP/1.1")
        assert info.value.method == method


class TestStatusLine:
    @pytest.mark.parametrize(
        ("line", "parts"),
        [
            ("HTTP/1.1 101 Switching Protocols", ("101", "Switching Protocols")),
            ("HTTP/1.1 200 ", ("200", "")),
            ("HTTP/1.1 599 \udcff\t", ("599", "\udcff\t")),
            ("HTTP/1.1 200", ("200", None)),
        ],
    )
    def test_good(self, line: str, parts: tuple[str, str | None]) -> None:
        assert parse_status_line(line) == ("HTTP/1.1", *parts)
        assert parse_proxy_status_line(line) == ("HTTP/1.1", *parts)

    def test_old_proxy(self) -> None:
        parts = parse_proxy_status_line("HTTP/1.0 200 Connection established")
        assert parts == ("HTTP/1.0", "200", "Connection established")

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("", "invalid HTTP status line: "),
            ("220 smtp.invalid", "invalid HTTP status line: 220 smtp.invalid"),
            ("220 smtp.invalid ESMTP", "invalid HTTP status line: 220 smtp.i"),
            ("HTTP/1.1", "invalid HTTP status line: HTTP/1.1"),
            ("\x1b[0m", r"invalid HTTP status line: \x1b[0m"),
            (
                "HTTP/1.0 101 Switching Protocols",
                "unsupported protocol; expected HTTP/1.1: "
                "HTTP/1.0 101 Switching Protocols",
            ),
            ("HTTP/1.1 OMG WTF", "invalid status code; expected integer; got OMG"),
            ("HTTP/1.1  OK", "invalid status code; expected integer; got "),
            ("HTTP/1.1 +20 OK", "invalid status code; expected integer; got +20"),
            ("HTTP/1.1 007 Bond", "invalid status code; expected 100–599; got 007"),
            ("HTTP/1.1 600 OK", "invalid status code; expected 100–599; got 600"),
            ("HTTP/1.1 20 OK", "invalid status code; expected 100–599; got 20"),
            ("HTTP/1.1 2000 OK", "invalid status code; expected 100–599; got 2000"),
            ("HTTP/1.1 200 O\0K", r"invalid HTTP reason phrase: O\x00K"),
        ],
    )
    def test_bad(self, line: str, text: str) -> None:
        with pytest.raises(ValueError) as info:
            parse_status_line(line)
        assert str(info.value).startswith(text)

    def test_bad_proxy(self) -> None:
        with pytest.raises(ValueError, match="expected HTTP/1.1 or HTTP/1.0: HTTP/2"):
            parse_proxy_status_line("HTTP/2 200 OK")


class TestFieldLine:
    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ("Host: h", ("Host", "h")),
            ("Host:h", ("Host", "h")),
            ("Host:\t h \t", ("Host", "h")),
            ("Host:", ("Host", "")),
            ("X-A: a: b\t\udcff", ("X-A", "a: b\t\udcff")),
        ],
    )
    def test_good(self, line: str, field: tuple[str, str]) -> None:
        assert parse_field_line(line) == field

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("Oops", "invalid HTTP header line: Oops"),
            (": a", "invalid HTTP header name: "),
            ("Host : h", "invalid HTTP header name: Host "),
            ("Ho\0st: h", r"invalid HTTP header name: Ho\x00st"),
            (" folded: line", "unsupported HTTP header folding: folded: line"),
            ("\tfolded", "unsupported HTTP header folding: folded"),
            ("A: b\0c", r"invalid HTTP header value: A: b\x00c"),
            ("A: b\rc", r"invalid HTTP header value: A: b\rc"),
            ("Cookie: a=secret\0", "invalid HTTP header value: Cookie: a=***"),
        ],
    )
    def test_bad(self, line: str, text: str) -> None:
        with pytest.raises(ValueError) as info:
            parse_field_line(line)
        assert str(info.value) == text

    @given(st.text("Aa: \t\r\0\udcff(", max_size=10))
    def test_the_pattern_and_the_function_agree(self, line: str) -> None:
        match = FIELD_LINE.fullmatch(line + "\r\n")
        try:
            name, value = parse_field_line(line or "(")
        except ValueError:
            assert match is None
        else:
            assert match is not None
            assert (match[1], match[2].strip(" \t")) == (name, value)


@pytest.mark.parametrize("line", ["0", "fF", "5 ", "5;a", '5 ; a="b"', "f" * 16])
def test_chunk_lines(line: str) -> None:
    assert CHUNK_LINE.fullmatch(line)


@pytest.mark.parametrize("line", ["", "-1", "+1", "0x1", "5 5", "g", "f" * 17, "5;\0"])
def test_no_chunk_lines(line: str) -> None:
    assert not CHUNK_LINE.fullmatch(line)


def test_share() -> None:
    """Many connections have one object for what all of them sent."""
    for text in ("GET", "HTTP/1.1", "Switching Protocols", "Fine", None):
        other = text and "".join(list(text))
        assert share(other) == text
        assert (share(other) is share(text)) == (text != "Fine")
