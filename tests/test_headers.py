"""The grammar of headers (websockets.headers)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets import headers as h
from websockets.exceptions import InvalidHeaderFormat, InvalidHeaderValue
from websockets.typing import ExtensionHeader, ExtensionName, Subprotocol

TOKENS = st.text(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    min_size=1,
    max_size=8,
)
QUOTABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"),
    max_size=12,
)


def error(function: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(InvalidHeaderFormat) as info:
        function(*args)
    return str(info.value)


class TestPieces:
    def test_peek_ahead(self) -> None:
        assert h.peek_ahead("ab", 1) == "b"
        assert h.peek_ahead("ab", 2) is None

    @pytest.mark.parametrize(
        ("text", "pos", "end"), [("", 0, 0), ("a", 0, 0), (" \t a", 0, 3), ("a ", 1, 2)]
    )
    def test_ows(self, text: str, pos: int, end: int) -> None:
        assert h.parse_OWS(text, pos) == end

    def test_token(self) -> None:
        assert h.parse_token("a b", 0, "X") == ("a", 1)
        assert h.parse_token("a bc,", 2, "X") == ("bc", 4)

    @pytest.mark.parametrize("text", ["", " a", ",", '"a"', "é", "\n"])
    def test_no_token(self, text: str) -> None:
        expected = f"invalid X header: expected token at 0 in {text}"
        assert error(h.parse_token, text, 0, "X") == expected

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('""', ""),
            ('"a b"', "a b"),
            (r'"a \"b\" \\"', 'a "b" \\'),
            (r'"\a"', "a"),
            ('"é\t\udcff"', "é\t\udcff"),
        ],
    )
    def test_quoted_string(self, text: str, value: str) -> None:
        assert h.parse_quoted_string(text, 0, "X") == (value, len(text))
        assert h.parse_quoted_string(f"a={text};b", 2, "X") == (value, len(text) + 2)

    @pytest.mark.parametrize("text", ["", "a", '"', '"a', '"a\\"', '"\\', '"\n"'])
    def test_no_quoted_string(self, text: str) -> None:
        assert "expected quoted string at 0 in" in error(
            h.parse_quoted_string, text, 0, "X"
        )

    @given(QUOTABLE)
    def test_quoted_strings_come_back(self, value: str) -> None:
        quoted = h.build_quoted_string(value)
        assert h.parse_quoted_string(quoted, 0, "X") == (value, len(quoted))

    @pytest.mark.parametrize("value", ["\n", "\0", "\x7f", "€"])
    def test_what_can_not_be_quoted(self, value: str) -> None:
        with pytest.raises(ValueError, match="invalid characters"):
            h.build_quoted_string(value)

    def test_token68(self) -> None:
        assert h.parse_token68("aA0-._~+/== b", 0, "X") == ("aA0-._~+/==", 11)
        assert "expected token68 at 0 in =" in error(h.parse_token68, "=", 0, "X")

    def test_end(self) -> None:
        h.parse_end("a", 1, "X")
        assert error(h.parse_end, "ab", 1, "X") == (
            "invalid X header: expected end of header at 1 in ab"
        )


class TestLists:
    @pytest.mark.parametrize(
        ("text", "items"),
        [
            ("a", ["a"]),
            ("a,b", ["a", "b"]),
            ("a , b", ["a", "b"]),
            (" a\t,\tb ", ["a", "b"]),
            (",,a, ,b,,", ["a", "b"]),
        ],
    )
    def test_lists(self, text: str, items: list[str]) -> None:
        assert h.parse_list(h.parse_token, text, 0, "X") == items
        # The same lists, read at once.
        assert h.parse_connection(text) == items
        assert h.parse_upgrade(text) == items
        assert h.parse_subprotocol(text) == items

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "expected token at 0 in "),
            (" , ", "expected token at 3 in  , "),
            ("a b", "expected comma at 2 in a b"),
            ("a;b", "expected comma at 1 in a;b"),
            ("a, ;", "expected token at 3 in a, ;"),
        ],
    )
    def test_no_lists(self, text: str, message: str) -> None:
        for parse in (h.parse_connection, h.parse_subprotocol, h.parse_extension):
            if parse is not h.parse_extension or ";" not in text:
                assert error(parse, text).endswith(f" header: {message}")
        message = message.replace("token", "protocol")
        assert error(h.parse_upgrade, text) == f"invalid Upgrade header: {message}"

    def test_list_from_a_position(self) -> None:
        assert h.parse_list(h.parse_token, "x: a, b", 3, "X") == ["a", "b"]

    @given(st.text(", \tab/", max_size=12))
    def test_both_ways_to_read_a_list_agree(self, text: str) -> None:
        ways: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
            (h.parse_connection, h.parse_connection_option),
            (h.parse_upgrade, h.parse_upgrade_protocol),
            (h.parse_subprotocol, h.parse_subprotocol_item),
        ]
        for parse, parse_item in ways:
            try:
                items = h.parse_list(parse_item, text, 0, "X")
            except InvalidHeaderFormat as exc:
                assert error(parse, text).endswith(str(exc).partition(":")[2])
            else:
                assert parse(text) == items


class TestUpgrade:
    def test_protocol_with_version(self) -> None:
        assert h.parse_upgrade("websocket, HTTP/2.0") == ["websocket", "HTTP/2.0"]

    @pytest.mark.parametrize("text", ["HTTP/", "/2", "a/b/c"])
    def test_no_protocol(self, text: str) -> None:
        with pytest.raises(InvalidHeaderFormat):
            h.parse_upgrade(text)


EXTENSIONS: list[tuple[str, list[Any]]] = [
    ("foo", [("foo", [])]),
    ("foo, bar", [("foo", []), ("bar", [])]),
    (
        'foo; name; token=token; quoted-string="quoted-string", bar; quux; quuux',
        [
            (
                "foo",
                [
                    ("name", None),
                    ("token", "token"),
                    ("quoted-string", "quoted-string"),
                ],
            ),
            ("bar", [("quux", None), ("quuux", None)]),
        ],
    ),
    (",\t, ,  ,foo  ;bar = 42,,   baz,,", [("foo", [("bar", "42")]), ("baz", [])]),
    (
        "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
        [
            (
                "permessage-deflate",
                [("client_max_window_bits", None), ("server_max_window_bits", "10")],
            )
        ],
    ),
]


class TestExtensions:
    @pytest.mark.parametrize(("text", "extensions"), EXTENSIONS)
    def test_extensions(self, text: str, extensions: list[ExtensionHeader]) -> None:
        assert h.parse_extension(text) == extensions
        assert h.parse_extension_list(h.build_extension(extensions)) == extensions

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("foo;", "expected token at 4"),
            ("foo; =1", "expected token at 5"),
            ("foo; a=", "expected token at 7"),
            ('foo; a="b', "expected quoted string at 7"),
            ('foo; a=""', "invalid quoted header content at 7"),
            ('foo; a="b c"', "invalid quoted header content at 7"),
            ("foo bar", "expected comma at 4"),
        ],
    )
    def test_no_extensions(self, text: str, message: str) -> None:
        expected = f"invalid Sec-WebSocket-Extensions header: {message} in {text}"
        assert error(h.parse_extension, text) == expected

    def test_build(self) -> None:
        name = ExtensionName("foo")
        parameters = [("a", "1"), ("b", None)]
        assert h.build_extension_item(name, parameters) == "foo; a=1; b"
        assert (
            h.build_extension_list([(name, parameters), (ExtensionName("bar"), [])])
            == "foo; a=1; b, bar"
        )

    @given(
        st.lists(
            st.tuples(
                TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=3)
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_extensions_come_back(self, extensions: Any) -> None:
        assert h.parse_extension(h.build_extension(extensions)) == extensions


class TestSubprotocols:
    @given(st.lists(TOKENS, min_size=1, max_size=5))
    def test_subprotocols_come_back(self, names: list[Subprotocol]) -> None:
        assert h.parse_subprotocol_list(h.build_subprotocol(names)) == names

    def test_build(self) -> None:
        names = [Subprotocol("chat"), Subprotocol("superchat")]
        assert h.build_subprotocol_list(names) == "chat, superchat"

    def test_valid(self) -> None:
        h.validate_subprotocols([])
        h.validate_subprotocols((Subprotocol("chat"), Subprotocol("v1.chat")))

    @pytest.mark.parametrize("names", ["chat", {"chat"}, iter(["chat"]), None])
    def test_not_a_list(self, names: Any) -> None:
        with pytest.raises(TypeError, match="subprotocols must be a list; got"):
            h.validate_subprotocols(names)

    @pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\n", "é"])
    def test_not_a_name(self, name: str) -> None:
        with pytest.raises(ValueError, match="invalid subprotocol: "):
            h.validate_subprotocols([Subprotocol("chat"), Subprotocol(name)])


@pytest.mark.parametrize(
    ("host", "port", "secure", "header"),
    [
        ("localhost", 80, False, "localhost"),
        ("localhost", 8000, False, "localhost:8000"),
        ("localhost", 443, False, "localhost:443"),
        ("localhost", 443, True, "localhost"),
        ("localhost", 80, True, "localhost:80"),
        ("127.0.0.1", 80, False, "127.0.0.1"),
        ("::1", 80, False, "[::1]"),
        ("::1", 8000, True, "[::1]:8000"),
        ("fe80::1%eth0", 80, False, "[fe80::1]"),
    ],
)
def test_host(host: str, port: int, secure: bool, header: str) -> None:
    assert h.build_host(host, port, secure) == header


def test_host_with_its_port_in_any_case() -> None:
    build = h.build_host
    assert build("h", 443, True, always_include_port=True) == "h:443"


class TestBasicAuth:
    # RFC 7617, 2.
    HEADER = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="

    def test_www_authenticate(self) -> None:
        header = 'Basic realm="the \\"realm\\"", charset="UTF-8"'
        assert h.build_www_authenticate_basic('the "realm"') == header

    def test_build(self) -> None:
        build = h.build_authorization_basic
        assert build("Aladdin", "open sesame") == self.HEADER
        assert build("u", "\udcff") == "Basic dTr/"

    def test_user_names_have_no_colon(self) -> None:
        with pytest.raises(ValueError, match="must not contain a colon"):
            h.build_authorization_basic("a:b", "c")

    @pytest.mark.parametrize(
        "header", [HEADER, HEADER.replace("Basic ", "bAsIc\t "), HEADER + " "]
    )
    def test_parse(self, header: str) -> None:
        assert h.parse_authorization_basic(header) == ("Aladdin", "open sesame")

    @given(st.text(max_size=8).filter(lambda name: ":" not in name), st.text())
    def test_credentials_come_back(self, username: str, password: str) -> None:
        header = h.build_authorization_basic(username, password)
        assert h.parse_authorization_basic(header) == (username, password)

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("", "expected token at 0 in ***"),
            ("Basic", "expected space at 5 in ***"),
            ("Basic ", "expected token68 at 6 in Basic ***"),
            ("Basic @", "expected token68 at 6 in Basic ***"),
            ("Basic c2VjcmV0 c2VjcmV0", "expected end of header at 15 in Basic ***"),
        ],
    )
    def test_bad_format(self, header: str, message: str) -> None:
        expected = f"invalid Authorization header: {message}"
        assert error(h.parse_authorization_basic, header) == expected

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ('Digest username="secret"', "unsupported scheme: Digest"),
            ("Basic abc", "expected base64-encoded credentials"),
            ("Basic a.bc", "expected base64-encoded credentials"),
            ("Basic /w==", "expected base64-encoded credentials"),
            ("Basic c2VjcmV0", "expected colon-separated credentials"),
        ],
    )
    def test_bad_value(self, header: str, message: str) -> None:
        with pytest.raises(InvalidHeaderValue) as info:
            h.parse_authorization_basic(header)
        assert str(info.value) == f"invalid Authorization header: {message}"
        assert info.value.__cause__ is None
        assert info.value.__suppress_context__ or info.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Host", "secret=1", "secret=1"),
        ("Authorization", "Basic secret", "Basic ***"),
        ("AUTHORIZATION", "Bearer secret more secret", "Bearer ***"),
        ("Proxy-Authorization", "Basic secret", "Basic ***"),
        ("Authorization", "secret", "***"),
        ("Authorization", "secret=;, secret", "***"),
        ("Cookie", "a=secret; b=secret=;c=", "a=***; b=***; c=***"),
        ("cookie", "secret", "***"),
        ("Set-Cookie", "a=secret; Path=/; Secure", "a=***"),
        ("Set-Cookie", "secret; Path=/", "***"),
    ],
)
def test_loggable_value(name: str, value: str, shown: str) -> None:
    assert h.loggable_value(name, value) == shown


MEGABYTE = 1_000_000
HOSTILE = [
    "," * MEGABYTE,
    " " * MEGABYTE,
    ", " * (MEGABYTE // 2),
    "a" * MEGABYTE,
    "a" * MEGABYTE + "\0",
    "a " * (MEGABYTE // 2),
    "a/" * (MEGABYTE // 2),
    "a" + " " * MEGABYTE + "a",
    "a;" + " " * MEGABYTE + "=",
    'a;b="' + "c" * MEGABYTE,
    'a;b="' + "\\c" * (MEGABYTE // 2),
    'a;b="' + "\\" * MEGABYTE,
    "a=" * (MEGABYTE // 2),
    "a," * (MEGABYTE // 2),
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_take_no_time(value: str) -> None:
    started = time.process_time()
    for parse in (
        h.parse_connection,
        h.parse_upgrade,
        h.parse_extension,
        h.parse_subprotocol,
        h.parse_authorization_basic,
    ):
        with contextlib.suppress(InvalidHeaderFormat, InvalidHeaderValue):
            parse(value)
    # Milliseconds, and a second for half a million elements, if nothing measures it.
    # Anything quadratic takes hours.
    assert time.process_time() - started < 20
