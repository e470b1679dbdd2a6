"""Tests of ``benchmarks/``: that it measures, and notices what is wrong."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import claims
import contenders
import environments
import measures
import processes
import publish
import report
import scenarios

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="the load generator needs Linux and a C compiler",
)

#: One of each kind, and of each feature; the others differ in numbers only.
SCENARIOS = [
    "echo/c32/256B/k16",
    "echo/c32/64KiB/k1",
    "echo/c32/256B-text/k1",
    "receive/c4/256B",
    "send/c4/256B",
    "broadcast/c1000/256B",
    "deflate-echo/c32/120B/k1",
    "deflate-broadcast/c1000/50KB",
    "tls-echo/c32/64KiB/k1",
    "connect/c32",
    "memory/deflate",
    "client/echo/c1/256B/k1",
    "client/echo/c32/256B/k16",
    "client/receive/c4/256B",
    "client/send/c4/256B",
    "growth/memory",
]

MOMENT = measures.Timing(0.03, 0.01)


@pytest.fixture(scope="session")
def loadgen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The load generator."""
    return environments.build_loadgen(tmp_path_factory.mktemp("bench") / "loadgen")


@pytest.fixture
def launch(loadgen: Path) -> processes.Launch:
    """How to run the library under test."""
    return processes.Launch(python=Path(sys.executable), loadgen=loadgen)


class TestScenarios:
    """Each kind of scenario gives its figures."""

    @pytest.mark.parametrize("name", SCENARIOS)
    def test_measures(self, launch: processes.Launch, name: str) -> None:
        missing = measures.find_missing(scenarios.SCENARIOS[name], launch.loadgen)
        if missing:
            pytest.skip(missing)
        figures = measures.measure(name, "ours-pure", launch, MOMENT, cap=4)
        wanted = report.find_figures(name)[0].name
        assert figures[wanted] > 0

    def test_every_kind_is_tried(self) -> None:
        kinds = {scenarios.SCENARIOS[name].kind for name in SCENARIOS}
        assert kinds | {"import", "instructions"} == set(measures.MEASURES)

    def test_import(
        self, launch: processes.Launch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(measures, "IMPORTS", 1)
        figures = measures.measure("import/package", "ours-pure", launch, MOMENT)
        assert figures["ms"] > 0

    @pytest.mark.parametrize("name", ["echo/c32/256B/k1", "client/echo/c1/256B/k1"])
    def test_bytes_without_websocket(self, launch: processes.Launch, name: str) -> None:
        raw = contenders.PEERS["raw-echo"]._replace(environment="ours")
        scenario = scenarios.SCENARIOS[name].capped(2)
        function = measures.MEASURES[scenario.kind]
        assert function(name, raw, scenario, launch, MOMENT)["rate"] > 0

    def test_names_are_unique_and_match(self) -> None:
        assert scenarios.select_scenarios(["growth/*"]) == list(scenarios.GROWTH)
        assert "growth/memory" not in scenarios.select_scenarios([])
        with pytest.raises(ValueError, match="no scenario matches"):
            scenarios.select_scenarios(["nothing"])

    def test_every_peer_has_its_files(self) -> None:
        for peer in contenders.PEERS.values():
            assert (environments.HERE / "servers" / f"{peer.server}.py").exists()
            client = environments.HERE / "clients" / f"{peer.client}.py"
            assert peer.client is None or client.exists()
            assert peer.environment in contenders.ENVIRONMENTS


#: The answer to the key that the load generator sends.
RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)

SIZE = 16

