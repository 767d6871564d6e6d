"""The newest Python SDK, its sync and its async client."""

import asyncio
import os
import time
import unittest
from unittest import mock

import courier
from bulkd import FACTS, TUTORIAL, bench, fresh_key
from httpx_wire import Async, Sync
from resources import ResourceStories
from stories import MESSAGES, FlatStories, OpenapiStories, Stories


def headers(once):
    in_a_week = int(time.time()) + 7 * 24 * 3600
    return {"Idempotency-Key": once, "x-idempotency-expiration": str(in_a_week)} if once else None


class Sdk:
    errors = {400: courier.BadRequestError, 401: courier.AuthenticationError, 404: courier.NotFoundError}

    def __init__(self, client, http, road):
        self.client, self.http, self.road = client, http, road
        self.wire, self.settle = road.wire, road.settle

    def connect(self, url, key):
        return self.client(base_url=url, api_key=key, http_client=self.http(event_hooks=self.road.hooks))

    def close(self, client):
        self.settle(client.close())

    def create(self, client, message, once=None):
        return self.settle(client.bulk.create_job(message=message, extra_headers=headers(once))).job_id

    def ingest(self, client, job, users, once=None):
        return self.settle(client.bulk.add_users(job, users=users, extra_headers=headers(once)))

    def report(self, client, job, users, once=None):
        call = client.bulk.with_raw_response.add_users(job, users=users, extra_headers=headers(once))
        return self.settle(call).http_response.json()

    def run(self, client, job, once=None):
        return self.settle(client.bulk.run_job(job, extra_headers=headers(once)))

    def job(self, client, job):
        return self.settle(client.bulk.retrieve_job(job)).to_dict()["job"]

    def users(self, client, job, cursor=courier.omit):
        return self.settle(client.bulk.list_users(job, cursor=cursor)).to_dict()

    def refusal(self, error):
        return {"status": error.status_code, **error.body, "read": error.message}

    def without_key(self, client):
        no_header = {"Authorization": courier.omit}
        return self.settle(client.bulk.retrieve_job(FACTS["unknown_jobs"][0], extra_headers=no_header))


class CurrentSync(Stories, FlatStories, OpenapiStories, ResourceStories, unittest.TestCase):
    sdk = Sdk(courier.Courier, courier.DefaultHttpxClient, Sync())

    def test_two_environment_variables_are_all_that_it_takes_to_come_here(self):
        with mock.patch.dict(os.environ, COURIER_BASE_URL=TUTORIAL, COURIER_API_KEY=fresh_key()):
            client = courier.Courier()
        self.addCleanup(client.close)
        self.assertRegex(self.sdk.create(client, MESSAGES["v1_event"]), FACTS["id"])

    def test_after_a_lost_answer_there_are_two_jobs_without_a_key_and_one_with_it(self):
        for once, jobs in ((None, 2), ("once", 1)):
            key = fresh_key()
            client = self.sdk.connect(TUTORIAL, key)
            self.addCleanup(self.sdk.close, client)
            bench(key, "POST", "faults", {"preset": "lost-answer"})
            # The SDK sends it again by itself.
            self.assertRegex(self.sdk.create(client, MESSAGES["v1_event"], once), FACTS["id"])
            items = bench(key, "GET", "requests")["items"]
            seen = [(it["path"], it["status"], it["retry_count"]) for it in items]
            self.assertEqual(seen, [("/bulk", 201, 1), ("/bulk", None, 0)])
            self.assertEqual(items[0]["sdk"]["language"], "python")
            self.assertEqual(items[0]["replayed"], jobs == 1)
            found = {it["check"] for it in bench(key, "GET", "doctor")["items"]}
            self.assertEqual("retry-made-second" in found, jobs == 2)
            self.assertEqual("retry-without-key" in found, jobs == 2)


class CurrentAsync(Stories, FlatStories, OpenapiStories, ResourceStories, unittest.TestCase):
    sdk = Sdk(courier.AsyncCourier, courier.DefaultAsyncHttpxClient, Async())

    def test_forty_calls_at_once_are_all_taken(self):
        sdk, client = self.sdk, self.connect()
        job = sdk.create(client, MESSAGES["v1_event"])

        async def ingest():
            batches = ([{"recipient": f"user-{batch}-{at}"} for at in range(5)] for batch in range(40))
            await asyncio.gather(*(client.bulk.add_users(job, users=users) for users in batches))

        self.assertEqual(len(self.heard(lambda: sdk.settle(ingest()))), 40, "none was tried twice")
        sdk.run(client, job)
        self.assertEqual(self.completed(client, job)["enqueued"], 200)
