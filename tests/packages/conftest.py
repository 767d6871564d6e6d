"""Where the packages are, and the archive of this machine's platform, unpacked."""

import platform
import re
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
TARGET = f"{platform.machine()}-unknown-linux-musl"
NAME = f"bulkd-{TARGET}-v{VERSION}"


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
