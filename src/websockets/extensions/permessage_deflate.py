"""Floor 2, rules: compression of messages, "permessage-deflate" (RFC 7692).

:class:`PerMessageDeflate` is the extension as one connection uses it. Two factories
negotiate it, one for each side. The engine calls :meth:`~PerMessageDeflate.inflate`
and :meth:`~PerMessageDeflate.deflate`, which know nothing of frames; ``decode()``
and ``encode()`` do the same work on :class:`~websockets.frames.Frame` objects.

How it works. What was sent makes the next messages small; the module
:mod:`~websockets.extensions.deflate` sees to that. It may be forgotten whenever a
message is complete: the next one then doesn't refer to what was before. Each frame
ends at the end of a byte, so that the peer can show a fragment when it gets it.

An inflater lives as long as its message. Between messages there is only the end of
what was inflated, up to the size of the window, from which the next inflater is
primed. That costs a third of a microsecond for each message and buys three things:
an idle connection doesn't hold an inflater; a message that breaks off is always
noticed, since a closing block can be put behind it; and a block that is marked as
the final one, which ends an inflater, doesn't end the history.

A large message of one frame is inflated by a faster library where there is one. If
there is anything unusual about it, zlib begins anew and has the last word.
"""

from __future__ import annotations

import dataclasses
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..exceptions import (
    DuplicateParameter,
    InvalidParameterName,
    InvalidParameterValue,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
)
from ..frames import CONT, CTRL_OPCODES, Frame
from ..typing import BytesLike, ExtensionName, ExtensionParameter
from .base import ClientExtensionFactory, Extension, ServerExtensionFactory
from .deflate import (
    Deflater,
    find_inflater,
    find_library,
    inflate_stream,
    keep_end,
)

__all__ = [
    "ClientPerMessageDeflateFactory",
    "PerMessageDeflate",
    "ServerPerMessageDeflateFactory",
    "enable_client_permessage_deflate",
    "enable_server_permessage_deflate",
]

_NAME = ExtensionName("permessage-deflate")

# RFC 7692, 7.2.1: a sync flush ends in these bytes, which aren't sent.
_TAIL = b"\x00\x00\xff\xff"

# What is put behind a message, apart: an empty block marked as the final one. The
# message was complete if and only if the inflater takes it for that: it reports the
# end of its stream, and nothing comes out.
_FINAL = b"\x03\x00"

# RFC 7692, 7.2.3.6: a message without content, as a block without content.
_EMPTY = b"\x00"

# RFC 7692, 7.2.3.4, allows blocks marked as the final one, each of which needs a
# new inflater. No deflater makes more than one for each flush; this many in a frame
# would only be there to keep us busy.
_MAX_FINAL_BLOCKS = 256

# Limits from here on are none: zlib counts with a signed size.
_NO_LIMIT = sys.maxsize - 1


