"""Names that are opened on first use (websockets.imports)."""

from __future__ import annotations

import importlib
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from websockets.imports import lazy_import

ROOM = "log.append('room')\nthing = object()\nother = object()\n"
LOG = "log = []\n"

MakePackage = Callable[[dict[str, str]], types.ModuleType]


@pytest.fixture
def make_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakePackage]:
    """Write a package called ``house`` and import it."""

    def make(aliases: dict[str, str]) -> types.ModuleType:
        files = {
            "__init__.py": "from websockets.imports import lazy_import\n"
            f"here = 1\nlazy_import(globals(), {aliases!r})\n",
            "log.py": LOG,
            "room.py": "from .log import log\n" + ROOM,
            "floor/__init__.py": "",
            "floor/room.py": "from ..log import log\n" + ROOM,
            "broken.py": "import a_module_that_does_not_exist\n",
        }
        for name, text in files.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        return importlib.import_module("house")

    yield make
    for name in [name for name in sys.modules if name.split(".")[0] == "house"]:
        del sys.modules[name]


def test_nothing_is_imported_before_it_is_asked_for(make_package: MakePackage) -> None:
    make_package({"thing": ".room"})
    assert "house.room" not in sys.modules


def test_a_name_is_opened_once(make_package: MakePackage) -> None:
    house = make_package({"thing": ".room"})
    thing = house.thing
    assert thing is sys.modules["house.room"].thing
    assert house.__dict__["thing"] is thing
    assert sys.modules["house.log"].log == ["room"]


def test_from_import_works(make_package: MakePackage) -> None:
    make_package({"thing": ".room"})
    namespace: dict[str, Any] = {}
    exec("from house import thing", namespace)
    assert namespace["thing"] is sys.modules["house"].thing


def test_star_import_works(make_package: MakePackage) -> None:
    vars(make_package({"thing": ".room"}))["__all__"] = ["thing"]
    namespace: dict[str, Any] = {}
    exec("from house import *", namespace)
    assert "thing" in namespace


def test_submodules_are_not_hidden(make_package: MakePackage) -> None:
    make_package({"thing": ".room"})
    namespace: dict[str, Any] = {}
    exec("from house import room\nimport house.floor.room", namespace)
    assert namespace["room"] is sys.modules["house.room"]
    assert namespace["house"].floor.room is sys.modules["house.floor.room"]


def test_an_alias_may_be_of_another_name(make_package: MakePackage) -> None:
    house = make_package({"old": ".room:other"})
    assert house.old is sys.modules["house.room"].other


def test_an_alias_may_be_a_submodule_of_a_room(make_package: MakePackage) -> None:
    house = make_package({"room": ".floor"})
    assert house.room is sys.modules["house.floor.room"]


def test_an_alias_may_be_a_submodule_of_the_package(make_package: MakePackage) -> None:
    house = make_package({"floor": ".", "cellar": ".:floor"})
    assert house.floor is house.cellar is sys.modules["house.floor"]


def test_unknown_name(make_package: MakePackage) -> None:
    house = make_package({"thing": ".room"})
    with pytest.raises(AttributeError) as info:
        house.thin  # noqa: B018
    assert str(info.value) == "module 'house' has no attribute 'thin'"
    # With these, Python finds "Did you mean: 'thing'?".
    assert (info.value.name, info.value.obj) == ("thin", house)
    assert not hasattr(house, "thin")


def test_unknown_name_in_from_import(make_package: MakePackage) -> None:
    make_package({"thing": ".room"})
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from house import nothing")


def test_a_table_that_names_nothing(make_package: MakePackage) -> None:
    house = make_package({"nothing": ".room"})
    with pytest.raises(
        AttributeError, match=r"'house.room' has no attribute 'nothing'"
    ):
        house.nothing  # noqa: B018


def test_a_room_that_fails_says_why(make_package: MakePackage) -> None:
    house = make_package({"thing": ".broken"})
    with pytest.raises(ModuleNotFoundError, match="a_module_that_does_not_exist"):
        house.thing  # noqa: B018


def test_dir_lists_aliases_and_globals(make_package: MakePackage) -> None:
    house = make_package({"thing": ".room"})
    assert {"here", "thing", "__name__"} <= set(dir(house))
    assert dir(house) == sorted(dir(house))
    assert "house.room" not in sys.modules


def test_a_name_that_is_defined_is_refused() -> None:
    with pytest.raises(ValueError, match="already defined: here, there"):
        lazy_import({"here": 1, "there": 2}, {"there": ".a", "here": ".b"})


def test_the_table_is_read_when_it_is_installed() -> None:
    namespace: dict[str, Any] = {"__package__": "websockets", "__name__": "x"}
    aliases = {"State": ".codes"}
    lazy_import(namespace, aliases)
    aliases.clear()
    assert namespace["__getattr__"]("State") is namespace["State"]


def test_threads_get_the_same_object(make_package: MakePackage) -> None:
    house = make_package({"thing": ".room"})
    start = threading.Barrier(8)
    things = []

    def ask() -> None:
        start.wait()
        things.append(house.thing)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(things) == 8
    assert len(set(map(id, things))) == 1
    assert sys.modules["house.log"].log == ["room"]


def test_patching_an_alias_can_be_undone(
    make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_package({"thing": ".room"})
    with monkeypatch.context() as patch:
        patch.setattr(house, "thing", "patched")
        assert house.thing == "patched"
    assert house.thing is sys.modules["house.room"].thing
