"""picows' own interface: callbacks, frame by frame.

Written for picows' advantage: the type is read once and compared by identity,
messages come first, and a copy of the payload costs less than a view of it.
"""

from __future__ import annotations

import asyncio
import sys

from harness import CYCLE, MAX_SIZE, Options, Server, run
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

TEXT, BINARY, CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE

#: Messages that a flood sends before it lets others run.
BREATH = 64


def answer_close(transport: WSTransport, frame: WSFrame) -> None:
    """Answer a closing frame; picows answers pings by itself."""
    transport.send_close(frame.get_close_code(), frame.get_close_message())
    transport.disconnect()


class Quiet(WSListener):
    """Go on when buffers are full: the load generator bounds what is in flight.

    The inherited methods do nothing but log a warning, which would be measured.
    """

    def pause_writing(self) -> None:
        """Go on."""

    def resume_writing(self) -> None:
        """Go on."""


class Echo(Quiet):
    """Send every frame back."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Send a data frame back, or answer a closing one."""
        kind = frame.msg_type
        if kind is BINARY or kind is TEXT:
            transport.send(kind, frame.get_payload_as_bytes(), frame.fin)
        elif kind is CLOSE:
            answer_close(transport, frame)


class Sink(Quiet):
    """Count messages and bytes; to a text, answer with the counts and the last one."""

    def __init__(self) -> None:
        self.count = self.size = 0
        self.last = b""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count a data frame, or answer another one."""
        kind = frame.msg_type
        if kind is BINARY:
            self.last = payload = frame.get_payload_as_bytes()
            self.count += 1
            self.size += len(payload)
        elif kind is TEXT:
            counts = b"%d %d " % (self.count, self.size)
            transport.send(BINARY, counts + self.last)
        elif kind is CLOSE:
            answer_close(transport, frame)


class Flood(WSListener):
    """Repeat the first messages until the client closes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.paused = self.closed = False

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Keep a message, or answer a closing frame."""
        kind = frame.msg_type
        if kind is BINARY:
            self.messages.append(frame.get_payload_as_bytes())
            if len(self.messages) == CYCLE:
                self.transport = transport
                self.go_on()
        elif kind is CLOSE:
            self.closed = True
            answer_close(transport, frame)

    def go_on(self) -> None:
        """Send some messages, and more in the loop's next turn."""
        send = self.transport.send
        for _ in range(BREATH // CYCLE):
            if self.paused or self.closed:
                return
            for message in self.messages:
                send(BINARY, message)
        asyncio.get_running_loop().call_soon(self.go_on)

    def pause_writing(self) -> None:
        """Stop until the buffer has drained."""
        self.paused = True

    def resume_writing(self) -> None:
        """Go on, the buffer has drained."""
        self.paused = False
        if not self.closed:
            asyncio.get_running_loop().call_soon(self.go_on)


transports: set[WSTransport] = set()


class Broadcast(Quiet):
    """Send each message to all connections."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Remember the connection."""
        transports.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the connection."""
        transports.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Send a data frame to all, or answer a closing one."""
        kind = frame.msg_type
        if kind is BINARY or kind is TEXT:
            payload = frame.get_payload_as_bytes()
            for each in transports:
                each.send(kind, payload)
        elif kind is CLOSE:
            transports.discard(transport)
            answer_close(transport, frame)


LISTENERS: dict[str, type[WSListener]] = {
    "echo": Echo,
    "sink": Sink,
    "flood": Flood,
    "broadcast": Broadcast,
}


async def start(options: Options) -> Server:
    """Start the server."""
    if options.compression is not None:
        sys.exit("picows' callbacks know no compression")
    listener = LISTENERS[options.task]

    def make_listener(request: WSUpgradeRequest) -> WSListener:
        return listener()

    return await ws_create_server(
        make_listener,
        options.host,
        0,
        ssl=options.tls,
        enable_auto_ping=options.ping_interval is not None,
        auto_ping_idle_timeout=options.ping_interval or 20,
        max_frame_size=MAX_SIZE,
    )


if __name__ == "__main__":
    run(start)
