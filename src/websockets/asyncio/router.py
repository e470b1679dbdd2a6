"""Floor 5, faces: modern servers that choose the handler by the path."""

from __future__ import annotations

import http
import ssl as ssl_module
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ..client import get_single
from ..exceptions import InvalidHandshake
from ..http11 import Request, Response
from .arguments import check_arguments
from .routing import check_endpoints, check_map, match, refuse
from .server import Server, ServerConnection, serve
from .serving import in_turn

if TYPE_CHECKING:
    from werkzeug.routing import Map

__all__ = ["Router", "route", "unix_route"]


def route(
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: Callable[..., Router] | None = None,
    **kwargs: Any,
) -> Server:
    """
    Start a WebSocket server that chooses the handler by the path.

    ::

        from websockets.asyncio.router import route
        from werkzeug.routing import Map, Rule

        async def greet(connection, name):
            await connection.send(f"Hello {name}!")

        url_map = Map([Rule("/greet/<name>", endpoint=greet)])

        async with route(url_map, "localhost", 8765) as server:
            await server.serve_forever()

    An endpoint is a handler that takes the variable parts of the path too, as
    keyword arguments. Paths that match no rule are answered with HTTP status 404;
    paths that a rule redirects, with status 302. A ``process_request`` argument
    is asked first.

    Args:
        url_map: which path has which handler.
        args: where to listen: ``host`` and ``port``, see :func:`serve`.
        server_name: name of the server, for redirects and subdomains; None for
            what the Host header says.
        ssl: TLS configuration; True where a proxy in front of the server does TLS,
            so that redirects are to ``wss://`` URIs; None for no TLS.
        create_router: makes the router: a subclass of :class:`Router`, or a
            function with its arguments.
        kwargs: arguments of :func:`serve`.

    Raises:
        ImportError: if werkzeug isn't installed.
        TypeError: if an argument is of the wrong type.

    """
    process_request = kwargs.pop("process_request", None)
    check_arguments(process_request=process_request, create_router=create_router)
    if create_router is None:
        check_endpoints(url_map)
    if ssl is not None and ssl is not True:
        kwargs["ssl"] = ssl
    url_scheme = "ws" if ssl is None else "wss"
    router = (create_router or Router)(url_map, server_name, url_scheme)
    return serve(
        router.handler,
        *args,
        process_request=in_turn(process_request, router.route_request),
        **kwargs,
    )


def unix_route(url_map: Map, path: str | None = None, **kwargs: Any) -> Server:
    """
    Start a server that chooses the handler by the path, on a Unix socket.

    Args:
        url_map: which path has which handler; see :func:`route`.
        path: path of the socket; None if there is a ``sock`` argument.
        kwargs: arguments of :func:`route`, and of the event loop's
            ``create_unix_server()``.

    """
    return route(url_map, unix=True, path=path, **kwargs)


class Router:
    """
    Chooses the handler by the path; :func:`route` makes one.

    Args:
        url_map: which path has which handler.
        server_name: name of the server; None for what the Host header says.
        url_scheme: scheme of redirects: ``ws`` or ``wss``.

    Raises:
        ImportError: if werkzeug isn't installed.
        TypeError: if ``url_map`` isn't a map.

    """

    def __init__(
        self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws"
    ) -> None:
        check_map(url_map)
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme

    def get_server_name(self, connection: ServerConnection, request: Request) -> str:
        """
        Return the name of the server, for a request.

        Raises:
            InvalidHeader: if the Host header is needed, and missing.

        """
        return self.server_name or get_single(request.headers, "Host")

    def redirect(self, connection: ServerConnection, url: str) -> Response:
        """Make the response that redirects to another URL."""
        response = connection.respond(http.HTTPStatus.FOUND, f"Found at {url}")
        response.headers["Location"] = url
        return response

    def not_found(self, connection: ServerConnection) -> Response:
        """Make the response for a path that matches no rule."""
        return connection.respond(http.HTTPStatus.NOT_FOUND, "Not Found")

    def route_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """
        Find the handler for a request.

        Returns:
            None if there is one; else what to answer.

        """
        from werkzeug.exceptions import HTTPException, NotFound
        from werkzeug.routing import RequestRedirect

        try:
            name = self.get_server_name(connection, request)
            found = match(self.url_map, request, name, self.url_scheme)
        except RequestRedirect as exc:
            return self.redirect(connection, exc.new_url)
        except NotFound:
            return self.not_found(connection)
        except HTTPException as exc:
            return refuse(connection, exc)
        except InvalidHandshake as exc:
            return connection.respond(exc.status, f"{exc}\n")
        connection.endpoint, connection.endpoint_kwargs = found
        return None

    async def handler(self, connection: ServerConnection) -> None:
        """Run the handler that was found for a connection."""
        await connection.endpoint(connection, **connection.endpoint_kwargs)
