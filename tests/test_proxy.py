"""Proxies' addresses, the system's settings, CONNECT (websockets.proxy)."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from websockets.exceptions import InvalidProxy
from websockets.headers import parse_authorization_basic
from websockets.http11 import USER_AGENT
from websockets.proxy import Proxy, get_proxy, parse_proxy, prepare_connect_request
from websockets.uri import parse_uri

# An address, its parts, and how it is shown.
VALID: list[tuple[str, Proxy, str]] = [
    ("http://p:8080", Proxy("http", "p", 8080), "http://p:8080"),
    ("http://p", Proxy("http", "p", 80), "http://p:80"),
    ("http://p/", Proxy("http", "p", 80), "http://p:80"),
    ("https://p", Proxy("https", "p", 443), "https://p:443"),
    ("HTTPS://P.Test:1", Proxy("https", "p.test", 1), "https://p.test:1"),
    ("socks4://p", Proxy("socks4", "p", 1080), "socks4://p:1080"),
    ("socks4a://p:80", Proxy("socks4a", "p", 80), "socks4a://p:80"),
    ("socks5://p:1", Proxy("socks5", "p", 1), "socks5://p:1"),
    ("socks5h://p", Proxy("socks5h", "p", 1080), "socks5h://p:1080"),
    ("http://[::1]:1", Proxy("http", "::1", 1), "http://[::1]:1"),
    ("http://høst:1", Proxy("http", "xn--hst-0na", 1), "http://xn--hst-0na:1"),
    ("http://u:p@h:1", Proxy("http", "h", 1, "u", "p"), "http://h:1"),
    ("http://u:@h:1", Proxy("http", "h", 1, "u", ""), "http://h:1"),
    ("http://ü:%C3%9F%3a%2f@h", Proxy("http", "h", 80, "ü", "ß:/"), "http://h:80"),
    ("socks5://a%40b:%3Ac@h", Proxy("socks5", "h", 1080, "a@b", ":c"), "socks5://h:1080"),
    ("socks5://a%3Ab:c@h", Proxy("socks5", "h", 1080, "a:b", "c"), "socks5://h:1080"),
]  # fmt: skip

INVALID = [
    ("ftp://h", "scheme isn't one of http, https, socks4, socks4a, socks5, socks5h"),
    ("ws://h", "scheme isn't one of"),
    ("h:1", "scheme isn't one of"),
    ("", "scheme isn't one of"),
    ("http:h", "scheme isn't one of"),
    ("http://", "hostname isn't provided"),
    ("http://:80", "hostname isn't provided"),
    ("http://a b", "character ' ' isn't allowed"),
    ("http://[::1", "hostname isn't valid"),
    ("http://h:0", "port isn't a number between 1 and 65535"),
    ("http://h:65536", "port isn't a number between 1 and 65535"),
    ("http://h/path", "path is meaningless"),
    ("http://h/?q", "query is meaningless"),
    ("http://h#f", "fragment identifier is meaningless"),
    ("http://u@h", "username provided without password"),
    ("http://a%3Ab:p@h", "user name must not contain a colon"),
    ("https://a%3Ab:p@h", "user name must not contain a colon"),
    ("socks5://ü:p@h", "user name and password must be ASCII for SOCKS"),
    ("socks4://u:%FF@h", "user name and password must be ASCII for SOCKS"),
    (f"socks5://{'u' * 256}:p@h", "user name or password exceeds 255 bytes"),
    (f"socks5://u:{'p' * 256}@h", "user name or password exceeds 255 bytes"),
]


class TestParse:
    @pytest.mark.parametrize(("address", "proxy", "shown"), VALID)
    def test_valid(self, address: str, proxy: Proxy, shown: str) -> None:
        assert parse_proxy(address) == proxy
        assert str(proxy) == shown

    @pytest.mark.parametrize(("address", "text"), INVALID)
    def test_invalid(self, address: str, text: str) -> None:
        with pytest.raises(InvalidProxy) as info:
            parse_proxy(address)
        assert info.value.proxy == address
        assert info.value.msg.startswith(text)
        assert info.value.__cause__ is None

    def test_not_a_str(self) -> None:
        with pytest.raises(TypeError, match="proxy must be a str; got bytes"):
            parse_proxy(b"http://h")  # type: ignore[arg-type]

    def test_limits_of_credentials(self) -> None:
        name = "u" * 255
        assert parse_proxy(f"socks5://{name}:{name}@h").user_info == (name, name)

    def test_user_info(self) -> None:
        assert parse_proxy("http://u:p@h").user_info == ("u", "p")
        assert parse_proxy("http://:@h").user_info == ("", "")
        assert parse_proxy("http://h").user_info is None
        assert Proxy("http", "h", 1, "u").user_info is None

    def test_secrets_are_not_shown(self) -> None:
        proxy = parse_proxy("http://token:secret@h:1")
        for shown in str(proxy), repr(proxy), f"{proxy}", ascii(proxy):
            assert "token" not in shown
            assert "secret" not in shown


def choose(monkeypatch: pytest.MonkeyPatch, uri: str, **variables: str) -> str | None:
    """Return which proxy these variables of the environment stand for."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return get_proxy(parse_uri(uri))


