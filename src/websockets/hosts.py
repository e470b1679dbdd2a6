"""Floor 2, rules: whom a request is for, and which site it comes from.

The Host header says for which host a request is meant (RFC 9110, 7.2), the Origin
header, for which site a browser sends it (RFC 6454, 7).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .client import get_single
from .datastructures import Headers
from .exceptions import InvalidHeader, InvalidHeaderValue, InvalidHost
from .typing import Origin

__all__ = ["SAME_ORIGIN", "Hosts", "check_host", "check_hosts", "is_same_origin"]

#: What the ``hosts`` arguments list.
Hosts = Sequence["str | re.Pattern[str]"]

#: Stands, in ``origins``, for origins whose host is the one of the Host header.
SAME_ORIGIN = Origin("same-origin")

# RFC 9110, 7.2 and RFC 3986, 3.2.2. A host without a name isn't one.
_HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(:(?P<port>[0-9]{0,5}))?"
)
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/?#@]*@)?(?P<host>[^/?#]*)")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@]+)", re.IGNORECASE)

_PORTS = {"http": "80", "https": "443"}


def check_host(headers: Headers, hosts: Hosts, target: str = "/") -> None:
    """
    Check the Host header (RFC 9112, 3.2).

    Args:
        headers: headers of the request.
        hosts: what is acceptable: names or addresses, with a port or, for any port,
            without; compiled patterns must match the whole header, in lower case.
        target: what the request line asks for. If it is a whole URI, its host counts
            instead (RFC 9112, 3.2.2).

    Raises:
        InvalidHeader: if there isn't exactly one, or it isn't well-formed.
        InvalidHost: if it's a host that isn't ours.

    """
    value = get_single(headers, "Host").strip(" \t").lower()
    if whole := _WHOLE.match(target):
        value = whole["host"].lower()
    match = _HOST.fullmatch(value)
    if match is None:
        raise InvalidHeaderValue("Host", value)
    for item in hosts:
        if isinstance(item, re.Pattern):
            if item.fullmatch(value):
                return
        elif item.lower() in (match["name"], value):
            return
    raise InvalidHost(value)


def check_hosts(hosts: object) -> None:
    """
    Check a ``hosts`` argument.

    Raises:
        TypeError: if it isn't a list of str and patterns.
        ValueError: if something in it is no host, and so would never match.

    """
    if isinstance(hosts, str) or not isinstance(hosts, Sequence):
        raise TypeError(f"hosts must be a list, not {type(hosts).__name__}")
    for item in hosts:
        if isinstance(item, re.Pattern):
            continue
        if not isinstance(item, str):
            raise TypeError(
                f"hosts must be a list of str and patterns, not {type(item).__name__}"
            )
        if "*" in item or not _HOST.fullmatch(item):
            raise ValueError(
                f"hosts must list hosts as in the Host header, not {item!r}; "
                "use a compiled pattern for several"
            )


def is_same_origin(origin: str, headers: Headers) -> bool:
    """
    Tell whether an origin has the host that a request is for.

    The scheme may differ, as behind a proxy that does the TLS; only its default port
    counts. A missing, repeated or malformed Host header is no origin's host.
    """
    sender = _ORIGIN.fullmatch(origin)
    if sender is None:
        return False
    try:
        host = get_single(headers, "Host")
    except InvalidHeader:
        return False
    port = _PORTS[sender["scheme"].lower()]
    ours = _with_port(host.strip(" \t"), port)
    return ours is not None and ours == _with_port(sender["host"], port)


def _with_port(host: str, default: str) -> tuple[str, str] | None:
    """Return a host's name and port; None if it isn't well-formed."""
    match = _HOST.fullmatch(host)
    return None if match is None else (match["name"].lower(), match["port"] or default)
