"""A real OneCard on a port of its own for every test, and what tests ask it with.

    server      the server, in the test's own loop, on a temporary store; `server.url`, `server.ctx`
    start       starts further servers: `await start(settings...)`, also on the same folder
    fhir        client of `server`: `await fhir.get("Patient/1")` -> Answer(status, headers, body, .json)
    given       stores resources as they are written: `await given({...}, {...})`
    clock, ids  the server's clock (ms, moves by hand) and ids (counted): whole answers can be compared literally

ONECARD_CI=1 turns the skip of a group that needs something installed into a failure, and lets property tests draw the
same examples in every run; without it they draw others each time.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import mongod
from tests.serving import ENGINES, Client, Clock, Ids, Running, run_server

GROUPS = {
    "mongo": "the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4",
    "browser": "Debian package chromium",
    "npm": "Debian packages nodejs and npm, then `npm ci` in tests/clients",
    "mariadb": "Debian package mariadb-server",
    "postgresql": "Debian package postgresql",
}
"""Marker -> what its tests need beyond Python and wheels."""
MARKS = {"mongo": pytest.mark.mongo}
"""Engine -> marker of its tests."""

# Before the modules of the tests are read, whose own settings begin with these. No timing decides.
settings.register_profile(
    "onecard",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="ONECARD_CI" in os.environ,
    print_blob=True,
)
settings.load_profile("onecard")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ids() -> Ids:
    return Ids()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The chapters of FHIR (tests/spec) and backups on every engine; all else with a server on the embedded one."""
    path = metafunc.definition.path.as_posix()
    if "store_url" not in metafunc.fixturenames:
        if "tests/spec/" in path:
            raise pytest.UsageError(f"{metafunc.definition.nodeid} would not run on every engine: it uses no store")
    else:
        every = "tests/spec/" in path or path.endswith("tests/cli/test_backup.py")
        engines = [
            pytest.param(engine, marks=MARKS.get(engine, ()))
            for engine in sorted(ENGINES)
            if every or engine == "embedded"
        ]
        metafunc.parametrize("store_url", engines, indirect=True)


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh store of an engine."""
    url = ENGINES[request.param](tmp_path)
    yield url
    if request.param == "mongo":
        mongod.drop(url)


@pytest.fixture
def start_settings() -> dict[str, Any]:
    """Settings of `server` that differ from the defaults; a test module overrides this fixture."""
    return {}


@pytest.fixture
async def start(
    store_url: str, tmp_path: Path, clock: Clock, ids: Ids
) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """`await start(max_entries=5)` -> a running server; all are stopped after the test."""
    running: list[Running] = []

    async def start(**settings: Any) -> Running:
        values = {"store": store_url, "data_folder": str(tmp_path), "open": True, **settings}
        running.append(await run_server(clock=clock, ids=ids, **values))
        return running[-1]

    yield start
    for each in running:
        await each.stop()


@pytest.fixture
async def server(start: Callable[..., Awaitable[Running]], start_settings: dict[str, Any]) -> Running:
    return await start(**start_settings)


@pytest.fixture
def fhir(server: Running) -> Client:
    return server.client


@pytest.fixture
def given(server: Running) -> Callable[..., Awaitable[None]]:
    """Stores resources by PUT under the ids they have, in order, and asserts that each was taken."""

    async def given(*resources: dict[str, Any]) -> None:
        for resource in resources:
            answer = await server.client.put(f"{resource['resourceType']}/{resource['id']}", resource)
            assert answer.status in (200, 201), answer.json

    return given


# ---------------------------------------------------------------- groups that need something installed


def skipped_groups(config: pytest.Config) -> dict[str, int]:
    """Marker -> number of its tests that were skipped in this run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    counts = {name: sum(1 for report in skipped if name in report.keywords) for name in GROUPS}
    return {name: count for name, count in counts.items() if count}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI everything is installed: a group that is skipped there hides something."""
    mongod.release()
    if os.environ.get("ONECARD_CI") == "1" and skipped_groups(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, count in skipped_groups(config).items():
        terminalreporter.write_line(f"SKIPPED GROUP {name}: {count} tests need {GROUPS[name]}")
