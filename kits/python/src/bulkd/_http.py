"""Requests to the daemon. No proxy is asked: it is on this machine."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, Mapping, Optional
from urllib.parse import urlencode, urlsplit

from ._errors import Refused

#: Longer than any wait may last.
_PATIENCE_SECONDS = 120


class Http:
    def __init__(self, base_url: str, api_key: str, ca: Optional[str] = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected an http address such as http://127.0.0.1:4010, found {base_url!r}")
        self._parts = parts
        self._api_key = api_key
        self._ca = ca

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Optional[Mapping[str, Any]] = None,
        patience: float = _PATIENCE_SECONDS,
    ) -> tuple[int, Any]:
        """Status and body, which is `None` if there is none."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = self._parts.path.rstrip("/") + path + (f"?{urlencode(given)}" if given else "")
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._parts.scheme == "https":
            trusted = ssl.create_default_context(cafile=self._ca)
            connection = http.client.HTTPSConnection(host, port, timeout=patience, context=trusted)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=patience)
        try:
            headers = {"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"}
            text = None if body is None else json.dumps(body).encode()
            connection.request(method, target, text, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        return response.status, _read(answer)

    def ask(self, method: str, path: str, body: Any = None, query: Optional[Mapping[str, Any]] = None) -> Any:
        """The body of a success. Anything else is an error."""
        status, answer = self.call(method, path, body, query)
        if status >= 300:
            message = answer.get("message") if isinstance(answer, dict) else None
            raise Refused(status, str(message or answer))
        return answer


def _read(answer: bytes) -> Any:
    if not answer:
        return None
    try:
        return json.loads(answer)
    except ValueError:
        return answer.decode(errors="replace")
