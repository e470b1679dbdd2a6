"""What wires note can be read."""

from __future__ import annotations

import random
from typing import Any

import pytest

from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.testing import SentFrame, VirtualClock, pair, wire_of
from websockets.testing.transcript import Transcript

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
TEXT = Frame(Opcode.TEXT, b"hi")


def shown(*said: tuple[str, bytes]) -> list[str]:
    transcript = Transcript()
    for number, (sender, data) in enumerate(said):
        transcript.add(sender, number, data)
    return transcript.show().split("\n")


class TestShow:
    def test_all(self) -> None:
        assert shown(
            ("client", REQUEST),
            ("server", RESPONSE),
            ("client", TEXT.serialize(mask=True)),
            ("server", TEXT.serialize(mask=False)),
        ) == [
            "0.000 client: GET / HTTP/1.1",
            "0.000 client: Host: localhost",
            "1.000 server: HTTP/1.1 101 Switching Protocols",
            "1.000 server: Upgrade: websocket",
            "2.000 client: TEXT 'hi' [2 bytes]",
            "3.000 server: TEXT 'hi' [2 bytes]",
        ]

    def test_in_pieces(self) -> None:
        said = REQUEST + TEXT.serialize(mask=True)
        pieces = [("client", said[i : i + 1]) for i in range(len(said))]
        assert shown(*pieces) == [
            f"{len(REQUEST) - 1}.000 client: GET / HTTP/1.1",
            f"{len(REQUEST) - 1}.000 client: Host: localhost",
            f"{len(said) - 1}.000 client: TEXT 'hi' [2 bytes]",
        ]

    def test_at_once(self) -> None:
        assert shown(("server", RESPONSE + 2 * TEXT.serialize(mask=False)))[2:] == [
            "0.000 server: TEXT 'hi' [2 bytes]",
            "0.000 server: TEXT 'hi' [2 bytes]",
        ]

    def test_what_is_not_a_frame_ends_it(self) -> None:
        text = TEXT.serialize(mask=False)
        assert shown(
            ("server", RESPONSE + text + b"\x83\x00" + text),
            ("server", text),
        )[2:] == ["0.000 server: TEXT 'hi' [2 bytes]"]

    @pytest.mark.parametrize(
        "extensions",
        ["permessage-deflate", "x-other; a=1, permessage-deflate"],
    )
    def test_what_cannot_be_decompressed_ends_it(self, extensions: str) -> None:
        head = f"HTTP/1.1 101 OK\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"
        assert len(shown(("server", head.encode() + b"\xc1\x02\xff\xff"))) == 2

    def test_bits_of_other_extensions(self) -> None:
        head = b"HTTP/1.1 101 OK\r\nSec-WebSocket-Extensions: x-other\r\n\r\n"
        [frame] = shown(("server", head + b"\xc1\x02hi"))[2:]
        assert frame == "0.000 server: TEXT 68 69 [2 bytes, compressed]"


class TestFrames:
    async def test_when_and_who(self, clock: VirtualClock) -> None:
        async with pair() as (client, server):
            await clock.advance(1.5)
            await client.send(b"hi")
            await server.recv()
        assert "\n1.500 client: BINARY 68 69 [" in wire_of(client).transcript()
        frames = wire_of(client).frames()
        assert frames[0] == SentFrame(Opcode.BINARY, b"hi", sender="client", at=1.5)
        assert [(frame.sender, frame.opcode) for frame in frames[1:]] == [
            *[("client", Opcode.CLOSE), ("server", Opcode.CLOSE)],
        ]

    @pytest.mark.parametrize(
        "settings",
        [
            *[{}, {"server_no_context_takeover": True}],
            *[{"client_no_context_takeover": True}],
            *[{"server_max_window_bits": 9, "client_max_window_bits": 10}],
        ],
    )
    async def test_compressed_messages(self, settings: Any) -> None:
        # Each message refers to the one before, which isn't close.
        words = random.Random(1).randbytes(400).hex()
        messages = [f"{number} {words}" for number in range(10)]
        async with pair(
            client={
                "extensions": [
                    ClientPerMessageDeflateFactory(client_max_window_bits=True)
                ]
            },
            server={"extensions": [ServerPerMessageDeflateFactory(**settings)]},
        ) as (client, server):
            for message in messages:
                await client.send(message)
                await server.send(await server.recv())
                await client.recv()
        wire = wire_of(client)
        for sender in "client", "server":
            assert [
                bytes(frame.data).decode()
                for frame in wire.frames()
                if frame.sender == sender and frame.opcode is Opcode.TEXT
            ] == messages
        assert sum(len(data) for _, _, data in wire._transcript._said) < 12_000
