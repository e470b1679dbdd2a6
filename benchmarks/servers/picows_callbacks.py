"""Echo with picows' own interface: callbacks, frame by frame."""

from __future__ import annotations

import sys

from harness import MAX_SIZE, Options, Server, run
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

TEXT, BINARY, CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE


class Echo(WSListener):
    """Send every frame back; picows answers pings by itself.

    Written for picows' advantage: the type is read once and compared by identity,
    messages come first, and a copy of the payload costs less than a view of it.
    """

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Send a data frame back, or answer a closing one."""
        kind = frame.msg_type
        if kind is BINARY or kind is TEXT:
            transport.send(kind, frame.get_payload_as_bytes(), frame.fin)
        elif kind is CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def pause_writing(self) -> None:
        """Go on: the load generator bounds what is in flight.

        The inherited method does nothing but log a warning, which would be
        measured.
        """

    def resume_writing(self) -> None:
        """Go on, as above."""


def make_listener(request: WSUpgradeRequest) -> WSListener:
    """Make the listener of a connection."""
    return Echo()


async def start(options: Options) -> Server:
    """Start the server."""
    if options.compression is not None:
        sys.exit("picows' callbacks know no compression")
    return await ws_create_server(
        make_listener, options.host, 0, max_frame_size=MAX_SIZE
    )


if __name__ == "__main__":
    run(start)