class PerMessageDeflate(Extension):
    """
    Compression of messages as one connection uses it (RFC 7692, 7.2).

    Args:
        remote_no_context_takeover: whether the peer forgets its history after each
            message.
        local_no_context_takeover: whether we forget ours.
        remote_max_window_bits: base-2 logarithm of the peer's window in bytes, 8
            to 15.
        local_max_window_bits: the same for our window.
        compress_settings: arguments for :func:`zlib.compressobj`: any of ``level``,
            ``memLevel`` and ``strategy``; None for zlib's defaults.
        library: what compresses large messages where the settings leave level and
            strategy open: "zlib", "isal", "zlib-ng", or "auto" for the best one that
            is installed; None for what the environment variable
            ``WEBSOCKETS_DEFLATE`` says, "auto" by default.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument isn't of the right type.
        ImportError: if the library isn't installed.

    Attributes:
        library: what compresses large messages: "zlib", "isal" or "zlib-ng". Where it
            isn't zlib, zlib-ng inflates those of one frame, if it is installed.
        decoder: the inflater; None outside of a message.
        decode_cont_data: whether :meth:`decode` is inside a compressed message.
        inflaters: how many the last frame took; more than one where it has blocks
            that are marked as the final one.

    """

    name = _NAME

    def __init__(
        self,
        remote_no_context_takeover: bool,
        local_no_context_takeover: bool,
        remote_max_window_bits: int,
        local_max_window_bits: int,
        compress_settings: Mapping[str, Any] | None = None,
        *,
        library: str | None = None,
    ) -> None:
        _check_bits("remote_max_window_bits", remote_max_window_bits)
        _check_bits("local_max_window_bits", local_max_window_bits)
        self.remote_no_context_takeover = remote_no_context_takeover
        self.local_no_context_takeover = local_no_context_takeover
        self.remote_max_window_bits = remote_max_window_bits
        self.local_max_window_bits = local_max_window_bits
        self.compress_settings = _check_settings(compress_settings)
        self.library = find_library(library)
        self._deflater: Deflater | None = None
        self.decoder: zlib._Decompress | None = None
        self.decode_cont_data = False
        self.inflaters = 0
        # The end of what was inflated, at least as much as the peer can refer to.
        self._history = bytearray()

    def __repr__(self) -> str:
        """Show what was agreed."""
        names = (
            "remote_no_context_takeover",
            "local_no_context_takeover",
            "remote_max_window_bits",
            "local_max_window_bits",
        )
        agreed = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"PerMessageDeflate({agreed})"

    @property
    def encoder(self) -> zlib._Compress | None:
        """zlib's deflater; None before it's needed and when it was dropped."""
        return None if self._deflater is None else self._deflater.encoder

    # Without frames.

    def deflate(self, data: BytesLike, fin: bool) -> bytes:
        """
        Compress a message or the next fragment of one (RFC 7692, 7.2.1).

        Args:
            data: its content.
            fin: whether the message ends here.

        Returns:
            The payload of its frame.

        """
        deflater = self._deflater
        if not len(data):
            if fin and deflater is not None:
                deflater.end_message()
            # We are at the beginning of a byte: all that was before is flushed.
            return _EMPTY if fin else b""
        if deflater is None:
            deflater = self._deflater = Deflater(
                self.local_max_window_bits,
                self.local_no_context_takeover,
                self.compress_settings,
                self.library,
            )
        return deflater.compress(data, fin)

    def inflate(self, data: bytes, fin: bool, max_size: int | None) -> bytes:
        """
        Decompress a message or the next fragment of one (RFC 7692, 7.2.2).

        Args:
            data: the payload of its frame.
            fin: whether the message ends here.
            max_size: most bytes that its content may have; None for no limit. Not
                more than one byte above it is ever inflated.

        Returns:
            Its content.

        Raises:
            PayloadTooBig: if the content is larger than ``max_size``.
            ProtocolError: if the payload isn't compressed data, or if the message
                breaks off. The extension can't be used for receiving any more.

        """
        self.inflaters = 1
        whole = fin and self.decoder is None
        if fin:
            data += _TAIL
        # For zlib, 0 is no limit. One byte more shows that there is more.
        limit = 0 if max_size is None or max_size >= _NO_LIMIT else max_size + 1
        if whole and (library := find_inflater(self.library, len(data))):
            message = self._inflate_at_once(library, data, limit)
            if message is not None:
                if 0 < limit <= len(message):
                    raise PayloadTooBig(None, max_size)
                return message
        decoder = self.decoder
        if decoder is None:
            decoder = self.decoder = self._make_decoder()
        try:
            content = decoder.decompress(data, limit)
            self._remember(content)
            if decoder.eof and decoder.unused_data:
                content = self._inflate_rest(content, decoder.unused_data, fin, limit)
            if 0 < limit <= len(content):
                raise PayloadTooBig(None, max_size)
            if fin:
                self._end_message()
        except zlib.error as exc:
            raise ProtocolError("decompression failed") from exc
        return content

    def drop_encoder(self) -> None:
        """
        Forget what was sent.

        Called when the peer's history isn't ours: it received something that we
        didn't compress here, or it doesn't receive something that we did.
        """
        self._deflater = None

    def release(self) -> None:
        """
        Free memory while the connection is idle.

        What must be kept is kept: an inflater in the middle of a message, and as
        much of what was received as the peer may still refer to. The next message
        that is sent compresses less, since it can't refer to earlier ones.
        """
        self._deflater = None
        self._history = self._history[-(1 << self.remote_max_window_bits) :]

    # On frames.

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """
        Decompress a received frame if its message is compressed.

        Args:
            frame: the frame as it came; it isn't changed.
            max_size: most bytes of content that it may have; None for no limit.

        Returns:
            The frame with its content, or ``frame`` itself if there's nothing to
            do: it is a control frame, or its message isn't compressed.

        Raises:
            PayloadTooBig: if the content is larger than ``max_size``.
            ProtocolError: if the payload isn't compressed data, or if RSV1 is set
                on another frame than the first one of a message.

        """
        # RFC 7692, 6: control frames aren't compressed, whatever is around them.
        if frame.opcode in CTRL_OPCODES:
            return frame
        if frame.opcode == CONT:
            if frame.rsv1:
                raise ProtocolError("reserved bits must be 0")
            compressed = self.decode_cont_data
        else:
            compressed = frame.rsv1
        self.decode_cont_data = compressed and not frame.fin
        if not compressed:
            return frame
        data = self.inflate(bytes(frame.data), frame.fin, max_size)
        return dataclasses.replace(frame, data=data, rsv1=False)

    def encode(self, frame: Frame) -> Frame:
        """
        Compress a frame to send unless it's a control frame.

        Args:
            frame: the frame to send; it isn't changed. All frames of a message
                must go through here, in order.

        Returns:
            The frame with its payload; RSV1 is set if it begins a message.

        """
        if frame.opcode in CTRL_OPCODES:
            return frame
        data = self.deflate(frame.data, frame.fin)
        # RFC 7692, 6: RSV1 is set on the first frame of a message only.
        return dataclasses.replace(frame, data=data, rsv1=frame.opcode != CONT)

    # Behind the scenes.

    def _make_decoder(self) -> zlib._Decompress:
        bits = self.remote_max_window_bits
        return zlib.decompressobj(wbits=-bits, zdict=self._history)

    def _inflate_at_once(self, library: Any, data: bytes, limit: int) -> bytes | None:
        """
        Inflate a whole message by a faster library.

        Args:
            library: a module with zlib's functions.
            data: the payload, and the end that isn't sent.
            limit: most bytes to inflate; 0 for no limit.

        Returns:
            Its content, up to the limit; None if zlib should look at it.

        """
        decoder = library.decompressobj(
            wbits=-self.remote_max_window_bits, zdict=self._history
        )
        try:
            content: bytes = decoder.decompress(data, limit)
            if not 0 < limit <= len(content) and (
                decoder.eof or decoder.decompress(_FINAL) or not decoder.eof
            ):
                return None
        except library.error:
            return None
        self._end_history(content)
        return content

    def _remember(self, content: bytes) -> None:
        """Keep as much of what was inflated as the peer can refer to."""
        window = 1 << self.remote_max_window_bits
        self._history = keep_end(self._history, content, window)

    def _end_history(self, content: bytes) -> None:
        """Keep what the peer may refer to after the end of a message."""
        if self.remote_no_context_takeover:
            self._history = bytearray()
        elif content:
            self._remember(content)

    def _end_message(self) -> None:
        """Check that the message is complete, and let go of its inflater."""
        decoder, self.decoder = self.decoder, None
        # A final block that isn't complete takes our bytes for its own.
        assert decoder is not None
        if decoder.eof or decoder.decompress(_FINAL) or not decoder.eof:
            raise ProtocolError("decompression failed: message breaks off")
        self._end_history(b"")

    def _inflate_rest(
        self, content: bytes, rest: bytes, fin: bool, limit: int
    ) -> bytes:
        """
        Go on after a block that is marked as the final one (RFC 7692, 7.2.3.4).

        Args:
            content: what the frame had up to there.
            rest: what it has after that block.
            fin: whether the message ends with it.
            limit: from how many bytes on the content is too big and no more is
                inflated; 0 for no limit.

        Returns:
            The whole content of the frame.

        """
        parts = [content]
        size = len(content)
        data = memoryview(rest)
        for _ in range(_MAX_FINAL_BLOCKS):
            if not data or 0 < limit <= size:
                return b"".join(parts)
            decoder = self.decoder = self._make_decoder()
            # Behind a final block there should be at least one that isn't, whose
            # end we added. Senders who forget it mean no harm.
            if fin and data == _TAIL:
                return b"".join(parts)
            self.inflaters += 1
            part, data = inflate_stream(decoder, data, limit and limit - size)
            self._remember(part)
            parts.append(part)
            size += len(part)
        raise ProtocolError("decompression failed: too many final blocks")


