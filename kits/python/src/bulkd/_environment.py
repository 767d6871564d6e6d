"""All of a test's own: an API key, and what the daemon holds for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Mapping, Optional, Sequence, Union
from urllib.parse import quote

from ._errors import NotMet, Refused
from ._http import Http
from ._message import Message
from ._words import criteria

Span = Union[str, int, float, timedelta]


def _span(span: Span) -> Union[str, int]:
    """As the daemon reads it: text as it is, numbers in seconds."""
    if isinstance(span, str):
        return span
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    return round(seconds * 1000)


@dataclass(frozen=True)
class Finding:
    """What passed here and would hurt at Courier. ``raw`` has all members."""

    raw: dict[str, Any]

    @property
    def check(self) -> str:
        return str(self.raw["check"])

    @property
    def level(self) -> str:
        return str(self.raw["level"])

    def __str__(self) -> str:
        lines = [f"{self.level} {self.check}: {self.raw.get('title') or self.raw.get('found') or ''}".rstrip(": ")]
        lines += [f"  seen: {seen.get('what')}" for seen in self.raw.get("seen") or []]
        lines += [f"  do: {self.raw['advice']}"] if self.raw.get("advice") else []
        return "\n".join(lines)


class Fault:
    """A fault that was set."""

    def __init__(self, environment: "Environment", fault_id: str) -> None:
        self._environment = environment
        self.fault_id = fault_id

    @property
    def raw(self) -> dict[str, Any]:
        """How it stands: ``seen``, ``fired``, ``left``."""
        cursor = None
        while True:
            page = self._environment.http.ask("GET", "/_bulkd/faults", query={"cursor": cursor})
            for fault in page["items"]:
                if fault["fault_id"] == self.fault_id:
                    return dict(fault)
            cursor = page["paging"].get("cursor")
            if not page["paging"]["more"] or cursor is None:
                raise Refused(404, f"there is no fault {self.fault_id} any more")

    @property
    def fired(self) -> int:
        """How many requests it has hit."""
        return int(self.raw["fired"])

    def assert_met(self) -> None:
        """Fails if it has hit nothing: a test that wants to see a failure is to have seen it."""
        fault = self.raw
        if not fault["fired"]:
            raise AssertionError(f"the fault {self.fault_id} has hit nothing; {fault['seen']} requests matched it: {fault}")

    def remove(self) -> None:
        self._environment.http.ask("DELETE", f"/_bulkd/faults/{quote(self.fault_id, safe='')}")


class Clock:
    """The daemon's clock, which goes on by itself and can be moved forward. It is that of all environments."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def now(self) -> datetime:
        at = str(self._http.ask("GET", "/_bulkd/clock")["now"])
        return datetime.fromisoformat(at.replace("Z", "+00:00"))

    def advance(self, by: Span) -> dict[str, Any]:
        """Moves it: ``"1h30m"``, a timedelta, or seconds. What that has led to is done when this returns."""
        return dict(self._http.ask("POST", "/_bulkd/clock/advance", {"by": _span(by)}))

    def freeze(self) -> None:
        self._http.ask("PUT", "/_bulkd/clock", {"frozen": True})

    def run(self) -> None:
        self._http.ask("PUT", "/_bulkd/clock", {"frozen": False})


