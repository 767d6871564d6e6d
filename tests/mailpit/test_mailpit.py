"""pytest-mailpit, its fixtures and its waits, over what bulkd would have sent."""

import json
import os
from urllib.request import Request, urlopen

import pytest


def send(address, subject, body):
    content = {"title": subject, "body": body}
    message = {"message": {"to": {"email": address}, "content": content}}
    headers = {"Authorization": "Bearer acme", "Content-Type": "application/json"}
    request = Request(os.environ["BULKD_URL"] + "/send", json.dumps(message).encode(), headers)
    with urlopen(request) as answer:
        return json.load(answer)["requestId"]


def test_an_email_is_waited_for(mailpit_inbox):
    sent = send(mailpit_inbox.address, "Your code", "Your code is 482913.\n\nhttps://app.test/confirm?id=1")
    message = mailpit_inbox.wait_for_message(subject="code")
    assert message.id == sent
    assert message.subject == "Your code"
    assert [it.address for it in message.to] == [mailpit_inbox.address]
    assert message.code() == "482913"
    assert message.link(contains="confirm") == "https://app.test/confirm?id=1"


def test_an_address_finds_itself_only(mailpit_inbox, mailpit):
    send("x" + mailpit_inbox.address, "Of another", "Hello")
    mailpit_inbox.assert_no_message(within=0)
    assert mailpit.search(f'to:"x{mailpit_inbox.address}"').messages[0].subject == "Of another"


def test_several_come_in_their_order(mailpit_inbox):
    for number in range(3):
        send(mailpit_inbox.address, f"Number {number}", "Hello")
    found = mailpit_inbox.wait_for_messages(3)
    assert [it.subject for it in found] == ["Number 0", "Number 1", "Number 2"]
    mailpit_inbox.clear()
    assert mailpit_inbox.messages() == []


def test_what_did_not_come_fails_the_test(mailpit_inbox):
    with pytest.raises(AssertionError):
        mailpit_inbox.wait_for_message(timeout=0)
