"""picows' own interface: callbacks, frame by frame."""

from __future__ import annotations

import asyncio
from itertools import cycle

from harness import BREATH, CYCLE, MAX_SIZE, Options, Tally, WrongAnswerError, run
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

TEXT, BINARY, CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE


class Client(WSListener):
    """What the tasks share: messages, and the end."""

    def __init__(self, options: Options, tally: Tally) -> None:
        self.options = options
        self.tally = tally
        self.to_send = cycle(tally.messages)
        self.to_come = cycle(tally.messages)
        self.paused = False

    def end(self, transport: WSTransport) -> None:
        """Start the closing handshake."""
        transport.send_close(1000)

    def check(self, frame: WSFrame) -> None:
        """Compare a message with what must come."""
        if frame.get_payload_as_bytes() != next(self.to_come):
            raise WrongAnswerError("another message")

    def pause_writing(self) -> None:
        """Note it; the inherited method would log a warning."""
        self.paused = True

    def resume_writing(self) -> None:
        """Note it."""
        self.paused = False


class Echo(Client):
    """Keep messages in flight: for each echo, send another message."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send the first messages."""
        self.waiting = self.options.in_flight
        for _ in range(self.waiting):
            transport.send(BINARY, next(self.to_send))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check an echo, and send a message."""
        if frame.msg_type is BINARY:
            self.check(frame)
            self.tally.count += 1
            if not self.tally.over:
                transport.send(BINARY, next(self.to_send))
                return
            self.waiting -= 1
            if not self.waiting:
                self.end(transport)
        elif frame.msg_type is CLOSE:
            transport.disconnect()


class ReceiveFlood(Client):
    """Take what comes, which is what we sent at first, over and over."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send the messages that come back over and over."""
        self.closing = False
        for message in self.tally.messages:
            transport.send(BINARY, message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check a message."""
        if frame.msg_type is BINARY:
            self.check(frame)
            self.tally.count += 1
            if self.tally.over and not self.closing:
                self.closing = True
                self.end(transport)
        elif frame.msg_type is CLOSE:
            transport.disconnect()


class SendFlood(Client):
    """Send as fast as the server reads, which checks it all and says how many."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to send."""
        self.transport = transport
        self.sent = 0
        self.go_on()

    def go_on(self) -> None:
        """Send some messages, and more in the loop's next turn."""
        if self.tally.over:
            self.transport.send(TEXT, b"?")
            return
        send = self.transport.send
        for _ in range(BREATH // CYCLE):
            if self.paused:
                return
            for message in self.tally.messages:
                send(BINARY, message)
            self.sent += CYCLE
            self.tally.count += CYCLE
        asyncio.get_running_loop().call_soon(self.go_on)

    def resume_writing(self) -> None:
        """Go on, the buffer has drained."""
        super().resume_writing()
        asyncio.get_running_loop().call_soon(self.go_on)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check what the server has."""
        if frame.msg_type is TEXT:
            if frame.get_payload_as_bytes() != b"%d" % self.sent:
                raise WrongAnswerError("the server has another number of messages")
            self.end(transport)
        elif frame.msg_type is CLOSE:
            transport.disconnect()


CLIENTS = {"echo": Echo, "flood": ReceiveFlood, "sink": SendFlood}


async def program(options: Options, tally: Tally) -> None:
    """Connect, and let the callbacks do what is to be measured."""
    transport, _ = await ws_connect(
        lambda: CLIENTS[options.task](options, tally),
        options.uri,
        max_frame_size=MAX_SIZE,
    )
    await transport.wait_disconnected()
    if not tally.over:
        raise WrongAnswerError("the connection broke off")


if __name__ == "__main__":
    run(program)
