"""Floor 4, engine: which handler a request is for, as werkzeug's ``Map`` says.

That package is imported on use; nothing else needs it.
"""

from __future__ import annotations

import http
import urllib.parse
from typing import TYPE_CHECKING, Any

from ..http11 import Request, Response
from .serving import ServerSide

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Map

__all__ = ["check_endpoints", "check_map", "match", "refuse"]


def check_map(url_map: object) -> None:
    """
    Check a ``url_map`` argument.

    Raises:
        ImportError: if werkzeug isn't installed.
        TypeError: if it isn't a map.

    """
    try:
        from werkzeug.routing import Map
    except ImportError as exc:
        raise ImportError(
            "routing needs the package werkzeug: pip install 'websockets[router]'"
        ) from exc
    if not isinstance(url_map, Map):
        raise TypeError(
            f"url_map must be a werkzeug.routing.Map, not {type(url_map).__name__}"
        )


def check_endpoints(url_map: Map) -> None:
    """
    Check that the endpoints of a map are handlers.

    Raises:
        TypeError: if one isn't.

    """
    check_map(url_map)
    for rule in url_map.iter_rules():
        unused = rule.build_only or rule.redirect_to is not None
        if not (unused or callable(rule.endpoint)):
            raise TypeError(
                f"url_map must have handlers for endpoints; that of {rule.rule!r} is "
                f"{rule.endpoint!r}"
            )


def match(
    url_map: Map, request: Request, server_name: str, url_scheme: str
) -> tuple[Any, dict[str, Any]]:
    """
    Find the endpoint for a request.

    Args:
        url_map: which path has which endpoint.
        request: the request.
        server_name: name of the server.
        url_scheme: scheme of redirects.

    Returns:
        The endpoint and the variable parts of the path.

    Raises:
        HTTPException: werkzeug's, if there is none.

    """
    from werkzeug.exceptions import NotFound
    from werkzeug.routing import WebsocketMismatch

    subdomain = None
    if not url_map.host_matching:
        subdomain = _subdomain_of(server_name, request.headers.get_all("Host"))
    bound = url_map.bind(server_name, subdomain=subdomain, url_scheme=url_scheme)
    path, _, query = request.path.partition("?")
    path = urllib.parse.unquote(path)
    try:
        found = bound.match(path, query_args=query, websocket=True)
    except (NotFound, WebsocketMismatch):
        # Rules need not say that they're for WebSocket.
        found = bound.match(path, query_args=query, websocket=False)
    return found[0], dict(found[1])


def refuse(connection: ServerSide, exc: HTTPException) -> Response:
    """Make the response for what else may be wrong with a request."""
    status = http.HTTPStatus(exc.code or http.HTTPStatus.INTERNAL_SERVER_ERROR)
    response = connection.respond(status, f"{status.phrase}\n")
    methods = getattr(exc, "valid_methods", None)
    if methods:
        # RFC 9110, 15.5.6.
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _subdomain_of(server_name: str, hosts: list[str]) -> str | None:
    """Tell which subdomain of a server a request is for; None for none."""
    host = hosts[0].lower() if len(hosts) == 1 else ""
    if ":" not in server_name:
        host = host.partition(":")[0]
    subdomain = host.removesuffix(f".{server_name.lower()}")
    return subdomain if subdomain != host else None
