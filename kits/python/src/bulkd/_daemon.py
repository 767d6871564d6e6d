"""The daemon as a process of the tests."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
import weakref
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO, Optional, Sequence, Type

from ._environment import Environment
from ._errors import BulkdError

#: Lines of the daemon's log that are kept for an error.
_LINES = 200
_START_SECONDS = 30
_STOP_SECONDS = 20
#: For the end of its output, which a process that it has started may hold open.
_READ_SECONDS = 5

_ADDRESS = re.compile(r"^bulkd answers on (https?://[^\s,;]+)")
_AUTHORITY = re.compile(r"^The certificate of its authority is (.*)$")


class StartError(BulkdError):
    """The daemon did not start. The text has what it said."""


def find_binary() -> str:
    """The daemon's file: ``BULKD_BINARY``, that of this package, or the one on the ``PATH``."""
    given = os.environ.get("BULKD_BINARY")
    if given:
        return given
    name = "bulkd.exe" if sys.platform == "win32" else "bulkd"
    folders = [sysconfig.get_path("scripts")]
    # Installed with --user.
    if sys.version_info >= (3, 10):
        folders.append(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))
    else:
        known = sysconfig.get_scheme_names()
        folders += [sysconfig.get_path("scripts", it) for it in ("osx_framework_user", "posix_user") if it in known]
    # Installed with --target, which has the package in the folder itself, and with --prefix, which has it in
    # lib/python3.x/site-packages.
    above = list(Path(__file__).resolve().parents)[1:]
    folders += [str(folder / "bin") for folder in (*above[:1], *above[3:4])]
    for folder in folders:
        path = Path(folder) / name
        if path.is_file():
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise StartError(f"there is no file {name} in {', '.join(folders)}, nor on the PATH")
    return found


class _Output:
    """What the daemon says. It is read as it comes, so that the daemon never waits for a reader."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.log: "deque[str]" = deque(maxlen=_LINES)
        #: Stream and line; None at the end of a stream. Until it has started.
        self.said: "queue.Queue[tuple[int, Optional[str]]]" = queue.Queue()
        self._started = threading.Event()
        self._streams = [it for it in (process.stdout, process.stderr) if it is not None]
        self._readers = [
            threading.Thread(target=self._read, args=(place, stream, stream is process.stderr), daemon=True)
            for place, stream in enumerate(self._streams)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, place: int, stream: IO[str], is_log: bool) -> None:
        for line in stream:
            if is_log:
                self.log.append(line)
            if not self._started.is_set():
                self.said.put((place, line))
        self.said.put((place, None))

    def wait_for_address(self, seconds: float) -> tuple[str, Optional[str]]:
        """The address, and the authority's file where it speaks https. It is said on standard output, or on standard
        error where messages are delivered to standard output. Raises `StartError` with all that was said instead."""
        until = time.monotonic() + seconds
        said: list[str] = []
        address, where, open_streams = "", -1, len(self._streams)
        while open_streams:
            try:
                place, line = self.said.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                raise StartError(f"has not said its address within {seconds:g} s:\n{''.join(said)}") from None
            if line is None:
                open_streams -= 1
                continue
            said.append(line)
            found = None if address else _ADDRESS.search(line)
            if found is not None:
                address, where = found.group(1), place
            # The authority is told right behind it.
            if address.startswith("http:") or (found is None and place == where):
                self._started.set()
                authority = _AUTHORITY.search(line)
                return address, authority and authority.group(1)
        raise StartError(f"did not start:\n{''.join(said)}")

    def close(self) -> None:
        """When the process has ended."""
        for reader, stream in zip(self._readers, self._streams):
            reader.join(_READ_SECONDS)
            # One that is being read cannot be closed.
            if not reader.is_alive():
                stream.close()

    def wait(self) -> None:
        for reader in self._readers:
            reader.join(_READ_SECONDS)


class Daemon:
    """A daemon of its own: on a free port, with a file that is thrown away, and a clock that can be moved.

    It ends with this process, however that ends: it holds the other end of its standard input.
    """

    def __init__(self, process: "subprocess.Popen[str]", output: _Output, base_url: str, ca: Optional[str] = None) -> None:
        self._process = process
        self._output = output
        self.base_url = base_url
        #: With ``--tls`` the file with the certificate of its authority.
        self.ca = ca

    @classmethod
    def start(
        cls, flags: Sequence[str] = (), binary: Optional[str] = None, timeout: float = _START_SECONDS
    ) -> "Daemon":
        """Starts it, and returns when it answers. ``flags`` come behind those that tests need."""
        command = [binary or find_binary(), "--ephemeral", "--listen", "127.0.0.1:0", "--test-clock", "--log", "warn"]
        command += ["--stop-with-stdin", *flags]
        # Settings of a daemon that this machine has otherwise are not meant.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BULKD_")}
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
            )
        except OSError as error:
            raise StartError(f"{command[0]} cannot be started: {error}") from error
        _PROCESSES.add(process)
        output = _Output(process)
        try:
            address, authority = output.wait_for_address(timeout)
        except BaseException as error:
            process.kill()
            _close(process, output)
            if isinstance(error, StartError):
                raise StartError(f"{' '.join(command)} {error}".rstrip()) from None
            raise
        return cls(process, output, address, authority)

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def environment(self, api_key: Optional[str] = None) -> Environment:
        """The environment of a key, by default of a new one, which has nothing yet."""
        return Environment(self.base_url, api_key or f"test-{uuid.uuid4().hex}", self.ca)

    def log(self) -> str:
        """The last lines of its log, from warnings on."""
        return "".join(self._output.log)

    def ended(self, wait: float = 0) -> Optional[str]:
        """How it has ended, with the last lines of its log. `None` while it runs, so many seconds more."""
        try:
            code = self._process.wait(wait) if wait else self._process.poll()
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            return None
        self._output.wait()
        return f"bulkd ended with {_end(code)}; its log:\n{self.log() or 'is empty'}".rstrip()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        _close(self._process, self._output)

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()


def _close(process: "subprocess.Popen[str]", output: _Output) -> None:
    """Waits for a process that was told to end, and closes what is left of it here."""
    process.wait()
    output.close()
    if process.stdin is not None:
        process.stdin.close()


def _end(code: int) -> str:
    if code >= 0:
        return f"code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


_PROCESSES: "weakref.WeakSet[subprocess.Popen[str]]" = weakref.WeakSet()


def _forked() -> None:
    """A process that is forked off this one, as multiprocessing does it, keeps no daemon running."""
    for process in list(_PROCESSES):
        if process.stdin is not None:
            process.stdin.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
