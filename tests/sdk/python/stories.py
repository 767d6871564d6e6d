"""The stories that every generation of the Python SDK must be able to tell.

A suite sets `sdk` to an object with:
    wire                                   the responses seen so far, each with status, type and text
    errors                                 {status: exception class}
    connect(url, key)  close(client)       a client
    create(client, message, once)          the job id; `once` is an idempotency key, sent with an expiration
    ingest, report(client, job, users, once)  the call as people make it; the answer's body, by whatever road
    run(client, job, once)  job(client, job)  users(client, job, cursor)
    refusal(error)                         {status, type, message, read: the text an SDK user gets to read}
    without_key(client)                    a call that carries no usable key
"""

import json
import time

from bulkd import FACTS, OPENAPI, TUTORIAL, fresh_key, outbox

MESSAGES = FACTS["messages"]


class Telling:
    """The steps that stories are made of."""

    def connect(self, url=TUTORIAL, key=None):
        client = self.sdk.connect(url, key or fresh_key())
        self.addCleanup(self.sdk.close, client)
        return client

    def heard(self, work):
        before = len(self.sdk.wire)
        work()
        return self.sdk.wire[before:]

    def refused(self, status, work):
        before = len(self.sdk.wire)
        with self.assertRaises(self.sdk.errors[status]) as caught:
            work()
        refusal = self.sdk.refusal(caught.exception)
        self.assertEqual(refusal["status"], status)
        self.assertEqual(refusal["type"], "authentication_error" if status == 401 else "invalid_request_error")
        self.assertTrue(refusal["message"])
        self.assertIn(refusal["message"], refusal["read"])
        self.assertEqual(len(self.sdk.wire) - before, 1, "a refusal is not asked again")
        return refusal["message"]

    def completed(self, client, job):
        for _ in range(FACTS["polls"]):
            state = self.sdk.job(client, job)
            if state["status"] == "COMPLETED":
                return state
            self.assertEqual(state["status"], "PROCESSING")
            time.sleep(FACTS["poll_ms"] / 1000)
        self.fail("the job did not complete")

    def whole_flow(self, url, message):
        """Ingests in two calls, runs, waits, and checks each thing that a caller can see on the way."""
        sdk, client = self.sdk, self.connect(url)
        sent = FACTS["first_users"] + FACTS["more_users"]

        job = sdk.create(client, message)
        self.assertRegex(job, FACTS["id"])
        created = {"definition": message, "enqueued": 0, "failures": 0, "received": 0, "status": "CREATED"}
        self.assertEqual(sdk.job(client, job), created)

        sdk.ingest(client, job, FACTS["first_users"])
        sdk.ingest(client, job, FACTS["more_users"])
        waiting = sdk.users(client, job)["items"]
        self.assertEqual([item["status"] for item in waiting], ["PENDING"] * len(sent))
        self.assertFalse(any(item.get("messageId") for item in waiting))

        sdk.run(client, job)
        counts = {"enqueued": len(sent), "received": len(sent), "status": "COMPLETED"}
        self.assertEqual(self.completed(client, job), {**created, **counts})

        page = sdk.users(client, job)
        items = page["items"]
        self.assertFalse(page["paging"]["more"])
        self.assertEqual(len({item["messageId"] for item in items}), len(sent))
        for item, user in zip(items, sent, strict=True):
            self.assertEqual(item["status"], "ENQUEUED")
            self.assertRegex(item["messageId"], FACTS["id"])
            given = {key: value for key, value in item.items() if key not in ("status", "messageId")}
            self.assertEqual(given, {**user, "recipient": item["recipient"]})
        self.assertEqual([item["recipient"] for item in items[:2]], ["spike_spiegel", "faye_valentine"])
        self.assertRegex(items[2]["recipient"], FACTS["generated_recipient"])

    def readers_get(self, message):
        sdk, key = self.sdk, fresh_key()
        client = self.connect(key=key)
        job = sdk.create(client, message)
        sdk.ingest(client, job, FACTS["readers"])
        sdk.run(client, job)
        self.completed(client, job)

        page = outbox(TUTORIAL, key, job)
        self.assertFalse(page["paging"]["more"])
        items = {item["recipient"]: item for item in page["items"]}
        self.assertEqual(len(page["items"]), len(FACTS["read"]))
        users = {user["recipient"]: user for user in sdk.users(client, job)["items"]}
        for expected in FACTS["read"]:
            item = items[expected["recipient"]]
            seen = {**{name: item[name] for name in expected}, "body": item["body"].strip()}
            self.assertEqual(seen, expected)
            self.assertEqual(item["message_id"], users[expected["recipient"]]["messageId"])
            self.assertEqual(item["job_id"], job)
            self.assertIsInstance(item["status"], str)
            self.assertIsInstance(item["created_at"], int)


