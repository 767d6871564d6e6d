"""Where the packages are, the archive of this machine's platform, unpacked, and what speaks to a daemon of theirs."""

import json
import platform
import re
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
TARGET = f"{platform.machine()}-unknown-linux-musl"
NAME = f"bulkd-{TARGET}-v{VERSION}"
# What each package has beside the binary.
LICENCES = ["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.txt"]
PATIENCE = 60
WELCOME = {"message": {"to": {"email": "ada@example.com"}, "content": {"title": "Welcome", "body": "Hello."}}}
# Its zone is known without a file of the machine's.
IN_PARIS = {"message": {**WELCOME["message"], "delay": {"until": "2030-01-01T00:00:00", "timezone": "Europe/Paris"}}}


def pytest_addoption(parser):
    parser.addoption("--packages", type=Path, required=True)


def done(*command, **more):
    """What a command prints that ends well."""
    ended = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def call(url, path, body=None, key="test"):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=PATIENCE) as answer:
        return json.loads(answer.read() or "null")


def until_it_answers(url, log):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call(url, "/_bulkd/health")
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, log()
            time.sleep(0.1)


@pytest.fixture(scope="session")
def packages(request):
    return request.config.getoption("--packages")


@pytest.fixture(scope="session")
def archive(packages, tmp_path_factory):
    """The folder that the archive has."""
    folder = tmp_path_factory.mktemp("archive")
    with tarfile.open(packages / f"{NAME}.tgz") as tar:
        tar.extractall(folder, filter="data")
    return folder / NAME
