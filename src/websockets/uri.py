"""Floor 0, words: WebSocket URIs (RFC 6455, 3) and their internationalized form.

An IRI (RFC 3987) is accepted and turned into a URI: the host by IDNA, the rest by
percent-encoding its UTF-8. What is percent-encoded already stays as it is.

Servers never take a URI apart, so what that needs of the standard library, and takes
a while to import, is imported where it is used.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from .exceptions import InvalidURI

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["WebSocketURI", "parse_uri", "split_uri"]

# All of ASCII: what of it doesn't belong into a URI is refused or left alone, only
# the rest is encoded.
_ASCII = "".join(map(chr, range(0x21, 0x7F)))

# RFC 3987, 2.2: white space of any script, control characters, and surrogates, which
# aren't characters.
_NEVER = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# An authority's end when it has brackets: an address and a port. urllib.parse
# overlooks text before and behind the brackets.
_BRACKETED = re.compile(r"\[[^\[\]]+\](?::[0-9]*)?")

# The user info, its end included, and what is before it.
_USER_INFO = re.compile(r"[^/?#]*//[^/?#]*@")

# What a host name may have besides letters and digits (RFC 3986, 3.2.2).
_HOST = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=]+")

# RFC 1035, 2.3.4, with the dot at the end. IDNA's codec takes more than linear time.
_MAX_HOST_LENGTH = 254

_DEFAULT_PORTS = {"ws": 80, "wss": 443}


@dataclasses.dataclass
class WebSocketURI:
    """A WebSocket URI, taken apart.

    Args:
        secure: ``True`` for a ``wss`` URI, ``False`` for ``ws``.
        host: the host, in lower case; ASCII; without an IPv6 address's brackets.
        port: the TCP port, also when it is the default one.
        path: the path, percent-encoded; may be empty.
        query: the query, percent-encoded, without the question mark; may be empty.
        username: the user name, percent-encoded; ``None`` when there is none.
        password: the password, percent-encoded; ``None`` when there is none.

    """

    secure: bool
    host: str
    port: int
    path: str
    query: str
    username: str | None = None
    password: str | None = None

    @property
    def resource_name(self) -> str:
        """The path and the query, as a request line has them."""
        # RFC 6455, 3: an empty path is "/".
        path = self.path or "/"
        return f"{path}?{self.query}" if self.query else path

    @property
    def user_info(self) -> tuple[str, str] | None:
        """The user name and the password; ``None`` when the URI has none.

        They are decoded, ready for
        :func:`~websockets.headers.build_authorization_basic`. Percent-encoded bytes
        that aren't UTF-8 are surrogate escapes.
        """
        if self.username is None or self.password is None:
            return None
        return _decode(self.username), _decode(self.password)


def parse_uri(uri: str) -> WebSocketURI:
    """Take a WebSocket URI apart.

    Args:
        uri: a ``ws`` or ``wss`` URI or IRI.

    Returns:
        its parts. User name and password are as they are in the URI;
        :attr:`WebSocketURI.user_info` has them decoded.

    Raises:
        InvalidURI: it isn't a WebSocket URI.
        TypeError: it isn't a ``str``.

    """
    parsed = split_uri(uri)
    # RFC 7617, 2: it couldn't be told where such a name ends and the password begins.
    if parsed.user_info and ":" in parsed.user_info[0]:
        raise InvalidURI(uri, "username must not contain a colon")
    return parsed


def split_uri(uri: str) -> WebSocketURI:
    """Take a URI apart as :func:`parse_uri` does, whatever its user name.

    That of a SOCKS proxy may have a colon. It raises the same exceptions.
    """
    if not isinstance(uri, str):
        raise TypeError(f"uri must be a str; got {type(uri).__name__}")
    parts = _split(uri)
    _check_parts(uri, parts)
    has_user = "@" in parts.netloc
    return WebSocketURI(
        secure=parts.scheme == "wss",
        host=_host(uri, parts),
        port=_port(uri, parts),
        path=_encode(parts.path),
        query=_encode(parts.query),
        username=_encode(parts.username or "") if has_user else None,
        password=_encode(parts.password or "") if has_user else None,
    )


def _split(uri: str) -> SplitResult:
    """Split a URI that has no character that no URI may have."""
    from urllib.parse import urlsplit

    # urllib.parse would drop some of these silently.
    if bad := _NEVER.search(uri):
        shown = uri.encode("unicode_escape", "surrogatepass").decode()
        raise InvalidURI(shown, f"character {bad[0]!r} isn't allowed")
    user_info = _USER_INFO.match(uri)
    if user_info and ("[" in user_info[0] or "]" in user_info[0]):
        # RFC 3986, 3.2.1. Whether urllib.parse takes them depends on its version.
        raise InvalidURI(uri, "brackets in credentials must be percent-encoded")
    try:
        return urlsplit(uri)
    except ValueError:
        # Without its cause, which may show the password.
        raise InvalidURI(uri, "hostname isn't valid") from None


def _check_parts(uri: str, parts: SplitResult) -> None:
    """Refuse URIs that aren't WebSocket URIs."""
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidURI(uri, "scheme isn't ws or wss")
    if not parts.hostname:
        raise InvalidURI(uri, "hostname isn't provided")
    # RFC 6455, 3: "#" must be escaped, even if nothing follows it.
    if "#" in uri:
        raise InvalidURI(uri, "fragment identifier is meaningless")
    if parts.username is not None and parts.password is None:
        raise InvalidURI(uri, "username provided without password")


def _port(uri: str, parts: SplitResult) -> int:
    """Return the TCP port."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise InvalidURI(uri, "port isn't a number between 1 and 65535")
    return _DEFAULT_PORTS[parts.scheme] if port is None else port


def _host(uri: str, parts: SplitResult) -> str:
    """Return the host in ASCII, in lower case and without brackets."""
    host = parts.hostname or ""
    if len(host) > _MAX_HOST_LENGTH:
        raise InvalidURI(uri, f"hostname exceeds {_MAX_HOST_LENGTH} characters")
    end = parts.netloc.rpartition("@")[2]
    try:
        if "[" in end or "]" in end:
            return _check_address(end, host)
        return _check_name(host)
    except ValueError as exc:
        raise InvalidURI(uri, "hostname isn't valid") from exc


def _check_address(end: str, host: str) -> str:
    """Return the IPv6 address in brackets, or raise :exc:`ValueError`."""
    from ipaddress import IPv6Address

    if not _BRACKETED.fullmatch(end):
        raise ValueError("text outside of brackets")
    if not host.isascii():
        # IPv6Address takes any name for that of a zone.
        raise ValueError("invalid character")
    # RFC 6874, 2: the percent sign before a zone is encoded.
    host = host.replace("%25", "%", 1)
    IPv6Address(host)
    return host


def _check_name(host: str) -> str:
    """Return the host's name in ASCII, or raise :exc:`ValueError`."""
    if not host.isascii():
        host = host.encode("idna").decode()
    if not _HOST.fullmatch(host):
        raise ValueError("invalid character")
    # urllib.parse leaves what follows a percent sign as it is.
    return host.lower()


def _encode(text: str) -> str:
    """Percent-encode what isn't ASCII (RFC 3987, 3.1)."""
    from urllib.parse import quote

    return quote(text, safe=_ASCII)


def _decode(text: str) -> str:
    """Undo percent-encoding."""
    from urllib.parse import unquote

    return unquote(text, errors="surrogateescape")
