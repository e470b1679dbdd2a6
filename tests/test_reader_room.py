"""Large payloads that are read into their place (websockets.reader)."""

from __future__ import annotations

from typing import Any

import pytest

from test_reader import KEY, Read, drain, frame, read_pieces
from websockets.reader import FrameReader


class TestReadingIntoPlace:
    """The rest of a large payload goes to its place, not through a buffer."""

    @staticmethod
    def read(data: bytes, size: int, **kwargs: Any) -> tuple[list[Read], int]:
        reader = FrameReader(**{"masked": False, **kwargs})
        frames: list[Read] = []
        in_place = 0
        while data:
            if reader.wants_room():
                room = reader.room()
                fits = min(size, len(room))
                piece, data = data[:fits], data[fits:]
                room[: len(piece)] = piece
                reader.fill(len(piece))
                in_place += len(piece)
                reader.feed(b"")
            else:
                piece, data = data[:size], data[size:]
                reader.feed(bytearray(piece), len(piece))
            frames += drain(reader)
            reader.settle()
        assert reader.unread == 0
        return frames, in_place

    @pytest.mark.parametrize("size", [1000, 65536, 150_000])
    @pytest.mark.parametrize("key", [None, KEY])
    @pytest.mark.parametrize("opcode", [1, 2])
    def test_the_same_frames(self, size: int, key: bytes | None, opcode: int) -> None:
        data = b"".join(
            [
                frame(0x80 | opcode, b"a" * 300_000, key),
                frame(0x89, b"ping", key),
                frame(opcode, b"b" * 70_000, key),
                frame(0x80, b"c" * 200_000, key),
                frame(0x82, b"", key),
            ]
        )
        frames, in_place = self.read(data, size, masked=key is not None)
        assert frames == read_pieces([data], masked=key is not None)[0]
        assert in_place >= 150_000

    def test_text_is_checked_as_it_comes(self) -> None:
        data = frame(0x81, b"a" * 150_000 + b"\xff" + b"a" * 150_000)
        reader = FrameReader(masked=False)
        reader.feed(data[:100_000])
        assert not reader.read_frame()
        room = reader.room()
        room[:60_000] = data[100_000:160_000]
        reader.fill(60_000)
        reader.feed(b"")
        with pytest.raises(UnicodeDecodeError):
            reader.read_frame()

    def test_what_is_dropped_wants_no_room(self) -> None:
        reader = FrameReader(masked=False)
        reader.feed(frame(0x82, b"a" * 300_000)[:100_000])
        assert not reader.read_frame()
        assert reader.wants_room()
        reader.drop()
        assert not reader.wants_room()
        assert reader.unread == 0

    def test_there_must_be_room(self) -> None:
        reader = FrameReader(masked=False)
        with pytest.raises(ValueError, match="there is no room"):
            reader.room()
        with pytest.raises(ValueError, match="there is no room"):
            reader.fill(1)
