"""Fixtures for pytest: ``bulkd`` is an environment of the test's own, with Courier's SDKs pointed at it."""

from __future__ import annotations

import os
import uuid
from typing import Generator, Iterator, Optional, Tuple

import pytest

from ._daemon import Daemon
from ._environment import Environment

if int(pytest.__version__.split(".")[0]) < 8:
    raise pytest.UsageError(
        f"bulkd's fixtures need pytest 8 or newer, found {pytest.__version__}; with '-p no:bulkd' pytest runs without them"
    )

_ENVIRONMENT = pytest.StashKey[Environment]()


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "flags for the daemon of the fixture 'bulkd', such as --contract live"
    parser.addini("bulkd_flags", about, type="args", default=[])
    about = "use the daemon at this address, and start none; also BULKD_URL. BULKD_CA is the authority of its https"
    parser.getgroup("bulkd").addoption("--bulkd-url", default=None, help=about)


@pytest.fixture(scope="session")
def _bulkd_place(pytestconfig: pytest.Config) -> Iterator[Tuple[str, Optional[str]]]:
    given: Optional[str] = pytestconfig.getoption("--bulkd-url") or os.environ.get("BULKD_URL")
    if given:
        yield given, os.environ.get("BULKD_CA")
        return
    with Daemon.start(pytestconfig.getini("bulkd_flags")) as daemon:
        yield daemon.base_url, daemon.ca


@pytest.fixture(scope="session")
def bulkd_url(_bulkd_place: Tuple[str, Optional[str]]) -> str:
    """The address of the session's daemon. With pytest-xdist each worker has one."""
    return _bulkd_place[0]


@pytest.fixture
def bulkd(
    _bulkd_place: Tuple[str, Optional[str]], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Environment:
    """A fresh environment. ``COURIER_BASE_URL`` and ``COURIER_API_KEY`` point Courier's SDKs at it."""
    url, ca = _bulkd_place
    environment = Environment(url, f"test-{uuid.uuid4().hex}", ca)
    for name, value in environment.variables().items():
        monkeypatch.setenv(name, value)
    request.node.stash[_ENVIRONMENT] = environment
    return environment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its environment was asked for, and what the doctor has found."""
    report = yield
    environment = item.stash.get(_ENVIRONMENT, None)
    if report.failed and environment is not None:
        try:
            text = environment.report()
        except Exception as error:
            # An error of a hook ends the whole run, and whatever is at the address may answer anything.
            text = f"bulkd does not say what happened: {type(error).__name__}: {error}"
        if text:
            report.sections.append(("bulkd", text))
    return report
