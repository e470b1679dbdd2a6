"""WebSocket URIs (websockets.uri)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.exceptions import InvalidURI
from websockets.headers import build_authorization_basic, parse_authorization_basic
from websockets.uri import WebSocketURI, parse_uri

# A URI, its parts, its resource name and its credentials.
VALID: list[tuple[str, WebSocketURI, str, tuple[str, str] | None]] = [
    ("ws://h", WebSocketURI(False, "h", 80, "", ""), "/", None),
    ("ws://h/", WebSocketURI(False, "h", 80, "/", ""), "/", None),
    ("wss://h/p?q", WebSocketURI(True, "h", 443, "/p", "q"), "/p?q", None),
    ("wss://h?q", WebSocketURI(True, "h", 443, "", "q"), "/?q", None),
    ("WSS://HOST:8765/P", WebSocketURI(True, "host", 8765, "/P", ""), "/P", None),
    ("ws://%4D%3Ah/", WebSocketURI(False, "%4d%3ah", 80, "/", ""), "/", None),
    ("ws://h:/", WebSocketURI(False, "h", 80, "/", ""), "/", None),
    ("ws://h:443/", WebSocketURI(False, "h", 443, "/", ""), "/", None),
    (
        "ws://u:p@h/",
        WebSocketURI(False, "h", 80, "/", "", "u", "p"),
        "/",
        ("u", "p"),
    ),
    ("ws://:@h/", WebSocketURI(False, "h", 80, "/", "", "", ""), "/", ("", "")),
    (
        "ws://u:p@ss:w@h/",
        WebSocketURI(False, "h", 80, "/", "", "u", "p@ss:w"),
        "/",
        ("u", "p@ss:w"),
    ),
    (
        "ws://a%40b:p%3A%2F@h/",
        WebSocketURI(False, "h", 80, "/", "", "a%40b", "p%3A%2F"),
        "/",
        ("a@b", "p:/"),
    ),
    (
        "ws://ü:ß@høst/ä?ö",
        WebSocketURI(
            False, "xn--hst-0na", 80, "/%C3%A4", "%C3%B6", "%C3%BC", "%C3%9F"
        ),
        "/%C3%A4?%C3%B6",
        ("ü", "ß"),
    ),
    ("ws://h/a%20b%2F?c=%3D", WebSocketURI(False, "h", 80, "/a%20b%2F", "c=%3D"),
     "/a%20b%2F?c=%3D", None),
    ("ws://h/\u200c", WebSocketURI(False, "h", 80, "/%E2%80%8C", ""),
     "/%E2%80%8C", None),
    ("ws://[::1]:80/", WebSocketURI(False, "::1", 80, "/", ""), "/", None),
    ("ws://u:p@[::1]/", WebSocketURI(False, "::1", 80, "/", "", "u", "p"),
     "/", ("u", "p")),
    ("ws://[fe80::1%25eth0]/", WebSocketURI(False, "fe80::1%eth0", 80, "/", ""),
     "/", None),
    ("ws://127.0.0.1:1", WebSocketURI(False, "127.0.0.1", 1, "", ""), "/", None),
    ("ws://my_service:1", WebSocketURI(False, "my_service", 1, "", ""), "/", None),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "parts", "resource", "user_info"), VALID)
def test_valid(
    uri: str, parts: WebSocketURI, resource: str, user_info: tuple[str, str] | None
) -> None:
    parsed = parse_uri(uri)
    assert parsed == parts
    assert parsed.resource_name == resource
    assert parsed.user_info == user_info


INVALID = [
    ("ws://h/#f", "fragment identifier is meaningless"),
    ("ws://h/#", "fragment identifier is meaningless"),
    ("http://h/", "scheme isn't ws or wss"),
    ("//h/", "scheme isn't ws or wss"),
    ("", "scheme isn't ws or wss"),
    ("ws:h", "hostname isn't provided"),
    ("ws:///p", "hostname isn't provided"),
    ("ws://:80/", "hostname isn't provided"),
    ("ws://u@h/", "username provided without password"),
    ("ws://@h/", "username provided without password"),
    ("ws://a%3Ab:p@h/", "username must not contain a colon"),
    ("ws://[fe80::1%25é]@h/", "brackets in credentials must be percent-encoded"),
    ("ws://[::1]:p@h/", "brackets in credentials must be percent-encoded"),
    ("ws://u]:p@h/", "brackets in credentials must be percent-encoded"),
    ("ws://u:[p]@[::1]/", "brackets in credentials must be percent-encoded"),
    ("ws://h:99999/", "port isn't a number between 1 and 65535"),
    ("ws://h:0/", "port isn't a number between 1 and 65535"),
    ("ws://h:-1/", "port isn't a number between 1 and 65535"),
    ("ws://h:http/", "port isn't a number between 1 and 65535"),
    ("ws://[::1/", "hostname isn't valid"),
    ("ws://[::g]/", "hostname isn't valid"),
    ("ws://[fe80::1%25eth0\u07db]/", "hostname isn't valid"),
    ("ws://[127.0.0.1]/", "hostname isn't valid"),
    ("ws://a[::1]/", "hostname isn't valid"),
    ("ws://[::1]a/", "hostname isn't valid"),
    ("ws://a]/", "hostname isn't valid"),
    ("ws://a\\b/", "hostname isn't valid"),
    ("ws://a<b/", "hostname isn't valid"),
    ("ws://ü..b/", "hostname isn't valid"),
    ("ws://a\u2100b/", "hostname isn't valid"),
    ("ws://" + "a" * 255, "hostname exceeds 254 characters"),
    ("ws://" + "ü" * 100_000, "hostname exceeds 254 characters"),
]


@pytest.mark.parametrize(("uri", "msg"), INVALID)
def test_invalid(uri: str, msg: str) -> None:
    with pytest.raises(InvalidURI) as info:
        parse_uri(uri)
    assert (info.value.uri, info.value.msg) == (uri, msg)


@pytest.mark.parametrize(
    "character",
    [" ", "\t", "\r", "\n", "\0", "\x1f", "\x7f", "\x85", "\xa0", "\u2028", "\ud800"],
)
@pytest.mark.parametrize("uri", ["{}ws://h/", "ws://h{}/", "ws://h/{}", "ws://h/?{}"])
def test_characters_that_no_uri_has(uri: str, character: str) -> None:
    with pytest.raises(InvalidURI, match="character .* isn't allowed") as info:
        parse_uri(uri.format(character))
    # The text can be printed anywhere.
    assert str(info.value).isprintable()


@pytest.mark.parametrize("uri", ["ws://u:secret@a\u2100b/", "ws://u:secret@h:x/"])
def test_errors_do_not_show_passwords(uri: str) -> None:
    with pytest.raises(InvalidURI) as info:
        parse_uri(uri)
    assert "secret" not in str(info.value)
    assert info.value.__cause__ is None


@pytest.mark.parametrize("uri", [None, b"ws://h/", 42])
def test_not_text(uri: object) -> None:
    with pytest.raises(TypeError, match="uri must be a str; got"):
        parse_uri(uri)  # type: ignore[arg-type]


def test_ascii_stays_as_it_is() -> None:
    path = "/" + "".join(chr(i) for i in range(0x21, 0x7F) if chr(i) not in "#?")
    assert parse_uri(f"ws://h{path}").path == path


def test_longest_hostname() -> None:
    assert parse_uri("ws://" + "a" * 254).host == "a" * 254


def test_credentials_need_both_parts() -> None:
    assert WebSocketURI(False, "h", 80, "", "", "u", None).user_info is None


def test_credentials_that_are_not_utf8_reach_the_server() -> None:
    user_info = parse_uri("ws://u:%FF@h/").user_info
    assert user_info is not None
    assert build_authorization_basic(*user_info) == "Basic dTr/"


@pytest.mark.parametrize("uri", ["ws://h/[a]@b", "ws://h/?//[@", "ws://u:p@[::1]/"])
def test_brackets_elsewhere(uri: str) -> None:
    parse_uri(uri)


def test_encoded_brackets_of_credentials() -> None:
    assert parse_uri("ws://%5Bu:p%5D@h/").user_info == ("[u", "p]")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
def test_credentials_arrive_as_they_were(username: str, password: str) -> None:
    from urllib.parse import quote

    username = username.replace(":", "")
    uri = f"ws://{quote(username, safe='')}:{quote(password, safe='')}@h/"
    user_info = parse_uri(uri).user_info
    assert user_info == (username, password)
    header = build_authorization_basic(*user_info)
    assert parse_authorization_basic(header) == (username, password)


@given(st.text(max_size=20))
def test_whatever_is_accepted_is_safe_in_a_request(text: str) -> None:
    try:
        uri = parse_uri("ws://" + text)
    except InvalidURI:
        return
    for part in uri.host, uri.resource_name:
        assert part.isascii()
        assert part.isprintable()
        assert " " not in part
    assert 0 < uri.port < 65536
