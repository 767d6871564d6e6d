"""The OpenAPI document is valid, and the metrics are what Prometheus reads."""

import json
import sys
from urllib.request import urlopen

from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

base = sys.argv[1]


def get(path):
    with urlopen(base + path) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


document = json.loads(get("/_bulkd/openapi.json")[1])
problems = list(OpenAPIV31SpecValidator(document).iter_errors())
for problem in problems:
    print(f"{list(problem.absolute_path)}: {problem.message}")
assert not problems
operations = sum(len(path) for path in document["paths"].values())
print(f"openapi.json is valid: {operations} operations")

content_type, text = get("/_bulkd/metrics")
assert content_type.startswith("text/plain; version=0.0.4"), content_type
families = {family.name: family for family in text_string_to_metric_families(text)}
for name, family in families.items():
    assert family.documentation and family.type != "unknown", name
for name in ["bulkd_requests", "bulkd_request_duration_seconds", "bulkd_commit_duration_seconds", "bulkd_messages"]:
    assert name in families, (name, sorted(families))
print(f"the metrics are read: {len(families)} families")
