"""Tests of ``compliance/faults`` and the soak test: that they notice what is wrong."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

COMPLIANCE = Path(__file__).resolve().parent.parent / "compliance"


def load(name: str, path: str) -> ModuleType:
    """Import a program by a name that no other has."""
    spec = importlib.util.spec_from_file_location(name, COMPLIANCE / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(COMPLIANCE))

running = load("faults_run", "faults/run.py")
scenes = load("faults_scene", "faults/scene.py")
soak = load("soak", "soak.py")
soaking = load("soaking", "soaking.py")
watching = load("watch", "watch.py")

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("numbers", "lost", "doubled", "disordered"),
    [
        ([0, 1, 2], 0, 0, 0),
        ([0, 2], 1, 0, 0),
        ([0, 1, 1, 2], 0, 1, 0),
        ([0, 2, 1], 0, 0, 1),
        ([1, 0, 0], 0, 1, 1),
    ],
)
def test_ledgers(numbers: Any, lost: int, doubled: int, disordered: int) -> None:
    ledger = scenes.Ledger()
    for number in numbers:
        ledger.take(f"{number}   ")
    assert (ledger.lost, ledger.doubled, ledger.disordered) == (
        *(lost, doubled, disordered),
    )
    ledger.expect(5)
    assert ledger.lost == lost + 5 - max(numbers) - 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": 1},
        {"doubled": 1},
        {"disordered": 1},
        {"tasks": 1},
        {"files": 1},
        {"errors": ["Task exception was never retrieved"]},
        {"problems": ["a waiter wasn't told"]},
        {"injected": 0},
    ],
    ids=str,
)
def test_what_is_a_miss(
    wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    good = {**running.NOTHING, "injected": 3}
    assert running.show("kill", ("classic", "asyncio"), good)
    assert "MISS" not in capsys.readouterr().out
    assert not running.show("kill", ("classic", "asyncio"), {**good, **wrong})
    assert "MISS" in capsys.readouterr().out


def test_what_is_skipped_is_no_miss(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {**running.NOTHING, "skipped": "needs root"}
    assert running.show("cut", ("classic", "asyncio"), figures)
    assert "skipped: needs root" in capsys.readouterr().out


@linux
async def test_what_is_left_is_counted() -> None:
    unraisable = sys.unraisablehook
    try:
        watch = watching.Watch()
        task = asyncio.create_task(asyncio.Event().wait())
        with open("/dev/null"):
            assert (watch.tasks_left(), watch.files_left()) == (1, 1)
        watch._loop.call_exception_handler({"message": "odd"})
        task.cancel()
        await watch.settle()
        assert watch.figures()["errors"] == ["odd: None"]
        assert (watch.tasks_left(), watch.files_left()) == (0, 0)
        watch.stop()
    finally:
        sys.unraisablehook = unraisable
        asyncio.get_running_loop().set_exception_handler(None)


def role(samples: list[float], **figures: Any) -> Any:
    """Return a process of the soak test with its figures, told every minute."""
    it = soak.Role("clients", SimpleNamespace())
    it.samples = [(60.0 * minute, mib) for minute, mib in enumerate(samples)]
    it.figures = {"tasks": 0, "files": 0, "errors": [], "exchanged": 1, **figures}
    return it


def test_a_good_soak() -> None:
    # Memory may grow until everything is warm.
    assert not soak.misses(role([20, 40, 60, 70, 70, 70, 70, 70, 70, 71]), 600)


@pytest.mark.parametrize(
    "wrong",
    [
        {"wrong": 1},
        {"tasks": 1},
        {"files": 1},
        {"errors": ["odd"]},
        {"connections": 1},
        {"exchanged": 0},
    ],
    ids=str,
)
def test_a_soak_with_something_wrong(wrong: dict[str, Any]) -> None:
    assert soak.misses(role([70] * 10, **wrong), 600)


def test_a_soak_with_growing_memory() -> None:
    growing = [20.0 * minute for minute in range(10)]
    assert soak.misses(role(growing), 600) == ["clients: memory (True)"]
    # That is told only where there was time to get warm.
    assert not soak.misses(role(growing), 20)


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        (["a", b"b", "n0 x", "n1 x"], 0),
        (["a", "b"], 1),
        ([b"b", "a"], 2),
        (["a", b"b", b"b"], 1),
        (["n0 x", "n2 x"], 1),
    ],
)
async def test_clients_compare_what_comes(got: list[Any], wrong: int) -> None:
    options = SimpleNamespace(face="modern", port=0, life=1.0, seed=1, pause=1.0)
    clients = soaking.Clients(options)
    life = soaking.Life(clients, None, soaking.random.Random(1))
    life.sent.extend(["a", b"b"])
    for message in got:
        life.check(message)
    assert clients.wrong == wrong