# Checking arguments.


def _check_bits(name: str, value: object, *others: object) -> None:
    """
    Check the size of a window.

    Args:
        name: of the argument, for the error.
        value: an int between 8 and 15, or one of ``others``.

    """
    if any(value is other for other in others):
        return
    if type(value) is not int:
        kind = type(value).__name__
        raise TypeError(f"{name} must be an int between 8 and 15, not {kind}")
    if not 8 <= value <= 15:
        raise ValueError(f"{name} must be between 8 and 15; got {value}")


# Arguments of zlib.compressobj() that are up to the user, and their ranges.
_SETTINGS = {
    "level": range(-1, 10),
    "memLevel": range(1, 10),
    "method": range(zlib.DEFLATED, zlib.DEFLATED + 1),
    "strategy": range(zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED + 1),
}


def _check_settings(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of compress_settings after checking it."""
    checked = dict(settings or {})
    for name, value in checked.items():
        allowed = _SETTINGS.get(name)
        if allowed is None:
            names = ", ".join(_SETTINGS)
            raise ValueError(f"compress_settings can have {names}; got {name!r}")
        if type(value) is not int:
            kind = type(value).__name__
            raise TypeError(f"{name} in compress_settings must be an int, not {kind}")
        if value not in allowed:
            raise ValueError(
                f"{name} in compress_settings must be between {allowed[0]} and "
                f"{allowed[-1]}; got {value}"
            )
    return checked


# Negotiation (RFC 7692, 7.1).

# RFC 7692, 7.1.2: a decimal integer without leading zeros, between 8 and 15.
_BITS: dict[str | None, int | bool] = {str(bits): bits for bits in range(8, 16)}


@dataclasses.dataclass
class _Parameters:
    """
    The four parameters, in an offer or in an answer.

    The sizes of windows are None when absent; the client's is True when it is there
    without a value.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | bool | None = None

    @classmethod
    def parse(
        cls, params: Iterable[ExtensionParameter], *, is_offer: bool
    ) -> _Parameters:
        """
        Read the parameters in a header.

        Args:
            params: their names and values.
            is_offer: whether they come from a client.

        Raises:
            InvalidParameterName: if there is no such parameter.
            DuplicateParameter: if one is there twice.
            InvalidParameterValue: if one has a value that it can't have.

        """
        values: dict[str, Any] = {}
        for name, value in params:
            if name not in _PARAMETERS:
                raise InvalidParameterName(name)
            if name in values:
                raise DuplicateParameter(name)
            allowed = _PARAMETERS[name]
            if name == "client_max_window_bits" and is_offer:
                # RFC 7692, 7.1.2.2: only in an offer may it be without a value.
                allowed = {None: True, **allowed}
            if value not in allowed:
                raise InvalidParameterValue(name, value)
            values[name] = allowed[value]
        return cls(**values)

    def build(self) -> list[ExtensionParameter]:
        """Return the names and values to put into a header."""
        params: list[ExtensionParameter] = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value:
                params.append((field.name, None if value is True else str(value)))
        return params


# What each parameter may have for a value, and what that means.
_PARAMETERS: dict[str, dict[str | None, int | bool]] = {
    "server_no_context_takeover": {None: True},
    "client_no_context_takeover": {None: True},
    "server_max_window_bits": _BITS,
    "client_max_window_bits": _BITS,
}


def _check_not_accepted(accepted_extensions: Sequence[Extension], error: str) -> None:
    """Check that messages aren't compressed already (RFC 7692, 5)."""
    if any(extension.name == _NAME for extension in accepted_extensions):
        raise NegotiationError(error)


class ClientPerMessageDeflateFactory(ClientExtensionFactory):
    """
    A client's side of negotiating compression.

    Args:
        server_no_context_takeover: whether the server must forget its history after
            each message.
        client_no_context_takeover: whether we forget ours.
        server_max_window_bits: base-2 logarithm of the largest window, in bytes,
            that the server may use, 8 to 15; None to leave it to the server.
        client_max_window_bits: the same for us: the largest window that we will
            use; True if the server may choose; None if it may not.
        compress_settings: arguments for :func:`zlib.compressobj`: any of ``level``,
            ``memLevel`` and ``strategy``; None for zlib's defaults.
        library: what compresses large messages; as for :class:`PerMessageDeflate`.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument isn't of the right type.
        ImportError: if the library isn't installed.

    """

    name = _NAME

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | bool | None = True,
        compress_settings: Mapping[str, Any] | None = None,
        *,
        library: str | None = None,
    ) -> None:
        _check_bits("server_max_window_bits", server_max_window_bits, None)
        _check_bits("client_max_window_bits", client_max_window_bits, None, True)
        self.server_no_context_takeover = server_no_context_takeover
        self.client_no_context_takeover = client_no_context_takeover
        self.server_max_window_bits = server_max_window_bits
        self.client_max_window_bits = client_max_window_bits
        self.compress_settings = _check_settings(compress_settings)
        self.library = find_library(library)

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """Return the parameters to offer in the handshake request."""
        return _Parameters(
            self.server_no_context_takeover,
            self.client_no_context_takeover,
            self.server_max_window_bits,
            self.client_max_window_bits,
        ).build()

    def process_response_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> PerMessageDeflate:
        """
        Take the parameters that the server answered.

        Args:
            params: the parameters in the handshake response.
            accepted_extensions: the extensions accepted before this one.

        Returns:
            The extension for this connection.

        Raises:
            NegotiationError: if the answer breaks a rule of RFC 7692, 7.1, or
                grants less than what was asked for.

        """
        _check_not_accepted(accepted_extensions, f"received duplicate {_NAME}")
        answer = _Parameters.parse(params, is_offer=False)
        # RFC 7692, 7.1.1.1: what we ask of the server, it must confirm. It may
        # forget its history without being asked.
        if self.server_no_context_takeover and not answer.server_no_context_takeover:
            raise NegotiationError("expected server_no_context_takeover")
        return PerMessageDeflate(
            remote_no_context_takeover=answer.server_no_context_takeover,
            # RFC 7692, 7.1.1.2: the server may ask this of us without our offer;
            # and we may do it without its answer.
            local_no_context_takeover=(
                self.client_no_context_takeover or answer.client_no_context_takeover
            ),
            remote_max_window_bits=self._get_server_bits(answer),
            local_max_window_bits=self._get_client_bits(answer),
            compress_settings=self.compress_settings,
            library=self.library,
        )

    def _get_server_bits(self, answer: _Parameters) -> int:
        """Return the size of the server's window (RFC 7692, 7.1.2.1)."""
        limit = self.server_max_window_bits
        bits = answer.server_max_window_bits
        if bits is None:
            if limit is not None:
                raise NegotiationError("expected server_max_window_bits")
            return 15
        # Without having been asked, the server may use a smaller window.
        if limit is not None and bits > limit:
            raise NegotiationError(
                f"expected server_max_window_bits of at most {limit}; got {bits}"
            )
        return bits

    def _get_client_bits(self, answer: _Parameters) -> int:
        """Return the size of our window (RFC 7692, 7.1.2.2)."""
        limit = self.client_max_window_bits
        bits = answer.client_max_window_bits
        if bits is None:
            return 15 if limit is None or limit is True else limit
        if limit is None:
            raise NegotiationError("unexpected client_max_window_bits")
        # RFC 7692, 7.2.2: our offer was a hint; what is smaller conforms too.
        return bits if limit is True else min(bits, limit)


