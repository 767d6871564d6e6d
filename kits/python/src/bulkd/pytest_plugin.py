"""Fixtures for pytest: ``bulkd`` is an environment of the test's own, with Courier's SDKs pointed at it."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from http.client import HTTPException
from typing import Generator, Iterator, Optional, Tuple

import pytest

from ._daemon import Daemon, StartError
from ._environment import Environment
from ._http import Http

if int(pytest.__version__.split(".")[0]) < 8:
    raise pytest.UsageError(
        f"bulkd's fixtures need pytest 8 or newer, found {pytest.__version__}; with '-p no:bulkd' pytest runs without them"
    )


@dataclass(frozen=True)
class _Place:
    url: str
    ca: Optional[str]
    #: None where its address was given.
    daemon: Optional[Daemon]

    def ended(self, wait: float = 0) -> Optional[str]:
        return None if self.daemon is None else self.daemon.ended(wait)


_ENVIRONMENT = pytest.StashKey[Tuple[Environment, _Place]]()
#: For the answer of a daemon that others have started.
_ANSWER_SECONDS = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "flags for the daemon of the fixture 'bulkd', such as --contract live"
    parser.addini("bulkd_flags", about, type="args", default=[])
    about = "use the daemon at this address, and start none; also BULKD_URL. BULKD_CA is the authority of its https"
    parser.getgroup("bulkd").addoption("--bulkd-url", default=None, help=about)


def _wrong_with(name: str, url: str, ca: Optional[str]) -> Optional[str]:
    """Why the address that was given is none of a daemon."""
    at = f"at {url}, which {name} names"
    try:
        status, answer = Http(url, "test", ca).call("GET", "/_bulkd/health", patience=_ANSWER_SECONDS)
    except (OSError, ValueError, HTTPException) as error:
        trusted = ""
        if url.startswith("https:"):
            trusted = f"; BULKD_CA, the file with the authority of its https, is {ca or 'not set'}"
        return f"no bulkd answers {at}: {error}{trusted}"
    if status == 200:
        return None
    why = answer.get("message", "") if isinstance(answer, dict) else ""
    return f"no bulkd answers {at}: the answer to GET /_bulkd/health has status {status}{why and ': '}{why}"


@pytest.fixture(scope="session")
def _bulkd_place(pytestconfig: pytest.Config) -> Iterator[_Place]:
    option: Optional[str] = pytestconfig.getoption("--bulkd-url")
    name, given = ("--bulkd-url", option) if option else ("BULKD_URL", os.environ.get("BULKD_URL"))
    if given:
        ca = os.environ.get("BULKD_CA")
        wrong = _wrong_with(name, given, ca)
        if wrong:
            pytest.fail(wrong, pytrace=False)
        yield _Place(given, ca, None)
        return
    try:
        daemon = Daemon.start(pytestconfig.getini("bulkd_flags"))
    except StartError as error:
        pytest.fail(str(error), pytrace=False)
    with daemon:
        yield _Place(daemon.base_url, daemon.ca, daemon)


@pytest.fixture(scope="session")
def bulkd_url(_bulkd_place: _Place) -> str:
    """The address of the session's daemon. With pytest-xdist each worker has one."""
    return _bulkd_place.url


@pytest.fixture
def bulkd(_bulkd_place: _Place, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A fresh environment. ``COURIER_BASE_URL`` and ``COURIER_API_KEY`` point Courier's SDKs at it."""
    ended = _bulkd_place.ended()
    if ended:
        pytest.fail(ended, pytrace=False)
    environment = Environment(_bulkd_place.url, f"test-{uuid.uuid4().hex}", _bulkd_place.ca)
    for name, value in environment.variables().items():
        monkeypatch.setenv(name, value)
    request.node.stash[_ENVIRONMENT] = environment, _bulkd_place
    return environment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its environment was asked for, and what the doctor has found."""
    report = yield
    environment, place = item.stash.get(_ENVIRONMENT, (None, None))
    if report.failed and environment is not None and place is not None:
        try:
            text = environment.report()
        except Exception as error:
            # An error of a hook ends the whole run, and whatever is at the address may answer anything. A process that
            # was killed has its port no longer than its parent knows of its end.
            refused = isinstance(error, ConnectionError)
            text = place.ended(wait=1 if refused else 0) or f"bulkd does not say what happened: {type(error).__name__}: {error}"
        if text:
            report.sections.append(("bulkd", text))
    return report
