"""Exchanges with websocket-client, which is a client without compression."""

from __future__ import annotations

import asyncio
from typing import Any

from . import import_peer
from .exchanges import (
    BINARY,
    LARGE,
    TEXT,
    PeerSendsFragments,
    PeerSendsPings,
)

websocket_client = import_peer("websocket", "websocket-client")
ABNF = websocket_client.ABNF


class TestWebsocketClientIsClient(PeerSendsFragments, PeerSendsPings):
    """It blocks, and so it runs in a thread; it doesn't compress."""

    async def run(self, uri: str, name: str, *arguments: str) -> Any:
        return await asyncio.to_thread(self.run_in_thread, uri, name, *arguments)

    def run_in_thread(self, uri: str, name: str, *arguments: str) -> Any:
        protocols = ["soap", "chat"] if name == "subprotocol" else None
        websocket = websocket_client.create_connection(
            uri, timeout=10, subprotocols=protocols
        )
        try:
            return getattr(self, name)(websocket, *arguments)
        finally:
            websocket.close()
            # After a close frame that came in, close() leaves the socket open.
            websocket.shutdown()

    def text(self, websocket: Any) -> Any:
        websocket.send(TEXT)
        return websocket.recv()

    def empty(self, websocket: Any) -> Any:
        websocket.send("")
        return websocket.recv()

    def binary(self, websocket: Any) -> Any:
        websocket.send_bytes(BINARY)
        return websocket.recv().hex()

    def large(self, websocket: Any) -> Any:
        websocket.send_bytes(LARGE)
        message = websocket.recv()
        return [len(message), message == LARGE]

    def fragments_from_us(self, websocket: Any) -> Any:
        websocket.send("/fragments one two three")
        return websocket.recv()

    def fragments_from_peer(self, websocket: Any) -> Any:
        fragments = [
            ("one ", ABNF.OPCODE_TEXT, 0),
            ("two ", ABNF.OPCODE_CONT, 0),
            ("three", ABNF.OPCODE_CONT, 1),
        ]
        for text, opcode, fin in fragments:
            frame = ABNF.create_frame(text.encode(), opcode, fin)
            websocket.send_frame(frame)
        return websocket.recv()

    def ping_from_us(self, websocket: Any) -> Any:
        websocket.send("/ping are you there?")
        return websocket.recv()

    def ping_from_peer(self, websocket: Any) -> Any:
        websocket.ping("are you there?")
        opcode, data = websocket.recv_data(control_frame=True)
        assert opcode == ABNF.OPCODE_PONG
        return data.decode()

    def subprotocol(self, websocket: Any) -> Any:
        return websocket.subprotocol

    def close_from_peer(self, websocket: Any, code: str, reason: str) -> Any:
        websocket.close(int(code), reason.encode())

    def close_from_us(self, websocket: Any, command: str) -> Any:
        websocket.send(command)
        opcode, data = websocket.recv_data(control_frame=True)
        assert opcode == ABNF.OPCODE_CLOSE
        return [int.from_bytes(data[:2], "big"), data[2:].decode()]
