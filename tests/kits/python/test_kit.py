"""The fixtures, tried as a test suite would use them, with Courier's SDK."""

from __future__ import annotations

import importlib
import re
from datetime import timedelta

import pytest
from courier import Courier, InternalServerError

from bulkd import Daemon, Environment, NotMet, Refused, StartError, absent, contains, matches, pytest_plugin


def sign_up(address: str) -> None:
    """The application under test."""
    body = "Your code is 482913. Or follow https://app.example/verify?t=1."
    Courier().send.message(
        message={"to": {"email": address}, "content": {"title": "Welcome", "body": body}, "data": {"plan": {"n": 7}}}
    )


def weekly(users: int) -> str:
    courier = Courier(max_retries=0)
    job_id = courier.bulk.create_job(message={"event": "weekly", "content": {"title": "Week", "body": "{{n}}"}}).job_id
    courier.bulk.add_users(
        job_id, users=[{"profile": {"email": f"u{n}@example.com"}, "recipient": f"u{n}", "data": {"n": n}} for n in range(users)]
    )
    courier.bulk.run_job(job_id)
    return job_id


@pytest.mark.parametrize("n", range(4))
def test_each_test_has_an_environment_of_its_own(bulkd: Environment, n: int) -> None:
    sign_up("ada@example.com")
    message = bulkd.wait_for_messages(1)[0]
    assert (message.address, message.subject, message.code()) == ("ada@example.com", "Welcome", "482913")
    assert message.link("/verify") == "https://app.example/verify?t=1"
    assert message.link(re.compile("v.rify")) and message.data == {"plan": {"n": 7}}
    assert message.html is not None and message.request["personalizations"]
    with pytest.raises(AssertionError, match="no link that matches 'nowhere'"):
        message.link("nowhere")


def test_messages_are_found_by_what_is_in_them(bulkd: Environment) -> None:
    bulkd.wait_for_job(weekly(5))
    assert bulkd.wait_for_message(recipient="u3", data={"n": 3}).body == "3"
    assert bulkd.wait_for_message(subject=contains("eek"), body=matches("^4$")).recipient == "u4"
    assert len(bulkd.wait_for_messages(5, channel="email", error=absent())) == 5
    assert len(bulkd.wait_for_messages(2, body=re.compile("^[12]$"))) == 2
    assert [it.recipient for it in bulkd.outbox(q="u2")] == ["u2"]
    bulkd.wait_for_none(channel="sms")
    bulkd.settle()
    with pytest.raises(NotMet, match="found 5") as failed:
        bulkd.wait_for_none(channel="email")
    assert failed.value.answer["met"] is False
    with pytest.raises(NotMet, match="Nearest is"):
        bulkd.wait_for_message(recipient="nobody", timeout=0)
    with pytest.raises(Refused, match="400.*chanel"):
        bulkd.wait_for_message(chanel="email")


def test_requests_fail_when_a_test_asks_for_it(bulkd: Environment) -> None:
    lost, refused = bulkd.fault("lost-answer"), bulkd.fault(method="POST", path="/bulk/{job_id}/run", status=503)
    with pytest.raises(AssertionError, match="has hit nothing"):
        lost.assert_met()
    sign_up("ada@example.com")
    lost.assert_met()
    # The SDK has sent it again, without an idempotency key.
    assert len(bulkd.wait_for_messages(2, recipient="ada@example.com")) == 2
    assert "retry-made-second" in [finding.check for finding in bulkd.doctor()]
    with pytest.raises(InternalServerError):
        weekly(1)
    assert refused.fired == 1
    refused.remove()
    assert bulkd.requests()[0]["status"] == 503


def test_time_passes(bulkd: Environment) -> None:
    before = bulkd.clock.now()
    Courier().send.message(
        message={"to": {"email": "ada@example.com"}, "content": {"title": "Late", "body": "B"}, "delay": {"duration": 3_600_000}}
    )
    bulkd.wait_for_none(subject="Late")
    assert bulkd.clock.advance(timedelta(minutes=30))["delayed_sent"] == 0
    assert bulkd.clock.advance("31m")["delayed_sent"] == 1
    assert bulkd.wait_for_message(subject="Late", timeout=0).status == "SENT"
    assert bulkd.clock.now() - before >= timedelta(minutes=61)


def test_states_are_kept_and_brought_back(bulkd: Environment) -> None:
    bulkd.outcome("UNDELIVERABLE", address="bob@example.com", reason="BOUNCED")
    sign_up("bob@example.com")
    assert bulkd.wait_for_message(recipient="bob@example.com", status="UNDELIVERABLE").status == "UNDELIVERABLE"
    bulkd.snapshot("one")
    sign_up("ada@example.com")
    bulkd.happen(bulkd.wait_for_message(recipient="ada@example.com").message_id, "OPENED")
    assert bulkd.wait_for_message(recipient="ada@example.com", status="OPENED")
    bulkd.restore("one")
    bulkd.wait_for_none(recipient="ada@example.com")
    bulkd.reset()
    assert bulkd.outbox() == []
    bulkd.lifecycle("manual")
    job_id = weekly(3)
    assert bulkd.step(job_id, 2)["left"] == 1
    assert bulkd.jobs()[0]["status"] == "PROCESSING"


def test_a_daemon_is_started_without_pytest() -> None:
    with Daemon.start(["--contract", "live"]) as daemon:
        assert daemon.environment().jobs() == []
    with pytest.raises(StartError, match="unexpected argument '--nothing'"):
        Daemon.start(["--nothing"])
    with pytest.raises(StartError, match="cannot be started"):
        Daemon.start(binary="/nowhere/bulkd")


def test_a_failed_test_shows_what_happened(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from courier import Courier

        def test_bob(bulkd):
            Courier().bulk.create_job(message={"template": "nt_1"})
            bulkd.wait_for_message(recipient="bob", timeout=0)
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NotMet: wanted*recipient \"bob\"*", "*- bulkd -*", "*POST /bulk -> 201*", "*no-event*"])


def test_what_happened_is_shown_also_where_a_fixture_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from courier import Courier

        @pytest.fixture
        def job(bulkd):
            Courier().bulk.create_job(message={"template": "nt_1"})
            raise RuntimeError("no users today")

        def test_job(job):
            pass
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*RuntimeError: no users today*", "*- bulkd -*", "*POST /bulk -> 201*", "*no-event*"])


def test_a_daemon_that_lets_nobody_in_ends_no_run(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nbulkd_flags = --api-key another")
    pytester.makepyfile("def test_one(bulkd):\n    bulkd.jobs()\n\n\ndef test_two():\n    pass")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*- bulkd -*", "bulkd does not say what happened: Refused: 401: *"])


def test_an_older_pytest_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "__version__", "7.4.4")
    with pytest.raises(pytest.UsageError, match="need pytest 8 or newer, found 7.4.4; with '-p no:bulkd'"):
        importlib.reload(pytest_plugin)
