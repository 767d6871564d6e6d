from app import sign_up, weekly

READERS = [f"reader-{n}@example.com" for n in range(5)]


def test_who_signs_up_is_sent_a_code(bulkd):
    sign_up("ada@example.com")
    message = bulkd.wait_for_message(recipient="ada@example.com")
    assert (message.channel, message.subject) == ("email", "Welcome")
    assert message.code() == "482913"
    assert message.link("/verify") == "https://app.example/verify?t=1"
    bulkd.wait_for_none(channel="sms")


def test_all_readers_are_sent_the_weekly_once_though_an_answer_is_lost(bulkd):
    lost = bulkd.fault("lost-answer", path="/bulk/{job_id}")
    bulkd.wait_for_job(weekly(12, READERS))
    lost.assert_met()
    messages = bulkd.wait_for_messages(5, subject="Week 12")
    assert [message.address for message in messages] == READERS
    assert not [finding for finding in bulkd.doctor() if finding.level == "error"]
