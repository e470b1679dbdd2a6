"""Floor 5, faces: pieces of the opening handshake for frameworks that do it.

They make and check the headers that every handshake has (RFC 6455, 4); what is
negotiated is left to the caller.
"""

from __future__ import annotations

from ..client import check_accept, check_upgrade
from ..datastructures import Headers
from ..server import check_request
from ..utils import accept_key, generate_key

__all__ = ["build_request", "build_response", "check_request", "check_response"]


def build_request(headers: Headers) -> str:
    """
    Add to a request what makes it a handshake request.

    Args:
        headers: headers of the request.

    Returns:
        Its Sec-WebSocket-Key, which :func:`check_response` asks for.

    """
    key = generate_key()
    headers["Upgrade"] = "websocket"
    headers["Connection"] = "Upgrade"
    headers["Sec-WebSocket-Key"] = key
    headers["Sec-WebSocket-Version"] = "13"
    return key


def build_response(headers: Headers, key: str) -> None:
    """
    Add to a response what makes it a handshake response.

    Args:
        headers: headers of the response.
        key: what :func:`check_request` returned.

    """
    headers["Upgrade"] = "websocket"
    headers["Connection"] = "Upgrade"
    headers["Sec-WebSocket-Accept"] = accept_key(key)


def check_response(headers: Headers, key: str) -> None:
    """
    Check a handshake response.

    Args:
        headers: headers of the response.
        key: what :func:`build_request` returned.

    Raises:
        InvalidHandshake: if something is missing or wrong.

    """
    check_upgrade(headers)
    check_accept(headers, key)
