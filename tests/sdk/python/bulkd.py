"""What the Python suites share: where bulkd listens, a fresh environment for each test, and the outbox."""

import json
import os
import urllib.request
import uuid
from pathlib import Path

FACTS = json.loads(Path(__file__).with_name("..").joinpath("facts.json").read_text())
TUTORIAL = os.environ["BULKD_URL"]
OPENAPI = os.environ["BULKD_OPENAPI_URL"]
LIVE = os.environ["BULKD_LIVE_URL"]


def fresh_key():
    return f"sdk-{uuid.uuid4()}"


def bench(key, method, path, body=None):
    """A call of the test bench of an environment."""
    request = urllib.request.Request(
        f"{TUTORIAL}/_bulkd/{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def outbox(url, key, id, by="job_id"):
    request = urllib.request.Request(
        f"{url}/_bulkd/outbox?fields=all&{by}={id}", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)
