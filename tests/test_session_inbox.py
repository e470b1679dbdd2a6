"""Messages that wait to be received (websockets.session.inbox)."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.session.inbox import OVERHEAD, Fragments, Inbox


def fill(inbox: Inbox, number: int, size: int = 0) -> None:
    for _ in range(number):
        inbox.append(b"x" * size)


def cost(size: int) -> int:
    """Return what it costs to keep so many bytes."""
    return sys.getsizeof(bytes(size)) + OVERHEAD


def take(inbox: Inbox) -> str | bytes:
    message = inbox.popleft()
    return message.join() if isinstance(message, Fragments) else message


class TestMessages:
    def test_first_in_first_out(self) -> None:
        inbox = Inbox()
        for message in "a", b"b", "":
            inbox.append(message)
        assert [take(inbox) for _ in range(3)] == ["a", b"b", ""]
        assert not inbox.messages

    @pytest.mark.parametrize("parts", [["a", "", "é"], [b"a", b"", b"\xff"]])
    def test_parts(self, parts: list[Any]) -> None:
        inbox = Inbox()
        inbox.put_part(parts[0], last=False)
        inbox.put_part(parts[1], last=False)
        assert not inbox.messages
        assert inbox.partial is not None
        inbox.put_part(parts[2], last=True)
        assert inbox.partial is None
        assert take(inbox) == parts[0] + parts[1] + parts[2]

    def test_messages_between_parts(self) -> None:
        inbox = Inbox()
        inbox.put_part("a", last=False)
        inbox.append("b")
        inbox.put_part("c", last=True)
        inbox.put_part(b"d", last=True)
        assert [take(inbox) for _ in range(3)] == ["b", "ac", b"d"]

    def test_clear_drops_what_has_no_end(self) -> None:
        inbox = Inbox()
        inbox.append("a")
        inbox.put_part("b", last=False)
        inbox.clear()
        inbox.put_part("c", last=True)
        assert [take(inbox) for _ in range(2)] == ["a", "c"]

    def test_fragments(self) -> None:
        fragments = Fragments()
        assert fragments.size == 0
        fragments.add("ab")
        fragments.add("c")
        memory = sys.getsizeof("ab") + sys.getsizeof("c")
        assert fragments.size == len(fragments) == memory + 2 * 8
        assert fragments.join() == "abc"


class TestLimits:
    @pytest.mark.parametrize(
        "max_queue, high, low",
        [
            (32, 32, 8),
            (3, 3, 0),
            (0, 0, 0),
            (None, None, 0),
            ((16, 10), 16, 10),
            ((16, None), 16, 4),
            ((16, 0), 16, 0),
            ((None, None), None, 0),
        ],
    )
    def test_max_queue(self, max_queue: Any, high: int | None, low: int) -> None:
        inbox = Inbox(max_queue)
        assert (inbox.high, inbox.low) == (high, low)

    def test_size_counts_what_keeping_costs(self) -> None:
        inbox = Inbox()
        assert inbox.size() == 0
        inbox.append("abc")
        inbox.put_part(b"de", last=False)
        inbox.put_part(b"f", last=True)
        memory = sum(map(sys.getsizeof, ("abc", b"de", b"f"))) + 2 * 8
        # Plain, the garbage collector has something with each object.
        assert memory <= inbox.size() - 2 * OVERHEAD <= memory + 16

    @pytest.mark.parametrize("character, width", [("a", 1), ("ł", 2), ("😀", 4)])
    def test_what_counts_is_memory(self, character: str, width: int) -> None:
        inbox = Inbox(max_bytes=100_000)
        for _ in range(2):
            inbox.append(character * (50_000 // width - 400))
            assert not inbox.is_full()
        inbox.append(character * 800)
        assert inbox.is_full()

    @given(st.lists(st.text() | st.binary(), max_size=20), st.integers(0, 10_000))
    def test_looking_fast_gives_the_same(
        self, messages: list[str | bytes], max_bytes: int
    ) -> None:
        inbox = Inbox(None, max_bytes=max_bytes)
        for message in messages:
            inbox.append(message)
        if messages:
            assert inbox.is_full() is (inbox.size() > max_bytes)
            assert inbox.is_drained() is (inbox.size() <= max_bytes // 2)

    def test_number_of_messages(self) -> None:
        inbox = Inbox(4, reserve=0)
        fill(inbox, 4)
        assert not inbox.is_full()
        fill(inbox, 1)
        assert inbox.is_full()

    def test_reserve(self) -> None:
        # A few small messages more don't keep pings from being answered.
        inbox = Inbox(4, reserve=10 * cost(10))
        fill(inbox, 10, 10)
        assert not inbox.is_full()
        fill(inbox, 1, 0)
        assert inbox.is_full()

    def test_reserve_alone_does_not_count(self) -> None:
        inbox = Inbox(4, reserve=10)
        fill(inbox, 4, 1000)
        assert not inbox.is_full()

    def test_number_of_bytes(self) -> None:
        inbox = Inbox(None, max_bytes=2 * cost(500))
        fill(inbox, 2, 500)
        assert not inbox.is_full()
        fill(inbox, 1)
        assert inbox.is_full()
        # One message is enough if it's large.
        inbox = Inbox(max_bytes=1000)
        fill(inbox, 1, 1000)
        assert inbox.is_full()

    def test_no_number(self) -> None:
        inbox = Inbox(None, max_bytes=10**7, reserve=0)
        fill(inbox, 10_000)
        assert not inbox.is_full()

    def test_zero(self) -> None:
        inbox = Inbox(0, reserve=0)
        assert not inbox.is_full()
        assert inbox.is_drained()
        fill(inbox, 1)
        assert inbox.is_full()
        assert not inbox.is_drained()

    def test_empty_is_never_full(self) -> None:
        inbox = Inbox(0, max_bytes=0, reserve=0)
        assert not inbox.is_full()
        assert inbox.is_drained()

    def test_drained_by_number(self) -> None:
        inbox = Inbox((8, 3))
        fill(inbox, 9)
        while len(inbox.messages) > 3:
            assert not inbox.is_drained()
            take(inbox)
        assert inbox.is_drained()

    def test_drained_by_bytes(self) -> None:
        inbox = Inbox(None, max_bytes=2 * cost(400))
        fill(inbox, 3, 400)
        assert not inbox.is_drained()
        take(inbox)
        assert not inbox.is_drained()
        take(inbox)
        assert inbox.is_drained()

    def test_no_number_drains_by_bytes_alone(self) -> None:
        inbox = Inbox(None)
        fill(inbox, 100)
        assert inbox.is_drained()

    @given(
        st.lists(st.integers(0, 300), max_size=40),
        st.integers(0, 20) | st.none(),
        st.integers(1, 3000),
        st.integers(0, 3000),
    )
    def test_full_is_not_drained(
        self, sizes: list[int], high: int | None, max_bytes: int, reserve: int
    ) -> None:
        inbox = Inbox(high, max_bytes=max_bytes, reserve=reserve)
        for size in sizes:
            fill(inbox, 1, size)
            assert not (inbox.is_full() and inbox.is_drained())
        # Whatever waits, taking it all lets reading go on.
        while inbox.messages:
            take(inbox)
        assert inbox.is_drained()


def is_streamed(message: Any) -> bool:
    return type(message) is Fragments and message.streamed


class TestStreams:
    def test_parts_wait_one_by_one(self) -> None:
        inbox = Inbox()
        inbox.put_part("a", last=False)
        inbox.put_part("b", last=False)
        inbox.begin_stream()
        assert inbox.partial is None
        inbox.put_part("c", last=True)
        assert all(map(is_streamed, inbox.messages))
        assert [item.last for item in inbox.messages] == [False, False, True]  # type: ignore[union-attr]
        assert [take(inbox) for _ in range(3)] == ["a", "b", "c"]

    def test_parts_become_messages_again(self) -> None:
        inbox = Inbox()
        messages = inbox.messages
        inbox.begin_stream()
        for part, last in ("a", False), ("b", True), ("c", False):
            inbox.put_part(part, last)
        inbox.append("whole")
        inbox.end_stream()
        assert inbox.messages is messages
        assert [take(inbox) for _ in range(2)] == ["ab", "whole"]
        assert inbox.partial is not None
        inbox.put_part("d", last=True)
        assert take(inbox) == "cd"

    def test_the_rest_is_dropped(self) -> None:
        inbox = Inbox()
        inbox.begin_stream()
        for part, last in ("b", False), ("c", True), ("x", False), ("y", True):
            inbox.put_part(part, last)
        inbox.end_stream(drop=True)
        assert not inbox.skipping
        assert take(inbox) == "xy"

    def test_the_rest_that_has_not_come_is_dropped(self) -> None:
        inbox = Inbox()
        inbox.begin_stream()
        inbox.put_part("b", last=False)
        inbox.end_stream(drop=True)
        inbox.put_part("c", last=False)
        assert inbox.skipping
        inbox.put_part("d", last=True)
        assert not inbox.skipping
        assert not inbox.messages
        inbox.put_part("x", last=True)
        assert take(inbox) == "x"

    def test_a_large_message_that_has_no_end_yet(self) -> None:
        inbox = Inbox(max_bytes=sys.getsizeof(bytes(10)) + 8)
        inbox.put_part(bytes(10), last=False)
        assert not inbox.is_full()
        inbox.put_part(b"1", last=False)
        assert inbox.is_full()
        assert inbox.is_drained()
