"""Floor 2, rules: the server's side of the opening handshake (RFC 6455, 4.2)."""

from __future__ import annotations

import binascii
import http
import logging
import re
from collections.abc import Callable, Sequence

from .client import check_upgrade, get_single
from .codes import Side, State
from .datastructures import Headers
from .dates import format_date
from .exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidOrigin,
    InvalidState,
    NegotiationError,
    SecurityError,
    forget_tracebacks,
)
from .extensions.base import Extension, ServerExtensionFactory
from .headers import (
    build_extension,
    loggable_value,
    parse_extension,
    parse_subprotocol,
)
from .hosts import SAME_ORIGIN, Hosts, check_host, is_same_origin
from .http11 import HandshakeReader, Request, Response
from .imports import lazy_import
from .protocol import MaxSize, Protocol
from .typing import (
    BytesLike,
    ExtensionHeader,
    LoggerLike,
    Origin,
    StatusLike,
    Subprotocol,
)
from .utils import accept_key

__all__ = ["ServerProtocol"]

#: What the ``origins`` arguments list: None stands for no Origin header.
Origins = Sequence["Origin | str | re.Pattern[str] | None"]

#: Bytes that a client may send before it has the response. An engine that stops
#: reading when the request has come never gets that many.
MAX_EARLY_DATA = 2**20

_VERSION = "Sec-WebSocket-Version"

# RFC 6455, 4.2.1: a resource name, or a whole URI. No fragment follows either.
_TARGET = re.compile(r"(?:/|[A-Za-z][A-Za-z0-9+.\-]*://)[^#]*+")

_BROWSER_HINT = (
    "\n\nYou cannot access a WebSocket server directly with a browser. "
    "You need a WebSocket client."
)


