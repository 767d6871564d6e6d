'use strict';
// Node SDK 4.x, written by hand.

const { facts, id, tutorial, live, freshKey, overheard, outbox } = require('./bulkd');
const { completed, tell } = require('./stories');
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
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

/** What a message shows, and where it went. */
async function sent(key, id, by = 'message_id') {
  const { items } = await outbox(tutorial, key, id, by);
  return items.map(({ recipient, channel, address, subject, body }) => ({ recipient, channel, address, subject, body }));
}

/** A client with the template of the facts, called `welcome`, which this generation cannot make. */
async function customer() {
  const key = freshKey();
  const client = sdk.connect(tutorial, key);
  const made = await fetch(`${tutorial}/notifications`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ notification: { ...facts.welcome, brand: null }, state: 'PUBLISHED' }),
  });
  assert.equal(made.status, 201);
  return { key, client };
}

test(`${sdk.name}: an event goes to a recipient, in the first form of a send`, async () => {
  const { key, client } = await customer();
  await client.createBrand({ id: 'acme', name: 'Acme', settings: {} });
  await client.replaceProfile({ recipientId: 'ada', profile: { email: 'old@example.com', name: 'Ada' } });
  const params = {
    eventId: 'welcome', recipientId: 'ada', data: { place: 'Acme' }, brand: 'acme',
    profile: { email: 'ada@example.com' }, override: { sendgrid: { body: { categories: ['welcome'] } } },
    preferences: { notifications: {}, categories: {} },
  };
  const once = sdk.once('welcome-ada');
  const { value, exchanges, error } = await overheard(() => client.send(params, once));
  assert.ifError(error);
  assert.deepEqual(exchanges.map(({ status }) => status), [200]);
  assert.deepEqual(Object.keys(value), ['messageId']);
  assert.deepEqual(await client.send(params, once), value);
  const { status, recipient, event } = await client.getMessage(value.messageId);
  assert.deepEqual({ status, recipient, event }, { status: 'SENT', recipient: 'ada', event: 'welcome' });
  assert.deepEqual(await sent(key, value.messageId), [{
    recipient: 'ada', channel: 'email', address: 'ada@example.com', subject: 'Hi Ada', body: 'Welcome to Acme',
  }]);
  const least = await client.send({ eventId: 'welcome', recipientId: 'ada' });
  assert.equal((await sent(key, least.messageId))[0].address, 'old@example.com');
});

test(`${sdk.name}: an event goes to a list and to a pattern`, async () => {
  const { key, client } = await customer();
  for (const [list, recipientId] of [['news.eu', 'ada'], ['news.us', 'bob']]) {
    await client.replaceProfile({ recipientId, profile: { email: `${recipientId}@example.com`, name: recipientId } });
    await client.lists.subscribe(list, recipientId);
  }
  const readers = async (count, params) => {
    const { messageId } = await client.lists.send({ event: 'welcome', data: { place: 'Acme' }, ...params });
    assert.match(messageId, id);
    for (let poll = 0; poll < facts.polls; poll += 1) {
      const found = await sent(key, messageId, 'job_id');
      if (found.length === count) return found.map(({ recipient, body }) => `${recipient}: ${body}`).sort();
      await sleep(facts.poll_ms);
    }
    return assert.fail('they were not all reached');
  };
  assert.deepEqual(await readers(1, { list: 'news.eu' }), ['ada: Welcome to Acme']);
  assert.deepEqual(await readers(2, { pattern: 'news.*' }), ['ada: Welcome to Acme', 'bob: Welcome to Acme']);
});

test(`${sdk.name}: preferences are put, read and heeded`, async () => {
  const { client } = await customer();
  assert.deepEqual(await client.preferences.get('ada'), { categories: {}, notifications: {} });
  const chosen = {
    categories: { news: { status: 'OPTED_IN', channel_preferences: [{ channel: 'email' }] } },
    notifications: { welcome: { status: 'OPTED_OUT' } },
  };
  assert.deepEqual(await client.preferences.put('ada', chosen), { status: 'SUCCESS' });
  assert.deepEqual(await client.preferences.get('ada'), chosen);
  assert.deepEqual(await client.preferences.list(), { categories: [], uncategorized: [] });
  const profile = { email: 'ada@example.com' };
  const outcome = async (preferences) => {
    const { messageId } = await client.send({ eventId: 'welcome', recipientId: 'ada', profile, preferences });
    return (await client.getMessage(messageId)).status;
  };
  assert.equal(await outcome(), 'UNDELIVERABLE');
  assert.equal(await outcome({ notifications: { welcome: { status: 'OPTED_IN' } } }), 'SENT');
  await client.preferences.put('ada', { notifications: {} });
  assert.equal(await outcome(), 'SENT');
});

test(`${sdk.name}: drafts are read by their older name`, async () => {
  const { client } = await customer();
  const { id: template } = (await client.notifications.list()).results[0];
  const { elements } = await client.notifications.getDraftContent(template);
  assert.deepEqual(elements.map(({ channel }) => channel), ['email', 'push']);
});

test(`${sdk.name}, --contract live: a job needs its event`, async () => {
  const client = sdk.connect(live, freshKey());
  const { exchanges, error } = await overheard(() => sdk.create(client, facts.messages.v2_nested_template));
  assert.deepEqual([exchanges[0].status, error.data.message], [400, facts.event_required]);
  const job = await sdk.create(client, facts.messages.v1_event);
  assert.deepEqual(await sdk.ingest(client, job, facts.first_users), { errors: [], total: 2 });
  await sdk.run(client, job);
  assert.equal((await completed(sdk, client, job)).enqueued, 2);
});

test(`${sdk.name}: an empty key never leaves the client`, () => {
  assert.throws(() => sdk.connect(tutorial, ''), /Auth Token is required/);
});

test(`${sdk.name}: two environment variables are all that it takes to come here`, async () => {
  process.env.COURIER_BASE_URL = tutorial;
  process.env.COURIER_AUTH_TOKEN = freshKey();
  assert.match(await sdk.create(CourierClient(), facts.messages.v1_event), id);
});
