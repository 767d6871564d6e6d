"""The daemon as a process of the tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import uuid
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Iterable, Optional, Sequence, Type

from ._environment import Environment
from ._errors import BulkdError

#: Lines of the daemon's log that are kept for an error.
_LINES = 200
_STOP_SECONDS = 20


class StartError(BulkdError):
    """The daemon did not start. The text has what it said."""


def find_binary() -> str:
    """The daemon's file: ``BULKD_BINARY``, that of this package, or the one on the ``PATH``."""
    given = os.environ.get("BULKD_BINARY")
    if given:
        return given
    name = "bulkd.exe" if sys.platform == "win32" else "bulkd"
    folders = [sysconfig.get_path("scripts")]
    # Installed with --user, --prefix or --target.
    scheme = "nt_user" if sys.platform == "win32" else "posix_user"
    if scheme in sysconfig.get_scheme_names():
        folders.append(sysconfig.get_path("scripts", scheme))
    package = Path(__file__).resolve().parent
    folders += [str(package.parents[2] / "bin"), str(package.parent / "bin")]
    for folder in folders:
        path = Path(folder) / name
        if path.is_file():
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise StartError(f"there is no file {name} in {', '.join(folders)}, nor on the PATH")
    return found


class Daemon:
    """A daemon of its own: on a free port, with a file that is thrown away, and a clock that can be moved."""

    def __init__(
        self, process: "subprocess.Popen[str]", base_url: str, lines: "deque[str]", ca: Optional[str] = None
    ) -> None:
        self._process = process
        self._lines = lines
        self.base_url = base_url
        #: With ``--tls`` the file with the certificate of its authority.
        self.ca = ca

    @classmethod
    def start(cls, flags: Sequence[str] = (), binary: Optional[str] = None) -> "Daemon":
        """Starts it, and returns when it answers. ``flags`` come behind those that tests need."""
        command = [binary or find_binary(), "--ephemeral", "--listen", "127.0.0.1:0", "--test-clock", "--log", "warn", *flags]
        # Settings of a daemon that this machine has otherwise are not meant.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BULKD_")}
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
            )
        except OSError as error:
            raise StartError(f"{command[0]} cannot be started: {error}") from error
        lines: "deque[str]" = deque(maxlen=_LINES)
        assert process.stdout is not None and process.stderr is not None
        log = threading.Thread(target=_keep, args=(process.stderr, lines), daemon=True)
        log.start()
        first = process.stdout.readline()
        address = re.search(r"https?://[^\s,;]+", first)
        if address is None:
            process.kill()
            process.wait()
            log.join(_STOP_SECONDS)
            raise StartError(f"{' '.join(command)} did not start:\n{first}{''.join(lines)}".rstrip())
        # The authority is told before anything else.
        second = process.stdout.readline() if address.group().startswith("https:") else ""
        authority = re.fullmatch(r"The certificate of its authority is (.*)\n", second)
        threading.Thread(target=_keep, args=(process.stdout, deque(maxlen=1)), daemon=True).start()
        return cls(process, address.group(), lines, authority and authority.group(1))

    def environment(self, api_key: Optional[str] = None) -> Environment:
        """The environment of a key, by default of a new one, which has nothing yet."""
        return Environment(self.base_url, api_key or f"test-{uuid.uuid4().hex}", self.ca)

    def log(self) -> str:
        """The last lines of its log, from warnings on."""
        return "".join(self._lines)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()


def _keep(stream: Iterable[str], lines: "deque[str]") -> None:
    """Reads all that comes, so that the daemon never waits for a reader."""
    for line in stream:
        lines.append(line)
