"""Floor 5, faces: basic authentication for classic servers (RFC 7617)."""

from __future__ import annotations

import functools
import hmac
import http
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from ..datastructures import Headers
from ..exceptions import InvalidHeader
from ..headers import build_www_authenticate_basic, parse_authorization_basic
from .server import HTTPResponse, WebSocketServerProtocol

__all__ = ["BasicAuthWebSocketServerProtocol", "basic_auth_protocol_factory"]

Credentials = tuple[str, str]
CheckCredentials = Callable[[str, str], Awaitable[bool] | bool]


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
        answer = self._check_credentials(username, password)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    async def process_request(
        self, path: str, request_headers: Headers
    ) -> HTTPResponse | None:
        """Check the credentials, and then do what the base class does."""
        try:
            authorization = request_headers["Authorization"]
        except LookupError:
            return self._unauthorized("Missing credentials\n")
        try:
            username, password = parse_authorization_basic(authorization)
        except InvalidHeader:
            return self._unauthorized("Unsupported credentials\n")
        if not await self.check_credentials(username, password):
            return self._unauthorized("Invalid credentials\n")
        self.username = username
        return await super().process_request(path, request_headers)

    def _unauthorized(self, text: str) -> HTTPResponse:
        challenge = build_www_authenticate_basic(self.realm)
        return (
            http.HTTPStatus.UNAUTHORIZED,
            [("WWW-Authenticate", challenge)],
            text.encode(),
        )


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
        check_credentials = _make_check(_read_credentials(credentials))
    return functools.partial(
        create_protocol or BasicAuthWebSocketServerProtocol,
        realm=realm,
        check_credentials=check_credentials,
    )


def _is_credentials(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(part, str) for part in value)
    )


def _read_credentials(credentials: object) -> list[Credentials]:
    if _is_credentials(credentials):
        return [cast(Credentials, credentials)]
    if isinstance(credentials, Iterable) and not isinstance(credentials, str):
        several = list(credentials)
        if all(_is_credentials(item) for item in several):
            return several
    # The value isn't shown: it may be a password in the wrong place.
    raise TypeError("credentials must be a pair of str, or an iterable of such pairs")


def _make_check(credentials: list[Credentials]) -> CheckCredentials:
    passwords = {username: password.encode() for username, password in credentials}

    async def check(username: str, password: str) -> bool:
        expected = passwords.get(username, b"")
        # Compared for unknown names too, so that time tells nothing.
        same = hmac.compare_digest(expected, password.encode())
        return same and username in passwords

    return check
