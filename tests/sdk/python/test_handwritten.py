"""Python SDK 4.x, written by hand."""

import datetime
import os
import unittest
from unittest import mock

from bulkd import FACTS, TUTORIAL, fresh_key
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
