"""Holds samples in tests/requests against libraries of Python.

    pip install -r requirements.txt && python check.py FOLDER

Airship's library is called as its documentation has it, and what it would send is caught. An e-mail is read by Python's own
parser, which notes each defect of what it reads.
"""

import email
import email.policy
import json
import pathlib
import sys

import urbanairship

FOLDER = pathlib.Path(sys.argv[1])


def sample(name):
    return json.loads((FOLDER / f"{name}.json").read_text())["expected"]


def airship():
    """What the library would send, and the sample without what only bulkd says."""
    caught = {}

    class Answer:
        status_code = 202
        headers = {}
        content = b""

        @staticmethod
        def json():
            return {"ok": True, "push_ids": ["1"]}

    client = urbanairship.BasicAuthClient("A" * 22, "B" * 22)

    def request(method, url, data=None, **_):
        caught.update(method=method, url=url, data=data, headers=dict(client.session.headers))
        return Answer()

    client.session.request = request
    push = urbanairship.Push(client)
    push.audience = urbanairship.named_user("ada")
    push.device_types = urbanairship.device_types("ios")
    actions = urbanairship.actions(open_={"type": "url", "content": "https://acme.example/open"})
    push.notification = urbanairship.notification(
        alert="Tap me",
        ios=urbanairship.ios(
            title="Hey", media_attachment=urbanairship.media_attachment("https://acme.example/a.png"), mutable_content=True
        ),
        actions=actions,
    )
    push.send()
    return caught, sample("airship")


def differences(caught, expected):
    problems = []
    body = dict(expected["body"])
    # The API has it, the library does not.
    body.pop("global_attributes", None)
    if json.loads(caught["data"]) != body:
        problems.append(f"body {caught['data']}\n  ours {json.dumps(body)}")
    if (caught["method"], caught["url"].rstrip("/")) != (expected["method"], expected["url"]):
        problems.append(f"{caught['method']} {caught['url']}, ours {expected['method']} {expected['url']}")
    headers = {name.lower(): value for name, value in caught["headers"].items()}
    for name, value in expected["headers"].items():
        # Who asks is added by another part of it.
        if name != "Authorization" and headers.get(name.lower(), "").rstrip(";") != value:
            problems.append(f"header {name}: {headers.get(name.lower())}, ours {value}")
    return problems


def defects(text):
    """All that the parser has noted, in a message and its parts."""
    message = email.message_from_bytes(text.encode(), policy=email.policy.default)
    found = []
    for part in message.walk():
        found += part.defects
        for value in part.values():
            found += getattr(value, "defects", [])
        if not part.is_multipart():
            part.get_content()
            found += part.defects
    return [str(it) or type(it).__name__ for it in found]


def main():
    problems = []
    caught, expected = airship()
    problems += differences(caught, expected)
    for name, other in [
        ("alert", {**expected["body"], "notification": {"alert": "other"}}),
        ("device_types", {**expected["body"], "device_types": "all"}),
        ("audience", {**expected["body"], "audience": {"named_user": "bob"}}),
    ]:
        if not differences(caught, {**expected, "body": other}):
            problems.append(f"another {name} was not found")
    for name in ["smtp", "smtp-full", "smtp-inline", "smtp-attachments"]:
        text = sample(name)["data"]
        problems += [f"{name}: {it}" for it in defects(text)]
        for bad in [
            text.replace("From: ", "From: <<", 1),
            text.replace("multipart/alternative", "multipart", 1),
            text.rsplit("--", 2)[0],
            text.replace("To: ", "To: ,,@", 1),
        ]:
            if not defects(bad):
                problems.append(f"{name}: was taken: {bad[:300]}")
    print("FAILED" if problems else "ok    ", "urbanairship, email")
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


sys.exit(main())
