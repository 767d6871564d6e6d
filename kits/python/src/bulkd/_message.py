"""A message of the outbox, as a test wants to look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Optional, Pattern, Union


@dataclass(frozen=True)
class Delivery:
    """A message on one channel. ``raw`` has all members of the outbox's entry."""

    raw: dict[str, Any]

    @property
    def channel(self) -> str:
        return str(self.raw.get("channel"))

    @property
    def provider(self) -> str:
        return str(self.raw.get("provider"))

    @property
    def address(self) -> Optional[str]:
        return self.raw.get("address")

    @property
    def subject(self) -> Optional[str]:
        return self.raw.get("subject")

    @property
    def body(self) -> Optional[str]:
        return self.raw.get("body")

    @property
    def html(self) -> Optional[str]:
        return self.raw.get("html")

    @property
    def request(self) -> Any:
        """What the provider would have been given."""
        return self.raw.get("request")


@dataclass(frozen=True)
class Message:
    """A message with all its deliveries. ``raw`` is the whole answer of ``GET /_bulkd/outbox/{message_id}``.

    ``subject``, ``body`` and the like are those of the delivery that the test has asked for, or of the first.
    """

    raw: dict[str, Any]
    place: int = 0

    @property
    def message_id(self) -> str:
        return str(self.raw["message_id"])

    @property
    def recipient(self) -> str:
        return str(self.raw.get("recipient"))

    @property
    def status(self) -> str:
        return str(self.raw.get("status"))

    @property
    def deliveries(self) -> list[Delivery]:
        return [Delivery(raw) for raw in self.raw.get("deliveries") or []]

    @property
    def delivery(self) -> Delivery:
        deliveries = self.deliveries
        return deliveries[self.place] if self.place < len(deliveries) else Delivery({})

    @property
    def channel(self) -> str:
        return self.delivery.channel

    @property
    def address(self) -> Optional[str]:
        return self.delivery.address

    @property
    def subject(self) -> Optional[str]:
        return self.delivery.subject

    @property
    def body(self) -> Optional[str]:
        return self.delivery.body

    @property
    def html(self) -> Optional[str]:
        return self.delivery.html

    @property
    def request(self) -> Any:
        """What the provider would have been given."""
        return self.delivery.request

    @property
    def data(self) -> dict[str, Any]:
        """The merged data."""
        return {name: given["value"] for name, given in (self.raw.get("data") or {}).items()}

    @property
    def links(self) -> list[str]:
        return list(self.raw.get("links") or [])

    @property
    def codes(self) -> list[str]:
        """One-time codes, the likeliest first."""
        return list(self.raw.get("codes") or [])

    def link(self, pattern: Union[str, Pattern[str], None] = None) -> str:
        """The first link, or the first with this pattern in it."""
        found = [link for link in self.links if pattern is None or re.search(pattern, link)]
        if not found:
            which = "no link" if pattern is None else f"no link that matches {pattern!r}"
            raise AssertionError(f"message {self.message_id} has {which}; its links are {self.links}")
        return found[0]

    def code(self) -> str:
        """The likeliest one-time code."""
        if not self.codes:
            raise AssertionError(f"message {self.message_id} has no one-time code; its text is {self.body!r}")
        return self.codes[0]