class ServerPerMessageDeflateFactory(ServerExtensionFactory):
    """
    A server's side of negotiating compression.

    Args:
        server_no_context_takeover: whether we forget our history after each
            message, also where the client doesn't ask for it.
        client_no_context_takeover: whether the client must forget its history.
        server_max_window_bits: base-2 logarithm of the largest window, in bytes,
            that we will use, 8 to 15; None for as large as the client allows.
        client_max_window_bits: the same for clients, where they let us choose;
            None to leave it to the client.
        compress_settings: arguments for :func:`zlib.compressobj`: any of ``level``,
            ``memLevel`` and ``strategy``; None for zlib's defaults.
        require_client_max_window_bits: whether to do without compression where
            the client doesn't let us choose its window.
        library: what compresses large messages; as for :class:`PerMessageDeflate`.

    Raises:
        ValueError: if an argument is out of range, or if
            ``require_client_max_window_bits`` is set without
            ``client_max_window_bits``.
        TypeError: if an argument isn't of the right type.
        ImportError: if the library isn't installed.

    """

    name = _NAME

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        compress_settings: Mapping[str, Any] | None = None,
        require_client_max_window_bits: bool = False,
        *,
        library: str | None = None,
    ) -> None:
        _check_bits("server_max_window_bits", server_max_window_bits, None)
        _check_bits("client_max_window_bits", client_max_window_bits, None)
        if require_client_max_window_bits and client_max_window_bits is None:
            raise ValueError(
                "require_client_max_window_bits needs client_max_window_bits"
            )
        self.server_no_context_takeover = server_no_context_takeover
        self.client_no_context_takeover = client_no_context_takeover
        self.server_max_window_bits = server_max_window_bits
        self.client_max_window_bits = client_max_window_bits
        self.compress_settings = _check_settings(compress_settings)
        self.require_client_max_window_bits = require_client_max_window_bits
        self.library = find_library(library)

    def process_request_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """
        Take one offer of the client.

        Args:
            params: the parameters in the handshake request.
            accepted_extensions: the extensions accepted before this one.

        Returns:
            The parameters to answer, and the extension for this connection.

        Raises:
            NegotiationError: if the offer breaks a rule of RFC 7692, 7.1, or
                doesn't allow what is required here.

        """
        _check_not_accepted(accepted_extensions, f"skipped duplicate {_NAME}")
        offer = _Parameters.parse(params, is_offer=True)
        answer = _Parameters(
            # RFC 7692, 7.1.1: what the client asks for is granted; and either may
            # be in an answer without being in the offer.
            offer.server_no_context_takeover or self.server_no_context_takeover,
            offer.client_no_context_takeover or self.client_no_context_takeover,
            # RFC 7692, 7.1.2.1: the same goes for our window.
            _get_smaller(offer.server_max_window_bits, self.server_max_window_bits),
            self._choose_client_bits(offer.client_max_window_bits),
        )
        return answer.build(), PerMessageDeflate(
            remote_no_context_takeover=answer.client_no_context_takeover,
            local_no_context_takeover=answer.server_no_context_takeover,
            remote_max_window_bits=answer.client_max_window_bits or 15,
            local_max_window_bits=answer.server_max_window_bits or 15,
            compress_settings=self.compress_settings,
            library=self.library,
        )

    def _choose_client_bits(self, offered: int | bool | None) -> int | None:
        """Return the size of the client's window to answer (RFC 7692, 7.1.2.2)."""
        if offered is None:
            if self.require_client_max_window_bits:
                raise NegotiationError("required client_max_window_bits")
            # We may not ask a client for what it didn't offer.
            return None
        if offered is True:
            return self.client_max_window_bits
        return _get_smaller(offered, self.client_max_window_bits)


