"""Floor 5, faces: basic authentication for classic servers (RFC 7617)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..asyncio.credentials import (
    CheckCredentials,
    Credentials,
    Unauthorized,
    authenticate,
    make_check,
)
from ..asyncio.serving import call
from ..datastructures import Headers
from .server import HTTPResponse, WebSocketServerProtocol

__all__ = ["BasicAuthWebSocketServerProtocol", "basic_auth_protocol_factory"]


class BasicAuthWebSocketServerProtocol(WebSocketServerProtocol):
    """
    A server's connection that asks for a user name and a password.

    Args:
        args: arguments of :class:`WebSocketServerProtocol`.
        realm: what is being protected, shown to users; None for the class's
            attribute of that name.
        check_credentials: a function, async or not, of user name and password
            that tells whether they're right; None for the method.
        kwargs: arguments of :class:`WebSocketServerProtocol`.

    Attributes:
        realm: what is being protected; ASCII only.
        username: user name of the client; None before it was checked.

    """

    realm: str = ""
    username: str | None = None

    def __init__(
        self,
        *args: Any,
        realm: str | None = None,
        check_credentials: CheckCredentials | None = None,
        **kwargs: Any,
    ) -> None:
        if realm is not None:
            self.realm = realm
        self._check_credentials = check_credentials
        super().__init__(*args, **kwargs)

    async def check_credentials(self, username: str, password: str) -> bool:
        """
        Tell whether a user name and a password are right.

        May be overridden, or passed as an argument.
        """
        if self._check_credentials is None:
            return False
        return await call(self._check_credentials, username, password)

    async def process_request(
        self, path: str, request_headers: Headers
    ) -> HTTPResponse | None:
        """Check the credentials, and then do what the base class does."""
        try:
            username = await authenticate(request_headers, self.check_credentials)
        except Unauthorized as exc:
            return exc.status, [exc.challenge(self.realm)], str(exc).encode()
        self.username = username
        return await super().process_request(path, request_headers)


def basic_auth_protocol_factory(
    realm: str | None = None,
    credentials: Credentials | Iterable[Credentials] | None = None,
    check_credentials: CheckCredentials | None = None,
    create_protocol: Callable[..., BasicAuthWebSocketServerProtocol] | None = None,
) -> Callable[..., BasicAuthWebSocketServerProtocol]:
    """
    Make a ``create_protocol`` argument that asks for user name and password.

    ::

        serve(handler, create_protocol=basic_auth_protocol_factory(
            realm="my dev server",
            credentials=("hello", "iloveyou"),
        ))

    Args:
        realm: what is being protected, shown to users; ASCII only.
        credentials: a pair of user name and password, or several.
        check_credentials: a function, async or not, of user name and password
            that tells whether they're right.
        create_protocol: a subclass of :class:`BasicAuthWebSocketServerProtocol`,
            or a function with its arguments; None for that class.

    Raises:
        TypeError: unless exactly one of ``credentials`` and
            ``check_credentials`` is given, or if they're of the wrong kind.

    """
    if (credentials is None) == (check_credentials is None):
        raise TypeError("provide either credentials or check_credentials")
    if credentials is not None:
        check_credentials = make_check(credentials)
    return functools.partial(
        create_protocol or BasicAuthWebSocketServerProtocol,
        realm=realm,
        check_credentials=check_credentials,
    )
