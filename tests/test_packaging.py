"""What is installed says what it is, and every way to run the checks is one way."""

from __future__ import annotations

import configparser
import importlib.metadata
import importlib.util
import pathlib
import re
import tomllib
from typing import Any

import pytest

import websockets

ROOT = pathlib.Path(__file__).parents[1]
METADATA = importlib.metadata.metadata("websockets")
WORKFLOWS = sorted((ROOT / ".github").rglob("*.yml"))

# An sdist has what runs, but not what runs it elsewhere.
in_repository = pytest.mark.skipif(not WORKFLOWS, reason="needs the repository")


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def environments() -> configparser.ConfigParser:
    """Read tox.ini."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def commands() -> dict[str, Any]:
    """Return the commands of dev.py."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known: dict[str, Any] = module.COMMANDS
    return known


class TestMetadata:
    def test_identity(self) -> None:
        assert METADATA["Name"] == "websockets"
        assert METADATA["Version"] == websockets.__version__
        assert METADATA["License-Expression"] == "BSD-3-Clause"
        assert METADATA["License-File"] == "LICENSE"
        assert METADATA["Summary"] and METADATA["Keywords"]
        assert METADATA["Description-Content-Type"] == "text/markdown"

    def test_addresses(self) -> None:
        urls = project()["project"]["urls"]
        # Metadata has both in one line, with a comma between them.
        assert all(re.fullmatch(r"[\w ]{1,32}", label) for label in urls)
        assert all(url.startswith("https://") for url in urls.values())

    def test_nothing_is_required(self) -> None:
        required = METADATA.get_all("Requires-Dist") or []
        assert required
        assert [line for line in required if "extra ==" not in line] == []

    def test_pythons(self) -> None:
        oldest = METADATA["Requires-Python"].removeprefix(">=")
        prefix = "Programming Language :: Python :: "
        named = [line.removeprefix(prefix) for line in METADATA.get_all("Classifier")]
        versions = [name for name in named if re.fullmatch(r"3\.\d+", name)]
        assert versions[0] == oldest
        wheels = project()["tool"]["cibuildwheel"]["build"]
        assert wheels == [f"cp{version.replace('.', '')}-*" for version in versions]
        listed = environments()["tox"]["env_list"].split(", ")
        assert {f"py{version.replace('.', '')}" for version in versions} <= {*listed}

    def test_typed(self) -> None:
        assert (pathlib.Path(websockets.__file__).parent / "py.typed").is_file()
        assert "Typing :: Typed" in METADATA.get_all("Classifier")


class TestOneWay:
    def test_tox_runs_commands_of_dev(self) -> None:
        known = commands()
        parser = environments()
        lines = [parser[name].get("commands", "") for name in parser.sections()]
        run = {
            match[1] for line in lines for match in re.finditer(r"--here (\w+)", line)
        }
        assert run and run <= {*known}

    def test_extras_of_dev(self) -> None:
        extras = {*project()["project"]["optional-dependencies"]}
        for command in commands().values():
            assert command.needs | command.likes <= extras

    @in_repository
    def test_workflows_run_environments_of_tox(self) -> None:
        parser = environments()
        known = {name.removeprefix("testenv:") for name in parser.sections()}
        known |= {*parser["tox"]["env_list"].split(", ")}
        for path in WORKFLOWS:
            text = path.read_text(encoding="utf-8")
            named = {*re.findall(r"tox -e (\w+)", text)}
            named |= {*re.findall(r"env: (\w+)", text)}
            for listed in re.findall(r"env: \[(.*)\]", text):
                named |= {*listed.split(", ")}
            assert named, path.name
            assert named <= known, path.name

    @in_repository
    def test_the_gate_runs_commands_of_dev(self) -> None:
        text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        # Options before the command have values that aren't words of their own.
        run = {
            *re.findall(r"dev\.py(?: --[\w-]+(?: \"[^\"]*\")?| \.[\w-]+)* (\w+)", text)
        }
        assert {"test", "lint", "types", "docs", "coverage", "peers"} <= run
        assert run <= {*commands()}

    @in_repository
    def test_contributing_names_every_command(self) -> None:
        text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        missing = [name for name in commands() if not re.search(rf"\b{name}\b", text)]
        assert missing == []

    @in_repository
    def test_every_room_is_shipped_and_named(self) -> None:
        manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
        shipped = re.findall(r"^graft (\w+)$", manifest, re.MULTILINE)
        rooms = {path.parents[-2] for path in map(relative, ROOT.glob("[a-z]*/*.py"))}
        assert {str(room) for room in rooms} <= {*shipped}
        text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        assert [room for room in shipped if f"`{room}/" not in text] == []


def relative(path: pathlib.Path) -> pathlib.Path:
    return path.relative_to(ROOT)
