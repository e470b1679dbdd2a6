"""Whom a request is for, and which site it comes from (websockets.hosts)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader, InvalidHost
from websockets.hosts import check_host, check_hosts, is_same_origin

HOSTS = [
    *["example.com", "localhost:8765", "[::1]", "[::2]:80", "Upper.Example"],
    re.compile(r"[a-z]+\.example\.org(:443)?"),
]


class TestCheckHost:
    @pytest.mark.parametrize(
        "value",
        [
            *["example.com", "example.com:1", "example.com:", "EXAMPLE.com:65535"],
            *["localhost:8765", "[::1]", "[::1]:8765", "[::2]:80", "upper.example"],
            *["a.example.org", "A.Example.Org:443", " \texample.com\t "],
        ],
    )
    def test_acceptable(self, value: str) -> None:
        check_host(Headers(Host=value), HOSTS)

    @pytest.mark.parametrize(
        "value",
        [
            *["example.com.evil", "evil-example.com", "example.comm", "xample.com"],
            *["localhost", "localhost:87650", "[::2]", "[::3]", "127.0.0.1"],
            *["a.example.org:80", "a.b.example.org", ".example.org", "example.com."],
            *["user:1", "%65xample.com"],
        ],
    )
    def test_of_others(self, value: str) -> None:
        with pytest.raises(InvalidHost) as info:
            check_host(Headers(Host=value), HOSTS)
        assert info.value.status == 421
        assert str(info.value) == f"invalid Host header: {value}"

    @pytest.mark.parametrize(
        "value",
        [
            *["", ":80", "example.com:x", "example.com:123456", "example.com:80:80"],
            *["user@example.com", "example.com/", "http://example.com", "a b"],
            *["example.com, example.com", "[::1", "::1", "[x]", "ex\xe4mple.com"],
        ],
    )
    def test_malformed(self, value: str) -> None:
        with pytest.raises(InvalidHeader) as info:
            check_host(Headers(Host=value), [re.compile(".*"), *HOSTS])
        assert info.value.status == 400

    def test_missing(self) -> None:
        with pytest.raises(InvalidHeader, match="^missing Host header$") as info:
            check_host(Headers(), HOSTS)
        assert info.value.status == 400

    def test_repeated(self) -> None:
        headers = Headers([("Host", "example.com"), ("Host", "example.com")])
        with pytest.raises(InvalidHeader, match="^invalid Host header: ") as info:
            check_host(headers, HOSTS)
        assert info.value.status == 400

    def test_host_of_a_whole_uri(self) -> None:
        # RFC 9112, 3.2.2.
        ours, other = Headers(Host="example.com"), Headers(Host="other.example")
        for target in (
            "http://Example.com/chat",
            "ws://user:pw@example.com:80?a",
            "/x://y",
        ):
            check_host(ours, HOSTS, target)
        check_host(other, HOSTS, "wss://example.com/")
        with pytest.raises(InvalidHost, match="evil.example:80$"):
            check_host(ours, HOSTS, "http://example.com@evil.example:80/example.com")
        for target in "http:///chat", "http://a@b@example.com/":
            with pytest.raises(InvalidHeader):
                check_host(ours, HOSTS, target)
        with pytest.raises(InvalidHeader, match="missing"):
            check_host(Headers(), HOSTS, "http://example.com/")

    def test_no_host_is_ours(self) -> None:
        with pytest.raises(InvalidHost):
            check_host(Headers(Host="example.com"), [])


class TestCheckHosts:
    @pytest.mark.parametrize("hosts", [[], HOSTS, ("a",)])
    def test_right(self, hosts: Any) -> None:
        check_hosts(hosts)

    @pytest.mark.parametrize("hosts", ["example.com", 5, {"example.com"}])
    def test_not_a_list(self, hosts: Any) -> None:
        with pytest.raises(TypeError, match="^hosts must be a list, not "):
            check_hosts(hosts)

    @pytest.mark.parametrize("item", [None, b"example.com", 80])
    def test_wrong_item(self, item: Any) -> None:
        with pytest.raises(TypeError, match="^hosts must be a list of str and patt"):
            check_hosts([item])

    @pytest.mark.parametrize(
        "item", ["", "*.example.com", "ws://example.com", "a b", "a:b", "::1"]
    )
    def test_what_would_never_match(self, item: str) -> None:
        with pytest.raises(ValueError, match="^hosts must list hosts as in the Host"):
            check_hosts([item])


class TestIsSameOrigin:
    @pytest.mark.parametrize(
        "origin, host",
        [
            ("http://example.com", "example.com"),
            ("https://example.com", "example.com"),
            ("https://example.com", "example.com:443"),
            ("https://example.com:443", "example.com"),
            ("http://example.com:80", "example.com"),
            ("http://example.com:8765", "example.com:8765"),
            ("HTTP://Example.com", "eXample.com"),
            ("http://[::1]:8765", "[::1]:8765"),
        ],
    )
    def test_same(self, origin: str, host: str) -> None:
        assert is_same_origin(origin, Headers(Host=host))

    @pytest.mark.parametrize(
        "origin, host",
        [
            ("http://example.com", "example.org"),
            ("http://example.com", "example.com:443"),
            ("https://example.com", "example.com:80"),
            ("http://example.com:8765", "example.com"),
            ("http://example.com.evil", "example.com"),
            ("http://evil/example.com", "example.com"),
            ("http://user@example.com", "example.com"),
            ("file://example.com", "example.com"),
            ("null", "null"),
            ("same-origin", "same-origin"),
            ("", ""),
            ("http://a b", "a b"),
        ],
    )
    def test_other(self, origin: str, host: str) -> None:
        assert not is_same_origin(origin, Headers(Host=host))

    def test_no_single_host(self) -> None:
        assert not is_same_origin("http://a", Headers())
        assert not is_same_origin("http://a", Headers([("Host", "a"), ("Host", "a")]))