#: What a server may do wrong with a message, and how the load generator calls it.
WRONG_ECHOES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "damaged": (
        lambda m: b"\x82\x10" + m[:9] + bytes([m[9] ^ 1]) + m[10:],
        "byte 9 is",
    ),
    "shorter": (lambda m: b"\x82\x0f" + m[:15], "shorter than what was sent"),
    "longer": (lambda m: b"\x82\x11" + m + b"!", "longer than what was sent"),
    "twice": (lambda m: 2 * (b"\x82\x10" + m), "a message that nobody sent"),
    "masked": (lambda m: b"\x82\x90" + bytes(4) + m, "a frame masked"),
    "reserved bit": (lambda m: b"\xa2\x10" + m, "reserved bits"),
    "compressed": (lambda m: b"\xc2\x10" + m, "compressed"),
    "text": (lambda m: b"\x81\x10" + m, "text instead of binary"),
    "unknown opcode": (lambda m: b"\x83\x10" + m, "an opcode"),
    "continuation": (lambda m: b"\x80\x10" + m, "an opcode"),
    "wrong length": (lambda m: b"\x82\x7e\x00\x10" + m, "in the wrong form"),
    "long ping": (lambda m: b"\x89\x7e\x00\x7e" + 126 * b"p", "control frame"),
    "close": (lambda m: b"\x88\x02\x03\xe8", "the server closes, code 1000"),
}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket for the load generator to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(10)
        yield sock


