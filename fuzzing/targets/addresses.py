"""Addresses: URIs and proxies, and what is made of them."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

from ..builds import find_builds
from ..recipe import Recipe

SCHEMES = ("ws", "wss", "", "http", "https", "socks5h", "socks4", "WSS")


def check(data: bytes) -> None:
    """Take these bytes for an address."""
    recipe = Recipe(data)
    scheme = recipe.choose(SCHEMES)
    text = recipe.rest().decode("utf-8", "surrogateescape")
    address = f"{scheme}://{text}" if scheme else text
    uri = _parse_uri(address)
    if uri is not None:
        _check_uri(uri)
        _check_request(uri, address)
    proxy = _parse_proxy(address)
    if proxy is not None:
        _check_proxy(proxy)


def exercise(data: bytes) -> None:
    """Parse this."""
    text = data[1:].decode("utf-8", "replace")
    _parse_uri(f"ws://{text}")
    _parse_proxy(f"http://{text}")


def _module(name: str) -> Any:
    return find_builds()[-1].module(name)


def _parse_uri(address: str) -> Any:
    try:
        return _module("uri").parse_uri(address)
    except _module("exceptions").InvalidURI as exc:
        assert str(exc)
        return None


def _parse_proxy(address: str) -> Any:
    try:
        return _module("proxy").parse_proxy(address)
    except _module("exceptions").InvalidProxy as exc:
        assert str(exc)
        return None


def _check_uri(uri: Any) -> None:
    """All of it can be sent, and parsing what it stands for gives it again."""
    for part in uri.host, uri.path, uri.query, uri.username or "", uri.password or "":
        assert part.isascii() and part.isprintable() and " " not in part, part
    assert 0 < uri.port < 65536 and uri.host
    # The name of a network interface may have upper case.
    lower = uri.host.partition("%")[0] if ":" in uri.host else uri.host
    assert lower == lower.lower()
    assert uri.resource_name.startswith("/")
    assert (uri.username is None) is (uri.password is None)
    host = uri.host
    if ":" in host:
        ipaddress.IPv6Address(host)
        host = f"[{host.replace('%', '%25', 1)}]"
    user = "" if uri.username is None else f"{uri.username}:{uri.password}@"
    query = f"?{uri.query}" if uri.query else ""
    scheme = "wss" if uri.secure else "ws"
    built = f"{scheme}://{user}{host}:{uri.port}{uri.path}{query}"
    assert _module("uri").parse_uri(built) == uri, built


def _check_request(uri: Any, address: str) -> None:
    client = _module("client").ClientProtocol(address)
    request = client.connect()
    client.send_request(request)
    [written] = client.data_to_send()
    reader = _module("http11").HandshakeReader(10**9)
    reader.feed(written)
    if len(written) < 8000:
        read = reader.read_request()
        assert read is not None and read.path == uri.resource_name
        assert read.headers == request.headers


def _check_proxy(proxy: Any) -> None:
    assert 0 < proxy.port < 65536 and proxy.host.isascii()
    # Neither shows who the user is.
    nobody = dataclasses.replace(proxy, username=None, password=None)
    assert (str(proxy), repr(proxy)) == (str(nobody), repr(nobody))
    if not proxy.scheme.startswith("http"):
        return
    uri = _module("uri").parse_uri("wss://example.com/")
    written = _module("proxy").prepare_connect_request(proxy, uri)
    head, end, rest = written.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert end and not rest and lines[0] == b"CONNECT example.com:443 HTTP/1.1"
    assert len(lines) == 3 + (proxy.user_info is not None)
