"""An application that has Courier's address in its code, redirected to a daemon that speaks https."""

from __future__ import annotations

import socket
from typing import Any, Iterator
from urllib.parse import urlsplit

import pytest
from courier import APIConnectionError, Courier

from bulkd import Daemon


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon.start(["--tls"]) as started:
        yield started


@pytest.fixture(autouse=True)
def redirected(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an entry of the hosts file does, and the port, which a test cannot take."""
    find, port = socket.getaddrinfo, urlsplit(daemon.base_url).port

    def here(host: Any, asked: Any, *rest: Any, **more: Any) -> Any:
        return find("127.0.0.1", port, *rest, **more) if host == "api.courier.com" else find(host, asked, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)


def welcome(courier: Courier) -> None:
    message = {"to": {"email": "ada@example.com"}, "content": {"title": "Welcome", "body": "Hello."}}
    courier.send.message(message=message)  # type: ignore[arg-type]


def test_the_sdk_reaches_it_as_couriers(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    assert daemon.ca is not None
    monkeypatch.setenv("SSL_CERT_FILE", daemon.ca)
    environment = daemon.environment()
    courier = Courier(api_key=environment.api_key)
    assert str(courier.base_url).startswith("https://api.courier.com")
    welcome(courier)
    assert environment.wait_for_message(recipient="ada@example.com").subject == "Welcome"
    assert environment.variables()["SSL_CERT_FILE"] == daemon.ca
    assert environment.requests()[0]["request"]["headers"]["host"] == "api.courier.com"


def test_who_does_not_trust_the_authority_is_not_heard(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    environment = daemon.environment()
    with pytest.raises(APIConnectionError):
        welcome(Courier(api_key=environment.api_key, max_retries=0))
    assert environment.requests() == []
