"""Floor 5, faces: how messages and the end of a connection are shown."""

from __future__ import annotations

import datetime
import json
import re

from ..codes import OK_CLOSE_CODES
from ..frames import Close
from ..typing import Data
from .style import Style, printable

__all__ = ["Formatter", "describe_close", "explain_close", "is_normal"]

#: What to make of a close code; RFC 6455, 7.4.1, says it for implementers.
_EXPLANATIONS = {
    1002: "one side broke the rules of the WebSocket protocol",
    1003: "a message was of a kind that the receiver doesn't take",
    1006: "the connection was lost: there was no closing handshake",
    1007: "a text message wasn't UTF-8",
    1008: "a message or the connection was against the receiver's rules",
    1009: "a message was larger than the receiver takes; see --max-size",
    1010: "the server lacks an extension that the client needs",
    1011: "the server failed; its log may say why",
    1012: "the server is restarting; try again",
    1013: "the server is overloaded; try again later",
    1014: "a gateway got no valid answer from the server behind it",
}

# The tokens of JSON text (RFC 8259); a string with a colon behind it is a key.
_JSON = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d[-+.\deE]*)|(?P<word>true|false|null)"
)


def is_normal(code: int | None) -> bool:
    """Tell whether a close code stands for a normal end."""
    return code in OK_CLOSE_CODES


def describe_close(code: int | None, reason: str | None) -> str:
    """Return the code, its name and the reason."""
    return printable(str(Close(code or 1006, reason or ""))).replace("\n", r"\n")


def explain_close(code: int | None) -> str:
    """Return what a close code tells; an empty text if its name says it all."""
    return _EXPLANATIONS.get(code or 1006, "")


class Formatter:
    """
    Makes text of messages.

    Args:
        style: paints it.
        pretty: whether JSON is indented.
        decorated: whether people read it: control characters are made visible,
            and it's told which messages are binary.
        timestamps: whether each message has the time before it.

    """

    def __init__(
        self,
        style: Style,
        *,
        pretty: bool = False,
        decorated: bool = False,
        timestamps: bool = False,
    ) -> None:
        self.style = style
        self.pretty = pretty
        self.decorated = decorated
        self.timestamps = timestamps

    def received(self, message: Data, now: datetime.datetime | None = None) -> str:
        """
        Return a message as it's shown.

        Args:
            message: the message.
            now: when it came; None for now.

        """
        before = ""
        if self.timestamps:
            now = now or datetime.datetime.now()
            before = self.style("status", now.strftime("[%H:%M:%S.%f")[:-3] + "]") + " "
        if self.decorated:
            before += self.style("received", "<") + " "
        return before + self._body(message)

    def _body(self, message: Data) -> str:
        if isinstance(message, bytes):
            mark = self.style("status", "(binary) ") if self.decorated else ""
            return mark + message.hex()
        if self.pretty and (indented := _indent(message)) is not None:
            text = printable(indented) if self.decorated else indented
            return self._paint(text) if self.style.coloured else text
        return printable(message) if self.decorated else message

    def _paint(self, text: str) -> str:
        return _JSON.sub(
            lambda match: self.style(match.lastgroup or "", match[0]), text
        )


def _indent(message: str) -> str | None:
    """Return JSON text over several lines; None if it isn't JSON."""
    try:
        return json.dumps(json.loads(message), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
