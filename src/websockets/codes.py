"""Floor 0, words: the numbers of RFC 6455 and what they are called.

Opcodes, close codes, connection states and sides, each as an ``IntEnum``; the
text that explains a close code; and the rule which close codes may travel on
the wire. Nothing here depends on anything else in the package.
"""

from __future__ import annotations

import enum

__all__ = ["CloseCode", "Opcode", "Side", "State"]


class Opcode(enum.IntEnum):
    """What a frame carries (RFC 6455, 5.2)."""

    CONT = 0x00
    TEXT = 0x01
    BINARY = 0x02
    CLOSE = 0x08
    PING = 0x09
    PONG = 0x0A


class CloseCode(enum.IntEnum):
    """Why a connection was closed (RFC 6455, 7.4, and the IANA registry)."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    # 1004 is reserved without a meaning.
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


class State(enum.IntEnum):
    """Where a connection is in its life (RFC 6455, 4.1, 7.1.3 and 7.1.4)."""

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class Side(enum.IntEnum):
    """Which of the two endpoints this is."""

    SERVER = 0
    CLIENT = 1


#: What each registered close code means, in the words users see in messages.
CLOSE_CODE_TEXTS: dict[int, str] = {
    CloseCode.NORMAL_CLOSURE: "OK",
    CloseCode.GOING_AWAY: "going away",
    CloseCode.PROTOCOL_ERROR: "protocol error",
    CloseCode.UNSUPPORTED_DATA: "unsupported data",
    CloseCode.NO_STATUS_RCVD: "no status received [internal]",
    CloseCode.ABNORMAL_CLOSURE: "abnormal closure [internal]",
    CloseCode.INVALID_DATA: "invalid frame payload data",
    CloseCode.POLICY_VIOLATION: "policy violation",
    CloseCode.MESSAGE_TOO_BIG: "message too big",
    CloseCode.MANDATORY_EXTENSION: "mandatory extension",
    CloseCode.INTERNAL_ERROR: "internal error",
    CloseCode.SERVICE_RESTART: "service restart",
    CloseCode.TRY_AGAIN_LATER: "try again later",
    CloseCode.BAD_GATEWAY: "bad gateway",
    CloseCode.TLS_HANDSHAKE: "TLS handshake failure [internal]",
}

# RFC 6455, 7.4.1: these stand for something that happened; no frame has them.
_INTERNAL_CODES = {
    CloseCode.NO_STATUS_RCVD,
    CloseCode.ABNORMAL_CLOSURE,
    CloseCode.TLS_HANDSHAKE,
}

#: The registered close codes that a close frame may carry.
WIRE_CLOSE_CODES: frozenset[int] = frozenset(
    int(code) for code in CloseCode if code not in _INTERNAL_CODES
)

#: The close codes that mean "all went well" to an application.
OK_CLOSE_CODES: frozenset[int] = frozenset(
    {
        int(CloseCode.NORMAL_CLOSURE),
        int(CloseCode.GOING_AWAY),
        int(CloseCode.NO_STATUS_RCVD),
    }
)


def is_wire_close_code(code: int) -> bool:
    """Tell whether a close frame may carry ``code`` (RFC 6455, 7.4.2)."""
    return code in WIRE_CLOSE_CODES or 3000 <= code < 5000


def explain_close_code(code: int) -> str:
    """Return the text that explains a close code, for messages and logs."""
    if (text := CLOSE_CODE_TEXTS.get(code)) is not None:
        return text
    # RFC 6455, 7.4.2: who may use which range.
    if 3000 <= code < 4000:
        return "registered"
    if 4000 <= code < 5000:
        return "private use"
    return "unknown"