class TestSystemSettings:
    def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for uri in ("ws://h/", "wss://h/"):
            assert choose(monkeypatch, uri) is None

    @pytest.mark.parametrize(
        ("uri", "order"),
        [
            ("ws://h", ["ws", "socks", "https", "http", "all"]),
            ("wss://h", ["wss", "socks", "https", "all"]),
        ],
    )
    def test_order(
        self, monkeypatch: pytest.MonkeyPatch, uri: str, order: list[str]
    ) -> None:
        for name in reversed(order):
            address = f"socks4://{name}:1"
            assert choose(monkeypatch, uri, **{f"{name}_proxy": address}) == address

    def test_what_is_for_other_schemes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert choose(monkeypatch, "wss://h", ws_proxy="http://p:1") is None
        assert choose(monkeypatch, "wss://h", http_proxy="http://p:1") is None
        assert choose(monkeypatch, "wss://h", ftp_proxy="http://p:1") is None
        for name in ("ws_proxy", "http_proxy"):
            monkeypatch.delenv(name)
        assert choose(monkeypatch, "ws://h", wss_proxy="http://p:1") is None

    @pytest.mark.parametrize(
        ("variable", "value", "proxy"),
        [
            ("https_proxy", "http://u:p@p:1", "http://u:p@p:1"),
            ("HTTPS_PROXY", "http://p:1/", "http://p:1/"),
            ("https_proxy", "p:1", "http://p:1"),
            ("https_proxy", "socks://p:1", "socks5h://p:1"),
            ("https_proxy", "", None),
            ("socks_proxy", "http://p:1", "socks5h://p:1"),
            ("socks_proxy", "socks://p:1", "socks5h://p:1"),
            ("socks_proxy", "p:1", "socks5h://p:1"),
            ("socks_proxy", "socks5://p:1", "socks5://p:1"),
            ("socks_proxy", "https://p:1", "https://p:1"),
            ("all_proxy", "socks://p:1/", "socks5h://p:1/"),
        ],
    )
    def test_schemes(
        self,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        value: str,
        proxy: str | None,
    ) -> None:
        assert choose(monkeypatch, "wss://h", **{variable: value}) == proxy

    @pytest.mark.parametrize(
        ("no_proxy", "uri", "bypassed"),
        [
            ("*", "ws://h", True),
            ("example.com", "ws://example.com", True),
            ("example.com", "ws://EXAMPLE.com", True),
            ("example.com", "ws://a.example.com", True),
            (".example.com", "ws://a.example.com", True),
            ("example.com", "ws://notexample.com", False),
            ("example.com", "ws://example.com.test", False),
            ("a.test, b.test", "ws://b.test", True),
            ("example.com:80", "ws://example.com", True),
            ("example.com:443", "wss://example.com", True),
            ("example.com:80", "wss://example.com", False),
            ("example.com:81", "ws://example.com:81", True),
            ("127.0.0.1", "ws://127.0.0.1:1", True),
            ("127.0.0.1", "ws://localhost:1", False),
            ("::1", "ws://[::1]:1", True),
            ("[::1]", "ws://[::1]:1", True),
            ("[::1]:1", "ws://[::1]:1", True),
            ("[::1]:1", "ws://[::1]:2", False),
        ],
    )
    def test_exceptions(
        self, monkeypatch: pytest.MonkeyPatch, no_proxy: str, uri: str, bypassed: bool
    ) -> None:
        proxy = choose(monkeypatch, uri, all_proxy="http://p:1", no_proxy=no_proxy)
        assert proxy == (None if bypassed else "http://p:1")

    def test_settings_that_are_not_in_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxies = {"https": "http://p:1", "socks": "http://s:1"}
        asked: list[Any] = []
        monkeypatch.setattr(urllib.request, "getproxies", lambda: proxies)
        monkeypatch.setattr(urllib.request, "proxy_bypass", asked.append)
        assert get_proxy(parse_uri("wss://h")) == "socks5h://s:1"
        assert asked == ["h:443"]


class TestConnect:
    @pytest.mark.parametrize(
        ("uri", "target"),
        [
            ("ws://h", b"h:80"),
            ("wss://h/p?q", b"h:443"),
            ("wss://h:80", b"h:80"),
            ("ws://[::1]", b"[::1]:80"),
            ("ws://[fe80::1%25eth0]:1", b"[fe80::1]:1"),
            ("wss://høst", b"xn--hst-0na:443"),
        ],
    )
    def test_target(self, uri: str, target: bytes) -> None:
        request = prepare_connect_request(Proxy("http", "p", 1), parse_uri(uri), "me")
        assert request == (
            b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n"
            b"User-Agent: me\r\n\r\n"
        )

    def test_user_agent(self) -> None:
        proxy, uri = Proxy("http", "p", 1), parse_uri("ws://h")
        assert f"User-Agent: {USER_AGENT}\r\n".encode() in prepare_connect_request(
            proxy, uri
        )
        assert b"User-Agent" not in prepare_connect_request(proxy, uri, None)

    def test_authorization(self) -> None:
        proxy = parse_proxy("http://us%40er:p%3Aß@p")
        request = prepare_connect_request(proxy, parse_uri("ws://u:p@h"), None)
        _, _, value = request.decode().partition("Proxy-Authorization: ")
        assert parse_authorization_basic(value.strip()) == ("us@er", "p:ß")
        assert b"\r\nAuthorization" not in request
