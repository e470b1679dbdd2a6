"""Floor 0, words: addresses without their secrets, for error texts and logs."""

from __future__ import annotations

import re

__all__ = ["hide_password", "hide_user_info"]

# Linear: neither class can cross the "/" that begins a match.
_PASSWORD = re.compile(r"(//[^/?#@:]*:)[^/?#]*@")

# What comes before the last "@" of an address that has no path to speak of, with or
# without a scheme.
_USER_INFO = re.compile(r"^([a-zA-Z0-9+.\-]*://)?.*@", re.DOTALL)


def hide_password(uri: str) -> str:
    """Return a URI with its password, if any, made unreadable."""
    return _PASSWORD.sub(r"\1***@", str(uri), count=1)


def hide_user_info(address: str) -> str:
    """
    Return a proxy's address with user name and password, if any, made unreadable.

    Some proxies have the password in the place of the user name.
    """
    return _USER_INFO.sub(r"\1***@", str(address), count=1)