def _get_smaller(first: int | None, second: int | None) -> int | None:
    """Return the smaller size of a window; None is no limit."""
    return min(filter(None, (first, second)), default=None)


def enable_client_permessage_deflate(
    extensions: Sequence[ClientExtensionFactory] | None,
) -> list[ClientExtensionFactory]:
    """
    Offer compression unless the user does so already.

    Args:
        extensions: what the user wants to offer; None for nothing.

    Returns:
        The same with compression, last, in a new list.

    """
    factories = list(extensions or ())
    if all(factory.name != _NAME for factory in factories):
        factories.append(
            ClientPerMessageDeflateFactory(compress_settings={"memLevel": 5})
        )
    return factories


def enable_server_permessage_deflate(
    extensions: Sequence[ServerExtensionFactory] | None,
) -> list[ServerExtensionFactory]:
    """
    Accept compression unless the user does so already.

    Windows of 4 KiB compress most messages nearly as well as the largest ones, in
    an eighth of the memory.

    Args:
        extensions: what the user wants to accept; None for nothing.

    Returns:
        The same with compression, last, in a new list.

    """
    factories = list(extensions or ())
    if all(factory.name != _NAME for factory in factories):
        factories.append(
            ServerPerMessageDeflateFactory(
                server_max_window_bits=12,
                client_max_window_bits=12,
                compress_settings={"memLevel": 5},
            )
        )
    return factories
