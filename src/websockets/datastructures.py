"""Floor 0, words: HTTP headers as a mapping that keeps what it was given.

Nothing that could break out of its header line ever gets in: names and values are
checked as they are set, so whatever is inside can be written to the wire as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol, Self

__all__ = ["Headers", "HeadersLike", "MultipleValuesError", "pack"]

# RFC 9110, 5.6.2: token.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# RFC 9110, 5.5: field values are tabs, spaces, visible ASCII and obs-text. Obs-text
# is a latin-1 character, or a surrogate that stands for an undecodable byte. CR, LF
# and NUL are the dangerous ones; other control characters are no better.
_BAD_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff\udc80-\udcff]")

# The names of every handshake, checked and lowered once instead of each time.
_KNOWN_NAMES = {
    name: name.lower()
    for name in (
        "Authorization",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Date",
        "Host",
        "Origin",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Version",
        "Server",
        "Upgrade",
        "User-Agent",
    )
}


class MultipleValuesError(LookupError):
    """A header that was asked for as one value has several.

    Its text is the name's ``repr``, as a :exc:`KeyError`'s is.
    """

    def __str__(self) -> str:
        """Return the name, quoted."""
        return repr(self.args[0]) if len(self.args) == 1 else super().__str__()


def _check_name(name: str) -> str:
    """Return the name in lower case, or raise if it can't be a header's name."""
    if not isinstance(name, str):
        raise TypeError(f"header name must be a str; got {name!r}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"invalid header name: {name!r}")
    return name.lower()


def _check_value(name: str, value: object) -> str:
    """Return the value as text, or raise if it can't be a header's value."""
    if value is None or isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name} header must be a str; got {type(value).__name__}")
    # What a subclass holds, not what it shows itself as.
    text = str.__str__(value) if isinstance(value, str) else str(value)
    if bad := _BAD_IN_VALUE.search(text):
        raise ValueError(
            f"invalid {name} header: character {bad[0]!r} at {bad.start()} "
            "is not allowed"
        )
    return text


class Headers(MutableMapping[str, str]):
    """HTTP headers: case-insensitive, in order, several values to a name.

    ``headers[name] = value`` **adds** a value; delete the name first to replace
    what was there. ``headers[name]`` raises :exc:`MultipleValuesError` when there
    are several; :meth:`get_all` gives them all. Iterating gives each name once, in
    lower case; :meth:`raw_items` gives everything as it was written.

    Bytes that are not ASCII come from the network as surrogate escapes and go out
    as the same bytes. Latin-1 text is accepted on the way out.

    Args:
        args: at most one mapping, or iterable of pairs, or :class:`Headers`.
        kwargs: more headers, for names that are identifiers.

    Raises:
        ValueError: a name is not a token (RFC 9110, 5.6.2), or a value has a
            character that no header may have, such as a line break.
        TypeError: a name isn't a ``str``; a value is bytes or ``None``. Other
            values, such as integers, are turned into text.

    """

    __slots__ = ("_dict", "_list", "_text")

    # A connection keeps its headers as long as it lives. So these two aren't there
    # while headers are packed, and a name's only value stands in the first as it is.
    _dict: dict[str, str | list[str]]
    _list: list[tuple[str, str]]
    # All that packed headers have: a text, in which each ends with CRLF.
    _text: str

    def __init__(self, *args: HeadersLike, **kwargs: str) -> None:
        self._dict = {}
        self._list = []
        self.update(*args, **kwargs)

    @classmethod
    def _of_checked(cls, pairs: list[tuple[str, str]]) -> Self:
        """Make headers of pairs that are known to be good; the list is kept."""
        self = cls.__new__(cls)
        self._list = pairs
        values = self._dict = {}
        for name, value in pairs:
            lower = _KNOWN_NAMES.get(name) or name.lower()
            if lower in values:
                self._add_another(lower, value)
            else:
                values[lower] = value
        return self

    def _pack(self) -> None:
        """Take less room until the headers are used next."""
        self._text = "".join([f"{name}: {value}\r\n" for name, value in self._list])
        del self._list, self._dict

    def _unpack(self) -> None:
        """Undo :meth:`_pack`."""
        lines = self._text.split("\r\n")[:-1]
        pairs = [tuple(line.split(": ", 1)) for line in lines]
        unpacked = self._of_checked(pairs)  # type: ignore[arg-type]
        self._list, self._dict = unpacked._list, unpacked._dict
        del self._text

    if TYPE_CHECKING:
        pass  # With this method, they would find any attribute.
    else:

        def __getattr__(self, name):
            """Unpack the headers when they are used first."""
            if name not in ("_dict", "_list"):
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute {name!r}"
                )
            self._unpack()
            return getattr(self, name)

    def _add_another(self, lower: str, value: str) -> None:
        """Add a value under a name, in lower case, that has some already."""
        known = self._dict[lower]
        if isinstance(known, list):
            known.append(value)
        else:
            self._dict[lower] = [known, value]

    # Text and bytes

    def __str__(self) -> str:
        """Return the header block as text, with the empty line that ends it."""
        lines = [f"{name}: {value}\r\n" for name, value in self._list]
        return "".join(lines) + "\r\n"

    def __repr__(self) -> str:
        """Return an expression that makes equal headers."""
        return f"{type(self).__name__}({self._list!r})"

    def serialize(self) -> bytes:
        """Return the header block as bytes, with the empty line that ends it."""
        # Surrogates become the byte they stand for, the rest is latin-1.
        return str(self).encode("latin-1", "surrogateescape")

    # Copies

    def copy(self) -> Self:
        """Return headers of their own with the same content."""
        return type(self)._of_checked(self._list.copy())

    __copy__ = copy

    # What a mapping has

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a header of that name."""
        return isinstance(key, str) and key.lower() in self._dict

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, each once, in lower case."""
        return iter(self._dict)

    def __len__(self) -> int:
        """Return how many different names there are."""
        return len(self._dict)

    def __getitem__(self, key: str) -> str:
        """Return a header's only value.

        Raises:
            KeyError: there is no such header.
            MultipleValuesError: it has several values.

        """
        value = self._dict[key.lower()]
        if isinstance(value, list):
            raise MultipleValuesError(key)
        return value

    def __setitem__(self, key: str, value: str) -> None:
        """Add a value to a header; what it had before stays."""
        lower = _KNOWN_NAMES.get(key) or _check_name(key)
        # The common case without a regular expression.
        if type(value) is not str or not (value.isascii() and value.isprintable()):
            value = _check_value(key, value)
        if type(key) is not str:
            key = str.__str__(key)
        if lower in self._dict:
            self._add_another(lower, value)
        else:
            self._dict[lower] = value
        self._list.append((key, value))

    def __delitem__(self, key: str) -> None:
        """Remove all values of a header.

        Raises:
            KeyError: there is no such header.

        """
        lower = key.lower()
        del self._dict[lower]
        self._list = [item for item in self._list if item[0].lower() != lower]

    def __eq__(self, other: object) -> bool:
        """Compare names, whatever their case and order, and their values."""
        if not isinstance(other, Headers):
            return NotImplemented
        return self._dict == other._dict

    def clear(self) -> None:
        """Remove all headers."""
        self._dict = {}
        self._list = []

    def update(self, *args: HeadersLike, **kwargs: str) -> None:
        """Add values from a mapping, pairs or headers, and keyword arguments.

        As in ``headers[name] = value``, what was there before stays.

        Args:
            args: at most one mapping, or iterable of pairs, or :class:`Headers`.
            kwargs: more headers.

        """
        if len(args) > 1:
            raise TypeError(f"expected at most 1 argument, got {len(args)}")
        for source in args:
            for name, value in _pairs(source):
                self[name] = value
        for name, value in kwargs.items():
            self[name] = value

    extend = update

    # What only headers have

    def get_all(self, key: str) -> list[str]:
        """Return all values of a header, in order.

        Args:
            key: the header's name, in any case.

        Returns:
            a list of its own; empty when there is no such header.

        """
        values = self._dict.get(key.lower(), [])
        return values.copy() if isinstance(values, list) else [values]

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """Iterate over all names and values, in order and as they were written."""
        return iter(self._list)


def pack(headers: object) -> None:
    """Have headers take less room, by a few hundred bytes, until they are used."""
    # A subclass may have ideas of its own about attributes that aren't there.
    if type(headers) is Headers:
        headers._pack()


class SupportsKeysAndGetItem(Protocol):
    """What :class:`dict` takes for a mapping."""

    def keys(self) -> Iterable[str]:
        """Return the names."""
        ...

    def __getitem__(self, key: str, /) -> str:
        """Return a name's value."""
        ...


#: What can be given where headers are expected.
HeadersLike = (
    Headers | Mapping[str, str] | Iterable[tuple[str, str]] | SupportsKeysAndGetItem
)


def _pairs(source: Any) -> Iterable[tuple[str, str]]:
    """Return the names and values of anything that is like headers."""
    if isinstance(source, Headers):
        # A copy, for the case that headers are added to themselves.
        return list(source._list)
    if hasattr(source, "keys"):
        return [(name, source[name]) for name in source.keys()]  # noqa: SIM118
    return source  # type: ignore[no-any-return]
