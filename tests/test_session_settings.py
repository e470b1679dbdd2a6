"""Settings, checked where they come in (websockets.session.settings)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from websockets.session.limits import Limits, Rate
from websockets.session.settings import Settings, check_max_size, make_settings

TIMES = ["open_timeout", "ping_interval", "ping_timeout", "close_timeout"]


class TestSettings:
    def test_defaults(self) -> None:
        settings = Settings()
        assert settings.open_timeout == settings.close_timeout == 10
        assert settings.ping_interval == settings.ping_timeout == 20
        assert settings.max_queue == 32
        assert settings.read_limit == settings.write_limit == 65536

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            Settings().read_limit = 1  # type: ignore[misc]

    @pytest.mark.parametrize("name", TIMES)
    @pytest.mark.parametrize("value", [None, 0, 1, 0.5, float("inf")])
    def test_time(self, name: str, value: float | None) -> None:
        assert getattr(Settings(**{name: value}), name) == value  # type: ignore

    @pytest.mark.parametrize("name", TIMES)
    @pytest.mark.parametrize(
        "value, kind", [("1", "str"), (True, "bool"), ([], "list")]
    )
    def test_time_of_wrong_type(self, name: str, value: Any, kind: str) -> None:
        with pytest.raises(TypeError) as info:
            Settings(**{name: value})
        assert str(info.value) == (
            f"{name} must be a number of seconds or None, not {kind}"
        )

    @pytest.mark.parametrize("name", TIMES)
    @pytest.mark.parametrize("value", [-1, -0.001, float("nan")])
    def test_negative_time(self, name: str, value: float) -> None:
        with pytest.raises(ValueError, match=f"^{name} must not be negative: {value}$"):
            Settings(**{name: value})  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["max_queue", "write_limit"])
    @pytest.mark.parametrize("value", [None, 0, 1, (4, 1), (4, None), (None, None)])
    def test_pair(self, name: str, value: Any) -> None:
        assert getattr(Settings(**{name: value}), name) == value

    @pytest.mark.parametrize("name", ["max_queue", "write_limit"])
    @pytest.mark.parametrize(
        "value, expected, text",
        [
            ("1", TypeError, "must be an int or None, not str"),
            (1.5, TypeError, "must be an int or None, not float"),
            (True, TypeError, "must be an int or None, not bool"),
            ((1, "2"), TypeError, "must be an int or None, not str"),
            (-1, ValueError, "must not be negative: -1"),
            ((1, -2), ValueError, "must not be negative: -2"),
            ((1, 2, 3), ValueError, "must be a number or a pair, not 3 values"),
            ((1,), ValueError, "must be a number or a pair, not 1 values"),
        ],
    )
    def test_wrong_pair(
        self, name: str, value: Any, expected: type[Exception], text: str
    ) -> None:
        with pytest.raises(expected) as info:
            Settings(**{name: value})
        assert str(info.value) == f"{name} {text}"

    def test_read_limit(self) -> None:
        assert Settings(read_limit=0).read_limit == 0
        with pytest.raises(
            TypeError, match="^read_limit must be an int, not NoneType$"
        ):
            Settings(read_limit=None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="^read_limit must be an int"):
            Settings(read_limit=(1, 2))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="^read_limit must not be negative: -1$"):
            Settings(read_limit=-1)


class TestMakeSettings:
    def test_same_values_same_object(self) -> None:
        settings = make_settings(ping_interval=1.0, max_queue=(3, 1))
        assert settings == Settings(ping_interval=1.0, max_queue=(3, 1))
        assert make_settings(ping_interval=1.0, max_queue=(3, 1)) is settings
        assert make_settings(ping_interval=2.0, max_queue=(3, 1)) is not settings

    def test_types_count(self) -> None:
        make_settings(max_queue=1)
        with pytest.raises(TypeError, match="max_queue must be an int"):
            make_settings(max_queue=1.0)
        with pytest.raises(TypeError, match="max_queue must be an int"):
            make_settings(max_queue=True)

    def test_value_that_cannot_be_hashed(self) -> None:
        with pytest.raises(
            TypeError, match="^max_queue must be an int or None, not list"
        ):
            make_settings(max_queue=[4, 1])

    def test_negative(self) -> None:
        with pytest.raises(ValueError, match="^read_limit must not be negative"):
            make_settings(read_limit=-1)


class TestCheckMaxSize:
    @pytest.mark.parametrize("value", [None, 0, 2**20, (5, None), (None, 5)])
    def test_right(self, value: Any) -> None:
        check_max_size(value)

    def test_wrong(self) -> None:
        with pytest.raises(
            TypeError, match="^max_size must be an int or None, not str$"
        ):
            check_max_size("1")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="^max_size must not be negative: -1$"):
            check_max_size((1, -1))


class TestLimitsSetting:
    def test_default(self) -> None:
        assert Settings().limits == Settings(limits=None).limits == Limits()  # type: ignore[arg-type]

    def test_given(self) -> None:
        limits = Limits(bytes=Rate(1000))
        assert make_settings(limits=limits).limits is limits

    def test_wrong_type(self) -> None:
        with pytest.raises(TypeError, match="^limits must be Limits or None, not int$"):
            make_settings(limits=5)
