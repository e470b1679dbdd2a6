"""Addresses without their secrets (websockets.redaction)."""

from __future__ import annotations

import pytest

from websockets.redaction import hide_password, hide_user_info


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("ws://user:secret@host:1/", "ws://user:***@host:1/"),
        ("ws://user:sec:r@t@host/", "ws://user:***@host/"),
        ("ws://user@host/", "ws://user@host/"),
        ("ws://host:80/a@b", "ws://host:80/a@b"),
        ("ws://host/?next=//user:secret@other", "ws://host/?next=//user:***@other"),
    ],
)
def test_passwords(uri: str, shown: str) -> None:
    assert hide_password(uri) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:secret@host:1", "http://***@host:1"),
        ("http://secret@host:1", "http://***@host:1"),
        ("user:secret@host:1", "***@host:1"),
        ("us er:\nsecret@host:1", "***@host:1"),
        ("http://host:1", "http://host:1"),
    ],
)
def test_addresses_of_proxies(address: str, shown: str) -> None:
    assert hide_user_info(address) == shown
