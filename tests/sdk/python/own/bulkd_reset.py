"""A pytest plugin for the Python SDK's own suite, which is written against a mock server and is published skipped.

It lifts those skips, puts the environment back to its seed before every test, and leaves "PASSED FAILED" in the file
that BULKD_TALLY names. Whatever is skipped nevertheless counts as failed.

The SDK names a class in one of its types before that class exists, and nobody ever looks the name up. So the tests that
have such an answer checked cannot pass, whatever the server says: they are expected to fail, and in this way. With
BULKD_NAMES=resolved the name is looked up, and only those tests are run.
"""

import os
import urllib.request
from pathlib import Path

import pydantic
import pytest
from courier.types import NotificationContentGetResponse, NotificationRetrieveContentResponse

URL = os.environ["TEST_API_BASE_URL"]
KEY = "My API Key"
LIFTED = "Mock server tests are disabled"
RESOLVED = os.environ.get("BULKD_NAMES") == "resolved"
UNRESOLVED = pytest.mark.xfail(
    reason="ForwardRef('NotificationContentGetResponse') in the SDK",
    raises=(TypeError, pydantic.errors.PydanticUserError),
    strict=True,
)

if RESOLVED:
    _, content = NotificationRetrieveContentResponse.__args__
    NotificationRetrieveContentResponse.__args__ = (NotificationContentGetResponse, content)


def pytest_collection_modifyitems(config, items):
    for item in items:
        item.own_markers[:] = [mark for mark in item.own_markers if mark.kwargs.get("reason") != LIFTED]
    impossible = [item for item in items if "_retrieve_content" in item.name and "path_params" not in item.name]
    if RESOLVED:
        config.hook.pytest_deselected(items=[item for item in items if item not in impossible])
        items[:] = impossible
    else:
        for item in impossible:
            item.add_marker(UNRESOLVED)


@pytest.fixture(autouse=True)
def seeded():
    headers = {"Authorization": f"Bearer {KEY}"}
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/_bulkd/reset", method="POST", headers=headers)):
        pass


def pytest_terminal_summary(terminalreporter):
    def count(*outcomes):
        return sum(len(terminalreporter.stats.get(outcome, [])) for outcome in outcomes)

    passed, failed = count("passed"), count("failed", "error", "skipped", "xpassed")
    Path(os.environ["BULKD_TALLY"]).write_text(f"{passed} {failed}\n")
