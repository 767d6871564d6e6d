"""No daemon is left behind, however a run of pytest ends, and one that ends by itself is said to have ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator
from urllib.parse import urlsplit

import pytest

import bulkd as kit
from bulkd import Daemon, StartError

#: A test that says where its daemon is, and then does not end by itself.
STAYS = """
import os, pathlib, threading
import pytest

@pytest.mark.parametrize("n", range({tests}))
def test_stays(bulkd, n):
    place = pathlib.Path(os.environ["TOLD"])
    (place / f"{{n}}.new").write_text(bulkd.base_url)
    (place / f"{{n}}.new").rename(place / f"{{n}}.url")
    {then}
"""


def wait_until(what: str, is_so: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"never so: {what}"
        time.sleep(0.02)


def answers(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), timeout=10).close()
    except ConnectionError:
        return False
    return True


class Run:
    """A run of pytest in a process of its own."""

    def __init__(self, folder: Path, then: str, flags: "list[str]", tests: int) -> None:
        self.told = folder
        (folder / "test_stays.py").write_text(STAYS.format(tests=tests, then=then))
        environment = {**os.environ, "TOLD": str(folder)}
        for name in ("BULKD_URL", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID"):
            environment.pop(name, None)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, "test_stays.py"]
        # A script's background has some of them ignored, and so has all that is started there.
        def heed() -> None:
            for it in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(it, signal.SIG_DFL)

        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, preexec_fn=heed
        )
        self.tests = tests

    def urls(self) -> "set[str]":
        wait_until("all tests are on their way", lambda: len(list(self.told.glob("*.url"))) == self.tests)
        return {file.read_text() for file in self.told.glob("*.url")}


def ends(folder: Path, then: str, flags: "list[str]", tests: int, by: "signal.Signals | None") -> None:
    run = Run(folder, then, flags, tests)
    try:
        urls = run.urls()
        assert len(urls) == tests
        if by is not None:
            assert all(answers(url) for url in urls)
            run.process.send_signal(by)
        run.process.wait(120)
        wait_until(f"no daemon is left of {urls}", lambda: not any(answers(url) for url in urls))
    finally:
        run.process.kill()
        run.process.wait()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL, signal.SIGINT])
def test_a_signal_to_pytest_ends_the_daemon(tmp_path: Path, by: signal.Signals) -> None:
    ends(tmp_path, "threading.Event().wait()", [], 1, by)


def test_a_process_that_is_left_at_once_ends_the_daemon(tmp_path: Path) -> None:
    # As pytest-timeout does it with its method 'thread'.
    ends(tmp_path, "os._exit(1)", [], 1, None)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_xdist_ends_the_daemons_of_its_workers(tmp_path: Path, by: signal.Signals) -> None:
    pytest.importorskip("xdist")
    ends(tmp_path, "threading.Event().wait()", ["-n", "2"], 2, by)


def test_what_is_forked_off_keeps_no_daemon_running(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\nfrom bulkd import Daemon\nurl = Daemon.start().base_url\n"
        "if os.fork() == 0:\n    os.close(1)\n    os.read(0, 1)\n    os._exit(0)\n"
        "print(url, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    process = subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        wait_until(f"no daemon is left at {url}", lambda: not answers(url))


def test_a_daemon_that_has_ended_is_said_to_have_ended(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, signal

        def test_one(bulkd, _bulkd_place):
            os.kill(_bulkd_place.daemon.pid, signal.SIGKILL)
            _bulkd_place.daemon._process.wait()
            bulkd.jobs()

        def test_two(bulkd):
            pass

        def test_three():
            pass
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, errors=1, passed=1)
    ended = "bulkd ended with signal SIGKILL; its log:"
    result.stdout.fnmatch_lines(["*ERROR at setup of test_two*", ended, "*test_one*", "*ConnectionRefused*", "*- bulkd -*", ended])


def test_how_a_daemon_has_ended_comes_with_its_log() -> None:
    with Daemon.start() as daemon:
        daemon.environment().http.ask("POST", "/bulk", {"message": {"template": "nt_1"}})
        assert daemon.ended() is None
        os.kill(daemon.pid, signal.SIGTERM)
        told = daemon.ended(wait=60)
        assert told is not None and told.startswith("bulkd ended with code 0; its log:\n"), told
        assert "no-event" in told


@pytest.mark.parametrize("by", ["option", "variable"])
def test_an_address_where_nothing_answers_is_said_with_its_name(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    pytester.makepyfile("def test_one(bulkd):\n    pass\n\n\ndef test_two(bulkd):\n    pass")
    if by == "variable":
        monkeypatch.setenv("BULKD_URL", url)
    result = pytester.runpytest(*(["--bulkd-url", url] if by == "option" else []))
    result.assert_outcomes(errors=2)
    name = "BULKD_URL" if by == "variable" else "--bulkd-url"
    result.stdout.fnmatch_lines([f"no bulkd answers at {url}, which {name} names: *Connection refused*"])


@pytest.mark.parametrize("url", ["127.0.0.1:4010", "http://127.0.0.1:port", "https://127.0.0.1:1"])
def test_an_address_that_is_none_is_said_with_its_name(pytester: pytest.Pytester, url: str) -> None:
    pytester.makepyfile("def test_one(bulkd):\n    pass")
    result = pytester.runpytest("--bulkd-url", url)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"no bulkd answers at {url}, which --bulkd-url names: *"])


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    def make(text: str) -> str:
        file = tmp_path / "script"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return str(file)

    yield make


def test_a_daemon_that_does_not_say_its_address_is_not_waited_for(script: Callable[[str], str]) -> None:
    with pytest.raises(StartError, match=r"--stop-with-stdin has not said its address within 3 s:\nstill busy$"):
        Daemon.start(binary=script("echo still busy >&2; read line"), timeout=3)


def test_a_daemon_starts_whose_messages_go_to_standard_output(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nbulkd_flags = --deliver all=-")
    pytester.makepyfile("def test_one(bulkd):\n    assert bulkd.jobs() == []")
    pytester.runpytest().assert_outcomes(passed=1)


def test_warnings_that_are_errors_are_none_of_this_kit(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import gc
        import pytest
        from bulkd import Daemon, StartError

        def test_one(bulkd):
            with pytest.raises(StartError):
                Daemon.start(["--nothing"])
            Daemon.start().stop()
            gc.collect()

        def test_two(bulkd):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=2)
    assert "Warning" not in result.stdout.str() + result.stderr.str()
    assert result.ret == 0


@pytest.mark.parametrize("way", ["lib/python3.11/site-packages", "."])
def test_the_binary_is_found_where_pip_puts_it(tmp_path: Path, way: str) -> None:
    """With --prefix, and with --target."""
    package, binary = tmp_path / way / "bulkd", tmp_path / "bin" / "bulkd"
    shutil.copytree(Path(kit.__file__).parent, package)
    binary.parent.mkdir()
    binary.touch(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "BULKD_BINARY"}
    # The interpreter's own scripts come first: there are none where it is another's.
    program = "import sysconfig; sysconfig.get_path = lambda *_: '/nowhere'; import bulkd; print(bulkd.find_binary())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "PYTHONPATH": str(package.parent), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(binary), done.stderr


def test_only_the_last_that_failed_run_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(bulkd):\n    bulkd.wait_for_message(timeout=0)\n\n\ndef test_two(bulkd):\n    pass")
    pytester.runpytest().assert_outcomes(failed=1, passed=1)
    pytester.runpytest("--lf").assert_outcomes(failed=1)


def test_pytest_runs_without_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(bulkd):\n    pass\n\n\ndef test_two():\n    pass")
    result = pytester.runpytest_subprocess("-p", "no:bulkd")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*fixture 'bulkd' not found*"])
