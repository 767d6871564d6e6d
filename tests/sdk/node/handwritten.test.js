'use strict';
// Node SDK 4.x, written by hand.

const { facts, id, tutorial, freshKey, overheard } = require('./bulkd');
const { tell } = require('./stories');
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { CourierClient, CourierHttpClientError } = require('courier-handwritten');

const sdk = {
  name: 'node, 4.x',
  errors: { 400: CourierHttpClientError, 401: CourierHttpClientError, 404: CourierHttpClientError },
  connect: (baseUrl, authorizationToken) => CourierClient({ baseUrl, authorizationToken }),
  create: async (client, message, options) => (await client.bulk.createJob({ message }, options)).jobId,
  ingest: (client, jobId, users, options) => client.bulk.ingestUsers({ jobId, users }, options),
  report: (...call) => sdk.ingest(...call),
  run: (client, jobId, options) => client.bulk.runJob({ jobId }, options),
  job: async (client, jobId) => (await client.bulk.getJob({ jobId })).job,
  users: (client, jobId, cursor) => client.bulk.getJobUsers({ jobId, cursor }),
  refusal: ({ response, data, message }) => ({ status: response.status, ...data, read: message }),
  withoutKey: (url) => sdk.connect(url, ' ').bulk.getJob({ jobId: facts.unknown_jobs[0] }),
  once: (idempotencyKey) => ({ idempotencyKey, idempotencyExpiry: Date.now() + 7 * 24 * 3600 * 1000 }),
};

tell(sdk, ['v1_event', 'v2_nested_template', 'v2_nested_content']);

test(`${sdk.name}: a listing without a cursor asks for the cursor "undefined" and gets the first page`, async () => {
  const client = sdk.connect(tutorial, freshKey());
  const job = await sdk.create(client, facts.messages.v1_event);
  await sdk.ingest(client, job, facts.first_users);
  const { value, exchanges, error } = await overheard(() => sdk.users(client, job));
  assert.ifError(error);
  assert.ok(exchanges[0].url.endsWith('/users?cursor=undefined'));
  assert.equal(value.items.length, 2);
});

test(`${sdk.name}: an empty key never leaves the client`, () => {
  assert.throws(() => sdk.connect(tutorial, ''), /Auth Token is required/);
});

test(`${sdk.name}: two environment variables are all that it takes to come here`, async () => {
  process.env.COURIER_BASE_URL = tutorial;
  process.env.COURIER_AUTH_TOKEN = freshKey();
  assert.match(await sdk.create(CourierClient(), facts.messages.v1_event), id);
});
