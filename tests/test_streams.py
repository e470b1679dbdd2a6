"""The byte buffer for people who parse by hand (websockets.streams)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.streams import StreamReader


@pytest.fixture
def reader() -> StreamReader:
    return StreamReader()


def assert_waits(generator: Generator[None, None, Any]) -> None:
    assert next(generator) is None


def result(generator: Generator[None, None, Any]) -> Any:
    with pytest.raises(StopIteration) as info:
        next(generator)
    return info.value.value


class TestReadLine:
    def test_whole(self, reader: StreamReader) -> None:
        reader.feed_data(b"spam\neggs\n")
        assert result(reader.read_line(32)) == b"spam\n"
        assert result(reader.read_line()) == b"eggs\n"

    def test_byte_by_byte(self, reader: StreamReader) -> None:
        line = reader.read_line(32)
        for byte in b"spam":
            assert_waits(line)
            reader.feed_data(bytes([byte]))
        assert_waits(line)
        reader.feed_data(b"\neggs")
        assert result(line) == b"spam\n"
        assert result(reader.read_exact(4)) == b"eggs"

    def test_end_of_stream(self, reader: StreamReader) -> None:
        reader.feed_data(b"spam")
        reader.feed_eof()
        with pytest.raises(EOFError) as info:
            next(reader.read_line(32))
        assert str(info.value) == "stream ends after 4 bytes, before end of line"

    @pytest.mark.parametrize("data", [b"spammm", b"spamm\n"])
    def test_limit(self, data: bytes, reader: StreamReader) -> None:
        reader.feed_data(data)
        with pytest.raises(RuntimeError) as info:
            next(reader.read_line(5))
        assert str(info.value) == "read 6 bytes, expected no more than 5 bytes"

    def test_limit_counts_the_end(self, reader: StreamReader) -> None:
        reader.feed_data(b"spam\n")
        assert result(reader.read_line(5)) == b"spam\n"


class TestReadExact:
    def test_whole_with_tail(self, reader: StreamReader) -> None:
        reader.feed_data(b"spameggs")
        assert result(reader.read_exact(4)) == b"spam"
        assert result(reader.read_exact(0)) == b""
        assert result(reader.read_exact(4)) == b"eggs"

    def test_in_pieces(self, reader: StreamReader) -> None:
        data = reader.read_exact(4)
        reader.feed_data(b"spa")
        assert_waits(data)
        reader.feed_data(b"meggs")
        assert result(data) == b"spam"

    def test_end_of_stream(self, reader: StreamReader) -> None:
        reader.feed_data(b"spa")
        reader.feed_eof()
        with pytest.raises(EOFError) as info:
            next(reader.read_exact(4))
        assert str(info.value) == "stream ends after 3 bytes, expected 4 bytes"


class TestReadToEof:
    def test_in_pieces(self, reader: StreamReader) -> None:
        data = reader.read_to_eof(8)
        assert_waits(data)
        reader.feed_data(b"spam")
        assert_waits(data)
        reader.feed_data(b"eggs")
        reader.feed_eof()
        assert result(data) == b"spameggs"

    def test_nothing(self, reader: StreamReader) -> None:
        reader.feed_eof()
        assert result(reader.read_to_eof()) == b""

    def test_limit(self, reader: StreamReader) -> None:
        data = reader.read_to_eof(3)
        assert_waits(data)
        reader.feed_data(b"spam")
        with pytest.raises(RuntimeError) as info:
            next(data)
        assert str(info.value) == "read 4 bytes, expected no more than 3 bytes"


class TestAtEof:
    def test_data(self, reader: StreamReader) -> None:
        at_eof = reader.at_eof()
        assert_waits(at_eof)
        reader.feed_data(b"s")
        assert result(at_eof) is False

    def test_end(self, reader: StreamReader) -> None:
        at_eof = reader.at_eof()
        assert_waits(at_eof)
        reader.feed_eof()
        assert result(at_eof) is True

    def test_data_before_the_end(self, reader: StreamReader) -> None:
        reader.feed_data(b"s")
        reader.feed_eof()
        assert result(reader.at_eof()) is False


class TestFeeding:
    def test_anything_like_bytes(self, reader: StreamReader) -> None:
        data = bytearray(b"spam")
        reader.feed_data(data)
        data[:] = b"eggs"
        reader.feed_data(memoryview(data))
        assert result(reader.read_exact(8)) == b"spameggs"

    def test_after_the_end(self, reader: StreamReader) -> None:
        reader.feed_eof()
        with pytest.raises(EOFError, match="stream ended"):
            reader.feed_data(b"spam")
        with pytest.raises(EOFError, match="stream ended"):
            reader.feed_eof()

    def test_discard(self, reader: StreamReader) -> None:
        reader.feed_data(b"spam")
        reader.discard()
        reader.feed_data(b"eggs")
        assert result(reader.read_exact(4)) == b"eggs"


@given(st.binary(max_size=40).map(lambda data: data + b"\n"), st.integers(1, 9))
def test_lines_are_the_same_in_any_pieces(data: bytes, size: int) -> None:
    reader = StreamReader()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    lines = []
    for _ in range(data.count(b"\n")):
        line = reader.read_line(64)
        while True:
            try:
                next(line)
            except StopIteration as exc:
                lines.append(bytes(exc.value))
                break
            reader.feed_data(pieces.pop(0))
    assert lines == [line + b"\n" for line in data.split(b"\n")[:-1]]
