"""The projects whose WebSocket tests are run, and what they need for that."""

from __future__ import annotations

from typing import NamedTuple

#: What every environment gets: a test that hangs must not hang the run, and one that
#: depends on time gets another chance.
RUNNER = ("pytest", "pytest-rerunfailures", "pytest-timeout")


class Project(NamedTuple):
    """A project that depends on ``websockets``.

    Attributes:
        requirement: how pip finds it; its tests come from the same release.
        extras: of the project's package.
        needs: what its tests need besides.
        tests: files or directories of its tests that concern WebSockets.
        config: the file with pytest's settings; there must be one, or pytest would
            take those of the repository that contains the source.
        options: further arguments of pytest.
        baseline: PyPI's ``websockets`` that ours is compared with.
        excused: tests whose outcome may differ from the baseline's, and why. The key
            is the beginning of the test's name.

    """

    requirement: str
    needs: tuple[str, ...]
    tests: tuple[str, ...]
    extras: str = ""
    config: str = "pyproject.toml"
    options: tuple[str, ...] = ()
    baseline: str = "websockets"
    excused: dict[str, str] = {}


UVICORN_TESTS = (
    "tests/protocols/test_websocket.py",
    "tests/middleware/test_logging.py",
    "tests/middleware/test_proxy_headers.py",
    "tests/test_auto_detection.py",
    "tests/test_config.py",
    "tests/test_server.py",
)

UVICORN_NEEDS = (
    "a2wsgi",
    "cryptography",
    "pytest-mock",
    "trustme",
    "typing_extensions",
    "wsproto",
)

_HEADERS = (
    "The test asks whether websockets is older than 17 and then expects text in a "
    "client's header to go out as UTF-8, as it did there by accident. Ours sends "
    "latin-1, as 17 does and as HTTP has it: ASGI servers rely on that when they pass "
    "on an application's headers."
)
_UVICORN_EXCUSED = {
    "tests.protocols.test_websocket::test_headers[": _HEADERS,
}

PROJECTS = {
    # The newest uvicorn tests its back end on the sans-I/O classes.
    "uvicorn": Project(
        requirement="uvicorn",
        extras="[standard]",
        needs=(*UVICORN_NEEDS, "httpx2", "zttp"),
        tests=UVICORN_TESTS,
        options=("-o", "addopts="),
        excused=_UVICORN_EXCUSED,
    ),
    # The last uvicorn that tests its back end on the classic API, too.
    "uvicorn-legacy": Project(
        requirement="uvicorn==0.49.0",
        extras="[standard]",
        needs=(*UVICORN_NEEDS, "httpx"),
        tests=UVICORN_TESTS,
        options=("-o", "addopts="),
        baseline="websockets==13.1",
        excused=_UVICORN_EXCUSED,
    ),
    "sanic": Project(
        requirement="sanic",
        needs=(
            *("beautifulsoup4", "chardet==3.*", "cryptography", "pytest-benchmark"),
            *("pytest-asyncio", "pytest-xdist", "sanic-testing", "uvicorn"),
        ),
        tests=("tests",),
        options=("-k", "websocket or _ws", "--ignore", "tests/http3"),
        # Its tests import a name that 17 no longer has.
        baseline="websockets<17",
    ),
    "gql": Project(
        requirement="gql",
        extras="[test]",
        config="setup.cfg",
        needs=(),
        tests=("tests",),
        options=(
            "-k",
            "websocket or graphqlws or phoenix or appsync",
        ),
        excused={
            "tests.test_websocket_query::test_websocket_using_ssl_connection[": (
                "The test asserts that websockets.connect gives the modern "
                "ClientConnection. Ours gives the classic one, which has the modern "
                "one's attributes too; gql itself works with it."
            ),
        },
    ),
}
