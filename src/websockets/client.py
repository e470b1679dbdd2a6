"""Floor 2, rules: the client's side of the opening handshake (RFC 6455, 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .codes import Side, State
from .datastructures import Headers, MultipleValuesError
from .exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidStatus,
    InvalidUpgrade,
    NegotiationError,
    forget_tracebacks,
)
from .extensions.base import ClientExtensionFactory, Extension
from .headers import (
    build_authorization_basic,
    build_extension,
    build_host,
    build_subprotocol,
    loggable_value,
    parse_connection,
    parse_extension,
    parse_subprotocol,
    parse_upgrade,
)
from .http11 import HandshakeReader, Request, Response
from .imports import lazy_import
from .protocol import MaxSize, Protocol
from .typing import (
    BytesLike,
    ConnectionOption,
    ExtensionHeader,
    LoggerLike,
    Origin,
    Subprotocol,
    UpgradeProtocol,
)
from .uri import WebSocketURI, parse_uri
from .utils import accept_key, generate_key

__all__ = ["ClientProtocol"]

_INTERIM = frozenset(range(100, 200)) - {101}


class ClientProtocol(Protocol):
    """
    Sans-I/O implementation of a WebSocket client connection.

    Args:
        uri: where to connect: a URI as a str or as :func:`parse_uri` returns
            it. ``wsuri`` is another name for it.
        origin: value of the Origin header; None to send none.
        extensions: extensions to offer, most wanted first.
        subprotocols: subprotocols to offer, most wanted first.
        state: state to begin in.
        max_size: most bytes in a received message; None for no limit. A pair
            limits messages and frames.
        logger: logger for this connection; None for
            ``logging.getLogger("websockets.client")``.

    Attributes:
        uri: where to connect.
        key: the Sec-WebSocket-Key of the request.

    """

    __slots__ = (
        "_handshake",
        "available_extensions",
        "available_subprotocols",
        "key",
        "origin",
        "uri",
    )

    logger_name = "websockets.client"

    def __init__(
        self,
        uri: WebSocketURI | str | None = None,
        *,
        origin: Origin | str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        state: State = State.CONNECTING,
        max_size: MaxSize = 2**20,
        logger: LoggerLike | None = None,
        wsuri: WebSocketURI | str | None = None,
    ) -> None:
        super().__init__(Side.CLIENT, state=state, max_size=max_size, logger=logger)
        uri = wsuri if uri is None else uri
        if uri is None:
            raise TypeError("uri is required")
        self.uri = parse_uri(uri) if isinstance(uri, str) else uri
        self.origin = origin
        self.available_extensions = extensions
        self.available_subprotocols = subprotocols
        self.key = generate_key()
        self._handshake: HandshakeReader | None = None

    @property
    def wsuri(self) -> WebSocketURI:
        """Another name for :attr:`uri`."""
        return self.uri

    # The request.

    def connect(self) -> Request:
        """
        Make the handshake request.

        Headers may be added to it before :meth:`send_request` sends it.
        """
        headers = Headers()
        uri = self.uri
        headers["Host"] = build_host(uri.host, uri.port, uri.secure)
        if uri.user_info:
            headers["Authorization"] = build_authorization_basic(*uri.user_info)
        if self.origin is not None:
            headers["Origin"] = self.origin
        headers["Upgrade"] = "websocket"
        headers["Connection"] = "Upgrade"
        headers["Sec-WebSocket-Key"] = self.key
        headers["Sec-WebSocket-Version"] = "13"
        if self.available_extensions:
            headers["Sec-WebSocket-Extensions"] = build_extension(
                [
                    (factory.name, list(factory.get_request_params()))
                    for factory in self.available_extensions
                ]
            )
        if self.available_subprotocols:
            # RFC 6455, 4.1: none is offered twice.
            names = dict.fromkeys(map(Subprotocol, self.available_subprotocols))
            headers["Sec-WebSocket-Protocol"] = build_subprotocol([*names])
        return Request(uri.resource_name, headers)

    def send_request(self, request: Request) -> None:
        """
        Send the handshake request.

        Args:
            request: what :meth:`connect` returned.

        Raises:
            ValueError: if a header can't be sent as it is.

        """
        data = request.serialize()
        if self.debug:
            self.logger.debug("> GET %s HTTP/1.1", request.path)
            for name, value in request.headers.raw_items():
                self.logger.debug("> %s: %s", name, loggable_value(name, value))
        self._handshake = HandshakeReader()
        self.unsent += len(data)
        self.writes.append(data)

    # The response.

    def receive_handshake(self, data: BytesLike) -> None:
        """Take bytes of the handshake response."""
        if self.discarding:
            return
        if self._handshake is None:
            self._handshake = HandshakeReader()
        self._handshake.feed(data)
        self._read_response()

    def receive_handshake_eof(self) -> None:
        """Take the end of the stream, which may end the response's body."""
        if self.discarding:
            return
        if self._handshake is None:
            self._handshake = HandshakeReader()
        self._handshake.feed_eof()
        self._read_response()

    def _read_response(self) -> None:
        """Read the response if it is complete, and judge it."""
        reader = self._handshake
        assert reader is not None
        try:
            response = reader.read_response()
            # RFC 9110, 15.2: other interim responses announce the final one.
            while response is not None and response.status_code in _INTERIM:
                response = reader.read_response()
        except Exception as exc:
            error = InvalidMessage("did not receive a valid HTTP response")
            error.__cause__ = exc
            self._refuse(error)
            return
        if response is None:
            return
        if self.debug:
            self._log_response(response)
        try:
            self.process_response(response)
        except Exception as exc:
            response._exception = exc
            self._events.append(response)
            self._refuse(exc)
            return
        self._events.append(response)
        self._handshake = None
        self.open(reader.take_rest())

    def _log_response(self, response: Response) -> None:
        code, phrase = response.status_code, response.reason_phrase
        self.logger.debug("< HTTP/1.1 %d %s", code, phrase)
        for name, value in response.headers.raw_items():
            self.logger.debug("< %s: %s", name, loggable_value(name, value))
        if response.body:
            self.logger.debug("< [body] (%d bytes)", len(response.body))

    def _refuse(self, exc: Exception) -> None:
        """The handshake failed: nothing that follows is of interest."""
        if self.debug:
            self.logger.debug("! invalid handshake response: %s", exc)
        if isinstance(exc, InvalidHandshake):
            forget_tracebacks(exc)
        self.handshake_exc = exc
        self._handshake = None
        self.discard()
        self.send_eof()

    def process_response(self, response: Response) -> None:
        """
        Judge the handshake response (RFC 6455, 4.1), and take what it says.

        Raises:
            InvalidHandshake: if it isn't acceptable.

        """
        if response.status_code != 101:
            raise InvalidStatus(response)
        headers = response.headers
        check_upgrade(headers)
        check_accept(headers, self.key)
        self.use_extensions(self.process_extensions(headers))
        self.subprotocol = self.process_subprotocol(headers)

    def process_extensions(self, headers: Headers) -> list[Extension]:
        """Return the extensions that the server accepted."""
        return accept_extensions(headers, self.available_extensions)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Return the subprotocol that the server chose; None for none."""
        return accept_subprotocol(headers, self.available_subprotocols)


_USUAL_CONNECTION = (["Upgrade"], ["upgrade"], ["keep-alive, Upgrade"])


def check_upgrade(headers: Headers) -> None:
    """
    Check that the peer speaks of upgrading to WebSocket (RFC 6455, 4.1, 4.2.1).

    Raises:
        InvalidUpgrade: if Connection or Upgrade doesn't say so.

    """
    if headers.get_all("Upgrade") == ["websocket"] and (
        headers.get_all("Connection") in _USUAL_CONNECTION
    ):
        # As nearly everyone writes it: nothing needs to be parsed.
        return
    options: list[ConnectionOption] = [
        option
        for value in headers.get_all("Connection")
        for option in parse_connection(value)
    ]
    if not any(option.lower() == "upgrade" for option in options):
        raise InvalidUpgrade(
            "Connection", ", ".join(options) if "Connection" in headers else None
        )
    upgrades: list[UpgradeProtocol] = [
        protocol
        for value in headers.get_all("Upgrade")
        for protocol in parse_upgrade(value)
    ]
    # RFC 6455, 4.2.1: "websocket", in any case. Some agents send it twice; any
    # other protocol beside it would leave open which one was meant.
    if not upgrades or {protocol.lower() for protocol in upgrades} != {"websocket"}:
        raise InvalidUpgrade(
            "Upgrade", ", ".join(upgrades) if "Upgrade" in headers else None
        )


def get_single(headers: Headers, name: str) -> str:
    """
    Return the value of a header that must be there once.

    Raises:
        InvalidHeader: if it isn't there, or several times.

    """
    try:
        return headers[name]
    except KeyError:
        raise InvalidHeader(name) from None
    except MultipleValuesError:
        raise InvalidHeader(name, "multiple values") from None


def check_accept(headers: Headers, key: str) -> None:
    """
    Check that the response answers our request (RFC 6455, 4.1).

    Raises:
        InvalidHeader: if Sec-WebSocket-Accept is missing, double or wrong.

    """
    accept = get_single(headers, "Sec-WebSocket-Accept")
    if accept.strip() != accept_key(key):
        raise InvalidHeaderValue("Sec-WebSocket-Accept", accept)


def accept_extensions(
    headers: Headers,
    available: Sequence[ClientExtensionFactory] | None,
) -> list[Extension]:
    """
    Match the extensions in a response with those that were offered.

    Args:
        headers: headers of the response.
        available: what was offered.

    Raises:
        NegotiationError: if one wasn't offered, or not with these parameters.

    """
    accepted: list[Extension] = []
    values = headers.get_all("Sec-WebSocket-Extensions")
    if not values:
        return accepted
    if not available:
        raise NegotiationError("no extensions supported")
    listed: list[ExtensionHeader] = [
        item for value in values for item in parse_extension(value)
    ]
    for name, params in listed:
        accepted.append(_accept_extension(name, params, available, accepted))
    return accepted


def _accept_extension(
    name: str,
    params: list[Any],
    available: Sequence[ClientExtensionFactory],
    accepted: list[Extension],
) -> Extension:
    """Find the offer that one extension in a response answers."""
    reason: NegotiationError | None = None
    for factory in available:
        if factory.name != name:
            continue
        try:
            return factory.process_response_params(params, accepted)
        except NegotiationError as exc:
            reason = exc
    raise NegotiationError(
        f"Unsupported extension: name = {name}, params = {params}"
    ) from reason


def accept_subprotocol(
    headers: Headers,
    available: Sequence[Subprotocol | str] | None,
) -> Subprotocol | None:
    """
    Match the subprotocol in a response with those that were offered.

    Args:
        headers: headers of the response.
        available: what was offered.

    Raises:
        NegotiationError: if it wasn't offered.
        InvalidHeader: if there are several.

    """
    values = headers.get_all("Sec-WebSocket-Protocol")
    if not values:
        return None
    if not available:
        raise NegotiationError("no subprotocols supported")
    listed = [item for value in values for item in parse_subprotocol(value)]
    if len(listed) > 1:
        raise InvalidHeader(
            "Sec-WebSocket-Protocol", f"multiple values: {', '.join(listed)}"
        )
    if listed[0] not in available:
        raise NegotiationError(f"unsupported subprotocol: {listed[0]}")
    return listed[0]


# Addresses of the classic API; see imports.py.
lazy_import(
    globals(),
    aliases={
        "WebSocketClientProtocol": ".classic.client",
        "connect": ".classic.client",
        "unix_connect": ".classic.client",
        "ClientConnection": ".client:ClientProtocol",
    },
)
