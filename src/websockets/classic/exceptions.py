"""Floor 5, faces: errors that only the classic API raises or catches."""

from __future__ import annotations

import http

from ..datastructures import Headers, HeadersLike
from ..exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from ..http11 import Response
from ..redaction import hide_password
from ..typing import StatusLike

__all__ = ["AbortHandshake", "InvalidMessage", "InvalidStatusCode", "RedirectHandshake"]


def _phrase(status: int) -> str:
    """Return a status's reason phrase, or nothing when it isn't a known one."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


class InvalidStatusCode(InvalidStatus):
    """The server answered, and refused.

    This also is an :exc:`~websockets.exceptions.InvalidStatus`, whose ``response``
    has the same status and headers, without a body.

    Args:
        status_code: the HTTP status of the server's answer.
        headers: the headers of the server's answer.

    """

    def __init__(self, status_code: int, headers: Headers) -> None:
        super().__init__(Response(status_code, _phrase(status_code), headers))
        self.args = (status_code, headers)
        self.status_code = status_code
        self.headers = headers


class AbortHandshake(InvalidHandshake):
    """Raised in a server's hooks: answer with this HTTP response instead.

    Args:
        status: the HTTP status.
        headers: the headers.
        body: the body.

    """

    def __init__(
        self,
        status: StatusLike,
        headers: HeadersLike,
        body: bytes = b"",
    ) -> None:
        super().__init__(status, headers, body)
        # Not the class's here: the status is the caller's choice.
        self.status = status
        self.headers = Headers(headers)
        self.body = body

    def __str__(self) -> str:
        """Sum the response up."""
        headers = sum(1 for _ in self.headers.raw_items())
        size = len(self.body)
        return f"HTTP {self.status:d}, {headers} headers, {size} bytes"

    def __repr__(self) -> str:
        """Show the text: what the error was made with may have secrets."""
        return f"{type(self).__name__}({str(self)!r})"


class RedirectHandshake(InvalidHandshake):
    """The server redirects to another URI.

    Args:
        uri: where it redirects to.

    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.uri = uri

    def __str__(self) -> str:
        """Say where it redirects to."""
        return f"redirect to {hide_password(self.uri)}"

    def __repr__(self) -> str:
        """Show the text: what the error was made with may have secrets."""
        return f"{type(self).__name__}({str(self)!r})"
