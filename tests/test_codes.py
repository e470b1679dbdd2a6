"""Numbers and their names (websockets.codes)."""

from __future__ import annotations

import pytest

from websockets.codes import (
    CLOSE_CODE_TEXTS,
    OK_CLOSE_CODES,
    WIRE_CLOSE_CODES,
    CloseCode,
    Opcode,
    Side,
    State,
    explain_close_code,
    is_wire_close_code,
)


def test_opcodes_of_the_rfc() -> None:
    assert {opcode.name: int(opcode) for opcode in Opcode} == {
        "CONT": 0,
        "TEXT": 1,
        "BINARY": 2,
        "CLOSE": 8,
        "PING": 9,
        "PONG": 10,
    }


def test_states_are_in_order() -> None:
    assert list(State) == [0, 1, 2, 3]
    assert State.CONNECTING < State.OPEN < State.CLOSING < State.CLOSED


def test_sides() -> None:
    assert (Side.SERVER, Side.CLIENT) == (0, 1)


def test_close_codes_of_the_registry() -> None:
    assert [int(code) for code in CloseCode] == [
        *(1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008),
        *(1009, 1010, 1011, 1012, 1013, 1014, 1015),
    ]


def test_every_close_code_is_explained() -> None:
    assert set(CLOSE_CODE_TEXTS) == set(CloseCode)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1000, "OK"),
        (1001, "going away"),
        (1005, "no status received [internal]"),
        (1006, "abnormal closure [internal]"),
        (1007, "invalid frame payload data"),
        (1011, "internal error"),
        (1014, "bad gateway"),
        (2999, "unknown"),
        (3000, "registered"),
        (3999, "registered"),
        (4000, "private use"),
        (4999, "private use"),
        (5000, "unknown"),
    ],
)
def test_explain_close_code(code: int, text: str) -> None:
    assert explain_close_code(code) == text


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_codes_that_travel(code: int) -> None:
    assert is_wire_close_code(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
def test_codes_that_do_not_travel(code: int) -> None:
    assert not is_wire_close_code(code)


def test_internal_codes_are_not_wire_codes() -> None:
    assert set(CloseCode) - WIRE_CLOSE_CODES == {1005, 1006, 1015}


def test_codes_that_mean_ok() -> None:
    assert {1000, 1001} <= OK_CLOSE_CODES
    assert not OK_CLOSE_CODES & {1002, 1006, 1011}
