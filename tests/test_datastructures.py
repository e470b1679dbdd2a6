"""HTTP headers (websockets.datastructures)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.datastructures import Headers, MultipleValuesError, pack


@pytest.fixture
def headers() -> Headers:
    return Headers([("Connection", "Upgrade"), ("Server", "a"), ("server", "b")])


class TestMaking:
    @pytest.mark.parametrize(
        "source",
        [
            {"A": "1", "B": "2"},
            [("A", "1"), ("B", "2")],
            iter([("A", "1"), ("B", "2")]),
            Headers(A="1", B="2"),
        ],
    )
    def test_from_anything_like_headers(self, source: object) -> None:
        made = Headers(source)  # type: ignore[arg-type]
        assert list(made.raw_items()) == [("A", "1"), ("B", "2")]

    def test_from_an_object_with_keys(self) -> None:
        class Source:
            def keys(self) -> Iterator[str]:
                return iter(["A"])

            def __getitem__(self, key: str) -> str:
                return key.lower()

        assert list(Headers(Source()).raw_items()) == [("A", "a")]

    def test_from_both_kinds_of_arguments(self) -> None:
        made = Headers({"A": "1"}, A="2")
        assert made.get_all("A") == ["1", "2"]

    def test_from_nothing(self) -> None:
        assert len(Headers()) == 0

    def test_from_too_much(self) -> None:
        with pytest.raises(TypeError, match="at most 1 argument, got 2"):
            Headers({}, {})


class TestReading:
    def test_getting_ignores_case(self, headers: Headers) -> None:
        assert headers["connection"] == headers["CONNECTION"] == "Upgrade"

    def test_getting_what_is_not_there(self, headers: Headers) -> None:
        with pytest.raises(KeyError):
            headers["Upgrade"]
        assert headers.get("Upgrade") is None
        assert headers.get_all("Upgrade") == []

    def test_getting_one_of_several(self, headers: Headers) -> None:
        with pytest.raises(MultipleValuesError) as info:
            headers["Server"]
        assert isinstance(info.value, LookupError)
        assert str(info.value) == "'Server'"

    def test_get_all_gives_a_list_of_its_own(self, headers: Headers) -> None:
        headers.get_all("SERVER").append("c")
        assert headers.get_all("server") == ["a", "b"]

    def test_contains(self, headers: Headers) -> None:
        assert "SERVER" in headers
        assert "Upgrade" not in headers
        assert 42 not in headers  # type: ignore[comparison-overlap]
        assert None not in headers

    def test_iterating_gives_each_name_once(self, headers: Headers) -> None:
        assert list(headers) == ["connection", "server"]
        assert len(headers) == 2

    def test_raw_items_are_as_they_were_written(self, headers: Headers) -> None:
        assert list(headers.raw_items()) == [
            ("Connection", "Upgrade"),
            ("Server", "a"),
            ("server", "b"),
        ]

    def test_text(self, headers: Headers) -> None:
        expected = "Connection: Upgrade\r\nServer: a\r\nserver: b\r\n\r\n"
        assert str(headers) == expected
        assert headers.serialize() == expected.encode()
        assert Headers().serialize() == b"\r\n"

    def test_repr_makes_it_again(self, headers: Headers) -> None:
        assert eval(repr(headers)) == headers


class TestChanging:
    def test_setting_adds(self, headers: Headers) -> None:
        headers["SERVER"] = "c"
        headers["Upgrade"] = "websocket"
        assert headers.get_all("Server") == ["a", "b", "c"]
        assert headers["upgrade"] == "websocket"

    def test_deleting_removes_all(self, headers: Headers) -> None:
        del headers["SERVER"]
        assert list(headers.raw_items()) == [("Connection", "Upgrade")]
        assert "server" not in headers
        with pytest.raises(KeyError):
            del headers["Server"]

    def test_clear(self, headers: Headers) -> None:
        headers.clear()
        assert headers == Headers()
        assert str(headers) == "\r\n"

    def test_update_adds(self, headers: Headers) -> None:
        headers.update({"Server": "c"}, Date="today")
        assert headers.get_all("Server") == ["a", "b", "c"]
        assert headers["Date"] == "today"

    def test_update_from_itself(self, headers: Headers) -> None:
        headers.extend(headers)
        assert headers.get_all("Server") == ["a", "b", "a", "b"]

    def test_pop_and_setdefault(self, headers: Headers) -> None:
        assert headers.pop("connection") == "Upgrade"
        assert headers.setdefault("Connection", "close") == "close"
        assert headers.setdefault("Connection", "other") == "close"


class TestComparing:
    def test_case_and_order_of_names_do_not_matter(self) -> None:
        assert Headers(A="1", B="2") == Headers(b="2", a="1")

    def test_values_and_their_order_matter(self) -> None:
        one = Headers([("A", "1"), ("A", "2")])
        assert one != Headers([("A", "2"), ("A", "1")])
        assert one != Headers(A="1")

    def test_with_something_else(self) -> None:
        assert Headers(A="1") != 42
        # The other side has its say.
        assert Headers().__eq__({}) is NotImplemented

    def test_not_hashable(self) -> None:
        with pytest.raises(TypeError):
            hash(Headers())


class TestCopying:
    @pytest.mark.parametrize(
        "copier",
        [
            Headers.copy,
            copy.copy,
            copy.deepcopy,
            lambda headers: pickle.loads(pickle.dumps(headers)),
        ],
    )
    def test_a_copy_is_independent(self, copier, headers: Headers) -> None:  # type: ignore[no-untyped-def]
        other = copier(headers)
        assert other == headers
        assert list(other.raw_items()) == list(headers.raw_items())
        other["Server"] = "c"
        del other["Connection"]
        assert headers.get_all("Server") == ["a", "b"]
        assert "Connection" in headers
        assert list(headers.raw_items())[-1] == ("server", "b")

    def test_a_copy_of_a_subclass_is_one(self) -> None:
        class MyHeaders(Headers):
            pass

        assert type(MyHeaders(A="1").copy()) is MyHeaders


class TestSafety:
    @pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "a\n", "ä", "a\0", "("])
    def test_names_are_tokens(self, name: str) -> None:
        headers = Headers()
        with pytest.raises(ValueError, match="invalid header name: "):
            headers[name] = "value"
        assert headers.serialize() == b"\r\n"

    @pytest.mark.parametrize(
        "value",
        ["a\r\nB: c", "a\n", "\ra", "a\r\n b", "\0", "\x7f", "\x1b[0m", "€", "\ud800"],
    )
    def test_values_stay_in_their_line(self, value: str) -> None:
        headers = Headers()
        with pytest.raises(ValueError, match="invalid X-Name header: character "):
            headers["X-Name"] = value
        with pytest.raises(ValueError, match="invalid Host header: character "):
            headers["Host"] = value
        assert headers.serialize() == b"\r\n"

    @pytest.mark.parametrize("name", [1, None, b"a"])
    def test_names_are_text(self, name: object) -> None:
        with pytest.raises(TypeError, match="header name must be a str; got"):
            Headers()[name] = "value"  # type: ignore[index]

    @pytest.mark.parametrize("value", [None, b"a", bytearray(b"a"), memoryview(b"a")])
    def test_values_are_not_bytes(self, value: object) -> None:
        with pytest.raises(TypeError, match="A header must be a str; got"):
            Headers()["A"] = value  # type: ignore[assignment]

    def test_other_values_become_text(self) -> None:
        headers = Headers()
        headers["Content-Length"] = 42  # type: ignore[assignment]
        assert headers["Content-Length"] == "42"

    def test_subclasses_of_str_count_for_what_they_hold(self) -> None:
        class Evil(str):
            def __str__(self) -> str:
                return "a\r\nB: c"

            __format__ = __str__  # type: ignore[assignment]

        headers = Headers()
        headers[Evil("A")] = Evil("a")
        assert headers.serialize() == b"A: a\r\n\r\n"

    def test_tabs_are_allowed(self) -> None:
        assert Headers(A="a\tb").serialize() == b"A: a\tb\r\n\r\n"

    def test_bytes_that_are_not_ascii(self) -> None:
        raw = bytes(range(0x80, 0x100))
        escaped = raw.decode("ascii", "surrogateescape")
        latin1 = raw.decode("latin-1")
        assert Headers(A=escaped).serialize() == b"A: " + raw + b"\r\n\r\n"
        assert Headers(A=latin1).serialize() == b"A: " + raw + b"\r\n\r\n"

    @given(st.text(max_size=8), st.text(max_size=8))
    def test_nothing_breaks_out(self, name: str, value: str) -> None:
        headers = Headers()
        try:
            headers[name] = value
        except ValueError:
            assert headers.serialize() == b"\r\n"
        else:
            block = headers.serialize()
            assert block.count(b"\r") == block.count(b"\n") == 2
            assert block.split(b": ", 1)[0].decode() == name


class TestPacking:
    @given(
        st.lists(
            st.tuples(
                st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", fullmatch=True),
                st.from_regex(r"[\t\x20-\x7e\x80-\xff\udc80-\udcff]*", fullmatch=True),
            )
        )
    )
    def test_nothing_changes(self, pairs: list[tuple[str, str]]) -> None:
        headers, same = Headers(pairs), Headers(pairs)
        pack(headers)
        assert headers._text == str(same)[:-2]
        assert list(headers.raw_items()) == list(same.raw_items()) == pairs
        assert headers == same
        assert not hasattr(headers, "_text")

    @pytest.mark.parametrize(
        "use",
        [
            lambda headers: headers.clear(),
            lambda headers: headers.update(A="1"),
            lambda headers: headers.pop("Connection"),
            lambda headers: headers["SERVER"] if "x" in headers else None,
            lambda headers: copy.deepcopy(headers).clear(),
            lambda headers: pickle.loads(pickle.dumps(headers)).clear(),
        ],
    )
    def test_packed_headers_can_be_used(self, use, headers: Headers) -> None:  # type: ignore[no-untyped-def]
        same = headers.copy()
        pack(headers)
        for _ in range(2):
            use(headers)
            use(same)
            assert repr(headers) == repr(same)
            pack(headers)
            pack(headers)
            headers["B"] = same["B"] = "2"
            same["Connection"] = headers["Connection"] = "x"
            assert repr(headers) == repr(same)

    def test_subclasses_are_left_alone(self) -> None:
        class Special(Headers):
            pass

        headers = Special(A="1")
        pack(headers)
        assert not hasattr(headers, "_text")

    def test_attributes_that_are_not_there(self, headers: Headers) -> None:
        with pytest.raises(AttributeError, match="'Headers' object has no .* 'other'"):
            headers.other  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(AttributeError, match="no attribute '_text'"):
            Headers.__new__(Headers)._list  # noqa: B018


def test_error_with_several_arguments() -> None:
    assert str(MultipleValuesError("a", "b")) == "('a', 'b')"


def test_the_same_value_several_times() -> None:
    value = "one object"
    headers = Headers([("a", value), ("A", value)])
    with pytest.raises(MultipleValuesError):
        headers["a"]
    headers["a"] = value
    assert headers.get_all("a") == [value] * 3
    headers.get_all("a").clear()
    assert headers.copy().get_all("A") == [value] * 3
    assert headers != Headers([("a", value), ("A", value)])


def test_headers_of_a_parser() -> None:
    made = Headers._of_checked([("Host", "h"), ("a", "1"), ("A", "2")])
    assert made == Headers([("Host", "h"), ("A", "1"), ("A", "2")])
