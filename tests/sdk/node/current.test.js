'use strict';
// The newest Node SDK.

const { facts, id, tutorial, freshKey, overheard, bench } = require('./bulkd');
const { tellResources } = require('./resources');
const { tell, tellOpenapi, completed } = require('./stories');
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Courier, BadRequestError, AuthenticationError, NotFoundError } = require('courier-current');

const inAWeek = () => String(Math.floor(Date.now() / 1000) + 7 * 24 * 3600);

const sdk = {
  name: 'node, current',
  errors: { 400: BadRequestError, 401: AuthenticationError, 404: NotFoundError },
  connect: (baseURL, apiKey) => new Courier({ baseURL, apiKey }),
  create: async (client, message, options) => (await client.bulk.createJob({ message }, options)).jobId,
  ingest: (client, job, users, options) => client.bulk.addUsers(job, { users }, options),
  report: async (client, job, users, options) =>
    (await client.bulk.addUsers(job, { users }, options).asResponse()).json(),
  run: (client, job, options) => client.bulk.runJob(job, options),
  job: async (client, job) => (await client.bulk.retrieveJob(job)).job,
  users: (client, job, cursor) => client.bulk.listUsers(job, { cursor }),
  refusal: ({ status, error, message }) => ({ status, ...error, read: message }),
  withoutKey: (url) => sdk.connect(url, '').bulk.retrieveJob(facts.unknown_jobs[0]),
  // Its request options know an idempotencyKey, but nothing of it is sent: people pass the headers themselves.
  once: (key) => ({ headers: { 'Idempotency-Key': key, 'x-idempotency-expiration': inAWeek() } }),
};

tell(sdk, Object.keys(facts.messages));
tellOpenapi(sdk, ['v1_event', 'v2_flat_template', 'v2_flat_content']);
tellResources(sdk);

test(`${sdk.name}: forty calls at once are all taken`, async () => {
  const client = sdk.connect(tutorial, freshKey());
  const job = await sdk.create(client, facts.messages.v1_event);
  const batches = Array.from({ length: 40 }, (_, batch) =>
    Array.from({ length: 5 }, (__, at) => ({ recipient: `user-${batch}-${at}` })));
  const { exchanges, error } = await overheard(() =>
    Promise.all(batches.map((users) => sdk.ingest(client, job, users))));
  assert.ifError(error);
  assert.equal(exchanges.length, batches.length, 'none was tried twice');
  await sdk.run(client, job);
  assert.equal((await completed(sdk, client, job)).enqueued, 200);
});

test(`${sdk.name}: after a lost answer there are two jobs without an idempotency key, and one with it`, async () => {
  for (const [once, jobs] of [[undefined, 2], ['once', 1]]) {
    const key = freshKey();
    const client = sdk.connect(tutorial, key);
    await bench(key, 'POST', 'faults', { preset: 'lost-answer' });
    // The SDK sends it again by itself.
    assert.match(await sdk.create(client, facts.messages.v1_event, once && sdk.once(once)), id);
    const { items } = await bench(key, 'GET', 'requests');
    assert.deepEqual(items.map((it) => [it.path, it.status, it.retry_count]), [['/bulk', 201, 1], ['/bulk', null, 0]]);
    assert.equal(items[0].sdk.language, 'js');
    assert.equal(items[0].replayed, jobs === 1);
    const found = (await bench(key, 'GET', 'doctor')).items.map((it) => it.check);
    assert.equal(found.includes('retry-made-second'), jobs === 2);
    assert.equal(found.includes('retry-without-key'), jobs === 2);
    assert.deepEqual((await bench(key, 'GET', 'faults?unfired=true')).items, []);
  }
});

test(`${sdk.name}: a header that takes the key away makes the call unauthorized`, async () => {
  const client = sdk.connect(tutorial, freshKey());
  const call = client.bulk.retrieveJob(facts.unknown_jobs[0], { headers: { Authorization: null } });
  await assert.rejects(call, AuthenticationError);
});

test(`${sdk.name}: two environment variables are all that it takes to come here`, async () => {
  process.env.COURIER_BASE_URL = tutorial;
  process.env.COURIER_API_KEY = freshKey();
  assert.match(await sdk.create(new Courier(), facts.messages.v1_event), id);
});