class Environment:
    """What a key has: jobs, outbox, templates, profiles, faults. Nothing of another key's is seen."""

    def __init__(self, base_url: str, api_key: str, ca: Optional[str] = None) -> None:
        self.base_url = base_url
        self.api_key = api_key
        #: Where the daemon speaks https, the file with the certificate of its authority.
        self.ca = ca
        self.http = Http(base_url, api_key, ca)
        self.clock = Clock(self.http)

    def variables(self) -> dict[str, str]:
        """The environment variables that point Courier's SDKs here."""
        variables = {
            "COURIER_BASE_URL": self.base_url,
            "COURIER_API_KEY": self.api_key,
            # Older SDKs.
            "COURIER_AUTH_TOKEN": self.api_key,
        }
        if self.ca is not None:
            variables["SSL_CERT_FILE"] = self.ca
        return variables

    # Waiting

    def wait_for_message(self, *, timeout: float = 10, after: Optional[str] = None, **wanted: Any) -> Message:
        """The first message that fits, as soon as there is one: ``recipient="ada", subject=contains("invoice")``.

        Fails with `NotMet`, whose text says what came nearest.
        """
        answer = self._wait_for(wanted, {"at_least": 1}, timeout, after)
        return self._message(answer["items"][0])

    def wait_for_messages(
        self, count: int, *, timeout: float = 10, after: Optional[str] = None, **wanted: Any
    ) -> list[Message]:
        """Exactly so many messages, when nothing goes on any more. At most 100 of them are given."""
        answer = self._wait_for(wanted, {"exactly": count}, timeout, after)
        return [self._message(item) for item in answer["items"]]

    def wait_for_none(self, *, timeout: float = 10, after: Optional[str] = None, **wanted: Any) -> None:
        """No message that fits, when nothing goes on any more."""
        self._wait_for(wanted, {"none": True}, timeout, after)

    def wait_for_job(self, job_id: str, status: str = "COMPLETED", *, timeout: float = 10) -> dict[str, Any]:
        """The job, as soon as it has this status."""
        answer = self._wait({"job_id": job_id, "status": status}, timeout)
        return dict(answer["items"][0])

    def settle(self, *, timeout: float = 10) -> None:
        """Returns when no job is on its way, no message is due, and webhooks were told all."""
        self._wait({"settled": True}, timeout)

    def _wait_for(
        self, wanted: Mapping[str, Any], count: Mapping[str, Any], timeout: float, after: Optional[str]
    ) -> dict[str, Any]:
        condition: dict[str, Any] = {"outbox": criteria(wanted), "count": dict(count)}
        if after is not None:
            condition["after"] = after
        return self._wait(condition, timeout)

    def _wait(self, condition: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        body = {**condition, "timeout_ms": round(timeout * 1000)}
        status, answer = self.http.call("POST", "/_bulkd/wait", body)
        if status == 412:
            raise NotMet(answer)
        if status != 200:
            message = answer.get("message") if isinstance(answer, dict) else answer
            raise Refused(status, str(message))
        return dict(answer)

    # Looking

    def outbox(self, **filters: Any) -> list[Message]:
        """The messages that fit the filters of ``GET /_bulkd/outbox``, oldest first; 1,000 entries at most."""
        query = {"order": "asc", "limit": 1000, **filters}
        items = self.http.ask("GET", "/_bulkd/outbox", query=query)["items"]
        seen: dict[str, dict[str, Any]] = {}
        for item in items:
            seen.setdefault(item["message_id"], item)
        return [self._message(item) for item in seen.values()]

    def message(self, message_id: str) -> Message:
        return Message(self.http.ask("GET", f"/_bulkd/outbox/{quote(message_id, safe='')}"))

    def _message(self, item: Mapping[str, Any]) -> Message:
        whole = self.message(item["message_id"])
        for place, delivery in enumerate(whole.deliveries):
            if all(delivery.raw.get(name) == item.get(name) for name in ("channel", "provider", "address")):
                return Message(whole.raw, place)
        return whole

    def jobs(self, status: Optional[str] = None) -> list[dict[str, Any]]:
        """The newest jobs, 1,000 at most."""
        return list(self.http.ask("GET", "/_bulkd/jobs", query={"status": status, "limit": 1000})["items"])

    def requests(self, unmatched: bool = False, limit: int = 100) -> list[dict[str, Any]]:
        """The last requests, the newest first."""
        query = {"unmatched": "true" if unmatched else None, "limit": limit}
        return list(self.http.ask("GET", "/_bulkd/requests", query=query)["items"])

    def doctor(self) -> list[Finding]:
        """What passed here and would hurt at Courier, the worst first."""
        return [Finding(finding) for finding in self.http.ask("GET", "/_bulkd/doctor")["items"]]

    # Steering

    def fault(self, preset: Optional[str] = None, **given: Any) -> Fault:
        """Has a request fail: ``fault("lost-answer")``, ``fault(method="POST", path="/bulk", status=503, call=2)``."""
        body = dict(given) if preset is None else {"preset": preset, **given}
        return Fault(self, self.http.ask("POST", "/_bulkd/faults", body)["fault_id"])

    def outcome(self, status: str, **given: Any) -> None:
        """How messages to an ``address`` or ``recipient`` end from now on."""
        self.http.ask("PUT", "/_bulkd/outcomes", {"status": status, **given})

    def happen(self, message_id: str, status: str, **given: Any) -> None:
        """Something that happens to a message that went out, such as ``"OPENED"``."""
        self.http.ask("POST", f"/_bulkd/messages/{quote(message_id, safe='')}/events", {"status": status, **given})

    def lifecycle(self, mode: str, **given: Any) -> None:
        """How jobs go on: ``instant``, ``paced``, ``manual``, ``hold`` or ``polls``."""
        self.http.ask("PUT", "/_bulkd/lifecycle", {"mode": mode, **given})

    def step(self, job_id: str, users: int = 1) -> dict[str, Any]:
        """Lets so many users of a job that waits for steps have their turn."""
        return dict(self.http.ask("POST", "/_bulkd/step", {"job_id": job_id, "users": users}))

    def snapshot(self, name: str) -> None:
        self.http.ask("PUT", f"/_bulkd/snapshots/{quote(name, safe='')}")

    def restore(self, name: str) -> None:
        self.http.ask("POST", f"/_bulkd/snapshots/{quote(name, safe='')}/restore")

    def reset(self) -> None:
        """Throws all away that the environment has."""
        self.http.ask("POST", "/_bulkd/reset")

    def report(self) -> str:
        """What a person wants to see beside a failed test: the last requests, and the doctor's findings."""
        sections: list[Sequence[str]] = []
        requests = self.requests(limit=10)
        if requests:
            lines = [f"{it['method']} {it['path']} -> {it['status']}" for it in reversed(requests)]
            sections.append(["The last requests:", *(f"  {line}" for line in lines)])
        findings = [finding for finding in self.doctor() if finding.level != "info"]
        if findings:
            sections.append(["What would hurt at Courier:", *(str(finding) for finding in findings)])
        return "\n".join("\n".join(section) for section in sections)