def start_loadgen(
    loadgen: Path, listener: socket.socket, *arguments: str
) -> subprocess.Popen[str]:
    """Let the load generator connect and send a message."""
    port = listener.getsockname()[1]
    command = [loadgen, f"--port={port}", f"--size={SIZE}", "--messages=1", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more
        data += more
    return data


def accept(listener: socket.socket, headers: bytes = b"") -> socket.socket:
    """Answer the opening handshake."""
    sock, _ = listener.accept()
    sock.settimeout(10)
    while not sock.recv(4096).endswith(b"\r\n\r\n"):
        pass
    sock.sendall(RESPONSE + headers + b"\r\n")
    return sock


def read_message(sock: socket.socket) -> bytes:
    """Read the message, and unmask it."""
    frame = read_exactly(sock, 2 + 4 + SIZE)
    return bytes(byte ^ frame[2 + i % 4] for i, byte in enumerate(frame[6:]))


class TestLoadgen:
    """The load generator believes nothing."""

    @pytest.mark.parametrize("name", WRONG_ECHOES)
    def test_notices_wrong_echo(
        self, loadgen: Path, listener: socket.socket, name: str
    ) -> None:
        answer, words = WRONG_ECHOES[name]
        process = start_loadgen(loadgen, listener)
        with accept(listener) as sock:
            sock.sendall(answer(read_message(sock)))
            _, said = process.communicate(timeout=10)
        assert process.returncode == 1
        assert words in said

    def test_takes_fragments_with_a_ping_between(
        self, loadgen: Path, listener: socket.socket
    ) -> None:
        process = start_loadgen(loadgen, listener)
        with accept(listener) as sock:
            message = read_message(sock)
            sock.sendall(
                b"\x02\x05" + message[:5] + b"\x89\x02hi\x80\x0b" + message[5:]
            )
            assert read_exactly(sock, 2 + 4 + 2)[:2] == b"\x8a\x82"
            assert read_exactly(sock, 2 + 4 + 2)[:2] == b"\x88\x82"
            sock.sendall(b"\x88\x02\x03\xe8")
            said, _ = process.communicate(timeout=10)
        assert process.returncode == 0
        assert '"messages": 1' in said

    def test_notices_server_that_goes(
        self, loadgen: Path, listener: socket.socket
    ) -> None:
        process = start_loadgen(loadgen, listener)
        with accept(listener) as sock:
            read_message(sock)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 1
        assert "the server went away" in said

    @pytest.mark.parametrize(
        "header",
        [
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
            b"Sec-WebSocket-Protocol: chat\r\n",
        ],
    )
    def test_notices_what_was_not_offered(
        self, loadgen: Path, listener: socket.socket, header: bytes
    ) -> None:
        process = start_loadgen(loadgen, listener)
        with accept(listener, header):
            _, said = process.communicate(timeout=10)
        assert process.returncode == 1
        assert "that was not offered" in said

    def test_notices_wrong_compression(
        self, loadgen: Path, listener: socket.socket, tmp_path: Path
    ) -> None:
        if "deflate" not in environments.read_features(loadgen):
            pytest.skip("built without zlib")
        lines = tmp_path / "lines"
        lines.write_text("hello hello hello hello\n")
        process = start_loadgen(
            loadgen, listener, "--text", "--deflate", f"--lines={lines}"
        )
        agreed = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        with accept(listener, agreed) as sock:
            assert sock.recv(1)[0] == 0xC1
            # "Hello", deflated: RFC 7692, 7.2.3.1.
            sock.sendall(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")
            _, said = process.communicate(timeout=10)
        assert process.returncode == 1
        assert "longer or shorter than what was sent" in said

    @pytest.mark.parametrize(
        ("path", "frames", "words"),
        [
            (b"/echo", b"\x82\x01!", "a frame masked"),
            (b"/sink", 8 * b"\x82\x81\0\0\0\0!" + b"\x82\x81\0\0\0\0?", "not what"),
            (b"/flood", 9 * b"\x82\x81\0\0\0\0!", "more messages than a flood needs"),
        ],
    )
    def test_server_notices_wrong_client(
        self, launch: processes.Launch, path: bytes, frames: bytes, words: str
    ) -> None:
        request = b"GET %s HTTP/1.1\r\nSec-WebSocket-Key: %s==\r\n\r\n"
        with (
            pytest.raises(processes.MeasureError, match=words),
            processes.running_loadgen([], launch) as (_, port),
            socket.create_connection(("127.0.0.1", port), 10) as sock,
        ):
            sock.sendall(request % (path, b"dGhlIHNhbXBsZSBub25jZQ"))
            response = RESPONSE + b"\r\n"
            assert read_exactly(sock, len(response)) == response
            sock.sendall(frames)
            while sock.recv(4096):
                pass

    def test_refuses_nonsense(self, loadgen: Path) -> None:
        for arguments in (["--port=1", "--size=x"], ["--task=nothing"], []):
            done = subprocess.run([loadgen, *arguments], capture_output=True)
            assert done.returncode == 2


def make_runs(**rates: list[float]) -> list[report.Run]:
    """Make the records of some rounds of a scenario."""
    return [
        report.make_run(
            ("uvloop", "echo/c32/256B/k1", peer.replace("_", "-")),
            number,
            {"rate": rate, "cpu_us": 1e6 / rate},
        )
        for peer, values in rates.items()
        for number, rate in enumerate(values)
    ]


class TestReport:
    """Medians, ratios, verdicts."""

    def test_ratios_pair_rounds(self) -> None:
        runs = make_runs(ours=[10.0, 200.0, 30.0], aiohttp=[5.0, 100.0, 5.0])
        key = ("uvloop", "echo/c32/256B/k1", "ours")
        cell = report.sum_up(runs, key, ["aiohttp", "raw-echo"])
        assert cell is not None
        assert cell.figures["rate"] == 30.0
        assert cell.ratios["rate"] == {"aiohttp": 2.0, "raw-echo": None}
        assert cell.ratios["cpu_us"]["aiohttp"] == pytest.approx(0.5)

    @pytest.mark.parametrize(("rate", "word"), [(30.0, "holds"), (20.0, "missed")])
    def test_verdicts(self, rate: float, word: str) -> None:
        rows = claims.make_verdicts(make_runs(ours=[rate], websockets_modern=[10.0]))
        known = [row for row in rows[1:] if row[-1] != claims.UNKNOWN]
        assert [(row[4], row[-1]) for row in known] == [("websockets-modern", word)]

    @pytest.mark.parametrize(
        ("figure", "theirs", "at_most", "value", "holds"),
        [
            ("bytes", None, True, 9.0, True),
            ("bytes", None, True, 11.0, False),
            ("cpu_us", "aiohttp", False, 2.0, True),
            ("cpu_us", "aiohttp", False, 3.0, False),
            ("instructions", "aiohttp", True, 251.0, False),
        ],
    )
    def test_less_may_be_better(
        self,
        monkeypatch: pytest.MonkeyPatch,
        figure: str,
        theirs: str | None,
        at_most: bool,
        value: float,
        holds: bool,
    ) -> None:
        # Theirs is 25; a tenfold of ours, or ten bytes.
        claim = claims.Claim("s", "asyncio", "ours", theirs, 10.0, figure, at_most)
        monkeypatch.setattr(claims, "CLAIMS", [claim])
        runs = [
            report.make_run(("asyncio", "s", peer), 0, {figure: number})
            for peer, number in (("ours", value), ("aiohttp", 25.0))
        ]
        [verdict] = claims.judge(runs)
        assert verdict.holds is holds

    def test_claims_name_what_exists(self) -> None:
        for claim in claims.CLAIMS:
            scenario = scenarios.SCENARIOS[claim.scenario]
            figures = {figure.name for figure in report.find_figures(claim.scenario)}
            assert claim.figure in figures
            for peer in filter(None, (claim.ours, claim.theirs)):
                assert scenario.fits(contenders.PEERS[peer], claim.loop)

    def test_documentation_has_every_table(self) -> None:
        runs = make_runs(ours=[10.0], aiohttp=[5.0])
        machine = {"command": "c", "at": "a", "commit": "c", "system": "s", "cpu": "c"}
        document: dict[str, Any] = {
            "machine": {**machine, "python": "3", "load_average": [0.1]},
            "plan": {"rounds": 1, "seconds": 1.0, "cap": None},
            "environments": {"ours": {"versions": {"uvloop": "1"}, "compiled": []}},
            "missing": {"tls-echo": "no header"},
            "failures": [["uvloop", "connect/c32", "aiohttp", "it broke\nhere"]],
            "verdicts": claims.make_verdicts(runs),
            "tables": [
                ["uvloop", name, [["peer", "msg/s"], ["ours", "1"]]]
                for name in scenarios.SCENARIOS
            ],
        }
        files = dict(publish.make_files(document))
        assert set(files) == {"context.inc", "verdicts.inc", "tables.inc"}
        assert all(f"`{name}` on uvloop" in files["tables.inc"] for name in SCENARIOS)
        assert "``it broke``" in files["context.inc"]
        assert "quick run" in files["context.inc"]
        document["more"] = [{"rounds": 8, "scenarios": ["connect/c32"], "peers": []}]
        said = dict(publish.make_files(document))["context.inc"]
        assert "8 rounds more of connect/c32" in said

    def test_a_run_is_extended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rounds are added to those that there are, in the same environments."""
        # Other directories have a module of that name.
        path = Path(report.__file__).with_name("run.py")
        spec = importlib.util.spec_from_file_location("benchmarks_run", path)
        assert spec is not None and spec.loader is not None
        run = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(run)
        versions = {"versions": {"uvloop": "1"}, "compiled": []}
        monkeypatch.setattr(run, "describe_environment", lambda name, _: versions)
        rates = iter([30.0, 10.0, 50.0])

        def measure(*arguments: Any) -> dict[str, Any]:
            rate = next(rates)
            return {"rate": rate, "cpu_us": 1.0, "p50_us": 1.0, "p99_us": 1.0}

        monkeypatch.setattr(run, "measure", measure)
        command = ["--scenario", "connect/c32", "--peer", "ours", "--rounds", "1"]
        plan = run.make_plan(run.make_parser().parse_args([*command, "--loop=asyncio"]))
        document = json.loads(json.dumps(run.run_plan(plan, {}), default=str))
        extended = run.extend(document, plan)
        assert [item["rate"] for item in extended["runs"]] == [30.0, 10.0]
        assert [item["round"] for item in extended["runs"]] == [0, 1]
        [cell] = extended["cells"]
        assert (cell["rounds"], cell["figures"]["rate"]) == (2, 20.0)
        assert extended["more"][0]["rounds"] == 1
        anew = run.extend(extended, plan, anew=True)
        [cell] = anew["cells"]
        assert (cell["rounds"], cell["figures"]["rate"]) == (1, 50.0)
        [more] = anew["more"]
        assert more["scenarios"] == ["connect/c32"]
        # None outside of a clone.
        assert more["commit"] == anew["machine"]["commit"]
        for change, missing in {"peers": "ours", "loops": "asyncio"}.items():
            with pytest.raises(ValueError, match=f"{change}; missing: {missing}"):
                run.extend(extended, plan._replace(**{change: []}), anew=True)
        document["environments"]["ours"]["variables"] = {"OTHER": "1"}
        with pytest.raises(ValueError, match="ours isn't what was measured then"):
            run.extend(document, plan)
