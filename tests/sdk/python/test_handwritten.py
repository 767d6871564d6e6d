"""Python SDK 4.x, written by hand."""

import datetime
import json
import os
import time
import unittest
import urllib.request
from unittest import mock

from bulkd import FACTS, LIVE, TUTORIAL, fresh_key, outbox
from stories import MESSAGES, Stories
from trycourier import Courier
from trycourier.exceptions import CourierAPIException


def expiring(once):
    in_a_week = datetime.datetime.now() + datetime.timedelta(days=7)
    return {"idempotency_key": once, "idempotency_expiration": in_a_week.isoformat()} if once else {}


class Sdk:
    errors = {400: CourierAPIException, 401: CourierAPIException, 404: CourierAPIException}

    def __init__(self):
        self.wire = []

    def note(self, response, **_):
        kind = response.headers.get("content-type")
        self.wire.append({"status": response.status_code, "type": kind, "text": response.text})

    def connect(self, url, key):
        client = Courier(base_url=url, auth_token=key)
        client.session.hooks["response"].append(self.note)
        return client

    def close(self, client):
        client.session.close()

    def create(self, client, message, once=None):
        return client.bulk.create_job(message, **expiring(once))["jobId"]

    def ingest(self, client, job, users, once=None):
        return client.bulk.ingest_users(job, users, **expiring(once))

    report = ingest

    def run(self, client, job, once=None):
        return client.bulk.run_job(job, **expiring(once))

    def job(self, client, job):
        return client.bulk.get_job(job)["job"]

    def users(self, client, job, cursor=None):
        return client.bulk.get_job_users(job, cursor)

    def refusal(self, error):
        return {"status": error.response.status_code, **error.response.json(), "read": error.message}

    def without_key(self, _client):
        keyless = self.connect(TUTORIAL, None)
        try:
            return keyless.bulk.get_job(FACTS["unknown_jobs"][0])
        finally:
            self.close(keyless)


class Handwritten(Stories, unittest.TestCase):
    sdk = Sdk()

    def test_run_answers_json_because_the_client_reads_it_in_any_case(self):
        client = self.connect()
        job = self.sdk.create(client, MESSAGES["v1_event"])
        self.assertEqual(self.sdk.run(client, job), {})

    def test_two_environment_variables_are_all_that_it_takes_to_come_here(self):
        with mock.patch.dict(os.environ, COURIER_BASE_URL=TUTORIAL, COURIER_AUTH_TOKEN=fresh_key()):
            client = Courier()
        self.addCleanup(client.session.close)
        self.assertRegex(self.sdk.create(client, MESSAGES["v1_event"]), FACTS["id"])

    def customer(self):
        """A client with the template of the facts, called `welcome`, which this generation cannot make."""
        key = fresh_key()
        client = self.sdk.connect(TUTORIAL, key)
        self.addCleanup(client.session.close)
        body = {"notification": {**FACTS["welcome"], "brand": None}, "state": "PUBLISHED"}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{TUTORIAL}/notifications", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as response:
            self.assertEqual(response.status, 201)
        return key, client

    def test_an_event_goes_to_a_recipient_in_the_first_form_of_a_send(self):
        key, client = self.customer()
        client.create_brand("Acme", {}, id="acme")
        client.replace_profile("ada", {"email": "old@example.com", "name": "Ada"})
        form = {
            "data": {"place": "Acme"}, "profile": {"email": "ada@example.com"}, "brand": "acme",
            "override": {"sendgrid": {"body": {"categories": ["welcome"]}}},
            "preferences": {"notifications": {"other": {"status": "OPTED_OUT"}}, "categories": {}},
        }
        sent = client.send("welcome", "ada", **form, **expiring("welcome-ada"))
        self.assertEqual(list(sent), ["messageId"])
        self.assertEqual(self.sdk.wire[-1]["status"], 200)
        self.assertEqual(client.send("welcome", "ada", **form, **expiring("welcome-ada")), sent)
        message = client.messages.get(sent["messageId"])
        self.assertEqual((message["status"], message["event"]), ("SENT", "welcome"))
        went = outbox(TUTORIAL, key, sent["messageId"], "message_id")["items"][0]
        shown = (went["address"], went["subject"], went["body"])
        self.assertEqual(shown, ("ada@example.com", "Hi Ada", "Welcome to Acme"))
        self.assertEqual(went["request"]["categories"], ["welcome"])

        form["preferences"]["notifications"] = {"welcome": {"status": "OPTED_OUT"}}
        unwanted = client.send("welcome", "ada", **form)["messageId"]
        self.assertEqual(client.messages.get(unwanted)["status"], "UNDELIVERABLE")
        least = client.send("welcome", "ada")["messageId"]
        self.assertEqual(outbox(TUTORIAL, key, least, "message_id")["items"][0]["address"], "old@example.com")

    def test_an_event_goes_to_a_list_and_to_a_pattern(self):
        key, client = self.customer()
        for list_id, user in (("news.eu", "ada"), ("news.us", "bob")):
            client.replace_profile(user, {"email": f"{user}@example.com", "name": user})
            client.lists.subscribe(list_id, user)

        def readers(count, **to):
            sent = client.lists.send("welcome", data={"place": "Acme"}, **to)["messageId"]
            for _ in range(FACTS["polls"]):
                found = outbox(TUTORIAL, key, sent)["items"]
                if len(found) == count:
                    return sorted((it["recipient"], it["body"]) for it in found)
                time.sleep(FACTS["poll_ms"] / 1000)
            return self.fail("they were not all reached")

        self.assertEqual(readers(1, list="news.eu"), [("ada", "Welcome to Acme")])
        self.assertEqual(readers(2, pattern="news.*"), [("ada", "Welcome to Acme"), ("bob", "Welcome to Acme")])

    def test_a_template_is_read_by_the_older_name_of_its_draft(self):
        _, client = self.customer()
        template = client.notifications.list()["results"][0]["id"]
        elements = client.notifications.get_draft_content(template)["elements"]
        self.assertEqual([it["channel"] for it in elements], ["email", "push"])

    def test_live_a_job_needs_its_event(self):
        client = self.sdk.connect(LIVE, fresh_key())
        self.addCleanup(client.session.close)
        with self.assertRaises(CourierAPIException) as refused:
            self.sdk.create(client, MESSAGES["v2_nested_template"])
        self.assertIn(FACTS["event_required"], refused.exception.message)
        job = self.sdk.create(client, MESSAGES["v1_event"])
        self.assertEqual(self.sdk.ingest(client, job, FACTS["first_users"]), {"errors": [], "total": 2})
        self.sdk.run(client, job)
        self.assertEqual(self.completed(client, job)["enqueued"], 2)