class Stories(Telling):
    def test_a_job_goes_from_created_to_completed_v1_event(self):
        self.whole_flow(TUTORIAL, MESSAGES["v1_event"])

    def test_a_job_goes_from_created_to_completed_v2_nested_template(self):
        self.whole_flow(TUTORIAL, MESSAGES["v2_nested_template"])

    def test_a_job_goes_from_created_to_completed_v2_nested_content(self):
        self.whole_flow(TUTORIAL, MESSAGES["v2_nested_content"])

    def test_the_outbox_shows_what_each_reader_would_have_got_v2_nested_content(self):
        self.readers_get(MESSAGES["v2_nested_content"])

    def test_create_ingest_and_run_answer_201_200_and_202_in_plain_json(self):
        client = self.connect()

        def work():
            job = self.sdk.create(client, MESSAGES["v1_event"])
            self.sdk.ingest(client, job, FACTS["first_users"])
            self.sdk.run(client, job)

        heard = self.heard(work)
        self.assertEqual([answer["status"] for answer in heard], [201, 200, 202])
        self.assertEqual([answer["type"] for answer in heard], ["application/json"] * 3)
        self.assertEqual(json.loads(heard[1]["text"]), {"errors": [], "total": 2})
        self.assertEqual(json.loads(heard[2]["text"]), {})

    def test_an_unknown_job_is_not_found_whatever_is_asked_of_it(self):
        sdk, client = self.sdk, self.connect()
        for job in FACTS["unknown_jobs"]:
            self.refused(404, lambda: sdk.job(client, job))
            self.refused(404, lambda: sdk.users(client, job))
            self.refused(404, lambda: sdk.ingest(client, job, FACTS["first_users"]))
            self.refused(404, lambda: sdk.run(client, job))

    def test_a_job_runs_once_and_takes_no_users_afterwards(self):
        sdk, client = self.sdk, self.connect()
        job = sdk.create(client, MESSAGES["v1_event"])
        sdk.ingest(client, job, FACTS["first_users"])
        sdk.run(client, job)
        self.refused(400, lambda: sdk.run(client, job))
        self.refused(400, lambda: sdk.ingest(client, job, FACTS["more_users"]))
        self.assertEqual(self.completed(client, job)["received"], 2)

    def test_a_message_that_names_nothing_to_send_is_refused(self):
        client = self.connect()
        self.assertEqual(self.refused(400, lambda: self.sdk.create(client, {})), FACTS["event_required"])

    def test_a_call_without_a_usable_key_is_unauthorized(self):
        client = self.connect()
        self.assertEqual(self.refused(401, lambda: self.sdk.without_key(client)), "Unauthorized")

    def test_250_users_are_listed_page_by_page_in_the_order_of_ingestion(self):
        sdk, client = self.sdk, self.connect()
        job = sdk.create(client, MESSAGES["v1_event"])
        recipients = [f"user-{at}" for at in range(250)]
        sdk.ingest(client, job, [{"recipient": recipient} for recipient in recipients])

        pages, cursor, more = [], None, True
        while more and len(pages) < 10:
            page = sdk.users(client, job, cursor)
            pages.append([item["recipient"] for item in page["items"]])
            cursor, more = page["paging"].get("cursor"), page["paging"]["more"]
        self.assertEqual([len(page) for page in pages], FACTS["page_sizes"])
        self.assertEqual(sum(pages, []), recipients)

    def test_duplicates_come_back_as_they_were_sent_and_the_others_stay(self):
        sdk, client = self.sdk, self.connect()
        job = sdk.create(client, MESSAGES["v1_event"])
        ada = {"recipient": "ada", "profile": {"email": "ada@example.com"}, "data": {"name": "Ada"}}
        again = {**ada, "data": {"name": "Ada again"}}
        bob = {"to": {"user_id": "bob"}}

        first = sdk.report(client, job, [ada, {"recipient": "bob"}, again])
        self.assertEqual(first, {"errors": [{"error": "Duplicate user", "user": again}], "total": 2})
        second = sdk.report(client, job, [bob, {"recipient": "cy"}])
        self.assertEqual(second, {"errors": [{"error": "Duplicate user", "user": bob}], "total": 1})
        self.assertEqual(sdk.job(client, job)["received"], 3)

    def test_one_idempotency_key_does_one_thing_once(self):
        sdk, key = self.sdk, fresh_key()
        client = self.connect(key=key)
        job = sdk.create(client, MESSAGES["v1_event"], once="create-1")
        self.assertEqual(sdk.create(client, MESSAGES["v1_event"], once="create-1"), job)
        self.assertNotEqual(sdk.create(client, MESSAGES["v1_event"], once="create-2"), job)

        for _ in range(2):
            answer = sdk.report(client, job, FACTS["first_users"], once="ingest")
            self.assertEqual(answer, {"errors": [], "total": 2})
        for _ in range(2):
            sdk.run(client, job, once="run")
        self.assertEqual(self.completed(client, job)["received"], 2)
        self.assertEqual(len(outbox(TUTORIAL, key, job)["items"]), 2)