class ServerProtocol(Protocol):
    """
    Sans-I/O implementation of a WebSocket server connection.

    Args:
        origins: acceptable values of the Origin header: str, or compiled
            patterns that must match the whole value; None in it stands for no
            Origin header, :data:`~websockets.SAME_ORIGIN` for the Host header's
            host; None instead of it for any.
        hosts: acceptable values of the Host header: names with a port or, for any
            port, without, or compiled patterns that must match the whole value; None
            for any, even none.
        extensions: extensions that may be accepted.
        subprotocols: subprotocols that the server speaks, most wanted first.
        select_subprotocol: called with this protocol and the subprotocols that
            the client offers; returns one of them or None, or raises
            :exc:`NegotiationError`. None for the method of the same name.
        state: state to begin in.
        max_size: most bytes in a received message; None for no limit. A pair
            limits messages and frames.
        logger: logger for this connection; None for
            ``logging.getLogger("websockets.server")``.

    Attributes:
        origin: value of the Origin header that was accepted; None for none.

    """

    __slots__ = (
        "_early_data",
        "_handshake",
        "_judged",
        "_select_subprotocol",
        "available_extensions",
        "available_subprotocols",
        "hosts",
        "origin",
        "origins",
    )

    logger_name = "websockets.server"

    #: What the log says of a response that the application made by itself.
    answered = "HTTP response sent (%d %s)"

    def __init__(
        self,
        *,
        origins: Origins | None = None,
        hosts: Hosts | None = None,
        extensions: Sequence[ServerExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        select_subprotocol: (
            Callable[[ServerProtocol, Sequence[Subprotocol]], Subprotocol | None] | None
        ) = None,
        state: State = State.CONNECTING,
        max_size: MaxSize = 2**20,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(Side.SERVER, state=state, max_size=max_size, logger=logger)
        self.origins = origins
        self.hosts = hosts
        self.available_extensions = extensions
        self.available_subprotocols = subprotocols
        self._select_subprotocol = select_subprotocol
        self.origin: Origin | None = None
        # What only the handshake needs doesn't stay.
        self._handshake: HandshakeReader | None = HandshakeReader()
        self._early_data: bytearray | bytes = bytearray()
        self._judged = False

    # The request.

    def receive_handshake(self, data: BytesLike) -> None:
        """Take bytes of the handshake request, or what follows it."""
        if self.discarding:
            return
        if self._handshake is None:
            self._keep_early_data(data)
            return
        self._handshake.feed(data)
        self._read_request()

    def receive_handshake_eof(self) -> None:
        """Take the end of the stream."""
        if self._handshake is not None and not self.discarding:
            self._handshake.feed_eof()
            self._read_request()

    def _read_request(self) -> None:
        """Read the request if it is complete."""
        reader = self._handshake
        assert reader is not None
        try:
            request = reader.read_request()
        except EOFError as exc:
            self._fail_handshake(exc, answer=False)
            return
        except Exception as exc:
            self._fail_handshake(exc, answer=True)
            return
        if request is None:
            return
        if self.debug:
            self.logger.debug("< GET %s HTTP/1.1", request.path)
            for name, value in request.headers.raw_items():
                self.logger.debug("< %s: %s", name, loggable_value(name, value))
        if self.hosts is not None:
            try:
                check_host(request.headers, self.hosts, request.path)
            except InvalidHandshake as exc:
                self._fail_handshake(exc, answer=True)
                return
        self._events.append(request)
        self._handshake = None
        self._keep_early_data(reader.take_rest())

    def _keep_early_data(self, data: BytesLike) -> None:
        """Keep what comes before the response, as far as that is sensible."""
        if len(self._early_data) + len(data) > MAX_EARLY_DATA:
            error = SecurityError(
                f"more than {MAX_EARLY_DATA} bytes came before the response"
            )
            self._fail_handshake(error, answer=True)
        else:
            self._early_data += data

    def _fail_handshake(self, exc: Exception, *, answer: bool) -> None:
        """Refuse what isn't a request that we can read, or isn't for us."""
        error: InvalidHandshake
        if isinstance(exc, InvalidHeader):
            error = exc
        else:
            error = InvalidMessage("did not receive a valid HTTP request")
            error.__cause__ = exc
        if isinstance(exc, (EOFError, InvalidHandshake, ValueError)):
            forget_tracebacks(exc)
        self.handshake_exc = error
        if self._handshake is not None:
            self._handshake.forget()
            self._handshake = None
        if answer:
            refusal = exc if isinstance(exc, InvalidHandshake) else error
            response = self._reject_for(refusal)
            # A head that can't be read may be anything; say so once, and end.
            self.send_response(response)
        else:
            self.discard()
            self.send_eof()

    # The response.

    def accept(self, request: Request) -> Response:
        """
        Make the response to a handshake request (RFC 6455, 4.2.2).

        That is an acceptance, or a refusal if the request doesn't deserve one;
        why then stands in :attr:`handshake_exc`. Headers may be changed before
        :meth:`send_response` sends it.

        Args:
            request: the request, from :meth:`events_received`.

        """
        self._judged = True
        try:
            key, extensions = self.process_request(request)
        except InvalidHandshake as exc:
            forget_tracebacks(exc)
            request._exception = exc
            self.handshake_exc = exc
            return self._reject_for(exc)
        except Exception as exc:
            request._exception = exc
            self.handshake_exc = exc
            self.logger.error("opening handshake failed", exc_info=True)
            return self.reject(
                http.HTTPStatus.INTERNAL_SERVER_ERROR,
                "Failed to open a WebSocket connection.\n"
                "See server log for more information.\n",
            )
        headers = Headers._of_checked(
            [
                ("Date", format_date()),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", accept_key(key)),
            ]
        )
        if extensions:
            headers["Sec-WebSocket-Extensions"] = build_extension(extensions)
        if self.subprotocol is not None:
            headers["Sec-WebSocket-Protocol"] = self.subprotocol
        return Response(101, "Switching Protocols", headers)

    def process_request(self, request: Request) -> tuple[str, list[ExtensionHeader]]:
        """
        Judge a handshake request, and negotiate.

        Returns:
            Its Sec-WebSocket-Key, and the extensions to answer.

        Raises:
            InvalidHandshake: if it isn't acceptable.

        """
        headers = request.headers
        check_target(request.path)
        key = check_request(headers)
        self.origin = self.process_origin(headers)
        extensions, answer = self.process_extensions(headers)
        self.use_extensions(extensions)
        self.subprotocol = self.process_subprotocol(headers)
        return key, answer

    def process_origin(self, headers: Headers) -> Origin | None:
        """Return the Origin header if it is acceptable; see :attr:`origins`."""
        return check_origin(headers, self.origins)

    def process_extensions(
        self, headers: Headers
    ) -> tuple[list[Extension], list[ExtensionHeader]]:
        """Return the extensions to use, and what to answer about them."""
        return negotiate_extensions(headers, self.available_extensions)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Return the subprotocol to use; None for none."""
        return self.select_subprotocol(offered_subprotocols(headers))

    def select_subprotocol(
        self, subprotocols: Sequence[Subprotocol]
    ) -> Subprotocol | None:
        """
        Choose a subprotocol.

        Args:
            subprotocols: what the client offers.

        Returns:
            The first one of ours that it offers; None if we speak none.

        Raises:
            NegotiationError: if we speak some, and it offers none of them.

        """
        if self._select_subprotocol is not None:
            chosen = self._select_subprotocol(self, subprotocols)
            return check_choice(chosen, subprotocols)
        if not self.available_subprotocols:
            return None
        for name in self.available_subprotocols:
            if name in subprotocols:
                return Subprotocol(name)
        if not subprotocols:
            raise NegotiationError("missing subprotocol")
        raise NegotiationError(
            "invalid subprotocol; expected one of "
            + ", ".join(self.available_subprotocols)
        )

    def reject(self, status: StatusLike, text: str) -> Response:
        """
        Make a response that refuses the connection.

        Args:
            status: HTTP status.
            text: what a person should read; encoded to UTF-8. Bytes of the request
                that aren't ASCII, which headers have as surrogates, are escaped.

        """
        status = http.HTTPStatus(status)
        body = text.encode(errors="backslashreplace")
        headers = Headers()
        headers["Date"] = format_date()
        headers["Connection"] = "close"
        headers["Content-Length"] = str(len(body))
        headers["Content-Type"] = "text/plain; charset=utf-8"
        return Response(status.value, status.phrase, headers, body)

    def _reject_for(self, exc: InvalidHandshake) -> Response:
        """Make the response that tells a client what was wrong."""
        if self.debug:
            self.logger.debug("! invalid handshake request: %s", explain(exc))
        text = f"Failed to open a WebSocket connection: {explain(exc)}."
        if exc.status == http.HTTPStatus.UPGRADE_REQUIRED:
            text += _BROWSER_HINT
        response = self.reject(exc.status, text + "\n")
        if exc.status == http.HTTPStatus.UPGRADE_REQUIRED:
            # RFC 9110, 15.5.22.
            response.headers["Upgrade"] = "websocket"
        elif exc.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
            # RFC 9110, 15.5.6.
            response.headers["Allow"] = "GET"
        elif isinstance(exc, InvalidHeader) and exc.name == _VERSION:
            # RFC 6455, 4.4: a client may know other versions than that.
            response.headers[_VERSION] = "13"
        return response

    def send_response(self, response: Response) -> None:
        """
        Send the response to a handshake request.

        Args:
            response: what :meth:`accept` or :meth:`reject` returned. Status 101
                opens the connection; any other ends our stream.

        Raises:
            InvalidState: if the opening handshake is over.
            ValueError: if a header can't be sent as it is.

        """
        if self._state is not State.CONNECTING or self.eof_sent:
            raise InvalidState("opening handshake is over")
        data = response.serialize()
        if self.debug:
            code, phrase = response.status_code, response.reason_phrase
            self.logger.debug("> HTTP/1.1 %d %s", code, phrase)
            for name, value in response.headers.raw_items():
                self.logger.debug("> %s: %s", name, loggable_value(name, value))
            if response.body:
                self.logger.debug("> [body] (%d bytes)", len(response.body))
        self.unsent += len(data)
        self.writes.append(data)
        if response.status_code == 101:
            self.state = State.OPEN
            if self._logger.isEnabledFor(logging.INFO):
                # Else it needs no logger of its own.
                self.logger.info("connection open")
            early_data, self._early_data = self._early_data, b""
            self.open(early_data)
            return
        refused = self._judged or self.handshake_exc is not None
        self.logger.info(
            "connection rejected (%d %s)" if refused else self.answered,
            response.status_code,
            response.reason_phrase,
        )
        self.discard()
        # There may have been no more than a part of the request.
        self._handshake = None
        self._early_data = b""
        self.send_eof()


def check_choice(
    chosen: Subprotocol | None, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """
    Check what ``select_subprotocol`` chose.

    Raises:
        ValueError: if the client doesn't offer it.

    """
    # RFC 6455, 4.2.2: the server may only choose what was offered.
    if chosen is not None and chosen not in offered:
        raise ValueError(
            f"select_subprotocol returned {chosen!r}, which the client doesn't offer"
        )
    return chosen


def explain(exc: BaseException | None) -> str:
    """Say what went wrong, with its causes."""
    texts = []
    while exc is not None:
        texts.append(str(exc))
        exc = exc.__cause__
    return "; ".join(texts)


def check_target(target: str) -> None:
    """
    Check what a request asks for (RFC 6455, 4.2.1).

    Raises:
        InvalidMessage: if it is neither a resource name nor a whole URI.

    """
    if not _TARGET.fullmatch(target):
        raise InvalidMessage(f"invalid HTTP request target: {target}")


def check_request(headers: Headers) -> str:
    """
    Check what every handshake request must have (RFC 6455, 4.2.1).

    Returns:
        Its Sec-WebSocket-Key.

    Raises:
        InvalidHandshake: if something is missing or wrong.

    """
    # RFC 9112, 3.2. None at all may come from small devices and health checks.
    if len(headers.get_all("Host")) > 1:
        raise InvalidHeader("Host", "multiple values")
    check_upgrade(headers)
    key = get_single(headers, "Sec-WebSocket-Key").strip()
    try:
        raw_key = binascii.a2b_base64(key.encode(), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise InvalidHeaderValue("Sec-WebSocket-Key", key) from exc
    if len(raw_key) != 16:
        raise InvalidHeaderValue("Sec-WebSocket-Key", key)
    version = get_single(headers, _VERSION)
    if version.strip() != "13":
        raise InvalidHeaderValue(_VERSION, version)
    return key


def check_origin(headers: Headers, origins: Origins | None) -> Origin | None:
    """
    Check the Origin header (RFC 6455, 10.2).

    Args:
        headers: headers of the request.
        origins: what is acceptable; None for anything.

    Raises:
        InvalidOrigin: if it isn't acceptable.
        InvalidHeader: if there are several.

    """
    # Most clients that aren't browsers send none: no exception for those.
    origin = get_single(headers, "Origin") if "Origin" in headers else None
    if origins is not None and not any(
        _is_origin(origin, item, headers) for item in origins
    ):
        raise InvalidOrigin(origin)
    return None if origin is None else Origin(origin)


def _is_origin(
    origin: str | None, accepted: str | re.Pattern[str] | None, headers: Headers
) -> bool:
    if origin is None or accepted is None:
        return origin is accepted
    if isinstance(accepted, re.Pattern):
        return accepted.fullmatch(origin) is not None
    if accepted == SAME_ORIGIN:
        return is_same_origin(origin, headers)
    return origin == accepted


def negotiate_extensions(
    headers: Headers,
    available: Sequence[ServerExtensionFactory] | None,
) -> tuple[list[Extension], list[ExtensionHeader]]:
    """
    Choose extensions among those that the client offers (RFC 6455, 9.1).

    Args:
        headers: headers of the request.
        available: what the server can use.

    Returns:
        The extensions, and what to answer about them. Of several offers of the
        same extension, the first acceptable one counts.

    """
    accepted: list[Extension] = []
    answer: list[ExtensionHeader] = []
    if "Sec-WebSocket-Extensions" not in headers:
        return accepted, answer
    # RFC 6455, 9.1: what isn't well-formed is refused, even if nothing is accepted.
    for name, params in offered_extensions(headers):
        for factory in available or ():
            if factory.name != name:
                continue
            try:
                chosen, extension = factory.process_request_params(params, accepted)
            except NegotiationError:
                continue
            accepted.append(extension)
            answer.append((name, chosen))
            break
    return accepted, answer


def offered_extensions(headers: Headers) -> list[ExtensionHeader]:
    """Return the extensions that the client offers, in order."""
    return [
        item
        for value in headers.get_all("Sec-WebSocket-Extensions")
        for item in parse_extension(value)
    ]


def offered_subprotocols(headers: Headers) -> list[Subprotocol]:
    """Return the subprotocols that the client offers."""
    if "Sec-WebSocket-Protocol" not in headers:
        return []
    return [
        item
        for value in headers.get_all("Sec-WebSocket-Protocol")
        for item in parse_subprotocol(value)
    ]


# Addresses of the classic API; see imports.py.
lazy_import(
    globals(),
    aliases={
        "WebSocketServer": ".classic.server",
        "WebSocketServerProtocol": ".classic.server",
        "broadcast": ".classic.server",
        "serve": ".classic.server",
        "unix_serve": ".classic.server",
        "ServerConnection": ".server:ServerProtocol",
    },
)
