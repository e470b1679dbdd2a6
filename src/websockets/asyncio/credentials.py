"""Floor 4, engine: user names and passwords in handshake requests (RFC 7617)."""

from __future__ import annotations

import http
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from ..datastructures import Headers
from ..exceptions import InvalidHandshake, InvalidHeader
from ..headers import build_www_authenticate_basic, parse_authorization_basic
from ..http11 import Request, Response
from .serving import call

__all__ = [
    "CheckCredentials",
    "Credentials",
    "Unauthorized",
    "authenticate",
    "guard",
    "make_check",
]

#: A user name and a password.
Credentials = tuple[str, str]

#: A function, async or not, that tells whether they're right.
CheckCredentials = Callable[[str, str], Awaitable[bool] | bool]


class Unauthorized(InvalidHandshake):
    """
    A request without the right user name and password.

    Args:
        text: what the client should be told.

    """

    status = http.HTTPStatus.UNAUTHORIZED

    def challenge(self, realm: str) -> tuple[str, str]:
        """Return the header that asks for them, for what is being protected."""
        return "WWW-Authenticate", build_www_authenticate_basic(realm)


async def authenticate(headers: Headers, check: CheckCredentials) -> str:
    """
    Check the credentials in a handshake request.

    Args:
        headers: headers of the request.
        check: tells whether a user name and a password are right.

    Returns:
        The user name.

    Raises:
        Unauthorized: if they're missing or wrong.

    """
    try:
        authorization = headers["Authorization"]
    except LookupError:
        raise Unauthorized("Missing credentials\n") from None
    try:
        username, password = parse_authorization_basic(authorization)
    except InvalidHeader:
        raise Unauthorized("Unsupported credentials\n") from None
    if not await call(check, username, password):
        raise Unauthorized("Invalid credentials\n")
    return username


def guard(realm: str, check: CheckCredentials) -> Callable[..., Awaitable[Any]]:
    """
    Make a ``process_request`` hook that lets in who has credentials.

    Args:
        realm: what is being protected.
        check: tells whether a user name and a password are right.

    """

    async def process_request(connection: Any, request: Request) -> Response | None:
        try:
            connection.username = await authenticate(request.headers, check)
        except Unauthorized as exc:
            response: Response = connection.respond(exc.status, str(exc))
            name, value = exc.challenge(realm)
            response.headers[name] = value
            return response
        return None

    return process_request


def make_check(credentials: object) -> CheckCredentials:
    """
    Make a function that checks credentials.

    Args:
        credentials: a pair of user name and password, or several.

    Raises:
        TypeError: if it's neither.

    """
    # It takes a while to import, and most servers have no passwords.
    from hmac import compare_digest

    passwords = {
        username: password.encode()
        for username, password in _read_credentials(credentials)
    }

    def check(username: str, password: str) -> bool:
        expected = passwords.get(username, b"")
        # Compared for unknown names too, so that time tells nothing.
        same = compare_digest(expected, password.encode())
        return same and username in passwords

    return check


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