class FlatStories(Telling):
    """For SDKs whose types put template and content beside the event."""

    def test_a_job_goes_from_created_to_completed_v2_flat_template(self):
        self.whole_flow(TUTORIAL, MESSAGES["v2_flat_template"])

    def test_a_job_goes_from_created_to_completed_v2_flat_content(self):
        self.whole_flow(TUTORIAL, MESSAGES["v2_flat_content"])

    def test_the_outbox_shows_what_each_reader_would_have_got_v2_flat_content(self):
        self.readers_get(MESSAGES["v2_flat_content"])


class OpenapiStories(Telling):
    """For SDKs that were generated from the OpenAPI text: the daemon that takes that text at its word."""

    def test_openapi_a_job_goes_from_created_to_completed_v1_event(self):
        self.whole_flow(OPENAPI, MESSAGES["v1_event"])

    def test_openapi_a_job_goes_from_created_to_completed_v2_flat_template(self):
        self.whole_flow(OPENAPI, MESSAGES["v2_flat_template"])

    def test_openapi_a_job_goes_from_created_to_completed_v2_flat_content(self):
        self.whole_flow(OPENAPI, MESSAGES["v2_flat_content"])

    def test_openapi_create_answers_200_and_ingest_and_run_return_none_on_an_empty_204(self):
        client = self.connect(OPENAPI)

        def work():
            job = self.sdk.create(client, MESSAGES["v1_event"])
            self.assertIsNone(self.sdk.ingest(client, job, FACTS["first_users"]))
            self.assertIsNone(self.sdk.run(client, job))

        heard = self.heard(work)
        self.assertEqual([answer["status"] for answer in heard], [200, 204, 204])
        self.assertEqual([answer["text"] for answer in heard[1:]], ["", ""])

    def test_openapi_a_message_without_an_event_is_refused(self):
        client = self.connect(OPENAPI)
        message = self.refused(400, lambda: self.sdk.create(client, MESSAGES["v2_nested_template"]))
        self.assertEqual(message, FACTS["event_required"])
