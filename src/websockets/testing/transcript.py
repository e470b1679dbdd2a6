"""Floor 5, faces: what was said on a wire, as frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ..exceptions import WebSocketException
from ..extensions.permessage_deflate import PerMessageDeflate
from ..frames import Frame
from ..headers import parse_extension
from ..reader import FrameReader

__all__ = ["SentFrame", "Transcript"]

_SIDES = "client", "server"


@dataclasses.dataclass
class SentFrame(Frame):
    """
    A frame that was sent over a wire.

    Attributes:
        sender: who sent it: "client" or "server".
        at: when, in seconds since the wire was made.

    """

    sender: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        """Show when who sent what, as in logs."""
        return f"{self.at:.3f} {self.sender}: {super().__str__()}"


class _Side:
    """Reads what one side has said."""

    def __init__(self, sender: str) -> None:
        self.sender = sender
        self.decoder: PerMessageDeflate | None = None
        self._head: bytes | None = b""
        self._lost = False
        self._reader = FrameReader(masked=sender == "client", checks_text=False)
        # Whatever was negotiated, bits are shown rather than judged.
        self._reader.allow_reserved(0x70)

    def read_head(self, data: bytes) -> tuple[list[str], bytes]:
        """Return the lines of the handshake if they're complete, and the rest."""
        if self._head is None:
            return [], data
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return [], b""
        self._head = None
        return head.decode("latin-1").split("\r\n"), rest

    def read_frames(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete."""
        self._reader.feed(data)
        try:
            while not self._lost and self._reader.read_frame():
                yield self._decode(self._reader.take_frame())
        except WebSocketException:
            # It isn't a frame, and what follows can't be read.
            self._lost = True

    def _decode(self, frame: Frame) -> Frame:
        return frame if self.decoder is None else self.decoder.decode(frame)


class Transcript:
    """What both sides of a wire have said, in order."""

    def __init__(self) -> None:
        self._said: list[tuple[str, float, bytes]] = []

    def add(self, sender: str, at: float, data: bytes) -> None:
        """
        Note what was said.

        Args:
            sender: who said it: "client" or "server".
            at: when, in seconds since the wire was made.
            data: the bytes.

        """
        # What is left of the clock's own digits would only be in the way.
        self._said.append((sender, round(at, 6), data))

    def frames(self) -> list[SentFrame]:
        """Return the frames, in the order in which they were complete."""
        return [item for item in self._read() if isinstance(item, SentFrame)]

    def show(self) -> str:
        """Return all of it for people: requests and responses, and frames."""
        return "\n".join(map(str, self._read()))

    def _read(self) -> Iterator[str | SentFrame]:
        """Yield the lines of the handshake, and the frames."""
        sides = {sender: _Side(sender) for sender in _SIDES}
        for sender, at, data in self._said:
            lines, rest = sides[sender].read_head(data)
            if lines and sender == "server":
                sides["client"].decoder, sides["server"].decoder = _decoders(lines)
            for line in lines:
                yield f"{at:.3f} {sender}: {line}"
            for frame in sides[sender].read_frames(rest):
                yield SentFrame(**vars(frame), sender=sender, at=at)


def _decoders(
    lines: list[str],
) -> tuple[PerMessageDeflate | None, PerMessageDeflate | None]:
    """Return what decompresses messages of the client, and of the server."""
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "sec-websocket-extensions":
            for extension, params in parse_extension(value.strip()):
                if extension == PerMessageDeflate.name:
                    return _pair(dict(params))
    return None, None


def _pair(
    params: dict[str, str | None],
) -> tuple[PerMessageDeflate, PerMessageDeflate]:
    """Return decompressors for what a server answered (RFC 7692, 7.1)."""
    forgets = [f"{side}_no_context_takeover" in params for side in _SIDES]
    bits = [int(params.get(f"{side}_max_window_bits") or 15) for side in _SIDES]
    return (
        PerMessageDeflate(forgets[0], forgets[1], bits[0], bits[1]),
        PerMessageDeflate(forgets[1], forgets[0], bits[1], bits[0]),
    )
