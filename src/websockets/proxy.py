"""Floor 1, bytes: proxies: their addresses, the system's choice, and CONNECT.

:func:`parse_proxy` takes an address apart, :func:`get_proxy` asks the system's
settings which one to use, :func:`prepare_connect_request` makes the request that
opens a tunnel through an HTTP proxy (RFC 9110, 9.3.6).
"""

from __future__ import annotations

import dataclasses

from .datastructures import Headers
from .exceptions import InvalidProxy, InvalidURI
from .headers import build_authorization_basic, build_host
from .http11 import USER_AGENT, Request
from .uri import WebSocketURI, split_uri

__all__ = ["Proxy", "get_proxy", "parse_proxy", "prepare_connect_request"]

_DEFAULT_PORTS = {
    "http": 80,
    "https": 443,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}

# Which settings are for ws and for wss URIs, first come, first served. A proxy that
# passes TLS on will pass anything on; one that is meant for http may not.
_SETTINGS = {
    False: ("ws", "socks", "https", "http", "all"),
    True: ("wss", "socks", "https", "all"),
}


@dataclasses.dataclass
class Proxy:
    """A proxy's address, taken apart.

    User name and password are shown neither by ``str()`` nor by ``repr()``.

    Args:
        scheme: ``http``, ``https``, ``socks4``, ``socks4a``, ``socks5`` or
            ``socks5h``.
        host: the host, in lower case; ASCII; without an IPv6 address's brackets.
        port: the TCP port.
        username: the user name; ``None`` when there is none.
        password: the password; ``None`` when there is none.

    """

    scheme: str
    host: str
    port: int
    username: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)

    @property
    def user_info(self) -> tuple[str, str] | None:
        """The user name and the password; ``None`` when there are none."""
        if self.username is None or self.password is None:
            return None
        return self.username, self.password

    def __str__(self) -> str:
        """Return the address without user name and password."""
        host = build_host(self.host, self.port, False, always_include_port=True)
        return f"{self.scheme}://{host}"


def parse_proxy(proxy: str) -> Proxy:
    """Take a proxy's address apart.

    Args:
        proxy: ``scheme://host:port`` or ``scheme://username:password@host:port``;
            user name and password are percent-encoded. Without a port, it is 80 for
            ``http``, 443 for ``https`` and 1080 for the others.

    Returns:
        its parts, decoded.

    Raises:
        InvalidProxy: it isn't a proxy's address, or no such proxy is supported.
        TypeError: it isn't a ``str``.

    """
    if not isinstance(proxy, str):
        raise TypeError(f"proxy must be a str; got {type(proxy).__name__}")
    scheme, _, rest = proxy.partition("://")
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise InvalidProxy(proxy, f"scheme isn't one of {', '.join(_DEFAULT_PORTS)}")
    try:
        # What follows the scheme has the same grammar.
        parts = split_uri(f"ws://{rest}")
    except InvalidURI as exc:
        raise InvalidProxy(proxy, exc.msg) from None
    username, password = parts.user_info or (None, None)
    _check_rest(proxy, parts)
    _check_credentials(proxy, scheme, username or "", password or "")
    # Parsing the URI has imported it.
    from urllib.parse import urlsplit

    port = urlsplit(f"//{rest}").port or _DEFAULT_PORTS[scheme]
    return Proxy(scheme, parts.host, port, username, password)


def _check_rest(proxy: str, parts: WebSocketURI) -> None:
    """Refuse what means nothing behind a proxy's port."""
    if parts.path not in ("", "/"):
        raise InvalidProxy(proxy, "path is meaningless")
    if parts.query:
        raise InvalidProxy(proxy, "query is meaningless")


def _check_credentials(proxy: str, scheme: str, username: str, password: str) -> None:
    """Refuse credentials that can't be sent."""
    if scheme in ("http", "https"):
        # RFC 7617, 2.
        if ":" in username:
            raise InvalidProxy(proxy, "user name must not contain a colon")
    elif not (username + password).isascii():
        raise InvalidProxy(proxy, "user name and password must be ASCII for SOCKS")
    elif len(username) > 255 or len(password) > 255:
        # RFC 1929, 2.
        raise InvalidProxy(proxy, "user name or password exceeds 255 bytes")


def get_proxy(uri: WebSocketURI) -> str | None:
    """Ask the system's settings for the proxy to a server.

    These are what :func:`urllib.request.getproxies` finds: environment variables
    such as ``https_proxy``, or else what macOS and Windows have set up; and which
    servers are to be reached without, as :func:`urllib.request.proxy_bypass` says.

    Args:
        uri: where to connect.

    Returns:
        the proxy's address, fit for :func:`parse_proxy`; ``None`` to connect
        directly.

    """
    # It takes a while to import, and brings TLS in.
    import urllib.request

    proxies = urllib.request.getproxies()
    name = next((name for name in _SETTINGS[uri.secure] if proxies.get(name)), None)
    if name is None or _is_bypassed(uri):
        return None
    return _with_scheme(name, proxies[name])


def _is_bypassed(uri: WebSocketURI) -> bool:
    """Tell whether a server is to be reached without a proxy."""
    from urllib.request import proxy_bypass

    forms = [f"{uri.host}:{uri.port}"]
    if ":" in uri.host:
        # A list of exceptions may have an IPv6 address in brackets or without.
        forms.append(f"[{uri.host}]:{uri.port}")
    return any(map(proxy_bypass, forms))


def _with_scheme(name: str, address: str) -> str:
    """Return the address in a setting with a scheme that says what it means."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "socks" if name == "socks" else "http", address
    if scheme == "socks" or (name == "socks" and scheme == "http"):
        # Systems don't say which SOCKS. It's the one that all servers speak now.
        scheme = "socks5h"
    return f"{scheme}://{rest}"


def make_connect_request(
    proxy: Proxy, uri: WebSocketURI, user_agent_header: str | None
) -> Request:
    """Make the request for a tunnel, as :func:`prepare_connect_request` does."""
    # RFC 9112, 3.2.3: the port is there even if it is the default one.
    target = build_host(uri.host, uri.port, uri.secure, always_include_port=True)
    headers = Headers(Host=target)
    if user_agent_header is not None:
        headers["User-Agent"] = user_agent_header
    if proxy.user_info is not None:
        headers["Proxy-Authorization"] = build_authorization_basic(*proxy.user_info)
    return Request(target, headers, method="CONNECT")


def prepare_connect_request(
    proxy: Proxy, ws_uri: WebSocketURI, user_agent_header: str | None = USER_AGENT
) -> bytes:
    """Make the request for a tunnel through an HTTP proxy (RFC 9110, 9.3.6).

    Args:
        proxy: the proxy.
        ws_uri: where the tunnel leads to.
        user_agent_header: value of the User-Agent header; ``None`` to send none.

    Returns:
        the request as bytes.

    """
    return make_connect_request(proxy, ws_uri, user_agent_header).serialize()
