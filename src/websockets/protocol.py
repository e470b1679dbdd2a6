"""Floor 2, rules: one connection without I/O (RFC 6455, sections 5 to 7).

:class:`Protocol` owns the state of a connection, its close codes, what was
negotiated for it, and the bytes to write. It answers pings and close frames by
itself, and never does I/O: bytes go in with :meth:`~Protocol.receive_data` and
come out of :meth:`~Protocol.data_to_send`. It reads no clock either: whoever
drives it decides how long to wait for what.

Two kinds of owners drive it. Frameworks that bring their own I/O use the public
methods, and get requests, responses and frames from
:meth:`~Protocol.events_received`. Our own engines keep a
:class:`~websockets.session.Session`, which reads frames from
:attr:`~Protocol.reader` and takes messages, so that no frame object is made on
the way; see the methods under "For sessions".

The opening handshake belongs to :class:`~websockets.client.ClientProtocol` and
:class:`~websockets.server.ServerProtocol`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .codes import OK_CLOSE_CODES, CloseCode, Opcode, Side, State
from .exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidState,
    PayloadTooBig,
    ProtocolError,
    WebSocketException,
    forget_tracebacks,
)
from .extensions.compression import Compressor
from .extensions.permessage_deflate import PerMessageDeflate
from .frames import (
    MAX_CONTROL_PAYLOAD,
    Close,
    Frame,
    build_header,
    check_payload_size,
    cut_reason,
    flatten,
)
from .http11 import Request, Response
from .imports import lazy_import
from .reader import MAX_FRAGMENTS, FrameReader
from .speedups import build_frame, build_masked_frame
from .typing import BytesLike, LoggerLike, Subprotocol
from .utils import generate_mask, get_logger, make_id

if TYPE_CHECKING:
    import uuid

    from .extensions.base import Extension

__all__ = ["SEND_EOF", "Protocol", "Side", "State"]

#: Stands in :meth:`Protocol.data_to_send` for the end of our stream.
SEND_EOF = b""

#: What :meth:`Protocol.events_received` gives.
Event = Request | Response | Frame

#: What the constructors take as ``max_size``: for messages, or a pair for
#: messages and for frames.
MaxSize = int | tuple[int | None, int | None] | None

CONNECTING, OPEN, CLOSING, CLOSED = State
SERVER, CLIENT = Side

_OPCODES = {int(opcode): opcode for opcode in Opcode}

# Payloads from here on travel beside their header instead of joined to it.
_LARGE = 65536


class Protocol:
    """
    Sans-I/O implementation of a WebSocket connection.

    Args:
        side: which endpoint this is.
        state: state to begin in.
        max_size: most bytes in a received message; None for no limit. A pair
            limits messages and frames; None stands for no limit in it too.
        logger: logger for this connection; None for
            ``logging.getLogger("websockets.protocol")``.

    Attributes:
        debug: whether the logger wants debug records; asked once.
        extensions: the negotiated extensions, in the order they apply to a
            frame to be sent.
        subprotocol: the negotiated subprotocol; None if there is none.
        handshake_exc: why the opening handshake failed; None if it didn't.
        parser_exc: what ended the reading of frames; None if nothing did.
        close_rcvd: the close frame received, if any.
        close_sent: the close frame sent, if any.
        close_rcvd_then_sent: whether the received one came first; None
            unless both exist.
        eof_sent: whether our stream has ended.
        reader: the frames to read.
        writes: the bytes to write, in order.
        unsent: how many they are, counting 14 bytes for each header.
        messages_sent: how many messages were written.
        emits_frames: whether frames become events; sessions set it to False
            and read them from ``reader``.
        inflaters: how many the last frame of an encoded message took.
        discarding: whether what is received is ignored from now on.
        hold_pongs: whether the peer doesn't read, so that pings get one pong
            in all, when it does again; see :meth:`release_pong`.

    """

    logger_name = "websockets.protocol"

    def __init__(
        self,
        side: Side,
        *,
        state: State = OPEN,
        max_size: MaxSize = 2**20,
        logger: LoggerLike | None = None,
    ) -> None:
        if logger is None:
            logger = get_logger(self.logger_name)
        self._logger = logger
        self._wrap_logger: Callable[[LoggerLike], LoggerLike] | None = None
        self.debug = logger.isEnabledFor(logging.DEBUG)
        self.side = side
        self._state = state
        self._id: uuid.UUID | None = None
        # What was negotiated.
        self.extensions: Sequence[Extension] = []
        self.subprotocol: Subprotocol | None = None
        self._compressor: Compressor | None = None
        # How things went.
        self.handshake_exc: Exception | None = None
        self.parser_exc: Exception | None = None
        self.close_rcvd: Close | None = None
        self.close_sent: Close | None = None
        self.close_rcvd_then_sent: bool | None = None
        # Reading.
        message_size, frame_size = (
            max_size if isinstance(max_size, tuple) else (max_size, None)
        )
        self.reader = FrameReader(
            masked=side is SERVER,
            max_size=message_size,
            max_frame_size=frame_size,
            max_fragments=MAX_FRAGMENTS,
        )
        self.inflaters = 1
        self.discarding = False
        self.emits_frames = True
        self._events: list[Event] = []
        self._held_pong: bytes | None = None
        self.hold_pongs = False
        # Writing.
        self.writes: list[BytesLike] = []
        self.eof_sent = False
        self._mask_frames = side is CLIENT
        self._writes_plainly = side is SERVER and not self.debug
        self._fragmenting = False
        self.unsent = self.messages_sent = 0

    # What is known of the connection.

    @property
    def logger(self) -> LoggerLike:
        """Logger of this connection."""
        if self._wrap_logger is not None:
            self._logger = self._wrap_logger(self._logger)
            self._wrap_logger = None
        return self._logger

    @logger.setter
    def logger(self, value: LoggerLike) -> None:
        self._wrap_logger = None
        self._logger = value

    def wrap_logger(self, wrap: Callable[[LoggerLike], LoggerLike] | None) -> None:
        """Have the logger wrapped, unless None, when it is used first."""
        self._wrap_logger = wrap

    @property
    def id(self) -> uuid.UUID:
        """Unique identifier of the connection, for logs."""
        if self._id is None:
            self._id = make_id()
        return self._id

    @id.setter
    def id(self, value: uuid.UUID) -> None:
        self._id = value

    @property
    def state(self) -> State:
        """
        State of the connection.

        Frameworks that do the opening handshake by themselves may assign it.
        """
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        if self.debug:
            self.logger.debug("= connection is %s", state.name)
        self._state = state

    @property
    def max_size(self) -> int | None:
        """Most bytes in a received message; None for no limit."""
        return self.reader.max_size

    @max_size.setter
    def max_size(self, value: int | None) -> None:
        self.reader.max_size = value

    @property
    def close_code(self) -> int | None:
        """
        Close code that was received (RFC 6455, 7.1.5).

        None until the connection is closed; 1005 if the close frame had none,
        1006 if there was no close frame.
        """
        if self._state is not CLOSED:
            return None
        if self.close_rcvd is None:
            return CloseCode.ABNORMAL_CLOSURE
        return self.close_rcvd.code

    @property
    def close_reason(self) -> str | None:
        """
        Close reason that was received (RFC 6455, 7.1.6).

        None until the connection is closed; empty if there was none.
        """
        if self._state is not CLOSED:
            return None
        return "" if self.close_rcvd is None else self.close_rcvd.reason

    @property
    def close_exc(self) -> ConnectionClosed:
        """
        Exception to raise where a closed connection is used.

        Raises:
            InvalidState: if the connection isn't closed yet.

        """
        if self._state is not CLOSED:
            raise InvalidState(
                f"connection isn't closed yet; it is {self._state.name.lower()}"
            )
        return self.closing_exc()

    def closing_exc(self) -> ConnectionClosed:
        """Return what :attr:`close_exc` is or, before the end, would be now."""
        rcvd, sent = self.close_rcvd, self.close_sent
        went_well = (
            self.parser_exc is None
            and rcvd is not None
            and sent is not None
            and rcvd.code in OK_CLOSE_CODES
            and sent.code in OK_CLOSE_CODES
        )
        exc_type = ConnectionClosedOK if went_well else ConnectionClosedError
        exc = exc_type(rcvd, sent, self.close_rcvd_then_sent)
        exc.__cause__ = self.parser_exc
        return exc

    def close_expected(self) -> bool:
        """
        Tell whether the TCP connection should end soon.

        Ask after every method that receives or sends. When the answer is True
        and the TCP connection isn't closed within a few seconds, close it.
        """
        if self._state is OPEN:
            return False
        if self._state is CONNECTING:
            # A server that refuses ends its stream.
            return self.handshake_exc is not None or self.eof_sent
        return True

    # Receiving, for frameworks.

    def receive_data(self, data: BytesLike) -> None:
        """
        Take bytes from the network.

        Whatever they contain, this doesn't raise: errors end the connection as
        RFC 6455 says. Afterwards call :meth:`data_to_send`, then
        :meth:`events_received`, then :meth:`close_expected`.

        Args:
            data: the bytes received; empty bytes change nothing.

        """
        if self._state is CONNECTING:
            self.receive_handshake(data)
        else:
            self._read_events(data)

    def receive_eof(self, keep_unread: bool = False) -> None:
        """
        Take the end of the stream from the network.

        It's fine to call this more than once. Afterwards call the same
        methods as after :meth:`receive_data`.

        Args:
            keep_unread: whether frames that were fed to :attr:`reader` and not
                read yet stay there.

        """
        if self._state is CLOSED:
            return
        if self.debug:
            self.logger.debug("< EOF")
        if self._state is CONNECTING:
            self.receive_handshake_eof()
        elif not keep_unread:
            self._lose()
        self.send_eof()
        self.state = CLOSED

    def events_received(self) -> list[Event]:
        """
        Return what was received since the last call.

        That is the handshake request or response first, and then frames.
        """
        events, self._events = self._events, []
        return events

    def _read_events(self, data: BytesLike) -> None:
        """Read frames from ``data`` and from what was left before it."""
        if self.discarding:
            return
        reader = self.reader
        reader.feed(data)
        try:
            while not self.discarding and reader.read_frame():
                frame = self._take_frame()
                if self.debug:
                    self.logger.debug("< %s", frame)
                self._events.append(frame)
                if reader.opcode > 7:
                    self.receive_control(reader.opcode, bytes(frame.data))
        except Exception as exc:
            self.fail_reading(exc)
        if not self.discarding:
            reader.settle()

    def _take_frame(self) -> Frame:
        """Make the frame that the reader has read into an object."""
        reader = self.reader
        frame = reader.take_frame()
        if reader.opcode > 7:
            return frame
        if self.extensions and reader.message_reserved:
            frame = self._decode_frame(frame)
        if reader.message_opcode == 1:
            # RFC 6455, 8.1: text that isn't UTF-8 fails the connection.
            reader.decode_text(bytes(frame.data))
        return frame

    def _decode_frame(self, frame: Frame) -> Frame:
        """Have the extensions decode a data frame of an encoded message."""
        reader = self.reader
        budget = reader.budget()
        try:
            for extension in reversed(self.extensions):
                frame = extension.decode(frame, max_size=budget)
            # Not every extension changes every frame.
            check_payload_size(len(frame.data), budget)
        except PayloadTooBig as exc:
            exc.set_current_size(reader.message_size or None)
            raise
        frame.check()
        reader.count(len(frame.data))
        return frame

    # Receiving, for sessions.

    def receive_handshake(self, data: BytesLike) -> None:
        """Take bytes of the opening handshake."""
        raise InvalidState(f"{type(self).__name__} has no opening handshake")

    def receive_handshake_eof(self) -> None:
        """Take the end of the stream during the opening handshake."""

    def open(self, early_data: BytesLike = b"") -> None:
        """
        Begin to exchange frames.

        Args:
            early_data: bytes that followed the opening handshake. A session
                reads them when it receives next, be it nothing.

        """
        if self._state is not OPEN:
            self.state = OPEN
        if early_data:
            self.reader.feed(early_data)
            self.reader.settle()
            if self.emits_frames:
                self._read_events(b"")

    def take_data(self) -> str | bytes:
        """
        Return the content of the data frame that :attr:`reader` has read.

        Returns:
            A str if the frame belongs to a text message, else bytes.

        Raises:
            ProtocolError: if the data can't be decompressed.
            PayloadTooBig: if the decompressed message is too big.
            UnicodeDecodeError: if the message can't be UTF-8.

        """
        reader = self.reader
        if not reader.message_reserved:
            if reader.message_opcode == 1:
                return reader.take_text()
            return reader.take_bytes()
        if self._compressor is None:
            data = bytes(self._decode_frame(reader.take_frame()).data)
        else:
            try:
                data = self._compressor.decompress(
                    reader.take_bytes(), reader.fin, reader.budget()
                )
                self.inflaters = self._compressor.deflate.inflaters
            except PayloadTooBig as exc:
                exc.set_current_size(reader.message_size or None)
                raise
            reader.count(len(data))
        if reader.message_opcode == 1:
            return reader.decode_text(data)
        return data

    def receive_control(self, opcode: int, data: bytes) -> None:
        """
        Act on a control frame (RFC 6455, 5.5).

        Raises:
            ProtocolError: if it is a close frame that breaks a rule.
            UnicodeDecodeError: if the close reason isn't UTF-8.

        """
        if opcode == 9:
            self._answer_ping(data)
        elif opcode == 8:
            self._receive_close(data)

    def _answer_ping(self, data: bytes) -> None:
        """Answer a ping. After our close frame too, until the peer's one comes."""
        # RFC 6455, 5.5.2. Behind the peer's close frame nothing is read.
        if self.hold_pongs:
            # RFC 6455, 5.5.3: only the most recent ping needs an answer. The
            # peer isn't reading; one pong is all that is kept for it.
            self._held_pong = data
        elif not self.eof_sent:
            self._write_control(10, data)

    def release_pong(self) -> None:
        """Send the pong that was held back while the peer didn't read."""
        self.hold_pongs = False
        # RFC 6455, 5.5.2: none is owed to who has sent a close frame.
        if not (self._held_pong is None or self.discarding or self.eof_sent):
            self._write_control(10, self._held_pong)
        self._held_pong = None

    def _receive_close(self, data: bytes) -> None:
        """Take part in the closing handshake (RFC 6455, 5.5.1 and 7.1)."""
        close = Close.parse(data)
        self.close_rcvd = close
        if self._state is CLOSING:
            self.close_rcvd_then_sent = False
        if self._state is OPEN:
            if self.reader.in_message:
                # RFC 6455, 5.5.1: a peer need not finish its message first.
                self.parser_exc = EOFError("close frame inside a fragmented message")
            # As above: answer with the code that was received.
            self.close_rcvd_then_sent = True
            self._write_close(close)
            self.state = CLOSING
        self.discard()
        if self.side is SERVER:
            # RFC 6455, 7.1.1: the server ends the TCP connection first.
            self.send_eof()

    def fail_reading(self, exc: Exception) -> None:
        """
        Fail the connection because of what was received (RFC 6455, 7.1.7).

        Args:
            exc: what went wrong; its class decides the close code.

        """
        self.parser_exc = exc
        if isinstance(exc, UnicodeDecodeError):
            reason = f"{exc.reason} at position {exc.start}"
            self.fail(CloseCode.INVALID_DATA, reason)
        elif isinstance(exc, WebSocketException):
            code = getattr(exc, "close_code", CloseCode.PROTOCOL_ERROR)
            self.fail(code, str(exc))
        else:
            self.logger.error("parser failed", exc_info=exc)
            self.fail(CloseCode.INTERNAL_ERROR)
        forget_tracebacks(exc)

    def _lose(self) -> None:
        """Note that the stream ended without a closing handshake."""
        unread = self.reader.unread
        if self.close_rcvd is None and (unread or self.reader.in_message):
            self.parser_exc = self.parser_exc or EOFError(
                f"stream ends after {unread} bytes, inside a frame"
                if unread
                else "stream ends inside a fragmented message"
            )
        self.discard()

    def discard(self) -> None:
        """Ignore whatever is received from now on."""
        self.discarding = True
        self.reader.drop()

    # Sending.

    def data_to_send(self) -> list[BytesLike]:
        """
        Return what must be written to the network now.

        :data:`SEND_EOF`, which is empty, stands for the end of our stream:
        half-close the TCP connection there, or close it where that can't be
        done. Write the rest as it is, in order.
        """
        writes, self.writes = self.writes, []
        self.unsent = 0
        return writes

    def send_text(self, data: BytesLike, fin: bool = True) -> None:
        """
        Send a text frame (RFC 6455, 5.6).

        Args:
            data: the text, encoded to UTF-8.
            fin: whether it is a whole message; False if continuation frames
                are going to follow.

        Raises:
            InvalidState: if the connection isn't open.
            ProtocolError: if a fragmented message isn't finished.

        """
        self._begin_message(fin)
        self.write_data(1, flatten(data), fin)

    def send_binary(self, data: BytesLike, fin: bool = True) -> None:
        """
        Send a binary frame (RFC 6455, 5.6).

        Args:
            data: the payload.
            fin: whether it is a whole message; False if continuation frames
                are going to follow.

        Raises:
            InvalidState: if the connection isn't open.
            ProtocolError: if a fragmented message isn't finished.

        """
        self._begin_message(fin)
        self.write_data(2, flatten(data), fin)

    def send_continuation(self, data: BytesLike, fin: bool) -> None:
        """
        Send a continuation frame (RFC 6455, 5.4).

        Args:
            data: the payload, of the same kind as in the message's first frame.
            fin: whether it is the last frame of the message.

        Raises:
            InvalidState: if the connection isn't open.
            ProtocolError: if there is no fragmented message to continue.

        """
        self._check_open()
        if not self._fragmenting:
            raise ProtocolError("unexpected continuation frame")
        self._fragmenting = not fin
        self.write_data(0, flatten(data), fin)

    def send_ping(self, data: BytesLike) -> None:
        """
        Send a ping (RFC 6455, 5.5.2).

        Args:
            data: the payload; at most 125 bytes.

        Raises:
            InvalidState: if the connection isn't open.
            ProtocolError: if there are more than 125 bytes.

        """
        self._check_open()
        self._write_control(9, data)

    def send_pong(self, data: BytesLike) -> None:
        """
        Send a pong (RFC 6455, 5.5.3). Pings are answered without it.

        Args:
            data: the payload; at most 125 bytes.

        Raises:
            InvalidState: if the connection isn't open.
            ProtocolError: if there are more than 125 bytes.

        """
        self._check_open()
        self._write_control(10, data)

    def send_close(self, code: CloseCode | int | None = None, reason: str = "") -> None:
        """
        Send a close frame and so start the closing handshake (RFC 6455, 7.1.2).

        Args:
            code: why; None to send no code.
            reason: an explanation for people; at most 123 bytes of UTF-8.

        Raises:
            InvalidState: if the connection isn't open.
            ProtocolError: if the code may not be sent, if the reason is too
                long, or if there is a reason without a code.

        """
        self._check_open()
        if code is None:
            if reason:
                raise ProtocolError("cannot send a reason without a code")
            close = Close(CloseCode.NO_STATUS_RCVD, "")
        else:
            close = Close(code, reason)
            close.check()
        self._write_close(close)
        self.state = CLOSING

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """
        Fail the connection (RFC 6455, 7.1.7).

        Nothing that comes afterwards is read. A failed connection tells the
        peer why as far as it still can, and ends its stream on a server.

        Args:
            code: the close code; 1006 to send no close frame.
            reason: an explanation for people; cut where it is too long.

        Raises:
            ProtocolError: if the code may not be sent.

        """
        if self._state is OPEN:
            if code != CloseCode.ABNORMAL_CLOSURE:
                close = Close(code, cut_reason(reason))
                close.check()
                self._write_close(close)
            self.state = CLOSING
        self.discard()
        if self.side is SERVER:
            self.send_eof()

    def send_eof(self) -> None:
        """End our stream; once is enough."""
        if not self.eof_sent:
            self.eof_sent = True
            if self.debug:
                self.logger.debug("> EOF")
            self.writes.append(SEND_EOF)

    # Sending, for sessions.

    def use_extensions(self, extensions: Sequence[Extension]) -> None:
        """Encode and decode data frames with these extensions from now on."""
        self.extensions = extensions
        self._compressor = None
        if len(extensions) == 1 and type(extensions[0]) is PerMessageDeflate:
            self._compressor = Compressor(extensions[0])
        self._writes_plainly = self.side is SERVER and not self.debug and not extensions
        if extensions:
            self.reader.allow_reserved(0x40 if self._compressor else 0x70)

    @property
    def compressor(self) -> Compressor | None:
        """What compresses messages; None if nothing or another extension does."""
        return self._compressor

    def write_data(self, opcode: int, data: BytesLike, fin: bool = True) -> None:
        """
        Write a data frame, compressed where that is agreed and worth it.

        The caller has checked that the connection is open and that the frame
        is in order.

        Args:
            opcode: 0, 1 or 2.
            data: the payload. It is copied unless it is bytes.
            fin: whether it is the last frame of its message.

        """
        self._write_data(opcode, data, fin)

    def _write_data(self, opcode: int, data: BytesLike, fin: bool) -> None:
        first = opcode
        if fin:
            first |= 0x80
            self.messages_sent += 1
        if self._writes_plainly:
            # What most servers do most of the time, without a detour.
            size = len(data)
            if size < _LARGE:
                self.unsent += size + 14
                self.writes.append(build_frame(first, data))
            else:
                self._write_frame(first, data)
            return
        if self.debug:
            self.logger.debug("> %s", Frame(_OPCODES[opcode], data, fin))
        if self._compressor is not None:
            data, compressed = self._compressor.compress(opcode, data, fin)
            if compressed and opcode:
                first |= 0x40
        elif self.extensions:
            frame = Frame(_OPCODES[opcode], data, fin)
            for extension in self.extensions:
                frame = extension.encode(frame)
            data = frame.data
            first = frame.first_byte()
        self._write_frame(first, data)

    def _write_frame(self, first: int, data: BytesLike) -> None:
        """Write a frame as it stands: its first byte and its payload."""
        size = len(data)
        self.unsent += size + 14
        if self._mask_frames:
            self.writes.append(build_masked_frame(first, data, generate_mask()))
        elif size < _LARGE:
            self.writes.append(build_frame(first, data))
        else:
            self.writes.append(build_header(first, size, None))
            # Transports keep what they can't write at once: nothing mutable.
            self.writes.append(data if type(data) is bytes else bytes(data))

    def _begin_message(self, fin: bool) -> None:
        """Check that a new message may begin, and note whether it goes on."""
        self._check_open()
        if self._fragmenting:
            raise ProtocolError("expected a continuation frame")
        self._fragmenting = not fin

    def _check_open(self) -> None:
        if self._state is not OPEN:
            raise InvalidState(f"connection is {self._state.name.lower()}")

    def _write_control(self, opcode: int, data: BytesLike) -> None:
        data = flatten(data)
        if len(data) > MAX_CONTROL_PAYLOAD:
            raise ProtocolError("control frame too long")
        if self.debug:
            self.logger.debug("> %s", Frame(_OPCODES[opcode], data))
        self._write_frame(0x80 | opcode, data)

    def _write_close(self, close: Close) -> None:
        """Write a close frame; a received one is answered by itself."""
        data = b"" if close.code == CloseCode.NO_STATUS_RCVD else close.serialize()
        self._write_control(8, data)
        self.close_sent = close


# The one upward look-up there is: addresses of the classic API.
lazy_import(
    globals(),
    aliases={
        "WebSocketCommonProtocol": ".classic.protocol",
        "broadcast": ".classic.protocol",
    },
)
