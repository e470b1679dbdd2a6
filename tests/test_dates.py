"""The date as HTTP writes it."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.dates import format_date


# RFC 9110, 5.6.7, has the first one.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1456790399.9, "Mon, 29 Feb 2016 23:59:59 GMT"),
        (253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_date_is_written_as_http_wants_it(seconds: float, text: str) -> None:
    assert format_date(seconds) == text


@given(st.integers(0, 253402300799))
def test_date_is_what_others_read_and_write(seconds: int) -> None:
    text = format_date(seconds)
    assert email.utils.parsedate_to_datetime(text).timestamp() == seconds
    assert email.utils.formatdate(seconds, usegmt=True) == text


def test_date_is_now_without_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    for now, shown in (784111777.9, "37"), (784111778.0, "38"), (784111777.0, "37"):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert format_date() == f"Sun, 06 Nov 1994 08:49:{shown} GMT"
