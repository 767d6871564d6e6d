"""What can go wrong between a test and the daemon."""

from __future__ import annotations

from typing import Any


class BulkdError(Exception):
    """Something of bulkd's."""


class Refused(BulkdError):
    """The daemon has refused a request of the test bench."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class NotMet(AssertionError):
    """What a test has waited for was not so. The text says what was wanted, what was found, and what came nearest.

    ``answer`` is the whole answer of ``POST /_bulkd/wait``.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(str(answer.get("message", "not met")))
        self.answer = answer
